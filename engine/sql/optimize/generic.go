package optimize

import (
	"manifold/engine/catalog"
	"manifold/engine/sql/plan"
)

// Generic tells whether no values of parameters could give a better plan than this one: it has no parameters, or it finds
// every row by equality on all columns of a unique index.
func Generic(s *plan.Statement) bool {
	if len(s.External) == 0 {
		return true
	}
	ok := true
	visit := func(n plan.Node) {
		switch n := n.(type) {
		case *plan.SeqScan, *plan.BitmapHeap:
			ok = false
		case *plan.IndexScan:
			ok = ok && uniqueScan(n)
		}
	}
	Walk(s.Root, visit)
	for _, p := range s.SubPlans {
		Walk(p.Root, visit)
	}
	for _, c := range s.CTEs {
		Walk(c.Root, visit)
	}
	return ok
}

func uniqueScan(n *plan.IndexScan) bool {
	if !n.Index.Unique || !n.Index.Immediate {
		return false
	}
	fixed := map[int]bool{}
	for _, c := range n.Conds {
		if c.Strategy == catalog.StrategyEqual && !c.Any {
			fixed[c.Column] = true
		}
	}
	return len(fixed) == len(n.Index.Keys)
}
