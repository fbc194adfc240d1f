package eval

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func (c *Compiler) subExpr(e *query.SubExpr) (Node, error) {
	x := &subExpr{kind: e.Kind, plan: e.Plan, variable: !c.Fixed(e.Typ)}
	for _, p := range e.Params {
		n, err := c.Compile(p.Value)
		if err != nil {
			return nil, err
		}
		x.params = append(x.params, param{p.N, n})
	}
	if e.Kind == query.SubArray {
		x.elem = types.ElemType(e.Typ)
		if x.elem == 0 {
			return nil, pgerror.Unsupported("ARRAY sub-select of a user-defined type")
		}
	}
	if e.Kind == query.SubMulti {
		x.variable = true
	}
	if e.Test == nil {
		return x, nil
	}
	regs := map[int]*register{}
	query.Walk(e.Test, func(q query.Expr) bool {
		if s, ok := q.(*query.SubColumn); ok && regs[s.N] == nil {
			regs[s.N] = &register{splat: splat{variable: !c.Fixed(s.Typ)}}
			for len(x.row) < s.N {
				x.row = append(x.row, nil)
			}
			x.row[s.N-1] = regs[s.N]
		}
		return true
	})
	c.subCols = append(c.subCols, x.row)
	defer func() { c.subCols = c.subCols[:len(c.subCols)-1] }()
	var err error
	if x.test, err = c.Compile(e.Test); err == nil && e.Hashed {
		x.hashed, err = c.hashedSub(e.Test)
	}
	return x, err
}

func (c *Compiler) subColumn(e *query.SubColumn) (Node, error) {
	if len(c.subCols) == 0 || e.N > len(c.subCols[len(c.subCols)-1]) {
		return nil, pgerror.New(pgerror.InternalError, "column of a sub-select outside its test")
	}
	return c.subCols[len(c.subCols)-1][e.N-1], nil
}

type param struct {
	n     int
	value Node
}

// subExpr runs a sub-plan for each lane.
type subExpr struct {
	kind     query.SubLinkKind
	plan     int
	params   []param
	test     Node
	row      []*register
	hashed   *hashedSub // nil: the rows are tested one by one
	elem     base.OID
	variable bool
	elems    []types.Datum
	bytes    []byte
	lane     [1]int32
	out      vector.Vector
}

func (x *subExpr) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	// The parameters first: nodes below may run over the same batch.
	cols := make([]*vector.Vector, len(x.params))
	for k, p := range x.params {
		v, err := p.value.Eval(f, sel, n)
		if err != nil {
			return nil, err
		}
		cols[k] = v
	}
	if x.hashed != nil {
		if err := x.hashed.begin(f, sel, n); err != nil {
			return nil, err
		}
	}
	x.out.Reset(x.variable, n)
	err := each(sel, n, func(i int) error {
		for k, p := range x.params {
			f.Env.SetParam(p.n, cols[k].Get(i).Clone())
		}
		d, err := x.one(f, i, n)
		if err != nil {
			return f.fail(i, err)
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}

func (x *subExpr) one(f *Frame, i, n int) (types.Datum, error) {
	switch x.kind {
	case query.SubExists:
		found := false
		err := f.Env.Subs.Rerun(x.plan, func([]types.Datum) bool {
			found = true
			return false
		})
		return types.Bool(found), err
	case query.SubScalar, query.SubMulti:
		return x.scalar(f)
	case query.SubArray:
		x.elems = x.elems[:0]
		err := f.Env.Subs.Rerun(x.plan, func(row []types.Datum) bool {
			x.elems = append(x.elems, row[0].Clone())
			return true
		})
		if err != nil {
			return types.Null, err
		}
		return types.MakeArray(x.elem, x.elems), nil
	case query.SubAny, query.SubAll, query.SubRowCompare:
		if x.hashed != nil {
			if d, known, err := x.hashed.find(f, x.plan, i); known || err != nil {
				return d, err
			}
		}
		return x.tested(f, i, n)
	}
	return types.Null, pgerror.Unsupported("sub-select of kind %d", x.kind)
}

// scalar gives the value (or the whole row) of the one row the sub-select may return.
func (x *subExpr) scalar(f *Frame) (types.Datum, error) {
	out, rows := types.Null, 0
	err := f.Env.Subs.Rerun(x.plan, func(row []types.Datum) bool {
		if rows++; rows > 1 {
			return false
		}
		if x.kind == query.SubScalar {
			out = row[0].Clone()
			return true
		}
		var fields []types.Field
		for _, d := range row {
			fields = append(fields, types.Field{Type: types.OIDText, Typmod: -1, Value: d})
			if d.B == nil && !d.Null {
				fields[len(fields)-1].Type = types.OIDInt8
			}
		}
		out = types.Bytes(types.AppendRecord(nil, fields))
		return true
	})
	if err == nil && rows > 1 {
		err = pgerror.New(pgerror.CardinalityViolation, "more than one row returned by a subquery used as an expression")
	}
	return out, err
}

// tested combines the test over the rows: ANY is OR, ALL is AND, a row comparison has one row at most.
func (x *subExpr) tested(f *Frame, i, n int) (types.Datum, error) {
	result := types.Bool(x.kind == query.SubAll)
	if x.kind == query.SubRowCompare {
		result = types.Null
	}
	var failure error
	rows := 0
	err := f.Env.Subs.Rerun(x.plan, func(row []types.Datum) bool {
		rows++
		if x.kind == query.SubRowCompare && rows > 1 {
			failure = pgerror.New(pgerror.CardinalityViolation, "more than one row returned by a subquery used as an expression")
			return false
		}
		for k, r := range x.row {
			if r != nil {
				r.set(row[k].Clone())
			}
		}
		x.lane[0] = int32(i)
		v, err := x.test.Eval(f, x.lane[:], n)
		if err != nil {
			failure = err
			return false
		}
		switch d := v.Get(i); {
		case x.kind == query.SubRowCompare:
			result = d.Clone()
		case d.Null:
			result = types.Null
		case d.True() == (x.kind == query.SubAny):
			result = d.Clone()
			return false
		}
		return true
	})
	if failure != nil {
		err = failure
	}
	return result, err
}
