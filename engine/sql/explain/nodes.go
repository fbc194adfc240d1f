package explain

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// entry describes a node and the nodes below it.
func (x *explainer) entry(n plan.Node) *entry {
	e := &entry{node: n, costs: n.Common()}
	saved := x.at
	defer func() { x.at = saved }()
	x.at = n
	x.describe(e, n)
	if x.opt.Verbose {
		x.output(e, n)
	}
	x.details(e, n)
	x.below(e, n)
	x.subPlans(e, n)
	return e
}

func (e *entry) name(title string, props ...string) {
	e.title = title
	for i := 0; i+1 < len(props); i += 2 {
		e.say(props[i], props[i+1])
	}
}

var joinNames = map[query.JoinType]string{query.JoinInner: "", query.JoinLeft: " Left", query.JoinFull: " Full", query.JoinRight: " Right",
	query.JoinSemi: " Semi", query.JoinAnti: " Anti"}

func joinTitle(kind string, t query.JoinType) string {
	if t == query.JoinInner {
		if kind == "Nested Loop" {
			return kind
		}
		return kind + " Join"
	}
	return kind + joinNames[t] + " Join"
}

func (e *entry) join(kind string, t query.JoinType) {
	full := kind
	if kind != "Nested Loop" {
		full += " Join"
	}
	name := strings.TrimSpace(joinNames[t])
	if name == "" {
		name = "Inner"
	}
	e.name(joinTitle(kind, t), "Node Type", full, "Join Type", name)
}

// describe writes the title of a node.
func (x *explainer) describe(e *entry, n plan.Node) {
	switch n := n.(type) {
	case *plan.SeqScan:
		x.scan(e, "Seq Scan", "", &n.Scan)
	case *plan.IndexScan:
		kind, back := "Index Scan", ""
		if n.Only {
			kind = "Index Only Scan"
		}
		e.say("Scan Direction", map[bool]string{false: "Forward", true: "Backward"}[n.Backward])
		if n.Backward {
			back = " Backward"
		}
		e.say("Index Name", n.Index.Name)
		x.scan(e, kind, back+" using "+catalog.QuoteIdent(n.Index.Name), &n.Scan)
	case *plan.BitmapHeap:
		x.scan(e, "Bitmap Heap Scan", "", &n.Scan)
	case *plan.TidScan:
		x.scan(e, "Tid Scan", "", &n.Scan)
	case *plan.Result:
		e.name("Result", "Node Type", "Result")
	case *plan.Values:
		x.aliased(e, "Values Scan", "", n.Alias)
	case *plan.FunctionScan:
		name := ""
		if len(n.Funcs) == 1 {
			if f, ok := n.Funcs[0].(*query.FuncExpr); ok {
				if p, err := x.p.Names.View.ProcByOID(f.Func); err == nil && p != nil {
					name = p.Name
				}
			}
		}
		x.aliased(e, "Function Scan", name, n.Alias)
	case *plan.CTEScan:
		x.aliased(e, "CTE Scan", x.stmt.CTEs[n.Index].Name, n.Alias)
	case *plan.WorkTableScan:
		x.aliased(e, "WorkTable Scan", "", n.Alias)
	case *plan.SubqueryScan:
		x.aliased(e, "Subquery Scan", "", n.Alias)
	case *plan.NestLoop:
		e.join("Nested Loop", n.Type)
	case *plan.HashJoin:
		e.join("Hash", n.Type)
	case *plan.MergeJoin:
		e.join("Merge", n.Type)
	case *plan.Modify:
		op := map[query.Command]string{query.Insert: "Insert", query.Update: "Update", query.Delete: "Delete"}[n.Command]
		e.say("Node Type", "ModifyTable")
		e.say("Operation", op)
		e.say("Relation Name", n.Rel.Name)
		e.title = op + " on " + x.relName(n.Rel.Schema, n.Rel.Name)
		walk(n.Child, func(c plan.Node) {
			if s := scanOf(c); s != nil && s.RTE == n.RTE && s.Alias != n.Rel.Name {
				e.title += " " + catalog.QuoteIdent(s.Alias)
			}
		})
	default:
		x.describeUpper(e, n)
	}
}

func (x *explainer) describeUpper(e *entry, n plan.Node) {
	switch n := n.(type) {
	case *plan.RecursiveUnion:
		e.name("Recursive Union", "Node Type", "Recursive Union")
	case *plan.Sort:
		e.name("Sort", "Node Type", "Sort")
	case *plan.Material:
		e.name("Materialize", "Node Type", "Materialize")
	case *plan.Agg:
		title := [...]string{plan.AggPlain: "Aggregate", plan.AggSorted: "GroupAggregate", plan.AggHashed: "HashAggregate"}[n.Strategy]
		if n.Strategy == plan.AggSorted && len(n.Calls) == 0 {
			title = "Group"
			e.name(title, "Node Type", "Group")
			return
		}
		e.name(title, "Node Type", "Aggregate", "Strategy", [...]string{plan.AggPlain: "Plain", plan.AggSorted: "Sorted", plan.AggHashed: "Hashed"}[n.Strategy])
	case *plan.WindowAgg:
		e.name("WindowAgg", "Node Type", "WindowAgg")
	case *plan.Unique:
		e.name("Unique", "Node Type", "Unique")
	case *plan.Limit:
		e.name("Limit", "Node Type", "Limit")
	case *plan.Append:
		e.name("Append", "Node Type", "Append")
	case *plan.SetOp:
		command := "Intersect"
		if n.Kind == query.Except {
			command = "Except"
		}
		if n.All {
			command += " All"
		}
		e.name("HashSetOp "+command, "Node Type", "SetOp", "Strategy", "Hashed", "Command", command)
	case *plan.ProjectSet:
		e.name("ProjectSet", "Node Type", "ProjectSet")
	case *plan.LockRows:
		e.name("LockRows", "Node Type", "LockRows")
	default:
		e.name("???", "Node Type", "???")
	}
}

func (x *explainer) relName(schema, name string) string {
	if x.opt.Verbose && schema != "" {
		return catalog.QuoteIdent(schema) + "." + catalog.QuoteIdent(name)
	}
	return catalog.QuoteIdent(name)
}

func (x *explainer) scan(e *entry, kind, using string, s *plan.Scan) {
	title := kind + using + " on " + x.relName(s.Rel.Schema, s.Rel.Name)
	if s.Alias != s.Rel.Name && s.Alias != "" {
		title += " " + catalog.QuoteIdent(s.Alias)
	}
	e.head = append([]prop{{label: "Node Type", value: kind, json: true}}, e.head...)
	e.name(title, "Relation Name", s.Rel.Name, "Alias", s.Alias)
}

func (x *explainer) aliased(e *entry, kind, of, alias string) {
	title := kind + " on "
	switch {
	case of == "" || of == alias:
		title += catalog.QuoteIdent(alias)
	default:
		title += catalog.QuoteIdent(of) + " " + catalog.QuoteIdent(alias)
	}
	e.name(title, "Node Type", kind, "Alias", alias)
}

// output lists a node's columns, for VERBOSE.
func (x *explainer) output(e *entry, n plan.Node) {
	saved := x.prefix
	defer func() { x.prefix = saved }()
	x.prefix = x.countNames() > 1
	var list []string
	project := n.Common().Project
	for i := range n.Common().Out {
		text, plain := x.resolve(n, i)
		passed := project == nil
		if !passed {
			_, passed = project[i].(*query.Col)
		}
		if !plain && passed && !computed(n, i) {
			text = "(" + text + ")"
		}
		list = append(list, text)
	}
	if len(list) > 0 {
		e.add("Output", list)
	}
}

// details adds the lines of a node.
func (x *explainer) details(e *entry, n plan.Node) {
	b := n.Common()
	switch n := n.(type) {
	case *plan.IndexScan:
		if len(n.Conds) > 0 {
			e.add("Index Cond", x.conditions(x.indexConds(n.Index, n.Rel, n.Conds)))
		}
		x.removed(e, n, "Rows Removed by Index Recheck")
		x.filter(e, n)
		if st := x.stats(n); n.Only && st != nil {
			e.add("Heap Fetches", st.HeapFetches)
		}
		return
	case *plan.BitmapHeap:
		x.addConditions(e, "Recheck Cond", n.Recheck)
		x.removed(e, n, "Rows Removed by Index Recheck")
	case *plan.TidScan:
		x.tidCond(e, n)
	case *plan.Result:
		x.addConditions(e, "One-Time Filter", n.OneTime)
	case *plan.NestLoop:
		for _, p := range n.Params {
			x.params[p.N] = x.plain(p.Value)
		}
		x.addConditions(e, "Join Filter", n.On)
	case *plan.HashJoin:
		var conds []query.Expr
		for i := range n.LeftKeys {
			conds = append(conds, x.equality(n, i))
		}
		x.addConditions(e, "Hash Cond", conds)
		x.addConditions(e, "Join Filter", n.On)
	case *plan.MergeJoin:
		x.mergeCond(e, n)
		x.addConditions(e, "Join Filter", n.On)
	case *plan.Sort:
		e.add("Sort Key", x.sortKeys(n.Child, n.Keys, true, false))
		if st := x.stats(n); st != nil && st.Method != "" {
			x.sortStats(e, st)
		}
	case *plan.WindowAgg:
		x.addConditions(e, "Run Condition", n.Run)
	case *plan.Agg:
		if len(n.Group) > 0 {
			_, over := n.Child.(*plan.Sort)
			e.add("Group Key", x.sortKeys(n.Child, n.Group, false, !over))
		}
	case *plan.Modify:
		x.modify(e, n)
		return
	}
	if len(b.Filter) > 0 {
		x.filter(e, n)
	}
}

func (x *explainer) filter(e *entry, n plan.Node) {
	if f := n.Common().Filter; len(f) > 0 {
		x.addConditions(e, "Filter", f)
		if st := x.stats(n); st != nil && st.Removed > 0 {
			e.add("Rows Removed by Filter", int64(st.Removed/max(st.Loops, 1)+0.5))
		}
	}
}

func (x *explainer) removed(e *entry, n plan.Node, label string) {
	if st := x.stats(n); st != nil && st.Recheck > 0 {
		e.add(label, int64(st.Recheck/max(st.Loops, 1)+0.5))
	}
}

func (x *explainer) tidCond(e *entry, n *plan.TidScan) {
	ctid := x.qualified(n.Alias, "ctid")
	switch {
	case n.Cursor != "":
		e.add("TID Cond", "CURRENT OF "+catalog.QuoteIdent(n.Cursor))
	case n.Array:
		e.add("TID Cond", "("+ctid+" = ANY ("+x.plain(n.TIDs[0])+"))")
	default:
		e.add("TID Cond", "("+ctid+" = "+x.plain(n.TIDs[0])+")")
	}
}

// equality makes the condition of one pair of hash keys as it was: both sides print themselves.
func (x *explainer) equality(n *plan.HashJoin, i int) query.Expr {
	var op base.OID
	if o, err := x.p.Names.View.OperatorsByName("="); err == nil {
		for _, c := range o {
			if c.Code == n.Equal[i] {
				op = c.OID
			}
		}
	}
	right := query.Mutate(n.RightKeys[i], func(y query.Expr) (query.Expr, bool) {
		if c, ok := y.(*query.Col); ok {
			k := *c
			k.Side = query.Inner
			return &k, true
		}
		return nil, false
	})
	return &query.OpExpr{T: query.T{Typ: 16, Mod: -1}, Op: op, Args: []query.Expr{n.LeftKeys[i], right}}
}

func (x *explainer) mergeCond(e *entry, n *plan.MergeJoin) {
	var list []string
	for _, k := range n.Keys {
		a, p1 := x.resolve(n.Left, k.Left)
		b, p2 := x.resolve(n.Right, k.Right)
		if !p1 {
			a = "(" + a + ")"
		}
		if !p2 {
			b = "(" + b + ")"
		}
		list = append(list, "("+a+" = "+b+")")
	}
	text := strings.Join(list, " AND ")
	if len(list) > 1 {
		text = "(" + text + ")"
	}
	e.add("Merge Cond", text)
}

func (x *explainer) modify(e *entry, n *plan.Modify) {
	c := n.Conflict
	if c == nil {
		return
	}
	what := "NOTHING"
	if c.Update {
		what = "UPDATE"
	}
	e.add("Conflict Resolution", what)
	var names []string
	for _, ix := range n.Rel.Indexes {
		for _, o := range c.Indexes {
			if ix.OID == o {
				names = append(names, ix.Name)
			}
		}
	}
	if len(names) > 0 {
		e.add("Conflict Arbiter Indexes", names)
	}
}

// below adds a node's inputs.
func (x *explainer) below(e *entry, n plan.Node) {
	add := func(kind string, c plan.Node) { e.children = append(e.children, child{kind: kind, entry: x.entry(c)}) }
	switch n := n.(type) {
	case *plan.NestLoop:
		add("Outer", n.Left)
		add("Inner", n.Right)
	case *plan.HashJoin:
		add("Outer", n.Left)
		e.children = append(e.children, child{kind: "Inner", entry: x.hash(n)})
	case *plan.MergeJoin:
		add("Outer", n.Left)
		add("Inner", n.Right)
	case *plan.RecursiveUnion:
		add("Outer", n.Left)
		add("Inner", n.Right)
	case *plan.SetOp:
		add("Outer", n.Left)
		add("Inner", n.Right)
	case *plan.Append:
		for _, c := range n.Children {
			add("Member", c)
		}
	case *plan.SubqueryScan:
		add("Subquery", n.Child)
	case *plan.Agg:
		add("Outer", n.Child)
	case *plan.BitmapHeap:
		e.children = append(e.children, child{kind: "Outer", entry: x.bitmap(n, n.Source)})
	default:
		if c := onlyChild(n); c != nil {
			add("Outer", c)
		}
	}
}

// hash shows the table that a hash join builds as a node of its own.
func (x *explainer) hash(n *plan.HashJoin) *entry {
	c := n.Right.Common()
	e := &entry{costs: &plan.Base{ID: -1, Startup: c.Total, Total: c.Total, Rows: c.Rows, Width: c.Width}, node: n.Right}
	e.name("Hash", "Node Type", "Hash")
	if st := x.stats(n); st != nil && st.Buckets > 0 {
		x.hashStats(e, st)
	}
	e.children = []child{{kind: "Outer", entry: x.entry(n.Right)}}
	return e
}

func (x *explainer) bitmap(n *plan.BitmapHeap, b plan.Bitmap) *entry {
	e := &entry{}
	many := func(kind string, l []plan.Bitmap) {
		var total float64
		e.name(kind, "Node Type", kind)
		for _, s := range l {
			c := x.bitmap(n, s)
			total += c.costs.Total
			e.children = append(e.children, child{kind: "Member", entry: c})
		}
		e.costs = &plan.Base{ID: -1, Startup: total, Total: total, Rows: n.Rows}
	}
	switch b := b.(type) {
	case *plan.BitmapAnd:
		many("BitmapAnd", b.Sources)
	case *plan.BitmapOr:
		many("BitmapOr", b.Sources)
	case *plan.BitmapIndex:
		e.name("Bitmap Index Scan on "+catalog.QuoteIdent(b.Index.Name), "Node Type", "Bitmap Index Scan", "Index Name", b.Index.Name)
		e.costs = &plan.Base{ID: -1, Total: b.Total, Rows: b.Rows}
		if len(b.Conds) > 0 {
			e.add("Index Cond", x.conditions(x.indexConds(b.Index, n.Rel, b.Conds)))
		}
	}
	return e
}
