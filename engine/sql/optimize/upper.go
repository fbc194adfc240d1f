package optimize

import (
	"math"

	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// upper is what a query wants above its joins.
type upper struct {
	targets  []*query.Target
	aggs     []*query.Aggref
	group    []query.Expr
	groupBy  []plan.SortKey // without columns
	groupOrd []orderKey
	distinct []orderKey
	order    []orderKey
	hashable bool // the group keys are
	sortable bool
	limit    float64 // rows wanted by LIMIT and OFFSET, 0 for all
}

// targetOf gives the expression that a sort item refers to.
func targetOf(list []*query.Target, ref int) query.Expr {
	for _, t := range list {
		if t.Ref == ref {
			return t.Expr
		}
	}
	return nil
}

// orderOf gives the order that sort items ask for.
func (l *level) orderOf(items []*query.SortItem, targets []*query.Target) []orderKey {
	var out []orderKey
	for _, s := range items {
		e := targetOf(targets, s.Ref)
		if e == nil {
			continue
		}
		family, _ := l.btreeFamily(s.SortOp)
		out = append(out, orderKey{expr: e, family: family, desc: s.Descending, nullsFirst: s.NullsFirst})
	}
	return out
}

func keyOf(s *query.SortItem, column int) plan.SortKey {
	return plan.SortKey{Column: column, Equal: s.EqOp, Descending: s.Descending, NullsFirst: s.NullsFirst}
}

// selectPlan plans a plain SELECT.
func (l *level) selectPlan(fraction float64) built {
	u := l.describeUpper(fraction)
	if b, ok := l.minMax(u); ok {
		return b
	}
	l.eager = fraction > 0 || u.limit > 0
	paths := l.joinTree(u.needs(l.q))
	if l.err != nil {
		return l.empty()
	}
	return l.above(u, paths, fraction)
}

// joinTree plans FROM and WHERE: the paths of all relations joined, with every condition.
func (l *level) joinTree(above []query.Expr) []*path {
	isl := &island{}
	for _, it := range l.q.From {
		l.collect(isl, it)
	}
	isl.quals = append(isl.quals, conjuncts(l.q.Where)...)
	l.noteAttrs(above)
	l.noteKnown(isl)
	if l.err != nil {
		return nil
	}
	r := l.solve(isl)
	if l.err != nil {
		return nil
	}
	return l.withLeftover(isl, r)
}

// noteAttrs records which columns of each relation the level reads anywhere.
func (l *level) noteAttrs(above []query.Expr) {
	note := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok && v.Up == 0 && v.RTE < len(l.rels) && l.rels[v.RTE] != nil {
				l.rels[v.RTE].attrs[v.Attr] = true
			}
			return true
		})
	}
	l.q.EachExpr(func(p *query.Expr) { note(*p) })
	for _, e := range above {
		note(e)
	}
	for _, r := range l.q.Range {
		if r.Sub == nil {
			continue
		}
		r.Sub.WalkLevels(func(x query.Expr, depth int) {
			if v, ok := x.(*query.Var); ok && v.Up == depth+1 && v.RTE < len(l.rels) && l.rels[v.RTE] != nil {
				l.rels[v.RTE].attrs[v.Attr] = true
			}
		})
	}
	for _, m := range l.q.RowMarks {
		if m.RTE < len(l.rels) && l.rels[m.RTE] != nil {
			l.rels[m.RTE].attrs[query.AttrCtid] = true
		}
	}
}

// noteKnown records the expressions that conditions make constant.
func (l *level) noteKnown(isl *island) {
	for _, q := range isl.quals {
		o, ok := q.(*query.OpExpr)
		if !ok || len(o.Args) != 2 || !l.operator(o.Op).CanMerge {
			continue
		}
		a, b := o.Args[0], o.Args[1]
		switch {
		case exprRels(b).empty() && !volatileExpr(b):
			l.known = append(l.known, a)
		case exprRels(a).empty() && !volatileExpr(a):
			l.known = append(l.known, b)
		}
	}
}

func (l *level) describeUpper(fraction float64) *upper {
	q := l.q
	u := &upper{targets: q.Targets, hashable: true, sortable: true}
	collect := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			a, ok := x.(*query.Aggref)
			if !ok || a.Up != 0 {
				return true
			}
			for _, o := range u.aggs {
				if l.matches(o, a) && !volatileExpr(a) {
					return false
				}
			}
			u.aggs = append(u.aggs, a)
			return false
		})
	}
	for _, t := range q.Targets {
		collect(t.Expr)
	}
	collect(q.Having)
	for _, s := range q.GroupBy {
		u.group = append(u.group, targetOf(q.Targets, s.Ref))
		u.groupBy = append(u.groupBy, keyOf(s, 0))
		u.hashable = u.hashable && s.Hashable
		u.sortable = u.sortable && s.SortOp != 0
	}
	u.groupOrd = l.orderOf(q.GroupBy, q.Targets)
	l.dependent(u)
	u.order = l.orderOf(q.OrderBy, q.Targets)
	u.distinct = l.orderOf(q.Distinct, q.Targets)
	u.limit = l.limitRows()
	switch {
	case len(q.GroupBy) > 0:
		l.wanted = append(l.wanted, u.groupOrd)
	case len(u.aggs) > 0 || q.Having != nil:
	case len(q.Distinct) > 0:
		l.wanted = append(l.wanted, u.distinct)
		if len(u.order) >= len(u.distinct) {
			l.wanted = append(l.wanted, u.order)
		}
	case len(q.OrderBy) > 0:
		l.wanted = append(l.wanted, u.order)
	}
	return u
}

// dependent adds the columns that depend on a grouped primary key to the keys, where they change nothing.
func (l *level) dependent(u *upper) {
	if len(u.group) == 0 {
		return
	}
	add := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if a, ok := x.(*query.Aggref); ok && a.Up == 0 {
				return false
			}
			if l.find(u.group, x) >= 0 {
				return false
			}
			if v, ok := x.(*query.Var); ok && v.Up == 0 {
				eq := l.equality(v.Typ)
				if eq == 0 {
					l.unsupported("grouping by a key with a dependent column of type %s", types.FormatType(v.Typ, -1))
				}
				u.group = append(u.group, v)
				u.groupBy = append(u.groupBy, plan.SortKey{Equal: eq})
				u.hashable = u.hashable && l.hashable(eq)
				family, _ := l.btreeFamily(eq)
				u.groupOrd = append(u.groupOrd, orderKey{expr: v, family: family})
			}
			return true
		})
	}
	for _, t := range u.targets {
		add(t.Expr)
	}
	add(l.q.Having)
}

// equality gives the default equality operator of a type, zero for none.
func (l *level) equality(typ oid) oid {
	want := typ
	switch {
	case typ == types.OIDVarChar:
		want = types.OIDText
	default:
		t, err := l.opt.View.TypeByOID(typ)
		l.fail(err)
		switch {
		case t == nil:
		case t.TrueArray():
			want = types.OIDAnyArray
		case t.Kind == 'e':
			want = types.OIDAnyEnum
		case t.Kind == 'd':
			return l.equality(t.Base)
		case t.Kind == 'c':
			want = types.OIDRecord
		}
	}
	list, err := l.opt.View.Opclasses(methodBtree)
	l.fail(err)
	for _, c := range list {
		if c.Default && c.Input == want {
			op, err := l.opt.View.FamilyOperator(c.Family, want, want, 3)
			l.fail(err)
			return op
		}
	}
	return 0
}

// needs gives the expressions whose columns the joins have to deliver.
func (u *upper) needs(q *query.Query) []query.Expr {
	var out []query.Expr
	for _, t := range u.targets {
		out = append(out, t.Expr)
	}
	if q.Having != nil {
		out = append(out, q.Having)
	}
	return append(out, u.group...)
}

// limitRows estimates the rows that LIMIT lets through; 0 for no limit.
func (l *level) limitRows() float64 {
	if l.q.Limit == nil || l.q.WithTies {
		return 0
	}
	n := 100.0 // a literal or parameter that may not be read
	if v, ok := l.value(l.q.Limit); ok {
		if v.Null {
			return 0
		}
		n = math.Max(1, float64(v.I))
	}
	if l.q.Offset != nil {
		o := 100.0
		if v, ok := l.value(l.q.Offset); ok && !v.Null {
			o = math.Max(0, float64(v.I))
		}
		n += o
	}
	return n
}

// above puts grouping, DISTINCT, ORDER BY, row locks and LIMIT over the best of the join paths.
func (l *level) above(u *upper, paths []*path, fraction float64) built {
	q := l.q
	grouped := len(u.group) > 0 || len(u.aggs) > 0 || q.Having != nil
	want := fraction
	if u.limit > 0 {
		want = u.limit
	}
	need := &vars{}
	need.addAll(u.needs(q))
	old := l.lockVars(need)
	var b built
	var order []orderKey
	switch {
	case grouped:
		b, order = l.aggregate(u, paths, need)
	default:
		var wanted []orderKey
		switch {
		case len(u.distinct) > 0:
			wanted = u.distinct
		default:
			wanted = u.order
		}
		p := l.choose(paths, wanted, want, u)
		if p == nil {
			return l.empty()
		}
		b, order = l.build(p, need), p.order
	}
	if l.err != nil {
		return l.empty()
	}
	exprs := make([]query.Expr, 0, len(u.targets))
	for _, t := range u.targets {
		exprs = append(exprs, t.Expr)
	}
	if q.HasTargetSRFs {
		b = l.projectSets(b, exprs)
	}
	exprs = append(exprs, old...)
	if len(q.Distinct) > 0 || len(q.OrderBy) > 0 || len(q.RowMarks) > 0 {
		b = l.project(b, exprs)
	}
	if len(q.Distinct) > 0 {
		b, order = l.distinctRows(u, b, order)
	}
	b = l.sortLimit(u, b, order)
	final := exprs[:0:0]
	for _, t := range u.targets {
		if !t.Junk {
			final = append(final, t.Expr)
		}
	}
	return l.project(b, final)
}

// sortLimit puts ORDER BY, row locks and LIMIT over rows that have a given order.
func (l *level) sortLimit(u *upper, b built, order []orderKey) built {
	q := l.q
	if len(u.order) > 0 && !l.satisfies(order, u.order) {
		var keys []plan.SortKey
		var exprs []query.Expr
		for _, s := range q.OrderBy {
			exprs = append(exprs, targetOf(u.targets, s.Ref))
		}
		b = l.withColumns(b, exprs)
		for i, s := range q.OrderBy {
			keys = append(keys, keyOf(s, l.find(b.cols, exprs[i])))
		}
		var bound query.Expr
		if q.Limit != nil && !q.WithTies && len(q.RowMarks) == 0 {
			bound = l.bound()
		}
		limit := u.limit
		b = l.sortNode(b, keys, bound, limit)
	}
	if len(q.RowMarks) > 0 {
		b = l.lockRows(b)
	}
	if q.Limit != nil || q.Offset != nil {
		b = l.limitNode(u, b)
	}
	return b
}

// bound gives LIMIT + OFFSET as an expression.
func (l *level) bound() query.Expr {
	if l.q.Offset == nil {
		return l.translate(l.q.Limit, nil, nil)
	}
	const plusOp, plusFunc = 684, 463 // int8 + int8
	return l.translate(&query.OpExpr{T: query.T{Typ: types.OIDInt8, Mod: -1, Offset: -1}, Op: plusOp, Func: plusFunc, Strict: true, Volatile: 'i',
		Args: []query.Expr{l.q.Limit, l.q.Offset}}, nil, nil)
}

func (l *level) limitNode(u *upper, b built) built {
	q := l.q
	n := &plan.Limit{Child: b.node, Count: l.translate(q.Limit, nil, nil), Offset: l.translate(q.Offset, nil, nil)}
	if q.WithTies {
		for _, s := range q.OrderBy {
			n.WithTies = append(n.WithTies, keyOf(s, l.find(b.cols, targetOf(u.targets, s.Ref))))
		}
	}
	c := b.node.Common()
	rows, startup, total := c.Rows, c.Startup, c.Total
	if u.limit > 0 {
		rows = math.Min(rows, u.limit)
		total = partCost(c.Startup, c.Total, c.Rows, u.limit)
		if u.limit < 1.5 {
			total = c.Startup + (c.Total-c.Startup)*math.Min(1, u.limit/c.Rows)
		}
	}
	return l.finish(built{n, b.cols}, startup, total, rows)
}

// choose picks the path that is cheapest with the sort that it still needs.
func (l *level) choose(paths []*path, want []orderKey, fraction float64, u *upper) *path {
	var best *path
	cost := math.Inf(1)
	for _, p := range paths {
		var c float64
		switch {
		case len(want) == 0 || l.satisfies(p.order, want):
			c = l.costOf(p, fraction)
		case len(u.distinct) > 0 && len(u.order) == 0:
			c = p.total + p.rows*l.set.CPUOperatorCost*float64(len(want)) // hashed
		default:
			startup, run := l.sortCost(p.rows, p.width, u.limit)
			c = partCost(p.total+startup, p.total+startup+run, p.rows, fraction)
		}
		if c < cost {
			best, cost = p, c
		}
	}
	return best
}

// aggregate groups the rows of the best join path.
func (l *level) aggregate(u *upper, paths []*path, need *vars) (built, []orderKey) {
	cheap := l.cheapest(paths, 0)
	if cheap == nil {
		return l.empty(), nil
	}
	groups := 1.0
	if len(u.group) > 0 {
		groups = l.groups(u.group, cheap.rows)
	}
	ops := float64(len(u.group) + len(u.aggs))
	work := func(rows float64) float64 { return rows*l.set.CPUOperatorCost*ops + groups*l.set.CPUTupleCost }
	strategy, p, sorted := plan.AggPlain, cheap, true
	if len(u.group) > 0 {
		var width float64 = 32
		for _, g := range u.group {
			width += float64(l.width(g))
		}
		hash := cheap.total + work(cheap.rows)
		if groups*width > l.hashMem() {
			hash += groups * width / 8192 * 2 * l.set.SeqPageCost
		}
		if len(u.order) > 0 {
			a, b := l.sortCost(groups, width, u.limit)
			hash += a + b
		}
		if !l.set.EnableHashAgg {
			hash += 1e10
		}
		strategy = plan.AggHashed
		best := hash
		if !u.hashable {
			best = math.Inf(1)
		}
		for _, x := range paths {
			c, in := x.total+work(x.rows), l.satisfies(x.order, u.groupOrd)
			if !in {
				a, b := l.sortCost(x.rows, x.width, 0)
				c += a + b
			}
			if len(u.order) > 0 && !l.satisfies(u.groupOrd, u.order) {
				a, b := l.sortCost(groups, width, u.limit)
				c += a + b
			}
			if u.sortable && c < best {
				best, p, strategy, sorted = c, x, plan.AggSorted, in
			}
		}
	}
	b := l.withColumns(l.build(p, need), u.group)
	var keys []plan.SortKey
	for i, g := range u.group {
		k := u.groupBy[i]
		k.Column = l.find(b.cols, g)
		keys = append(keys, k)
	}
	var order []orderKey
	if strategy == plan.AggSorted {
		if order = u.groupOrd; !sorted {
			b = l.sortNode(b, keys, nil, 0)
		} else if p != cheap || covers(p.order, order) {
			order = u.groupOrd
		}
	}
	return l.aggNode(u, b, strategy, keys, groups, work), order
}

func (l *level) aggNode(u *upper, b built, strategy plan.AggStrategy, keys []plan.SortKey, groups float64, work func(float64) float64) built {
	n := &plan.Agg{Strategy: strategy, Child: b.node, Group: keys}
	cols := append([]query.Expr(nil), u.group...)
	for _, a := range u.aggs {
		n.Calls = append(n.Calls, l.aggCall(a, b.cols))
		cols = append(cols, a)
	}
	having := conjuncts(l.q.Having)
	n.Filter = l.filters(having, cols, nil)
	c := b.node.Common()
	total := c.Total + work(c.Rows)
	startup := total
	if strategy == plan.AggSorted {
		startup = c.Startup
	}
	return l.finish(built{n, cols}, startup, total, groups*l.allSelectivity(having))
}

// aggCall plans one aggregate over the columns of its input.
func (l *level) aggCall(a *query.Aggref, cols []query.Expr) plan.AggCall {
	facts, err := l.opt.View.AggregateOf(a.Func)
	l.fail(err)
	if len(a.Direct) > 0 || facts != nil && facts.Kind != 'n' {
		l.unsupported("ordered-set aggregate %s", l.proc(a.Func).Name)
	}
	c := plan.AggCall{Func: a.Func, Type: a.Typ, ArgTypes: a.ArgTypes, Distinct: len(a.Distinct) > 0, Star: a.Star, Expr: a}
	for _, junk := range []bool{false, true} {
		for _, t := range a.Args {
			if t.Junk == junk {
				c.Args = append(c.Args, l.translate(t.Expr, cols, nil))
			}
		}
		if !junk {
			c.NArgs = len(c.Args)
		}
	}
	c.Filter = l.translate(a.Filter, cols, nil)
	order := a.Order
	if len(order) == 0 {
		order = a.Distinct
	}
	for _, s := range order {
		c.Order = append(c.Order, keyOf(s, argIndex(a, s.Ref)))
	}
	if c.Distinct {
		for _, s := range a.Distinct {
			found := false
			for _, o := range order {
				found = found || o.Ref == s.Ref
			}
			if !found {
				c.Order = append(c.Order, keyOf(s, argIndex(a, s.Ref)))
			}
		}
	}
	return c
}

// argIndex gives the place of a sort key among an aggregate's arguments, which come before its junk.
func argIndex(a *query.Aggref, ref int) int {
	i := 0
	for _, junk := range []bool{false, true} {
		for _, t := range a.Args {
			if t.Junk == junk {
				if t.Ref == ref {
					return i
				}
				i++
			}
		}
	}
	return 0
}

// distinctRows drops duplicates: by hashing, or among neighbours of sorted rows.
func (l *level) distinctRows(u *upper, b built, order []orderKey) (built, []orderKey) {
	q := l.q
	var keys []plan.SortKey
	var exprs []query.Expr
	hashable, sortable := true, true
	for _, s := range q.Distinct {
		e := targetOf(u.targets, s.Ref)
		exprs = append(exprs, e)
		keys = append(keys, keyOf(s, l.find(b.cols, e)))
		hashable = hashable && s.Hashable
		sortable = sortable && s.SortOp != 0
	}
	c := b.node.Common()
	groups := l.groups(exprs, c.Rows)
	ops := float64(len(keys)) * l.set.CPUOperatorCost * c.Rows
	if l.satisfies(order, u.distinct) && (!q.DistinctOn || l.satisfies(order, u.order)) {
		return l.over(&plan.Unique{Child: b.node, Keys: keys}, b, 0, ops, groups), order
	}
	if hashable && !q.DistinctOn && (l.set.EnableHashAgg && len(u.order) == 0 || !sortable || groups*4 < c.Rows) {
		n := &plan.Agg{Strategy: plan.AggHashed, Child: b.node, Group: keys}
		return l.finish(built{n, exprs}, c.Total+ops, c.Total+ops+groups*l.set.CPUTupleCost, groups), nil
	}
	full := u.distinct
	sort := keys
	if len(u.order) > len(u.distinct) {
		full = u.order
		sort = nil
		for _, s := range q.OrderBy {
			sort = append(sort, keyOf(s, l.find(b.cols, targetOf(u.targets, s.Ref))))
		}
	}
	b = l.sortNode(b, sort, nil, 0)
	return l.over(&plan.Unique{Child: b.node, Keys: keys}, b, 0, ops, groups), full
}

// projectSets evaluates the set-returning functions of the targets, innermost first.
func (l *level) projectSets(b built, exprs []query.Expr) built {
	for range 10 {
		var sets []query.Expr
		for _, e := range exprs {
			l.nextSets(b, e, &sets)
		}
		if len(sets) == 0 {
			return b
		}
		cols := append(append([]query.Expr(nil), b.cols...), sets...)
		n := &plan.ProjectSet{Child: b.node}
		for _, e := range cols {
			if i := l.find(b.cols, e); i >= 0 {
				n.Exprs = append(n.Exprs, colOf(e, query.Outer, i))
			} else {
				n.Exprs = append(n.Exprs, l.translateCall(e, b.cols))
			}
		}
		c := b.node.Common()
		rows := 1.0
		for _, e := range sets {
			if f, ok := e.(*query.FuncExpr); ok {
				rows = math.Max(rows, l.proc(f.Func).Rows)
			}
		}
		b = l.finish(built{n, cols}, c.Startup, c.Total+c.Rows*rows*l.set.CPUTupleCost, c.Rows*rows)
	}
	l.unsupported("set-returning functions nested more than ten deep")
	return b
}

// nextSets collects the calls of an expression whose arguments hold no set that is still to be evaluated.
func (l *level) nextSets(b built, e query.Expr, out *[]query.Expr) bool {
	if l.find(b.cols, e) >= 0 {
		return false
	}
	inside := false
	query.EachChild(e, func(p *query.Expr) { inside = l.nextSets(b, *p, out) || inside })
	if inside {
		return true
	}
	if isSRF(e) {
		if l.find(*out, e) < 0 {
			*out = append(*out, e)
		}
		return true
	}
	return false
}

// translateCall translates the arguments of a call that is itself no column yet.
func (l *level) translateCall(e query.Expr, cols []query.Expr) query.Expr {
	c := query.Copy(e)
	query.EachChild(c, func(p *query.Expr) { *p = l.translate(*p, cols, nil) })
	return c
}

// lockVars adds the addresses that row locks need to what the joins deliver, and gives them.
func (l *level) lockVars(need *vars) []query.Expr {
	if len(l.q.RowMarks) == 0 {
		return nil
	}
	return l.addresses(need, 0)
}

// addresses gives the ctid columns of the level's base tables but one, and adds them to need.
func (l *level) addresses(need *vars, except int) []query.Expr {
	var out []query.Expr
	for i, r := range l.rels {
		if r == nil || i == except || r.entry.Kind != query.RangeRelation || !l.inFrom(i) {
			continue
		}
		v := ctidVar(i)
		need.add(v)
		out = append(out, v)
	}
	return out
}

func ctidVar(rte int) *query.Var {
	return &query.Var{T: query.T{Typ: types.OIDTID, Mod: -1, Offset: -1}, RTE: rte, Attr: query.AttrCtid}
}

// inFrom tells whether a range entry's rows are visible above the joins: not behind a semi or anti join.
func (l *level) inFrom(rte int) bool {
	var visit func(it query.FromItem) bool
	visit = func(it query.FromItem) bool {
		switch it := it.(type) {
		case *query.FromRef:
			return it.RTE == rte
		case *query.FromJoin:
			if it.Type == query.JoinSemi || it.Type == query.JoinAnti {
				return visit(it.Left)
			}
			return visit(it.Left) || visit(it.Right)
		}
		return false
	}
	for _, it := range l.q.From {
		if visit(it) {
			return true
		}
	}
	return false
}

func (l *level) lockRows(b built) built {
	n := &plan.LockRows{Child: b.node}
	marked := map[int]bool{}
	for _, m := range l.q.RowMarks {
		if m.RTE >= len(l.rels) || l.rels[m.RTE] == nil {
			continue
		}
		marked[m.RTE] = true
		r := l.rels[m.RTE]
		at := l.find(b.cols, ctidVar(m.RTE))
		if at < 0 {
			l.unsupported("row locks on a relation that is not joined as such")
			return b
		}
		n.Marks = append(n.Marks, plan.RowMark{Rel: r.entry.Rel, RTE: l.scanRTE(r), Ctid: at, Strength: m.Strength, NoWait: m.NoWait, SkipLocked: m.SkipLocked})
	}
	for i, r := range l.rels {
		if r == nil || marked[i] || r.entry.Kind != query.RangeRelation {
			continue
		}
		if at := l.find(b.cols, ctidVar(i)); at >= 0 {
			n.Old = append(n.Old, plan.OldRow{RTE: l.scanRTE(r), Ctid: at})
		}
	}
	c := b.node.Common()
	return l.over(n, b, 0, c.Rows*l.set.CPUTupleCost, c.Rows)
}
