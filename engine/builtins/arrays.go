package builtins

import (
	"bytes"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func incompatible(format string, args ...any) error {
	e := pgerror.New(pgerror.ArraySubscriptError, "cannot concatenate incompatible arrays")
	if format != "" {
		return e.WithDetail(format, args...)
	}
	return e
}

// array stores an array in the arena.
func (c *Context) array(elem base.OID, dims []types.Dim, elems []types.Datum) types.Datum {
	return c.stored(func(b []byte) []byte { return types.AppendArray(b, elem, dims, elems) })
}

// elemType gives the element type of array argument i, which may be null.
func (c *Context) elemType(i int, d types.Datum) base.OID {
	if !d.Null {
		a := types.OpenArray(d)
		return a.Elem
	}
	if i < len(c.ArgTypes) {
		return types.ElemType(c.ArgTypes[i])
	}
	return 0
}

func registerArrays(r registry) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return push(c, a[0], a[1], 0, false) }, "array_append")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return push(c, a[1], a[0], 1, true) }, "array_prepend")
	r.add(arrayCat, "array_cat")
	dim := func(name string, f func(d types.Dim) int64) {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			arr := types.OpenArray(a[0])
			if a[1].I < 1 || a[1].I > int64(arr.NDims) {
				return types.Null, nil
			}
			return types.Int(f(arr.Dims[a[1].I-1])), nil
		}, name)
	}
	dim("array_lower", func(d types.Dim) int64 { return int64(d.Lower) })
	dim("array_upper", func(d types.Dim) int64 { return int64(d.Lower) + int64(d.Len) - 1 })
	dim("array_length", func(d types.Dim) int64 { return int64(d.Len) })
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		arr := types.OpenArray(a[0])
		return types.Datum{I: int64(arr.NDims), Null: arr.NDims == 0}, nil
	}, "array_ndims")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		arr := types.OpenArray(a[0])
		return types.Int(int64(arr.Len())), nil
	}, "array_cardinality")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		arr := types.OpenArray(a[0])
		if arr.NDims == 0 {
			return types.Null, nil
		}
		return c.stored(func(b []byte) []byte { return types.AppendDims(b, arr.Shape()) }), nil
	}, "array_dims")
	r.add(position, "array_position", "array_position_start")
	r.add(positions, "array_positions")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return replaceElems(c, a[0], a[1], types.Null, true)
	}, "array_remove")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return replaceElems(c, a[0], a[1], a[2], false)
	}, "array_replace")
	r.add(trimArray, "trim_array")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(contains(a[1], a[0], true)), nil
	}, "arraycontained")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(contains(a[0], a[1], true)), nil
	}, "arraycontains")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(contains(a[0], a[1], false)), nil
	}, "arrayoverlap")
	r.add(toArray, "text_to_array", "text_to_array_null")
	r.add(toText, "array_to_text", "array_to_text_null")
	r.add(fill, "array_fill", "array_fill_with_lower_bounds")
}

func push(c *Context, array, elem types.Datum, arg int, front bool) (types.Datum, error) {
	typ := c.elemType(arg, array)
	if typ == 0 {
		return types.Null, pgerror.New(pgerror.DatatypeMismatch, "could not determine input data type")
	}
	if array.Null {
		return c.array(typ, []types.Dim{{Len: 1, Lower: 1}}, []types.Datum{elem}), nil
	}
	arr := types.OpenArray(array)
	if arr.NDims > 1 {
		return types.Null, pgerror.New(pgerror.DataException, "argument must be empty or one-dimensional array")
	}
	dim := types.Dim{Len: int32(arr.Len() + 1), Lower: 1}
	elems := make([]types.Datum, 0, arr.Len()+1)
	if arr.NDims == 1 {
		dim.Lower = arr.Dims[0].Lower
	}
	if front {
		elems = arr.Elems(append(elems, elem))
	} else {
		elems = append(arr.Elems(elems), elem)
	}
	return c.array(typ, []types.Dim{dim}, elems), nil
}

func arrayCat(c *Context, a []types.Datum) (types.Datum, error) {
	switch {
	case a[0].Null:
		return a[1], nil
	case a[1].Null:
		return a[0], nil
	}
	x, y := types.OpenArray(a[0]), types.OpenArray(a[1])
	switch {
	case x.NDims == 0:
		return a[1], nil
	case y.NDims == 0:
		return a[0], nil
	}
	elems := y.Elems(x.Elems(make([]types.Datum, 0, x.Len()+y.Len())))
	var dims []types.Dim
	mismatch := func() error {
		return incompatible("Arrays with differing dimensions are not compatible for concatenation.")
	}
	switch {
	case x.NDims == y.NDims:
		for i := 1; i < x.NDims; i++ {
			if x.Dims[i] != y.Dims[i] {
				return types.Null, incompatible("Arrays with differing element dimensions are not compatible for concatenation.")
			}
		}
		dims = append(dims, x.Shape()...)
		dims[0].Len += y.Dims[0].Len
	case x.NDims == y.NDims-1:
		for i := range x.NDims {
			if x.Dims[i] != y.Dims[i+1] {
				return types.Null, mismatch()
			}
		}
		dims = append(dims, y.Shape()...)
		dims[0].Len++
	case x.NDims == y.NDims+1:
		for i := range y.NDims {
			if y.Dims[i] != x.Dims[i+1] {
				return types.Null, mismatch()
			}
		}
		dims = append(dims, x.Shape()...)
		dims[0].Len++
	default:
		return types.Null, incompatible("Arrays of %d and %d dimensions are not compatible for concatenation.", x.NDims, y.NDims)
	}
	return c.array(x.Elem, dims, elems), nil
}

// same tells whether two elements are equal, nulls being equal to each other.
func same(cmp func(a, b *types.Datum) int, a, b types.Datum) bool {
	if a.Null || b.Null {
		return a.Null && b.Null
	}
	return cmp(&a, &b) == 0
}

func multiSearch() error {
	return pgerror.New(pgerror.FeatureNotSupported, "searching for elements in multidimensional arrays is not supported")
}

func position(_ *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, nil
	}
	arr := types.OpenArray(a[0])
	if arr.NDims > 1 {
		return types.Null, multiSearch()
	}
	from := int64(arr.Dims[0].Lower)
	if len(a) > 2 {
		if a[2].Null {
			return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "initial position must not be null")
		}
		from = max(from, a[2].I)
	}
	cmp := types.CompareFunc(arr.Elem)
	for i := int(from - int64(arr.Dims[0].Lower)); i < arr.Len(); i++ {
		if same(cmp, arr.At(i), a[1]) {
			return types.Int(int64(i) + int64(arr.Dims[0].Lower)), nil
		}
	}
	return types.Null, nil
}

func positions(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, nil
	}
	arr := types.OpenArray(a[0])
	if arr.NDims > 1 {
		return types.Null, multiSearch()
	}
	cmp := types.CompareFunc(arr.Elem)
	var out []types.Datum
	for i := range arr.Len() {
		if same(cmp, arr.At(i), a[1]) {
			out = append(out, types.Int(int64(i)+int64(arr.Dims[0].Lower)))
		}
	}
	return c.array(types.OIDInt4, []types.Dim{{Len: int32(len(out)), Lower: 1}}, out), nil
}

func replaceElems(c *Context, array, old, with types.Datum, remove bool) (types.Datum, error) {
	if array.Null {
		return types.Null, nil
	}
	arr := types.OpenArray(array)
	if remove && arr.NDims > 1 {
		return types.Null, pgerror.New(pgerror.FeatureNotSupported, "removing elements from multidimensional arrays is not supported")
	}
	cmp := types.CompareFunc(arr.Elem)
	out := make([]types.Datum, 0, arr.Len())
	for i := range arr.Len() {
		e := arr.At(i)
		if !same(cmp, e, old) {
			out = append(out, e)
		} else if !remove {
			out = append(out, with)
		}
	}
	dims := append([]types.Dim{}, arr.Shape()...)
	if remove && len(dims) > 0 {
		dims[0].Len = int32(len(out))
	}
	return c.array(arr.Elem, dims, out), nil
}

func trimArray(c *Context, a []types.Datum) (types.Datum, error) {
	arr := types.OpenArray(a[0])
	have := int64(0)
	if arr.NDims > 0 {
		have = int64(arr.Dims[0].Len)
	}
	if a[1].I < 0 || a[1].I > have {
		return types.Null, pgerror.Newf(pgerror.ArrayElementError, "number of elements to trim must be between 0 and %d", have)
	}
	if have == 0 {
		return a[0], nil
	}
	dims := append([]types.Dim{}, arr.Shape()...)
	per := arr.Len() / int(have)
	dims[0].Len -= int32(a[1].I)
	dims[0].Lower = 1
	return c.array(arr.Elem, dims, arr.Elems(nil)[:per*int(dims[0].Len)]), nil
}

// contains tells whether x holds all (or any) of y's elements; nulls match nothing.
func contains(x, y types.Datum, all bool) bool {
	a, b := types.OpenArray(x), types.OpenArray(y)
	cmp := types.CompareFunc(a.Elem)
	for i := range b.Len() {
		e := b.At(i)
		found := false
		for k := 0; k < a.Len() && !found && !e.Null; k++ {
			f := a.At(k)
			found = !f.Null && cmp(&e, &f) == 0
		}
		if found != all {
			return found
		}
	}
	return all
}

func splitText(a []types.Datum) []types.Datum {
	var parts [][]byte
	text := a[0].B
	switch {
	case len(text) == 0:
	case a[1].Null:
		for len(text) > 0 {
			n := charOffset(text, 1)
			parts = append(parts, text[:n])
			text = text[n:]
		}
	case len(a[1].B) == 0:
		parts = [][]byte{text}
	default:
		parts = bytes.Split(text, a[1].B)
	}
	out := make([]types.Datum, len(parts))
	for i, p := range parts {
		out[i] = types.Datum{B: p}
		if len(a) > 2 && !a[2].Null && bytes.Equal(p, a[2].B) {
			out[i] = types.Null
		}
	}
	return out
}

func toArray(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, nil
	}
	out := splitText(a)
	return c.array(types.OIDText, []types.Dim{{Len: int32(len(out)), Lower: 1}}, out), nil
}

func toText(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null || a[1].Null {
		return types.Null, nil
	}
	arr := types.OpenArray(a[0])
	var out []byte
	first := true
	for i := range arr.Len() {
		e := arr.At(i)
		if e.Null && (len(a) < 3 || a[2].Null) {
			continue
		}
		if !first {
			out = append(out, a[1].B...)
		}
		first = false
		if e.Null {
			out = append(out, a[2].B...)
		} else {
			out = types.AppendText(out, arr.Elem, e, c.Env)
		}
	}
	return c.bytes(out), nil
}

func fill(c *Context, a []types.Datum) (types.Datum, error) {
	if a[1].Null || len(a) > 2 && a[2].Null {
		return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "dimension array or low bound array cannot be null")
	}
	sizes := types.OpenArray(a[1])
	if sizes.HasNulls() {
		return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "dimension values cannot be null")
	}
	if sizes.Len() > types.MaxDims {
		return types.Null, pgerror.Newf(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)",
			sizes.Len(), types.MaxDims)
	}
	dims := make([]types.Dim, sizes.Len())
	n := int64(1)
	for i := range dims {
		dims[i] = types.Dim{Len: int32(sizes.At(i).I), Lower: 1}
		if len(a) > 2 {
			lower := types.OpenArray(a[2])
			if lower.Len() != sizes.Len() {
				return types.Null, pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts").
					WithDetail("Low bound array has different size than dimensions array.")
			}
			dims[i].Lower = int32(lower.At(i).I)
		}
		if n *= int64(max(dims[i].Len, 0)); n > types.MaxArrayElems {
			return types.Null, pgerror.Newf(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", types.MaxArrayElems)
		}
	}
	if len(dims) == 0 {
		n = 0
	}
	elem := base.OID(0)
	if len(c.ArgTypes) > 0 {
		elem = c.ArgTypes[0]
	}
	elems := make([]types.Datum, n)
	for i := range elems {
		elems[i] = a[0]
	}
	return c.array(elem, dims, elems), nil
}
