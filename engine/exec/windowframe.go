package exec

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// windowFrames finds the frame of each row. Both ends only ever move forward within a partition, so that all frames of a
// partition cost one pass.
type windowFrames struct {
	mode      query.Frame
	start     windowEnd
	end       windowEnd
	key       int // the order column, for RANGE with offsets
	keyType   base.OID
	ascending bool
	nullsLow  bool // nulls come first

	frames bool // somebody wants the rows of frames
	groups bool // somebody wants the rows of peers

	group      int // number of the row's group in the partition
	groupStart int
	groupEnd   int // zero while it is not known

	*frameLanes // lent for one execution
}

// frameLanes are the frames of the rows of the batch at hand, by lane.
type frameLanes struct {
	from, to   [vector.BatchSize]int
	peers, gap [vector.BatchSize]int // the group: its first row, and the row behind it
}

// windowEnd is the start or the end of frames.
type windowEnd struct {
	offset  eval.Node // nil for none
	back    bool      // the offset is PRECEDING
	inRange builtins.Scalar
	value   types.Datum
	row     int // where it stands: the first row of frames, or the row behind the last
	group   int // the number of the group that begins at row
}

// farAway is more than there are rows; offsets beyond it mean the same.
const farAway = 1 << 48

func (f *windowFrames) compile(in *Instance, p *plan.WindowAgg) error {
	f.mode = p.Frame
	f.groups = p.Frame.Has(query.FrameExcludeGroup | query.FrameExcludeTies)
	var err error
	if f.start, err = in.windowEnd(p.Start, p.StartInRange, p.Frame.Has(query.FrameStartOffsetPreceding)); err != nil {
		return err
	}
	if f.end, err = in.windowEnd(p.End, p.EndInRange, p.Frame.Has(query.FrameEndOffsetPreceding)); err != nil {
		return err
	}
	if len(p.Order) == 1 {
		k := p.Order[0]
		f.key, f.ascending, f.nullsLow = k.Column, !k.Descending, k.NullsFirst
		f.keyType = p.Child.Common().Out[k.Column].Type
	}
	return nil
}

func (in *Instance) windowEnd(offset query.Expr, inRange base.OID, back bool) (e windowEnd, err error) {
	if offset == nil {
		return e, nil
	}
	if inRange != 0 {
		f, ok := in.b.Lookup(inRange)
		if !ok || f.Scalar == nil {
			return e, pgerror.Unsupported("function %s", in.b.Name(inRange))
		}
		e.inRange = f.Scalar
	}
	e.back = back
	e.offset, err = in.c.Compile(offset)
	return e, err
}

// begin evaluates the offsets.
func (f *windowFrames) begin(w *windowOp) error {
	if f.frameLanes == nil && (f.frames || f.groups) {
		f.frameLanes = &frameLanes{}
	}
	one := func(e *windowEnd, which string) error {
		if e.offset == nil {
			return nil
		}
		var err error
		if e.value, err = w.constant(e.offset); err != nil {
			return err
		}
		if e.value.Null {
			return pgerror.Newf(pgerror.NullValueNotAllowed, "frame %s offset must not be null", which)
		}
		if f.mode.Has(query.FrameRange) {
			return nil
		}
		if e.value.I < 0 {
			return pgerror.Newf(pgerror.InvalidPrecedingOrFollowingSize, "frame %s offset must not be negative", which)
		}
		e.value.I = min(e.value.I, farAway)
		return nil
	}
	if err := one(&f.start, "starting"); err != nil {
		return err
	}
	return one(&f.end, "ending")
}

func (f *windowFrames) beginPartition(row int) {
	f.group, f.groupStart, f.groupEnd = -1, row, 0
	f.start.row, f.start.group, f.end.row, f.end.group = row, 0, row, 0
}

// needed gives the first row that a later frame may look at to find its ends.
func (f *windowFrames) needed() int {
	if !f.frames {
		return farAway
	}
	row := farAway
	for _, e := range []*windowEnd{&f.start, &f.end} {
		if e.offset != nil {
			row = min(row, e.row)
		}
	}
	return row
}

// compute finds the frames of rows of one partition and block; it gives the row that failed, else to.
func (f *windowFrames) compute(x *Context, w *windowOp, from, to int) (int, error) {
	if !f.frames && !f.groups {
		return to, nil
	}
	for row := from; row < to; row++ {
		if err := f.one(x, w, row); err != nil {
			return row, err
		}
	}
	return to, nil
}

func (f *windowFrames) one(x *Context, w *windowOp, row int) error {
	if w.rows.isPeer(row) {
		f.group++
		f.groupStart, f.groupEnd = row, 0
	}
	_, lane := w.rows.at(row)
	if f.groups {
		if err := f.findGroupEnd(x, w, row); err != nil {
			return err
		}
		f.peers[lane], f.gap[lane] = f.groupStart, f.groupEnd
	}
	if !f.frames {
		return nil
	}
	first, err := f.first(x, w, row)
	if err != nil {
		return err
	}
	last, err := f.last(x, w, row)
	if err != nil {
		return err
	}
	f.from[lane], f.to[lane] = first, max(first, last)
	return nil
}

func (f *windowFrames) findGroupEnd(x *Context, w *windowOp, row int) error {
	if f.groupEnd > row {
		return nil
	}
	var err error
	f.groupEnd, err = w.groupEnd(x, row)
	return err
}

// first gives the first row of a row's frame.
func (f *windowFrames) first(x *Context, w *windowOp, row int) (int, error) {
	e := &f.start
	switch {
	case f.mode.Has(query.FrameStartUnboundedPreceding):
		return w.start, nil
	case f.mode.Has(query.FrameStartCurrentRow) && f.mode.Has(query.FrameRows):
		return row, nil
	case f.mode.Has(query.FrameStartCurrentRow):
		return f.groupStart, nil
	case f.mode.Has(query.FrameRows) && e.back:
		e.row = max(row-int(e.value.I), w.start)
		return e.row, nil
	case f.mode.Has(query.FrameRows):
		return f.clip(x, w, e, row+int(e.value.I))
	case f.mode.Has(query.FrameGroups):
		return f.toGroup(x, w, e, f.group+signed(e))
	}
	for {
		ok, err := w.have(x, e.row)
		if err != nil || !ok {
			return e.row, err
		}
		inside, err := f.inRange(x, w, e, row, false)
		if err != nil || inside {
			return e.row, err
		}
		e.row++
	}
}

// last gives the row behind a row's frame.
func (f *windowFrames) last(x *Context, w *windowOp, row int) (int, error) {
	e := &f.end
	switch {
	case f.mode.Has(query.FrameEndUnboundedFollowing):
		return w.partitionEnd(x)
	case f.mode.Has(query.FrameEndCurrentRow) && f.mode.Has(query.FrameRows):
		return row + 1, nil
	case f.mode.Has(query.FrameEndCurrentRow):
		err := f.findGroupEnd(x, w, row)
		return f.groupEnd, err
	case f.mode.Has(query.FrameRows) && e.back:
		e.row = max(row-int(e.value.I)+1, w.start)
		return e.row, nil
	case f.mode.Has(query.FrameRows):
		return f.clip(x, w, e, row+int(e.value.I)+1)
	case f.mode.Has(query.FrameGroups):
		return f.toGroup(x, w, e, f.group+signed(e)+1)
	}
	for {
		ok, err := w.have(x, e.row)
		if err != nil || !ok {
			return e.row, err
		}
		inside, err := f.inRange(x, w, e, row, true)
		if err != nil || !inside {
			return e.row, err
		}
		e.row++
	}
}

func signed(e *windowEnd) int {
	if e.back {
		return -int(e.value.I)
	}
	return int(e.value.I)
}

// clip moves an end to a row, or to the end of the partition when that comes first.
func (f *windowFrames) clip(x *Context, w *windowOp, e *windowEnd, row int) (int, error) {
	e.row = row
	for w.end < 0 { // the row before it decides
		ok, err := w.have(x, row-1)
		if err != nil {
			return 0, err
		}
		if ok {
			return row, nil
		}
	}
	e.row = min(row, w.end)
	return e.row, nil
}

// toGroup moves an end to the beginning of a group, or to the end of the partition.
func (f *windowFrames) toGroup(x *Context, w *windowOp, e *windowEnd, group int) (int, error) {
	for e.group < group {
		ok, err := w.have(x, e.row)
		if err != nil || !ok {
			return e.row, err
		}
		if e.row, err = w.groupEnd(x, e.row); err != nil {
			return 0, err
		}
		e.group++
	}
	return e.row, nil
}

// inRange tells of the row where an end of RANGE frames stands: for the start whether it lies in the frame of a row, for the
// end whether it does not lie behind it.
func (f *windowFrames) inRange(x *Context, w *windowOp, e *windowEnd, row int, end bool) (bool, error) {
	base, err := w.rows.value(row, f.key)
	if err != nil {
		return false, err
	}
	at, err := w.rows.value(e.row, f.key)
	if err != nil {
		return false, err
	}
	if at.Null || base.Null { // nulls are peers of each other, on one side of all values
		switch {
		case at.Null == base.Null:
			return true, nil
		case at.Null == f.nullsLow: // it comes before the row
			return end, nil
		}
		return !end, nil
	}
	less, sub := end == f.ascending, e.back == f.ascending
	ctx := x.Eval.Ctx
	args := [5]types.Datum{at, base, e.value, types.Bool(sub), types.Bool(less)}
	ctx.ArgTypes, ctx.Result = nil, types.OIDBool
	d, err := e.inRange(ctx, args[:])
	return err == nil && d.I != 0, err
}
