package exec

import (
	"math"

	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// windowKind is what a window function gives.
type windowKind uint8

const (
	windowAggregate windowKind = iota
	windowRowNumber
	windowRank
	windowDenseRank
	windowPercentRank
	windowCumeDist
	windowNtile
	windowLag
	windowLead
	windowFirst
	windowLast
	windowNth
)

// windowKinds are the window functions by the OID of their pg_proc row.
var windowKinds = map[base.OID]windowKind{3100: windowRowNumber, 3101: windowRank, 3102: windowDenseRank, 3103: windowPercentRank,
	3104: windowCumeDist, 3105: windowNtile, 3106: windowLag, 3107: windowLag, 3108: windowLag, 3109: windowLead, 3110: windowLead,
	3111: windowLead, 3112: windowFirst, 3113: windowLast, 3114: windowNth}

// windowCall is one call of a WindowAgg. Its arguments are evaluated for the rows of a block together, when the first of
// them is asked for; where that fails, or an argument is volatile, one by one.
type windowCall struct {
	*plan.WindowCall
	kind     windowKind
	number   int // among the calls
	variable bool
	args     []eval.Node // the filter of an aggregate comes last
	columns  []int       // the column of the input that an argument is, -1 for another expression
	vectors  []*vector.Vector
	agg      *windowAgg
	fixed    bool // the offset of lag or lead does not depend on the row
	reach    int  // rows that lag looks back, -1 while not known

	rank    int
	buckets int64
	first   int // the row that ntile counts from

	kept bool // held is what first_value gives for the rest of the partition
	held types.Datum
}

// windowValues are the arguments of a call for the rows of a block.
type windowValues struct {
	cols   []vector.Vector // only of arguments that are no columns
	done   int             // rows evaluated
	singly bool            // one by one
}

func (in *Instance) windowCall(w *windowOp, p *plan.WindowCall) (*windowCall, error) {
	c := &windowCall{WindowCall: p, number: len(w.calls), variable: !in.b.Fixed(p.Type)}
	exprs := p.Args
	if p.Filter != nil {
		exprs = append(exprs[:len(exprs):len(exprs)], p.Filter)
	}
	var err error
	if c.args, err = in.c.All(exprs); err != nil {
		return nil, err
	}
	for _, e := range exprs {
		column := -1
		if v, ok := e.(*query.Col); ok && v.Side == query.Outer {
			column = v.N
		}
		c.columns = append(c.columns, column)
	}
	c.vectors = make([]*vector.Vector, len(c.args))
	if p.Agg {
		c.agg, err = in.windowAgg(w, c)
		return c, err
	}
	var known bool
	if c.kind, known = windowKinds[p.Func]; !known {
		return nil, pgerror.Unsupported("window function %s", in.b.Name(p.Func))
	}
	if c.kind == windowLag || c.kind == windowLead {
		c.fixed = len(exprs) < 2 || !query.Any(exprs[1], func(e query.Expr) bool {
			switch e.(type) {
			case *query.Const, *query.Param:
				return false
			}
			return true
		})
	}
	return c, nil
}

// wants tells the frames what the call asks of them.
func (c *windowCall) wants(f *windowFrames) {
	switch c.kind {
	case windowAggregate, windowFirst, windowLast, windowNth:
		f.frames = true
	case windowCumeDist:
		f.groups = true
	}
}

func (c *windowCall) beginPartition(row int) {
	c.rank, c.buckets, c.first, c.reach, c.kept = 0, 0, row, -1, false
	if c.agg != nil {
		c.agg.beginPartition(row)
	}
}

func (c *windowCall) release() {
	c.held, c.kept = types.Null, false
	if c.agg != nil {
		c.agg.release()
	}
}

// needed gives the first row that the call may still look at.
func (c *windowCall) needed(w *windowOp) int {
	switch c.kind {
	case windowAggregate:
		return c.agg.needed(w)
	case windowLag, windowLead:
		if !c.fixed || c.reach < 0 {
			return w.start
		}
		return w.cur - c.reach
	case windowFirst, windowLast, windowNth:
		return c.neededOfFrame(&w.frames, w)
	}
	return w.cur
}

func (c *windowCall) neededOfFrame(f *windowFrames, w *windowOp) int {
	unbounded := f.mode.Has(query.FrameStartUnboundedPreceding)
	switch {
	case c.kind == windowFirst && c.kept:
		return w.cur
	case c.kind == windowLast && !f.mode.Has(query.FrameExclusion) && f.end.offset != nil:
		return f.end.row - 1
	case c.kind == windowLast && !f.mode.Has(query.FrameExclusion):
		return w.cur
	case unbounded:
		return w.start
	case f.start.offset != nil:
		return f.start.row
	}
	return f.groupStart
}

// compute fills in the results of rows of one partition and block; an error comes with the row that it stopped before.
func (c *windowCall) compute(x *Context, w *windowOp, from, to int, out *vector.Vector) (int, error) {
	total := 0
	switch c.kind {
	case windowAggregate:
		return c.agg.compute(x, w, from, to, out)
	case windowPercentRank, windowCumeDist, windowNtile:
		end, err := w.partitionEnd(x)
		if err != nil {
			return from, err
		}
		total = end - w.start
	}
	for row := from; row < to; row++ {
		_, lane := w.rows.at(row)
		switch c.kind {
		case windowRowNumber:
			out.Fixed[lane] = int64(row - w.start + 1)
			continue
		case windowRank, windowPercentRank:
			if w.rows.isPeer(row) {
				c.rank = row - w.start + 1
			}
			if out.Fixed[lane] = int64(c.rank); c.kind == windowPercentRank {
				share := 0.0
				if total > 1 {
					share = float64(c.rank-1) / float64(total-1)
				}
				out.Fixed[lane] = types.Float(share).I
			}
			continue
		case windowDenseRank:
			if w.rows.isPeer(row) {
				c.rank++
			}
			out.Fixed[lane] = int64(c.rank)
			continue
		case windowCumeDist:
			out.Fixed[lane] = types.Float(float64(w.frames.gap[lane]-w.start) / float64(total)).I
			continue
		}
		d, err := c.value(x, w, row, lane, total)
		if err != nil {
			return row, err
		}
		out.Set(lane, d)
	}
	return to, x.Task.Breathe()
}

// value computes the functions that evaluate arguments.
func (c *windowCall) value(x *Context, w *windowOp, row, lane, total int) (types.Datum, error) {
	switch c.kind {
	case windowNtile:
		return c.ntile(x, w, row, int64(total))
	case windowLag, windowLead:
		return c.neighbour(x, w, row)
	case windowFirst:
		return c.firstValue(x, w, lane, row)
	case windowLast:
		spans, n := w.frames.spans(lane, row)
		for i := n - 1; i >= 0; i-- {
			if s := spans[i]; s[0] < s[1] {
				return c.arg(x, w, s[1]-1, 0)
			}
		}
		return types.Null, nil
	}
	n, err := c.arg(x, w, row, 1)
	if err != nil || n.Null {
		return types.Null, err
	}
	if n.I <= 0 {
		return types.Null, pgerror.New(pgerror.InvalidArgumentForNthValue, "argument of nth_value must be greater than zero")
	}
	return c.nth(x, w, lane, row, int(n.I))
}

// firstValue is first_value. Where all frames begin with the partition, its first row is looked at once.
func (c *windowCall) firstValue(x *Context, w *windowOp, lane, row int) (types.Datum, error) {
	fixed := w.frames.mode.Has(query.FrameStartUnboundedPreceding) && !w.frames.mode.Has(query.FrameExclusion) && !c.Volatile
	if !fixed || w.frames.to[lane] == w.start {
		return c.nth(x, w, lane, row, 1)
	}
	if !c.kept {
		d, err := c.arg(x, w, w.start, 0)
		if err != nil {
			return types.Null, err
		}
		c.kept, c.held = true, d.Clone()
	}
	return c.held, nil
}

// nth gives the argument at the n-th row of the frame.
func (c *windowCall) nth(x *Context, w *windowOp, lane, row, n int) (types.Datum, error) {
	spans, count := w.frames.spans(lane, row)
	for _, s := range spans[:count] {
		if size := s[1] - s[0]; n <= size {
			return c.arg(x, w, s[0]+n-1, 0)
		} else if size > 0 {
			n -= size
		}
	}
	return types.Null, nil
}

func (c *windowCall) ntile(x *Context, w *windowOp, row int, total int64) (types.Datum, error) {
	if c.buckets == 0 {
		n, err := c.arg(x, w, row, 0)
		if err != nil || n.Null {
			return types.Null, err
		}
		if n.I <= 0 {
			return types.Null, pgerror.New(pgerror.InvalidArgumentForNtile, "argument of ntile must be greater than zero")
		}
		c.buckets, c.first = n.I, row
	}
	size, larger := total/c.buckets, total%c.buckets // so many of the buckets are one row larger
	at := int64(row - c.first)
	if at < larger*(size+1) {
		return types.Int(at/(size+1) + 1), nil
	}
	return types.Int(larger + (at-larger*(size+1))/size + 1), nil
}

// neighbour is lag and lead.
func (c *windowCall) neighbour(x *Context, w *windowOp, row int) (types.Datum, error) {
	offset := int64(1)
	if len(c.args) > 1 {
		d, err := c.arg(x, w, row, 1)
		if err != nil || d.Null {
			return types.Null, err
		}
		offset = d.I
	}
	if c.kind == windowLag {
		offset = -offset
	}
	c.reach = max(0, int(-offset))
	at := row + int(offset)
	there := at >= w.start
	if there && at > row {
		var err error
		if there, err = w.have(x, at); err != nil {
			return types.Null, err
		}
	}
	switch {
	case there:
		return c.arg(x, w, at, 0)
	case len(c.args) > 2:
		return c.arg(x, w, row, 2)
	}
	return types.Null, nil
}

// arg gives an argument at a row of the partition; it lives until the next is asked for.
func (c *windowCall) arg(x *Context, w *windowOp, row, i int) (types.Datum, error) {
	number, lane := w.rows.at(row)
	blk, err := w.rows.block(number)
	if err != nil {
		return types.Null, err
	}
	if col := c.columns[i]; col >= 0 {
		return blk.cols[col].Get(lane), nil
	}
	v := c.values(w, blk, lane+1)
	if !v.singly {
		return v.cols[i].Get(lane), nil
	}
	w.look(blk)
	d, err := c.args[i].Eval(&w.frame, w.lanes[lane:lane+1], blk.n)
	if err != nil {
		return types.Null, err
	}
	return d.Get(lane), nil
}

// operands gives the columns of arguments from the first-th to the last for the lanes sel of a block, to being behind them.
func (c *windowCall) operands(w *windowOp, blk *windowBlock, first, last int, sel []int32, to int) ([]*vector.Vector, error) {
	out := c.vectors[first:last]
	var v *windowValues
	for i, col := range c.columns[first:last] {
		if col >= 0 {
			out[i] = &blk.cols[col]
			continue
		}
		if v == nil {
			if v = c.values(w, blk, to); v.singly {
				w.look(blk)
				return out, eval.Columns(&w.frame, c.args[first:last], sel, blk.n, out)
			}
		}
		out[i] = &v.cols[first+i]
	}
	return out, nil
}

// values evaluates the arguments for the rows of a block, at least the first n.
func (c *windowCall) values(w *windowOp, blk *windowBlock, n int) *windowValues {
	if blk.args == nil {
		blk.args = make([]windowValues, len(w.calls))
	}
	v := &blk.args[c.number]
	if v.singly || v.done >= n {
		return v
	}
	if c.Volatile {
		v.singly = true
		return v
	}
	if v.cols == nil {
		v.cols = make([]vector.Vector, len(c.args))
	}
	w.look(blk)
	sel := w.lanes[v.done:blk.n]
	for i, node := range c.args {
		if c.columns[i] >= 0 {
			continue
		}
		got, err := node.Eval(&w.frame, sel, blk.n)
		if err != nil { // it is raised when the row is asked for
			v.singly = true
			return v
		}
		if dst := &v.cols[i]; v.done == 0 {
			dst.Reset(got.Var, 0)
		}
		appendLanes(&v.cols[i], got, sel, 0, len(sel), v.done)
	}
	v.done = blk.n
	return v
}

// look points expressions at a block.
func (w *windowOp) look(blk *windowBlock) {
	w.input.Cols, w.input.N, w.input.Sel = blk.cols, blk.n, nil
	w.frame.Outer, w.frame.Inner = &w.input, nil
}

// spans gives the rows of a frame without those that EXCLUDE leaves out, as at most three ranges.
func (f *windowFrames) spans(lane, row int) (out [3][2]int, n int) {
	from, to := f.from[lane], f.to[lane]
	if !f.mode.Has(query.FrameExclusion) {
		out[0] = [2]int{from, to}
		return out, 1
	}
	cut, end := f.peers[lane], f.gap[lane]
	if f.mode.Has(query.FrameExcludeCurrentRow) {
		cut, end = row, row+1
	}
	out[0] = [2]int{from, min(to, cut)}
	out[1] = [2]int{math.MaxInt, 0}
	if f.mode.Has(query.FrameExcludeTies) {
		out[1] = [2]int{max(from, row), min(to, row+1)}
	}
	out[2] = [2]int{max(from, end), to}
	return out, 3
}
