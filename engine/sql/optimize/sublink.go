package optimize

import (
	"fmt"

	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// subLinks plans the sub-selects of an expression: those that depend on nothing run once and become parameters, the others
// run where they stand.
func (l *level) subLinks(e query.Expr) query.Expr {
	if e == nil || !query.Any(e, isSubLink) {
		return e
	}
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		switch x := x.(type) {
		case *query.Const:
			return x, true
		case *query.SubLink:
			return l.subLink(x), true
		}
		return nil, false
	})
}

func (l *level) subLink(s *query.SubLink) query.Expr {
	if s.Kind == query.SubMulti {
		if e := l.multi[s.ID]; e != nil {
			return e
		}
		e := l.subExpr(s)
		l.multi[s.ID] = e
		return e
	}
	return l.subExpr(s)
}

func (l *level) subExpr(s *query.SubLink) query.Expr {
	q, fraction := s.Query, 0.0
	switch s.Kind {
	case query.SubExists:
		fraction = 1
		if q.Command == query.Select && q.SetOp == nil && !q.HasAggs && len(q.GroupBy) == 0 && q.Having == nil && !q.HasTargetSRFs && q.Offset == nil {
			q.Targets, q.OrderBy, q.Distinct, q.DistinctOn = nil, nil, nil, false
		}
	case query.SubAny, query.SubAll:
		fraction = 0.5
	}
	index := len(l.stmt.SubPlans)
	entry := &plan.SubPlan{}
	l.stmt.SubPlans = append(l.stmt.SubPlans, entry)
	sub := l.newLevel(l, q)
	b := sub.plan(fraction)
	if l.err != nil {
		return s
	}
	entry.Root = b.node
	init := len(sub.needs) == 0
	test := l.subLinks(s.Test)
	switch s.Kind {
	case query.SubExists, query.SubScalar, query.SubArray, query.SubMulti:
		if init {
			return l.initPlan(s, entry, index)
		}
	case query.SubAny:
		if init {
			entry.Hashed = l.hashableTest(test) && b.node.Common().Rows*float64(b.node.Common().Width+32) < l.hashMem()
		}
	}
	if init && !entry.Hashed && s.Kind != query.SubRowCompare {
		c := b.node.Common()
		entry.Root = sub.over(&plan.Material{Child: b.node}, b, 0, l.set.CPUOperatorCost*2*c.Rows, c.Rows).node
	}
	entry.Name = fmt.Sprintf("SubPlan %d", index+1)
	return &query.SubExpr{T: s.T, Kind: s.Kind, Plan: index, Params: l.own(sub.needs), Test: test, Hashed: entry.Hashed}
}

func (p *planner) hashMem() float64 { return p.set.WorkMem * max(p.set.HashMemMultiplier, 1) }

// hashableTest tells whether a test of ANY is equality of hashable values of one type, column by column.
func (l *level) hashableTest(test query.Expr) bool {
	for _, c := range conjuncts(test) {
		o, ok := c.(*query.OpExpr)
		if !ok || len(o.Args) != 2 || !o.Strict || !l.hashable(o.Op) {
			return false
		}
		if _, ok := o.Args[1].(*query.SubColumn); !ok || o.Args[0].Type() != o.Args[1].Type() || query.Any(o.Args[0], func(e query.Expr) bool { _, ok := e.(*query.SubColumn); return ok }) {
			return false
		}
	}
	return test != nil
}

// initPlan makes a sub-select run at most once. What is not the plain value of a row is computed by a Result over the
// sub-select.
func (l *level) initPlan(s *query.SubLink, entry *plan.SubPlan, index int) query.Expr {
	p := l.param(s)
	name := fmt.Sprintf("InitPlan %d (returns $%d)", index+1, p.N)
	if s.Kind == query.SubScalar {
		entry.Init, entry.Output, entry.Name = true, p.N, name
		return p
	}
	entry.Name = fmt.Sprintf("SubPlan %d", index+1)
	value := &query.SubExpr{T: s.T, Kind: s.Kind, Plan: index}
	c := entry.Root.Common()
	r := l.finish(built{&plan.Result{Base: plan.Base{Project: []query.Expr{value}}}, []query.Expr{value}}, c.Total, c.Total, 1)
	l.stmt.SubPlans = append(l.stmt.SubPlans, &plan.SubPlan{Root: r.node, Init: true, Output: p.N, Name: name})
	return p
}
