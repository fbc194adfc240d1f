package optimize

import (
	"manifold/engine/sql/query"
)

// pullUpSubLinks makes semi and anti joins of EXISTS, NOT EXISTS and IN in conditions.
func (l *level) pullUpSubLinks() {
	if !l.q.HasSubLinks {
		return
	}
	if l.q.Where != nil && len(l.q.From) > 0 {
		item := joinAll(l.q.From)
		var rest query.Expr
		item, rest = l.pullLinks(item, l.q.Where)
		l.q.Where, l.q.From = rest, []query.FromItem{item}
	}
	for _, it := range l.q.From {
		l.pullOnLinks(it)
	}
}

// pullOnLinks does it for ON: of an inner join above it, of a left join into its right side.
func (l *level) pullOnLinks(it query.FromItem) {
	j, ok := it.(*query.FromJoin)
	if !ok {
		return
	}
	l.pullOnLinks(j.Left)
	l.pullOnLinks(j.Right)
	if j.On == nil || j.Type != query.JoinInner || !query.Any(j.On, isSubLink) {
		return
	}
	inner := &query.FromJoin{Type: query.JoinInner, Left: j.Left, Right: j.Right}
	item, rest := l.pullLinks(inner, j.On)
	if top, ok := item.(*query.FromJoin); ok && top != inner {
		inner.On = rest
		*j = *top
	}
}

func isSubLink(e query.Expr) bool { _, ok := e.(*query.SubLink); return ok }

// joinAll folds a comma list into one item.
func joinAll(items []query.FromItem) query.FromItem {
	out := items[0]
	for _, it := range items[1:] {
		out = &query.FromJoin{Type: query.JoinInner, Left: out, Right: it}
	}
	return out
}

func (l *level) pullLinks(item query.FromItem, where query.Expr) (query.FromItem, query.Expr) {
	var keep []query.Expr
	left := itemRels(item)
	for _, c := range conjuncts(where) {
		j := l.linkJoin(c, left)
		if j == nil {
			keep = append(keep, c)
			continue
		}
		j.Left = item
		item = j
	}
	return item, conjunction(keep)
}

// linkJoin makes the join that a condition stands for, without its left side; nil when it is not one.
func (l *level) linkJoin(c query.Expr, left relset) *query.FromJoin {
	not := false
	if b, ok := c.(*query.BoolExpr); ok && b.Op == query.Not {
		not, c = true, b.Args[0]
	}
	s, ok := c.(*query.SubLink)
	if !ok || len(s.Query.CTEs) > 0 || s.Query.Command != query.Select {
		return nil
	}
	switch s.Kind {
	case query.SubExists:
		return l.existsJoin(s, not, left)
	case query.SubAny:
		if !not {
			return l.anyJoin(s, left)
		}
	}
	return nil
}

// existsJoin moves the sub-select's own condition into the join's: what correlates it may refer to the left side only.
func (l *level) existsJoin(s *query.SubLink, not bool, left relset) *query.FromJoin {
	q := s.Query
	if q.SetOp != nil || q.HasAggs || len(q.GroupBy) > 0 || q.Having != nil || q.HasWindows || q.HasTargetSRFs || q.Offset != nil ||
		len(q.RowMarks) > 0 || len(q.From) == 0 || q.HasModifyCTE || q.Where == nil {
		return nil
	}
	if q.Limit != nil {
		c, ok := q.Limit.(*query.Const)
		if !ok || c.Slot >= 0 || c.Value.Null || c.Value.I <= 0 {
			return nil
		}
	}
	sub := copyQuery(q)
	l.newLevel(l, sub).pullUpSubLinks()
	where := sub.Where
	if where == nil {
		return nil
	}
	sub.Where, sub.Limit = nil, nil
	sub.Targets, sub.Distinct, sub.OrderBy = nil, nil, nil
	// Nothing but the condition may refer outwards, and the condition must do so.
	outside := false
	sub.WalkLevels(func(e query.Expr, depth int) { outside = outside || refersOut(e, depth) })
	if outside || volatileExpr(where) || !linksWith(where, left) {
		return nil
	}
	if query.Any(where, func(e query.Expr) bool { s, ok := e.(*query.SubLink); return ok && s.Kind == query.SubMulti }) {
		return nil
	}
	offset := len(l.q.Range)
	for _, r := range sub.Range {
		l.absorbEntry(r, offset)
		l.q.Range = append(l.q.Range, r)
	}
	on := l.absorbExpr(where, offset)
	right := offsetItem(joinAll(sub.From), offset)
	offsetOn(right, func(e query.Expr) query.Expr { return l.absorbExpr(e, offset) })
	l.q.HasSubLinks = l.q.HasSubLinks || sub.HasSubLinks
	j := &query.FromJoin{Type: query.JoinSemi, Right: right, On: on}
	if not {
		j.Type = query.JoinAnti
	}
	return j
}

func refersOut(e query.Expr, depth int) bool {
	switch e := e.(type) {
	case *query.Var:
		return e.Up > depth
	case *query.Aggref:
		return e.Up > depth
	}
	return false
}

// linksWith tells whether a sub-select's condition refers to the level outside, and there to `left` only.
func linksWith(e query.Expr, left relset) bool {
	refers, ok := false, true
	walkDeep(e, 0, func(x query.Expr, depth int) {
		switch x := x.(type) {
		case *query.Var:
			if x.Up == depth+1 {
				refers = true
				ok = ok && left.has(x.RTE)
			}
		case *query.Aggref:
			ok = ok && x.Up <= depth
		}
	})
	return refers && ok
}

// walkDeep visits an expression and the queries of its sub-links.
func walkDeep(e query.Expr, depth int, f func(query.Expr, int)) {
	query.Walk(e, func(x query.Expr) bool {
		f(x, depth)
		if s, ok := x.(*query.SubLink); ok {
			s.Query.WalkLevels(func(y query.Expr, d int) { f(y, depth+1+d) })
		}
		return true
	})
}

// anyJoin makes a semi join of `x IN (SELECT ...)`: the sub-select becomes a range entry of its own.
func (l *level) anyJoin(s *query.SubLink, left relset) *query.FromJoin {
	outside := false
	s.Query.WalkLevels(func(e query.Expr, depth int) { outside = outside || refersOut(e, depth) })
	if outside || s.Test == nil || volatileExpr(s.Test) || query.Any(s.Test, isSubLink) {
		return nil
	}
	uses := exprRels(s.Test)
	if uses.empty() || !uses.within(left) {
		return nil
	}
	sub := copyQuery(s.Query)
	r := &query.RangeEntry{Kind: query.RangeSubquery, Alias: "ANY_subquery", Sub: sub}
	for _, t := range visibleTargets(sub) {
		r.Columns = append(r.Columns, query.RangeColumn{Name: t.Name, Type: t.Expr.Type(), Typmod: t.Expr.Typmod(), Collation: t.Expr.Collation()})
	}
	l.q.Range = append(l.q.Range, r)
	rte := len(l.q.Range)
	on := mutate(s.Test, func(x query.Expr) (query.Expr, bool) {
		if c, ok := x.(*query.SubColumn); ok {
			return &query.Var{T: c.T, RTE: rte, Attr: c.N}, true
		}
		return nil, false
	})
	return &query.FromJoin{Type: query.JoinSemi, Right: &query.FromRef{RTE: rte}, On: on}
}
