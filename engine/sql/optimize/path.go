package optimize

import (
	"math"

	"manifold/engine/base"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// rel is a base relation of a level while it is planned.
type rel struct {
	rte     int
	entry   *query.RangeEntry
	set     relset
	tuples  float64 // without conditions
	pages   float64
	rows    float64 // that pass quals
	quals   []query.Expr
	lateral relset // relations its rows are computed from
	sub     *built
	subNeed []need
	cte     *cteInfo
	attrs   map[int]bool // columns read anywhere in the level
	paths   []*path
}

// orderKey is one column of the order of a path's rows.
type orderKey struct {
	expr       query.Expr
	family     base.OID
	desc       bool
	nullsFirst bool
}

type pathKind uint8

const (
	pathSeq pathKind = iota
	pathIndex
	pathBitmap
	pathTid
	pathOther // functions, values, sub-selects, WITH queries
	pathNest
	pathHash
	pathMerge
	pathFilter // conditions over an input
	pathUnique // distinct keys of an input
)

// path is a way to compute some relations, with its costs; it is made a node only when it is chosen.
type path struct {
	kind     pathKind
	set      relset
	need     relset // relations whose values it takes as parameters
	rows     float64
	startup  float64
	total    float64
	width    float64
	order    []orderKey
	enforced []query.Expr // conditions that hold for its rows beyond those of its relations

	rel      *rel
	index    *relation.Index
	keys     []keyMatch
	filter   []query.Expr // conditions to test on the rows
	backward bool
	only     bool
	bitmap   *bitmapPath
	tids     []query.Expr
	tidArray bool
	cursor   string

	left, right *path
	join        query.JoinType
	on          []query.Expr
	hash        []hashClause
	merge       []hashClause
	sortLeft    bool
	sortRight   bool
	material    bool
}

// hashClause is an equality between the two sides of a join.
type hashClause struct {
	left, right query.Expr
	op          base.OID
	equal       base.OID // function
	family      base.OID
	expr        query.Expr
}

// keyMatch is a condition as an index column decides it.
type keyMatch struct {
	cond  plan.KeyCond
	expr  query.Expr
	exact bool
	eq    bool
}

type bitmapPath struct {
	index *relation.Index
	keys  []keyMatch
	and   []*bitmapPath
	or    []*bitmapPath
	rows  float64
	total float64
	exprs []query.Expr // what it decides
	lossy bool
}

// addPath keeps a path unless another one is as good in every respect, and drops those that it beats.
func addPath(list []*path, p *path, startupMatters bool) []*path {
	for _, o := range list {
		if o.need.within(p.need) && o.total <= p.total*1.0000001 && (!startupMatters || o.startup <= p.startup) && covers(o.order, p.order) &&
			(o.rows <= p.rows || o.need.empty() && p.need.empty()) {
			return list
		}
	}
	out := list[:0:0]
	for _, o := range list {
		if p.need.within(o.need) && p.total <= o.total && (!startupMatters || p.startup <= o.startup) && covers(p.order, o.order) &&
			(p.rows <= o.rows || o.need.empty() && p.need.empty()) {
			continue
		}
		out = append(out, o)
	}
	return append(out, p)
}

// covers tells whether rows in order a are also in order b.
func covers(a, b []orderKey) bool {
	if len(b) > len(a) {
		return false
	}
	for i := range b {
		if !sameKey(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameKey(a, b orderKey) bool {
	return a.desc == b.desc && a.nullsFirst == b.nullsFirst && (a.family == b.family || a.family == 0 || b.family == 0) &&
		same(strip(a.expr), strip(b.expr))
}

// satisfies tells whether rows in order have serve the wanted order, where known expressions are constant.
func (l *level) satisfies(have, want []orderKey) bool {
	i := 0
	for _, w := range want {
		if contains(l.known, w.expr) {
			continue
		}
		for i < len(have) && !sameKey(have[i], w) && contains(l.known, have[i].expr) {
			i++
		}
		if i >= len(have) || !sameKey(have[i], w) {
			return false
		}
		i++
	}
	return true
}

// cheapest gives the path without parameters that costs least to read `rows` rows of (zero for all).
func (l *level) cheapest(list []*path, fraction float64) *path {
	var best *path
	for _, p := range list {
		if best == nil || l.costOf(p, fraction) < l.costOf(best, fraction) {
			best = p
		}
	}
	return best
}

// costOf gives the cost of a part of a path's rows.
func (l *level) costOf(p *path, fraction float64) float64 {
	return partCost(p.startup, p.total, p.rows, fraction)
}

func partCost(startup, total, rows, fraction float64) float64 {
	switch {
	case fraction <= 0:
		return total
	case fraction >= 1:
		fraction /= math.Max(rows, 1)
	}
	return startup + (total-startup)*math.Min(fraction, 1)
}
