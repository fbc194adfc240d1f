package analyze

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// poly gathers what the arguments of a call say about its polymorphic types: the family of anyelement, whose members must
// agree exactly, and that of anycompatible, whose members find a common type.
type poly struct {
	any        bool
	elem       base.OID // anyelement, anynonarray, anyenum
	array      base.OID // anyarray
	nonArray   bool
	enum       bool
	ranges     bool
	compatible bool
	compat     []query.Expr
}

func (p *poly) note(a *analyzer, declared, actual base.OID) error {
	switch declared {
	case types.OIDAnyElement, types.OIDAnyNonArray, types.OIDAnyEnum:
		p.any = true
		p.enum = p.enum || declared == types.OIDAnyEnum
		p.nonArray = p.nonArray || declared == types.OIDAnyNonArray
		if actual == types.OIDUnknown {
			return nil
		}
		if p.elem != 0 && p.elem != actual {
			return pgerror.New(pgerror.DatatypeMismatch, "arguments declared \"anyelement\" are not all alike").
				WithDetail("%s versus %s", a.typeName(p.elem), a.typeName(actual))
		}
		p.elem = actual
	case types.OIDAnyArray:
		p.any = true
		if actual == types.OIDUnknown {
			return nil
		}
		bt, _, err := a.baseType(actual)
		if err != nil {
			return err
		}
		if t, err := a.view.MustType(bt); err != nil {
			return err
		} else if (t.Elem == 0 || t.Category != 'A') && bt != types.OIDAnyArray && bt != types.OIDRecordArray {
			return notArray("anyarray", a.typeName(bt))
		}
		if p.array != 0 && p.array != bt {
			return pgerror.New(pgerror.DatatypeMismatch, "arguments declared \"anyarray\" are not all alike").
				WithDetail("%s versus %s", a.typeName(p.array), a.typeName(bt))
		}
		p.array = bt
	case types.OIDAnyCompatible, types.OIDAnyCompatibleNonArray:
		p.compatible = true
		p.compat = append(p.compat, &query.CaseArg{T: query.T{Typ: actual, Offset: -1}})
	case types.OIDAnyCompatibleArray:
		p.compatible = true
		if actual == types.OIDUnknown {
			return nil
		}
		t, err := a.view.MustType(actual)
		if err != nil {
			return err
		}
		if t.Elem == 0 || t.Category != 'A' {
			return notArray("anycompatiblearray", a.typeName(actual))
		}
		p.compat = append(p.compat, &query.CaseArg{T: query.T{Typ: t.Elem, Offset: -1}})
	case types.OIDAnyRange, types.OIDAnyMultirange, types.OIDAnyCompatibleRange, types.OIDAnyCompatibleMultirange:
		p.any, p.ranges = true, true
		if actual == types.OIDUnknown {
			return nil
		}
		t, err := a.view.MustType(actual)
		if err != nil {
			return err
		}
		want, what := byte('r'), "range"
		if declared == types.OIDAnyMultirange || declared == types.OIDAnyCompatibleMultirange {
			want, what = 'm', "multirange"
		}
		if t.Kind != want {
			return pgerror.Newf(pgerror.DatatypeMismatch, "argument declared %s is not a %s type but type %s", a.typeName(declared), what, a.typeName(actual))
		}
	}
	return nil
}

// consistent tells whether actual arguments agree on the polymorphic types of a signature.
func (a *analyzer) consistent(actual, declared []base.OID) (bool, error) {
	some := false
	var p poly
	for i, d := range declared {
		if !polymorphic(d) {
			continue
		}
		some = true
		if err := p.note(a, d, actual[i]); err != nil {
			return false, onlyInternal(err)
		}
	}
	if !some {
		return true, nil
	}
	if p.any && !p.ranges && p.elem == 0 && p.array == 0 {
		return true, nil // all unknown: resolution may still choose it
	}
	if p.ranges {
		return true, nil // the call itself is what is refused
	}
	if err := p.settle(a); err != nil {
		return false, onlyInternal(err)
	}
	if len(p.compat) > 0 {
		typ, err := a.commonType(p.compat, "")
		if err != nil || typ == 0 {
			return false, onlyInternal(err)
		}
		for _, c := range p.compat {
			if ok, err := a.canCoerce(c.Type(), typ, implicit); err != nil || !ok {
				return false, err
			}
		}
	}
	return true, nil
}

// onlyInternal keeps an error that is not a mismatch of types.
func onlyInternal(err error) error {
	if pgerror.Code(err) == pgerror.DatatypeMismatch {
		return nil
	}
	return err
}

func notArray(declared, actual string) error {
	return pgerror.Newf(pgerror.DatatypeMismatch, "argument declared %s is not an array but type %s", declared, actual)
}

// settle finds the types that follow from others.
func (p *poly) settle(a *analyzer) error {
	if p.ranges {
		return pgerror.Unsupported("a function of any range type")
	}
	if p.array != 0 && p.array != types.OIDAnyArray {
		t, err := a.view.MustType(p.array)
		if err != nil {
			return err
		}
		elem := t.Elem
		if elem == 0 {
			return notArray("anyarray", a.typeName(p.array))
		}
		if p.elem == 0 {
			p.elem = elem
		} else if p.elem != elem {
			return pgerror.New(pgerror.DatatypeMismatch, "argument declared anyarray is not consistent with argument declared anyelement").
				WithDetail("%s versus %s", a.typeName(p.array), a.typeName(p.elem))
		}
	}
	if p.any && p.elem == 0 && p.array == 0 {
		return pgerror.New(pgerror.DatatypeMismatch, "could not determine polymorphic type because input has type unknown")
	}
	if p.enum && p.elem != 0 {
		if t, err := a.view.MustType(p.elem); err != nil || t.Kind != 'e' {
			return pgerror.Newf(pgerror.DatatypeMismatch, "type matched to anyenum is not an enum type: %s", a.typeName(p.elem))
		}
	}
	if p.nonArray && p.elem != 0 {
		if t, err := a.view.MustType(p.elem); err != nil || t.TrueArray() {
			return pgerror.Newf(pgerror.DatatypeMismatch, "type matched to anynonarray is an array type: %s", a.typeName(p.elem))
		}
	}
	return nil
}

// actual gives the type a polymorphic type stands for.
func (p *poly) actual(a *analyzer, declared base.OID) (base.OID, error) {
	switch declared {
	case types.OIDAnyElement, types.OIDAnyNonArray, types.OIDAnyEnum:
		return p.elem, nil
	case types.OIDAnyArray:
		if p.array != 0 {
			return p.array, nil
		}
		return a.arrayOf(p.elem)
	}
	elem := types.OIDText
	if len(p.compat) > 0 {
		var err error
		if elem, err = a.commonType(p.compat, "anycompatible"); err != nil {
			return 0, err
		}
	}
	if declared == types.OIDAnyCompatibleArray {
		return a.arrayOf(elem)
	}
	return elem, nil
}

// arrayOf gives the array type of an element type.
func (a *analyzer) arrayOf(elem base.OID) (base.OID, error) {
	t, err := a.view.MustType(elem)
	if err != nil {
		return 0, err
	}
	if t.Array == 0 {
		return 0, pgerror.Newf(pgerror.UndefinedObject, "could not find array type for data type %s", a.typeName(elem))
	}
	return t.Array, nil
}
