package eval

import (
	"manifold/engine/types"
	"manifold/engine/vector"
)

type outerCol struct{ n int }

func (c *outerCol) Eval(f *Frame, _ []int32, _ int) (*vector.Vector, error) {
	return &f.Outer.Cols[c.n], nil
}

type innerCol struct{ n int }

func (c *innerCol) Eval(f *Frame, _ []int32, _ int) (*vector.Vector, error) {
	return &f.Inner.Cols[c.n], nil
}

// splat is a column that holds one value in every lane. filled tells how many lanes hold it.
type splat struct {
	variable bool
	out      vector.Vector
	filled   int
	value    types.Datum
}

// set makes d the value; lanes are filled when they are asked for.
func (s *splat) set(d types.Datum) {
	s.value, s.filled = d, 0
}

// column gives the column with at least n lanes filled.
func (s *splat) column(n int) *vector.Vector {
	if n <= s.filled {
		return &s.out
	}
	s.out.Reset(s.variable, n)
	switch {
	case s.value.Null:
		s.out.HasNulls = true
		for i := range s.out.Nulls {
			s.out.Nulls[i] = ^uint64(0)
		}
	case s.variable:
		s.out.Data = append(s.out.Data, s.value.B...)
		span := vector.Span{Len: uint32(len(s.value.B))}
		for i := range n {
			s.out.Spans[i] = span
		}
	default:
		for i := range n {
			s.out.Fixed[i] = s.value.I
		}
	}
	s.filled = n
	return &s.out
}

type constant struct {
	splat
	value types.Datum
	slot  int
	run   uint64
}

// datum gives the value of this execution.
func (c *constant) datum(e *Env) types.Datum {
	if c.slot >= 0 && e.Literals != nil {
		return e.Literals[c.slot]
	}
	return c.value
}

func (c *constant) Eval(f *Frame, _ []int32, n int) (*vector.Vector, error) {
	if c.run != f.Env.Run || c.filled == 0 {
		c.run = f.Env.Run
		c.set(c.datum(f.Env))
	}
	return c.column(max(n, 1)), nil
}

type externalParam struct {
	splat
	n   int
	run uint64
}

func (p *externalParam) Eval(f *Frame, _ []int32, n int) (*vector.Vector, error) {
	if p.run != f.Env.Run || p.filled == 0 {
		p.run = f.Env.Run
		p.set(f.Env.External[p.n])
	}
	return p.column(max(n, 1)), nil
}

type execParam struct {
	splat
	n     int
	run   uint64
	stamp uint64
}

func (p *execParam) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	e := f.Env
	if e.Subs != nil {
		if _, err := e.Subs.Init(p.n); err != nil {
			return nil, f.fail(first(sel), err)
		}
	}
	if p.run != e.Run || p.stamp != e.ExecSet[p.n] || p.filled == 0 {
		p.run, p.stamp = e.Run, e.ExecSet[p.n]
		p.set(e.Exec[p.n])
	}
	return p.column(max(n, 1)), nil
}

// register is a column that something else fills: the argument of a CASE, a column of a sub-select's row.
type register struct {
	splat
	col *vector.Vector // when set, the column itself
}

func (r *register) Eval(_ *Frame, _ []int32, n int) (*vector.Vector, error) {
	if r.col != nil {
		return r.col, nil
	}
	return r.column(max(n, 1)), nil
}

type sqlValue struct {
	splat
	name string
	mod  int32
	run  uint64
}

func (v *sqlValue) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if v.run != f.Env.Run || v.filled == 0 {
		d, err := f.Env.Values.SQLValue(v.name, v.mod)
		if err != nil {
			return nil, f.fail(first(sel), err)
		}
		v.run = f.Env.Run
		v.set(d)
	}
	return v.column(max(n, 1)), nil
}

type nextValue struct {
	sequence uint32
	out      vector.Vector
}

func (v *nextValue) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v.out.Reset(false, n)
	err := each(sel, n, func(i int) error {
		x, err := f.Env.Values.NextValue(v.sequence)
		if err != nil {
			return f.fail(i, err)
		}
		v.out.Fixed[i] = x
		return nil
	})
	return &v.out, err
}
