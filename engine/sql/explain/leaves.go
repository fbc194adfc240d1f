package explain

import (
	"fmt"

	"manifold/engine/catalog"
	"manifold/engine/relation"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/optimize"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

func walk(n plan.Node, f func(plan.Node)) { optimize.Walk(n, f) }

func expressions(n plan.Node, f func(query.Expr)) { optimize.Expressions(n, f) }

// Leaf implements deparse.Namer for the node that is being printed.
func (x *explainer) Leaf(_ *deparse.Printer, e query.Expr) (string, bool) {
	switch e := e.(type) {
	case *query.Col:
		return x.column(e)
	case *query.Param:
		if t, ok := x.params[e.N]; ok {
			return t, true
		}
		return fmt.Sprintf("$%d", e.N), true
	case *query.Var: // an index column, made by indexCond
		if s := scanOf(x.at); s != nil {
			return x.attr(s, e.Attr), true
		}
	case *query.SubExpr:
		s := x.stmt.SubPlans[e.Plan]
		if s.Hashed {
			return "hashed " + s.Name, false
		}
		return s.Name, false
	case *query.SubColumn:
		return fmt.Sprintf("$%d", e.N), true
	}
	return "?", true
}

// column prints a column of the node's input, or of the row the node itself makes.
func (x *explainer) column(c *query.Col) (string, bool) {
	switch n := x.at.(type) {
	case *output:
		return x.natural(n.Node, c.N)
	case *plan.NestLoop:
		return x.sideColumn(n.Left, n.Right, c)
	case *plan.HashJoin:
		return x.sideColumn(n.Left, n.Right, c)
	case *plan.MergeJoin:
		return x.sideColumn(n.Left, n.Right, c)
	case *plan.Agg:
		if c.N < len(n.Group) {
			return x.resolve(n.Child, n.Group[c.N].Column)
		}
		text, _ := x.natural(n, c.N)
		return text, true
	case *plan.WindowAgg:
		text, plain := x.natural(n, c.N)
		return text, plain || c.N >= len(n.Child.Common().Out)
	case *plan.Modify:
		if c.Side == query.Inner && c.N >= 0 && c.N < len(n.Rel.Columns) {
			return n.Rel.Columns[c.N].Name, true
		}
	}
	if child := onlyChild(x.at); child != nil {
		return x.resolve(child, c.N)
	}
	return x.natural(x.at, c.N)
}

func (x *explainer) sideColumn(left, right plan.Node, c *query.Col) (string, bool) {
	if c.Side == query.Inner {
		return x.resolve(right, c.N)
	}
	return x.resolve(left, c.N)
}

// onlyChild gives the input whose columns are a node's natural columns.
func onlyChild(n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Result:
		return n.Child
	case *plan.Sort:
		return n.Child
	case *plan.Material:
		return n.Child
	case *plan.WindowAgg:
		return n.Child
	case *plan.Unique:
		return n.Child
	case *plan.Limit:
		return n.Child
	case *plan.LockRows:
		return n.Child
	case *plan.ProjectSet:
		return n.Child
	case *plan.Modify:
		return n.Child
	}
	return nil
}

// resolve prints output column i of a node; plain when it is a mere column.
func (x *explainer) resolve(n plan.Node, i int) (string, bool) {
	b := n.Common()
	if b.Project == nil {
		return x.natural(n, i)
	}
	if i < 0 || i >= len(b.Project) {
		return "?", true
	}
	text, plain := x.in(n, b.Project[i])
	return text, plain && !computed(n, i)
}

// computed tells whether an output column of a node is the result of one of its calls.
func computed(n plan.Node, i int) bool {
	if project := n.Common().Project; project != nil {
		c, ok := project[i].(*query.Col)
		if !ok {
			return false
		}
		i = c.N
	}
	switch n := n.(type) {
	case *plan.Agg:
		return i >= len(n.Group)
	case *plan.WindowAgg:
		return i >= len(n.Child.Common().Out)
	}
	return false
}

// in prints an expression of another node.
func (x *explainer) in(n plan.Node, e query.Expr) (string, bool) {
	saved := x.at
	defer func() { x.at = saved }()
	x.at = n
	if _, isSet := n.(*plan.ProjectSet); isSet {
		x.at = &output{n}
	}
	if c, ok := e.(*query.Col); ok {
		return x.column(c)
	}
	return x.p.Expr(e), false
}

// output is the place of expressions over what a node itself makes, not over its inputs.
type output struct{ plan.Node }

// natural prints natural column i of a node.
func (x *explainer) natural(n plan.Node, i int) (string, bool) {
	if s := scanOf(n); s != nil {
		if i < 0 || i >= len(s.Attrs) {
			return "?", true
		}
		return x.attr(s, s.Attrs[i]), true
	}
	switch n := n.(type) {
	case *plan.NestLoop:
		return x.joined(&n.Join, i)
	case *plan.HashJoin:
		return x.joined(&n.Join, i)
	case *plan.MergeJoin:
		return x.joined(&n.Join, i)
	case *plan.Agg:
		if i < len(n.Group) {
			return x.resolve(n.Child, n.Group[i].Column)
		}
		return x.aggregate(n, i-len(n.Group)), false
	case *plan.WindowAgg:
		if width := len(n.Child.Common().Out); i >= width {
			return x.windowCall(n, i-width), false
		}
		return x.resolve(n.Child, i)
	case *plan.Append:
		return x.resolve(n.Children[0], i)
	case *plan.SetOp:
		return x.resolve(n.Left, i)
	case *plan.RecursiveUnion:
		return x.resolve(n.Left, i)
	case *plan.ProjectSet:
		if i >= len(n.Exprs) {
			return "?", true
		}
		saved := x.at
		defer func() { x.at = saved }()
		x.at = n
		if c, ok := n.Exprs[i].(*query.Col); ok {
			return x.resolve(n.Child, c.N)
		}
		return x.p.Expr(n.Exprs[i]), false
	case *plan.Modify:
		if i < len(n.Returning) {
			return x.in(n, n.Returning[i])
		}
	}
	if c := onlyChild(n); c != nil {
		return x.resolve(c, i)
	}
	b := n.Common()
	if i < 0 || i >= len(b.Names) {
		return "?", true
	}
	return x.qualified(aliasOf(n), b.Names[i]), true
}

func (x *explainer) joined(j *plan.Join, i int) (string, bool) {
	if w := len(j.Left.Common().Out); i >= w {
		return x.resolve(j.Right, i-w)
	}
	return x.resolve(j.Left, i)
}

// aggregate prints call i of an aggregation, whose arguments are over its input.
func (x *explainer) aggregate(n *plan.Agg, i int) string {
	if i < 0 || i >= len(n.Calls) {
		return "?"
	}
	c := &n.Calls[i]
	a := *c.Expr
	a.Args = nil
	k := 0
	for _, junk := range []bool{false, true} {
		for _, t := range c.Expr.Args {
			if t.Junk == junk {
				u := *t
				u.Expr = c.Args[k]
				k++
				a.Args = append(a.Args, &u)
			}
		}
	}
	a.Filter = c.Filter
	saved := x.at
	defer func() { x.at = saved }()
	x.at = &plan.Result{Child: n.Child}
	return x.p.Expr(&a)
}

// windowCall prints call i of a WindowAgg, whose arguments are over its input.
func (x *explainer) windowCall(n *plan.WindowAgg, i int) string {
	if i >= len(n.Calls) {
		return "?"
	}
	c := &n.Calls[i]
	f := *c.Expr
	f.Args, f.Filter = c.Args, c.Filter
	saved := x.at
	defer func() { x.at = saved }()
	x.at = &plan.Result{Child: n.Child}
	return x.p.Expr(&f)
}

func scanOf(n plan.Node) *plan.Scan {
	switch n := n.(type) {
	case *plan.SeqScan:
		return &n.Scan
	case *plan.IndexScan:
		return &n.Scan
	case *plan.BitmapHeap:
		return &n.Scan
	case *plan.TidScan:
		return &n.Scan
	}
	return nil
}

func aliasOf(n plan.Node) string {
	switch n := n.(type) {
	case *plan.Values:
		return n.Alias
	case *plan.FunctionScan:
		return n.Alias
	case *plan.CTEScan:
		return n.Alias
	case *plan.WorkTableScan:
		return n.Alias
	case *plan.SubqueryScan:
		return n.Alias
	}
	return ""
}

func (x *explainer) attr(s *plan.Scan, attr int) string {
	switch {
	case attr == 0:
		return catalog.QuoteIdent(s.Alias) + ".*"
	case attr < 0:
		return x.qualified(s.Alias, deparse.SystemColumn(attr))
	case attr > len(s.Rel.Columns):
		return "?"
	}
	return x.qualified(s.Alias, s.Rel.Columns[attr-1].Name)
}

func (x *explainer) qualified(alias, name string) string {
	if x.prefix && alias != "" {
		return catalog.QuoteIdent(alias) + "." + catalog.QuoteIdent(name)
	}
	return catalog.QuoteIdent(name)
}

// indexConds prints the conditions of an index scan as expressions over the table's columns.
func (x *explainer) indexConds(ix *relation.Index, rel *relation.Desc, conds []plan.KeyCond) []query.Expr {
	var out []query.Expr
	for _, c := range conds {
		key := keyExpr(ix, rel, c.Column)
		t := query.T{Typ: 16, Mod: -1, Offset: -1}
		switch {
		case c.IsNull || c.NotNull:
			out = append(out, &query.NullTest{T: t, Arg: key, Not: c.NotNull})
		case c.Any:
			out = append(out, &query.ArrayOp{T: t, Op: c.Op, Func: c.Func, Any: true, Args: [2]query.Expr{key, c.Value}})
		default:
			if o, err := x.p.Names.View.OperatorByOID(c.Op); err == nil && o != nil && o.Left != key.Type() && o.Left == 25 {
				key = &query.Relabel{T: query.T{Typ: o.Left, Mod: -1, Offset: -1}, Arg: key, Form: query.FormImplicitCast}
			}
			out = append(out, &query.OpExpr{T: t, Op: c.Op, Func: c.Func, Args: []query.Expr{key, c.Value}})
		}
	}
	return out
}

// keyExpr gives key column i of an index over the table's columns.
func keyExpr(ix *relation.Index, rel *relation.Desc, i int) query.Expr {
	if i >= len(ix.Keys) {
		return &query.Var{T: query.T{Mod: -1}}
	}
	if k := ix.Keys[i]; k.Attr != 0 {
		c := &rel.Columns[k.Attr-1]
		return &query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation}, RTE: 1, Attr: int(k.Attr)}
	}
	next := 0
	for _, k := range ix.Keys[:i] {
		if k.Attr == 0 {
			next++
		}
	}
	if next < len(ix.Exprs) {
		if e, err := query.Unmarshal(ix.Exprs[next]); err == nil {
			return e
		}
	}
	return &query.Var{T: query.T{Mod: -1}}
}

// sortKeys prints keys over the output of a node.
func (x *explainer) sortKeys(n plan.Node, keys []plan.SortKey, directions, raw bool) []string {
	var out []string
	for _, k := range keys {
		text, plain := x.resolve(n, k.Column)
		if !plain && !raw {
			text = "(" + text + ")"
		}
		if directions {
			text += deparse.Direction(k.Descending, k.NullsFirst)
		}
		out = append(out, text)
	}
	return out
}
