package optimize

import (
	"math"

	"manifold/engine/sql/query"
)

// island is a set of items whose joins may be done in any order that the outer joins among them allow; README.md draws it.
type island struct {
	items []*item
	quals []query.Expr // conditions over the joined rows
}

// item is a base relation, or a join that is planned on its own: the side of an outer join or a full join.
type item struct {
	set     relset
	rel     *rel
	full    *query.FromJoin // a full join
	quals   []query.Expr    // conditions over the rows of the full join
	inside  *island         // the item's own island
	join    query.JoinType  // Left, Semi or Anti when the item is the right side of such a join; else Inner
	on      []query.Expr
	left    relset // what has to be joined before, with join other than Inner
	lateral relset
	rows    float64
	paths   []*path
}

// collect adds a FROM item to an island.
func (l *level) collect(isl *island, it query.FromItem) {
	switch it := it.(type) {
	case *query.FromRef:
		isl.items = append(isl.items, &item{set: single(it.RTE), rel: l.baseRel(it.RTE)})
	case *query.FromJoin:
		switch it.Type {
		case query.JoinInner:
			l.collect(isl, it.Left)
			l.collect(isl, it.Right)
			isl.quals = append(isl.quals, conjuncts(it.On)...)
		case query.JoinLeft, query.JoinSemi, query.JoinAnti:
			l.collect(isl, it.Left)
			isl.items = append(isl.items, l.rightItem(it))
		case query.JoinFull:
			isl.items = append(isl.items, &item{set: itemRels(it), full: it, on: conjuncts(it.On)})
		}
	}
}

// rightItem makes the item of the right side of an outer, semi or anti join. Conditions of ON over it alone move into it.
func (l *level) rightItem(j *query.FromJoin) *item {
	i := &item{set: itemRels(j.Right), join: j.Type}
	inside := &island{}
	l.collect(inside, j.Right)
	for _, c := range conjuncts(j.On) {
		rels := exprRels(c)
		if !rels.empty() && rels.within(i.set) {
			inside.quals = append(inside.quals, c)
			continue
		}
		i.on = append(i.on, c)
		i.left = i.left.union(rels.minus(i.set))
	}
	if len(inside.items) == 1 && inside.items[0].rel != nil && inside.items[0].join == query.JoinInner {
		i.rel = inside.items[0].rel
		i.rel.quals = append(i.rel.quals, inside.quals...)
		return i
	}
	i.inside = inside
	return i
}

// joinRel is a set of joined items.
type joinRel struct {
	items uint64
	set   relset
	rows  float64
	paths []*path
}

// solve plans an island: the best paths for all of its items joined.
func (l *level) solve(isl *island) *joinRel {
	l.place(isl)
	for _, i := range isl.items {
		l.itemPaths(isl, i)
		if l.err != nil {
			return nil
		}
	}
	var r *joinRel
	switch n := len(isl.items); {
	case n == 0:
		p := &path{kind: pathOther, rows: 1, total: l.set.CPUTupleCost}
		r = &joinRel{rows: 1, paths: []*path{p}}
	case n == 1:
		r = &joinRel{items: 1, set: isl.items[0].set, rows: isl.items[0].rows, paths: isl.items[0].paths}
	case n <= max(2, min(l.set.JoinCollapseLimit, 10)):
		r = l.search(isl)
	default:
		r = l.greedy(isl)
	}
	l.memo = nil
	return r
}

// place gives the conditions over one item to that item, and adds `column = constant` for columns that are equal to a column
// that is equal to a constant.
func (l *level) place(isl *island) {
	isl.quals = l.propagate(isl)
	var keep []query.Expr
	for _, q := range isl.quals {
		rels := exprRels(q)
		placed := false
		for _, i := range isl.items {
			switch {
			case i.join != query.JoinInner || rels.empty() || !rels.within(i.set):
			case i.rel != nil:
				i.rel.quals = append(i.rel.quals, q)
				placed = true
			case i.full != nil:
				i.quals = append(i.quals, q)
				placed = true
			}
		}
		if !placed {
			keep = append(keep, q)
		}
	}
	isl.quals = keep
}

// propagate adds constants along equalities of columns.
func (l *level) propagate(isl *island) []query.Expr {
	out := isl.quals
	redundant := map[query.Expr]bool{}
	for round := 0; round < 4; round++ {
		added := false
		for _, q := range out {
			eq, ok := q.(*query.OpExpr)
			if !ok || len(eq.Args) != 2 || !l.operator(eq.Op).CanMerge {
				continue
			}
			v, c := eq.Args[0], eq.Args[1]
			if !exprRels(v).empty() == !exprRels(c).empty() {
				continue
			}
			if exprRels(v).empty() {
				v, c = c, v
			}
			if volatileExpr(c) || query.Any(c, isSubExpr) || v.Type() != c.Type() {
				continue
			}
			if _, plain := strip(v).(*query.Var); !plain {
				continue
			}
			for _, j := range out {
				n := l.derive(j, eq, v, c)
				if n == nil || !l.innerOnly(isl, n) || !l.innerOnly(isl, eq) {
					continue
				}
				redundant[j] = true // both of its sides equal the constant
				if !contains(out, n) {
					out = append(out, n)
					added = true
				}
			}
		}
		if !added {
			break
		}
	}
	var keep []query.Expr
	for _, q := range out {
		if !redundant[q] {
			keep = append(keep, q)
		}
	}
	return keep
}

// innerOnly tells whether a condition is over relations that no outer join of the island can null.
func (l *level) innerOnly(isl *island, e query.Expr) bool {
	rels := exprRels(e)
	for _, i := range isl.items {
		if i.join != query.JoinInner && i.set.meets(rels) {
			return false
		}
	}
	return true
}

// derive gives `other = c` when join is `v = other`, all of one type.
func (l *level) derive(join query.Expr, eq *query.OpExpr, v, c query.Expr) query.Expr {
	j, ok := join.(*query.OpExpr)
	if !ok || j == eq || len(j.Args) != 2 || j.Op != eq.Op || exprRels(j.Args[0]).empty() || exprRels(j.Args[1]).empty() {
		return nil
	}
	var other query.Expr
	switch {
	case same(j.Args[0], v):
		other = j.Args[1]
	case same(j.Args[1], v):
		other = j.Args[0]
	default:
		return nil
	}
	if other.Type() != c.Type() || exprRels(other).meets(exprRels(v)) {
		return nil
	}
	n := *j
	n.Args = []query.Expr{other, c}
	return &n
}

// itemPaths makes the paths of one item.
func (l *level) itemPaths(isl *island, i *item) {
	switch {
	case i.full != nil:
		l.fullJoin(i)
	case i.inside != nil:
		r := l.solve(i.inside)
		if l.err != nil {
			return
		}
		i.rows, i.paths = r.rows, l.withLeftover(i.inside, r)
	default:
		var joins []query.Expr
		if i.join == query.JoinInner {
			for _, q := range isl.quals {
				rels := exprRels(q)
				if rels.meets(i.set) && l.innerOnly(isl, q) && !volatileExpr(q) {
					joins = append(joins, q)
				}
			}
			joins = append(joins, semiClauses(isl, i)...)
		} else {
			joins = i.on
		}
		l.scanPaths(i.rel, joins)
		i.rows, i.paths = i.rel.rows, i.rel.paths
	}
	for _, p := range i.paths {
		i.lateral = i.lateral.union(p.need)
	}
	for _, p := range i.paths {
		i.lateral = i.lateral.and(p.need)
	}
	if i.join != query.JoinInner {
		for _, o := range isl.items {
			if o.join != query.JoinInner && o != i && o.set.meets(i.left.union(i.lateral)) {
				i.left = i.left.union(o.set)
			}
		}
	}
}

// withLeftover puts conditions that no join and no item of an island took (those without columns) over its paths.
func (l *level) withLeftover(isl *island, r *joinRel) []*path {
	var rest []query.Expr
	for _, q := range isl.quals {
		if rels := exprRels(q); rels.empty() || len(isl.items) == 1 {
			rest = append(rest, q)
		}
	}
	if len(rest) == 0 {
		return r.paths
	}
	r.rows = clampRows(r.rows * l.allSelectivity(rest))
	return l.filtered(r.paths, rest)
}

// filtered puts conditions over paths.
func (l *level) filtered(paths []*path, quals []query.Expr) []*path {
	if len(quals) == 0 {
		return paths
	}
	sel := l.allSelectivity(quals)
	out := make([]*path, len(paths))
	for i, p := range paths {
		out[i] = &path{kind: pathFilter, set: p.set, need: p.need, rows: clampRows(p.rows * sel), startup: p.startup,
			total: p.total + l.qualCost(quals)*p.rows, width: p.width, order: p.order, left: p, filter: quals}
	}
	return out
}

// fullJoin plans both sides of a full join and joins them by hashing.
func (l *level) fullJoin(i *item) {
	j := i.full
	left, right := &island{}, &island{}
	l.collect(left, j.Left)
	l.collect(right, j.Right)
	lr, rr := l.solve(left), l.solve(right)
	if l.err != nil {
		return
	}
	lr.paths, rr.paths = l.withLeftover(left, lr), l.withLeftover(right, rr)
	hash := l.hashClauses(i.on, lr.set, rr.set)
	if len(hash) == 0 && len(i.on) > 0 {
		l.unsupportedFull()
		return
	}
	sel := l.allSelectivity(i.on)
	i.rows = clampRows(math.Max(lr.rows*rr.rows*sel, math.Max(lr.rows, rr.rows)))
	a, b := l.cheapest(lr.paths, 0), l.cheapest(rr.paths, 0)
	if a == nil || b == nil {
		return
	}
	p := l.hashPath(a, b, query.JoinFull, i.on, nil, hash, i.rows)
	i.paths = []*path{p}
	if m := l.mergePath(a, b, query.JoinFull, i.on, nil, hash, i.rows); m != nil {
		i.paths = addPath(i.paths, m, false)
	}
	i.rows = clampRows(i.rows * l.allSelectivity(i.quals))
	i.paths = l.filtered(i.paths, i.quals)
}
