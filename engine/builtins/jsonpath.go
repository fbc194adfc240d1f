package builtins

import (
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerJSONPath(r registry) {
	for _, tz := range []bool{false, true} {
		suffix := ""
		if tz {
			suffix = "_tz"
		}
		exists := func(c *Context, a []types.Datum) (types.Datum, error) {
			res, _, err := c.runPath(a, tz, false)
			if err != nil || res == pathFailed {
				return types.Null, err
			}
			return types.Bool(res == pathFound), nil
		}
		match := func(c *Context, a []types.Datum) (types.Datum, error) {
			res, found, err := c.runPath(a, tz, true)
			if err != nil {
				return types.Null, err
			}
			if res != pathFailed && len(found) == 1 {
				if found[0].is(types.JSONBool) {
					return types.Bool(found[0].v.Bool), nil
				}
				if found[0].is(types.JSONNull) {
					return types.Null, nil
				}
			}
			if len(a) > 3 && !a[3].True() {
				return types.Null, pgerror.New(pgerror.SingletonSQLJSONItemRequired, "single boolean result is expected")
			}
			return types.Null, nil
		}
		r.add(exists, "jsonb_path_exists"+suffix)
		r.add(match, "jsonb_path_match"+suffix)
		if !tz {
			r.add(exists, "jsonb_path_exists_opr")
			r.add(match, "jsonb_path_match_opr")
		}
		r.addSet(func(c *Context, a []types.Datum) (Iterator, error) {
			_, found, err := c.runPath(a, tz, true)
			if err != nil {
				return nil, err
			}
			i := 0
			return iteratorFunc(func(*Context) (types.Datum, bool, error) {
				if i >= len(found) {
					return types.Null, false, nil
				}
				i++
				j := found[i-1].json()
				err := j.CheckDepth()
				return types.Datum{B: j.AppendJSONB(nil)}, err == nil, err
			}), nil
		}, "jsonb_path_query"+suffix)
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			_, found, err := c.runPath(a, tz, true)
			if err != nil {
				return types.Null, err
			}
			out := types.JSON{Kind: types.JSONArray}
			for i := range found {
				out.Elems = append(out.Elems, found[i].json())
			}
			return c.jsonb(&out)
		}, "jsonb_path_query_array"+suffix)
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			_, found, err := c.runPath(a, tz, true)
			if err != nil || len(found) == 0 {
				return types.Null, err
			}
			j := found[0].json()
			return c.jsonb(&j)
		}, "jsonb_path_query_first"+suffix)
	}
}

// pathCache keeps the path that was evaluated last: most statements use one.
type pathCache struct {
	text string
	path *types.Path
}

// path parses a stored jsonpath.
func (c *Context) path(d types.Datum) (*types.Path, error) {
	if c.paths.path != nil && c.paths.text == string(d.B) {
		return c.paths.path, nil
	}
	text := string(d.B)
	p, err := types.ParsePath(text)
	if err == nil {
		c.paths = pathCache{text, p}
	}
	return p, err
}

// runPath evaluates the arguments (target, path, vars, silent) of the functions; the operators have the first two and are
// silent. Unless it is all to be listed, lax mode stops at the first item.
func (c *Context) runPath(a []types.Datum, tz, all bool) (pathResult, []pathValue, error) {
	path, err := c.path(a[1])
	if err != nil {
		return pathFailed, nil, err
	}
	target := types.OpenJSONB(a[0].B)
	vars := types.JSON{Kind: types.JSONObject}
	silent := true
	if len(a) > 2 {
		vars = types.OpenJSONB(a[2].B)
		silent = a[3].True()
	}
	if vars.Kind != types.JSONObject {
		return pathFailed, nil, invalidParameter("\"vars\" argument is not an object").
			WithDetail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
	}
	root := pathValue{v: &target, root: &pathRoot{&target, 0}}
	r := &pathRun{c: c, vars: &vars, root: root, current: root, lax: !path.Strict, ignore: !path.Strict, throw: !silent, zones: tz,
		size: -1, ids: 2}
	if len(a) <= 2 {
		r.ids = 1
	}
	if all || path.Strict {
		var found pathItems
		res, err := r.item(path.Root, root, &found)
		if res == pathFailed || err != nil {
			return pathFailed, nil, err
		}
		if len(found.list) == 0 {
			return pathNothing, nil, nil
		}
		return pathFound, found.list, nil
	}
	res, err := r.item(path.Root, root, nil)
	return res, nil, err
}

// pathRegex compiles the pattern of like_regex, with XQuery's flags in this engine's letters.
func (c *Context) pathRegex(x *types.PathItem) (*regex, error) {
	flags := ""
	has := func(f string) bool { return strings.Contains(x.Flags, f) }
	switch {
	case has("q"):
		flags = "q"
	case has("s") && has("m"):
		flags = "w"
	case has("m"):
		flags = "n"
	case !has("s"):
		flags = "p"
	}
	if has("i") {
		flags += "i"
	}
	return c.regex(x.Text, flags)
}
