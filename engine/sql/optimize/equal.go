package optimize

import (
	"bytes"
	"reflect"

	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// same compares two expressions structurally. Constants with different literal slots are different, whatever their values.
func same(a, b query.Expr) bool {
	return equal(a, b, func(x, y *query.Const) bool { return x.Slot == y.Slot && equalDatum(x.Value, y.Value) })
}

// matches compares by the values of constants. When it has looked at the values of literals, these keep their values.
func (p *planner) matches(a, b query.Expr) bool {
	var looked []*query.Const
	ok := equal(a, b, func(x, y *query.Const) bool {
		if x.Slot != y.Slot {
			looked = append(looked, x, y)
		}
		return equalDatum(x.Value, y.Value)
	})
	if ok {
		for _, c := range looked {
			p.pin(c)
		}
	}
	return ok
}

// pin records that the plan depends on the value of a constant.
func (p *planner) pin(c *query.Const) {
	if c.Slot < 0 {
		return
	}
	if p.pinned == nil {
		p.pinned = map[int]bool{}
	}
	p.pinned[c.Slot] = true
}

func equalDatum(a, b types.Datum) bool {
	return a.Null == b.Null && (a.Null || a.I == b.I && bytes.Equal(a.B, b.B))
}

// equal compares expressions; consts decides about two constants of one type.
func equal(a, b query.Expr, consts func(x, y *query.Const) bool) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Type() != b.Type() {
		return false
	}
	switch x := a.(type) {
	case *query.Var:
		y, ok := b.(*query.Var)
		return ok && x.RTE == y.RTE && x.Attr == y.Attr && x.Up == y.Up
	case *query.Const:
		y, ok := b.(*query.Const)
		return ok && consts(x, y)
	case *query.Param:
		y, ok := b.(*query.Param)
		return ok && x.N == y.N && x.Exec == y.Exec
	case *query.OpExpr:
		y, ok := b.(*query.OpExpr)
		return ok && x.Op == y.Op && equalLists(x.Args, y.Args, consts)
	case *query.FuncExpr:
		y, ok := b.(*query.FuncExpr)
		return ok && x.Func == y.Func && equalLists(x.Args, y.Args, consts)
	case *query.BoolExpr:
		y, ok := b.(*query.BoolExpr)
		return ok && x.Op == y.Op && equalLists(x.Args, y.Args, consts)
	}
	return equalValue(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem(), consts)
}

func equalLists(a, b []query.Expr, consts func(x, y *query.Const) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i], consts) {
			return false
		}
	}
	return true
}

// ignoredField names the fields that say how or where something was written.
func ignoredField(name string) bool {
	switch name {
	case "Offset", "Negated", "FromStr", "Form":
		return true
	}
	return false
}

func equalValue(x, y reflect.Value, consts func(x, y *query.Const) bool) bool {
	switch x.Kind() {
	case reflect.Interface, reflect.Pointer:
		if x.IsNil() || y.IsNil() {
			return x.IsNil() && y.IsNil()
		}
		if x.Kind() == reflect.Interface {
			if x.Elem().Type() != y.Elem().Type() {
				return false
			}
			if c, ok := x.Interface().(*query.Const); ok {
				d := y.Interface().(*query.Const)
				return c.Typ == d.Typ && consts(c, d)
			}
		}
		if x.Kind() == reflect.Pointer && x.Pointer() == y.Pointer() {
			return true
		}
		return equalValue(x.Elem(), y.Elem(), consts)
	case reflect.Struct:
		for i := range x.NumField() {
			if !ignoredField(x.Type().Field(i).Name) && !equalValue(x.Field(i), y.Field(i), consts) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !equalValue(x.Index(i), y.Index(i), consts) {
				return false
			}
		}
		return true
	case reflect.Map, reflect.Func, reflect.Chan:
		return x.Pointer() == y.Pointer()
	}
	return x.Equal(y)
}
