package exec

import (
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
)

func errCardinality() error {
	return pgerror.New(pgerror.CardinalityViolation, "more than one row returned by a subquery used as an expression")
}

// emitter applies a node's filter and projection to its natural rows.
type emitter struct {
	filter  []eval.Node
	project []eval.Node
	frame   eval.Frame
	sel     [vector.BatchSize]int32
	out     vector.Batch
	failed  error // raised when the rows before it have been consumed
	instr   *Instrument
}

func (in *Instance) emitter(b *plan.Base) (*emitter, error) {
	e := &emitter{}
	if in.instr != nil {
		e.instr = in.instrument(b.ID)
	}
	var err error
	if e.filter, err = in.c.All(b.Filter); err != nil {
		return nil, err
	}
	if b.Project != nil {
		if e.project, err = in.c.All(b.Project); err != nil {
			return nil, err
		}
		if e.project == nil {
			e.project = []eval.Node{}
		}
		e.out.Cols = make([]vector.Vector, len(e.project))
	}
	return e, nil
}

func (in *Instance) instrument(id int) *Instrument {
	i, ok := in.instr[id]
	if !ok {
		i = &Instrument{}
		in.instr[id] = i
	}
	return i
}

func (e *emitter) reset() { e.failed = nil }

// pending gives an error that had to wait for the rows before it.
func (e *emitter) pending() error {
	err := e.failed
	e.failed = nil
	return err
}

// rows filters and projects a batch of natural rows. It gives nil when no row passes; an error at a row is kept until the
// rows before it have been handed out.
func (e *emitter) rows(x *Context, b *vector.Batch, inner *vector.Batch) (*vector.Batch, error) {
	if len(e.filter) == 0 && e.project == nil {
		return b, nil
	}
	e.frame.Env, e.frame.Outer, e.frame.Inner = x.Eval, b, inner
	sel := b.Sel
	if len(e.filter) > 0 {
		before := b.Live()
		var err error
		if sel, err = eval.Filter(&e.frame, e.filter, sel, b.N, e.sel[:]); err != nil {
			e.failed = err
		}
		if e.instr != nil {
			e.instr.Filtered += float64(before - len(sel))
		}
		if len(sel) == 0 {
			return nil, e.pending()
		}
		if len(sel) == b.N {
			sel = nil
		}
	}
	if e.project == nil {
		b.Sel = sel
		return b, nil
	}
	return e.projected(b, sel)
}

// projected evaluates the output columns; an error cuts the batch before its row and starts over.
func (e *emitter) projected(b *vector.Batch, sel []int32) (*vector.Batch, error) {
	n := b.N
	for i := 0; i < len(e.project); i++ {
		v, err := e.project[i].Eval(&e.frame, sel, n)
		if err != nil {
			e.failed = err
			if sel, _ = eval.Cut(sel, n, e.frame.ErrLane, e.sel[:]); len(sel) == 0 {
				return nil, e.pending()
			}
			i = -1
			continue
		}
		e.out.Cols[i] = *v
	}
	e.out.N, e.out.Sel = n, sel
	return &e.out, nil
}

// one gives rows for an operator that makes a batch of its own: loop until something passes.
type source func(x *Context, want int) (*vector.Batch, error)

// pull calls from until a batch passes the filter.
func (e *emitter) pull(x *Context, want int, from source) (*vector.Batch, error) {
	if e.failed != nil {
		return nil, e.pending()
	}
	for {
		b, err := from(x, want)
		if b == nil || err != nil {
			return nil, err
		}
		if out, err := e.rows(x, b, nil); out != nil || err != nil {
			return out, err
		}
		if err := x.Task.Breathe(); err != nil {
			return nil, err
		}
	}
}
