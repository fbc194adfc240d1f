package eval

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func (c *Compiler) row(e *query.RowExpr) (Node, error) {
	args, err := c.All(e.Args)
	if err != nil {
		return nil, err
	}
	x := &rowNode{args: args}
	if e.Typ != types.OIDRecord {
		x.typ = e.Typ
	}
	for i, a := range e.Args {
		for x.typ != 0 && e.Attrs != nil && len(x.fields) < e.Attrs[i]-1 {
			x.fields = append(x.fields, types.Field{Value: types.Null}) // of a dropped column
		}
		x.at = append(x.at, len(x.fields))
		x.fields = append(x.fields, types.Field{Type: a.Type(), Typmod: a.Typmod()})
		if x.typ == 0 && len(e.Names) == len(e.Args) && e.Names[i] != fmt.Sprintf("f%d", i+1) {
			x.names = e.Names
		}
	}
	return x, nil
}

// rowNode is ROW(...).
type rowNode struct {
	args   []Node
	fields []types.Field
	at     []int    // of each argument, in fields
	typ    base.OID // of a named row type
	names  []string // of an anonymous row, unless they are f1, f2 ...
	cols   []*vector.Vector
	bytes  []byte
	out    vector.Vector
}

func (x *rowNode) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if x.cols == nil {
		x.cols = vectors(len(x.args))
	}
	if err := Columns(f, x.args, sel, n, x.cols); err != nil {
		return nil, err
	}
	x.out.Reset(true, n)
	err := each(sel, n, func(i int) error {
		for k, v := range x.cols {
			x.fields[x.at[k]].Value = v.Get(i)
		}
		if err := types.CheckRecord(x.fields); err != nil {
			return f.fail(i, err)
		}
		x.bytes = types.AppendRow(x.bytes[:0], x.typ, x.names, x.fields)
		x.out.SetBytes(i, x.bytes)
		return nil
	})
	return &x.out, err
}

func (c *Compiler) fieldSelect(e *query.FieldSelect) (Node, error) {
	return unary(c, e.Arg, func(a Node) Node { return &fieldSelect{arg: a, field: e.Field, variable: !c.Fixed(e.Typ)} })
}

type fieldSelect struct {
	arg      Node
	field    int
	variable bool
	fields   []types.Field
	out      vector.Vector
}

func (x *fieldSelect) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.arg.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(x.variable, n)
	err = each(sel, n, func(i int) error {
		d := types.Null
		if !v.IsNull(i) {
			if x.fields = types.AppendFields(x.fields[:0], v.Get(i)); x.field <= len(x.fields) {
				d = x.fields[x.field-1].Value
			}
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}

func (c *Compiler) rowCompare(e *query.RowCompare) (Node, error) {
	x := &rowCompare{strategy: e.Strategy}
	for i := range e.Left {
		l, err := c.Compile(e.Left[i])
		if err != nil {
			return nil, err
		}
		r, err := c.Compile(e.Right[i])
		if err != nil {
			return nil, err
		}
		entry, ok := c.Lookup(e.Funcs[i])
		if !ok || entry.Scalar == nil {
			return nil, pgerror.Unsupported("function %s", c.Name(e.Funcs[i]))
		}
		x.left, x.right, x.cmps = append(x.left, l), append(x.right, r), append(x.cmps, entry)
	}
	return x, nil
}

// rowCompare is ROW(...) < ROW(...) and its like: the first pair that differs decides.
type rowCompare struct {
	strategy    int
	left, right []Node
	cmps        []builtins.Entry
	lcols       []*vector.Vector
	rcols       []*vector.Vector
	out         vector.Vector
}

func (x *rowCompare) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if x.lcols == nil {
		x.lcols, x.rcols = vectors(len(x.left)), vectors(len(x.right))
	}
	if err := Columns(f, x.left, sel, n, x.lcols); err != nil {
		return nil, err
	}
	if err := Columns(f, x.right, sel, n, x.rcols); err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	args := make([]types.Datum, 2)
	err := each(sel, n, func(i int) error {
		for k := range x.lcols {
			if x.lcols[k].IsNull(i) || x.rcols[k].IsNull(i) {
				x.out.Set(i, types.Null)
				return nil
			}
			args[0], args[1] = x.lcols[k].Get(i), x.rcols[k].Get(i)
			d, err := x.cmps[k].Scalar(f.Env.Ctx, args)
			if err != nil {
				return f.fail(i, err)
			}
			if d.I != 0 || k == len(x.lcols)-1 {
				x.out.Fixed[i] = types.Bool(holds(x.strategy, d.I)).I
				return nil
			}
		}
		return nil
	})
	return &x.out, err
}

// holds tells whether a comparison result satisfies a btree strategy.
func holds(strategy int, cmp int64) bool {
	switch strategy {
	case 1:
		return cmp < 0
	case 2:
		return cmp <= 0
	case 4:
		return cmp >= 0
	case 5:
		return cmp > 0
	}
	return cmp == 0
}
