package eval

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func (c *Compiler) arrayOp(e *query.ArrayOp) (Node, error) {
	entry, ok := c.Lookup(e.Func)
	if !ok || entry.Scalar == nil {
		return nil, pgerror.Unsupported("function %s", c.Name(e.Func))
	}
	l, err := c.Compile(e.Args[0])
	if err != nil {
		return nil, err
	}
	r, err := c.Compile(e.Args[1])
	if err != nil {
		return nil, err
	}
	x := &arrayOp{left: l, right: r, entry: entry, any: e.Any, coll: e.InColl}
	x.argTypes = []base.OID{e.Args[0].Type(), 0}
	x.args = make([]types.Datum, 2)
	return x, nil
}

// arrayOp is `left op ANY (array)` or ALL.
type arrayOp struct {
	left, right Node
	entry       builtins.Entry
	any         bool
	coll        base.OID
	argTypes    []base.OID
	args        []types.Datum
	elems       []types.Datum
	out         vector.Vector
}

func (x *arrayOp) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	l, err := x.left.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	r, err := x.right.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	ctx := f.Env.Ctx
	var opened vector.Span // the array that elems was taken from: a constant is the same in every lane
	err = each(sel, n, func(i int) error {
		if r.IsNull(i) {
			x.out.Set(i, types.Null)
			return nil
		}
		if s := r.Spans[i]; s != opened || s.Len == 0 {
			a := types.OpenArray(r.Get(i))
			x.elems = a.Elems(x.elems[:0])
			x.argTypes[1], opened = a.Elem, s
		}
		ctx.Collation, ctx.ArgTypes, ctx.Result = x.coll, x.argTypes, types.OIDBool
		d, err := x.one(ctx, l.Get(i))
		if err != nil {
			return f.fail(i, err)
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}

// one compares a value with the elements: true (ANY) or false (ALL) as soon as one decides, null if some were null.
func (x *arrayOp) one(ctx *builtins.Context, left types.Datum) (types.Datum, error) {
	if len(x.elems) == 0 {
		return types.Bool(!x.any), nil
	}
	if left.Null {
		return types.Null, nil
	}
	unknown := false
	for _, e := range x.elems {
		if e.Null {
			unknown = true
			continue
		}
		x.args[0], x.args[1] = left, e
		d, err := x.entry.Scalar(ctx, x.args)
		if err != nil {
			return d, err
		}
		switch {
		case d.Null:
			unknown = true
		case d.True() == x.any:
			return types.Bool(x.any), nil
		}
	}
	if unknown {
		return types.Null, nil
	}
	return types.Bool(!x.any), nil
}

// arrayExpr is ARRAY[...].
type arrayExpr struct {
	elems []Node
	elem  base.OID
	multi bool
	cols  []*vector.Vector
	vals  []types.Datum
	bytes []byte
	out   vector.Vector
}

func (x *arrayExpr) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	if x.cols == nil {
		x.cols = vectors(len(x.elems))
	}
	if err := Columns(f, x.elems, sel, n, x.cols); err != nil {
		return nil, err
	}
	x.out.Reset(true, n)
	err := each(sel, n, func(i int) error {
		x.vals = x.vals[:0]
		var dims []types.Dim
		if x.multi {
			var err error
			if dims, err = x.gather(i); err != nil {
				return f.fail(i, err)
			}
		} else {
			for _, v := range x.cols {
				x.vals = append(x.vals, v.Get(i))
			}
			if len(x.vals) > 0 {
				dims = []types.Dim{{Len: int32(len(x.vals)), Lower: 1}}
			}
		}
		x.bytes = types.AppendArray(x.bytes[:0], x.elem, dims, x.vals)
		x.out.SetBytes(i, x.bytes)
		return nil
	})
	return &x.out, err
}

// gather joins sub-arrays, which must all have the same dimensions.
func (x *arrayExpr) gather(i int) ([]types.Dim, error) {
	var inner []types.Dim
	count := 0
	for k, v := range x.cols {
		if v.IsNull(i) {
			continue
		}
		a := types.OpenArray(v.Get(i))
		shape := append([]types.Dim(nil), a.Shape()...)
		if k == 0 || inner == nil && count == 0 {
			inner = shape
		} else if !sameShape(inner, shape) {
			return nil, pgerror.New(pgerror.ArraySubscriptError, "multidimensional arrays must have array expressions with matching dimensions")
		}
		count++
		x.vals = a.Elems(x.vals)
	}
	if len(inner) == 0 {
		return nil, nil
	}
	if len(inner) == types.MaxDims {
		return nil, pgerror.Newf(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)",
			types.MaxDims+1, types.MaxDims)
	}
	return append([]types.Dim{{Len: int32(count), Lower: 1}}, inner...), nil
}

func sameShape(a, b []types.Dim) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// nameByte is a byte of a name by its place, from zero.
type nameByte struct {
	name, at Node
	out      vector.Vector
}

// nameSize is how many bytes PostgreSQL's type name has, the zeros behind it among them.
const nameSize = 64

// Eval implements Node.
func (x *nameByte) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	name, err := x.name.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	at, err := x.at.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	x.out.Reset(false, n)
	err = each(sel, n, func(i int) error {
		d := types.Null
		if !name.IsNull(i) && !at.IsNull(i) && at.Fixed[i] >= 0 && at.Fixed[i] < nameSize {
			d = types.Int(0)
			if b := name.Get(i).B; at.Fixed[i] < int64(len(b)) {
				d = types.Int(int64(b[at.Fixed[i]]))
			}
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}

func (c *Compiler) subscript(e *query.Subscript) (Node, error) {
	if e.Elem == types.OIDJSONB && e.Typ == types.OIDJSONB && e.Array.Type() == types.OIDJSONB {
		return c.jsonSubscript(e)
	}
	if e.Array.Type() == types.OIDName && len(e.Upper) == 1 {
		name, err := c.Compile(e.Array)
		if err != nil {
			return nil, err
		}
		at, err := c.Compile(e.Upper[0])
		return &nameByte{name: name, at: at}, err
	}
	x := &subscript{slice: e.Slice, elem: e.Elem, variable: !c.Fixed(e.Typ)}
	var err error
	if x.array, err = c.Compile(e.Array); err != nil {
		return nil, err
	}
	for i := range e.Upper {
		var lo, hi Node
		if e.Upper[i] != nil {
			if hi, err = c.Compile(e.Upper[i]); err != nil {
				return nil, err
			}
		}
		if e.Slice && e.Lower[i] != nil {
			if lo, err = c.Compile(e.Lower[i]); err != nil {
				return nil, err
			}
		}
		x.lower, x.upper = append(x.lower, lo), append(x.upper, hi)
	}
	if e.Assign != nil {
		if x.assign, err = c.Compile(e.Assign); err != nil {
			return nil, err
		}
	}
	return x, nil
}

type subscript struct {
	array        Node
	lower, upper []Node
	assign       Node
	slice        bool
	elem         base.OID
	variable     bool
	bytes        []byte
	out          vector.Vector
}

// bounds evaluates the subscripts of a lane; null tells that one is null.
func (x *subscript) bounds(f *Frame, i int, a *types.Array) (lo, hi []int32, null bool, err error) {
	one := []int32{int32(i)}
	get := func(nd Node, missing int32) (int32, error) {
		if nd == nil {
			return missing, nil
		}
		v, err := nd.Eval(f, one, i+1)
		if err != nil {
			return 0, err
		}
		if v.IsNull(i) {
			null = true
			return 0, nil
		}
		return int32(v.Fixed[i]), nil
	}
	shape := a.Shape()
	for k := range x.upper {
		var first, last int32 = 1, 0
		if k < len(shape) {
			first, last = shape[k].Lower, shape[k].Lower+shape[k].Len-1
		}
		l, err := get(x.lower[k], first)
		if err != nil {
			return nil, nil, false, err
		}
		h, err := get(x.upper[k], last)
		if err != nil {
			return nil, nil, false, err
		}
		lo, hi = append(lo, l), append(hi, h)
	}
	return lo, hi, null, nil
}

func (x *subscript) Eval(f *Frame, sel []int32, n int) (*vector.Vector, error) {
	v, err := x.array.Eval(f, sel, n)
	if err != nil {
		return nil, err
	}
	var val *vector.Vector
	if x.assign != nil {
		if val, err = x.assign.Eval(f, sel, n); err != nil {
			return nil, err
		}
	}
	x.out.Reset(x.variable || x.assign != nil, n)
	err = each(sel, n, func(i int) error {
		if v.IsNull(i) && x.assign == nil {
			x.out.Set(i, types.Null)
			return nil
		}
		var a types.Array
		if !v.IsNull(i) {
			a = types.OpenArray(v.Get(i))
		}
		lo, hi, null, err := x.bounds(f, i, &a)
		if err != nil {
			return f.fail(i, err)
		}
		var d types.Datum
		switch {
		case x.assign != nil:
			d, err = x.store(&a, lo, hi, null, val.Get(i))
		case null:
			d = types.Null
		case x.slice:
			d = x.cut(&a, lo, hi)
		default:
			d = a.Get(hi...)
		}
		if err != nil {
			return f.fail(i, err)
		}
		x.out.Set(i, d)
		return nil
	})
	return &x.out, err
}

// cut reads a slice.
func (x *subscript) cut(a *types.Array, lo, hi []int32) types.Datum {
	shape := a.Shape()
	var dims []types.Dim
	for k, d := range shape {
		l, h := d.Lower, d.Lower+d.Len-1
		if k < len(lo) {
			l, h = max(l, lo[k]), min(h, hi[k])
		}
		if l > h {
			dims = nil
			break
		}
		dims = append(dims, types.Dim{Len: h - l + 1, Lower: l})
	}
	var elems []types.Datum
	if dims != nil && len(lo) <= len(shape) {
		idx := make([]int32, len(dims))
		for k := range dims {
			idx[k] = dims[k].Lower
		}
		for done := false; !done; {
			elems = append(elems, a.Get(idx...))
			done = true
			for k := len(idx) - 1; k >= 0; k-- {
				if idx[k]++; idx[k] < dims[k].Lower+dims[k].Len {
					done = false
					break
				}
				idx[k] = dims[k].Lower
			}
		}
		for k := range dims {
			dims[k].Lower = 1
		}
	} else {
		dims = nil
	}
	x.bytes = types.AppendArray(x.bytes[:0], x.elem, dims, elems)
	return types.Bytes(x.bytes)
}

// store gives the array with one element replaced or appended.
func (x *subscript) store(a *types.Array, lo, hi []int32, null bool, val types.Datum) (types.Datum, error) {
	if null {
		return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "array subscript in assignment must not be null")
	}
	if x.slice || len(hi) != 1 || len(a.Shape()) > 1 {
		return types.Null, pgerror.Unsupported("assignment to an array slice or to an element of a multidimensional array")
	}
	elems := a.Elems(nil)
	lower := int32(1)
	if s := a.Shape(); len(s) == 1 {
		lower = s[0].Lower
	} else {
		lower = hi[0]
	}
	if hi[0] < lower {
		pad := make([]types.Datum, lower-hi[0])
		for k := range pad {
			pad[k] = types.Null
		}
		elems, lower = append(pad, elems...), hi[0]
	}
	for int32(len(elems)) <= hi[0]-lower {
		elems = append(elems, types.Null)
	}
	elems[hi[0]-lower] = val
	x.bytes = types.AppendArray(x.bytes[:0], x.elem, []types.Dim{{Len: int32(len(elems)), Lower: lower}}, elems)
	return types.Bytes(x.bytes), nil
}
