package optimize

import (
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// uniqueOuter adds to r the paths that compute a semi join from its right side: the distinct keys of b drive a nested loop
// over paths of a that take them as parameters. It serves a small right side and a large, indexed left one.
func (l *level) uniqueOuter(r, a, b *joinRel, on, filter []query.Expr) {
	hash := l.hashClauses(on, a.set, b.set)
	if len(hash) == 0 || len(hash) != len(on) || !l.set.EnableHashAgg {
		return
	}
	for _, h := range hash {
		if _, plain := h.right.(*query.Var); !plain {
			return // the loop passes columns, not what is computed from them
		}
	}
	var u *path
	for _, q := range a.paths {
		if !q.need.meets(b.set) || !q.need.within(b.set) {
			continue
		}
		if u == nil {
			in := l.cheapestFree(b, a.set)
			if in == nil || !in.need.empty() {
				return
			}
			u = l.uniquePath(in, b.set, hash)
		}
		if n := l.nestPath(u, q, query.JoinInner, on, filter, r.rows); n != nil {
			r.paths = addPath(r.paths, n, l.eager)
		}
	}
}

func (l *level) uniquePath(in *path, set relset, hash []hashClause) *path {
	var keys []query.Expr
	for _, h := range hash {
		keys = append(keys, h.right)
	}
	groups := l.groups(keys, in.rows)
	total := in.total + in.rows*l.set.CPUOperatorCost*float64(len(keys))
	return &path{kind: pathUnique, set: set, left: in, hash: hash, rows: groups, startup: total, total: total + groups*l.set.CPUTupleCost, width: in.width}
}

func (l *level) buildUnique(p *path) built {
	need := &vars{}
	var exprs []query.Expr
	for _, h := range p.hash {
		if l.find(exprs, h.right) < 0 {
			exprs = append(exprs, h.right)
		}
	}
	need.addAll(exprs)
	b := l.project(l.build(p.left, need), exprs)
	n := &plan.Agg{Strategy: plan.AggHashed, Child: b.node}
	for i, e := range exprs {
		for _, h := range p.hash {
			if h.right == e {
				n.Group = append(n.Group, plan.SortKey{Column: i, Equal: h.op})
				break
			}
		}
	}
	return l.finish(built{n, exprs}, p.startup, p.total, p.rows)
}

// semiClauses gives the conditions of semi joins that a relation on their left could be looked up by.
func semiClauses(isl *island, i *item) []query.Expr {
	var out []query.Expr
	for _, o := range isl.items {
		if o.join != query.JoinSemi {
			continue
		}
		for _, e := range o.on {
			if c, ok := e.(*query.OpExpr); ok && exprRels(c).meets(i.set) && exprRels(c).within(i.set.union(o.set)) {
				out = append(out, e)
			}
		}
	}
	return out
}
