package optimize

import (
	"manifold/engine/base"
	"math"

	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
)

// vars is a set of columns of the level, in order of first use.
type vars struct {
	list []*query.Var
	seen map[[2]int]bool
}

func (v *vars) add(e query.Expr) {
	if e == nil {
		return
	}
	query.Walk(e, func(x query.Expr) bool {
		if c, ok := x.(*query.Var); ok && c.Up == 0 {
			if v.seen == nil {
				v.seen = map[[2]int]bool{}
			}
			if k := [2]int{c.RTE, c.Attr}; !v.seen[k] {
				v.seen[k] = true
				v.list = append(v.list, c)
			}
		}
		return true
	})
}

func (v *vars) addAll(l []query.Expr) {
	for _, e := range l {
		v.add(e)
	}
}

func (v *vars) clone() *vars {
	c := &vars{}
	for _, x := range v.list {
		c.add(x)
	}
	return c
}

// find gives the column that holds an expression, or -1. A volatile expression is found only as the very same node.
func (l *level) find(cols []query.Expr, e query.Expr) int {
	for i, c := range cols {
		if c == e {
			return i
		}
	}
	switch v := e.(type) {
	case *query.Var:
		for i, c := range cols {
			if o, ok := c.(*query.Var); ok && o.RTE == v.RTE && o.Attr == v.Attr && o.Up == v.Up {
				return i
			}
		}
		return -1
	case *query.Const, *query.Param:
		for i, c := range cols {
			if same(c, e) {
				return i
			}
		}
		return -1
	}
	for i, c := range cols {
		switch c.(type) {
		case *query.Var, *query.Const, *query.Param:
			continue
		}
		if l.matches(c, e) && !volatileExpr(e) {
			return i
		}
	}
	return -1
}

func colOf(e query.Expr, side query.Side, n int) query.Expr {
	return &query.Col{T: query.T{Typ: e.Type(), Mod: e.Typmod(), Coll: e.Collation(), Offset: e.Loc()}, Side: side, N: n}
}

// translate turns an expression of the level into one over the columns of a node's inputs. A column of an outer side of a
// nested loop around the node becomes a parameter of that loop.
func (l *level) translate(e query.Expr, outer, inner []query.Expr) query.Expr {
	if e == nil {
		return nil
	}
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		switch v := x.(type) {
		case *query.Const, *query.Param:
			return x, true
		case *query.SubColumn, *query.CaseArg:
			return x, true
		case *query.Var:
			if i := l.find(outer, v); i >= 0 {
				return colOf(v, query.Outer, i), true
			}
			if i := l.find(inner, v); i >= 0 {
				return colOf(v, query.Inner, i), true
			}
			return l.nestParam(v), true
		case *query.Aggref:
			if i := l.find(outer, v); i >= 0 {
				return colOf(v, query.Outer, i), true
			}
			l.fail(pgerror.Newf(pgerror.InternalError, "aggregate function is not available where it is used"))
			return x, true
		case *query.WindowFunc:
			if i := l.find(outer, v); i >= 0 {
				return colOf(v, query.Outer, i), true
			}
			l.fail(pgerror.Newf(pgerror.InternalError, "window function is not available where it is used"))
			return x, true
		}
		if i := l.find(outer, x); i >= 0 {
			return colOf(x, query.Outer, i), true
		}
		if i := l.find(inner, x); i >= 0 {
			return colOf(x, query.Inner, i), true
		}
		return nil, false
	})
}

func (l *level) translateAll(list []query.Expr, outer, inner []query.Expr) []query.Expr {
	if len(list) == 0 {
		return nil
	}
	out := make([]query.Expr, len(list))
	for i, e := range list {
		out[i] = l.translate(e, outer, inner)
	}
	return out
}

// filters translates conditions, cheapest first.
func (l *level) filters(list []query.Expr, outer, inner []query.Expr) []query.Expr {
	sorted := append([]query.Expr(nil), list...)
	for i := 1; i < len(sorted); i++ {
		for j := i; j > 0 && l.exprCost(sorted[j]) < l.exprCost(sorted[j-1]); j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return l.translateAll(sorted, outer, inner)
}

// nestParam gives the parameter through which a nested loop passes a column to its inner side.
func (l *level) nestParam(v *query.Var) query.Expr {
	for i := len(l.nests) - 1; i >= 0; i-- {
		n := l.nests[i]
		if !n.rels.has(v.RTE) {
			continue
		}
		for _, s := range n.sets {
			if o, ok := s.Value.(*query.Var); ok && o.RTE == v.RTE && o.Attr == v.Attr {
				return &query.Param{T: v.T, N: s.N, Exec: true}
			}
		}
		p := l.param(v)
		n.sets = append(n.sets, plan.ParamSet{N: p.N, Value: v})
		return p
	}
	l.fail(pgerror.Newf(pgerror.InternalError, "variable %d.%d is not available where it is used", v.RTE, v.Attr))
	return v
}

// build makes the node of a path; its columns include those in need.
func (l *level) build(p *path, need *vars) built {
	if l.err != nil {
		return l.empty()
	}
	switch p.kind {
	case pathNest:
		return l.buildNest(p, need)
	case pathHash:
		return l.buildHash(p, need)
	case pathMerge:
		return l.buildMerge(p, need)
	case pathFilter:
		return l.buildFilter(p, need)
	case pathUnique:
		return l.buildUnique(p)
	}
	if p.rel == nil {
		return l.finish(built{node: &plan.Result{}}, 0, l.set.CPUTupleCost, 1)
	}
	if p.rel.entry.Kind != query.RangeRelation {
		return l.buildOther(p)
	}
	return l.buildScan(p, need)
}

// buildFilter puts conditions without columns, and those volatile, over an input.
func (l *level) buildFilter(p *path, need *vars) built {
	n := need.clone()
	n.addAll(p.filter)
	b := l.build(p.left, n)
	r := &plan.Result{Child: b.node}
	for _, f := range p.filter {
		if e := l.translate(f, b.cols, nil); !exprRels(f).empty() || volatileExpr(f) {
			r.Filter = append(r.Filter, e)
		} else {
			r.OneTime = append(r.OneTime, e)
		}
	}
	return l.finish(built{r, b.cols}, p.startup, p.total, p.rows)
}

func (l *level) buildScan(p *path, need *vars) built {
	r := p.rel
	var recheck []query.Expr
	for _, k := range p.keys {
		if !k.exact {
			recheck = append(recheck, k.expr)
		}
	}
	if p.bitmap != nil {
		recheck = p.bitmap.exprs
	}
	n := &vars{}
	for _, v := range need.list {
		n.add(v)
	}
	n.addAll(p.filter)
	n.addAll(recheck)
	s := plan.Scan{Rel: r.entry.Rel, Alias: r.entry.Alias, RTE: l.scanRTE(r)}
	var cols []query.Expr
	for _, v := range n.list {
		if v.RTE == r.rte {
			s.Attrs = append(s.Attrs, v.Attr)
			cols = append(cols, v)
		}
	}
	s.Filter = l.filters(p.filter, cols, nil)
	var node plan.Node
	switch p.kind {
	case pathIndex:
		node = &plan.IndexScan{Scan: s, Index: p.index, Conds: l.keyConds(p.keys), Recheck: l.translateAll(recheck, cols, nil), Backward: p.backward, Only: p.only}
	case pathBitmap:
		node = &plan.BitmapHeap{Scan: s, Source: l.buildBitmap(p.bitmap), Recheck: l.translateAll(recheck, cols, nil)}
	case pathTid:
		node = &plan.TidScan{Scan: s, TIDs: l.translateAll(p.tids, nil, nil), Array: p.tidArray, Cursor: p.cursor}
	default:
		node = &plan.SeqScan{Scan: s}
	}
	return l.finish(built{node, cols}, p.startup, p.total, p.rows)
}

// scanRTE gives the number by which the executor knows a relation's rows, unique in the statement.
func (l *level) scanRTE(r *rel) int {
	if l.scans == nil {
		l.scans = map[int]int{}
	}
	if l.scans[r.rte] == 0 {
		l.scans[r.rte] = l.nextRTE()
	}
	return l.scans[r.rte]
}

func (l *level) keyConds(keys []keyMatch) []plan.KeyCond {
	out := make([]plan.KeyCond, len(keys))
	for i, k := range keys {
		out[i] = k.cond
		out[i].Value = l.translate(k.cond.Value, nil, nil)
	}
	return out
}

func (l *level) buildBitmap(b *bitmapPath) plan.Bitmap {
	var list []plan.Bitmap
	for _, s := range append(append([]*bitmapPath(nil), b.and...), b.or...) {
		list = append(list, l.buildBitmap(s))
	}
	switch {
	case len(b.and) > 0:
		return &plan.BitmapAnd{Sources: list}
	case len(b.or) > 0:
		return &plan.BitmapOr{Sources: list}
	}
	return &plan.BitmapIndex{Index: b.index, Conds: l.keyConds(b.keys), Rows: clampRows(b.rows), Total: b.total}
}

// rangeVars gives the columns of a range entry as expressions.
func rangeVars(rte int, cols []query.RangeColumn) []query.Expr {
	out := make([]query.Expr, len(cols))
	for i, c := range cols {
		out[i] = &query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}, RTE: rte, Attr: i + 1}
	}
	return out
}

func (l *level) buildOther(p *path) built {
	r, e := p.rel, p.rel.entry
	cols := rangeVars(r.rte, e.Columns)
	filter := l.filters(p.filter, cols, nil)
	var node plan.Node
	switch e.Kind {
	case query.RangeSubquery:
		for _, n := range r.subNeed {
			if n.owner == l {
				l.nestSet(n)
			}
		}
		if len(filter) == 0 {
			return built{r.sub.node, cols}
		}
		node = &plan.SubqueryScan{Alias: e.Alias, Child: r.sub.node}
	case query.RangeFunction:
		node = &plan.FunctionScan{Alias: e.Alias, Funcs: l.translateAll(e.Funcs, nil, nil), Widths: e.FuncCols, Ordinal: e.Ordinal, Natural: naturalTypes(e)}
	case query.RangeValues:
		v := &plan.Values{Alias: e.Alias}
		for _, row := range e.Values {
			v.Rows = append(v.Rows, l.translateAll(row, nil, nil))
		}
		node = v
	case query.RangeCTE:
		switch {
		case e.SelfRef:
			if info := l.findCTE(e); info != nil {
				node = &plan.WorkTableScan{Alias: e.Alias, Table: info.table}
			} else {
				l.fail(pgerror.Newf(pgerror.InternalError, "work table of \"%s\" is missing", e.CTE))
				return l.empty()
			}
		default:
			node = &plan.CTEScan{Alias: e.Alias, Index: r.cte.index}
		}
	default:
		node = &plan.Result{}
		cols = nil
	}
	node.Common().Filter = filter
	for _, c := range e.Columns {
		node.Common().Names = append(node.Common().Names, c.Name)
	}
	return l.finish(built{node, cols}, p.startup, p.total, p.rows)
}

// nestSet makes the nested loop around the node pass what an inner query level takes from this one.
func (l *level) nestSet(n need) {
	rels := exprRels(n.expr)
	for i := len(l.nests) - 1; i >= 0; i-- {
		if at := l.nests[i]; rels.meets(at.rels) {
			for _, s := range at.sets {
				if s.N == n.param.N {
					return
				}
			}
			at.sets = append(at.sets, plan.ParamSet{N: n.param.N, Value: n.expr})
			return
		}
	}
	l.fail(pgerror.Newf(pgerror.InternalError, "lateral reference has no source"))
}

// narrow drops columns that nothing above needs from an input whose rows will be kept.
func (l *level) narrow(b built, need *vars) built {
	c := b.node.Common()
	var keep []query.Expr
	for _, e := range b.cols {
		v, ok := e.(*query.Var)
		if !ok || need.seen[[2]int{v.RTE, v.Attr}] {
			keep = append(keep, e)
		}
	}
	if len(keep) == len(b.cols) || c.Project != nil || len(keep) == 0 {
		return b
	}
	return l.project(b, keep)
}

func (l *level) joinNeed(p *path, need *vars, extra ...[]query.Expr) *vars {
	n := need.clone()
	n.addAll(p.on)
	n.addAll(p.filter)
	for _, e := range extra {
		n.addAll(e)
	}
	return n
}

func joinCols(p *path, left, right built) []query.Expr {
	if p.join == query.JoinSemi || p.join == query.JoinAnti {
		return left.cols
	}
	return append(append([]query.Expr(nil), left.cols...), right.cols...)
}

func (l *level) buildNest(p *path, need *vars) built {
	n := l.joinNeed(p, need)
	at := &nest{rels: p.left.set}
	l.nests = append(l.nests, at)
	right := l.build(p.right, n)
	l.nests = l.nests[:len(l.nests)-1]
	if p.material {
		c := right.node.Common()
		right = l.over(&plan.Material{Child: right.node}, right, 0, 2*l.set.CPUOperatorCost*c.Rows, c.Rows)
	}
	for _, s := range at.sets {
		n.add(s.Value)
	}
	left := l.build(p.left, n)
	j := &plan.NestLoop{Join: plan.Join{Type: p.join, Left: left.node, Right: right.node}}
	for _, s := range at.sets {
		j.Params = append(j.Params, plan.ParamSet{N: s.N, Value: l.translate(s.Value, left.cols, nil)})
	}
	j.On = l.filters(p.on, left.cols, right.cols)
	j.Filter = l.filters(p.filter, left.cols, right.cols)
	return l.finish(built{j, joinCols(p, left, right)}, p.startup, p.total, p.rows)
}

func (l *level) buildHash(p *path, need *vars) built {
	var keys []query.Expr
	for _, h := range p.hash {
		keys = append(keys, h.left, h.right)
	}
	n := l.joinNeed(p, need, keys)
	left := l.build(p.left, n)
	right := l.narrow(l.build(p.right, n), n)
	j := &plan.HashJoin{Join: plan.Join{Type: p.join, Left: left.node, Right: right.node}}
	for _, h := range p.hash {
		j.LeftKeys = append(j.LeftKeys, l.translate(h.left, left.cols, nil))
		j.RightKeys = append(j.RightKeys, l.translate(h.right, right.cols, nil))
		j.Equal = append(j.Equal, h.equal)
	}
	j.On = l.filters(p.on, left.cols, right.cols)
	j.Filter = l.filters(p.filter, left.cols, right.cols)
	return l.finish(built{j, joinCols(p, left, right)}, p.startup, p.total, p.rows)
}

func (l *level) buildMerge(p *path, need *vars) built {
	var lk, rk []query.Expr
	for _, h := range p.merge {
		lk, rk = append(lk, h.left), append(rk, h.right)
	}
	n := l.joinNeed(p, need, lk, rk)
	side := func(in *path, keys []query.Expr, sort bool) built {
		b := l.withColumns(l.build(in, n), keys)
		if !sort {
			return b
		}
		var items []plan.SortKey
		for i, k := range keys {
			items = append(items, plan.SortKey{Column: l.find(b.cols, k), Equal: p.merge[i].op})
		}
		return l.sortNode(b, items, nil, 0)
	}
	left, right := side(p.left, lk, p.sortLeft), side(p.right, rk, p.sortRight)
	j := &plan.MergeJoin{Join: plan.Join{Type: p.join, Left: left.node, Right: right.node}}
	for i, h := range p.merge {
		j.Keys = append(j.Keys, plan.MergeKey{Left: l.find(left.cols, lk[i]), Right: l.find(right.cols, rk[i]), Equal: h.op})
	}
	j.On = l.filters(p.on, left.cols, right.cols)
	j.Filter = l.filters(p.filter, left.cols, right.cols)
	return l.finish(built{j, joinCols(p, left, right)}, p.startup, p.total, p.rows)
}

// withColumns makes sure that expressions are columns of a node.
func (l *level) withColumns(b built, exprs []query.Expr) built {
	var missing []query.Expr
	for _, e := range exprs {
		if l.find(b.cols, e) < 0 && l.find(missing, e) < 0 {
			missing = append(missing, e)
		}
	}
	if len(missing) == 0 {
		return b
	}
	return l.project(b, append(append([]query.Expr(nil), b.cols...), missing...))
}

// project makes a node's columns exactly exprs.
func (l *level) project(b built, exprs []query.Expr) built {
	identical := len(exprs) == len(b.cols)
	out := make([]query.Expr, len(exprs))
	for i, e := range exprs {
		if at := l.find(b.cols, e); at >= 0 {
			out[i] = colOf(e, query.Outer, at)
			identical = identical && at == i
			continue
		}
		identical = false
		out[i] = l.translate(e, b.cols, nil)
	}
	if identical {
		return b
	}
	c := b.node.Common()
	node := b.node
	if l.pick(b, out) {
		nb := built{node: node, cols: exprs}
		l.describeOut(nb)
		return nb
	}
	if c.Project != nil {
		r := &plan.Result{Child: node}
		r.Startup, r.Total, r.Rows = c.Startup, c.Total+l.set.CPUTupleCost*c.Rows, c.Rows
		node, c = r, &r.Base
	}
	if j := joinOf(node); j != nil {
		l.sides(j, out, len(b.cols))
	}
	c.Project = out
	c.Total += l.qualCost(exprs) * c.Rows
	nb := built{node: node, cols: exprs}
	l.describeOut(nb)
	return nb
}

// pick makes a node that projects already yield some of its columns only, where every volatile one is among them once.
func (l *level) pick(b built, cols []query.Expr) bool {
	c := b.node.Common()
	if c.Project == nil {
		return false
	}
	used := make([]int, len(c.Project))
	picked := make([]query.Expr, len(cols))
	for i, e := range cols {
		at, ok := e.(*query.Col)
		if !ok {
			return false
		}
		used[at.N]++
		picked[i] = c.Project[at.N]
	}
	for i, n := range used {
		_, column := c.Project[i].(*query.Col)
		if n > 1 && !column || n == 0 && (volatileExpr(c.Project[i]) || query.Any(c.Project[i], isSubExpr)) {
			return false
		}
	}
	c.Project = picked
	return true
}

func joinOf(n plan.Node) *plan.Join {
	switch n := n.(type) {
	case *plan.NestLoop:
		return &n.Join
	case *plan.HashJoin:
		return &n.Join
	case *plan.MergeJoin:
		return &n.Join
	}
	return nil
}

// sides rewrites the columns in a join's projection: they are numbered through both sides until here.
func (l *level) sides(j *plan.Join, out []query.Expr, total int) {
	width := len(j.Left.Common().Out)
	if total <= width {
		return
	}
	for i := range out {
		out[i] = query.Mutate(out[i], func(x query.Expr) (query.Expr, bool) {
			switch c := x.(type) {
			case *query.Const:
				return c, true
			case *query.Col:
				if c.Side == query.Outer && c.N >= width {
					k := *c
					k.Side, k.N = query.Inner, c.N-width
					return &k, true
				}
				return c, true
			}
			return nil, false
		})
	}
}

// sortNode sorts a node's rows.
func (l *level) sortNode(b built, keys []plan.SortKey, bound query.Expr, limit float64) built {
	c := b.node.Common()
	s, run := l.sortCost(c.Rows, float64(c.Width), limit)
	n := &plan.Sort{Child: b.node, Keys: keys, Bound: bound}
	return l.finish(built{n, b.cols}, c.Total+s, c.Total+s+run, math.Max(c.Rows, 1))
}

// naturalTypes gives the types of the columns that functions in FROM yield, without the ordinal.
func naturalTypes(e *query.RangeEntry) []base.OID {
	n := len(e.Columns)
	if e.Ordinal {
		n--
	}
	out := make([]base.OID, 0, n)
	for _, c := range e.Columns[:n] {
		out = append(out, c.Type)
	}
	return out
}
