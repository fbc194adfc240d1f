package analyze

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// operator resolves a binary operator, or a prefix operator when left is zero, for two argument types.
func (a *analyzer) operator(name []string, left, right base.OID, loc int32) (*catalog.Operator, error) {
	all, err := a.view.OperatorsByName(name[len(name)-1])
	if err != nil {
		return nil, err
	}
	kind := byte('b')
	if left == 0 {
		kind = 'l'
	}
	only := base.OID(0)
	if len(name) > 1 {
		if only, err = a.schema(name[len(name)-2], loc); err != nil {
			return nil, err
		}
	}
	byOID := map[base.OID]*catalog.Operator{}
	var cands []*candidate
	for _, o := range all {
		if o.Kind != kind || only != 0 && o.Namespace != only || only == 0 && a.pathRank(o.Namespace) < 0 {
			continue
		}
		c := &candidate{oid: o.OID, rank: max(a.pathRank(o.Namespace), 0), args: []base.OID{o.Left, o.Right}}
		if kind == 'l' {
			c.args = c.args[1:]
		}
		byOID[o.OID] = o
		cands = append(cands, c)
	}
	actual := []base.OID{left, right}
	if kind == 'l' {
		actual = actual[1:]
	}
	best, err := a.chooseOperator(actual, cands)
	if err != nil {
		return nil, err
	}
	if best != nil {
		return byOID[best.oid], nil
	}
	return nil, a.noOperator(name, actual, cands, loc)
}

func (a *analyzer) chooseOperator(actual []base.OID, cands []*candidate) (*candidate, error) {
	exact := func(types []base.OID) *candidate {
		var found *candidate
		for _, c := range cands {
			if sameTypes(c.args, types) && (found == nil || c.rank < found.rank) {
				found = c
			}
		}
		return found
	}
	// An untyped literal beside a typed operand is first taken to be of the same type.
	same := append([]base.OID(nil), actual...)
	if len(same) == 2 {
		if same[0] == types.OIDUnknown {
			same[0] = same[1]
		} else if same[1] == types.OIDUnknown {
			same[1] = same[0]
		}
	}
	if c := exact(same); c != nil {
		return c, nil
	}
	if len(same) == 2 && same[0] == same[1] && same[0] != types.OIDUnknown {
		bt, _, err := a.baseType(same[0])
		if err != nil {
			return nil, err
		}
		if bt != same[0] {
			if c := exact([]base.OID{bt, bt}); c != nil {
				return c, nil
			}
		}
	}
	return a.narrow(actual, cands)
}

func (a *analyzer) noOperator(name []string, actual []base.OID, cands []*candidate, loc int32) error {
	sig := strings.Join(name, ".") + " " + a.typeName(actual[len(actual)-1])
	if len(actual) == 2 {
		sig = a.typeName(actual[0]) + " " + sig
	}
	fit, err := a.applicable(actual, cands)
	if err != nil {
		return err
	}
	hint := "No operator matches the given name and argument types. You might need to add explicit type casts."
	if len(actual) == 1 {
		hint = "No operator matches the given name and argument type. You might need to add an explicit type cast."
	}
	if len(fit) > 1 {
		e := pgerror.Newf(pgerror.AmbiguousFunction, "operator is not unique: %s", sig).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts.")
		return a.at(e, loc)
	}
	return a.at(pgerror.Newf(pgerror.UndefinedFunction, "operator does not exist: %s", sig).WithHint("%s", hint), loc)
}

// apply makes the expression of an operator over its arguments; left is nil for a prefix operator.
func (s *state) apply(name []string, left, right query.Expr, loc int32) (query.Expr, error) {
	lt := base.OID(0)
	if left != nil {
		lt = left.Type()
	}
	o, err := s.a.operator(name, lt, right.Type(), loc)
	if err != nil {
		return nil, err
	}
	return s.applyOperator(o, left, right, loc)
}

func (s *state) applyOperator(o *catalog.Operator, left, right query.Expr, loc int32) (query.Expr, error) {
	if o.Code == 0 {
		return nil, s.a.errorf(pgerror.UndefinedFunction, loc, "operator is only a shell: %s", o.Name)
	}
	p, err := s.a.view.MustProc(o.Code)
	if err != nil {
		return nil, err
	}
	args := []query.Expr{right}
	declared := []base.OID{o.Right}
	if left != nil {
		args, declared = []query.Expr{left, right}, []base.OID{o.Left, o.Right}
	}
	ret, err := s.a.polymorph(declared, exprTypes(args), o.Result, false)
	if err != nil {
		return nil, s.a.at(pgerror.From(err), loc)
	}
	for i := range args {
		x, err := s.coerceTo(args[i], declared[i], -1, implicit)
		if err != nil {
			return nil, err
		}
		if x != nil {
			args[i] = x
		}
	}
	if p.RetSet {
		return nil, s.a.errorf(pgerror.FeatureNotSupported, loc, "set-returning operators are not supported yet")
	}
	e := &query.OpExpr{T: query.T{Typ: ret, Mod: -1, Offset: int(loc)}, Op: o.OID, Func: o.Code, Args: args, Strict: p.Strict,
		Volatile: p.Volatile, InColl: inputCollation(args)}
	if e.Coll = s.a.collationOf(ret); e.Coll != 0 && e.InColl != 0 {
		e.Coll = e.InColl
	}
	return e, nil
}

// applyArray makes `left op ANY (right)` or ALL.
func (s *state) applyArray(name []string, left, right query.Expr, any bool, loc int32) (query.Expr, error) {
	rt, elem := right.Type(), types.OIDUnknown
	if rt != types.OIDUnknown {
		bt, _, err := s.a.baseType(rt)
		if err != nil {
			return nil, err
		}
		t, err := s.a.view.MustType(bt)
		if err != nil {
			return nil, err
		}
		if t.Elem == 0 || t.Category != 'A' {
			return nil, s.a.errorf(pgerror.WrongObjectType, loc, "op ANY/ALL (array) requires array on right side")
		}
		elem = t.Elem
	}
	o, err := s.a.operator(name, left.Type(), elem, loc)
	if err != nil {
		return nil, err
	}
	if o.Result != types.OIDBool {
		return nil, s.a.errorf(pgerror.WrongObjectType, loc, "op ANY/ALL (array) requires operator to yield boolean")
	}
	p, err := s.a.view.MustProc(o.Code)
	if err != nil {
		return nil, err
	}
	declared := []base.OID{o.Left, o.Right}
	actual := []base.OID{left.Type(), elem}
	if _, err := s.a.polymorph(declared, actual, o.Result, false); err != nil {
		return nil, s.a.at(pgerror.From(err), loc)
	}
	want := declared[1]
	arr, err := s.a.arrayOf(want)
	if err != nil {
		return nil, err
	}
	if elem == want { // keeps oidvector and int2vector as they are
		arr = rt
	}
	l, err := s.coerceTo(left, declared[0], -1, implicit)
	if err != nil {
		return nil, err
	}
	r, err := s.coerceTo(right, arr, -1, implicit)
	if err != nil {
		return nil, err
	}
	if l == nil || r == nil {
		return nil, s.a.errorf(pgerror.DatatypeMismatch, loc, "op ANY/ALL (array) requires array on right side")
	}
	return &query.ArrayOp{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(loc)}, Op: o.OID, Func: o.Code, Any: any,
		Args: [2]query.Expr{l, r}, Strict: p.Strict, Volatile: p.Volatile, InColl: inputCollation([]query.Expr{l, r})}, nil
}

// ordering gives the btree operators of a type, zero where it has none: less than, equal, greater than, and the comparison
// support function; and whether equality can hash.
type ordering struct {
	less, equal, greater, cmp base.OID
	hash                      bool
}

// orderingOf finds the default ordering of a type, through its base type, arrays and binary-coercible types.
func (a *analyzer) orderingOf(typ base.OID) (ordering, error) {
	bt, _, err := a.baseType(typ)
	if err != nil {
		return ordering{}, err
	}
	t, err := a.view.MustType(bt)
	if err != nil {
		return ordering{}, err
	}
	input := bt
	switch {
	case t.TrueArray() || bt == types.OIDInt2Vector: // which has no operators of its own, unlike oidvector
		if o, err := a.orderingOf(t.Elem); err != nil || o.less == 0 {
			return ordering{}, err
		}
		input = types.OIDAnyArray
	case t.Kind == 'e':
		input = types.OIDAnyEnum
	case t.Kind == 'c':
		input = types.OIDRecord
	}
	class, err := a.defaultClass(bootstrap.MethodBtree, input, bt)
	if err != nil {
		return ordering{}, err
	}
	var o ordering
	if class != nil {
		for strategy, at := range map[int]*base.OID{catalog.StrategyLess: &o.less, catalog.StrategyEqual: &o.equal, catalog.StrategyGreater: &o.greater} {
			if *at, err = a.view.FamilyOperator(class.Family, class.Input, class.Input, strategy); err != nil {
				return o, err
			}
		}
		if o.cmp, err = a.view.Support(class.Family, class.Input, class.Input, 1); err != nil {
			return o, err
		}
	}
	hash, err := a.defaultClass(405, input, bt)
	if err != nil {
		return o, err
	}
	if hash != nil {
		o.hash = true
		if o.equal == 0 {
			o.equal, err = a.view.FamilyOperator(hash.Family, hash.Input, hash.Input, 1)
		}
	}
	return o, err
}

// defaultClass gives the default operator class of an access method for a type, exact first, then binary-coercible.
func (a *analyzer) defaultClass(method, input, typ base.OID) (*catalog.Opclass, error) {
	classes, err := a.view.Opclasses(method)
	if err != nil {
		return nil, err
	}
	var coercible *catalog.Opclass
	for _, c := range classes {
		if !c.Default {
			continue
		}
		if c.Input == input {
			return c, nil
		}
		if cast, err := a.view.CastBetween(typ, c.Input); err != nil {
			return nil, err
		} else if cast != nil && cast.Method == 'b' && cast.Context == 'i' {
			if _, pref, _ := a.category(c.Input); pref || coercible == nil {
				coercible = c
			}
		}
	}
	return coercible, nil
}
