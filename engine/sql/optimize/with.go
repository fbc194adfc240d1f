package optimize

import (
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
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
		info.needs = sub.needs
		base := b.node.Common()
		info.rows, info.width, info.cost = base.Rows, base.Width, base.Total
		entry.Root = b.node
		for _, o := range base.Out {
			entry.Output = append(entry.Output, o.Type)
		}
	}
}

// findCTE finds the WITH query a range entry refers to. What that takes from outer levels, every level down to the reader needs too.
func (l *level) findCTE(r *query.RangeEntry) *cteInfo {
	owner := l
	for range r.CTEUp {
		if owner = owner.parent; owner == nil {
			return nil
		}
	}
	for i := len(owner.q.CTEs) - 1; i >= 0; i-- {
		c := owner.q.CTEs[i]
		if c.Name != r.CTE {
			continue
		}
		info := owner.ctes[c]
		if info != nil {
			for at := l; at != owner; at = at.parent {
				for _, n := range info.needs {
					at.addNeed(n)
				}
			}
		}
		return info
	}
	return nil
}
