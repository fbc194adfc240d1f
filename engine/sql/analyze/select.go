package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// Privilege bits of a range table entry, as in PostgreSQL's access control lists.
const (
	PrivInsert   = 1 << 0
	PrivSelect   = 1 << 1
	PrivUpdate   = 1 << 2
	PrivDelete   = 1 << 3
	PrivTruncate = 1 << 4
)

// selectStmt analyses SELECT, VALUES or a tree of set operations. hints are the types wanted for untyped columns, for
// INSERT ... SELECT; nil elsewhere.
func (a *analyzer) selectStmt(parent *state, n *pg_query.SelectStmt, hints []base.OID) (*query.Query, error) {
	s := a.newState(parent)
	if parent != nil && parent.lateral {
		s.lateral = true
	}
	if n.IntoClause != nil {
		return nil, a.errorf(pgerror.SyntaxError, n.IntoClause.GetRel().GetLocation(), "SELECT ... INTO is not allowed here")
	}
	if n.WithClause != nil {
		if err := s.with(n.WithClause); err != nil {
			return nil, err
		}
	}
	var err error
	switch {
	case n.Op != pg_query.SetOperation_SETOP_NONE:
		err = s.setOperation(n)
	case len(n.ValuesLists) > 0:
		err = s.values(n, hints)
	default:
		err = s.plainSelect(n, hints)
	}
	if err != nil {
		return nil, err
	}
	return s.q, nil
}

func (s *state) plainSelect(n *pg_query.SelectStmt, hints []base.OID) error {
	for _, w := range n.WindowClause {
		s.windows = append(s.windows, w.GetWindowDef())
	}
	if err := s.from(n.FromClause); err != nil {
		return err
	}
	var err error
	if s.q.Targets, err = s.targets(n.TargetList, clause{name: "SELECT", aggs: true, windows: true, srfs: true, inTarget: true}); err != nil {
		return err
	}
	if s.q.Where, err = s.condition(n.WhereClause, "WHERE"); err != nil {
		return err
	}
	if s.q.Having, err = s.having(n.HavingClause); err != nil {
		return err
	}
	if err := s.orderBy(n.SortClause); err != nil {
		return err
	}
	if err := s.groupBy(n.GroupClause); err != nil {
		return err
	}
	if err := s.distinctClause(n.DistinctClause); err != nil {
		return err
	}
	if err := s.limit(n); err != nil {
		return err
	}
	if err := s.windowClause(); err != nil {
		return err
	}
	if err := s.resolveTargets(hints); err != nil {
		return err
	}
	if err := s.locking(n.LockingClause); err != nil {
		return err
	}
	return s.checkGrouping()
}

// resolveTargets gives untyped output columns the wanted type, or text.
func (s *state) resolveTargets(hints []base.OID) error {
	for i, t := range s.q.Targets {
		if t.Expr.Type() != types.OIDUnknown {
			continue
		}
		want := base.OID(types.OIDText)
		if i < len(hints) && hints[i] != 0 {
			if _, isParam := t.Expr.(*query.Param); isParam {
				want = hints[i]
			}
		}
		e, err := s.coerce(t.Expr, want, -1, implicit)
		if err != nil {
			return err
		}
		t.Expr = e
	}
	return nil
}

func (s *state) condition(n *pg_query.Node, what string) (query.Expr, error) {
	if n == nil {
		return nil, nil
	}
	s.clause = clause{name: what}
	e, err := s.expr(n)
	if err != nil {
		return nil, err
	}
	return s.coerceBoolean(e, what, types.OIDBool)
}

func (s *state) having(n *pg_query.Node) (query.Expr, error) {
	if n == nil {
		return nil, nil
	}
	s.clause = clause{name: "HAVING", aggs: true}
	e, err := s.expr(n)
	if err != nil {
		return nil, err
	}
	return s.coerceBoolean(e, "HAVING", types.OIDBool)
}

// targets analyses the output columns of SELECT or RETURNING.
func (s *state) targets(list []*pg_query.Node, where clause) ([]*query.Target, error) {
	s.clause = where
	var out []*query.Target
	for _, n := range list {
		rt := n.GetResTarget()
		if c := rt.Val.GetColumnRef(); c != nil {
			if p := names(c.Fields); p[len(p)-1] == "*" {
				ts, err := s.star(c)
				if err != nil {
					return nil, err
				}
				out = append(out, ts...)
				continue
			}
		}
		if ind := rt.Val.GetAIndirection(); ind != nil && ind.Indirection[len(ind.Indirection)-1].GetAStar() != nil {
			ts, err := s.expandRow(ind)
			if err != nil {
				return nil, err
			}
			out = append(out, ts...)
			continue
		}
		e, err := s.expr(rt.Val)
		if err != nil {
			return nil, err
		}
		t := s.target1(e)
		if t.Name = rt.Name; t.Name == "" {
			t.Name, _ = figureName(rt.Val)
			if t.Name == "" {
				t.Name = "?column?"
			}
		}
		out = append(out, t)
	}
	if len(out) == 0 && len(list) > 0 {
		return out, nil
	}
	if len(out) > 1664 {
		return nil, pgerror.Newf(pgerror.TooManyColumns, "target lists can have at most %d entries", 1664)
	}
	return out, nil
}

// target1 makes a target with the origin of its column.
func (s *state) target1(e query.Expr) *query.Target {
	t := &query.Target{Expr: e}
	v, ok := e.(*query.Var)
	if !ok {
		return t
	}
	st := s
	for range v.Up {
		st = st.parent
	}
	switch r := st.q.Range[v.RTE-1]; {
	case r.Kind == query.RangeRelation && v.Attr != 0:
		t.Table, t.Col = r.Rel.OID, v.Attr
	case r.Kind == query.RangeSubquery && v.Attr > 0:
		if cols := visible(r.Sub); v.Attr <= len(cols) {
			t.Table, t.Col = cols[v.Attr-1].Table, cols[v.Attr-1].Col
		}
	}
	return t
}

// star spreads * or t.* out.
func (s *state) star(c *pg_query.ColumnRef) ([]*query.Target, error) {
	parts := names(c.Fields)
	if len(parts) == 1 {
		var out []*query.Target
		found := false
		for _, it := range s.ns {
			if !it.colsVisible || it.lateralOnly {
				continue
			}
			found = true
			out = append(out, s.starOf(it, 0, c.Location)...)
		}
		if !found {
			return nil, s.a.errorf(pgerror.SyntaxError, c.Location, "SELECT * with no tables specified is not valid")
		}
		return out, nil
	}
	it, up, err := s.table(schemaPart(parts), parts[len(parts)-2], c.Location)
	if err != nil {
		return nil, err
	}
	if it == nil {
		if len(parts) == 2 {
			if e, err := s.column(parts[0], c.Location); err != nil {
				return nil, err
			} else if e != nil {
				return s.expandComposite(e, c.Location)
			}
		}
		return nil, s.noTable(schemaPart(parts), parts[len(parts)-2], c.Location)
	}
	return s.starOf(it, up, c.Location), nil
}

func (s *state) starOf(it *item, up int, loc int32) []*query.Target {
	var out []*query.Target
	for _, col := range it.cols {
		e := raise(col.expr, up, loc)
		s.noteSelected(e)
		t := s.target1(e)
		t.Name = col.name
		out = append(out, t)
	}
	return out
}

// expandRow spreads (expr).* out.
func (s *state) expandRow(ind *pg_query.A_Indirection) ([]*query.Target, error) {
	arg := ind.Arg
	if len(ind.Indirection) > 1 {
		arg = &pg_query.Node{Node: &pg_query.Node_AIndirection{AIndirection: &pg_query.A_Indirection{Arg: ind.Arg, Indirection: ind.Indirection[:len(ind.Indirection)-1]}}}
	}
	e, err := s.expr(arg)
	if err != nil {
		return nil, err
	}
	return s.expandComposite(e, -1)
}

func (s *state) expandComposite(e query.Expr, loc int32) ([]*query.Target, error) {
	var out []*query.Target
	if r, ok := e.(*query.RowExpr); ok {
		for i, x := range r.Args {
			out = append(out, &query.Target{Expr: x, Name: r.Names[i]})
		}
		return out, nil
	}
	t, err := s.a.view.MustType(e.Type())
	if err != nil {
		return nil, err
	}
	if t.OID == types.OIDRecord {
		cols, err := s.shapeOf(e)
		if err != nil {
			return nil, err
		}
		if cols == nil {
			return nil, s.a.errorf(pgerror.WrongObjectType, loc, "record type has not been registered")
		}
		for i, c := range cols {
			out = append(out, &query.Target{Expr: fieldOf(e, i, c, loc), Name: c.Name})
		}
		return out, nil
	}
	if t.Kind != 'c' {
		return nil, s.a.errorf(pgerror.WrongObjectType, loc, "type %s is not composite", s.a.typeName(e.Type()))
	}
	rel, err := s.a.view.Relation(t.RelID)
	if err != nil || rel == nil {
		return nil, err
	}
	for _, c := range rel.Columns {
		if c.Dropped {
			continue
		}
		f, err := s.field(e, c.Name, loc)
		if err != nil {
			return nil, err
		}
		out = append(out, &query.Target{Expr: f, Name: c.Name})
	}
	return out, nil
}

// figureName chooses the name of an output column (strength 2 is a column or function, 1 a type).
func figureName(n *pg_query.Node) (string, int) {
	switch v := n.GetNode().(type) {
	case *pg_query.Node_ColumnRef:
		p := names(v.ColumnRef.Fields)
		for i := len(p) - 1; i >= 0; i-- {
			if p[i] != "*" {
				return p[i], 2
			}
		}
	case *pg_query.Node_AIndirection:
		for i := len(v.AIndirection.Indirection) - 1; i >= 0; i-- {
			if str := v.AIndirection.Indirection[i].GetString_(); str != nil {
				return str.Sval, 2
			}
		}
		return figureName(v.AIndirection.Arg)
	case *pg_query.Node_FuncCall:
		p := names(v.FuncCall.Funcname)
		return p[len(p)-1], 2
	case *pg_query.Node_AExpr:
		if v.AExpr.Kind == pg_query.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg_query.Node_TypeCast:
		if name, strength := figureName(v.TypeCast.Arg); strength > 1 {
			return name, strength
		}
		p := names(v.TypeCast.TypeName.Names)
		return p[len(p)-1], 1
	case *pg_query.Node_CollateClause:
		return figureName(v.CollateClause.Arg)
	case *pg_query.Node_GroupingFunc:
		return "grouping", 2
	case *pg_query.Node_SubLink:
		return figureSubLink(v.SubLink)
	case *pg_query.Node_CaseExpr:
		if name, strength := figureName(v.CaseExpr.Defresult); strength > 1 {
			return name, strength
		}
		return "case", 1
	case *pg_query.Node_AArrayExpr:
		return "array", 2
	case *pg_query.Node_RowExpr:
		return "row", 2
	case *pg_query.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg_query.Node_MinMaxExpr:
		if v.MinMaxExpr.Op == pg_query.MinMaxOp_IS_LEAST {
			return "least", 2
		}
		return "greatest", 2
	case *pg_query.Node_SqlvalueFunction:
		return sqlValueNames[v.SqlvalueFunction.Op], 2
	}
	return "", 0
}

var sqlValueNames = map[pg_query.SQLValueFunctionOp]string{
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_DATE: "current_date", pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME: "current_time",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N: "current_time", pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP: "current_timestamp",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp", pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME: "localtime",
	pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME_N: "localtime", pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP: "localtimestamp",
	pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N: "localtimestamp", pg_query.SQLValueFunctionOp_SVFOP_CURRENT_ROLE: "current_role",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_USER: "current_user", pg_query.SQLValueFunctionOp_SVFOP_USER: "user",
	pg_query.SQLValueFunctionOp_SVFOP_SESSION_USER: "session_user", pg_query.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG: "current_catalog",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA: "current_schema",
}

func figureSubLink(n *pg_query.SubLink) (string, int) {
	switch n.SubLinkType {
	case pg_query.SubLinkType_EXISTS_SUBLINK:
		return "exists", 2
	case pg_query.SubLinkType_ARRAY_SUBLINK:
		return "array", 2
	case pg_query.SubLinkType_EXPR_SUBLINK:
		if sel := n.Subselect.GetSelectStmt(); sel != nil {
			for sel.Larg != nil {
				sel = sel.Larg
			}
			if len(sel.TargetList) > 0 {
				rt := sel.TargetList[0].GetResTarget()
				if rt.Name != "" {
					return rt.Name, 2
				}
				return figureName(rt.Val)
			}
		}
	}
	return "", 0
}

func (s *state) limit(n *pg_query.SelectStmt) error {
	one := func(x *pg_query.Node, what string) (query.Expr, error) {
		if x == nil {
			return nil, nil
		}
		s.clause = clause{name: what}
		e, err := s.expr(x)
		if err != nil {
			return nil, err
		}
		if c, ok := e.(*query.Const); ok && c.Value.Null {
			return nil, nil
		}
		r, err := s.coerceTo(e, types.OIDInt8, -1, assignment)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, s.a.errorf(pgerror.DatatypeMismatch, int32(e.Loc()), "argument of %s must be type bigint, not type %s", what, s.a.typeName(e.Type()))
		}
		if query.Any(r, func(x query.Expr) bool { v, ok := x.(*query.Var); return ok && v.Up == 0 }) {
			return nil, s.a.errorf(pgerror.InvalidColumnReference, int32(e.Loc()), "argument of %s must not contain variables", what)
		}
		return r, nil
	}
	var err error
	if s.q.Offset, err = one(n.LimitOffset, "OFFSET"); err != nil {
		return err
	}
	s.q.WithTies = n.LimitOption == pg_query.LimitOption_LIMIT_OPTION_WITH_TIES
	if s.q.WithTies && len(n.SortClause) == 0 {
		return pgerror.New(pgerror.SyntaxError, "WITH TIES cannot be specified without ORDER BY clause")
	}
	s.q.Limit, err = one(n.LimitCount, "LIMIT")
	return err
}

// values makes a stand-alone VALUES: a range entry whose rows are the lists, selected whole.
func (s *state) values(n *pg_query.SelectStmt, hints []base.OID) error {
	rows, err := s.valueRows(n.ValuesLists)
	if err != nil {
		return err
	}
	e := &query.RangeEntry{Kind: query.RangeValues, Alias: "*VALUES*", Values: rows, Lateral: s.parent != nil}
	for j := range rows[0] {
		col := make([]query.Expr, len(rows))
		for i := range rows {
			if _, ok := rows[i][j].(*query.Default); ok {
				return s.a.errorf(pgerror.SyntaxError, int32(rows[i][j].Loc()), "DEFAULT is not allowed in this context")
			}
			col[i] = rows[i][j]
		}
		typ, err := s.a.commonType(col, "VALUES")
		if err != nil {
			return err
		}
		if j < len(hints) && hints[j] != 0 && allUnknown(col) {
			typ = hints[j]
		}
		for i := range rows {
			if rows[i][j], err = s.toCommon(rows[i][j], typ, "VALUES"); err != nil {
				return err
			}
			col[i] = rows[i][j]
		}
		e.Columns = append(e.Columns, query.RangeColumn{Name: "column" + itoa(j+1), Type: typ, Typmod: commonTypmod(col, typ), Collation: s.a.collationOf(typ)})
	}
	it := s.addEntry(e, true)
	s.q.From = []query.FromItem{&query.FromRef{RTE: it.rte}}
	s.q.Targets = s.starOf(it, 0, -1)
	if err := s.orderBy(n.SortClause); err != nil {
		return err
	}
	if err := s.limit(n); err != nil {
		return err
	}
	if len(n.LockingClause) > 0 {
		return s.a.errorf(pgerror.FeatureNotSupported, -1, "SELECT FOR UPDATE cannot be applied to VALUES")
	}
	return nil
}

func allUnknown(col []query.Expr) bool {
	for _, e := range col {
		if e.Type() != types.OIDUnknown {
			return false
		}
	}
	return true
}

// valueRows analyses the lists of VALUES, which must be of one length.
func (s *state) valueRows(lists []*pg_query.Node) ([][]query.Expr, error) {
	s.clause = clause{name: "VALUES"}
	rows := make([][]query.Expr, 0, len(lists))
	for _, l := range lists {
		items := l.GetList().GetItems()
		if len(rows) > 0 && len(items) != len(rows[0]) {
			loc := int32(-1)
			return nil, s.a.errorf(pgerror.SyntaxError, loc, "VALUES lists must all be the same length")
		}
		row, err := s.exprs(items)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
