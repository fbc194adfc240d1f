package analyze

import (
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
)

// orderedSet makes a call of an ordered-set aggregate: direct arguments, then what WITHIN GROUP sorts.
func (f *funcCall) orderedSet(p *catalog.Proc, facts *catalog.Aggregate, args []query.Expr, t query.T, inColl base.OID) (query.Expr, error) {
	n := f.node
	switch {
	case facts == nil:
		return nil, f.a.errorf(pgerror.InternalError, n.Location, "cache lookup failed for aggregate %d", p.OID)
	case facts.Kind == 'n':
		return nil, f.a.errorf(pgerror.WrongObjectType, n.Location, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", p.Name)
	case !n.AggWithinGroup:
		return nil, f.a.errorf(pgerror.WrongObjectType, n.Location, "WITHIN GROUP is required for ordered-set aggregate %s", p.Name)
	case n.Over != nil:
		return nil, f.a.errorf(pgerror.FeatureNotSupported, n.Location, "OVER is not supported for ordered-set aggregate %s", p.Name)
	case facts.Kind == 'h':
		return nil, f.a.errorf(pgerror.FeatureNotSupported, n.Location, "hypothetical-set aggregate %s is not supported yet", p.Name)
	}
	agg := &query.Aggref{T: t, Func: p.OID, InColl: inColl, ArgTypes: exprTypes(args[facts.Direct:]), Direct: args[:facts.Direct:facts.Direct]}
	for _, e := range agg.Direct {
		if query.Any(e, func(x query.Expr) bool { _, ok := x.(*query.Var); return ok }) {
			return nil, f.a.errorf(pgerror.FeatureNotSupported, n.Location, "a direct argument of %s that reads columns is not supported yet", p.Name)
		}
	}
	for _, e := range args[facts.Direct:] {
		agg.Args = append(agg.Args, &query.Target{Expr: e})
	}
	for i, x := range n.AggOrder {
		item, err := f.sortKey(x.GetSortBy(), agg.Args[i])
		if err != nil {
			return nil, err
		}
		agg.Order = append(agg.Order, item)
	}
	if n.AggFilter != nil {
		var err error
		if agg.Filter, err = f.filter(n.AggFilter); err != nil {
			return nil, err
		}
	}
	return agg, f.placeAggregate(agg)
}
