package builtins

import (
	"math"
	"strconv"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// jsonEdit tells what an edit does at the end of its path.
type jsonEdit uint8

const (
	jsonReplace jsonEdit = iota // only where something is
	jsonCreate                  // replace, or add
	jsonBefore
	jsonAfter
	jsonRemove
	jsonAssign // create, with what is missing on the way and gaps filled with nulls
)

func (e jsonEdit) adds() bool {
	return e == jsonCreate || e == jsonBefore || e == jsonAfter || e == jsonAssign
}

// jsonEditor changes one value at a path.
type jsonEditor struct {
	path  []types.Datum
	value types.JSON
	edit  jsonEdit
}

func (e *jsonEditor) last(level int) bool { return level == len(e.path)-1 }

// apply gives v with the edit done below it; v itself stays as it is.
func (e *jsonEditor) apply(v *types.JSON, level int) (types.JSON, error) {
	switch v.Kind {
	case types.JSONObject, types.JSONArray:
		if e.path[level].Null {
			return *v, pgerror.Newf(pgerror.NullValueNotAllowed, "path element at position %d is null", level+1)
		}
		if v.Kind == types.JSONObject {
			return e.object(v, level)
		}
		return e.array(v, level)
	}
	if e.edit == jsonAssign {
		return *v, invalidParameter("cannot replace existing key").
			WithDetail("The path assumes key is a composite object, but it is a scalar value.")
	}
	return *v, nil
}

func (e *jsonEditor) object(v *types.JSON, level int) (types.JSON, error) {
	key := str(e.path[level])
	out := types.JSON{Kind: types.JSONObject}
	found := false
	for i, k := range v.Keys {
		if k != key {
			out.Keys, out.Values = append(out.Keys, k), append(out.Values, v.Values[i])
			continue
		}
		found = true
		value := e.value
		switch {
		case !e.last(level):
			var err error
			if value, err = e.apply(&v.Values[i], level+1); err != nil {
				return out, err
			}
		case e.edit == jsonBefore || e.edit == jsonAfter:
			return out, invalidParameter("cannot replace existing key").
				WithHint("Try using the function jsonb_set to replace key value.")
		case e.edit == jsonRemove:
			continue
		}
		out.Keys, out.Values = append(out.Keys, k), append(out.Values, value)
	}
	if found || !e.last(level) && e.edit != jsonAssign || !e.edit.adds() {
		return out, nil
	}
	value, err := e.missing(level + 1)
	if err != nil {
		return out, err
	}
	out.Keys, out.Values = append(out.Keys, key), append(out.Values, value)
	out.SortKeys()
	return out, nil
}

// missing makes the value that an assignment puts where nothing is: containers for the rest of the path.
func (e *jsonEditor) missing(level int) (types.JSON, error) {
	value := e.value
	for l := len(e.path) - 1; l >= level; l-- {
		if e.path[l].Null {
			return value, pgerror.Newf(pgerror.NullValueNotAllowed, "path element at position %d is null", l+1)
		}
		n, err := strconv.ParseInt(str(e.path[l]), 10, 32)
		if err != nil {
			value = types.JSON{Kind: types.JSONObject, Keys: []string{str(e.path[l])}, Values: []types.JSON{value}}
			continue
		}
		elems, err := padded(nil, int(n))
		if err != nil {
			return value, err
		}
		value = types.JSON{Kind: types.JSONArray, Elems: append(elems, value)}
	}
	return value, nil
}

// maxJSONElements bounds the elements of an array that an assignment fills, as PostgreSQL's format does.
const maxJSONElements = 0x0FFFFFFF / 16

// padded appends nulls until there are n elements.
func padded(elems []types.JSON, n int) ([]types.JSON, error) {
	if n > maxJSONElements {
		return nil, pgerror.Newf(pgerror.ProgramLimitExceeded, "number of jsonb array elements exceeds the maximum allowed (%d)", maxJSONElements)
	}
	for len(elems) < n {
		elems = append(elems, types.JSON{})
	}
	return elems, nil
}

func (e *jsonEditor) array(v *types.JSON, level int) (types.JSON, error) {
	out := types.JSON{Kind: types.JSONArray, Elems: make([]types.JSON, 0, len(v.Elems)+1)}
	text := str(e.path[level])
	wide, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return out, pgerror.Newf(pgerror.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, text)
	}
	n, at := len(v.Elems), int(wide)
	switch {
	case at < 0 && -at > n && e.edit == jsonAssign:
		return out, invalidParameter("path element at position %d is out of range: %d", level+1, at)
	case at < 0 && -at > n:
		at = math.MinInt32
	case at < 0:
		at += n
	case at > n && e.edit != jsonAssign:
		at = n
	}
	if at == math.MinInt32 && e.last(level) && e.edit.adds() {
		out.Elems = append(append(out.Elems, e.value), v.Elems...)
		return out, nil
	}
	for i := range v.Elems {
		if i != at {
			out.Elems = append(out.Elems, v.Elems[i])
			continue
		}
		if !e.last(level) {
			x, err := e.apply(&v.Elems[i], level+1)
			if err != nil {
				return out, err
			}
			out.Elems = append(out.Elems, x)
			continue
		}
		switch e.edit {
		case jsonBefore:
			out.Elems = append(out.Elems, e.value, v.Elems[i])
		case jsonAfter:
			out.Elems = append(out.Elems, v.Elems[i], e.value)
		case jsonReplace, jsonCreate, jsonAssign:
			out.Elems = append(out.Elems, e.value)
		}
	}
	if at < n || !e.last(level) && e.edit != jsonAssign || !e.edit.adds() {
		return out, nil
	}
	value, err := e.missing(level + 1)
	if err != nil {
		return out, err
	}
	if e.edit == jsonAssign {
		if out.Elems, err = padded(out.Elems, at); err != nil {
			return out, err
		}
	}
	out.Elems = append(out.Elems, value)
	return out, nil
}

// textPath opens a path argument.
func textPath(d types.Datum) ([]types.Datum, error) {
	arr := types.OpenArray(d)
	if arr.NDims > 1 {
		return nil, pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts")
	}
	return arr.Elems(nil), nil
}

// edited is jsonb_set and its like over a target, a path and, but for removal, a value.
func edited(c *Context, a []types.Datum, edit jsonEdit) (types.Datum, error) {
	path, err := textPath(a[1])
	if err != nil {
		return types.Null, err
	}
	v := types.OpenJSONB(a[0].B)
	if v.Kind < types.JSONArray {
		if edit == jsonRemove {
			return types.Null, invalidParameter("cannot delete path in scalar")
		}
		return types.Null, invalidParameter("cannot set path in scalar")
	}
	empty := len(v.Elems)+len(v.Keys) == 0
	if len(path) == 0 || empty && (edit == jsonReplace || edit == jsonRemove) {
		return a[0], nil
	}
	e := jsonEditor{path: path, edit: edit}
	if edit != jsonRemove {
		e.value = types.OpenJSONB(a[2].B)
	}
	out, err := e.apply(&v, 0)
	if err != nil {
		return types.Null, err
	}
	return c.jsonb(&out)
}

// jsonb gives the stored form of a value, which an edit may have made deeper than any that is read.
func (c *Context) jsonb(v *types.JSON) (types.Datum, error) {
	if err := v.CheckDepth(); err != nil {
		return types.Null, err
	}
	return c.bytes(v.AppendJSONB(nil)), nil
}

func registerJSONEdit(r registry) {
	set := func(c *Context, a []types.Datum) (types.Datum, error) {
		if a[3].True() {
			return edited(c, a, jsonCreate)
		}
		return edited(c, a, jsonReplace)
	}
	r.add(set, "jsonb_set")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return setLax(c, a, set) }, "jsonb_set_lax")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if a[3].True() {
			return edited(c, a, jsonAfter)
		}
		return edited(c, a, jsonBefore)
	}, "jsonb_insert")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return edited(c, a, jsonRemove) }, "jsonb_delete_path")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return deleteKeys(c, a[0], []types.Datum{a[1]})
	}, "jsonb_delete")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		keys, err := textPath(a[1])
		if err != nil {
			return types.Null, err
		}
		return deleteKeys(c, a[0], keys)
	}, "jsonb_delete_array")
	r.add(deleteIndex, "jsonb_delete_idx")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		v := types.OpenJSONB(a[0].B)
		return c.bytes(prettyJSON(nil, &v, 0)), nil
	}, "jsonb_pretty")
	for _, d := range dialects() {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			v, err := d.parse(str(a[0]))
			if err != nil {
				return types.Null, err
			}
			v = withoutNulls(v)
			if d.typ == types.OIDJSONB {
				return c.bytes(v.AppendJSONB(nil)), nil
			}
			return c.bytes(appendJSON(nil, &v)), nil
		}, d.name+"_strip_nulls")
	}
}

// setLax is jsonb_set where a null value means what the last argument says.
func setLax(c *Context, a []types.Datum, set Scalar) (types.Datum, error) {
	if a[0].Null || a[1].Null || a[3].Null {
		return types.Null, nil
	}
	unknown := func() error {
		return invalidParameter("null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
	}
	if a[4].Null {
		return types.Null, unknown()
	}
	if !a[2].Null {
		return set(c, a)
	}
	switch str(a[4]) {
	case "raise_exception":
		return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "JSON value must not be null").
			WithDetail("Exception was raised because null_value_treatment is \"raise_exception\".").
			WithHint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
	case "use_json_null":
		return set(c, []types.Datum{a[0], a[1], types.Text("null"), a[3]})
	case "delete_key":
		return edited(c, a, jsonRemove)
	case "return_target":
		return a[0], nil
	}
	return types.Null, unknown()
}

func deleteKeys(c *Context, target types.Datum, keys []types.Datum) (types.Datum, error) {
	v := types.OpenJSONB(target.B)
	dead := func(s string) bool {
		for _, k := range keys {
			if !k.Null && str(k) == s {
				return true
			}
		}
		return false
	}
	out := types.JSON{Kind: v.Kind}
	switch v.Kind {
	case types.JSONObject:
		for i, k := range v.Keys {
			if !dead(k) {
				out.Keys, out.Values = append(out.Keys, k), append(out.Values, v.Values[i])
			}
		}
	case types.JSONArray:
		for i := range v.Elems {
			if e := &v.Elems[i]; e.Kind != types.JSONString || !dead(e.Str) {
				out.Elems = append(out.Elems, *e)
			}
		}
	default:
		return types.Null, invalidParameter("cannot delete from scalar")
	}
	return c.bytes(out.AppendJSONB(nil)), nil
}

func deleteIndex(c *Context, a []types.Datum) (types.Datum, error) {
	v := types.OpenJSONB(a[0].B)
	switch v.Kind {
	case types.JSONArray:
	case types.JSONObject:
		return types.Null, invalidParameter("cannot delete from object using integer index")
	default:
		return types.Null, invalidParameter("cannot delete from scalar")
	}
	n, at := int64(len(v.Elems)), a[1].I
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return a[0], nil
	}
	out := types.JSON{Kind: types.JSONArray, Elems: append(v.Elems[:at:at], v.Elems[at+1:]...)}
	return c.bytes(out.AppendJSONB(nil)), nil
}

// prettyJSON appends a value with each member on a line of its own.
func prettyJSON(dst []byte, v *types.JSON, depth int) []byte {
	line := func(depth int) {
		dst = append(dst, '\n')
		for range depth {
			dst = append(dst, "    "...)
		}
	}
	switch v.Kind {
	case types.JSONArray:
		dst = append(dst, '[')
		for i := range v.Elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			line(depth + 1)
			dst = prettyJSON(dst, &v.Elems[i], depth+1)
		}
		line(depth)
		return append(dst, ']')
	case types.JSONObject:
		dst = append(dst, '{')
		for i := range v.Keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			line(depth + 1)
			dst = append(types.AppendJSONString(dst, v.Keys[i]), ": "...)
			dst = prettyJSON(dst, &v.Values[i], depth+1)
		}
		line(depth)
		return append(dst, '}')
	}
	return v.AppendJSONB(dst)
}

// withoutNulls leaves out the members of objects that are null, at any depth.
func withoutNulls(v types.JSON) types.JSON {
	out := v
	switch v.Kind {
	case types.JSONArray:
		out.Elems = make([]types.JSON, 0, len(v.Elems))
		for i := range v.Elems {
			out.Elems = append(out.Elems, withoutNulls(v.Elems[i]))
		}
	case types.JSONObject:
		out.Keys, out.Values = nil, nil
		for i := range v.Keys {
			if v.Values[i].Kind != types.JSONNull {
				out.Keys, out.Values = append(out.Keys, v.Keys[i]), append(out.Values, withoutNulls(v.Values[i]))
			}
		}
	}
	return out
}

// PartOfJSON gives the part of a jsonb that a path of subscripts leads to, or null.
func PartOfJSON(c *Context, d types.Datum, path []types.Datum) types.Datum {
	v := types.OpenJSONB(d.B)
	part := &v
	for _, step := range path {
		if part = stepInto(part, step); part == nil {
			return types.Null
		}
	}
	return c.bytes(part.AppendJSONB(nil))
}

// AssignJSON gives a jsonb with the part that a path of subscripts leads to replaced; what is missing on the way is made. A
// null target is an empty array when the first subscript is an index, otherwise an empty object.
func AssignJSON(c *Context, d types.Datum, path []types.Datum, index bool, value types.Datum) (types.Datum, error) {
	for _, step := range path {
		if step.Null {
			return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "jsonb subscript in assignment must not be null")
		}
	}
	v := types.JSON{Kind: types.JSONObject}
	switch {
	case !d.Null:
		v = types.OpenJSONB(d.B)
	case index:
		v.Kind = types.JSONArray
	}
	e := jsonEditor{path: path, edit: jsonAssign}
	if !value.Null {
		e.value = types.OpenJSONB(value.B)
	}
	out, err := e.apply(&v, 0)
	if err != nil {
		return types.Null, err
	}
	return c.jsonb(&out)
}
