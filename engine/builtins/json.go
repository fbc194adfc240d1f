package builtins

import (
	"strconv"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// dialect is json or jsonb: how a stored value is parsed and how a part of it is printed.
type dialect struct {
	name  string
	typ   base.OID
	parse func(string) (types.JSON, error)
}

func dialects() [2]dialect {
	return [2]dialect{{"json", types.OIDJSON, types.ParseJSON}, {"jsonb", types.OIDJSONB, types.ParseJSONB}}
}

// print appends a value: as it was written for json, canonical for jsonb.
func (d dialect) print(dst []byte, v *types.JSON) []byte {
	if d.typ == types.OIDJSONB {
		return v.AppendJSONB(dst)
	}
	return append(dst, v.Raw...)
}

// appendJSON appends a value without blanks; numbers keep their spelling.
func appendJSON(dst []byte, v *types.JSON) []byte {
	switch v.Kind {
	case types.JSONNumber:
		if v.Str != "" {
			return append(dst, v.Str...)
		}
	case types.JSONArray:
		dst = append(dst, '[')
		for i := range v.Elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, &v.Elems[i])
		}
		return append(dst, ']')
	case types.JSONObject:
		dst = append(dst, '{')
		for i := range v.Keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(types.AppendJSONString(dst, v.Keys[i]), ':')
			dst = appendJSON(dst, &v.Values[i])
		}
		return append(dst, '}')
	}
	return v.AppendJSONB(dst)
}

// text gives a value as ->> does: strings bare, null as SQL's.
func (d dialect) text(c *Context, v *types.JSON) types.Datum {
	switch v.Kind {
	case types.JSONNull:
		return types.Null
	case types.JSONString:
		return c.text(v.Str)
	}
	return c.bytes(d.print(nil, v))
}

func field(v *types.JSON, key string) *types.JSON {
	if v.Kind != types.JSONObject {
		return nil
	}
	for i := len(v.Keys) - 1; i >= 0; i-- {
		if v.Keys[i] == key {
			return &v.Values[i]
		}
	}
	return nil
}

func element(v *types.JSON, i int64) *types.JSON {
	if v.Kind != types.JSONArray {
		return nil
	}
	if i < 0 {
		i += int64(len(v.Elems))
	}
	if i < 0 || i >= int64(len(v.Elems)) {
		return nil
	}
	return &v.Elems[i]
}

// walk follows a path of keys and indexes; nil when it leads nowhere.
func walk(v *types.JSON, path types.Datum) *types.JSON {
	arr := types.OpenArray(path)
	for i := 0; i < arr.Len() && v != nil; i++ {
		v = stepInto(v, arr.At(i))
	}
	return v
}

// stepInto goes to the member of that key or the element of that index; nil when there is none.
func stepInto(v *types.JSON, step types.Datum) *types.JSON {
	if step.Null {
		return nil
	}
	if v.Kind != types.JSONArray {
		return field(v, str(step))
	}
	n, err := strconv.ParseInt(str(step), 10, 32)
	if err != nil {
		return nil
	}
	return element(v, n)
}

func registerJSON(r registry) {
	for _, d := range dialects() {
		access := func(name string, find func(v *types.JSON, arg types.Datum) *types.JSON) {
			for _, asText := range []bool{false, true} {
				full := d.name + name
				if asText {
					full += "_text"
				}
				r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
					v, err := d.parse(str(a[0]))
					if err != nil {
						return types.Null, err
					}
					part := find(&v, a[1])
					switch {
					case part == nil:
						return types.Null, nil
					case asText:
						return d.text(c, part), nil
					}
					return c.bytes(d.print(nil, part)), nil
				}, full)
			}
		}
		access("_object_field", func(v *types.JSON, k types.Datum) *types.JSON { return field(v, str(k)) })
		access("_array_element", func(v *types.JSON, i types.Datum) *types.JSON { return element(v, i.I) })
		access("_extract_path", walk)
		registerJSONShape(r, d)
		build := func(c *Context, a []types.Datum) (types.Datum, error) { return buildArray(c, d, a) }
		r.add(build, d.name+"_build_array", d.name+"_build_array_noargs")
		object := func(c *Context, a []types.Datum) (types.Datum, error) { return buildObject(c, d, a) }
		r.add(object, d.name+"_build_object", d.name+"_build_object_noargs")
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			return d.wrap(c, toJSON(nil, c.argType(0), a[0], c.Env))
		}, "to_"+d.name)
		registerJSONEach(r, d)
		registerJSONObject(r, d)
		registerPopulate(r, d)
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.bytes(composedJSON(nil, c.argType(0), a[0], c.Env, len(a) > 1 && a[1].True())), nil
	}, "row_to_json", "row_to_json_pretty", "array_to_json", "array_to_json_pretty")
	registerJSONB(r)
	registerJSONEdit(r)
}

func (c *Context) argType(i int) base.OID {
	if i < len(c.ArgTypes) {
		return c.ArgTypes[i]
	}
	return types.OIDText
}

// wrap turns json text into a value of the dialect.
func (d dialect) wrap(c *Context, text []byte) (types.Datum, error) {
	if d.typ == types.OIDJSONB {
		return types.In(types.OIDJSONB, -1, string(text), c.Env)
	}
	return c.bytes(text), nil
}

func registerJSONShape(r registry, d dialect) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		v, err := d.parse(str(a[0]))
		if err != nil {
			return types.Null, err
		}
		return c.text([...]string{"null", "string", "number", "boolean", "array", "object"}[v.Kind]), nil
	}, d.name+"_typeof")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v, err := d.parse(str(a[0]))
		switch {
		case err != nil:
			return types.Null, err
		case v.Kind == types.JSONArray:
			return types.Int(int64(len(v.Elems))), nil
		case v.Kind == types.JSONObject:
			return types.Null, invalidParameter("cannot get array length of a non-array")
		}
		return types.Null, invalidParameter("cannot get array length of a scalar")
	}, d.name+"_array_length")
	elements := func(name string, asText bool) SetReturning {
		return func(c *Context, a []types.Datum) (Iterator, error) {
			v, err := d.parse(str(a[0]))
			if err != nil {
				return nil, err
			}
			if v.Kind != types.JSONArray {
				return nil, d.noArray(name, &v)
			}
			out := make([]types.Datum, len(v.Elems))
			own := &Context{}
			for i := range v.Elems {
				if asText {
					out[i] = d.text(own, &v.Elems[i])
				} else {
					out[i] = types.Datum{B: d.print(nil, &v.Elems[i])}
				}
			}
			return list(out), nil
		}
	}
	r.addSet(elements(d.name+"_array_elements", false), d.name+"_array_elements")
	r.addSet(elements(d.name+"_array_elements_text", true), d.name+"_array_elements_text")
	r.addSet(func(_ *Context, a []types.Datum) (Iterator, error) {
		v, err := d.parse(str(a[0]))
		if err != nil {
			return nil, err
		}
		if v.Kind != types.JSONObject {
			what := "a scalar"
			if v.Kind == types.JSONArray {
				what = "an array"
			}
			return nil, invalidParameter("cannot call %s_object_keys on %s", d.name, what)
		}
		out := make([]types.Datum, len(v.Keys))
		for i, k := range v.Keys {
			out[i] = types.Text(k)
		}
		return list(out), nil
	}, d.name+"_object_keys")
}

func registerJSONB(r registry) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		x, y := types.OpenJSONB(a[0].B), types.OpenJSONB(a[1].B)
		return types.Bool(containsJSON(&x, &y, true)), nil
	}, "jsonb_contains")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		x, y := types.OpenJSONB(a[1].B), types.OpenJSONB(a[0].B)
		return types.Bool(containsJSON(&x, &y, true)), nil
	}, "jsonb_contained")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := types.OpenJSONB(a[0].B)
		return types.Bool(existsKey(&v, str(a[1]))), nil
	}, "jsonb_exists")
	exists := func(all bool) Scalar {
		return func(_ *Context, a []types.Datum) (types.Datum, error) {
			v, keys := types.OpenJSONB(a[0].B), types.OpenArray(a[1])
			for i := range keys.Len() {
				if k := keys.At(i); !k.Null && existsKey(&v, str(k)) != all {
					return types.Bool(!all), nil
				}
			}
			return types.Bool(all), nil
		}
	}
	r.add(exists(false), "jsonb_exists_any")
	r.add(exists(true), "jsonb_exists_all")
	r.add(concatJSONB, "jsonb_concat")
	for name, f := range map[string]func(n types.Num) (types.Datum, error){
		"jsonb_numeric": func(n types.Num) (types.Datum, error) { return n.Datum(), nil },
		"jsonb_float8":  func(n types.Num) (types.Datum, error) { return types.Float(n.Float()), nil },
		"jsonb_int4":    func(n types.Num) (types.Datum, error) { return intWidths()["4"].check(n.Int64()) },
		"jsonb_int8":    func(n types.Num) (types.Datum, error) { return intWidths()["8"].check(n.Int64()) },
		"jsonb_int2":    func(n types.Num) (types.Datum, error) { return intWidths()["2"].check(n.Int64()) },
	} {
		typ := map[string]string{"jsonb_numeric": "numeric", "jsonb_float8": "double precision", "jsonb_int4": "integer",
			"jsonb_int8": "bigint", "jsonb_int2": "smallint"}[name]
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			v := types.OpenJSONB(a[0].B)
			if v.Kind != types.JSONNumber {
				return types.Null, castError(&v, typ)
			}
			return f(v.Num)
		}, name)
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := types.OpenJSONB(a[0].B)
		if v.Kind != types.JSONBool {
			return types.Null, castError(&v, "boolean")
		}
		return types.Bool(v.Bool), nil
	}, "jsonb_bool")
}

func castError(v *types.JSON, typ string) error {
	what := [...]string{"null", "string", "numeric", "boolean", "array", "object"}[v.Kind]
	return invalidParameter("cannot cast jsonb %s to type %s", what, typ)
}

func existsKey(v *types.JSON, key string) bool {
	switch v.Kind {
	case types.JSONObject:
		return field(v, key) != nil
	case types.JSONArray:
		for i := range v.Elems {
			if v.Elems[i].Kind == types.JSONString && v.Elems[i].Str == key {
				return true
			}
		}
	case types.JSONString:
		return v.Str == key
	}
	return false
}

// containsJSON tells whether x holds y; on top an array may hold a bare scalar.
func containsJSON(x, y *types.JSON, top bool) bool {
	switch {
	case x.Kind == types.JSONObject && y.Kind == types.JSONObject:
		for i, k := range y.Keys {
			f := field(x, k)
			if f == nil || !containsJSON(f, &y.Values[i], false) {
				return false
			}
		}
		return true
	case x.Kind == types.JSONArray && y.Kind == types.JSONArray:
		for i := range y.Elems {
			if !holds(x, &y.Elems[i]) {
				return false
			}
		}
		return true
	case top && x.Kind == types.JSONArray && y.Kind < types.JSONArray:
		return holds(x, y)
	}
	return x.Kind == y.Kind && x.Cmp(y) == 0
}

func holds(x, e *types.JSON) bool {
	for i := range x.Elems {
		if containsJSON(&x.Elems[i], e, false) {
			return true
		}
	}
	return false
}

func concatJSONB(c *Context, a []types.Datum) (types.Datum, error) {
	x, y := types.OpenJSONB(a[0].B), types.OpenJSONB(a[1].B)
	if x.Kind == types.JSONObject && y.Kind == types.JSONObject {
		x.Keys, x.Values = append(x.Keys, y.Keys...), append(x.Values, y.Values...)
		x.SortKeys()
		return c.jsonb(&x)
	}
	elems := func(v *types.JSON) []types.JSON {
		if v.Kind == types.JSONArray {
			return v.Elems
		}
		return []types.JSON{*v}
	}
	out := types.JSON{Kind: types.JSONArray, Elems: append(elems(&x), elems(&y)...)}
	return c.jsonb(&out)
}

// jsonAgg is json_agg, jsonb_agg and the object forms of both.
type jsonAgg struct {
	d      dialect
	object bool
	lines  bool // the values are rows or arrays, and each stands on a line of its own
	types  []base.OID
	b      [][]byte
	bytes  int64
}

func (a *jsonAgg) Init(argTypes []base.OID) { a.types = argTypes }
func (a *jsonAgg) Grow(n int)               { a.b = grow(a.b, n) }
func (a *jsonAgg) MemBytes() int64          { return int64(24*cap(a.b)) + a.bytes }

func (a *jsonAgg) Add(c *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	a.lines = !a.object && composed(a.types[0], c.Env)
	return each(groups, sel, n, nil, func(g uint32, i int) error {
		b := a.b[g]
		before := len(b)
		if before > 0 {
			b = append(b, ", "...)
			if a.lines {
				b = append(b, "\n "...)
			}
		} else if a.object {
			b = append(b, "{ "...)
		} else {
			b = append(b, '[')
		}
		value := 0
		if a.object {
			key := args[0].Get(i)
			if key.Null {
				return pgerror.New(pgerror.InvalidParameterValue, "field name must not be null")
			}
			b = types.AppendJSONString(b, string(types.AppendText(nil, a.types[0], key, c.Env)))
			b = append(b, " : "...)
			value = 1
		}
		b = toJSON(b, a.types[value], args[value].Get(i), c.Env)
		a.b[g] = b
		a.bytes += int64(len(b) - before)
		return nil
	})
}

func (a *jsonAgg) Result(c *Context, g int) (types.Datum, error) {
	if len(a.b[g]) == 0 {
		return types.Null, nil
	}
	end := "]"
	if a.object {
		end = " }"
	}
	return a.d.wrap(c, append(append([]byte{}, a.b[g]...), end...))
}

func addJSONAggregates(add func(name string, args int, f func() Aggregate, oids ...base.OID)) {
	d := dialects()
	add("json_agg", 1, func() Aggregate { return &jsonAgg{d: d[0]} }, 3175)
	add("jsonb_agg", 1, func() Aggregate { return &jsonAgg{d: d[1]} }, 3267)
	add("json_object_agg", 2, func() Aggregate { return &jsonAgg{d: d[0], object: true} }, 3197)
	add("jsonb_object_agg", 2, func() Aggregate { return &jsonAgg{d: d[1], object: true} }, 3270)
}
