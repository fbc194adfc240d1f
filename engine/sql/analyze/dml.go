package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// openTarget opens the table of an INSERT, UPDATE or DELETE.
func (s *state) openTarget(n *pg_query.RangeVar, verb string, privilege uint32) (*item, error) {
	if n.Schemaname == "" {
		if e, err := s.cteRef(n); err == nil && e != nil {
			return nil, s.a.errorf(pgerror.UndefinedTable, n.Location, "relation \"%s\" cannot be the target of a modifying statement", n.Relname)
		}
	}
	e, err := s.a.openRelation(n, 3)
	if err != nil {
		return nil, err
	}
	switch e.Rel.Kind {
	case relation.KindTable:
	case relation.KindView:
		return nil, pgerror.Unsupported("%s on view \"%s\"", verb, e.Rel.Name)
	case relation.KindSequence:
		return nil, pgerror.Newf(pgerror.WrongObjectType, "cannot change sequence \"%s\"", e.Rel.Name)
	case relation.KindToast:
		return nil, pgerror.Newf(pgerror.WrongObjectType, "cannot change TOAST relation \"%s\"", e.Rel.Name)
	default:
		return nil, pgerror.Newf(pgerror.WrongObjectType, "cannot open relation \"%s\"", e.Rel.Name).WithDetail("This operation is not supported for indexes.")
	}
	e.Privileges |= privilege
	if n.Alias != nil {
		e.Alias = n.Alias.Aliasname
	}
	it := newItem(e, s.addRange(e))
	it.relVisible, it.colsVisible = true, true
	s.q.Result, s.target = it.rte, it
	return it, nil
}

func (a *analyzer) insertStmt(parent *state, n *pg_query.InsertStmt) (*query.Query, error) {
	s := a.newState(parent)
	s.q.Command = query.Insert
	if n.WithClause != nil {
		if err := s.with(n.WithClause); err != nil {
			return nil, err
		}
	}
	it, err := s.openTarget(n.Relation, "INSERT", PrivInsert)
	if err != nil {
		return nil, err
	}
	attrs, given, err := s.insertColumns(it.entry.Rel, n)
	if err != nil {
		return nil, err
	}
	switch n.Override {
	case pg_query.OverridingKind_OVERRIDING_USER_VALUE:
		s.q.Override = 'u'
	case pg_query.OverridingKind_OVERRIDING_SYSTEM_VALUE:
		s.q.Override = 's'
	}
	if err := s.insertSource(n, it.entry.Rel, attrs, given); err != nil {
		return nil, err
	}
	if err := s.fillDefaults(it.entry.Rel); err != nil {
		return nil, err
	}
	if n.OnConflictClause != nil {
		if err := s.onConflict(it, n.OnConflictClause); err != nil {
			return nil, err
		}
	}
	return s.q, s.returning(it, n.ReturningList)
}

// insertColumns gives the attribute numbers an INSERT assigns, and how many were named.
func (s *state) insertColumns(rel *relation.Desc, n *pg_query.InsertStmt) ([]int, int, error) {
	var attrs []int
	if len(n.Cols) == 0 {
		for i := range rel.Columns {
			if !rel.Columns[i].Dropped {
				attrs = append(attrs, i+1)
			}
		}
		return attrs, 0, nil
	}
	for _, c := range n.Cols {
		rt := c.GetResTarget()
		if len(rt.Indirection) > 0 {
			return nil, 0, pgerror.Unsupported("INSERT into an element or field of a column")
		}
		attr, err := s.targetColumn(rel, rt)
		if err != nil {
			return nil, 0, err
		}
		for _, o := range attrs {
			if o == attr {
				return nil, 0, s.a.errorf(pgerror.DuplicateColumn, rt.Location, "column \"%s\" specified more than once", rt.Name)
			}
		}
		attrs = append(attrs, attr)
	}
	return attrs, len(attrs), nil
}

func (s *state) targetColumn(rel *relation.Desc, rt *pg_query.ResTarget) (int, error) {
	attr := rel.ColumnByName(rt.Name)
	if attr == 0 {
		return 0, s.a.errorf(pgerror.UndefinedColumn, rt.Location, "column \"%s\" of relation \"%s\" does not exist", rt.Name, rel.Name)
	}
	return attr, nil
}

// insertSource makes the targets of an INSERT from its VALUES or SELECT, or none for DEFAULT VALUES.
func (s *state) insertSource(n *pg_query.InsertStmt, rel *relation.Desc, attrs []int, given int) error {
	sel := n.SelectStmt.GetSelectStmt()
	if sel == nil {
		return nil
	}
	if len(sel.ValuesLists) == 1 && sel.WithClause == nil && len(sel.SortClause) == 0 && sel.LimitCount == nil && sel.LimitOffset == nil {
		row, err := s.valueRows(sel.ValuesLists)
		if err != nil {
			return err
		}
		if err := s.countColumns(len(row[0]), attrs, given, row[0]); err != nil {
			return err
		}
		return s.assignAll(rel, attrs, row[0])
	}
	if len(sel.ValuesLists) > 1 && sel.WithClause == nil && len(sel.SortClause) == 0 && sel.LimitCount == nil && sel.LimitOffset == nil {
		return s.insertRows(sel, rel, attrs, given)
	}
	hints := make([]base.OID, 0, len(attrs))
	for _, k := range attrs {
		hints = append(hints, rel.Columns[k-1].Type)
	}
	q, err := s.a.selectStmt(s.outside(), sel, hints)
	if err != nil {
		return err
	}
	it := s.hidden(subqueryEntry(q, "*SELECT*"))
	s.q.From = []query.FromItem{&query.FromRef{RTE: it.rte}}
	exprs := make([]query.Expr, 0, len(it.cols))
	cols := visible(q)
	for i, c := range it.cols {
		e := c.expr
		// A bare literal of the sub-select is typed by the column it goes to.
		if k, ok := cols[i].Expr.(*query.Const); ok && k.Typ == types.OIDText && cols[i].Ref == 0 && q.SetOp == nil && (k.Slot >= 0 || k.Value.Null) {
			u := *k
			u.Typ = types.OIDUnknown
			e = &u
		}
		exprs = append(exprs, e)
	}
	if err := s.countColumns(len(exprs), attrs, given, exprs); err != nil {
		return err
	}
	return s.assignAll(rel, attrs, exprs)
}

// outside gives the state a sub-select of INSERT sees: its WITH queries and the levels outside, not the target.
func (s *state) outside() *state {
	return &state{a: s.a, parent: s.parent, q: s.q, ctes: s.ctes}
}

// insertRows makes several VALUES rows a range entry, each column coerced to its target's type.
func (s *state) insertRows(sel *pg_query.SelectStmt, rel *relation.Desc, attrs []int, given int) error {
	rows, err := s.valueRows(sel.ValuesLists)
	if err != nil {
		return err
	}
	if err := s.countColumns(len(rows[0]), attrs, given, rows[0]); err != nil {
		return err
	}
	attrs = attrs[:len(rows[0])]
	e := &query.RangeEntry{Kind: query.RangeValues, Alias: "*VALUES*", Values: rows}
	for j, k := range attrs {
		c := &rel.Columns[k-1]
		for i := range rows {
			x, err := s.assign(rows[i][j], rel, k)
			if err != nil {
				return err
			}
			if _, ok := x.(*query.Default); ok {
				if x, err = s.defaultOf(rel, k); err != nil {
					return err
				}
			} else if err := s.checkAlways(rel, k); err != nil {
				return err
			}
			rows[i][j] = x
		}
		e.Columns = append(e.Columns, query.RangeColumn{Name: "column" + itoa(j+1), Type: c.Type, Typmod: c.Typmod, Collation: c.Collation})
	}
	it := s.hidden(e)
	s.q.From = []query.FromItem{&query.FromRef{RTE: it.rte}}
	for j, k := range attrs {
		s.q.Targets = append(s.q.Targets, &query.Target{Expr: it.cols[j].expr, Name: rel.Columns[k-1].Name, Attr: k})
	}
	return nil
}

func (s *state) countColumns(n int, attrs []int, given int, exprs []query.Expr) error {
	if n > len(attrs) {
		return s.a.errorf(pgerror.SyntaxError, int32(exprs[len(attrs)].Loc()), "INSERT has more expressions than target columns")
	}
	if n < given {
		return pgerror.New(pgerror.SyntaxError, "INSERT has more target columns than expressions")
	}
	s.q.Range[s.q.Result-1].InsertedCols = attrs[:n]
	return nil
}

func (s *state) assignAll(rel *relation.Desc, attrs []int, exprs []query.Expr) error {
	for i, e := range exprs {
		x, err := s.assign(e, rel, attrs[i])
		if err != nil {
			return err
		}
		if _, ok := x.(*query.Default); ok {
			continue // fillDefaults
		}
		if err := s.checkAlways(rel, attrs[i]); err != nil {
			return err
		}
		if s.q.Override == 'u' && rel.Columns[attrs[i]-1].Identity != 0 {
			continue
		}
		s.q.Targets = append(s.q.Targets, &query.Target{Expr: x, Name: rel.Columns[attrs[i]-1].Name, Attr: attrs[i]})
	}
	return nil
}

// checkAlways refuses a value for a column that computes its own.
func (s *state) checkAlways(rel *relation.Desc, attr int) error {
	c := &rel.Columns[attr-1]
	if c.Generated != 0 {
		return pgerror.Newf(pgerror.GeneratedAlways, "cannot insert a non-DEFAULT value into column \"%s\"", c.Name).
			WithDetail("Column \"%s\" is a generated column.", c.Name)
	}
	if c.Identity == 'a' && s.q.Override == 0 {
		return pgerror.Newf(pgerror.GeneratedAlways, "cannot insert a non-DEFAULT value into column \"%s\"", c.Name).
			WithDetail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.", c.Name).
			WithHint("Use OVERRIDING SYSTEM VALUE to override.")
	}

	return nil
}

// assign coerces a value to the column it goes to.
func (s *state) assign(e query.Expr, rel *relation.Desc, attr int) (query.Expr, error) {
	if _, ok := e.(*query.Default); ok {
		return e, nil
	}
	c := &rel.Columns[attr-1]
	r, err := s.coerceTo(e, c.Type, c.Typmod, assignment)
	if err != nil {
		return nil, err
	}
	if r == nil {
		err := pgerror.Newf(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s", c.Name,
			s.a.typeName(c.Type), s.a.typeName(e.Type())).WithHint("You will need to rewrite or cast the expression.")
		return nil, s.a.at(err, int32(e.Loc()))
	}
	return r, nil
}

// assignDefault coerces a DEFAULT expression to its column's type.
func (s *state) assignDefault(e query.Expr, target base.OID, mod int32) (query.Expr, error) {
	r, err := s.coerceTo(e, target, mod, assignment)
	if err == nil && r == nil {
		e := pgerror.Newf(pgerror.DatatypeMismatch, "column is of type %s but default expression is of type %s", s.a.typeName(target),
			s.a.typeName(e.Type())).WithHint("You will need to rewrite or cast the expression.")
		return nil, e
	}
	return r, err
}

// defaultOf gives what DEFAULT stands for in a column: its default, the next value of its sequence, or null.
func (s *state) defaultOf(rel *relation.Desc, attr int) (query.Expr, error) {
	c := &rel.Columns[attr-1]
	t := query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}
	if c.Identity != 0 {
		seq, err := s.a.identitySequence(rel.OID, attr)
		if err != nil {
			return nil, err
		}
		return s.coerceTo(&query.NextValue{T: query.T{Typ: types.OIDInt8, Mod: -1, Offset: -1}, Sequence: seq}, c.Type, c.Typmod, assignment)
	}
	if c.HasDefault && c.Generated == 0 {
		text, err := s.a.view.DefaultExpr(rel.OID, attr)
		if err != nil || text == "" {
			return nil, err
		}
		return query.Unmarshal(text)
	}
	return &query.Const{T: t, Value: types.Null, Slot: -1}, nil
}

// fillDefaults adds targets for the columns an INSERT does not assign; those that end up null need none.
func (s *state) fillDefaults(rel *relation.Desc) error {
	assigned := map[int]bool{}
	for _, t := range s.q.Targets {
		assigned[t.Attr] = true
	}
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Dropped || assigned[i+1] || !c.HasDefault && c.Identity == 0 || c.Generated != 0 {
			continue
		}
		e, err := s.defaultOf(rel, i+1)
		if err != nil {
			return err
		}
		s.q.Targets = append(s.q.Targets, &query.Target{Expr: e, Name: c.Name, Attr: i + 1})
	}
	return nil
}

func (s *state) returning(it *item, list []*pg_query.Node) error {
	if len(list) == 0 {
		return nil
	}
	saved := s.ns
	if len(s.ns) == 0 {
		s.ns = []*item{it}
	}
	targets, err := s.targets(list, clause{name: "RETURNING"})
	s.ns = saved
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.Expr, err = s.resolveUnknown(t.Expr); err != nil {
			return err
		}
	}
	s.q.HasAggs = false
	s.q.Returning = targets
	return nil
}

func (a *analyzer) updateStmt(parent *state, n *pg_query.UpdateStmt) (*query.Query, error) {
	s := a.newState(parent)
	s.q.Command = query.Update
	if n.WithClause != nil {
		if err := s.with(n.WithClause); err != nil {
			return nil, err
		}
	}
	it, err := s.openTarget(n.Relation, "UPDATE", PrivUpdate)
	if err != nil {
		return nil, err
	}
	if err := s.fromTarget(it, n.FromClause); err != nil {
		return nil, err
	}
	if s.q.Targets, err = s.setList(it.entry.Rel, n.TargetList); err != nil {
		return nil, err
	}
	if s.q.Where, err = s.condition(n.WhereClause, "WHERE"); err != nil {
		return nil, err
	}
	for _, t := range s.q.Targets {
		it.entry.UpdatedCols = append(it.entry.UpdatedCols, t.Attr)
	}
	return s.q, s.returning(it, n.ReturningList)
}

func (a *analyzer) deleteStmt(parent *state, n *pg_query.DeleteStmt) (*query.Query, error) {
	s := a.newState(parent)
	s.q.Command = query.Delete
	if n.WithClause != nil {
		if err := s.with(n.WithClause); err != nil {
			return nil, err
		}
	}
	it, err := s.openTarget(n.Relation, "DELETE", PrivDelete)
	if err != nil {
		return nil, err
	}
	if err := s.fromTarget(it, n.UsingClause); err != nil {
		return nil, err
	}
	if s.q.Where, err = s.condition(n.WhereClause, "WHERE"); err != nil {
		return nil, err
	}
	return s.q, s.returning(it, n.ReturningList)
}

// fromTarget joins the target with the FROM or USING clause of an UPDATE or DELETE.
func (s *state) fromTarget(it *item, list []*pg_query.Node) error {
	it.lateralOnly, it.lateralOK = true, false
	s.ns = []*item{it}
	if err := s.from(list); err != nil {
		return err
	}
	it.lateralOnly, it.lateralOK = false, true
	s.q.From = append([]query.FromItem{&query.FromRef{RTE: it.rte}}, s.q.From...)
	return nil
}

// setList analyses the SET clause of an UPDATE.
func (s *state) setList(rel *relation.Desc, list []*pg_query.Node) ([]*query.Target, error) {
	var out []*query.Target
	var multi map[*pg_query.Node][]query.Expr
	for _, n := range list {
		rt := n.GetResTarget()
		attr, err := s.targetColumn(rel, rt)
		if err != nil {
			return nil, err
		}
		s.clause = clause{name: "UPDATE"}
		var e query.Expr
		if m := rt.Val.GetMultiAssignRef(); m != nil {
			if multi == nil {
				multi = map[*pg_query.Node][]query.Expr{}
			}
			e, err = s.multiAssign(m, multi)
		} else {
			e, err = s.expr(rt.Val)
		}
		if err != nil {
			return nil, err
		}
		var before *query.Target
		for _, o := range out {
			if o.Attr == attr {
				before = o
			}
		}
		if before != nil {
			if x, ok := before.Expr.(*query.Subscript); !ok || x.Assign == nil || len(rt.Indirection) == 0 {
				return nil, s.a.errorf(pgerror.SyntaxError, -1, "multiple assignments to same column \"%s\"", rt.Name)
			}
		}
		t, err := s.setTarget(rel, attr, rt, e, before)
		if err != nil {
			return nil, err
		}
		if before != nil { // one element after another
			before.Expr = t.Expr
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

func (s *state) setTarget(rel *relation.Desc, attr int, rt *pg_query.ResTarget, e query.Expr, before *query.Target) (*query.Target, error) {
	c := &rel.Columns[attr-1]
	if _, ok := e.(*query.Default); ok {
		d, err := s.defaultOf(rel, attr)
		return &query.Target{Expr: d, Name: c.Name, Attr: attr}, err
	}
	if c.Generated != 0 || c.Identity == 'a' {
		err := pgerror.Newf(pgerror.GeneratedAlways, "column \"%s\" can only be updated to DEFAULT", c.Name)
		if c.Generated != 0 {
			return nil, err.WithDetail("Column \"%s\" is a generated column.", c.Name)
		}
		return nil, err.WithDetail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.", c.Name)
	}
	if len(rt.Indirection) > 0 {
		return s.setElement(rel, attr, rt, e, before)
	}
	x, err := s.assign(e, rel, attr)
	return &query.Target{Expr: x, Name: c.Name, Attr: attr}, err
}

// setElement assigns to an element or slice of an array column.
func (s *state) setElement(rel *relation.Desc, attr int, rt *pg_query.ResTarget, e query.Expr, before *query.Target) (*query.Target, error) {
	c := &rel.Columns[attr-1]
	var subs []*pg_query.A_Indices
	for _, x := range rt.Indirection {
		ix := x.GetAIndices()
		if ix == nil {
			return nil, pgerror.Unsupported("assignment to a field of a composite column")
		}
		subs = append(subs, ix)
	}
	col := raise(s.target.cols[0].expr, 0, -1)
	for _, k := range s.target.cols {
		if v, ok := k.expr.(*query.Var); ok && v.Attr == attr {
			col = raise(k.expr, 0, -1)
		}
	}
	if before != nil {
		col = before.Expr
	}
	sub, err := s.subscript(col, subs, nil)
	if err != nil {
		return nil, err
	}
	x := sub.(*query.Subscript)
	want := x.Elem
	if x.Slice {
		want = x.Typ
	}
	v, err := s.coerceTo(e, want, c.Typmod, assignment)
	if err != nil {
		return nil, err
	}
	if v == nil {
		err := pgerror.Newf(pgerror.DatatypeMismatch, "subscripted assignment to \"%s\" requires type %s but expression is of type %s",
			c.Name, s.a.typeName(want), s.a.typeName(e.Type())).WithHint("You will need to rewrite or cast the expression.")
		return nil, s.a.at(err, rt.Location)
	}
	x.Assign, x.Typ = v, c.Type
	return &query.Target{Expr: x, Name: c.Name, Attr: attr}, nil
}

// multiAssign reads one column of `(a, b) = (...)`: a row, or a sub-select evaluated once.
func (s *state) multiAssign(m *pg_query.MultiAssignRef, done map[*pg_query.Node][]query.Expr) (query.Expr, error) {
	// The grammar repeats the same source in every reference; the first makes it.
	if m.Colno == 1 {
		clear(done)
	}
	for _, exprs := range done {
		return exprs[m.Colno-1], nil
	}
	var exprs []query.Expr
	if r := m.Source.GetRowExpr(); r != nil {
		var err error
		if exprs, err = s.exprs(r.Args); err != nil {
			return nil, err
		}
	} else if l := m.Source.GetSubLink(); l != nil {
		q, err := s.a.statement(s, l.Subselect)
		if err != nil {
			return nil, err
		}
		s.q.HasSubLinks = true
		s.multi++
		link := &query.SubLink{T: query.T{Typ: types.OIDRecord, Mod: -1, Offset: int(l.Location)}, Kind: query.SubMulti, Query: q, ID: s.multi}
		for i, t := range visible(q) {
			exprs = append(exprs, &query.FieldSelect{T: query.T{Typ: t.Expr.Type(), Mod: t.Expr.Typmod(), Coll: t.Expr.Collation(), Offset: -1}, Arg: link, Field: i + 1})
		}
	} else {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression")
	}
	if len(exprs) != int(m.Ncolumns) {
		return nil, pgerror.New(pgerror.SyntaxError, "number of columns does not match number of values")
	}
	done[m.Source] = exprs
	return exprs[0], nil
}
