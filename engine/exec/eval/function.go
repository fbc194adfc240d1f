package eval

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func vectors(n int) []*vector.Vector { return make([]*vector.Vector, n) }

// function calls a built-in: by its kernel where it has one, otherwise lane by lane.
type function struct {
	args     []Node
	entry    builtins.Entry
	ret      base.OID
	strict   bool
	stable   bool
	constant bool // of constants only: computed once an execution
	coll     base.OID
	variable bool
	argTypes []base.OID
	defined  []types.Attribute // the column definition list, or nil

	values  []types.Datum
	columns []*vector.Vector
	out     vector.Vector
	once    splat
	run     uint64
}

func (x *function) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if x.constant {
		return x.evalOnce(f, sel, n)
	}
	return x.eval(f, sel, n)
}

// evalOnce computes a call over constants for one lane and repeats its value.
func (x *function) evalOnce(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if x.run != f.Env.Run || x.once.filled == 0 {
		v, err := x.eval(f, nil, 1)
		if err != nil {
			return nil, f.fail(first(sel), err)
		}
		x.run = f.Env.Run
		x.once.variable = x.variable
		x.once.set(v.Get(0).Clone())
	}
	return x.once.column(max(n, 1)), nil
}

func (x *function) eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	for i, a := range x.args {
		v, err := a.Eval(f, sel, n)
		if err != nil {
			return nil, err
		}
		x.columns[i] = v
	}
	x.out.Reset(x.variable, n)
	nulls := false
	if x.strict {
		for _, v := range x.columns {
			if v.HasNulls {
				nulls = true
				x.out.HasNulls = true
				for w := range (n + 63) / 64 {
					x.out.Nulls[w] |= v.Nulls[w]
				}
			}
		}
	}
	ctx := f.Env.Ctx
	ctx.Collation, ctx.ArgTypes, ctx.Result, ctx.Columns = x.coll, x.argTypes, x.ret, x.defined
	if x.entry.Kernel != nil && x.strict {
		if err := x.entry.Kernel(ctx, sel, n, x.columns, &x.out); err != nil {
			return nil, f.fail(ctx.ErrLane, err)
		}
		return &x.out, nil
	}
	return &x.out, x.rows(f, ctx, sel, n, nulls)
}

// rows calls the scalar form for each lane.
func (x *function) rows(f *Frame, ctx *builtins.Context, sel []int32, n int, nulls bool) error {
	count := n
	if sel != nil {
		count = len(sel)
	}
	for k := range count {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if nulls && x.out.IsNull(i) {
			if x.variable {
				x.out.Spans[i] = vector.Span{}
			}
			continue
		}
		for a, v := range x.columns {
			x.values[a] = v.Get(i)
		}
		d, err := x.entry.Scalar(ctx, x.values)
		if err != nil {
			return f.fail(i, err)
		}
		x.out.Set(i, d)
	}
	return nil
}

// Aggregates and set-returning functions take their arguments through these: Columns evaluates a list of nodes.
func Columns(f *Frame, nodes []Node, sel []int32, n int, out []*vector.Vector) error {
	for i, a := range nodes {
		v, err := a.Eval(f, sel, n)
		if err != nil {
			return err
		}
		out[i] = v
	}
	return nil
}
