package builtins

import (
	"math"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// pathValue is an item that a jsonpath gives: JSON, or a date or time, whose type is then set.
type pathValue struct {
	v    *types.JSON
	typ  base.OID
	d    types.Datum
	west int32 // of a timestamptz: the seconds west of UTC that it was written with
	root *pathRoot
}

// pathRoot is the document that an item belongs to: the target, a variable, or what keyvalue() made. It makes the ids of objects.
type pathRoot struct {
	v  *types.JSON
	id int64
}

// pathResult is how the evaluation of a step went.
type pathResult uint8

const (
	pathFound pathResult = iota
	pathNothing
	pathFailed
)

// pathTruth is the value of a predicate.
type pathTruth uint8

const (
	pathFalse pathTruth = iota
	pathTrue
	pathUnknown
)

// pathRun is one evaluation of a jsonpath. In lax mode arrays are unwrapped and wrapped as needed and structural errors are
// nothing; an error that is not thrown ends as pathFailed.
type pathRun struct {
	c       *Context
	vars    *types.JSON
	root    pathValue
	current pathValue
	lax     bool
	ignore  bool // structural errors give nothing
	throw   bool
	zones   bool // time zones may be used to compare
	size    int  // of the innermost array that is subscripted, -1 for none
	ids     int64
	steps   int
}

// pathItems gathers what a step gives; a nil one asks only whether there is anything.
type pathItems struct{ list []pathValue }

func (r *pathRun) fail(err error) (pathResult, error) {
	if r.throw {
		return pathFailed, err
	}
	return pathFailed, nil
}

// structural fails unless structural errors are ignored.
func (r *pathRun) structural(code string, format string, args ...any) (pathResult, error) {
	if r.ignore {
		return pathNothing, nil
	}
	return r.fail(pgerror.Newf(code, format, args...))
}

// stepsPerBreath is how many steps run between two looks at whether the statement was cancelled.
const stepsPerBreath = 1024

func (r *pathRun) breathe() error {
	if r.steps++; r.steps%stepsPerBreath == 0 && r.c.Task != nil {
		return r.c.Task.Breathe()
	}
	return nil
}

// next applies what stands behind a step to its value, or keeps the value.
func (r *pathRun) next(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	if x.Next != nil {
		return r.item(x.Next, v, out)
	}
	if out != nil {
		out.list = append(out.list, v)
	}
	return pathFound, nil
}

func (r *pathRun) item(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	return r.step(x, v, out, r.lax)
}

// step evaluates a step; unwrap applies it to the elements of an array where it wants no array.
func (r *pathRun) step(x *types.PathItem, v pathValue, out *pathItems, unwrap bool) (pathResult, error) {
	if err := r.breathe(); err != nil {
		return pathFailed, err
	}
	switch k := x.Kind; {
	case k.Predicate():
		t, err := r.truth(x, v)
		if err != nil {
			return pathFailed, err
		}
		if x.Next == nil && out == nil {
			return pathFound, nil
		}
		res := types.JSON{Kind: types.JSONBool, Bool: t == pathTrue}
		if t == pathUnknown {
			res = types.JSON{}
		}
		return r.next(x, pathValue{v: &res, root: v.root}, out)
	case k >= types.PathAdd && k <= types.PathMod:
		return r.arithmetic(x, v, out)
	case k == types.PathPlus || k == types.PathMinus:
		return r.signed(x, v, out)
	case k >= types.PathAbs && k <= types.PathDatetime:
		return r.method(x, v, out, unwrap)
	case k >= types.PathKey && k <= types.PathFilter:
		return r.accessor(x, v, out, unwrap)
	}
	return r.primary(x, v, out)
}

func (r *pathRun) primary(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	var j types.JSON
	switch x.Kind {
	case types.PathRoot:
		return r.next(x, r.root, out)
	case types.PathCurrent:
		return r.next(x, r.current, out)
	case types.PathVariable:
		f := field(r.vars, x.Text)
		if f == nil {
			return pathFailed, pgerror.Newf(pgerror.UndefinedObject, "could not find jsonpath variable \"%s\"", x.Text)
		}
		return r.next(x, pathValue{v: f, root: &pathRoot{r.vars, 1}}, out)
	case types.PathString:
		j = types.JSON{Kind: types.JSONString, Str: x.Text}
	case types.PathNumber:
		j = types.JSON{Kind: types.JSONNumber, Num: x.Num}
	case types.PathBool:
		j = types.JSON{Kind: types.JSONBool, Bool: x.Bool}
	case types.PathLast:
		if r.size < 0 {
			return pathFailed, pgerror.New(pgerror.InternalError, "evaluating jsonpath LAST outside of array subscript")
		}
		j = types.JSON{Kind: types.JSONNumber, Num: types.NumInt(int64(r.size - 1))}
	}
	return r.next(x, pathValue{v: &j, root: v.root}, out)
}

// each applies a step (or keeps the values, when it is nil) to the elements or members below v from level first to last.
func (r *pathRun) each(x *types.PathItem, v pathValue, out *pathItems, level, first, last uint32, ignore, unwrap bool) (pathResult, error) {
	res := pathNothing
	if level > last {
		return res, nil
	}
	below := v.v.Elems
	if v.v.Kind == types.JSONObject {
		below = v.v.Values
	}
	for i := range below {
		e := pathValue{v: &below[i], root: v.root}
		container := below[i].Kind >= types.JSONArray
		if level >= first || first == types.PathLastLevel && last == types.PathLastLevel && !container {
			var err error
			switch {
			case x != nil:
				saved := r.ignore
				r.ignore = r.ignore || ignore
				res, err = r.step(x, e, out, unwrap)
				r.ignore = saved
			case out != nil:
				out.list = append(out.list, e)
				res = pathFound
			default:
				return pathFound, nil
			}
			if err != nil || res == pathFailed || res == pathFound && out == nil {
				return res, err
			}
		}
		if level < last && container {
			var err error
			if res, err = r.each(x, e, out, level+1, first, last, ignore, unwrap); err != nil || res == pathFailed || res == pathFound && out == nil {
				return res, err
			}
		}
	}
	return res, nil
}

func (v *pathValue) is(k types.JSONKind) bool { return v.typ == 0 && v.v.Kind == k }

func (r *pathRun) accessor(x *types.PathItem, v pathValue, out *pathItems, unwrap bool) (pathResult, error) {
	if unwrap && v.is(types.JSONArray) && (x.Kind == types.PathFilter || x.Kind == types.PathKey || x.Kind == types.PathAnyKey) {
		return r.each(x, v, out, 1, 1, 1, false, false)
	}
	switch x.Kind {
	case types.PathKey:
		if !v.is(types.JSONObject) {
			return r.structural(pgerror.SQLJSONMemberNotFound, "jsonpath member accessor can only be applied to an object")
		}
		if f := field(v.v, x.Text); f != nil {
			return r.next(x, pathValue{v: f, root: v.root}, out)
		}
		return r.structural(pgerror.SQLJSONMemberNotFound, "JSON object does not contain key \"%s\"", x.Text)
	case types.PathAnyKey:
		if !v.is(types.JSONObject) {
			return r.structural(pgerror.SQLJSONObjectNotFound, "jsonpath wildcard member accessor can only be applied to an object")
		}
		return r.each(x.Next, v, out, 1, 1, 1, false, r.lax)
	case types.PathAnyElement:
		if v.is(types.JSONArray) {
			return r.each(x.Next, v, out, 1, 1, 1, false, r.lax)
		}
		if r.lax {
			return r.next(x, v, out)
		}
		return r.structural(pgerror.SQLJSONArrayNotFound, "jsonpath wildcard array accessor can only be applied to an array")
	case types.PathIndex:
		return r.indexes(x, v, out)
	case types.PathAny:
		return r.anyLevel(x, v, out)
	}
	saved := r.current
	r.current = v
	t, err := r.truth(x.Left, v)
	r.current = saved
	switch {
	case err != nil:
		return pathFailed, err
	case t != pathTrue:
		return pathNothing, nil
	}
	return r.next(x, v, out)
}

func (r *pathRun) anyLevel(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	res := pathNothing
	if x.First == 0 {
		saved := r.ignore
		r.ignore = true
		var err error
		res, err = r.next(x, v, out)
		r.ignore = saved
		if err != nil || res == pathFailed || res == pathFound && out == nil {
			return res, err
		}
	}
	if v.typ != 0 || v.v.Kind < types.JSONArray {
		return res, nil
	}
	return r.each(x.Next, v, out, 1, x.First, x.End, true, r.lax)
}

// indexes gives the elements of the subscripts; in lax mode a value that is no array counts as an array of it.
func (r *pathRun) indexes(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	if !v.is(types.JSONArray) && !r.lax {
		return r.structural(pgerror.SQLJSONArrayNotFound, "jsonpath array accessor can only be applied to an array")
	}
	saved := r.size
	defer func() { r.size = saved }()
	r.size = 1
	if v.is(types.JSONArray) {
		r.size = len(v.v.Elems)
	}
	size := r.size
	res := pathNothing
	for _, s := range x.Subs {
		r.size = size
		from, ok, err := r.index(s.From, v)
		if err != nil || !ok {
			return pathFailed, err
		}
		to := from
		if s.To != nil {
			if to, ok, err = r.index(s.To, v); err != nil || !ok {
				return pathFailed, err
			}
		}
		if !r.ignore && (from < 0 || from > to || to >= size) {
			return r.fail(pgerror.New(pgerror.InvalidSQLJSONSubscript, "jsonpath array subscript is out of bounds"))
		}
		for i := max(from, 0); i <= min(to, size-1); i++ {
			e := v
			if v.is(types.JSONArray) {
				e = pathValue{v: &v.v.Elems[i], root: v.root}
			}
			if x.Next == nil && out == nil {
				return pathFound, nil
			}
			if res, err = r.next(x, e, out); err != nil || res == pathFailed || res == pathFound && out == nil {
				return res, err
			}
		}
	}
	return res, nil
}

// index evaluates a subscript.
func (r *pathRun) index(x *types.PathItem, v pathValue) (int, bool, error) {
	var found pathItems
	if res, err := r.item(x, v, &found); err != nil || res == pathFailed {
		return 0, false, err
	}
	if len(found.list) != 1 || !found.list[0].is(types.JSONNumber) {
		_, err := r.fail(pgerror.New(pgerror.InvalidSQLJSONSubscript, "jsonpath array subscript is not a single numeric value"))
		return 0, false, err
	}
	n, ok := found.list[0].v.Num.Trunc(0).Int64()
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		_, err := r.fail(pgerror.New(pgerror.InvalidSQLJSONSubscript, "jsonpath array subscript is out of integer range"))
		return 0, false, err
	}
	return int(n), true, nil
}

// values evaluates an operand; in lax mode arrays among its values are unwrapped.
func (r *pathRun) values(x *types.PathItem, v pathValue, unwrap bool, out *pathItems) (pathResult, error) {
	if !unwrap || !r.lax {
		return r.item(x, v, out)
	}
	var found pathItems
	if res, err := r.item(x, v, &found); err != nil || res == pathFailed {
		return pathFailed, err
	}
	for _, f := range found.list {
		if f.is(types.JSONArray) {
			if _, err := r.each(nil, f, out, 1, 1, 1, false, false); err != nil {
				return pathFailed, err
			}
		} else {
			out.list = append(out.list, f)
		}
	}
	return pathFound, nil
}

// quietly is values where errors are not thrown.
func (r *pathRun) quietly(x *types.PathItem, v pathValue, unwrap bool, out *pathItems) (pathResult, error) {
	saved := r.throw
	r.throw = false
	defer func() { r.throw = saved }()
	return r.values(x, v, unwrap, out)
}

// arithmetic is an operator over two single numbers.
func (r *pathRun) arithmetic(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	var sides [2]pathItems
	for i, arg := range []*types.PathItem{x.Left, x.Right} {
		if res, err := r.values(arg, v, true, &sides[i]); err != nil || res == pathFailed {
			return pathFailed, err
		}
	}
	for i, side := range []string{"left", "right"} {
		if l := sides[i].list; len(l) != 1 || !l[0].is(types.JSONNumber) {
			return r.fail(pgerror.Newf(pgerror.SingletonSQLJSONItemRequired,
				"%s operand of jsonpath operator %s is not a single numeric value", side, x.Kind))
		}
	}
	a, b := sides[0].list[0].v.Num, sides[1].list[0].v.Num
	var n types.Num
	var err error
	switch x.Kind {
	case types.PathAdd:
		n = types.NumAdd(a, b)
	case types.PathSub:
		n = types.NumSub(a, b)
	case types.PathMul:
		n = types.NumMul(a, b)
	case types.PathDiv:
		n, err = types.NumDiv(a, b)
	default:
		n, err = types.NumMod(a, b)
	}
	if err == nil {
		n, err = types.CheckNum(n)
	}
	if err != nil {
		return r.fail(err)
	}
	return r.next(x, pathValue{v: &types.JSON{Kind: types.JSONNumber, Num: n}, root: v.root}, out)
}

// signed is a sign before any number of numbers.
func (r *pathRun) signed(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	var found pathItems
	if res, err := r.values(x.Left, v, true, &found); err != nil || res == pathFailed {
		return pathFailed, err
	}
	res := pathNothing
	for _, f := range found.list {
		if !f.is(types.JSONNumber) {
			if out == nil && x.Next == nil {
				continue
			}
			return r.fail(pgerror.Newf(pgerror.SQLJSONNumberNotFound, "operand of unary jsonpath operator %s is not a numeric value", x.Kind))
		}
		if out == nil && x.Next == nil {
			return pathFound, nil
		}
		n := f.v.Num
		if x.Kind == types.PathMinus {
			n = n.Neg()
		}
		one, err := r.next(x, pathValue{v: &types.JSON{Kind: types.JSONNumber, Num: n}, root: v.root}, out)
		if err != nil || one == pathFailed || one == pathFound && out == nil {
			return one, err
		}
		if one == pathFound {
			res = pathFound
		}
	}
	return res, nil
}

// truth evaluates a predicate.
func (r *pathRun) truth(x *types.PathItem, v pathValue) (pathTruth, error) {
	switch x.Kind {
	case types.PathAnd, types.PathOr:
		decides := pathFalse
		if x.Kind == types.PathOr {
			decides = pathTrue
		}
		left, err := r.truth(x.Left, v)
		if err != nil || left == decides {
			return left, err
		}
		right, err := r.truth(x.Right, v)
		if err != nil || right == decides || left != pathUnknown {
			return right, err
		}
		return left, nil
	case types.PathNot:
		t, err := r.truth(x.Left, v)
		switch {
		case err != nil || t == pathUnknown:
			return pathUnknown, err
		case t == pathTrue:
			return pathFalse, nil
		}
		return pathTrue, nil
	case types.PathIsUnknown:
		t, err := r.truth(x.Left, v)
		if t == pathUnknown {
			return pathTrue, err
		}
		return pathFalse, err
	case types.PathExists:
		return r.exists(x, v)
	case types.PathLikeRegex:
		re, err := r.c.pathRegex(x)
		if err != nil {
			return pathUnknown, err
		}
		return r.predicate(x, v, func(a, _ *pathValue) (pathTruth, error) {
			if !a.is(types.JSONString) {
				return pathUnknown, nil
			}
			ok, err := re.match([]byte(a.v.Str))
			return truthOf(ok), err
		})
	case types.PathStartsWith:
		return r.predicate(x, v, func(a, b *pathValue) (pathTruth, error) {
			if !a.is(types.JSONString) || !b.is(types.JSONString) {
				return pathUnknown, nil
			}
			return truthOf(strings.HasPrefix(a.v.Str, b.v.Str)), nil
		})
	}
	return r.predicate(x, v, func(a, b *pathValue) (pathTruth, error) { return r.compare(x.Kind, a, b) })
}

func truthOf(b bool) pathTruth {
	if b {
		return pathTrue
	}
	return pathFalse
}

func (r *pathRun) exists(x *types.PathItem, v pathValue) (pathTruth, error) {
	var out *pathItems
	if !r.lax { // strict: the whole sequence must be without error
		out = &pathItems{}
	}
	res, err := r.quietly(x.Left, v, false, out)
	switch {
	case err != nil || res == pathFailed:
		return pathUnknown, err
	case out != nil:
		return truthOf(len(out.list) > 0), nil
	}
	return truthOf(res == pathFound), nil
}

// predicate tells whether a condition holds for any pair of values of the operands.
func (r *pathRun) predicate(x *types.PathItem, v pathValue, holds func(a, b *pathValue) (pathTruth, error)) (pathTruth, error) {
	var left, right pathItems
	if res, err := r.quietly(x.Left, v, true, &left); err != nil || res == pathFailed {
		return pathUnknown, err
	}
	if x.Right == nil {
		right.list = make([]pathValue, 1)
	} else if res, err := r.quietly(x.Right, v, x.Kind != types.PathStartsWith, &right); err != nil || res == pathFailed {
		return pathUnknown, err
	}
	unknown, found := false, false
	for i := range left.list {
		for k := range right.list {
			if err := r.breathe(); err != nil {
				return pathUnknown, err
			}
			t, err := holds(&left.list[i], &right.list[k])
			if err != nil {
				return pathUnknown, err
			}
			if t == pathUnknown {
				if !r.lax {
					return pathUnknown, nil
				}
				unknown = true
			} else if t == pathTrue {
				if r.lax {
					return pathTrue, nil
				}
				found = true
			}
		}
	}
	switch {
	case found:
		return pathTrue, nil
	case unknown:
		return pathUnknown, nil
	}
	return pathFalse, nil
}

func (r *pathRun) compare(op types.PathKind, a, b *pathValue) (pathTruth, error) {
	var c int
	switch {
	case a.typ != 0 && b.typ != 0:
		var ok bool
		var err error
		if c, ok, err = r.compareTimes(a, b); err != nil || !ok {
			return pathUnknown, err
		}
	case a.typ != 0 || b.typ != 0 || a.v.Kind != b.v.Kind:
		if a.is(types.JSONNull) || b.is(types.JSONNull) {
			return truthOf(op == types.PathNotEqual), nil
		}
		return pathUnknown, nil
	case a.v.Kind >= types.JSONArray:
		return pathUnknown, nil
	default:
		c = a.v.Cmp(b.v)
	}
	switch op {
	case types.PathEqual:
		return truthOf(c == 0), nil
	case types.PathNotEqual:
		return truthOf(c != 0), nil
	case types.PathLess:
		return truthOf(c < 0), nil
	case types.PathGreater:
		return truthOf(c > 0), nil
	case types.PathLessOrEqual:
		return truthOf(c <= 0), nil
	}
	return truthOf(c >= 0), nil
}
