package optimize

import (
	"math"
	"math/bits"

	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

func (l *level) unsupportedFull() {
	l.fail(pgerror.New(pgerror.FeatureNotSupported, "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions"))
}

// search finds the best join order by dynamic programming over sets of items.
func (l *level) search(isl *island) *joinRel {
	n := len(isl.items)
	best := make(map[uint64]*joinRel, 1<<n)
	for i, it := range isl.items {
		best[1<<i] = &joinRel{items: 1 << i, set: it.set, rows: it.rows, paths: it.paths}
	}
	full := uint64(1)<<n - 1
	for size := 2; size <= n; size++ {
		for m := uint64(1); m <= full; m++ {
			if bits.OnesCount64(m) != size {
				continue
			}
			for _, cross := range []bool{false, true} {
				var r *joinRel
				for s := (m - 1) & m; s > 0; s = (s - 1) & m {
					a, b := best[s], best[m^s]
					if a == nil || b == nil || !cross && !l.linked(isl, a, b) {
						continue
					}
					r = l.joinPair(isl, r, a, b)
				}
				if r != nil {
					best[m] = r
					break
				}
			}
		}
		if l.err != nil {
			return nil
		}
	}
	if best[full] == nil {
		l.fail(pgerror.Newf(pgerror.InternalError, "failed to build any %d-way joins", n))
	}
	return best[full]
}

// greedy joins, again and again, the pair that gives the fewest rows, connected ones first.
func (l *level) greedy(isl *island) *joinRel {
	var live []*joinRel
	for i, it := range isl.items {
		if i >= 64 {
			l.unsupported("a join of more than 64 relations")
			return nil
		}
		live = append(live, &joinRel{items: 1 << i, set: it.set, rows: it.rows, paths: it.paths})
	}
	for len(live) > 1 {
		var best *joinRel
		var bi, bj int
		for _, cross := range []bool{false, true} {
			for i := range live {
				for j := range live {
					if i == j || !cross && !l.linked(isl, live[i], live[j]) {
						continue
					}
					r := l.joinPair(isl, nil, live[i], live[j])
					if r != nil && (best == nil || r.rows < best.rows || r.rows == best.rows && l.cheapest(r.paths, 0).total < l.cheapest(best.paths, 0).total) {
						best, bi, bj = r, i, j
					}
				}
			}
			if best != nil {
				break
			}
		}
		if best == nil {
			l.fail(pgerror.Newf(pgerror.InternalError, "failed to build any %d-way joins", len(live)))
			return nil
		}
		best = l.joinPair(isl, best, live[bj], live[bi])
		var rest []*joinRel
		for k := range live {
			if k != bi && k != bj {
				rest = append(rest, live[k])
			}
		}
		live = append(rest, best)
	}
	return live[0]
}

// special gives the item when a set is a single item that is joined by an outer, semi or anti join.
func special(isl *island, r *joinRel) *item {
	if bits.OnesCount64(r.items) != 1 {
		return nil
	}
	if it := isl.items[bits.TrailingZeros64(r.items)]; it.join != query.JoinInner {
		return it
	}
	return nil
}

// linked tells whether a condition or a lateral reference connects two sets.
func (l *level) linked(isl *island, a, b *joinRel) bool {
	both := a.set.union(b.set)
	for _, q := range isl.quals {
		if rels := l.relsOf(q); rels.within(both) && rels.meets(a.set) && rels.meets(b.set) {
			return true
		}
	}
	if it := special(isl, b); it != nil {
		return it.left.empty() || it.left.meets(a.set)
	}
	if it := special(isl, a); it != nil {
		return it.left.empty() || it.left.meets(b.set)
	}
	for i, it := range isl.items {
		if b.items>>i&1 != 0 && it.lateral.meets(a.set) || a.items>>i&1 != 0 && it.lateral.meets(b.set) {
			return true
		}
	}
	return false
}

// joinPair adds the paths that join a (outer) with b (inner) to r; r stays as it is when that join is not legal.
func (l *level) joinPair(isl *island, r, a, b *joinRel) *joinRel {
	if special(isl, a) != nil {
		return r
	}
	both := a.set.union(b.set)
	join := query.JoinInner
	var on, filter []query.Expr
	it := special(isl, b)
	if it != nil {
		if !it.left.within(a.set) {
			return r
		}
		join = it.join
		on = it.on
	}
	for _, q := range isl.quals {
		rels := l.relsOf(q)
		if rels.empty() || !rels.within(both) || rels.within(a.set) || it == nil && rels.within(b.set) {
			continue
		}
		if it == nil {
			on = append(on[:len(on):len(on)], q)
		} else {
			filter = append(filter, q)
		}
	}
	set := both
	if r == nil {
		r = &joinRel{items: a.items | b.items, set: set, rows: l.joinRows(a, b, join, on, filter)}
	}
	before := len(r.paths)
	l.joinPaths(r, a, b, join, on, filter)
	if join == query.JoinSemi {
		l.uniqueOuter(r, a, b, on, filter)
	}
	if len(r.paths) == 0 && before == 0 {
		return nil
	}
	return r
}

func (l *level) joinRows(a, b *joinRel, join query.JoinType, on, filter []query.Expr) float64 {
	sel := l.joinSel(on)
	inner := a.rows * b.rows * sel
	var rows float64
	switch join {
	case query.JoinLeft:
		rows = math.Max(inner, a.rows)
	case query.JoinSemi:
		rows = a.rows * l.semiShare(b, on, sel)
	case query.JoinAnti:
		rows = a.rows * (1 - l.semiShare(b, on, sel))
	default:
		rows = inner
	}
	return clampRows(rows * l.allSelectivity(filter))
}

// joinSel multiplies the selectivities of join conditions, each of which is estimated once.
func (l *level) joinSel(on []query.Expr) float64 {
	s := 1.0
	for _, e := range on {
		f := l.factsOf(e)
		if f.sel < 0 {
			f.sel = l.selectivity(e)
		}
		s *= f.sel
	}
	return s
}

// joinCost sums the costs of conditions.
func (l *level) joinCost(on []query.Expr) float64 {
	c := 0.0
	for _, e := range on {
		f := l.factsOf(e)
		if f.cost < 0 {
			f.cost = l.exprCost(e)
		}
		c += f.cost
	}
	return c
}

// semiShare estimates the share of outer rows that have a match.
func (l *level) semiShare(b *joinRel, on []query.Expr, sel float64) float64 {
	share := 1.0
	found := false
	for _, q := range on {
		o, ok := q.(*query.OpExpr)
		if !ok || len(o.Args) != 2 || l.operator(o.Op).Rest != estEq {
			continue
		}
		outer, inner := o.Args[0], o.Args[1]
		if exprRels(outer).meets(b.set) {
			outer, inner = inner, outer
		}
		no, _ := l.distinct(outer)
		ni, _ := l.distinct(inner)
		share = math.Min(share, math.Min(ni, b.rows)/math.Max(no, 1))
		found = true
	}
	if !found {
		return clamp01(math.Min(0.5, b.rows*sel))
	}
	return clamp01(share)
}

// hashClauses picks the equalities between two sides that hashing can decide.
func (l *level) hashClauses(on []query.Expr, left, right relset) []hashClause {
	var out []hashClause
	for _, q := range on {
		o, ok := q.(*query.OpExpr)
		if !ok || len(o.Args) != 2 || volatileExpr(q) {
			continue
		}
		a, b := o.Args[0], o.Args[1]
		ra, rb := l.relsOf(a), l.relsOf(b)
		if ra.empty() || rb.empty() {
			continue
		}
		op := o.Op
		switch {
		case ra.within(left) && rb.within(right):
		case rb.within(left) && ra.within(right):
			a, b = b, a
			if op = l.operator(o.Op).Commutator; op == 0 {
				continue
			}
		default:
			continue
		}
		c := l.operator(op)
		if !c.CanHash || c.Left != c.Right && !(integer(c.Left) && integer(c.Right)) {
			continue
		}
		family, _ := l.btreeFamily(op)
		out = append(out, hashClause{left: a, right: b, op: op, equal: c.Code, family: family, expr: q})
	}
	return out
}

// joinPaths adds the ways to join two sets.
func (l *level) joinPaths(r, a, b *joinRel, join query.JoinType, on, filter []query.Expr) {
	hash := l.hashClauses(on, a.set, b.set)
	for _, p := range l.outers(a.paths) {
		if p.need.meets(b.set) {
			continue
		}
		for _, q := range b.paths {
			if n := l.nestPath(p, q, join, on, filter, r.rows); n != nil {
				r.paths = addPath(r.paths, n, l.eager)
			}
		}
	}
	if len(hash) == 0 {
		return
	}
	p, q := l.cheapestFree(a, b.set), l.cheapestFree(b, a.set)
	if p == nil || q == nil {
		return
	}
	r.paths = addPath(r.paths, l.hashPath(p, q, join, on, filter, hash, r.rows), l.eager)
	if join == query.JoinLeft { // build the table of the preserved side
		r.paths = addPath(r.paths, l.hashPath(q, p, query.JoinRight, on, filter, swapClauses(l, hash), r.rows), l.eager)
	}
	if m := l.mergePath(p, q, join, on, filter, hash, r.rows); m != nil {
		r.paths = addPath(r.paths, m, l.eager)
	}
}

// integer tells whether values of a type hash as the number they are, whatever its width.
func integer(typ oid) bool {
	return typ == types.OIDInt2 || typ == types.OIDInt4 || typ == types.OIDInt8
}

// outers picks the paths that are worth driving a nested loop: the cheapest, the quickest to start, and those in an order
// that is wanted.
func (l *level) outers(list []*path) []*path {
	if len(list) < 3 {
		return list
	}
	var out []*path
	cheap, quick := list[0], list[0]
	for _, p := range list {
		if p.total < cheap.total && (p.need.empty() || !cheap.need.empty()) {
			cheap = p
		}
		if p.startup < quick.startup && p.need.empty() {
			quick = p
		}
		if len(p.order) > 0 && p.need.empty() {
			out = append(out, p)
		}
	}
	out = append(out, cheap)
	if l.eager && quick != cheap {
		out = append(out, quick)
	}
	return out
}

func swapClauses(l *level, h []hashClause) []hashClause {
	out := make([]hashClause, len(h))
	for i, c := range h {
		out[i] = c
		out[i].left, out[i].right = c.right, c.left
		if o := l.operator(c.op).Commutator; o != 0 {
			out[i].op, out[i].equal = o, l.operator(o).Code
		}
	}
	return out
}

// cheapestFree gives the cheapest path that takes nothing from the other side.
func (l *level) cheapestFree(r *joinRel, other relset) *path {
	var best *path
	for _, p := range r.paths {
		if !p.need.meets(other) && (best == nil || p.total < best.total) {
			best = p
		}
	}
	if best != nil && !best.need.empty() {
		for _, p := range r.paths {
			if p.need.empty() {
				return l.cheapest(freePaths(r.paths), 0)
			}
		}
	}
	return best
}

func freePaths(list []*path) []*path {
	var out []*path
	for _, p := range list {
		if p.need.empty() {
			out = append(out, p)
		}
	}
	return out
}

// nestPath runs q once for each row of p. Parameters of q that p does not give stay open only when every way to compute q
// needs them.
func (l *level) nestPath(p, q *path, join query.JoinType, on, filter []query.Expr, rows float64) *path {
	need := p.need.union(q.need).minus(p.set)
	if !need.empty() && !(p.kind == pathOther || q.kind == pathOther || openNeed(p) || openNeed(q)) {
		return nil
	}
	rest := on[:0:0]
	for _, e := range on {
		if !containsExpr(q.enforced, e) {
			rest = append(rest, e)
		}
	}
	s := &l.set
	n := &path{kind: pathNest, set: p.set.union(q.set), need: need, rows: rows, left: p, right: q, join: join, on: rest, filter: filter,
		width: p.width + q.width, order: l.usefulOrder(p.order)}
	rerun := q.total
	first := q.total
	if !q.need.meets(p.set) && s.EnableMaterial {
		bytes := q.rows * (q.width + 24)
		again := 2 * s.CPUOperatorCost * q.rows
		once := q.total + 2*s.CPUOperatorCost*q.rows
		if bytes > s.WorkMem {
			again += math.Ceil(bytes/8192) * s.SeqPageCost
			once += math.Ceil(bytes/8192) * s.SeqPageCost
		}
		if p.rows > 1 && once+again*(p.rows-1) < q.total*p.rows {
			n.material, rerun, first = true, again, once
		}
	}
	pairs := p.rows * q.rows
	if join == query.JoinSemi || join == query.JoinAnti {
		pairs = p.rows * math.Max(1, q.rows/2)
		rerun = q.startup + (rerun-q.startup)/2
		if n.material {
			rerun = 2 * s.CPUOperatorCost * q.rows / 2
		}
		n.set = p.set
		n.width = p.width
	}
	n.startup = p.startup + q.startup
	n.total = p.total + first + rerun*math.Max(0, p.rows-1) + pairs*(s.CPUTupleCost+l.joinCost(rest)) + rows*l.joinCost(filter)
	if !s.EnableNestLoop {
		n.startup, n.total = n.startup+1e10, n.total+1e10
	}
	return n
}

// openNeed tells whether a path is inside a lateral item, whose parameters come from further out.
func openNeed(p *path) bool {
	switch p.kind {
	case pathOther:
		return !p.need.empty()
	case pathNest, pathHash, pathMerge:
		return openNeed(p.left) || openNeed(p.right)
	case pathFilter:
		return openNeed(p.left)
	}
	return false
}

// hashPath builds a table of q's rows and probes it with p's.
func (l *level) hashPath(p, q *path, join query.JoinType, on, filter []query.Expr, hash []hashClause, rows float64) *path {
	s := &l.set
	n := &path{kind: pathHash, set: p.set.union(q.set), need: p.need.union(q.need), rows: rows, left: p, right: q, join: join, filter: filter,
		hash: hash, width: p.width + q.width}
	for _, e := range on {
		found := false
		for _, h := range hash {
			found = found || h.expr == e
		}
		if !found {
			n.on = append(n.on, e)
		}
	}
	if join == query.JoinSemi || join == query.JoinAnti {
		n.set, n.width = p.set, p.width
	}
	keys := float64(len(hash))
	n.startup = q.total + q.rows*(s.CPUOperatorCost*keys+s.CPUTupleCost) + p.startup
	run := p.total - p.startup + p.rows*s.CPUOperatorCost*keys
	buckets := math.Max(1, q.rows)
	for _, h := range hash {
		if d, ok := l.distinct(h.right); ok {
			buckets = math.Min(buckets, math.Max(d, 1))
		} else {
			buckets = math.Min(buckets, math.Max(q.rows*0.1, 1))
		}
		break
	}
	perBucket := q.rows / buckets
	run += p.rows * perBucket * 0.5 * s.CPUOperatorCost * keys
	if bytes := q.rows * (q.width + 24); bytes > l.hashMem() {
		n.startup += math.Ceil(bytes/8192) * s.SeqPageCost
		run += (math.Ceil(bytes/8192) + 2*math.Ceil(p.rows*(p.width+24)/8192)) * s.SeqPageCost
	}
	run += rows * (s.CPUTupleCost + l.joinCost(n.on) + l.joinCost(filter))
	n.total = n.startup + run
	if !s.EnableHashJoin {
		n.startup, n.total = n.startup+1e10, n.total+1e10
	}
	return n
}

// mergePath joins two inputs in the order of their keys; sorts are added where an input has not that order.
func (l *level) mergePath(p, q *path, join query.JoinType, on, filter []query.Expr, hash []hashClause, rows float64) *path {
	var keys []hashClause
	for _, h := range hash {
		if h.family != 0 && h.left.Type() == h.right.Type() && l.operator(h.op).CanMerge {
			keys = append(keys, h)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	s := &l.set
	n := &path{kind: pathMerge, set: p.set.union(q.set), need: p.need.union(q.need), rows: rows, left: p, right: q, join: join, filter: filter,
		merge: keys, width: p.width + q.width}
	var lo, ro []orderKey
	for _, k := range keys {
		lo = append(lo, orderKey{expr: k.left, family: k.family})
		ro = append(ro, orderKey{expr: k.right, family: k.family})
	}
	for _, e := range on {
		found := false
		for _, h := range keys {
			found = found || h.expr == e
		}
		if !found {
			n.on = append(n.on, e)
		}
	}
	if join == query.JoinSemi || join == query.JoinAnti {
		n.set, n.width = p.set, p.width
	}
	cost := func(x *path, order []orderKey, sort *bool) (startup, total float64) {
		if covers(x.order, order) {
			return x.startup, x.total
		}
		*sort = true
		a, b := l.sortCost(x.rows, x.width, 0)
		return x.total + a, x.total + a + b
	}
	ls, lt := cost(p, lo, &n.sortLeft)
	rs, rt := cost(q, ro, &n.sortRight)
	n.startup = ls + rs
	n.total = lt + rt + (p.rows+q.rows)*s.CPUOperatorCost*float64(len(keys)) + rows*(s.CPUTupleCost+l.joinCost(n.on)+l.joinCost(filter))
	if join != query.JoinFull {
		n.order = l.usefulOrder(lo)
	}
	if !s.EnableMergeJoin {
		n.startup, n.total = n.startup+1e10, n.total+1e10
	}
	return n
}
