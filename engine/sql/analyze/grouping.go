package analyze

import (
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
)

// checkGrouping makes sure that a grouped query uses ungrouped columns only inside aggregates, or columns that depend on a
// grouped primary key.
func (s *state) checkGrouping() error {
	q := s.q
	if !q.HasAggs && len(q.GroupBy) == 0 && q.Having == nil {
		return nil
	}
	var keys []query.Expr
	for _, g := range q.GroupBy {
		for _, t := range q.Targets {
			if t.Ref == g.Ref {
				keys = append(keys, t.Expr)
			}
		}
	}
	c := grouping{state: s, keys: keys}
	for _, t := range q.Targets {
		if err := c.check(t.Expr, 0); err != nil {
			return err
		}
	}
	return c.check(q.Having, 0)
}

type grouping struct {
	*state
	keys []query.Expr
}

// check walks an expression `level` query levels inside the grouped query.
func (g *grouping) check(e query.Expr, level int) error {
	var failure error
	query.Walk(e, func(x query.Expr) bool {
		if failure != nil {
			return false
		}
		if agg, ok := x.(*query.Aggref); ok && agg.Up == level {
			return false
		}
		if level == 0 {
			for _, k := range g.keys {
				if g.a.same(k, x) {
					return false
				}
			}
		}
		switch x := x.(type) {
		case *query.Var:
			failure = g.checkVar(x, level)
		case *query.SubLink:
			failure = g.checkQuery(x.Query, level+1)
		}
		return true
	})
	return failure
}

func (g *grouping) checkQuery(q *query.Query, level int) error {
	var failure error
	q.EachExpr(func(p *query.Expr) {
		if failure == nil {
			failure = g.check(*p, level)
		}
	})
	for _, r := range q.Range {
		if failure == nil && r.Sub != nil {
			failure = g.checkQuery(r.Sub, level+1)
		}
	}
	return failure
}

func (g *grouping) checkVar(v *query.Var, level int) error {
	if v.Up != level {
		return nil
	}
	for _, k := range g.keys {
		if kv, ok := k.(*query.Var); ok && kv.Up == 0 && kv.RTE == v.RTE && kv.Attr == v.Attr {
			return nil
		}
	}
	r := g.q.Range[v.RTE-1]
	if g.dependsOnKey(v.RTE, r) {
		return nil
	}
	name := "?"
	if v.Attr > 0 && v.Attr <= len(r.Columns) {
		name = r.Columns[v.Attr-1].Name
	} else {
		for _, c := range systemColumns {
			if c.attr == v.Attr {
				name = c.name
			}
		}
	}
	if level > 0 {
		return g.a.errorf(pgerror.GroupingError, int32(v.Offset), "subquery uses ungrouped column \"%s.%s\" from outer query", r.Alias, name)
	}
	return g.a.errorf(pgerror.GroupingError, int32(v.Offset),
		"column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function", r.Alias, name)
}

// dependsOnKey tells whether the grouping holds the whole primary key of the relation.
func (g *grouping) dependsOnKey(rte int, r *query.RangeEntry) bool {
	if r.Kind != query.RangeRelation || r.Rel == nil {
		return false
	}
	for _, x := range r.Rel.Indexes {
		if !x.Primary || !x.Immediate {
			continue
		}
		for _, k := range x.Keys {
			found := false
			for _, e := range g.keys {
				if v, ok := e.(*query.Var); ok && v.Up == 0 && v.RTE == rte && v.Attr == int(k.Attr) {
					found = true
				}
			}
			if !found {
				return false
			}
		}
		return true
	}
	return false
}
