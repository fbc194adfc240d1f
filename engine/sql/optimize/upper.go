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
	windows  []*windowPlan
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
	if q.HasWindows {
		l.describeWindows(u)
	}
	switch {
	case len(q.GroupBy) > 0:
		l.wanted = append(l.wanted, u.groupOrd)
	case len(u.aggs) > 0 || q.Having != nil:
	case len(u.windows) > 0:
		l.wanted = append(l.wanted, u.windows[0].order)
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

// above puts grouping, windows, DISTINCT, ORDER BY, row locks and LIMIT over the best of the join paths.
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
		sorts := u
		switch {
		case len(u.windows) > 0:
			wanted, sorts = u.windows[0].order, &upper{}
		case len(u.distinct) > 0:
			wanted = u.distinct
		default:
			wanted = u.order
		}
		p := l.choose(paths, wanted, want, sorts)
		if p == nil {
			return l.empty()
		}
		b, order = l.build(p, need), p.order
	}
	if l.err != nil {
		return l.empty()
	}
	if len(u.windows) > 0 {
		b, order = l.windowRows(u, b, order)
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
