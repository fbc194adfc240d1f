package builtins

import (
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/types"
)

// toJSON appends a value of any type as JSON.
func toJSON(dst []byte, typ base.OID, d types.Datum, env *types.Env) []byte {
	if d.Null {
		return append(dst, "null"...)
	}
	switch typ {
	case types.OIDBool:
		return strconv.AppendBool(dst, d.I != 0)
	case types.OIDInt2, types.OIDInt4, types.OIDInt8:
		return strconv.AppendInt(dst, d.I, 10)
	case types.OIDFloat4, types.OIDFloat8, types.OIDNumeric:
		text := types.AppendText(nil, typ, d, env)
		if strings.ContainsAny(string(text), "NI") { // NaN, Infinity
			return types.AppendJSONString(dst, string(text))
		}
		return append(dst, text...)
	case types.OIDJSON, types.OIDJSONB:
		return append(dst, d.B...)
	case types.OIDTimestamp, types.OIDTimestampTZ, types.OIDDate:
		return types.AppendJSONString(dst, isoTime(typ, d, env))
	}
	return composedJSON(dst, typ, d, env, false)
}

// isoTime gives a date or timestamp as JSON has them, whatever DateStyle says.
func isoTime(typ base.OID, d types.Datum, env *types.Env) string {
	iso := types.NewEnv()
	if env != nil {
		iso.TimeZone = env.TimeZone
	}
	text := string(types.AppendText(nil, typ, d, iso))
	if typ == types.OIDDate {
		return text
	}
	text = strings.Replace(text, " ", "T", 1)
	era := strings.HasSuffix(text, " BC")
	text = strings.TrimSuffix(text, " BC")
	if typ == types.OIDTimestampTZ && len(text) > 3 && (text[len(text)-3] == '+' || text[len(text)-3] == '-') {
		text += ":00"
	}
	if era {
		text += " BC"
	}
	return text
}

// composedJSON appends a row or an array, whose outermost parts stand on lines of their own when pretty, or else the text of
// the value.
func composedJSON(dst []byte, typ base.OID, d types.Datum, env *types.Env, pretty bool) []byte {
	if d.Null {
		return append(dst, "null"...)
	}
	comma := ","
	if pretty {
		comma = ",\n "
	}
	info, builtin := types.Lookup(typ)
	shape, user := env.ShapeOf(typ)
	switch {
	case builtin && info.IsArray() || user && shape.Elem != 0:
		arr := types.OpenArray(d)
		if arr.Len() == 0 {
			return append(dst, "[]"...)
		}
		at := 0
		return arrayJSON(dst, &arr, 0, &at, env, comma)
	case typ == types.OIDRecord || user || !builtin && d.B != nil:
		dst = append(dst, '{')
		fields, names := openRow(typ, d, env)
		for i := range fields {
			if i > 0 {
				dst = append(dst, comma...)
			}
			dst = append(types.AppendJSONString(dst, names[i]), ':')
			dst = toJSON(dst, fields[i].Type, fields[i].Value, env)
		}
		return append(dst, '}')
	}
	return types.AppendJSONString(dst, string(types.AppendText(nil, typ, d, env)))
}

// openRow takes a row value apart and finds the names of its fields: those of its type, its own, or f1, f2 and so on.
func openRow(typ base.OID, d types.Datum, env *types.Env) ([]types.Field, []string) {
	fields := types.LiveFields(d, env)
	own, names := types.RowShape(d)
	if own != 0 {
		typ = own
	}
	if shape, ok := env.ShapeOf(typ); ok && names == nil {
		for _, c := range shape.Columns {
			if c.Type != 0 {
				names = append(names, c.Name)
			}
		}
	}
	for len(names) < len(fields) {
		names = append(names, "f"+strconv.Itoa(len(names)+1))
	}
	return fields, names
}

func arrayJSON(dst []byte, arr *types.Array, depth int, at *int, env *types.Env, comma string) []byte {
	dst = append(dst, '[')
	for i := range int(arr.Dims[depth].Len) {
		if i > 0 {
			dst = append(dst, comma...)
		}
		if depth < arr.NDims-1 {
			dst = arrayJSON(dst, arr, depth+1, at, env, ",")
			continue
		}
		dst = toJSON(dst, arr.Elem, arr.At(*at), env)
		*at++
	}
	return append(dst, ']')
}

func buildArray(c *Context, d dialect, a []types.Datum) (types.Datum, error) {
	out := []byte{'['}
	for i := range a {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = toJSON(out, c.argType(i), a[i], c.Env)
	}
	return d.wrap(c, append(out, ']'))
}

func buildObject(c *Context, d dialect, a []types.Datum) (types.Datum, error) {
	if len(a)%2 != 0 {
		return types.Null, invalidParameter("argument list must have even number of elements").
			WithHint("The arguments of %s_build_object() must consist of alternating keys and values.", d.name)
	}
	out := []byte{'{'}
	for i := 0; i < len(a); i += 2 {
		if a[i].Null {
			if d.typ == types.OIDJSONB {
				return types.Null, invalidParameter("argument %d: key must not be null", i+1)
			}
			return types.Null, invalidParameter("argument %d cannot be null", i+1).WithHint("Object keys should be text.")
		}
		if i > 0 {
			out = append(out, ", "...)
		}
		if err := scalarKey(c, i); err != nil {
			return types.Null, err
		}
		out = types.AppendJSONString(out, string(c.output(i, a[i])))
		out = toJSON(append(out, " : "...), c.argType(i+1), a[i+1], c.Env)
	}
	return d.wrap(c, append(out, '}'))
}

// scalarKey refuses a key that is not one value.
func scalarKey(c *Context, i int) error {
	if typ := c.argType(i); typ == types.OIDJSON || typ == types.OIDJSONB || composed(typ, c.Env) {
		return invalidParameter("key value must be scalar, not array, composite, or json")
	}
	return nil
}

// composed tells whether the values of a type are rows or arrays.
func composed(typ base.OID, env *types.Env) bool {
	info, ok := types.Lookup(typ)
	_, user := env.ShapeOf(typ)
	return typ == types.OIDRecord || ok && info.IsArray() || user
}
