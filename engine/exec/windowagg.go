package exec

import (
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// windowAgg is an aggregate over frames. It holds the rows from first to behind; as frames move on, rows are added behind
// and, where the aggregate can take them back, removed in front. Where it cannot, or EXCLUDE makes holes, it starts again.
type windowAgg struct {
	*windowCall
	make    func() builtins.Aggregate
	state   builtins.Aggregate
	inverse builtins.Inverse // nil: rows cannot be taken back
	holes   bool

	first, behind int
	group         uint32 // of the state: each start is a group of its own, so that states last for many
	added         int    // rows since the start
	ids           []uint32
	sel           [vector.BatchSize]int32

	fresh  bool // result is that of the rows held
	result types.Datum
	buf    []byte
}

// A state serves stateGroups starts, unless one of them added more than bigStart rows: then the next has a state of its own,
// which adds rows faster.
const (
	stateGroups = 64
	bigStart    = 128
)

func (in *Instance) windowAgg(w *windowOp, c *windowCall) (*windowAgg, error) {
	e, ok := in.b.Lookup(c.Func)
	if !ok || e.Aggregate == nil {
		return nil, pgerror.Unsupported("aggregate %s", in.b.Name(c.Func))
	}
	a := &windowAgg{windowCall: c, make: e.Aggregate, holes: w.frames.mode.Has(query.FrameExclusion)}
	if e.Moving != nil && !a.holes && !w.frames.mode.Has(query.FrameStartUnboundedPreceding) {
		a.make = e.Moving
	}
	return a, nil
}

func (a *windowAgg) release() { a.state, a.inverse, a.buf = nil, nil, nil }

func (a *windowAgg) beginPartition(row int) { a.restart(row) }

// restart forgets all rows; the next to be added is row.
func (a *windowAgg) restart(row int) {
	a.first, a.behind, a.fresh = row, row, false
	if a.state != nil && a.added <= bigStart && a.group+1 < stateGroups {
		if a.added > 0 {
			a.group++
			a.state.Grow(int(a.group) + 1)
		}
		a.added = 0
		return
	}
	a.state, a.group, a.added = a.make(), 0, 0
	a.inverse, _ = a.state.(builtins.Inverse)
	a.state.Init(a.ArgTypes)
	a.state.Grow(1)
}

func (a *windowAgg) needed(w *windowOp) int {
	switch {
	case a.holes && !w.frames.mode.Has(query.FrameStartUnboundedPreceding):
		return min(a.first, a.behind)
	case a.holes:
		return w.start
	case w.frames.mode.Has(query.FrameStartUnboundedPreceding):
		return a.behind
	}
	return a.first
}

func (a *windowAgg) compute(x *Context, w *windowOp, from, to int, out *vector.Vector) (int, error) {
	for row := from; row < to; row++ {
		_, lane := w.rows.at(row)
		if row%64 == 0 {
			if err := x.Task.Breathe(); err != nil {
				return row, err
			}
		}
		if err := a.frame(x, w, lane, row); err != nil {
			return row, err
		}
		if !a.fresh {
			if err := a.finish(x); err != nil {
				return row, err
			}
		}
		out.Set(lane, a.result)
	}
	return to, nil
}

// frame brings the state to the frame of a row.
func (a *windowAgg) frame(x *Context, w *windowOp, lane, row int) error {
	from, to := w.frames.from[lane], w.frames.to[lane]
	if a.holes {
		a.restart(from)
		spans, n := w.frames.spans(lane, row)
		for _, s := range spans[:n] {
			if err := a.add(x, w, s[0], s[1]); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case from == a.first && to == a.behind:
		return nil
	case from >= a.behind && a.behind > a.first, from > a.first && a.inverse == nil:
		a.restart(from)
	case from > a.first:
		if err := a.walk(x, w, a.first, min(from, a.behind), a.inverse.Remove); err != nil {
			return err
		}
	}
	if from >= a.behind {
		a.behind = from
	}
	a.first, a.fresh = from, false
	err := a.add(x, w, a.behind, to)
	a.behind = max(a.behind, to)
	return err
}

func (a *windowAgg) add(x *Context, w *windowOp, from, to int) error {
	a.added += max(to-from, 0)
	return a.walk(x, w, from, to, a.state.Add)
}

// walk gives rows to the state, block by block.
func (a *windowAgg) walk(x *Context, w *windowOp, from, to int,
	do func(c *builtins.Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error) error {
	for from < to {
		number, lane := w.rows.at(from)
		blk, err := w.rows.block(number)
		if err != nil {
			return err
		}
		end := min(lane+to-from, w.rows.size())
		if end-lane > 64 {
			if err := x.Task.Breathe(); err != nil {
				return err
			}
		}
		from += end - lane
		sel, n := w.lanes[lane:end], blk.n
		if a.Filter != nil {
			filter, err := a.operands(w, blk, len(a.Args), len(a.args), sel, end)
			if err != nil {
				return err
			}
			if sel = a.kept(filter[0], sel); len(sel) == 0 {
				continue
			}
		}
		args, err := a.operands(w, blk, 0, len(a.Args), sel, end)
		if err != nil {
			return err
		}
		count := len(sel)
		if count == end { // all lanes from the first on
			sel, n = nil, end
		}
		ctx := x.Eval.Ctx
		ctx.ArgTypes, ctx.Result = a.ArgTypes, a.Type
		if err := do(ctx, a.groups(count), sel, n, args); err != nil {
			return err
		}
	}
	return nil
}

// kept gives the lanes whose filter is true.
func (a *windowAgg) kept(filter *vector.Vector, sel []int32) []int32 {
	out := a.sel[:0]
	for _, l := range sel {
		if !filter.IsNull(int(l)) && filter.Fixed[l] != 0 {
			out = append(out, l)
		}
	}
	return out
}

// groups gives the state's group, n times.
func (a *windowAgg) groups(n int) []uint32 {
	if a.group == 0 {
		return nil
	}
	if len(a.ids) > 0 && a.ids[0] != a.group {
		a.ids = a.ids[:0]
	}
	for len(a.ids) < n {
		a.ids = append(a.ids, a.group)
	}
	return a.ids[:n]
}

// finish takes the result of the rows held.
func (a *windowAgg) finish(x *Context) error {
	ctx := x.Eval.Ctx
	ctx.ArgTypes, ctx.Result = a.ArgTypes, a.Type
	d, err := a.state.Result(ctx, int(a.group))
	if err != nil {
		return err
	}
	if a.result = d; d.B != nil {
		a.buf = append(a.buf[:0], d.B...)
		a.result.B = a.buf
	}
	a.fresh = true
	return nil
}
