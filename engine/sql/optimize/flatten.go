package optimize

import (
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// inlineCTEs turns references to WITH queries that are read once, or must not be materialized, into sub-selects.
func (l *level) inlineCTEs() {
	kept := l.q.CTEs[:0:0]
	for _, c := range l.q.CTEs {
		inline := c.Query.Command == query.Select && !c.Recursive && !hasVolatile(c.Query) && len(c.Query.RowMarks) == 0 &&
			(c.Materialized == 'n' || c.Materialized == 0 && countRefs(l.q, c.Name, 0) == 1)
		if !inline {
			if c.Query.Command == query.Select && countRefs(l.q, c.Name, 0) == 0 {
				continue
			}
			kept = append(kept, c)
			continue
		}
		inlineInto(l.q, c, 0)
	}
	l.q.CTEs = kept
}

func countRefs(q *query.Query, name string, depth int) int {
	n := 0
	for _, r := range q.Range {
		if r.Kind == query.RangeCTE && r.CTE == name && r.CTEUp == depth {
			n++
		}
	}
	q.EachQuery(func(s *query.Query) { n += countRefs(s, name, depth+1) })
	return n
}

func inlineInto(q *query.Query, c *query.CTE, depth int) {
	for _, r := range q.Range {
		if r.Kind == query.RangeCTE && r.CTE == c.Name && r.CTEUp == depth {
			sub := copyQuery(c.Query)
			shiftQuery(sub, 1, depth)
			r.Kind, r.Sub = query.RangeSubquery, sub
		}
	}
	q.EachQuery(func(s *query.Query) {
		if s != c.Query {
			inlineInto(s, c, depth+1)
		}
	})
}

func hasVolatile(q *query.Query) bool {
	found := false
	q.WalkLevels(func(e query.Expr, _ int) { found = found || volatileNode(e) })
	return found
}

func volatileNode(e query.Expr) bool {
	switch e := e.(type) {
	case *query.FuncExpr:
		return e.Volatile == 'v'
	case *query.OpExpr:
		return e.Volatile == 'v'
	case *query.NextValue:
		return true
	}
	return false
}

func volatileExpr(e query.Expr) bool { return e != nil && query.Any(e, volatileNode) }

// planCTEs plans the WITH queries that stay.
func (l *level) planCTEs() {
	for _, c := range l.q.CTEs {
		info := &cteInfo{index: len(l.stmt.CTEs)}
		entry := &plan.CTE{Name: c.Name}
		l.stmt.CTEs = append(l.stmt.CTEs, entry)
		l.ctes[c] = info
		sub := l.newLevel(l, c.Query)
		var b built
		if c.Recursive {
			info.table = l.tables
			l.tables++
			b = sub.recursive(c, info)
		} else {
			b = sub.plan(0)
		}
		if l.err != nil {
			return
		}
		if len(sub.needs) > 0 {
			l.unsupported("WITH query \"%s\" that refers to an outer query", c.Name)
			return
		}
		base := b.node.Common()
		info.rows, info.width, info.cost = base.Rows, base.Width, base.Total
		entry.Root = b.node
		for _, o := range base.Out {
			entry.Output = append(entry.Output, o.Type)
		}
	}
}

// findCTE finds the WITH query a range entry refers to.
func (l *level) findCTE(r *query.RangeEntry) *cteInfo {
	at := l
	for range r.CTEUp {
		if at = at.parent; at == nil {
			return nil
		}
	}
	for i := len(at.q.CTEs) - 1; i >= 0; i-- {
		if c := at.q.CTEs[i]; c.Name == r.CTE {
			return at.ctes[c]
		}
	}
	return nil
}

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
