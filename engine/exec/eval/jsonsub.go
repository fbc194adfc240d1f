package eval

import (
	"manifold/engine/builtins"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// jsonSubscript reads a part of a jsonb, or gives the jsonb with that part replaced.
type jsonSubscript struct {
	value  Node
	keys   []Node
	index  []bool // the key is an integer
	assign Node
	cols   []*vector.Vector
	path   []types.Datum
	out    vector.Vector
}

func (c *Compiler) jsonSubscript(e *query.Subscript) (Node, error) {
	x := &jsonSubscript{cols: vectors(len(e.Upper)), path: make([]types.Datum, len(e.Upper))}
	var err error
	if x.value, err = c.Compile(e.Array); err != nil {
		return nil, err
	}
	if x.keys, err = c.All(e.Upper); err != nil {
		return nil, err
	}
	for _, k := range e.Upper {
		x.index = append(x.index, k.Type() == types.OIDInt4)
	}
	if e.Assign != nil {
		x.assign, err = c.Compile(e.Assign)
	}
	return x, err
}

func (x *jsonSubscript) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.value.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	if err := Columns(f, x.keys, sel, n, x.cols); err != nil {
		return nil, err
	}
	var with *vector.Vector
	if x.assign != nil {
		if with, err = x.assign.Eval(f, sel, n); err != nil {
			return nil, err
		}
	}
	x.out.Reset(true, n)
	err = each(sel, n, func(i int) error {
		null := false
		for k, col := range x.cols {
			if x.path[k] = col.Get(i); x.path[k].Null {
				null = true
			} else if x.index[k] {
				x.path[k] = types.Datum{B: types.AppendText(nil, types.OIDInt4, x.path[k], nil)}
			}
		}
		var d types.Datum
		var err error
		switch {
		case with != nil:
			d, err = builtins.AssignJSON(f.Env.Ctx, v.Get(i), x.path, x.index[0], with.Get(i))
		case null || v.IsNull(i):
			d = types.Null
		default:
			d = builtins.PartOfJSON(f.Env.Ctx, v.Get(i), x.path)
		}
		if err != nil {
			return f.fail(i, err)
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}
