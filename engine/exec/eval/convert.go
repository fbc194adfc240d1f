package eval

import (
	"manifold/engine/base"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// relabel compiles a change of type without a change of representation. Only between signed and unsigned four-byte types
// do the bits in a Datum differ.
func (c *Compiler) relabel(e *query.Relabel) (Node, error) {
	from, to := unsigned(e.Arg.Type()), unsigned(e.Typ)
	return unary(c, e.Arg, func(a Node) Node {
		if from == to || !to && e.Typ != types.OIDInt4 {
			return a
		}
		return &resign{arg: a, unsigned: to}
	})
}

func unsigned(t base.OID) bool {
	switch t {
	case types.OIDOID, types.OIDXID, types.OIDCID, types.OIDRegProc, types.OIDRegProcedure, types.OIDRegOper, types.OIDRegOperator,
		types.OIDRegClass, types.OIDRegType, types.OIDRegNamespace, types.OIDRegRole, types.OIDRegCollation,
		types.OIDRegConfig, types.OIDRegDictionary:
		return true
	}
	return false
}

type resign struct {
	arg      Node
	unsigned bool
	out      vector.Vector
}

func (x *resign) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	if v.HasNulls {
		x.out.HasNulls, x.out.Nulls = true, v.Nulls
	}
	for i := range n {
		if x.unsigned {
			x.out.Fixed[i] = int64(uint32(v.Fixed[i]))
		} else {
			x.out.Fixed[i] = int64(int32(v.Fixed[i]))
		}
	}
	return &x.out, nil
}

// viaIO casts through the text form.
type viaIO struct {
	arg      Node
	from, to base.OID
	variable bool
	text     []byte
	out      vector.Vector
}

func (x *viaIO) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(x.variable, n)
	env := f.Env.Ctx.Env
	err = each(sel, n, func(i int) error {
		if v.IsNull(i) {
			x.out.Set(i, types.Null)
			return nil
		}
		x.text = types.AppendText(x.text[:0], x.from, v.Get(i), env)
		d, err := types.In(x.to, -1, string(x.text), env)
		if err != nil {
			return f.fail(i, err)
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}

func (c *Compiler) arrayCoerce(e *query.ArrayCoerce) (Node, error) {
	arg, err := c.Compile(e.Arg)
	if err != nil {
		return nil, err
	}
	reg := &register{}
	saved := c.caseArg
	c.caseArg = reg
	elem, err := c.Compile(e.Elem)
	c.caseArg = saved
	if err != nil {
		return nil, err
	}
	x := &arrayCoerce{arg: arg, elem: elem, reg: reg, to: e.Elem.Type()}
	query.Walk(e.Elem, func(q query.Expr) bool {
		if a, ok := q.(*query.CaseArg); ok {
			x.reg.variable = !c.Fixed(a.Typ)
		}
		return true
	})
	return x, nil
}

// arrayCoerce casts each element of an array.
type arrayCoerce struct {
	arg   Node
	elem  Node
	reg   *register
	to    base.OID
	in    []types.Datum
	bytes []byte
	out   vector.Vector
}

func (x *arrayCoerce) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(true, n)
	err = each(sel, n, func(i int) error {
		if v.IsNull(i) {
			x.out.Set(i, types.Null)
			return nil
		}
		a := types.OpenArray(v.Get(i))
		x.in = a.Elems(x.in[:0])
		for k := range x.in {
			x.reg.set(x.in[k])
			r, err := x.elem.Eval(f, nil, 1)
			if err != nil {
				return f.fail(i, err)
			}
			x.in[k] = r.Get(0).Clone()
		}
		x.bytes = types.AppendArray(x.bytes[:0], x.to, a.Shape(), x.in)
		x.out.SetBytes(i, x.bytes)
		return nil
	})
	return &x.out, err
}

type minMax struct {
	args     []Node
	least    bool
	variable bool
	compare  func(a, b *types.Datum) int
	cols     []*vector.Vector
	out      vector.Vector
}

func (x *minMax) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if x.cols == nil {
		x.cols = vectors(len(x.args))
	}
	if err := Columns(f, x.args, sel, n, x.cols); err != nil {
		return nil, err
	}
	x.out.Reset(x.variable, n)
	err := each(sel, n, func(i int) error {
		best := types.Null
		for _, v := range x.cols {
			if v.IsNull(i) {
				continue
			}
			d := v.Get(i)
			if best.Null || (x.compare(&d, &best) < 0) == x.least && x.compare(&d, &best) != 0 {
				best = d
			}
		}
		x.out.Set(i, best)
		return nil
	})
	return &x.out, err
}
