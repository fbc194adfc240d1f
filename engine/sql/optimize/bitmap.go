package optimize

import (
	"math"

	"manifold/engine/relation"
	"manifold/engine/sql/query"
)

// bitmapOf prices collecting the addresses that an index yields.
func (l *level) bitmapOf(x *relation.Index, r *rel, m []keyMatch) *bitmapPath {
	b := &bitmapPath{index: x, keys: m}
	for _, k := range m {
		b.exprs = append(b.exprs, k.expr)
		b.lossy = b.lossy || !k.exact
	}
	sel := l.allSelectivity(b.exprs)
	if l.uniqueMatch(x, m) {
		sel = math.Min(sel, 1/math.Max(r.tuples, 1))
	}
	_, b.total, b.rows = l.indexAccess(x, r, m, sel, 1)
	b.total += 0.1 * l.set.CPUOperatorCost * b.rows
	return b
}

// bitmapPaths adds the paths over one bitmap, over the intersection of several, and over the arms of ORs.
func (l *level) bitmapPaths(r *rel, list []*bitmapPath) {
	for _, q := range r.quals {
		if b, ok := q.(*query.BoolExpr); ok && b.Op == query.Or {
			if or := l.bitmapOr(r, b); or != nil {
				list = append(list, or)
			}
		}
	}
	var best, cheapest *bitmapPath
	for _, b := range list {
		l.addBitmap(r, b)
		if best == nil || b.rows < best.rows {
			best, cheapest = b, b
		}
	}
	if len(list) < 2 {
		return
	}
	and := &bitmapPath{and: []*bitmapPath{best}, exprs: best.exprs, total: cheapest.total, lossy: best.lossy}
	sel := best.rows / math.Max(r.tuples, 1)
	for _, b := range list {
		if b == best || overlap(and.exprs, b.exprs) {
			continue
		}
		and.and = append(and.and, b)
		and.exprs = append(append([]query.Expr(nil), and.exprs...), b.exprs...)
		and.total += b.total + 100*l.set.CPUOperatorCost
		and.lossy = and.lossy || b.lossy
		sel *= b.rows / math.Max(r.tuples, 1)
		and.rows = sel * r.tuples
		c := *and
		c.and = append([]*bitmapPath(nil), and.and...)
		l.addBitmap(r, &c)
	}
}

func overlap(a, b []query.Expr) bool {
	for _, e := range b {
		if containsExpr(a, e) {
			return true
		}
	}
	return false
}

// bitmapOr makes the union of what indexes yield for each arm of an OR; nil when an arm has no index.
func (l *level) bitmapOr(r *rel, o *query.BoolExpr) *bitmapPath {
	out := &bitmapPath{exprs: []query.Expr{o}, lossy: true}
	for _, arm := range o.Args {
		var best *bitmapPath
		for _, x := range r.entry.Rel.Indexes {
			if !x.Valid || x.Predicate != "" {
				continue
			}
			if m := l.matchIndex(x, r, l.indexKeys(x, r), conjuncts(arm), nil); len(m) > 0 {
				if b := l.bitmapOf(x, r, m); best == nil || b.total < best.total {
					best = b
				}
			}
		}
		if best == nil {
			return nil
		}
		out.or = append(out.or, best)
		out.rows += best.rows
		out.total += best.total + 100*l.set.CPUOperatorCost
	}
	out.rows = math.Min(out.rows, r.tuples)
	return out
}

func (l *level) addBitmap(r *rel, b *bitmapPath) {
	s := &l.set
	n := math.Max(1, b.rows)
	pages := l.pagesFetched(n, r.pages)
	each := s.RandomPageCost
	if pages >= 2 {
		each = s.RandomPageCost - (s.RandomPageCost-s.SeqPageCost)*math.Sqrt(pages/math.Max(r.pages, 1))
	}
	p := &path{kind: pathBitmap, rel: r, set: r.set, bitmap: b, width: l.relWidth(r), startup: b.total}
	for _, q := range r.quals {
		if !containsExpr(b.exprs, q) {
			p.filter = append(p.filter, q)
		}
	}
	p.rows = clampRows(math.Min(n, r.tuples) * l.allSelectivity(p.filter))
	p.total = b.total + pages*each + n*(s.CPUTupleCost+l.qualCost(r.quals))
	r.paths = addPath(r.paths, p, true)
}
