package optimize

import (
	"math"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

type oid = base.OID

// baseRel makes a base relation of the level with its size, before conditions.
func (l *level) baseRel(rte int) *rel {
	if r := l.rels[rte]; r != nil {
		return r
	}
	e := l.q.Range[rte-1]
	r := &rel{rte: rte, entry: e, set: single(rte), attrs: map[int]bool{}}
	l.rels[rte] = r
	switch e.Kind {
	case query.RangeRelation:
		if e.Rel == nil {
			l.fail(pgerror.Newf(pgerror.InternalError, "range table entry %d has no relation", rte))
			return r
		}
		r.pages, r.tuples = l.size(e.Rel)
	case query.RangeFunction:
		r.tuples = 1
		for _, f := range e.Funcs {
			r.lateral = r.lateral.union(exprRels(f))
			if c, ok := f.(*query.FuncExpr); ok && c.RetSet {
				r.tuples = math.Max(r.tuples, math.Max(1, l.proc(c.Func).Rows))
			}
		}
	case query.RangeValues:
		r.tuples = float64(len(e.Values))
		for _, row := range e.Values {
			for _, x := range row {
				r.lateral = r.lateral.union(exprRels(x))
			}
		}
	case query.RangeCTE:
		if e.SelfRef {
			r.tuples = 100
			break
		}
		if r.cte = l.findCTE(e); r.cte == nil {
			l.fail(pgerror.Newf(pgerror.InternalError, "WITH query \"%s\" is missing", e.CTE))
			return r
		}
		r.tuples = r.cte.rows
	case query.RangeResult:
		r.tuples = 1
	}
	return r
}

// subRel plans the sub-select of a base relation, with the conditions that may move into it.
func (l *level) subRel(r *rel) {
	if r.entry.Kind != query.RangeSubquery || r.sub != nil {
		return
	}
	sub := l.newLevel(l, r.entry.Sub)
	r.quals = l.pushInto(r, r.quals, sub)
	b := sub.plan(0)
	if l.err != nil {
		return
	}
	r.sub, r.subNeed = &b, sub.needs
	for _, n := range sub.needs {
		if n.owner == l {
			r.lateral = r.lateral.union(exprRels(n.expr))
		}
	}
	r.tuples = b.node.Common().Rows
}

// pushInto moves conditions on a sub-select's columns into it and gives the rest.
func (l *level) pushInto(r *rel, quals []query.Expr, sub *level) []query.Expr {
	q := r.entry.Sub
	var rest []query.Expr
	for _, c := range quals {
		if l.pushOne(q, r.rte, c) {
			continue
		}
		run, exact := l.runCondition(q, r.rte, c)
		if run != nil {
			sub.runs = append(sub.runs, *run)
		}
		if !exact {
			rest = append(rest, c)
		}
	}
	return rest
}

// pushOne puts a condition into a sub-select, or into all branches of a set operation.
func (l *level) pushOne(q *query.Query, rte int, c query.Expr) bool {
	if !pushable(q, rte, c) {
		return false
	}
	if q.SetOp != nil {
		leaves := setLeaves(q.SetOp)
		for _, leaf := range leaves {
			if !pushable(q.Range[leaf-1].Sub, rte, c) {
				return false
			}
		}
		for _, leaf := range leaves {
			sub := q.Range[leaf-1].Sub
			addCondition(sub, replaceColumns(sub, rte, c, 2))
		}
		return true
	}
	addCondition(q, replaceColumns(q, rte, c, 1))
	return true
}

func setLeaves(op *query.SetOp) []int {
	if op.RTE > 0 {
		return []int{op.RTE}
	}
	return append(setLeaves(op.Left), setLeaves(op.Right)...)
}

// pushable tells whether filtering a sub-select's rows early gives the same rows.
func pushable(q *query.Query, rte int, c query.Expr) bool {
	if q.Command != query.Select || q.Limit != nil || q.Offset != nil || q.HasTargetSRFs || q.DistinctOn ||
		volatileExpr(c) || len(q.RowMarks) > 0 || query.Any(c, isSubLink) || !exprRels(c).within(single(rte)) {
		return false
	}
	if q.SetOp != nil {
		for _, r := range q.Range {
			if r.Sub == nil || r.Sub.SetOp != nil {
				return false
			}
		}
		if !unionOnly(q.SetOp) {
			return false
		}
	}
	targets := visibleTargets(q)
	ok := true
	query.Walk(c, func(x query.Expr) bool {
		switch v := x.(type) {
		case *query.Var:
			if v.Up != 0 {
				break
			}
			if v.Attr < 1 || v.Attr > len(targets) {
				ok = false
				break
			}
			t := targets[v.Attr-1]
			if volatileExpr(t.Expr) || query.Any(t.Expr, isSubLink) || q.HasWindows && !inAllPartitions(q, t) {
				ok = false
			}
		case *query.SubExpr:
			ok = false
		}
		return ok
	})
	return ok
}

func unionOnly(op *query.SetOp) bool {
	return op.RTE > 0 || op.Kind == query.Union && unionOnly(op.Left) && unionOnly(op.Right)
}

// replaceColumns writes a condition in terms of a sub-select `depth` levels further in.
func replaceColumns(q *query.Query, rte int, c query.Expr, depth int) query.Expr {
	targets := visibleTargets(q)
	return mutate(c, func(x query.Expr) (query.Expr, bool) {
		v, ok := x.(*query.Var)
		if !ok {
			return nil, false
		}
		if v.Up == 0 && v.RTE == rte {
			return copyExpr(targets[v.Attr-1].Expr), true
		}
		k := *v
		k.Up += depth
		return &k, true
	})
}

func addCondition(q *query.Query, c query.Expr) {
	if q.HasAggs || len(q.GroupBy) > 0 || q.Having != nil {
		q.Having = conjunction(append(conjuncts(q.Having), c))
		return
	}
	q.Where = conjunction(append(conjuncts(q.Where), c))
}

// scanPaths makes the paths of a base relation from its conditions; joins are conditions that involve other relations too.
func (l *level) scanPaths(r *rel, joins []query.Expr) {
	l.subRel(r)
	if l.err != nil {
		return
	}
	r.rows = clampRows(r.tuples * l.allSelectivity(r.quals))
	if r.entry.Kind != query.RangeRelation {
		p := &path{kind: pathOther, rel: r, set: r.set, need: r.lateral, rows: r.rows, filter: r.quals, width: l.relWidth(r)}
		l.otherCost(p)
		r.paths = append(r.paths, p)
		return
	}
	if l.tidPath(r) {
		return
	}
	seq := &path{kind: pathSeq, rel: r, set: r.set, rows: r.rows, filter: r.quals, width: l.relWidth(r)}
	seq.total = r.pages*l.set.SeqPageCost + r.tuples*(l.set.CPUTupleCost+l.qualCost(r.quals))
	if !l.set.EnableSeqScan {
		seq.startup += 1e10
		seq.total += 1e10
	}
	r.paths = append(r.paths, seq)
	l.indexPaths(r, joins)
	for _, p := range r.paths {
		if p.need.empty() {
			r.rows = min(r.rows, p.rows)
		}
	}
	for _, p := range r.paths {
		if p.need.empty() {
			p.rows = r.rows
		}
	}
}

// otherCost prices functions, values, sub-selects and WITH queries.
func (l *level) otherCost(p *path) {
	r, s := p.rel, &l.set
	cpu := s.CPUTupleCost + l.qualCost(r.quals)
	switch r.entry.Kind {
	case query.RangeSubquery:
		c := r.sub.node.Common()
		p.startup, p.total = c.Startup, c.Total+l.qualCost(r.quals)*c.Rows
		if len(r.quals) > 0 {
			p.total += s.CPUTupleCost * c.Rows
		}
	case query.RangeFunction:
		for _, f := range r.entry.Funcs {
			p.startup += l.exprCost(f)
		}
		p.total = p.startup + cpu*r.tuples
	case query.RangeCTE:
		p.total = (cpu + s.CPUTupleCost) * r.tuples
	case query.RangeValues:
		p.total = (s.CPUOperatorCost + cpu) * r.tuples
	default:
		p.total = s.CPUTupleCost
	}
}

func (l *level) relWidth(r *rel) float64 {
	w := 0
	for a := range r.attrs {
		switch {
		case a <= 0:
			w += 6
		case a <= len(r.entry.Columns):
			c := r.entry.Columns[a-1]
			w += l.width(&query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod}, RTE: r.rte, Attr: a})
		}
	}
	return float64(w)
}

// tidPath makes the path for ctid = value and WHERE CURRENT OF.
func (l *level) tidPath(r *rel) bool {
	for i, c := range r.quals {
		p := &path{kind: pathTid, rel: r, set: r.set, rows: 1, width: l.relWidth(r), startup: l.set.CPUOperatorCost,
			total: l.set.RandomPageCost + l.set.CPUTupleCost}
		rest := append(append([]query.Expr(nil), r.quals[:i]...), r.quals[i+1:]...)
		switch x := c.(type) {
		case *query.CurrentOf:
			p.cursor = x.Cursor
			if x.Cursor == "" {
				l.unsupported("WHERE CURRENT OF a parameter")
			}
		case *query.OpExpr:
			if x.Op != opTIDEqual || !l.set.EnableTidScan {
				continue
			}
			a, b := x.Args[0], x.Args[1]
			if !isCtid(a, r.rte) {
				a, b = b, a
			}
			if !isCtid(a, r.rte) || !exprRels(b).empty() || volatileExpr(b) {
				continue
			}
			p.tids = []query.Expr{b}
		case *query.ArrayOp:
			if x.Op != opTIDEqual || !x.Any || !isCtid(x.Args[0], r.rte) || !exprRels(x.Args[1]).empty() || volatileExpr(x.Args[1]) || !l.set.EnableTidScan {
				continue
			}
			p.tids, p.tidArray, p.rows = []query.Expr{x.Args[1]}, true, l.arrayLen(x.Args[1])
			p.total *= p.rows
		default:
			continue
		}
		p.filter = rest
		r.rows = p.rows
		r.paths = []*path{p}
		return true
	}
	return false
}

const opTIDEqual base.OID = 387

func isCtid(e query.Expr, rte int) bool {
	v, ok := e.(*query.Var)
	return ok && v.Up == 0 && v.RTE == rte && v.Attr == query.AttrCtid && v.Typ == types.OIDTID
}
