package builtins

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// registerJSONEach enters the functions that give an object's members as rows.
func registerJSONEach(r registry, d dialect) {
	each := func(name string, asText bool) {
		r.addSet(func(_ *Context, a []types.Datum) (Iterator, error) {
			v, err := d.parse(str(a[0]))
			if err != nil {
				return nil, err
			}
			if v.Kind != types.JSONObject {
				return nil, d.noObject(name, &v)
			}
			typ := d.typ
			if asText {
				typ = types.OIDText
			}
			i := 0
			return iteratorFunc(func(c *Context) (types.Datum, bool, error) {
				if i >= len(v.Keys) {
					return types.Null, false, nil
				}
				value := types.Null
				if asText {
					value = d.text(c, &v.Values[i])
				} else {
					value = types.Datum{B: d.print(nil, &v.Values[i])}
				}
				i++
				return types.Datum{B: types.AppendRow(nil, 0, []string{"key", "value"}, []types.Field{
					{Type: types.OIDText, Typmod: -1, Value: types.Text(v.Keys[i-1])}, {Type: typ, Typmod: -1, Value: value}})}, true, nil
			}), nil
		}, name)
	}
	each(d.name+"_each", false)
	each(d.name+"_each_text", true)
}

func (d dialect) noObject(name string, v *types.JSON) error {
	switch {
	case d.typ == types.OIDJSONB:
		return invalidParameter("cannot call %s on a non-object", name)
	case v.Kind == types.JSONArray:
		return invalidParameter("cannot deconstruct an array as an object")
	}
	return invalidParameter("cannot deconstruct a scalar")
}

func (d dialect) noArray(name string, v *types.JSON) error {
	what := "an object"
	switch {
	case d.typ == types.OIDJSON && v.Kind == types.JSONObject:
		return invalidParameter("cannot call %s on a non-array", name)
	case d.typ == types.OIDJSON:
		return invalidParameter("cannot call %s on a scalar", name)
	case v.Kind != types.JSONObject:
		what = "a scalar"
	}
	return invalidParameter("cannot extract elements from %s", what)
}

// registerJSONObject enters json_object: an object of text values from one array of keys and values, or from one of each.
func registerJSONObject(r registry, d dialect) {
	wrong := func() error { return pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts") }
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		arr := types.OpenArray(a[0])
		switch {
		case arr.NDims == 1 && arr.Dims[0].Len%2 != 0:
			return types.Null, pgerror.New(pgerror.ArraySubscriptError, "array must have even number of elements")
		case arr.NDims == 2 && arr.Dims[1].Len != 2:
			return types.Null, pgerror.New(pgerror.ArraySubscriptError, "array must have two columns")
		case arr.NDims > 2:
			return types.Null, wrong()
		}
		n := arr.Len() / 2
		return objectOf(c, d, n, func(i int) (key, value types.Datum) { return arr.At(2 * i), arr.At(2*i + 1) })
	}, d.name+"_object")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		keys, values := types.OpenArray(a[0]), types.OpenArray(a[1])
		switch {
		case keys.NDims > 1 || keys.NDims != values.NDims:
			return types.Null, wrong()
		case keys.Len() != values.Len():
			return types.Null, pgerror.New(pgerror.ArraySubscriptError, "mismatched array dimensions")
		}
		return objectOf(c, d, keys.Len(), func(i int) (key, value types.Datum) { return keys.At(i), values.At(i) })
	}, d.name+"_object_two_arg")
}

func objectOf(c *Context, d dialect, n int, member func(i int) (key, value types.Datum)) (types.Datum, error) {
	out := []byte{'{'}
	for i := range n {
		key, value := member(i)
		if key.Null {
			return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "null value not allowed for object key")
		}
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(types.AppendJSONString(out, str(key)), " : "...)
		if value.Null {
			out = append(out, "null"...)
		} else {
			out = types.AppendJSONString(out, str(value))
		}
	}
	return d.wrap(c, append(out, '}'))
}

// registerPopulate enters the functions that make rows of objects.
func registerPopulate(r registry, d dialect) {
	populate := func(based bool) Scalar {
		return func(c *Context, a []types.Datum) (types.Datum, error) {
			base, text := types.Null, a[0]
			if based {
				base, text = a[0], a[1]
			}
			p, err := d.populator(c, base, based, d.name+map[bool]string{true: "_populate_record", false: "_to_record"}[based])
			if err != nil {
				return types.Null, err
			}
			if text.Null {
				return base, nil
			}
			v, err := d.parse(str(text))
			if err != nil {
				return types.Null, err
			}
			return p.row(p.typ, p.cols, p.base, &v)
		}
	}
	r.add(populate(true), d.name+"_populate_record")
	r.add(populate(false), d.name+"_to_record")
	sets := func(name string, based bool) {
		r.addSet(func(c *Context, a []types.Datum) (Iterator, error) {
			base, text := types.Null, a[0]
			if based {
				base, text = a[0], a[1]
			}
			p, err := d.populator(c, base, based, name)
			if err != nil || text.Null {
				return list(nil), err
			}
			return p.rows(name, text)
		}, name)
	}
	sets(d.name+"_populate_recordset", true)
	sets(d.name+"_to_recordset", false)
}

// populator makes rows of one type from JSON.
type populator struct {
	d    dialect
	c    *Context
	typ  base.OID // zero: an anonymous row
	cols []types.Attribute
	base []types.Field // what fields are that the object has not; nil: nulls
}

// populator finds out what columns the rows of a call have: those of the column definition list, of the result's type, or of
// the base row.
func (d dialect) populator(c *Context, row types.Datum, based bool, name string) (*populator, error) {
	p := &populator{d: d, c: c, cols: c.Columns}
	if p.cols == nil && based {
		if shape, ok := c.Env.ShapeOf(c.Result); ok && shape.Elem == 0 {
			p.typ, p.cols = c.Result, shape.Columns
		} else if c.Result != types.OIDRecord {
			return nil, pgerror.Newf(pgerror.DatatypeMismatch, "first argument of %s must be a row type", name)
		}
	}
	if !row.Null {
		p.base = types.AppendFields(nil, row)
		if p.cols == nil {
			fields, names := openRow(c.Result, row, c.Env)
			p.base = fields
			for i, f := range fields {
				p.cols = append(p.cols, types.Attribute{Name: names[i], Type: f.Type, Typmod: f.Typmod})
			}
		}
	}
	if p.cols == nil {
		return nil, pgerror.Newf(pgerror.FeatureNotSupported, "could not determine row type for result of %s", name).
			WithHint("Provide a non-null record argument, or call the function in the FROM clause using a column definition list.")
	}
	return p, nil
}

// rows gives a row for each object of an array.
func (p *populator) rows(name string, text types.Datum) (Iterator, error) {
	v, err := p.d.parse(str(text))
	if err != nil {
		return nil, err
	}
	switch {
	case v.Kind == types.JSONArray:
	case p.d.typ == types.OIDJSONB:
		return nil, invalidParameter("cannot call %s on a non-array", name)
	case v.Kind == types.JSONObject:
		return nil, invalidParameter("cannot call %s on an object", name)
	default:
		return nil, invalidParameter("cannot call %s on a scalar", name)
	}
	for i := range v.Elems {
		if v.Elems[i].Kind != types.JSONObject {
			return nil, invalidParameter("argument of %s must be an array of objects", name)
		}
	}
	i := 0
	return iteratorFunc(func(c *Context) (types.Datum, bool, error) {
		if i >= len(v.Elems) {
			return types.Null, false, nil
		}
		p.c = c
		i++
		d, err := p.row(p.typ, p.cols, p.base, &v.Elems[i-1])
		return d, err == nil, err
	}), nil
}

func (p *populator) row(typ base.OID, cols []types.Attribute, from []types.Field, v *types.JSON) (types.Datum, error) {
	switch {
	case v.Kind == types.JSONArray:
		return types.Null, invalidParameter("cannot call populate_composite on an array")
	case v.Kind != types.JSONObject:
		return types.Null, invalidParameter("cannot call populate_composite on a scalar")
	}
	fields := make([]types.Field, len(cols))
	names := make([]string, len(cols))
	for i, col := range cols {
		names[i] = col.Name
		fields[i] = types.Field{Type: col.Type, Typmod: col.Typmod, Value: types.Null}
		if col.Type == 0 { // dropped
			continue
		}
		part := field(v, col.Name)
		if part == nil {
			if i < len(from) {
				fields[i].Value = from[i].Value
			}
			continue
		}
		d, err := p.value(col.Type, col.Typmod, col.Name, part)
		if err != nil {
			return types.Null, err
		}
		fields[i].Value = d
	}
	return types.Datum{B: types.AppendRow(nil, typ, names, fields)}, nil
}

// value makes a value of any type from a part of the JSON.
func (p *populator) value(typ base.OID, typmod int32, key string, v *types.JSON) (types.Datum, error) {
	if v.Kind == types.JSONNull {
		return types.Null, nil
	}
	elem := base.OID(0)
	shape, user := p.c.Env.ShapeOf(typ)
	if info, ok := types.Lookup(typ); ok && info.IsArray() {
		elem = info.Elem
	} else if user {
		elem = shape.Elem
	}
	isJSON := typ == types.OIDJSON || typ == types.OIDJSONB
	switch {
	case elem != 0 && v.Kind != types.JSONString:
		return p.array(elem, typmod, key, v)
	case user && elem == 0 && v.Kind != types.JSONString:
		return p.row(typ, shape.Columns, nil, v)
	case v.Kind == types.JSONString && !isJSON:
		return types.In(typ, typmod, v.Str, p.c.Env)
	}
	return types.In(typ, typmod, string(p.d.print(nil, v)), p.c.Env)
}

// arrayFiller gathers the elements of nested JSON arrays; the first element that is no array tells how many dimensions there are.
type arrayFiller struct {
	*populator
	elem   base.OID
	typmod int32
	key    string
	dims   []types.Dim
	ndims  int // zero: not known yet
	at     []int
	out    []types.Datum
}

func (p *populator) array(elem base.OID, typmod int32, key string, v *types.JSON) (types.Datum, error) {
	f := &arrayFiller{populator: p, elem: elem, typmod: typmod, key: key}
	if v.Kind != types.JSONArray {
		return types.Null, f.expected()
	}
	if err := f.fill(v); err != nil {
		return types.Null, err
	}
	if len(f.out) == 0 {
		f.dims = nil
	}
	return types.Datum{B: types.AppendArray(nil, elem, f.dims, f.out)}, nil
}

func (f *arrayFiller) expected() error {
	err := pgerror.New(pgerror.InvalidTextRepresentation, "expected JSON array")
	if len(f.at) == 0 {
		return err.WithHint("See the value of key \"%s\".", f.key)
	}
	place := ""
	for _, i := range f.at {
		place += "[" + string(types.AppendText(nil, types.OIDInt4, types.Int(int64(i)), nil)) + "]"
	}
	return err.WithHint("See the array element %s of key \"%s\".", place, f.key)
}

func (f *arrayFiller) fill(v *types.JSON) error {
	depth := len(f.at)
	if depth >= types.MaxDims {
		return pgerror.Newf(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth+1, types.MaxDims)
	}
	f.at = append(f.at, 0)
	for i := range v.Elems {
		f.at[depth] = i
		e := &v.Elems[i]
		if f.ndims == 0 && e.Kind != types.JSONArray {
			f.ndims = depth + 1
		}
		if e.Kind == types.JSONArray && (f.ndims == 0 || depth+1 < f.ndims) {
			if err := f.fill(e); err != nil {
				return err
			}
			continue
		}
		if depth+1 < f.ndims {
			return f.expected()
		}
		d, err := f.value(f.elem, f.typmod, f.key, e)
		if err != nil {
			return err
		}
		f.out = append(f.out, d)
	}
	f.at = f.at[:depth]
	for len(f.dims) <= depth {
		f.dims = append(f.dims, types.Dim{Len: -1, Lower: 1})
	}
	if have := f.dims[depth].Len; have >= 0 && have != int32(len(v.Elems)) {
		return pgerror.New(pgerror.InvalidTextRepresentation, "malformed JSON array").
			WithDetail("Multidimensional arrays must have sub-arrays with matching dimensions.")
	}
	f.dims[depth].Len = int32(len(v.Elems))
	return nil
}
