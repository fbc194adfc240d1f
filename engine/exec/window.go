package exec

import (
	"manifold/engine/exec/eval"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// windowOp computes window functions over sorted input. Rows are taken in as far as the rows that are wanted need them, and
// come out in blocks of the store, with a column more for each call. See README.md.
type windowOp struct {
	*emitter
	plan    *plan.WindowAgg
	child   operator
	calls   []*windowCall
	rows    windowRows
	frames  windowFrames
	part    []windowKey
	order   []windowKey
	parts   [vector.BatchSize]bool
	peers   [vector.BatchSize]bool
	start   int // of the partition at hand
	end     int // of the partition at hand, -1 while it is not known
	scanned int // rows that were looked at for the end
	cur     int // the next row to come out
	ask     int
	begun   bool
	ended   bool        // the input has
	run     []eval.Node // conditions that end a partition
	passed  [vector.BatchSize]int32
	skip    bool // the rest of the partition
	input   vector.Batch
	batch   vector.Batch
	lanes   [vector.BatchSize]int32
}

func (in *Instance) windowOp(p *plan.WindowAgg) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	w := &windowOp{emitter: e, plan: p, part: newWindowKeys(p.Partition, p.Child), order: newWindowKeys(p.Order, p.Child)}
	w.rows.variable = variables(p.Child)
	for i := range w.lanes {
		w.lanes[i] = int32(i)
	}
	if err := w.frames.compile(in, p); err != nil {
		return nil, err
	}
	for i := range p.Calls {
		c, err := in.windowCall(w, &p.Calls[i])
		if err != nil {
			return nil, err
		}
		w.calls = append(w.calls, c)
	}
	for _, c := range w.calls {
		c.wants(&w.frames)
	}
	if w.run, err = in.c.All(p.Run); err != nil {
		return nil, err
	}
	w.batch.Cols = make([]vector.Vector, len(w.rows.variable)+len(w.calls))
	w.child, err = in.build(p.Child)
	return w, err
}

func (w *windowOp) open(x *Context) error {
	w.reset()
	w.rows.init(w.rows.variable, x)
	for _, keys := range [][]windowKey{w.part, w.order} {
		for i := range keys {
			keys[i].some = false
		}
	}
	w.start, w.end, w.scanned, w.cur = 0, 0, 0, 0
	w.begun, w.ended, w.skip = false, false, false
	return w.child.open(x)
}

func (w *windowOp) next(x *Context, want int) (*vector.Batch, error) {
	return w.pull(x, want, w.produce)
}

func (w *windowOp) close() {
	w.child.close()
	w.rows.clear()
	w.frames.frameLanes, w.input.Cols = nil, nil
	clear(w.batch.Cols[:len(w.rows.variable)])
	for _, c := range w.calls {
		c.release()
	}
}

// produce gives the next rows of one block, of one partition or several.
func (w *windowOp) produce(x *Context, want int) (*vector.Batch, error) {
	w.ask = min(want, vector.BatchSize)
	w.frame.Env = x.Eval
	if !w.begun {
		if err := w.frames.begin(w); err != nil {
			return nil, err
		}
		w.begun = true
	}
	for {
		w.rows.drop(w.needed())
		for w.rows.count <= w.cur {
			if w.skip && len(w.part) == 0 {
				return nil, nil
			}
			if more, err := w.spool(x); err != nil || !more {
				return nil, err
			}
		}
		if b, err := w.block(x); b != nil || err != nil {
			return b, err
		}
	}
}

// block gives the next rows of the block at hand; nil when all of them are left out.
func (w *windowOp) block(x *Context) (*vector.Batch, error) {
	number, from := w.rows.at(w.cur)
	limit := min(w.cur+w.ask, (number+1)*w.rows.size(), w.rows.count)
	for i, c := range w.calls {
		w.batch.Cols[len(w.rows.variable)+i].Reset(c.variable, limit-number*w.rows.size())
	}
	var failure error
	passed := w.passed[:0]
	for w.cur < limit && failure == nil {
		if w.rows.isPart(w.cur) {
			w.beginPartition()
		}
		end := w.rows.nextPart(w.cur+1, limit)
		if w.skip {
			w.cur = end
			continue
		}
		_, lane := w.rows.at(w.cur)
		before := w.cur
		w.cur, failure = w.compute(x, w.cur, end)
		if len(w.run) == 0 || w.cur == before {
			continue
		}
		sel, err := w.running(number, lane, lane+w.cur-before)
		passed = append(passed, sel...)
		if err != nil || w.skip { // what failed behind the last row that counts does not matter
			failure = err
		}
	}
	to := w.cur - number*w.rows.size()
	if to == from || len(w.run) > 0 && len(passed) == 0 {
		return nil, failure
	}
	w.failed = failure
	if err := w.assemble(number, to); err != nil {
		return nil, err
	}
	switch {
	case len(w.run) > 0:
		w.batch.Sel = passed
	case from > 0:
		w.batch.Sel = w.lanes[from:to]
	}
	return &w.batch, nil
}

// assemble makes a batch of the first n rows of a block and their results.
func (w *windowOp) assemble(number, n int) error {
	blk, err := w.rows.block(number)
	if err != nil {
		return err
	}
	copy(w.batch.Cols, blk.cols)
	w.batch.N, w.batch.Sel = n, nil
	return nil
}

// running gives those of the lanes of a partition for which the conditions that end it hold.
func (w *windowOp) running(number, from, to int) ([]int32, error) {
	if err := w.assemble(number, to); err != nil {
		return nil, err
	}
	w.frame.Outer, w.frame.Inner = &w.batch, nil
	sel, err := eval.Filter(&w.frame, w.run, w.lanes[from:to], to, w.sel[:])
	w.skip = len(sel) < to-from
	return sel, err
}

// needed gives the first row that anything still looks at.
func (w *windowOp) needed() int {
	row := w.cur
	if w.skip || w.cur < w.rows.count && w.rows.isPart(w.cur) {
		return row
	}
	row = min(row, w.frames.needed())
	for _, c := range w.calls {
		row = min(row, c.needed(w))
	}
	return max(row, w.start)
}

func (w *windowOp) beginPartition() {
	w.start, w.end, w.scanned, w.skip = w.cur, -1, w.cur+1, false
	w.frames.beginPartition(w.cur)
	for _, c := range w.calls {
		c.beginPartition(w.cur)
	}
}

// compute fills in the results of rows of one partition and block; it gives the row that failed, else to.
func (w *windowOp) compute(x *Context, from, to int) (int, error) {
	to, failure := w.frames.compute(x, w, from, to)
	for i, c := range w.calls {
		at, err := c.compute(x, w, from, to, &w.batch.Cols[len(w.rows.variable)+i])
		if err != nil {
			to, failure = at, err
		}
	}
	return to, failure
}

// spool takes in the next batch of the input; false at its end.
func (w *windowOp) spool(x *Context) (bool, error) {
	if w.ended {
		return false, nil
	}
	b, err := w.child.next(x, w.ask)
	if err != nil {
		return false, err
	}
	if b == nil {
		w.ended = true
		return false, nil
	}
	if err := x.Task.Breathe(); err != nil {
		return false, err
	}
	parts, peers := w.parts[:b.Live()], w.peers[:b.Live()]
	clear(parts)
	if w.rows.count == 0 {
		parts[0] = true
	}
	for i := range w.part {
		if err := w.part[i].mark(b, parts); err != nil {
			return false, err
		}
	}
	copy(peers, parts)
	for i := range w.order {
		if err := w.order[i].mark(b, peers); err != nil {
			return false, err
		}
	}
	return true, w.rows.append(b, parts, peers)
}

// have tells whether the partition at hand has a row with this number, taking in rows until that is known.
func (w *windowOp) have(x *Context, row int) (bool, error) {
	for {
		switch {
		case w.end >= 0:
			return row < w.end, nil
		case row < w.scanned:
			return true, nil
		case w.scanned < w.rows.count:
			if at := w.rows.nextPart(w.scanned, w.rows.count); at < w.rows.count {
				w.end = at
			}
			w.scanned = w.rows.count
			continue
		}
		more, err := w.spool(x)
		if err != nil {
			return false, err
		}
		if !more {
			w.end = w.rows.count
		}
	}
}

// partitionEnd gives the row behind the partition, taking in all of it.
func (w *windowOp) partitionEnd(x *Context) (int, error) {
	asked := w.ask
	defer func() { w.ask = asked }()
	for w.end < 0 {
		if _, err := w.have(x, w.rows.count); err != nil {
			return 0, err
		}
		w.ask = grow(w.ask)
	}
	return w.end, nil
}

// groupEnd gives the row behind the peers of a row of the partition.
func (w *windowOp) groupEnd(x *Context, row int) (int, error) {
	for at := row + 1; ; {
		ok, err := w.have(x, at)
		if err != nil {
			return 0, err
		}
		if !ok {
			return w.end, nil
		}
		known := w.scanned
		if w.end >= 0 {
			known = w.end
		}
		if peer := w.rows.nextPeer(at, known); peer < known {
			return peer, nil
		}
		at = known
	}
}

// constant evaluates an expression without columns.
func (w *windowOp) constant(n eval.Node) (types.Datum, error) {
	w.input.N, w.input.Cols, w.input.Sel = 1, nil, nil
	w.frame.Outer, w.frame.Inner = &w.input, nil
	v, err := n.Eval(&w.frame, nil, 1)
	if err != nil {
		return types.Null, err
	}
	return v.Get(0).Clone(), nil
}
