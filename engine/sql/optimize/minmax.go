package optimize

import (
	"fmt"

	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// minMax answers min and max of one table from the ends of an index, each as a sub-select with LIMIT 1, when all aggregates
// are such and an index gives each order; false leaves the query to aggregation.
func (l *level) minMax(u *upper) (built, bool) {
	q := l.q
	if l.plain || len(u.aggs) == 0 || len(q.GroupBy) > 0 || len(q.From) != 1 || len(q.CTEs) > 0 || len(q.RowMarks) > 0 || q.HasTargetSRFs ||
		q.HasWindows || q.Having != nil {
		return built{}, false
	}
	ref, ok := q.From[0].(*query.FromRef)
	if !ok || q.Range[ref.RTE-1].Kind != query.RangeRelation {
		return built{}, false
	}
	var sorts []*query.SortItem
	for _, a := range u.aggs {
		s := l.minMaxOrder(a)
		if s == nil || !l.indexEnd(a.Args[0].Expr, ref.RTE) {
			return built{}, false
		}
		sorts = append(sorts, s)
	}
	if q.Where != nil && (query.Any(q.Where, isSubExpr) || volatileExpr(q.Where)) {
		return built{}, false
	}
	plans, params := len(l.stmt.SubPlans), len(l.stmt.Params)
	values := make([]query.Expr, len(u.aggs))
	cost := 0.0
	for i, a := range u.aggs {
		values[i] = l.indexEndPlan(a, sorts[i])
		cost += l.stmt.SubPlans[len(l.stmt.SubPlans)-1].Root.Common().Total
	}
	all := l.newLevel(l.parent, q)
	all.plain, all.rels, all.needs = true, make([]*rel, len(q.Range)+1), l.needs
	if whole := all.selectPlan(0); l.err == nil && whole.node.Common().Total < cost {
		l.stmt.SubPlans, l.stmt.Params = l.stmt.SubPlans[:plans], l.stmt.Params[:params]
		return built{}, false
	}
	if l.err != nil {
		return l.empty(), true
	}
	var final []query.Expr
	for _, t := range u.targets {
		if t.Junk {
			continue
		}
		final = append(final, query.Mutate(t.Expr, func(x query.Expr) (query.Expr, bool) {
			if c, ok := x.(*query.Const); ok {
				return c, true
			}
			for i, a := range u.aggs {
				if same(a, x) {
					return values[i], true
				}
			}
			return nil, false
		}))
	}
	b := l.finish(built{node: &plan.Result{}}, 0, l.set.CPUTupleCost, 1)
	b = l.project(b, final)
	if q.Limit != nil || q.Offset != nil {
		b = l.limitNode(u, b)
	}
	return b, true
}

// minMaxOrder gives the order whose first row has the aggregate's value; nil when it is neither min nor max.
func (l *level) minMaxOrder(a *query.Aggref) *query.SortItem {
	if len(a.Args) != 1 || a.Filter != nil || len(a.Order) > 0 || a.Star || volatileExpr(a.Args[0].Expr) {
		return nil
	}
	facts, err := l.opt.View.AggregateOf(a.Func)
	l.fail(err)
	if facts == nil || facts.SortOp == 0 {
		return nil
	}
	family, strategy := l.btreeFamily(facts.SortOp)
	if family == 0 || strategy != 1 && strategy != 5 {
		return nil
	}
	o := l.operator(facts.SortOp)
	eq, err := l.opt.View.FamilyOperator(family, o.Left, o.Right, 3)
	l.fail(err)
	return &query.SortItem{Ref: 1, EqOp: eq, SortOp: facts.SortOp, Descending: strategy == 5, NullsFirst: strategy == 5}
}

// indexEnd tells whether a column leads an index once the columns before it are fixed by conditions.
func (l *level) indexEnd(e query.Expr, rte int) bool {
	v, ok := strip(e).(*query.Var)
	if !ok || v.Up != 0 || v.RTE != rte {
		return false
	}
	fixed := map[int]bool{}
	for _, c := range conjuncts(l.q.Where) {
		o, ok := c.(*query.OpExpr)
		if !ok || len(o.Args) != 2 || !l.operator(o.Op).CanMerge {
			continue
		}
		for i, a := range o.Args {
			if k, ok := strip(a).(*query.Var); ok && k.RTE == rte && exprRels(o.Args[1-i]).empty() {
				fixed[k.Attr] = true
			}
		}
	}
	for _, x := range l.q.Range[rte-1].Rel.Indexes {
		if !x.Valid || x.Predicate != "" {
			continue
		}
		for _, k := range x.Keys {
			if int(k.Attr) == v.Attr {
				return true
			}
			if k.Attr == 0 || !fixed[int(k.Attr)] {
				break
			}
		}
	}
	return false
}

// indexEndPlan plans `SELECT arg FROM ... WHERE ... AND arg IS NOT NULL ORDER BY arg LIMIT 1`, to be run once, and gives
// what stands for its value. The conditions are those of this level, prepared already.
func (l *level) indexEndPlan(a *query.Aggref, sort *query.SortItem) query.Expr {
	arg := a.Args[0].Expr
	q := &query.Query{Range: l.q.Range, From: l.q.From, Limit: &query.Const{T: int8T, Value: oneDatum, Slot: -1}, OrderBy: []*query.SortItem{sort},
		Targets: []*query.Target{{Expr: arg, Ref: 1}}}
	q.Where = conjunction(append(conjuncts(l.q.Where), &query.NullTest{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: -1}, Arg: arg, Not: true}))
	sub := l.newLevel(l.parent, q)
	sub.rels = make([]*rel, len(q.Range)+1)
	sub.needs = append(sub.needs, l.needs...)
	b := sub.selectPlan(1)
	if l.err != nil {
		return a
	}
	index := len(l.stmt.SubPlans)
	entry := &plan.SubPlan{Root: b.node}
	l.stmt.SubPlans = append(l.stmt.SubPlans, entry)
	link := &query.SubLink{T: a.T, Kind: query.SubScalar}
	if len(l.needs) == 0 {
		return l.initPlan(link, entry, index)
	}
	entry.Name = fmt.Sprintf("SubPlan %d", index+1)
	return &query.SubExpr{T: a.T, Kind: query.SubScalar, Plan: index}
}
