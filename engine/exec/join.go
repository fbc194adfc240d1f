package exec

import (
	"manifold/engine/exec/eval"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// joiner is what the joins share: pairs of rows side by side in two batches of the same lanes, the conditions that decide
// whether a pair matches, and the output.
type joiner struct {
	*emitter
	kind        query.JoinType
	left, right operator
	lvar, rvar  []bool
	on          []eval.Node
	lb, rb      vector.Batch // the pairs
	both        vector.Batch // natural columns, when the output is not projected
	onSel       [vector.BatchSize]int32
	keep        [vector.BatchSize]int32
}

func (in *Instance) joiner(p *plan.Join) (*joiner, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	j := &joiner{emitter: e, kind: p.Type, lvar: variables(p.Left), rvar: variables(p.Right)}
	if j.on, err = in.c.All(p.On); err != nil {
		return nil, err
	}
	if j.left, err = in.build(p.Left); err != nil {
		return nil, err
	}
	j.right, err = in.build(p.Right)
	j.lb.Cols, j.rb.Cols = make([]vector.Vector, len(j.lvar)), make([]vector.Vector, len(j.rvar))
	return j, err
}

// gather copies lanes of src into dst's lanes from 0.
func gather(dst, src *vector.Batch, variable []bool, lanes []int32) {
	resetBatch(dst, variable, len(lanes))
	for c := range variable {
		gatherColumn(&dst.Cols[c], &src.Cols[c], lanes)
	}
}

func gatherColumn(d, v *vector.Vector, lanes []int32) {
	switch {
	case v.Var:
		for k, i := range lanes {
			if v.IsNull(int(i)) {
				d.Set(k, types.Null)
			} else {
				d.SetBytes(k, v.Bytes(int(i)))
			}
		}
	case v.HasNulls:
		for k, i := range lanes {
			if v.IsNull(int(i)) {
				d.SetNull(k)
			} else {
				d.Fixed[k] = v.Fixed[i]
			}
		}
	default:
		for k, i := range lanes {
			d.Fixed[k] = v.Fixed[i]
		}
	}
}

// nulls fills a batch with n all-null rows.
func nulls(b *vector.Batch, variable []bool, n int) {
	resetBatch(b, variable, n)
	for c := range b.Cols {
		for i := range n {
			b.Cols[c].Set(i, types.Null)
		}
	}
}

// matching gives the lanes of the pairs for which the join condition holds; nil is all of n.
func (j *joiner) matching(x *Context, n int) ([]int32, error) {
	if len(j.on) == 0 {
		return nil, nil
	}
	j.frame.Env, j.frame.Outer, j.frame.Inner = x.Eval, &j.lb, &j.rb
	return eval.Filter(&j.frame, j.on, nil, n, j.onSel[:])
}

// output filters and projects the selected pairs.
func (j *joiner) output(x *Context, sel []int32) (*vector.Batch, error) {
	j.lb.Sel, j.rb.Sel = sel, sel
	b, err := j.rows(x, &j.lb, &j.rb)
	if b == nil || err != nil {
		return nil, err
	}
	if j.project != nil {
		return b, nil
	}
	if j.kind == query.JoinSemi || j.kind == query.JoinAnti {
		return b, nil
	}
	if j.both.Cols == nil {
		j.both.Cols = make([]vector.Vector, len(j.lvar)+len(j.rvar))
	}
	copy(j.both.Cols, j.lb.Cols)
	copy(j.both.Cols[len(j.lvar):], j.rb.Cols)
	j.both.N, j.both.Sel = j.lb.N, b.Sel
	return &j.both, nil
}

// loneLeft tells whether left rows without a partner are part of the result.
func (j *joiner) loneLeft() bool {
	return j.kind == query.JoinLeft || j.kind == query.JoinFull || j.kind == query.JoinAnti
}

// loneRight tells whether right rows without a partner are part of the result.
func (j *joiner) loneRight() bool { return j.kind == query.JoinRight || j.kind == query.JoinFull }

// nestLoop runs its right side once for each left row.
type nestLoop struct {
	*joiner
	params  []nestParam
	outer   *vector.Batch
	at      int // of outer's live rows
	lane    int
	inner   bool // the right side is open for the current row
	matched bool
	lanes   [vector.BatchSize]int32
	want    int
}

type nestParam struct {
	n    int
	node eval.Node
}

func (in *Instance) nestLoop(p *plan.NestLoop) (operator, error) {
	j, err := in.joiner(&p.Join)
	if err != nil {
		return nil, err
	}
	n := &nestLoop{joiner: j}
	for _, s := range p.Params {
		nd, err := in.c.Compile(s.Value)
		if err != nil {
			return nil, err
		}
		n.params = append(n.params, nestParam{s.N, nd})
	}
	return n, nil
}

func (n *nestLoop) open(x *Context) error {
	n.reset()
	n.outer, n.at, n.inner = nil, 0, false
	return n.left.open(x)
}

func (n *nestLoop) next(x *Context, want int) (*vector.Batch, error) {
	if n.failed != nil {
		return nil, n.pending()
	}
	n.want = want
	for {
		if !n.inner {
			more, err := n.nextOuter(x, want)
			if err != nil || !more {
				return nil, err
			}
		}
		b, err := n.pairs(x)
		if b != nil || err != nil {
			return b, err
		}
	}
}

// nextOuter takes the next left row and starts the right side for it.
func (n *nestLoop) nextOuter(x *Context, want int) (bool, error) {
	if n.outer == nil || n.at >= n.outer.Live() {
		b, err := n.left.next(x, want)
		if b == nil || err != nil {
			return false, err
		}
		n.outer, n.at = b, 0
	}
	if err := x.Task.Breathe(); err != nil {
		return false, err
	}
	n.lane = n.outer.Lane(n.at)
	n.at++
	n.frame.Env, n.frame.Outer, n.frame.Inner = x.Eval, n.outer, nil
	one := n.lanes[:1]
	one[0] = int32(n.lane)
	for _, p := range n.params {
		v, err := p.node.Eval(&n.frame, one, n.outer.N)
		if err != nil {
			return false, err
		}
		x.Eval.SetParam(p.n, v.Get(n.lane).Clone())
	}
	n.inner, n.matched = true, false
	return true, n.right.open(x)
}

// pairs joins the current left row with the next right rows.
func (n *nestLoop) pairs(x *Context) (*vector.Batch, error) {
	want := n.want
	if n.kind == query.JoinSemi || n.kind == query.JoinAnti {
		want = min(want, 8)
	}
	r, err := n.right.next(x, want)
	if err != nil {
		return nil, err
	}
	if r == nil {
		n.inner = false
		if n.matched || !n.loneLeft() {
			return nil, nil
		}
		n.leftRows(1)
		nulls(&n.rb, n.rvar, 1)
		return n.output(x, nil)
	}
	live := r.Live()
	for k := range live {
		n.lanes[k] = int32(r.Lane(k))
	}
	gather(&n.rb, r, n.rvar, n.lanes[:live])
	n.leftRows(live)
	sel, err := n.matching(x, live)
	if err != nil {
		return nil, err
	}
	if sel != nil && len(sel) == 0 {
		return nil, nil
	}
	n.matched = true
	switch n.kind {
	case query.JoinAnti:
		n.inner = false
		return nil, nil
	case query.JoinSemi:
		n.inner = false
		n.keep[0] = 0
		if sel != nil {
			n.keep[0] = sel[0]
		}
		return n.output(x, n.keep[:1])
	}
	return n.output(x, sel)
}

// leftRows repeats the current left row for count lanes.
func (n *nestLoop) leftRows(count int) {
	resetBatch(&n.lb, n.lvar, count)
	for c := range n.lvar {
		d := n.outer.Cols[c].Get(n.lane)
		v := &n.lb.Cols[c]
		for i := range count {
			v.Set(i, d)
		}
	}
}

func (n *nestLoop) close() {
	n.left.close()
	n.right.close()
}
