package analyze

import (
	"reflect"

	"manifold/engine/sql/query"
)

// same tells whether two expressions are equal up to where they stand in the text. When they are and hold literals, the
// analysis depends on the values of these.
func (a *analyzer) same(x, y query.Expr) bool {
	if !equalExpr(x, y) {
		return false
	}
	a.readSlot(x)
	a.readSlot(y)
	return true
}

// equalExpr compares two expressions structurally.
func equalExpr(x, y query.Expr) bool {
	return equalValue(reflect.ValueOf(&x).Elem(), reflect.ValueOf(&y).Elem())
}

// ignored lists the fields that say where or how something was written.
var ignored = map[string]bool{"Offset": true, "Slot": true, "Negated": true, "FromStr": true, "Form": true, "ID": true}

func equalValue(x, y reflect.Value) bool {
	switch x.Kind() {
	case reflect.Interface, reflect.Pointer:
		if x.IsNil() || y.IsNil() {
			return x.IsNil() && y.IsNil()
		}
		if x.Kind() == reflect.Interface && x.Elem().Type() != y.Elem().Type() {
			return false
		}
		if x.Kind() == reflect.Pointer && x.Pointer() == y.Pointer() {
			return true
		}
		return equalValue(x.Elem(), y.Elem())
	case reflect.Struct:
		for i := range x.NumField() {
			if ignored[x.Type().Field(i).Name] {
				continue
			}
			if !equalValue(x.Field(i), y.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !equalValue(x.Index(i), y.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map, reflect.Func, reflect.Chan:
		return x.Pointer() == y.Pointer()
	}
	return x.Interface() == y.Interface()
}
