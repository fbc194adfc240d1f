package analyze

import (
	"math"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/parse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// exprNested analyses an argument of a function, where set-returning functions keep what their surroundings allow.
func (s *state) exprNested(n *pg_query.Node) (query.Expr, error) { return s.expr(n) }

// expr analyses one expression.
func (s *state) expr(node *pg_query.Node) (query.Expr, error) {
	s.a.depth++
	defer func() { s.a.depth-- }()
	if s.a.depth > 4*parse.MaxChain {
		return nil, parse.TooDeep()
	}
	switch n := node.GetNode().(type) {
	case *pg_query.Node_ColumnRef:
		if s.clause.name == "DEFAULT expressions" {
			return nil, s.a.errorf(pgerror.FeatureNotSupported, n.ColumnRef.Location, "cannot use column reference in DEFAULT expression")
		}
		return s.columnRef(n.ColumnRef)
	case *pg_query.Node_AConst:
		return s.constant(n.AConst)
	case *pg_query.Node_ParamRef:
		return s.param(n.ParamRef)
	case *pg_query.Node_AExpr:
		return s.aExpr(n.AExpr)
	case *pg_query.Node_BoolExpr:
		return s.boolExpr(n.BoolExpr)
	case *pg_query.Node_FuncCall:
		return s.funcCall(n.FuncCall)
	case *pg_query.Node_TypeCast:
		return s.typeCast(n.TypeCast)
	case *pg_query.Node_CollateClause:
		return s.collate(n.CollateClause)
	case *pg_query.Node_SubLink:
		return s.subLink(n.SubLink)
	case *pg_query.Node_CaseExpr:
		return s.caseExpr(n.CaseExpr)
	case *pg_query.Node_NullTest:
		return s.nullTest(n.NullTest)
	case *pg_query.Node_BooleanTest:
		return s.booleanTest(n.BooleanTest)
	case *pg_query.Node_CoalesceExpr:
		return s.coalesce(n.CoalesceExpr)
	case *pg_query.Node_MinMaxExpr:
		return s.minMax(n.MinMaxExpr)
	}
	return s.exprRare(node)
}

func (s *state) exprRare(node *pg_query.Node) (query.Expr, error) {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_AArrayExpr:
		return s.arrayExpr(n.AArrayExpr, 0, -1)
	case *pg_query.Node_RowExpr:
		return s.rowExpr(n.RowExpr)
	case *pg_query.Node_AIndirection:
		return s.indirection(n.AIndirection)
	case *pg_query.Node_SqlvalueFunction:
		return s.sqlValue(n.SqlvalueFunction)
	case *pg_query.Node_SetToDefault:
		return &query.Default{T: query.T{Typ: types.OIDUnknown, Mod: -1, Offset: int(n.SetToDefault.Location)}}, nil
	case *pg_query.Node_CurrentOfExpr:
		if s.target == nil {
			return nil, pgerror.Unsupported("WHERE CURRENT OF on a view")
		}
		return &query.CurrentOf{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: -1}, Cursor: n.CurrentOfExpr.CursorName, RTE: s.target.rte}, nil
	case *pg_query.Node_GroupingFunc:
		return nil, pgerror.Unsupported("GROUPING")
	case *pg_query.Node_NamedArgExpr:
		return s.expr(n.NamedArgExpr.Arg)
	case *pg_query.Node_XmlExpr, *pg_query.Node_XmlSerialize:
		return nil, pgerror.Unsupported("XML")
	case *pg_query.Node_List:
		return s.rowOfList(n.List.Items, -1)
	}
	return nil, pgerror.Unsupported("expression %s", strings.TrimPrefix(typeNameOf(node), "*pg_query.Node_"))
}

// constant makes a literal, with the slot of its token.
func (s *state) constant(n *pg_query.A_Const) (query.Expr, error) {
	slot, negated := s.a.slotAt(n.Location)
	c := &query.Const{T: query.T{Mod: -1, Offset: int(n.Location)}, Slot: slot, Negated: negated}
	if n.Isnull {
		c.Typ, c.Value, c.Slot, c.Negated = types.OIDUnknown, types.Null, -1, false
		return c, nil
	}
	switch v := n.Val.(type) {
	case *pg_query.A_Const_Ival:
		c.Typ, c.Value = types.OIDInt4, types.Int(int64(v.Ival.GetIval()))
	case *pg_query.A_Const_Fval:
		return s.floatConstant(c, v.Fval.GetFval())
	case *pg_query.A_Const_Boolval:
		c.Typ, c.Value, c.Slot = types.OIDBool, types.Bool(v.Boolval.GetBoolval()), -1
	case *pg_query.A_Const_Sval:
		c.Typ, c.Value, c.Coll = types.OIDUnknown, types.Text(v.Sval.GetSval()), 0
		c.Negated = false
	case *pg_query.A_Const_Bsval:
		return nil, s.a.errorf(pgerror.FeatureNotSupported, n.Location, "bit strings are not supported yet")
	default: // an integer zero has no value message
		c.Typ, c.Value = types.OIDInt4, types.Int(0)
	}
	return c, nil
}

// floatConstant makes a literal the grammar did not take for an int4: an int8 if it fits, else a numeric.
func (s *state) floatConstant(c *query.Const, text string) (query.Expr, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.Typ, c.Value = types.OIDInt8, types.Int(i)
		switch i { // the token without its sign is of the next wider type, so the plan is good for this value only
		case math.MinInt32:
			c.Typ, c.Slot = types.OIDInt4, -1
		case math.MinInt64:
			c.Slot = -1
		}
		return c, nil
	}
	d, err := types.In(types.OIDNumeric, -1, text, s.a.opt.Env)
	if err != nil {
		return nil, s.a.at(pgerror.From(err), int32(c.Offset))
	}
	c.Typ, c.Value = types.OIDNumeric, d.Clone()
	return c, nil
}

func (s *state) param(n *pg_query.ParamRef) (query.Expr, error) {
	k := int(n.Number)
	if k < 1 || k > 65535 || s.a.opt.FixParams && k > len(s.a.params) {
		return nil, s.a.errorf(pgerror.UndefinedParameter, n.Location, "there is no parameter $%d", k)
	}
	for len(s.a.params) < k {
		s.a.params = append(s.a.params, 0)
	}
	if s.a.params[k-1] == 0 {
		s.a.params[k-1] = types.OIDUnknown
	}
	t := s.a.params[k-1]
	return &query.Param{T: query.T{Typ: t, Mod: -1, Coll: s.a.collationOf(t), Offset: int(n.Location)}, N: k}, nil
}

func (s *state) aExpr(n *pg_query.A_Expr) (query.Expr, error) {
	name := names(n.Name)
	switch n.Kind {
	case pg_query.A_Expr_Kind_AEXPR_OP:
		return s.opExpr(name, n)
	case pg_query.A_Expr_Kind_AEXPR_OP_ANY, pg_query.A_Expr_Kind_AEXPR_OP_ALL:
		l, r, err := s.pair(n.Lexpr, n.Rexpr)
		if err != nil {
			return nil, err
		}
		return s.applyArray(name, l, r, n.Kind == pg_query.A_Expr_Kind_AEXPR_OP_ANY, n.Location)
	case pg_query.A_Expr_Kind_AEXPR_DISTINCT, pg_query.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return s.distinct(n)
	case pg_query.A_Expr_Kind_AEXPR_NULLIF:
		l, r, err := s.pair(n.Lexpr, n.Rexpr)
		if err != nil {
			return nil, err
		}
		e, err := s.apply(name, l, r, n.Location)
		if err != nil {
			return nil, err
		}
		op := e.(*query.OpExpr)
		if op.Typ != types.OIDBool {
			return nil, s.a.errorf(pgerror.DatatypeMismatch, n.Location, "NULLIF requires = operator to yield boolean")
		}
		nu := &query.NullIf{OpExpr: *op}
		nu.Typ, nu.Mod, nu.Coll = op.Args[0].Type(), op.Args[0].Typmod(), op.Args[0].Collation()
		return nu, nil
	case pg_query.A_Expr_Kind_AEXPR_IN:
		return s.in(name, n)
	case pg_query.A_Expr_Kind_AEXPR_LIKE, pg_query.A_Expr_Kind_AEXPR_ILIKE, pg_query.A_Expr_Kind_AEXPR_SIMILAR:
		return s.opExpr(name, n)
	}
	return s.between(n)
}

// between spreads BETWEEN into comparisons.
func (s *state) between(n *pg_query.A_Expr) (query.Expr, error) {
	bounds := n.Rexpr.GetList().GetItems()
	if len(bounds) != 2 {
		return nil, pgerror.Newf(pgerror.InternalError, "malformed BETWEEN")
	}
	compare := func(op string, left, right *pg_query.Node) *pg_query.Node {
		return pg_query.MakeAExprNode(pg_query.A_Expr_Kind_AEXPR_OP, []*pg_query.Node{pg_query.MakeStrNode(op)}, left, right, n.Location)
	}
	join := func(k pg_query.BoolExprType, args ...*pg_query.Node) *pg_query.Node {
		return &pg_query.Node{Node: &pg_query.Node_BoolExpr{BoolExpr: &pg_query.BoolExpr{Boolop: k, Args: args, Location: n.Location}}}
	}
	in := func(lo, hi *pg_query.Node) *pg_query.Node {
		return join(pg_query.BoolExprType_AND_EXPR, compare(">=", n.Lexpr, lo), compare("<=", n.Lexpr, hi))
	}
	out := func(lo, hi *pg_query.Node) *pg_query.Node {
		return join(pg_query.BoolExprType_OR_EXPR, compare("<", n.Lexpr, lo), compare(">", n.Lexpr, hi))
	}
	switch n.Kind {
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN:
		return s.expr(in(bounds[0], bounds[1]))
	case pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		return s.expr(out(bounds[0], bounds[1]))
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		return s.expr(join(pg_query.BoolExprType_OR_EXPR, in(bounds[0], bounds[1]), in(bounds[1], bounds[0])))
	case pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		return s.expr(join(pg_query.BoolExprType_AND_EXPR, out(bounds[0], bounds[1]), out(bounds[1], bounds[0])))
	}
	return nil, pgerror.Unsupported("expression kind %s", n.Kind)
}

func (s *state) pair(l, r *pg_query.Node) (query.Expr, query.Expr, error) {
	le, err := s.expr(l)
	if err != nil {
		return nil, nil, err
	}
	re, err := s.expr(r)
	return le, re, err
}

func isRow(n *pg_query.Node) ([]*pg_query.Node, bool) {
	if r := n.GetRowExpr(); r != nil {
		return r.Args, true
	}
	return nil, false
}

func (s *state) opExpr(name []string, n *pg_query.A_Expr) (query.Expr, error) {
	if n.Lexpr == nil {
		r, err := s.expr(n.Rexpr)
		if err != nil {
			return nil, err
		}
		return s.apply(name, nil, r, n.Location)
	}
	if l, ok := isRow(n.Lexpr); ok {
		if sub := n.Rexpr.GetSubLink(); sub != nil && sub.SubLinkType == pg_query.SubLinkType_EXPR_SUBLINK {
			return s.rowSubLink(name, n, sub)
		}
		if r, ok := isRow(n.Rexpr); ok {
			return s.rowCompare(name, l, r, n.Location)
		}
	}
	le, re, err := s.pair(n.Lexpr, n.Rexpr)
	if err != nil {
		return nil, err
	}
	return s.apply(name, le, re, n.Location)
}

func (s *state) exprs(list []*pg_query.Node) ([]query.Expr, error) {
	out := make([]query.Expr, 0, len(list))
	for _, n := range list {
		e, err := s.expr(n)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// rowCompare makes the comparison of two rows: AND or OR of columns for = and <>, otherwise a RowCompare.
func (s *state) rowCompare(name []string, l, r []*pg_query.Node, loc int32) (query.Expr, error) {
	le, err := s.exprs(l)
	if err != nil {
		return nil, err
	}
	re, err := s.exprs(r)
	if err != nil {
		return nil, err
	}
	return s.compareRows(name, le, re, loc)
}

func (s *state) compareRows(name []string, le, re []query.Expr, loc int32) (query.Expr, error) {
	if len(le) != len(re) {
		return nil, s.a.errorf(pgerror.SyntaxError, loc, "unequal number of entries in row expressions")
	}
	if len(le) == 0 {
		return nil, s.a.errorf(pgerror.FeatureNotSupported, loc, "cannot compare rows of zero length")
	}
	var parts []query.Expr
	for i := range le {
		e, err := s.apply(name, le[i], re[i], loc)
		if err != nil {
			return nil, err
		}
		if e.Type() != types.OIDBool {
			return nil, s.a.errorf(pgerror.DatatypeMismatch, loc, "row comparison operator must yield type boolean, not type %s", s.a.typeName(e.Type()))
		}
		parts = append(parts, e)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	t := query.T{Typ: types.OIDBool, Mod: -1, Offset: int(loc)}
	op := name[len(name)-1]
	switch op {
	case "=":
		return &query.BoolExpr{T: t, Op: query.And, Args: parts}, nil
	case "<>":
		return &query.BoolExpr{T: t, Op: query.Or, Args: parts}, nil
	}
	strategy := map[string]int{"<": 1, "<=": 2, ">=": 4, ">": 5}[op]
	if strategy == 0 {
		e := pgerror.Newf(pgerror.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", op).
			WithHint("Row comparison operators must be associated with btree operator families.")
		return nil, s.a.at(e, loc)
	}
	rc := &query.RowCompare{T: t, Strategy: strategy}
	for _, p := range parts {
		o := p.(*query.OpExpr)
		ord, err := s.a.orderingOf(o.Args[0].Type())
		if err != nil {
			return nil, err
		}
		rc.Ops, rc.Funcs = append(rc.Ops, o.Op), append(rc.Funcs, ord.cmp)
		rc.Left, rc.Right = append(rc.Left, o.Args[0]), append(rc.Right, o.Args[1])
	}
	return rc, nil
}

func (s *state) distinct(n *pg_query.A_Expr) (query.Expr, error) {
	not := n.Kind == pg_query.A_Expr_Kind_AEXPR_NOT_DISTINCT
	if c := n.Rexpr.GetAConst(); c != nil && c.Isnull {
		e, err := s.expr(n.Lexpr)
		if err != nil {
			return nil, err
		}
		return &query.NullTest{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}, Arg: e, Not: !not}, nil
	}
	one := func(l, r query.Expr) (query.Expr, error) {
		e, err := s.apply([]string{"="}, l, r, n.Location)
		if err != nil {
			return nil, err
		}
		return &query.DistinctExpr{OpExpr: *e.(*query.OpExpr), Not: not}, nil
	}
	if l, ok := isRow(n.Lexpr); ok {
		if r, ok := isRow(n.Rexpr); ok {
			return s.distinctRows(l, r, one, not, n.Location)
		}
	}
	l, r, err := s.pair(n.Lexpr, n.Rexpr)
	if err != nil {
		return nil, err
	}
	return one(l, r)
}

func (s *state) distinctRows(l, r []*pg_query.Node, one func(l, r query.Expr) (query.Expr, error), not bool, loc int32) (query.Expr, error) {
	if len(l) != len(r) {
		return nil, s.a.errorf(pgerror.SyntaxError, loc, "unequal number of entries in row expressions")
	}
	b := &query.BoolExpr{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(loc)}, Op: query.Or}
	if not {
		b.Op = query.And
	}
	for i := range l {
		le, re, err := s.pair(l[i], r[i])
		if err != nil {
			return nil, err
		}
		e, err := one(le, re)
		if err != nil {
			return nil, err
		}
		b.Args = append(b.Args, e)
	}
	if len(b.Args) == 1 {
		return b.Args[0], nil
	}
	return b, nil
}

// in makes x IN (a, b, ...): one array comparison over the plain items, OR over the rest.
func (s *state) in(name []string, n *pg_query.A_Expr) (query.Expr, error) {
	isIn := name[0] == "="
	items := n.Rexpr.GetList().GetItems()
	lrow, lIsRow := isRow(n.Lexpr)
	left, err := s.expr(n.Lexpr)
	if err != nil {
		return nil, err
	}
	var plain, rest []query.Expr
	var rows []query.Expr
	for _, it := range items {
		if r, ok := isRow(it); ok && lIsRow {
			c, err := s.rowCompare(name, lrow, r, n.Location)
			if err != nil {
				return nil, err
			}
			rows = append(rows, c)
			continue
		}
		e, err := s.expr(it)
		if err != nil {
			return nil, err
		}
		if hasVar(e) {
			rest = append(rest, e)
		} else {
			plain = append(plain, e)
		}
	}
	t := query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}
	b := &query.BoolExpr{T: t, Op: query.Or, Args: rows}
	if !isIn {
		b.Op = query.And
	}
	if len(plain) > 1 {
		e, err := s.inArray(name, left, plain, isIn, n.Location)
		if err != nil {
			return nil, err
		}
		if e != nil {
			b.Args, plain = append(b.Args, e), nil
		}
	}
	for _, e := range append(plain, rest...) {
		c, err := s.apply(name, left, e, n.Location)
		if err != nil {
			return nil, err
		}
		if c, err = s.coerceBoolean(c, "IN", types.OIDBool); err != nil {
			return nil, err
		}
		b.Args = append(b.Args, c)
	}
	if len(b.Args) == 1 {
		return b.Args[0], nil
	}
	return b, nil
}

func hasVar(e query.Expr) bool {
	return query.Any(e, func(x query.Expr) bool {
		switch x.(type) {
		case *query.Var, *query.SubLink:
			return true
		}
		return false
	})
}

// inArray makes `left = ANY (ARRAY[...])`; nil when the items have no common type.
func (s *state) inArray(name []string, left query.Expr, items []query.Expr, isIn bool, loc int32) (query.Expr, error) {
	typ, err := s.a.commonType(append([]query.Expr{left}, items...), "")
	if err != nil || typ == 0 || typ == types.OIDRecord {
		return nil, err
	}
	ok, err := s.a.canCoerceAll(exprTypes(items), repeat(typ, len(items)))
	if err != nil || !ok {
		return nil, err
	}
	et, err := s.a.view.MustType(typ)
	if err != nil || et.Array == 0 {
		return nil, err
	}
	arr := &query.ArrayExpr{T: query.T{Typ: et.Array, Mod: -1, Coll: et.Collation, Offset: -1}, Elem: typ}
	for _, e := range items {
		x, err := s.toCommon(e, typ, "IN")
		if err != nil {
			return nil, err
		}
		arr.Elems = append(arr.Elems, x)
	}
	return s.applyArray(name, left, arr, isIn, loc)
}

func repeat(t base.OID, n int) []base.OID {
	out := make([]base.OID, n)
	for i := range out {
		out[i] = t
	}
	return out
}

func (s *state) boolExpr(n *pg_query.BoolExpr) (query.Expr, error) {
	b := &query.BoolExpr{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}}
	what := "AND"
	switch n.Boolop {
	case pg_query.BoolExprType_OR_EXPR:
		b.Op, what = query.Or, "OR"
	case pg_query.BoolExprType_NOT_EXPR:
		b.Op, what = query.Not, "NOT"
	}
	for _, x := range n.Args {
		e, err := s.expr(x)
		if err != nil {
			return nil, err
		}
		if e, err = s.coerceBoolean(e, what, types.OIDBool); err != nil {
			return nil, err
		}
		b.Args = append(b.Args, e)
	}
	return b, nil
}

func (s *state) nullTest(n *pg_query.NullTest) (query.Expr, error) {
	e, err := s.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	if e, err = s.resolveUnknown(e); err != nil {
		return nil, err
	}
	t, err := s.a.view.MustType(e.Type())
	if err != nil {
		return nil, err
	}
	return &query.NullTest{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}, Arg: e,
		Not: n.Nulltesttype == pg_query.NullTestType_IS_NOT_NULL, Row: t.Kind == 'c' || e.Type() == types.OIDRecord}, nil
}

func (s *state) booleanTest(n *pg_query.BooleanTest) (query.Expr, error) {
	e, err := s.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	b := &query.BooleanTest{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: int(n.Location)}}
	what := ""
	switch n.Booltesttype {
	case pg_query.BoolTestType_IS_TRUE:
		b.Want, what = 't', "IS TRUE"
	case pg_query.BoolTestType_IS_NOT_TRUE:
		b.Want, b.Not, what = 't', true, "IS NOT TRUE"
	case pg_query.BoolTestType_IS_FALSE:
		b.Want, what = 'f', "IS FALSE"
	case pg_query.BoolTestType_IS_NOT_FALSE:
		b.Want, b.Not, what = 'f', true, "IS NOT FALSE"
	case pg_query.BoolTestType_IS_UNKNOWN:
		b.Want, what = 'u', "IS UNKNOWN"
	default:
		b.Want, b.Not, what = 'u', true, "IS NOT UNKNOWN"
	}
	b.Arg, err = s.coerceBoolean(e, what, types.OIDBool)
	return b, err
}

func (s *state) caseExpr(n *pg_query.CaseExpr) (query.Expr, error) {
	c := &query.Case{T: query.T{Mod: -1, Offset: int(n.Location)}}
	var arg *query.CaseArg
	if n.Arg != nil {
		e, err := s.expr(n.Arg)
		if err != nil {
			return nil, err
		}
		if e, err = s.resolveUnknown(e); err != nil {
			return nil, err
		}
		c.Arg = e
		arg = &query.CaseArg{T: query.T{Typ: e.Type(), Mod: e.Typmod(), Coll: e.Collation(), Offset: -1}}
	}
	var results []query.Expr
	for _, w := range n.Args {
		when := w.GetCaseWhen()
		cond, err := s.expr(when.Expr)
		if err != nil {
			return nil, err
		}
		if arg != nil {
			cp := *arg
			if cond, err = s.apply([]string{"="}, &cp, cond, when.Location); err != nil {
				return nil, err
			}
		}
		if cond, err = s.coerceBoolean(cond, "CASE/WHEN", types.OIDBool); err != nil {
			return nil, err
		}
		res, err := s.expr(when.Result)
		if err != nil {
			return nil, err
		}
		c.Whens = append(c.Whens, query.When{Cond: cond, Result: res})
		results = append(results, res)
	}
	c.Else = &query.Const{T: query.T{Typ: types.OIDUnknown, Mod: -1, Offset: -1}, Value: types.Null, Slot: -1}
	if n.Defresult != nil {
		e, err := s.expr(n.Defresult)
		if err != nil {
			return nil, err
		}
		c.Else = e
	}
	// The ELSE branch leads when the common type is chosen.
	return c, s.settleCase(c, append([]query.Expr{c.Else}, results...))
}

func (s *state) settleCase(c *query.Case, all []query.Expr) error {
	typ, err := s.a.commonType(all, "CASE")
	if err != nil {
		return err
	}
	c.Typ = typ
	if c.Else, err = s.toCommon(c.Else, typ, "CASE/ELSE"); err != nil {
		return err
	}
	outs := []query.Expr{c.Else}
	for i := range c.Whens {
		if c.Whens[i].Result, err = s.toCommon(c.Whens[i].Result, typ, "CASE/WHEN"); err != nil {
			return err
		}
		outs = append(outs, c.Whens[i].Result)
	}
	c.Mod, c.Coll = commonTypmod(outs, typ), s.a.collationOf(typ)
	if coll := inputCollation(outs); coll != 0 && c.Coll != 0 {
		c.Coll = coll
	}
	return nil
}

// common analyses a list whose members find a common type.
func (s *state) common(list []*pg_query.Node, what string) ([]query.Expr, base.OID, error) {
	args, err := s.exprs(list)
	if err != nil {
		return nil, 0, err
	}
	typ, err := s.a.commonType(args, what)
	if err != nil {
		return nil, 0, err
	}
	for i := range args {
		if args[i], err = s.toCommon(args[i], typ, what); err != nil {
			return nil, 0, err
		}
	}
	return args, typ, nil
}

func (s *state) coalesce(n *pg_query.CoalesceExpr) (query.Expr, error) {
	args, typ, err := s.common(n.Args, "COALESCE")
	if err != nil {
		return nil, err
	}
	return &query.Coalesce{T: query.T{Typ: typ, Mod: commonTypmod(args, typ), Coll: s.a.collationOf(typ), Offset: int(n.Location)}, Args: args}, nil
}

func (s *state) minMax(n *pg_query.MinMaxExpr) (query.Expr, error) {
	least, what := n.Op == pg_query.MinMaxOp_IS_LEAST, "GREATEST"
	if least {
		what = "LEAST"
	}
	args, typ, err := s.common(n.Args, what)
	if err != nil {
		return nil, err
	}
	o, err := s.a.orderingOf(typ)
	if err != nil {
		return nil, err
	}
	if o.cmp == 0 {
		return nil, s.a.errorf(pgerror.UndefinedFunction, n.Location, "could not identify a comparison function for type %s", s.a.typeName(typ))
	}
	return &query.MinMax{T: query.T{Typ: typ, Mod: commonTypmod(args, typ), Coll: s.a.collationOf(typ), Offset: int(n.Location)},
		Least: least, Args: args, Cmp: o.cmp, InColl: inputCollation(args)}, nil
}
