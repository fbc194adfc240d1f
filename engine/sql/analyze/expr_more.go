package analyze

import (
	"fmt"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

func typeNameOf(n *pg_query.Node) string { return fmt.Sprintf("%T", n.GetNode()) }

func (s *state) typeCast(n *pg_query.TypeCast) (query.Expr, error) {
	typ, mod, err := s.a.TypeName(n.TypeName)
	if err != nil {
		return nil, err
	}
	var e query.Expr
	if arr := n.Arg.GetAArrayExpr(); arr != nil {
		bt, _, err := s.a.baseType(typ)
		if err != nil {
			return nil, err
		}
		t, err := s.a.view.MustType(bt)
		if err != nil {
			return nil, err
		}
		if t.TrueArray() {
			e, err = s.arrayExpr(arr, bt, mod)
		} else {
			e, err = s.expr(n.Arg)
		}
		if err != nil {
			return nil, err
		}
	} else if e, err = s.expr(n.Arg); err != nil {
		return nil, err
	}
	if e.Type() == typ && mod < 0 && e.Type() != types.OIDUnknown {
		return e, nil
	}
	r, err := s.coerceTo(e, typ, mod, explicit)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, s.a.errorf(pgerror.CannotCoerce, n.Location, "cannot cast type %s to %s", s.a.typeName(e.Type()), s.a.typeName(typ))
	}
	return r, nil
}

func (s *state) collate(n *pg_query.CollateClause) (query.Expr, error) {
	e, err := s.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	if e, err = s.resolveUnknown(e); err != nil {
		return nil, err
	}
	if s.a.collationOf(e.Type()) == 0 {
		return nil, s.a.errorf(pgerror.DatatypeMismatch, n.Location, "collations are not supported by type %s", s.a.typeName(e.Type()))
	}
	coll, err := s.a.Collation(names(n.Collname), n.Location)
	if err != nil {
		return nil, err
	}
	return &query.Collate{T: query.T{Typ: e.Type(), Mod: e.Typmod(), Coll: coll, Offset: int(n.Location)}, Arg: e}, nil
}

func (s *state) arrayExpr(n *pg_query.A_ArrayExpr, target base.OID, mod int32) (query.Expr, error) {
	a := &query.ArrayExpr{T: query.T{Typ: target, Mod: mod, Offset: int(n.Location)}}
	for _, x := range n.Elements {
		var e query.Expr
		var err error
		if sub := x.GetAArrayExpr(); sub != nil {
			e, err = s.arrayExpr(sub, target, mod)
			a.Multi = true
		} else {
			e, err = s.expr(x)
		}
		if err != nil {
			return nil, err
		}
		if t, err := s.a.view.MustType(e.Type()); err != nil {
			return nil, err
		} else if t.TrueArray() && target == 0 {
			a.Multi = true
		}
		a.Elems = append(a.Elems, e)
	}
	if target == 0 {
		if len(a.Elems) == 0 {
			err := pgerror.New(pgerror.IndeterminateDatatype, "cannot determine type of empty array").
				WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
			return nil, s.a.at(err, n.Location)
		}
		common, err := s.a.commonType(a.Elems, "ARRAY")
		if err != nil {
			return nil, err
		}
		if a.Multi {
			t, err := s.a.view.MustType(common)
			if err != nil {
				return nil, err
			}
			a.Typ, a.Elem = common, t.Elem
		} else if a.Typ, err = s.a.arrayOf(common); err != nil {
			return nil, err
		} else {
			a.Elem = common
		}
	} else {
		t, err := s.a.view.MustType(target)
		if err != nil {
			return nil, err
		}
		a.Elem = t.Elem
	}
	return a, s.settleArray(a, mod)
}

func (s *state) settleArray(a *query.ArrayExpr, mod int32) error {
	want := a.Elem
	if a.Multi {
		want = a.Typ
	}
	for i, e := range a.Elems {
		if a.Multi && e.Type() == want {
			continue
		}
		x, err := s.coerceTo(e, want, mod, explicit)
		if err != nil {
			return err
		}
		if x == nil {
			return s.a.errorf(pgerror.CannotCoerce, int32(e.Loc()), "cannot cast type %s to %s", s.a.typeName(e.Type()), s.a.typeName(want))
		}
		a.Elems[i] = x
	}
	a.Coll = s.a.collationOf(a.Typ)
	return nil
}

func (s *state) rowExpr(n *pg_query.RowExpr) (query.Expr, error) {
	return s.rowOfList(n.Args, n.Location)
}

func (s *state) rowOfList(items []*pg_query.Node, loc int32) (query.Expr, error) {
	r := &query.RowExpr{T: query.T{Typ: types.OIDRecord, Mod: -1, Offset: int(loc)}}
	for _, x := range items {
		es, err := s.starOrExpr(x)
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			if e, err = s.resolveUnknown(e); err != nil {
				return nil, err
			}
			r.Args = append(r.Args, e)
			r.Names = append(r.Names, fmt.Sprintf("f%d", len(r.Args)))
		}
	}
	return r, nil
}

// starOrExpr analyses an item of a row, where t.* spreads out.
func (s *state) starOrExpr(x *pg_query.Node) ([]query.Expr, error) {
	if c := x.GetColumnRef(); c != nil {
		if p := names(c.Fields); p[len(p)-1] == "*" {
			ts, err := s.star(c)
			if err != nil {
				return nil, err
			}
			var out []query.Expr
			for _, t := range ts {
				out = append(out, t.Expr)
			}
			return out, nil
		}
	}
	e, err := s.expr(x)
	return []query.Expr{e}, err
}

// indirection reads x[i], x[i:j] and (x).field.
func (s *state) indirection(n *pg_query.A_Indirection) (query.Expr, error) {
	e, err := s.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	var subs []*pg_query.A_Indices
	flush := func() error {
		if len(subs) > 0 {
			e, err = s.subscript(e, subs, nil)
			subs = nil
		}
		return err
	}
	for _, x := range n.Indirection {
		if ix := x.GetAIndices(); ix != nil {
			subs = append(subs, ix)
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		if x.GetAStar() != nil {
			return nil, s.a.errorf(pgerror.FeatureNotSupported, -1, "row expansion via \"*\" is not supported here")
		}
		if e, err = s.field(e, x.GetString_().GetSval(), int32(e.Loc())); err != nil {
			return nil, err
		}
	}
	return e, flush()
}

func (s *state) subscript(e query.Expr, subs []*pg_query.A_Indices, assign query.Expr) (query.Expr, error) {
	bt, mod, err := s.a.baseType(e.Type())
	if err != nil {
		return nil, err
	}
	switch bt {
	case types.OIDOIDVector:
		bt = types.OIDOIDArray
	case types.OIDInt2Vector:
		bt = types.OIDInt2Array
	}
	t, err := s.a.view.MustType(bt)
	if err != nil {
		return nil, err
	}
	if bt == types.OIDName && assign == nil {
		return s.nameSubscript(e, subs)
	}
	if bt == types.OIDJSONB {
		return s.jsonSubscript(e, subs, assign)
	}
	if t.Elem == 0 || t.Category != 'A' {
		return nil, s.a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "cannot subscript type %s because it does not support subscripting", s.a.typeName(e.Type()))
	}
	if mod < 0 {
		mod = e.Typmod()
	}
	r := &query.Subscript{T: query.T{Typ: t.Elem, Mod: mod, Coll: s.a.collationOf(t.Elem), Offset: e.Loc()}, Array: e, Elem: t.Elem, Assign: assign}
	for _, x := range subs {
		r.Slice = r.Slice || x.IsSlice
	}
	if len(subs) > 6 {
		return nil, s.a.errorf(pgerror.ProgramLimitExceeded, int32(e.Loc()), "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(subs), 6)
	}
	for _, x := range subs {
		lo, err := s.subscriptBound(x.Lidx)
		if err != nil {
			return nil, err
		}
		hi, err := s.subscriptBound(x.Uidx)
		if err != nil {
			return nil, err
		}
		if r.Slice {
			if !x.IsSlice {
				lo = intConst(types.OIDInt4, 1)
			}
			r.Lower = append(r.Lower, lo)
		}
		r.Upper = append(r.Upper, hi)
	}
	if r.Slice || assign != nil {
		r.Typ = bt
	}
	return r, nil
}

// jsonSubscript reads a part of a jsonb by keys, which are text, and indexes, which are integers.
func (s *state) jsonSubscript(e query.Expr, subs []*pg_query.A_Indices, assign query.Expr) (query.Expr, error) {
	r := &query.Subscript{T: query.T{Typ: types.OIDJSONB, Mod: -1, Offset: e.Loc()}, Array: e, Elem: types.OIDJSONB, Assign: assign}
	for _, x := range subs {
		if x.IsSlice {
			at := x.Uidx
			if at == nil {
				at = x.Lidx
			}
			loc := int32(-1)
			if at != nil {
				if b, err := s.expr(at); err == nil {
					loc = int32(b.Loc())
				}
			}
			return nil, s.a.errorf(pgerror.DatatypeMismatch, loc, "jsonb subscript does not support slices")
		}
		key, err := s.expr(x.Uidx)
		if err != nil {
			return nil, err
		}
		want := types.OIDText
		if typ := key.Type(); typ != types.OIDUnknown {
			ints, err := s.a.canCoerce(typ, types.OIDInt4, implicit)
			if err != nil {
				return nil, err
			}
			texts, err := s.a.canCoerce(typ, types.OIDText, implicit)
			if err != nil {
				return nil, err
			}
			if ints == texts {
				hint := "jsonb subscript must be coercible to either integer or text."
				if ints {
					hint = "jsonb subscript must be coercible to only one type, integer or text."
				}
				return nil, s.a.at(pgerror.Newf(pgerror.DatatypeMismatch, "subscript type %s is not supported", s.a.typeName(typ)).
					WithHint("%s", hint), int32(key.Loc()))
			}
			if ints {
				want = types.OIDInt4
			}
		}
		if key, err = s.coerceTo(key, want, -1, implicit); err != nil {
			return nil, err
		}
		r.Upper = append(r.Upper, key)
	}
	return r, nil
}

// nameSubscript is a byte of a name, which is an array of 64 for PostgreSQL.
func (s *state) nameSubscript(e query.Expr, subs []*pg_query.A_Indices) (query.Expr, error) {
	r := &query.Subscript{T: query.T{Typ: types.OIDChar, Mod: -1, Offset: e.Loc()}, Array: e, Elem: types.OIDChar}
	for _, x := range subs {
		if x.IsSlice {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "slices of fixed-length arrays not implemented")
		}
		at, err := s.subscriptBound(x.Uidx)
		if err != nil {
			return nil, err
		}
		r.Upper = append(r.Upper, at)
	}
	return r, nil
}

func (s *state) subscriptBound(n *pg_query.Node) (query.Expr, error) {
	if n == nil {
		return nil, nil
	}
	e, err := s.expr(n)
	if err != nil {
		return nil, err
	}
	r, err := s.coerceTo(e, types.OIDInt4, -1, assignment)
	if err == nil && r == nil {
		err = s.a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "array subscript must have type integer")
	}
	return r, err
}

func (s *state) sqlValue(n *pg_query.SQLValueFunction) (query.Expr, error) {
	v := &query.SQLValue{T: query.T{Mod: -1, Offset: int(n.Location)}}
	switch n.Op {
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		v.Name, v.Typ = "current_date", types.OIDDate
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME, pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
		v.Name, v.Typ, v.Mod = "current_time", types.OIDTimeTZ, n.Typmod
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
		v.Name, v.Typ, v.Mod = "current_timestamp", types.OIDTimestampTZ, n.Typmod
	case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME, pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
		v.Name, v.Typ, v.Mod = "localtime", types.OIDTime, n.Typmod
	case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		v.Name, v.Typ, v.Mod = "localtimestamp", types.OIDTimestamp, n.Typmod
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:
		v.Name, v.Typ = "current_role", types.OIDName
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_USER:
		v.Name, v.Typ = "current_user", types.OIDName
	case pg_query.SQLValueFunctionOp_SVFOP_USER:
		v.Name, v.Typ = "user", types.OIDName
	case pg_query.SQLValueFunctionOp_SVFOP_SESSION_USER:
		v.Name, v.Typ = "session_user", types.OIDName
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:
		v.Name, v.Typ = "current_catalog", types.OIDName
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:
		v.Name, v.Typ = "current_schema", types.OIDName
	default:
		return nil, pgerror.Unsupported("SQL value function %s", n.Op)
	}
	v.Coll = s.a.collationOf(v.Typ)
	return v, nil
}

// subLink analyses a sub-select in an expression.
func (s *state) subLink(n *pg_query.SubLink) (query.Expr, error) {
	if s.clause.plain {
		return nil, s.a.errorf(pgerror.FeatureNotSupported, n.Location, "cannot use subquery in %s", s.clause.name)
	}
	sub, err := s.a.statement(s, n.Subselect)
	if err != nil {
		return nil, err
	}
	s.q.HasSubLinks = true
	l := &query.SubLink{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}, Query: sub}
	cols := visible(sub)
	switch n.SubLinkType {
	case pg_query.SubLinkType_EXISTS_SUBLINK:
		l.Kind = query.SubExists
		return l, nil
	case pg_query.SubLinkType_EXPR_SUBLINK, pg_query.SubLinkType_ARRAY_SUBLINK:
		if len(cols) != 1 {
			return nil, s.a.errorf(pgerror.SyntaxError, n.Location, "subquery must return only one column")
		}
		e := cols[0].Expr
		l.Kind, l.Typ, l.Mod, l.Coll = query.SubScalar, e.Type(), e.Typmod(), e.Collation()
		if n.SubLinkType == pg_query.SubLinkType_ARRAY_SUBLINK {
			l.Kind, l.Mod = query.SubArray, -1
			if t, err := s.a.view.MustType(e.Type()); err != nil {
				return nil, err
			} else if !t.TrueArray() {
				if l.Typ, err = s.a.arrayOf(e.Type()); err != nil {
					return nil, err
				}
			}
		}
		return l, nil
	case pg_query.SubLinkType_ANY_SUBLINK, pg_query.SubLinkType_ALL_SUBLINK:
		l.Kind = query.SubAny
		if n.SubLinkType == pg_query.SubLinkType_ALL_SUBLINK {
			l.Kind = query.SubAll
		}
		name := names(n.OperName)
		if len(name) == 0 {
			name = []string{"="}
		}
		return s.testSubLink(l, name, n.Testexpr, cols)
	}
	return nil, pgerror.Unsupported("sub-select of kind %s", n.SubLinkType)
}

// visible gives the targets a client would see.
func visible(q *query.Query) []*query.Target {
	list := q.Targets
	if q.Command != query.Select {
		list = q.Returning
	}
	var out []*query.Target
	for _, t := range list {
		if !t.Junk {
			out = append(out, t)
		}
	}
	return out
}

func (s *state) testSubLink(l *query.SubLink, name []string, test *pg_query.Node, cols []*query.Target) (query.Expr, error) {
	var left []query.Expr
	var err error
	if r, ok := isRow(test); ok {
		left, err = s.exprs(r)
	} else {
		left, err = s.exprs([]*pg_query.Node{test})
	}
	if err != nil {
		return nil, err
	}
	loc := int32(l.Offset)
	if len(left) < len(cols) {
		return nil, s.a.errorf(pgerror.SyntaxError, loc, "subquery has too many columns")
	}
	if len(left) > len(cols) {
		return nil, s.a.errorf(pgerror.SyntaxError, loc, "subquery has too few columns")
	}
	var right []query.Expr
	for i, c := range cols {
		right = append(right, &query.SubColumn{T: query.T{Typ: c.Expr.Type(), Mod: c.Expr.Typmod(), Coll: c.Expr.Collation(), Offset: -1}, N: i + 1})
	}
	l.Test, err = s.compareRows(name, left, right, loc)
	return l, err
}

// rowSubLink makes `(a, b) op (SELECT ...)`.
func (s *state) rowSubLink(name []string, n *pg_query.A_Expr, sub *pg_query.SubLink) (query.Expr, error) {
	if s.clause.plain {
		return nil, s.a.errorf(pgerror.FeatureNotSupported, n.Location, "cannot use subquery in %s", s.clause.name)
	}
	q, err := s.a.statement(s, sub.Subselect)
	if err != nil {
		return nil, err
	}
	s.q.HasSubLinks = true
	l := &query.SubLink{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}, Kind: query.SubRowCompare, Query: q}
	return s.testSubLink(l, name, n.Lexpr, visible(q))
}
