package optimize

import "manifold/engine/sql/query"

// copyQuery copies a query deeply, except for constants and descriptors, which are shared.
func copyQuery(q *query.Query) *query.Query {
	if q == nil {
		return nil
	}
	c := *q
	c.CTEs = make([]*query.CTE, len(q.CTEs))
	for i, x := range q.CTEs {
		t := *x
		t.Query = copyQuery(x.Query)
		c.CTEs[i] = &t
	}
	c.Range = make([]*query.RangeEntry, len(q.Range))
	for i, r := range q.Range {
		c.Range[i] = copyEntry(r)
	}
	c.From = copyFrom(q.From)
	c.Where, c.Having, c.Limit, c.Offset = copyExpr(q.Where), copyExpr(q.Having), copyExpr(q.Limit), copyExpr(q.Offset)
	c.Targets, c.Returning = copyTargets(q.Targets), copyTargets(q.Returning)
	if q.Conflict != nil {
		o := *q.Conflict
		o.Set, o.Where = copyTargets(o.Set), copyExpr(o.Where)
		c.Conflict = &o
	}
	c.Windows = make([]*query.Window, len(q.Windows))
	for i, w := range q.Windows {
		t := *w
		t.Start, t.End = copyExpr(w.Start), copyExpr(w.End)
		c.Windows[i] = &t
	}
	c.RowMarks = append([]query.RowMark(nil), q.RowMarks...)
	return &c
}

func copyEntry(r *query.RangeEntry) *query.RangeEntry {
	c := *r
	c.Sub = copyQuery(r.Sub)
	c.Funcs = copyExprs(r.Funcs)
	c.Values = make([][]query.Expr, len(r.Values))
	for i, row := range r.Values {
		c.Values[i] = copyExprs(row)
	}
	c.Join = nil
	return &c
}

func copyFrom(items []query.FromItem) []query.FromItem {
	out := make([]query.FromItem, len(items))
	for i, it := range items {
		out[i] = copyItem(it)
	}
	return out
}

func copyItem(it query.FromItem) query.FromItem {
	switch it := it.(type) {
	case *query.FromJoin:
		return &query.FromJoin{Type: it.Type, Left: copyItem(it.Left), Right: copyItem(it.Right), On: copyExpr(it.On), RTE: it.RTE}
	case *query.FromRef:
		return &query.FromRef{RTE: it.RTE}
	}
	return it
}

func copyTargets(l []*query.Target) []*query.Target {
	out := make([]*query.Target, len(l))
	for i, t := range l {
		c := *t
		c.Expr = copyExpr(t.Expr)
		out[i] = &c
	}
	return out
}

func copyExprs(l []query.Expr) []query.Expr {
	if l == nil {
		return nil
	}
	out := make([]query.Expr, len(l))
	for i, e := range l {
		out[i] = copyExpr(e)
	}
	return out
}

// copyExpr copies an expression with the queries of its sub-links; constants keep their identity.
func copyExpr(e query.Expr) query.Expr {
	return mutate(e, func(query.Expr) (query.Expr, bool) { return nil, false })
}

// mutate is query.Mutate that keeps constants as they are and copies the queries of sub-links.
func mutate(e query.Expr, f func(query.Expr) (query.Expr, bool)) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if r, ok := f(x); ok {
			return r, true
		}
		switch x := x.(type) {
		case *query.Const:
			return x, true
		case *query.SubLink:
			c := *x
			c.Test, c.Query = mutate(x.Test, f), copyQuery(x.Query)
			return &c, true
		}
		return nil, false
	})
}

// rewrite replaces expressions in a private query and in the queries inside it; f sees each node with its depth below q.
func rewrite(q *query.Query, f func(e query.Expr, depth int) (query.Expr, bool)) { rewriteAt(q, 0, f) }

func rewriteAt(q *query.Query, depth int, f func(query.Expr, int) (query.Expr, bool)) {
	q.EachExpr(func(p *query.Expr) { *p = rewriteExpr(*p, depth, f) })
	for _, c := range q.CTEs {
		rewriteAt(c.Query, depth+1, f)
	}
	for _, r := range q.Range {
		if r.Sub != nil {
			rewriteAt(r.Sub, depth+1, f)
		}
	}
}

// rewriteExpr rebuilds one expression; sub-link queries are copied, then changed.
func rewriteExpr(e query.Expr, depth int, f func(query.Expr, int) (query.Expr, bool)) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if r, ok := f(x, depth); ok {
			return r, true
		}
		switch x := x.(type) {
		case *query.Const:
			return x, true
		case *query.SubLink:
			c := *x
			c.Test, c.Query = rewriteExpr(x.Test, depth, f), copyQuery(x.Query)
			rewriteAt(c.Query, depth+1, f)
			return &c, true
		}
		return nil, false
	})
}

// shiftExpr moves an expression by levels: references to a query at least `from` levels out change by `by`.
func shiftExpr(e query.Expr, from, by int) query.Expr {
	if by == 0 {
		return copyExpr(e)
	}
	out := rewriteExpr(e, 0, shifter(from, by))
	query.Walk(out, func(x query.Expr) bool {
		if s, ok := x.(*query.SubLink); ok {
			shiftCTEs(s.Query, from+1, by)
		}
		return true
	})
	return out
}

// shiftQuery does the same for a private query.
func shiftQuery(q *query.Query, from, by int) {
	if by == 0 {
		return
	}
	rewrite(q, shifter(from, by))
	shiftCTEs(q, from, by)
}

func shifter(from, by int) func(query.Expr, int) (query.Expr, bool) {
	return func(x query.Expr, depth int) (query.Expr, bool) {
		switch x := x.(type) {
		case *query.Var:
			if x.Up >= from+depth {
				c := *x
				c.Up += by
				return &c, true
			}
		case *query.Aggref:
			if x.Up > 0 && x.Up >= from+depth {
				c := query.Copy(x).(*query.Aggref)
				c.Up += by
				query.EachChild(c, func(p *query.Expr) { *p = rewriteExpr(*p, depth, shifter(from, by)) })
				return c, true
			}
		}
		return nil, false
	}
}

func shiftCTEs(q *query.Query, from, by int) {
	for _, r := range q.Range {
		if r.Kind == query.RangeCTE && r.CTEUp >= from {
			r.CTEUp += by
		}
	}
	q.EachQuery(func(s *query.Query) { shiftCTEs(s, from+1, by) })
}
