package optimize

import (
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// lowerEntry adjusts a range entry that moved one level out; its sub-queries lose a level to what is outside.
func lowerEntry(r *query.RangeEntry) {
	if r.Kind == query.RangeCTE && r.CTEUp > 0 {
		r.CTEUp--
	}
}

// absorbExpr moves an expression of a sub-select whose range table was appended at offset one level out.
func (l *level) absorbExpr(e query.Expr, offset int) query.Expr {
	out := rewriteExpr(e, 0, absorber(offset))
	query.Walk(out, func(x query.Expr) bool {
		if s, ok := x.(*query.SubLink); ok {
			shiftCTEs(s.Query, 2, -1)
		}
		return true
	})
	return out
}

func absorber(offset int) func(query.Expr, int) (query.Expr, bool) {
	return func(x query.Expr, depth int) (query.Expr, bool) {
		switch x := x.(type) {
		case *query.Var:
			c := *x
			switch {
			case x.Up == depth:
				c.RTE += offset
			case x.Up > depth:
				c.Up--
			default:
				return nil, false
			}
			return &c, true
		case *query.Aggref:
			if x.Up > depth {
				c := query.Copy(x).(*query.Aggref)
				c.Up--
				query.EachChild(c, func(p *query.Expr) { *p = rewriteExpr(*p, depth, absorber(offset)) })
				return c, true
			}
		case *query.CurrentOf:
			if depth == 0 {
				c := *x
				c.RTE += offset
				return &c, true
			}
		}
		return nil, false
	}
}

func offsetItem(it query.FromItem, offset int) query.FromItem {
	switch it := it.(type) {
	case *query.FromRef:
		return &query.FromRef{RTE: it.RTE + offset}
	case *query.FromJoin:
		return &query.FromJoin{Type: it.Type, Left: offsetItem(it.Left, offset), Right: offsetItem(it.Right, offset), On: it.On}
	}
	return it
}

func offsetOn(it query.FromItem, f func(query.Expr) query.Expr) {
	if j, ok := it.(*query.FromJoin); ok {
		offsetOn(j.Left, f)
		offsetOn(j.Right, f)
		if j.On != nil {
			j.On = f(j.On)
		}
	}
}

func visibleTargets(q *query.Query) []*query.Target {
	list := q.Targets
	if q.Command != query.Select {
		list = q.Returning
	}
	var out []*query.Target
	for _, t := range list {
		if !t.Junk {
			out = append(out, t)
		}
	}
	return out
}

// pullUpSubqueries merges simple sub-selects of FROM into the level.
func (l *level) pullUpSubqueries() {
	if l.q.SetOp != nil {
		return
	}
	for i := range l.q.From {
		l.pullItem(&l.q.From[i], false, &l.q.Where)
	}
}

// pullItem pulls up below one item, in its place. quals is where the conditions of a merged sub-select go, nil when there
// is no such place; nullable tells that an outer join may null the item's columns.
func (l *level) pullItem(at *query.FromItem, nullable bool, quals *query.Expr) {
	switch it := (*at).(type) {
	case *query.FromRef:
		if sub := l.pullUp(it.RTE, nullable, quals); sub != nil {
			*at = sub
			l.pullItem(at, nullable, quals)
		}
	case *query.FromJoin:
		left, right := &it.Left, &it.Right
		switch it.Type {
		case query.JoinInner:
			place := &it.On
			if !nullable && quals != nil {
				place = quals
			}
			l.pullItem(left, nullable, place)
			l.pullItem(right, nullable, place)
		case query.JoinLeft:
			l.pullItem(left, nullable, quals)
			l.pullItem(right, true, &it.On)
		case query.JoinSemi, query.JoinAnti:
			l.pullItem(left, nullable, quals)
			l.pullItem(right, it.Type == query.JoinAnti, &it.On)
		case query.JoinRight:
			l.pullItem(left, true, &it.On)
			l.pullItem(right, nullable, quals)
		case query.JoinFull:
			l.pullItem(left, true, nil)
			l.pullItem(right, true, nil)
		}
	}
}

// simpleSub tells whether a sub-select is nothing but a join with conditions.
func simpleSub(q *query.Query) bool {
	return q.Command == query.Select && q.SetOp == nil && !q.HasAggs && len(q.GroupBy) == 0 && q.Having == nil && !q.HasWindows &&
		!q.HasTargetSRFs && len(q.Distinct) == 0 && q.Limit == nil && q.Offset == nil && len(q.OrderBy) == 0 && len(q.RowMarks) == 0 &&
		len(q.CTEs) == 0
}

// pullUp merges the sub-select of one range entry and gives the item that takes its place; nil when it has to stay.
func (l *level) pullUp(rte int, nullable bool, quals *query.Expr) query.FromItem {
	r := l.q.Range[rte-1]
	if r.Kind != query.RangeSubquery || len(l.q.Range) > maxRels/2 {
		return nil
	}
	for _, m := range l.q.RowMarks {
		if m.RTE == rte {
			return nil
		}
	}
	sub := r.Sub
	l.inlineSub(sub)
	if !simpleSub(sub) || len(sub.From) == 0 || quals == nil && sub.Where != nil {
		return nil
	}
	targets := visibleTargets(sub)
	for _, t := range targets {
		if volatileExpr(t.Expr) || hasSRF(t.Expr) {
			return nil
		}
		v, isVar := t.Expr.(*query.Var)
		if nullable && (!isVar || v.Up != 0) {
			return nil
		}
		if query.Any(t.Expr, isSubLink) && r.Lateral {
			return nil
		}
	}
	if volatileExpr(sub.Where) {
		return nil
	}
	if r.Lateral && nullable && hasOuterJoin(sub.From) {
		return nil
	}
	offset := len(l.q.Range)
	for _, x := range sub.Range {
		l.absorbEntry(x, offset)
		l.q.Range = append(l.q.Range, x)
	}
	item := offsetItem(joinAll(sub.From), offset)
	offsetOn(item, func(e query.Expr) query.Expr { return l.absorbExpr(e, offset) })
	if sub.Where != nil {
		*quals = conjunction(append(conjuncts(*quals), conjuncts(l.absorbExpr(sub.Where, offset))...))
	}
	values := make([]query.Expr, len(targets))
	for i, t := range targets {
		values[i] = l.absorbExpr(t.Expr, offset)
	}
	l.q.HasSubLinks = l.q.HasSubLinks || sub.HasSubLinks
	l.substitute(rte, values)
	return item
}

func hasOuterJoin(items []query.FromItem) bool {
	for _, it := range items {
		if j, ok := it.(*query.FromJoin); ok && (j.Type != query.JoinInner || hasOuterJoin([]query.FromItem{j.Left, j.Right})) {
			return true
		}
	}
	return false
}

// inlineSub inlines the WITH queries of a sub-select that may be pulled up after.
func (l *level) inlineSub(sub *query.Query) {
	if simple := sub.Command == query.Select; simple {
		inner := l.newLevel(l, sub)
		inner.inlineCTEs()
		inner.pullUpSubLinks()
	}
}

// absorbEntry moves a range entry of a sub-select one level out.
func (l *level) absorbEntry(r *query.RangeEntry, offset int) {
	lowerEntry(r)
	for i := range r.Funcs {
		r.Funcs[i] = l.absorbExpr(r.Funcs[i], offset)
	}
	for _, row := range r.Values {
		for i := range row {
			row[i] = l.absorbExpr(row[i], offset)
		}
	}
	if r.Sub != nil {
		rewriteAt(r.Sub, 1, absorber(offset))
		shiftCTEs(r.Sub, 2, -1)
	}
}

// substitute replaces the columns of a range entry by expressions, in the whole query.
func (l *level) substitute(rte int, values []query.Expr) {
	r := l.q.Range[rte-1]
	r.Kind, r.Sub = query.RangeResult, nil
	rewrite(l.q, func(x query.Expr, depth int) (query.Expr, bool) {
		v, ok := x.(*query.Var)
		if !ok || v.Up != depth || v.RTE != rte {
			return nil, false
		}
		if v.Attr < 1 || v.Attr > len(values) {
			if v.Attr == 0 {
				row := &query.RowExpr{T: v.T}
				row.Typ = types.OIDRecord
				for i, e := range values {
					row.Args = append(row.Args, shiftExpr(e, 0, depth))
					row.Names = append(row.Names, columnName(r, i+1))
				}
				return row, true
			}
			return nil, false
		}
		return shiftExpr(values[v.Attr-1], 0, depth), true
	})
}

func hasSRF(e query.Expr) bool {
	return query.Any(e, isSRF)
}

func isSRF(e query.Expr) bool {
	switch e := e.(type) {
	case *query.FuncExpr:
		return e.RetSet
	case *query.OpExpr:
		return e.RetSet
	}
	return false
}

// flattenRight turns right joins into left joins.
func (l *level) flattenRight(items []query.FromItem) []query.FromItem {
	for _, it := range items {
		if j, ok := it.(*query.FromJoin); ok {
			l.flattenRight([]query.FromItem{j.Left, j.Right})
			if j.Type == query.JoinRight {
				j.Type, j.Left, j.Right = query.JoinLeft, j.Right, j.Left
			}
		}
	}
	return items
}

// havingToWhere moves conditions of HAVING that need no group into WHERE.
func (l *level) havingToWhere() {
	q := l.q
	if q.Having == nil || len(q.GroupBy) == 0 {
		return
	}
	var keep []query.Expr
	for _, c := range conjuncts(q.Having) {
		if query.Any(c, func(e query.Expr) bool { a, ok := e.(*query.Aggref); return ok && a.Up == 0 }) || volatileExpr(c) || query.Any(c, isSubLink) {
			keep = append(keep, c)
			continue
		}
		q.Where = conjunction(append(conjuncts(q.Where), c))
	}
	q.Having = conjunction(keep)
}

func itemRels(it query.FromItem) relset {
	switch it := it.(type) {
	case *query.FromRef:
		return single(it.RTE)
	case *query.FromJoin:
		return itemRels(it.Left).union(itemRels(it.Right))
	}
	return relset{}
}

// exprRels gives the range entries of this level that an expression reads.
func exprRels(e query.Expr) relset {
	var s relset
	query.Walk(e, func(x query.Expr) bool {
		switch x := x.(type) {
		case *query.Var:
			if x.Up == 0 {
				s = s.union(single(x.RTE))
			}
		case *query.CurrentOf:
			s = s.union(single(x.RTE))
		case *query.SubLink:
			x.Query.WalkLevels(func(y query.Expr, d int) {
				if v, ok := y.(*query.Var); ok && v.Up == d+1 {
					s = s.union(single(v.RTE))
				}
			})
		}
		return true
	})
	return s
}
