package optimize

import (
	"math"

	"manifold/engine/relation"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// The formulas are those of PostgreSQL's costsize.c, read and written down anew, with its settings.

// exprCost estimates the cost of evaluating an expression once.
func (l *level) exprCost(e query.Expr) float64 {
	c := 0.0
	query.Walk(e, func(x query.Expr) bool {
		switch x := x.(type) {
		case *query.OpExpr, *query.DistinctExpr, *query.NullIf, *query.CoerceViaIO, *query.MinMax:
			c += l.set.CPUOperatorCost
		case *query.FuncExpr:
			c += math.Max(l.proc(x.Func).Cost, 1) * l.set.CPUOperatorCost
		case *query.ArrayOp:
			c += 5 * l.set.CPUOperatorCost
		case *query.SubExpr:
			if x.Plan < len(l.stmt.SubPlans) && l.stmt.SubPlans[x.Plan].Root != nil {
				s := l.stmt.SubPlans[x.Plan]
				if s.Hashed {
					c += l.set.CPUOperatorCost
				} else {
					c += s.Root.Common().Total
				}
			}
		}
		return true
	})
	return c
}

func (l *level) qualCost(list []query.Expr) float64 {
	c := 0.0
	for _, e := range list {
		c += l.exprCost(e)
	}
	return c
}

// size finds the pages and rows of a table.
func (l *level) size(d *relation.Desc) (pages, tuples float64) {
	s := l.statistics(d.OID)
	pages = s.Pages
	if l.opt.Blocks != nil {
		pages = l.opt.Blocks(d)
	}
	if pages < 10 && s.Rows < 0 {
		pages = 10
	}
	if pages == 0 {
		return 0, 0
	}
	if s.Rows >= 0 && s.Pages > 0 {
		return pages, math.Round(s.Rows / s.Pages * pages)
	}
	w := 0.0
	for i := range d.Columns {
		if !d.Columns[i].Dropped {
			w += float64(l.typeWidth(d.Columns[i].Type, d.Columns[i].Typmod))
		}
	}
	return pages, math.Floor(8168 / (w + 28) * pages)
}

// width estimates the bytes of an expression's values.
func (l *level) width(e query.Expr) int {
	if s := l.columnStats(e); s != nil && s.Width > 0 {
		return int(s.Width)
	}
	return l.typeWidth(e.Type(), e.Typmod())
}

func (l *level) typeWidth(typ oid, mod int32) int {
	if i, ok := types.Lookup(typ); ok && i.Typlen > 0 {
		return int(i.Typlen)
	}
	if n := l.typeLen(typ); n > 0 {
		return int(n)
	}
	switch typ {
	case types.OIDBPChar:
		if mod > 4 {
			return int(mod)
		}
	case types.OIDVarChar:
		if mod > 4 {
			if mod-4 <= 32 {
				return int(mod)
			}
			if mod-4 < 1000 {
				return int(32 + (mod-4-32)/2)
			}
			return 32 + (1000-32)/2
		}
	}
	return 32
}

// pagesFetched is the approximation of Mackert and Lohman: distinct pages read by `tuples` random accesses.
func (l *level) pagesFetched(tuples, pages float64) float64 {
	t := math.Max(pages, 1)
	b := math.Max(l.set.EffectiveCacheSize, 1)
	var n float64
	if t <= b {
		n = math.Min(2*t*tuples/(2*t+tuples), t)
	} else if lim := 2 * t * b / (2*t - b); tuples <= lim {
		n = 2 * t * tuples / (2*t + tuples)
	} else {
		n = b + (tuples-lim)*(t-b)/t
	}
	return math.Ceil(n)
}

// indexPages guesses the pages of an index.
func (l *level) indexPages(x *relation.Index, tuples float64) float64 {
	if l.opt.Blocks != nil && x.Desc != nil {
		if n := l.opt.Blocks(x.Desc); n > 0 {
			return n
		}
	}
	w := 16.0
	for _, k := range x.Keys {
		w += float64(l.typeWidth(k.Type, -1))
	}
	return math.Max(1, math.Ceil(tuples*w/(8168*0.9)))
}

// indexAccess estimates reading a share of an index: its start-up and total cost, and the entries read.
func (l *level) indexAccess(x *relation.Index, r *rel, keys []keyMatch, sel, loops float64) (startup, total, entries float64) {
	s := &l.set
	entries = math.Max(1, math.Round(sel*r.tuples))
	pages := l.indexPages(x, r.tuples)
	read := 1.0
	if pages > 1 && r.tuples > 1 {
		read = math.Ceil(entries * pages / r.tuples)
	}
	scans := 1.0
	for _, k := range keys {
		if k.cond.Any {
			scans = math.Min(math.Max(1, l.arrayLen(k.cond.Value)), entries)
		}
	}
	if loops > 1 || scans > 1 {
		total = l.pagesFetched(read*loops*1, pages) * s.RandomPageCost / math.Max(loops, 1)
	} else {
		total = read * s.RandomPageCost
	}
	cost := float64(len(keys)) * s.CPUOperatorCost
	total += entries * (s.CPUIndexTupleCost + cost)
	if r.tuples > 1 {
		down := math.Ceil(math.Log2(r.tuples)) * s.CPUOperatorCost
		startup += down
		total += scans * down
	}
	height := 0.0
	for p := pages; p > 300; p /= 300 {
		height++
	}
	if pages > 1 && height == 0 {
		height = 1
	}
	down := (height + 1) * 50 * s.CPUOperatorCost
	startup += down
	total += scans * down
	return startup, total, entries
}

func (l *level) arrayLen(e query.Expr) float64 {
	switch x := e.(type) {
	case *query.ArrayExpr:
		return float64(len(x.Elems))
	case *query.Const:
		if v, ok := l.value(x); ok && !v.Null {
			return float64(arrayCount(v))
		}
	}
	return 10
}

// heapFetch estimates fetching n rows of a table by an index of a given correlation with its order.
func (l *level) heapFetch(r *rel, n, correlation, loops, visible float64) float64 {
	s := &l.set
	var most, least float64
	share := n / math.Max(r.tuples, 1)
	if loops > 1 {
		most = math.Ceil(l.pagesFetched(n*loops, r.pages)*visible) * s.RandomPageCost / loops
		least = math.Ceil(l.pagesFetched(math.Ceil(share*r.pages)*loops, r.pages)*visible) * s.RandomPageCost / loops
	} else {
		most = math.Ceil(l.pagesFetched(n, r.pages)*visible) * s.RandomPageCost
		if p := math.Ceil(share * r.pages * visible); p > 0 {
			least = s.RandomPageCost + (p-1)*s.SeqPageCost
		}
	}
	return most + correlation*correlation*(least-most)
}

// sortCost estimates sorting rows; a positive limit bounds what is kept.
func (p *planner) sortCost(rows, width, limit float64) (startup, run float64) {
	s := &p.set
	rows = math.Max(rows, 2)
	cmp := 2 * s.CPUOperatorCost
	out := rows
	if limit > 0 && limit < rows {
		out = limit
	}
	bytes, outBytes := rows*(width+24), out*(width+24)
	switch {
	case outBytes > s.WorkMem:
		pages := math.Ceil(bytes / 8192)
		runs := bytes / s.WorkMem
		order := math.Max(6, s.WorkMem/(3*8192))
		passes := 1.0
		if runs > order {
			passes = math.Ceil(math.Log(runs) / math.Log(order))
		}
		startup = cmp*rows*math.Log2(rows) + 2*pages*passes*(s.SeqPageCost*0.75+s.RandomPageCost*0.25)
	case rows > 2*out || bytes > s.WorkMem:
		startup = cmp * rows * math.Log2(2*out)
	default:
		startup = cmp * rows * math.Log2(rows)
	}
	return startup, s.CPUOperatorCost * rows
}

func arrayCount(v types.Datum) int {
	a := types.OpenArray(v)
	return a.Len()
}
