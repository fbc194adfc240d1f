package analyze

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// context is how a coercion was asked for.
type context uint8

const (
	implicit context = iota
	assignment
	explicit
)

// path is how a value gets from one type to another.
type path uint8

const (
	pathNone path = iota
	pathRelabel
	pathFunc
	pathArray
	pathViaIO
)

// typeName gives a type's name as messages show it.
func (a *analyzer) typeName(oid base.OID) string {
	if _, ok := types.Lookup(oid); ok {
		return types.FormatType(oid, -1)
	}
	if t, err := a.view.TypeByOID(oid); err == nil && t != nil {
		if t.TrueArray() {
			return a.typeName(t.Elem) + "[]"
		}
		return t.Name
	}
	return fmt.Sprintf("%d", oid)
}

// baseType gives the type under a domain, with the domain's typmod.
func (a *analyzer) baseType(oid base.OID) (base.OID, int32, error) {
	mod := int32(-1)
	for {
		t, err := a.view.MustType(oid)
		if err != nil {
			return 0, 0, err
		}
		if t.Kind != 'd' {
			return oid, mod, nil
		}
		oid = t.Base
		if mod < 0 {
			mod = t.Typmod
		}
	}
}

func (a *analyzer) category(oid base.OID) (byte, bool, error) {
	t, err := a.view.MustType(oid)
	if err != nil {
		return 0, false, err
	}
	return t.Category, t.Preferred, nil
}

// pathway finds how source is coerced to target in a context.
func (a *analyzer) pathway(target, source base.OID, ctx context) (path, base.OID, error) {
	source, _, err := a.baseType(source)
	if err != nil {
		return pathNone, 0, err
	}
	if target, _, err = a.baseType(target); err != nil {
		return pathNone, 0, err
	}
	if source == target {
		return pathRelabel, 0, nil
	}
	c, err := a.view.CastBetween(source, target)
	if err != nil {
		return pathNone, 0, err
	}
	if c != nil {
		allowed := implicit
		switch c.Context {
		case 'a':
			allowed = assignment
		case 'e':
			allowed = explicit
		}
		if ctx < allowed {
			return pathNone, 0, nil
		}
		switch c.Method {
		case 'f':
			return pathFunc, c.Func, nil
		case 'i':
			return pathViaIO, 0, nil
		}
		return pathRelabel, 0, nil
	}
	return a.pathwayWithoutCast(target, source, ctx)
}

func (a *analyzer) pathwayWithoutCast(target, source base.OID, ctx context) (path, base.OID, error) {
	tt, err := a.view.MustType(target)
	if err != nil {
		return pathNone, 0, err
	}
	st, err := a.view.MustType(source)
	if err != nil {
		return pathNone, 0, err
	}
	vector := source == types.OIDOIDVector || source == types.OIDInt2Vector
	if target != types.OIDOIDVector && target != types.OIDInt2Vector && tt.TrueArray() && (st.TrueArray() || vector) {
		p, fn, err := a.pathway(tt.Elem, st.Elem, ctx)
		if err != nil || p == pathNone {
			return pathNone, 0, err
		}
		if p == pathViaIO && ctx != explicit {
			return pathNone, 0, nil
		}
		return pathArray, fn, nil
	}
	if ctx >= assignment && tt.Category == 'S' || ctx == explicit && st.Category == 'S' {
		return pathViaIO, 0, nil
	}
	return pathNone, 0, nil
}

func polymorphic(oid base.OID) bool {
	switch oid {
	case types.OIDAnyElement, types.OIDAnyArray, types.OIDAnyNonArray, types.OIDAnyEnum, types.OIDAnyRange,
		types.OIDAnyMultirange, types.OIDAnyCompatible, types.OIDAnyCompatibleArray, types.OIDAnyCompatibleNonArray,
		types.OIDAnyCompatibleRange, types.OIDAnyCompatibleMultirange:
		return true
	}
	return false
}

// canCoerce tells whether one type can be coerced to another.
func (a *analyzer) canCoerce(source, target base.OID, ctx context) (bool, error) {
	if source == target || target == types.OIDAny || polymorphic(target) || source == types.OIDUnknown {
		return true, nil
	}
	p, _, err := a.pathway(target, source, ctx)
	if err != nil || p != pathNone {
		return p != pathNone, err
	}
	st, err := a.view.MustType(source)
	if err != nil {
		return false, err
	}
	tt, err := a.view.MustType(target)
	if err != nil {
		return false, err
	}
	composite := st.Kind == 'c' || source == types.OIDRecord
	switch {
	case target == types.OIDRecord && composite:
		return true, nil
	case source == types.OIDRecord && tt.Kind == 'c':
		return true, nil
	case target == types.OIDRecordArray && st.TrueArray():
		et, err := a.view.MustType(st.Elem)
		return err == nil && (et.Kind == 'c' || et.OID == types.OIDRecord), err
	}
	return false, nil
}

func (a *analyzer) canCoerceAll(sources, targets []base.OID) (bool, error) {
	for i := range sources {
		ok, err := a.canCoerce(sources[i], targets[i], implicit)
		if err != nil || !ok {
			return false, err
		}
	}
	return a.consistent(sources, targets)
}

// coerceTo coerces e, or fails with PostgreSQL's "cannot be coerced" of the context; nil without error when impossible.
func (s *state) coerceTo(e query.Expr, target base.OID, mod int32, ctx context) (query.Expr, error) {
	if ok, err := s.a.canCoerce(e.Type(), target, ctx); err != nil || !ok {
		return nil, err
	}
	r, err := s.coerce(e, target, mod, ctx)
	if err != nil {
		return nil, err
	}
	return s.coerceTypmod(r, target, mod, ctx)
}

func formOf(ctx context) query.FuncForm {
	if ctx == explicit {
		return query.FormExplicitCast
	}
	return query.FormImplicitCast
}

func (a *analyzer) collationOf(typ base.OID) base.OID {
	if t, err := a.view.TypeByOID(typ); err == nil && t != nil {
		return t.Collation
	}
	return 0
}

// coerce converts e to the target type, which canCoerce allowed; the typmod is applied by coerceTypmod.
func (s *state) coerce(e query.Expr, target base.OID, mod int32, ctx context) (query.Expr, error) {
	source := e.Type()
	if source == target || target == types.OIDAny || target == types.OIDAnyElement || target == types.OIDAnyNonArray ||
		target == types.OIDAnyCompatible || target == types.OIDAnyCompatibleNonArray {
		return e, nil
	}
	if polymorphic(target) && source != types.OIDUnknown {
		return e, nil
	}
	if source == types.OIDUnknown {
		if r, done, err := s.coerceUnknown(e, target, mod, ctx); done || err != nil {
			return r, err
		}
	}
	baseTarget, _, err := s.a.baseType(target)
	if err != nil {
		return nil, err
	}
	p, fn, err := s.a.pathway(target, source, ctx)
	if err != nil {
		return nil, err
	}
	t := query.T{Typ: baseTarget, Mod: -1, Coll: s.a.collationOf(baseTarget), Offset: e.Loc()}
	var r query.Expr
	switch p {
	case pathFunc:
		if r, err = s.castCall(e, fn, t, ctx); err != nil {
			return nil, err
		}
	case pathViaIO:
		r = &query.CoerceViaIO{T: t, Arg: e, Form: formOf(ctx)}
	case pathArray:
		if r, err = s.coerceArray(e, baseTarget, t, ctx); err != nil {
			return nil, err
		}
	case pathRelabel:
		if source == target {
			return e, nil
		}
		if t.Coll != 0 && e.Collation() != 0 {
			t.Coll = e.Collation()
		}
		r = &query.Relabel{T: t, Arg: e, Form: formOf(ctx)}
	default:
		return s.coerceRow(e, target)
	}
	if baseTarget != target {
		return s.toDomain(r, target)
	}
	return r, nil
}

func (s *state) toDomain(e query.Expr, domain base.OID) (query.Expr, error) {
	return nil, s.a.errorf(pgerror.FeatureNotSupported, int32(e.Loc()), "domain type %s is not supported yet", s.a.typeName(domain))
}

// castCall calls a cast function, which may take the typmod and the explicitness too.
func (s *state) castCall(e query.Expr, fn base.OID, t query.T, ctx context) (query.Expr, error) {
	p, err := s.a.view.MustProc(fn)
	if err != nil {
		return nil, err
	}
	arg := e
	if e.Type() != p.Args[0] {
		if arg, err = s.coerce(e, p.Args[0], -1, implicit); err != nil {
			return nil, err
		}
	}
	args := []query.Expr{arg}
	if len(p.Args) > 1 {
		args = append(args, intConst(types.OIDInt4, -1))
	}
	if len(p.Args) > 2 {
		args = append(args, boolConst(ctx == explicit))
	}
	return &query.FuncExpr{T: t, Func: fn, Args: args, Strict: p.Strict, Volatile: p.Volatile, Form: formOf(ctx), InColl: e.Collation()}, nil
}

func intConst(typ base.OID, v int64) *query.Const {
	return &query.Const{T: query.T{Typ: typ, Mod: -1, Offset: -1}, Value: types.Int(v), Slot: -1}
}

func boolConst(b bool) *query.Const {
	return &query.Const{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: -1}, Value: types.Bool(b), Slot: -1}
}

func (s *state) coerceArray(e query.Expr, target base.OID, t query.T, ctx context) (query.Expr, error) {
	tt, err := s.a.view.MustType(target)
	if err != nil {
		return nil, err
	}
	sb, _, err := s.a.baseType(e.Type())
	if err != nil {
		return nil, err
	}
	st, err := s.a.view.MustType(sb)
	if err != nil {
		return nil, err
	}
	elem := &query.CaseArg{T: query.T{Typ: st.Elem, Mod: e.Typmod(), Coll: e.Collation(), Offset: -1}}
	r, err := s.coerce(elem, tt.Elem, -1, ctx)
	if err != nil {
		return nil, err
	}
	if _, same := r.(*query.Relabel); same {
		return &query.Relabel{T: t, Arg: e, Form: formOf(ctx)}, nil
	}
	return &query.ArrayCoerce{T: t, Arg: e, Elem: r, Form: formOf(ctx)}, nil
}

func (s *state) coerceRow(e query.Expr, target base.OID) (query.Expr, error) {
	tt, err := s.a.view.MustType(target)
	if err != nil {
		return nil, err
	}
	if target == types.OIDRecord || target == types.OIDRecordArray {
		return &query.Relabel{T: query.T{Typ: target, Mod: -1, Offset: e.Loc()}, Arg: e, Form: query.FormImplicitCast}, nil
	}
	if r, ok := e.(*query.RowExpr); ok && tt.Kind == 'c' {
		rel, err := s.a.view.Relation(tt.RelID)
		if err != nil || rel == nil {
			return nil, err
		}
		out := &query.RowExpr{T: query.T{Typ: target, Mod: -1, Offset: e.Loc()}}
		n := 0
		for i, c := range rel.Columns {
			if c.Dropped {
				continue
			}
			if n >= len(r.Args) {
				return nil, s.a.errorf(pgerror.CannotCoerce, int32(e.Loc()), "cannot cast type record to %s", s.a.typeName(target))
			}
			x, err := s.coerceTo(r.Args[n], c.Type, c.Typmod, explicit)
			if err != nil {
				return nil, err
			}
			if x == nil {
				return nil, s.a.errorf(pgerror.CannotCoerce, int32(e.Loc()), "cannot cast type record to %s", s.a.typeName(target))
			}
			out.Args, out.Names, out.Attrs = append(out.Args, x), append(out.Names, c.Name), append(out.Attrs, i+1)
			n++
		}
		if n == len(rel.Columns) {
			out.Attrs = nil
		}
		return out, nil
	}
	return nil, s.a.errorf(pgerror.FeatureNotSupported, int32(e.Loc()), "cast of composite type %s to %s is not supported yet",
		s.a.typeName(e.Type()), s.a.typeName(target))
}

// coerceUnknown gives a literal or parameter of unknown type the target type; done is false when e is neither.
func (s *state) coerceUnknown(e query.Expr, target base.OID, mod int32, ctx context) (query.Expr, bool, error) {
	switch e := e.(type) {
	case *query.Const:
		r, err := s.a.typedConst(e, target, mod, ctx)
		return r, true, err
	case *query.Param:
		if s.a.params[e.N-1] == 0 || s.a.params[e.N-1] == types.OIDUnknown {
			s.a.params[e.N-1] = target
		} else if have := s.a.params[e.N-1]; have != target {
			if have == types.OIDUnknown {
				return nil, true, nil
			}
			err := pgerror.Newf(pgerror.AmbiguousParameter, "inconsistent types deduced for parameter $%d", e.N).
				WithDetail("%s versus %s", s.a.typeName(have), s.a.typeName(target))
			return nil, true, s.a.at(err, int32(e.Offset))
		}
		e.Typ, e.Mod, e.Coll = target, -1, s.a.collationOf(target)
		return e, true, nil
	case *query.Collate:
		r, done, err := s.coerceUnknown(e.Arg, target, mod, ctx)
		if r == nil || err != nil {
			return nil, done, err
		}
		return &query.Collate{T: query.T{Typ: target, Mod: -1, Coll: e.Coll, Offset: e.Offset}, Arg: r}, true, nil
	}
	p, _, err := s.a.pathway(target, types.OIDText, ctx)
	if err != nil || p == pathNone {
		return &query.CoerceViaIO{T: query.T{Typ: target, Mod: -1, Coll: s.a.collationOf(target), Offset: e.Loc()}, Arg: e, Form: formOf(ctx)}, true, err
	}
	return nil, false, nil
}

// typedConst runs a type's input function on a string literal.
func (a *analyzer) typedConst(c *query.Const, target base.OID, mod int32, ctx context) (query.Expr, error) {
	bt, bmod, err := a.baseType(target)
	if err != nil {
		return nil, err
	}
	if bt != target {
		return nil, a.errorf(pgerror.FeatureNotSupported, int32(c.Offset), "domain type %s is not supported yet", a.typeName(target))
	}
	// Only intervals take their typmod in the input function; other types apply it afterwards as a cast would.
	inMod := int32(-1)
	if bt == types.OIDInterval {
		inMod = mod
		if bmod >= 0 {
			inMod = bmod
		}
	}
	out := *c
	out.Typ, out.Mod, out.Coll, out.FromStr = target, inMod, a.collationOf(target), c.Slot >= 0
	if c.Value.Null {
		out.FromStr = false
		return &out, nil
	}
	v, err := types.In(bt, inMod, string(c.Value.B), a.opt.Env)
	if err != nil {
		return nil, a.at(pgerror.From(err), int32(c.Offset))
	}
	out.Value = v
	return &out, nil
}

// coerceTypmod applies a typmod to a value of its type, as varchar(n) and numeric(p,s) need.
func (s *state) coerceTypmod(e query.Expr, target base.OID, mod int32, ctx context) (query.Expr, error) {
	if mod < 0 || e.Typmod() == mod && e.Type() == target {
		return e, nil
	}
	bt, _, err := s.a.baseType(target)
	if err != nil {
		return nil, err
	}
	t, err := s.a.view.MustType(bt)
	if err != nil {
		return nil, err
	}
	elem := bt
	if t.TrueArray() {
		elem = t.Elem
	}
	c, err := s.a.view.CastBetween(elem, elem)
	if err != nil || c == nil || c.Func == 0 {
		return e, err
	}
	p, err := s.a.view.MustProc(c.Func)
	if err != nil {
		return nil, err
	}
	call := func(arg query.Expr, typ base.OID) query.Expr {
		args := []query.Expr{arg, intConst(types.OIDInt4, int64(mod))}
		if len(p.Args) > 2 {
			args = append(args, boolConst(ctx == explicit))
		}
		return &query.FuncExpr{T: query.T{Typ: typ, Mod: mod, Coll: arg.Collation(), Offset: arg.Loc()}, Func: c.Func, Args: args,
			Strict: p.Strict, Volatile: p.Volatile, Form: formOf(ctx)}
	}
	if elem != bt {
		arg := &query.CaseArg{T: query.T{Typ: elem, Mod: -1, Coll: e.Collation(), Offset: -1}}
		return &query.ArrayCoerce{T: query.T{Typ: target, Mod: mod, Coll: e.Collation(), Offset: e.Loc()}, Arg: e, Elem: call(arg, elem), Form: formOf(ctx)}, nil
	}
	return call(e, target), nil
}

// resolveUnknown gives a value whose type is still unknown the type text.
func (s *state) resolveUnknown(e query.Expr) (query.Expr, error) {
	if e.Type() != types.OIDUnknown {
		return e, nil
	}
	return s.coerce(e, types.OIDText, -1, implicit)
}

// coerceBoolean coerces the condition of a clause.
func (s *state) coerceBoolean(e query.Expr, what string, target base.OID) (query.Expr, error) {
	if e.Type() != target {
		r, err := s.coerceTo(e, target, -1, assignment)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, s.a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "argument of %s must be type %s, not type %s", what,
				s.a.typeName(target), s.a.typeName(e.Type()))
		}
		e = r
	}
	if returnsSet(e) {
		return nil, s.a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "argument of %s must not return a set", what)
	}
	return e, nil
}

func returnsSet(e query.Expr) bool {
	return query.Any(e, func(x query.Expr) bool {
		switch x := x.(type) {
		case *query.FuncExpr:
			return x.RetSet
		case *query.OpExpr:
			return x.RetSet
		}
		return false
	})
}

// commonType chooses the type of a UNION column, CASE, array, VALUES column and the like (chapter 10.5). what names the
// construct in errors; an empty one makes failure give zero instead.
func (a *analyzer) commonType(exprs []query.Expr, what string) (base.OID, error) {
	first := exprs[0]
	typ := first.Type()
	if typ != types.OIDUnknown {
		same := true
		for _, e := range exprs[1:] {
			same = same && e.Type() == typ
		}
		if same {
			return typ, nil
		}
	}
	typ, _, err := a.baseType(typ)
	if err != nil {
		return 0, err
	}
	cat, preferred, err := a.category(typ)
	if err != nil {
		return 0, err
	}
	for _, e := range exprs[1:] {
		n, _, err := a.baseType(e.Type())
		if err != nil {
			return 0, err
		}
		if n == types.OIDUnknown || n == typ {
			continue
		}
		ncat, npref, err := a.category(n)
		if err != nil {
			return 0, err
		}
		switch {
		case typ == types.OIDUnknown:
			typ, cat, preferred = n, ncat, npref
		case ncat != cat:
			if what == "" {
				return 0, nil
			}
			return 0, a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "%s types %s and %s cannot be matched", what, a.typeName(typ), a.typeName(n))
		case !preferred:
			fwd, err := a.canCoerce(typ, n, implicit)
			if err != nil {
				return 0, err
			}
			back, err := a.canCoerce(n, typ, implicit)
			if err != nil {
				return 0, err
			}
			if fwd && !back {
				typ, cat, preferred = n, ncat, npref
			}
		}
	}
	if typ == types.OIDUnknown {
		typ = types.OIDText
	}
	return typ, nil
}

// toCommon coerces e to a type that commonType chose.
func (s *state) toCommon(e query.Expr, typ base.OID, what string) (query.Expr, error) {
	if e.Type() == typ {
		return e, nil
	}
	r, err := s.coerceTo(e, typ, -1, implicit)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, s.a.errorf(pgerror.CannotCoerce, int32(e.Loc()), "%s could not convert type %s to %s", what, s.a.typeName(e.Type()), s.a.typeName(typ))
	}
	return r, nil
}

// commonTypmod gives the typmod that all expressions of the type share, else -1.
func commonTypmod(exprs []query.Expr, typ base.OID) int32 {
	mod := int32(-1)
	for i, e := range exprs {
		if e.Type() != typ || i > 0 && e.Typmod() != mod {
			return -1
		}
		mod = e.Typmod()
	}
	return mod
}
