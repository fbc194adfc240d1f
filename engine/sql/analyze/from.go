package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// from analyses the FROM clause: each item sees those before it only when LATERAL.
func (s *state) from(list []*pg_query.Node) error {
	for _, n := range list {
		fi, items, err := s.fromItem(n)
		if err != nil {
			return err
		}
		if err := s.checkNames(items); err != nil {
			return err
		}
		for _, it := range items {
			it.lateralOnly, it.lateralOK = true, true
		}
		s.ns = append(s.ns, items...)
		s.q.From = append(s.q.From, fi)
	}
	for _, it := range s.ns {
		it.lateralOnly = false
	}
	return nil
}

// checkNames refuses two items of one name in a FROM clause.
func (s *state) checkNames(items []*item) error {
	for _, it := range items {
		for _, o := range s.ns {
			if it.relVisible && o.relVisible && it.name == o.name && (it.schema == o.schema || it.schema == "" || o.schema == "") {
				return pgerror.Newf(pgerror.DuplicateAlias, "table name \"%s\" specified more than once", it.name)
			}
		}
	}
	return nil
}

// fromItem analyses one item; it gives the join tree and the items it makes visible.
func (s *state) fromItem(n *pg_query.Node) (query.FromItem, []*item, error) {
	switch v := n.GetNode().(type) {
	case *pg_query.Node_RangeVar:
		it, err := s.rangeVar(v.RangeVar)
		return leaf(it, err)
	case *pg_query.Node_RangeSubselect:
		it, err := s.rangeSubselect(v.RangeSubselect)
		return leaf(it, err)
	case *pg_query.Node_RangeFunction:
		it, err := s.rangeFunction(v.RangeFunction)
		return leaf(it, err)
	case *pg_query.Node_JoinExpr:
		return s.join(v.JoinExpr)
	case *pg_query.Node_RangeTableSample:
		return nil, nil, pgerror.Unsupported("TABLESAMPLE")
	}
	return nil, nil, pgerror.Unsupported("FROM item %s", typeNameOf(n))
}

func leaf(it *item, err error) (query.FromItem, []*item, error) {
	if err != nil {
		return nil, nil, err
	}
	return &query.FromRef{RTE: it.rte}, []*item{it}, nil
}

// hidden appends a range entry whose item the caller makes visible.
func (s *state) hidden(e *query.RangeEntry) *item {
	it := newItem(e, s.addRange(e))
	it.relVisible, it.colsVisible = true, true
	return it
}

// rename applies the column aliases of an alias clause.
func (s *state) rename(e *query.RangeEntry, alias *pg_query.Alias) error {
	if alias == nil {
		return nil
	}
	e.Alias = alias.Aliasname
	k := 0
	for _, c := range alias.Colnames {
		for k < len(e.Columns) && e.Columns[k].Dropped {
			k++
		}
		if k >= len(e.Columns) {
			live := 0
			for _, x := range e.Columns {
				if !x.Dropped {
					live++
				}
			}
			return pgerror.Newf(pgerror.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified",
				e.Alias, live, len(alias.Colnames))
		}
		e.Columns[k].Name = c.GetString_().GetSval()
		k++
	}
	return nil
}

func (s *state) rangeVar(n *pg_query.RangeVar) (*item, error) {
	if n.Schemaname == "" {
		if e, err := s.cteRef(n); e != nil || err != nil {
			if err != nil {
				return nil, err
			}
			return s.hidden(e), nil
		}
	}
	e, err := s.a.openRelation(n, 1)
	if err != nil {
		return nil, err
	}
	if e.Rel.Kind == 'i' || e.Rel.Kind == 'c' {
		detail := "This operation is not supported for indexes."
		if e.Rel.Kind == 'c' {
			detail = "This operation is not supported for composite types."
		}
		err := pgerror.Newf(pgerror.WrongObjectType, "cannot open relation \"%s\"", e.Rel.Name).WithDetail("%s", detail)
		return nil, s.a.at(err, n.Location)
	}
	if err := s.rename(e, n.Alias); err != nil {
		return nil, err
	}
	e.Privileges |= PrivSelect
	if e.Rel.Kind == 'v' {
		if err := s.a.expandView(e); err != nil {
			return nil, err
		}
	}
	it := s.hidden(e)
	if n.Alias == nil && it.schema == "" && e.Kind == query.RangeRelation {
		it.schema = e.Rel.Schema
	}
	return it, nil
}

// openRelation finds a relation by name and makes its range entry.
func (a *analyzer) openRelation(n *pg_query.RangeVar, lockMode uint8) (*query.RangeEntry, error) {
	oid, err := a.findRelation(n.Schemaname, n.Relname, n.Location)
	if err != nil {
		return nil, err
	}
	shown := n.Relname
	if n.Schemaname != "" {
		shown = n.Schemaname + "." + n.Relname
	}
	if oid == 0 {
		return nil, a.errorf(pgerror.UndefinedTable, n.Location, "relation \"%s\" does not exist", shown)
	}
	rel, err := a.view.Relation(oid)
	if err != nil {
		return nil, err
	}
	if rel == nil {
		return nil, a.errorf(pgerror.UndefinedTable, n.Location, "relation \"%s\" does not exist", shown)
	}
	e := RelationEntry(rel)
	e.Inherit, e.LockMode = n.Inh, lockMode
	return e, nil
}

func (a *analyzer) findRelation(schema, name string, loc int32) (base.OID, error) {
	if schema != "" {
		ns, err := a.view.NamespaceByName(schema)
		if schema == "pg_temp" && a.opt.Temp != 0 {
			return a.view.RelationByName(a.opt.Temp, name)
		}
		if err != nil {
			return 0, err
		}
		if ns == nil {
			return 0, a.errorf(pgerror.UndefinedTable, loc, "relation \"%s.%s\" does not exist", schema, name)
		}
		return a.view.RelationByName(ns.OID, name)
	}
	for _, ns := range a.opt.SearchPath {
		oid, err := a.view.RelationByName(ns, name)
		if err != nil || oid != 0 {
			return oid, err
		}
	}
	return 0, nil
}

func (s *state) rangeSubselect(n *pg_query.RangeSubselect) (*item, error) {
	saved := s.lateral
	s.lateral = n.Lateral
	// Without LATERAL the sub-select sees the levels outside only.
	parent := s
	if !n.Lateral {
		parent = &state{a: s.a, parent: s.parent, q: s.q, ctes: s.ctes, clause: s.clause}
	}
	q, err := s.a.statement(parent, n.Subquery)
	s.lateral = saved
	if err != nil {
		return nil, err
	}
	e := subqueryEntry(q, "")
	e.Lateral = n.Lateral
	if n.Alias == nil {
		e.Alias = ""
	}
	if err := s.rename(e, n.Alias); err != nil {
		return nil, err
	}
	it := s.hidden(e)
	it.relVisible = n.Alias != nil
	return it, nil
}

func subqueryEntry(q *query.Query, alias string) *query.RangeEntry {
	e := &query.RangeEntry{Kind: query.RangeSubquery, Sub: q, Alias: alias}
	for _, t := range visible(q) {
		e.Columns = append(e.Columns, columnOf(t))
	}
	return e
}

func columnOf(t *query.Target) query.RangeColumn {
	return query.RangeColumn{Name: t.Name, Type: t.Expr.Type(), Typmod: t.Expr.Typmod(), Collation: t.Expr.Collation()}
}

func (s *state) rangeFunction(n *pg_query.RangeFunction) (*item, error) {
	saved := s.lateral
	s.lateral = true
	defer func() { s.lateral = saved }()
	e := &query.RangeEntry{Kind: query.RangeFunction, Lateral: true, Ordinal: n.Ordinality}
	calls, defs := calledInFrom(n)
	for i, fn := range calls {
		s.clause = clause{name: "functions in FROM", srfs: true}
		x, err := s.expr(fn)
		if err != nil {
			return nil, err
		}
		name, _ := figureName(fn)
		if e.Alias == "" {
			e.Alias = name
		}
		if len(calls) == 1 && n.Alias != nil {
			name = n.Alias.Aliasname
		}
		cols, err := s.functionColumns(x, name, n, defs[i])
		if err != nil {
			return nil, err
		}
		e.Funcs, e.FuncCols, e.Columns = append(e.Funcs, x), append(e.FuncCols, len(cols)), append(e.Columns, cols...)
	}
	if n.Ordinality {
		e.Columns = append(e.Columns, query.RangeColumn{Name: "ordinality", Type: types.OIDInt8, Typmod: -1})
	}
	if err := s.rename(e, n.Alias); err != nil {
		return nil, err
	}
	return s.hidden(e), nil
}

// calledInFrom gives the functions of an item of FROM with their column definition lists. unnest of several arrays, without a
// schema, stands for one call for each.
func calledInFrom(n *pg_query.RangeFunction) (calls []*pg_query.Node, defs [][]*pg_query.Node) {
	unnest := []*pg_query.Node{pg_query.MakeStrNode("pg_catalog"), pg_query.MakeStrNode("unnest")}
	for _, fn := range n.Functions {
		items := fn.GetList().GetItems()
		x := items[0]
		def := n.Coldeflist
		if len(items) > 1 && items[1].GetList() != nil {
			def = items[1].GetList().Items
		}
		f := x.GetFuncCall()
		if f == nil || len(f.Args) < 2 || len(f.Funcname) != 1 || f.Funcname[0].GetString_().GetSval() != "unnest" || !plainCall(f) || def != nil {
			calls, defs = append(calls, x), append(defs, def)
			continue
		}
		for _, a := range f.Args {
			calls, defs = append(calls, &pg_query.Node{Node: &pg_query.Node_FuncCall{FuncCall: &pg_query.FuncCall{
				Funcname: unnest, Args: []*pg_query.Node{a}, Funcformat: f.Funcformat, Location: f.Location}}}), append(defs, nil)
		}
	}
	return calls, defs
}

// plainCall tells whether a call has nothing but arguments.
func plainCall(f *pg_query.FuncCall) bool {
	return len(f.AggOrder) == 0 && f.AggFilter == nil && f.Over == nil && !f.AggStar && !f.AggDistinct && !f.AggWithinGroup && !f.FuncVariadic
}

func (s *state) join(n *pg_query.JoinExpr) (query.FromItem, []*item, error) {
	left, litems, err := s.fromItem(n.Larg)
	if err != nil {
		return nil, nil, err
	}
	// The right side may refer to the left laterally, unless the join preserves the right side.
	ok := n.Jointype == pg_query.JoinType_JOIN_INNER || n.Jointype == pg_query.JoinType_JOIN_LEFT
	if err := s.checkNames(litems); err != nil {
		return nil, nil, err
	}
	depth := len(s.ns)
	for _, it := range litems {
		it.lateralOnly, it.lateralOK = true, ok
	}
	s.ns = append(s.ns, litems...)
	right, ritems, err := s.fromItem(n.Rarg)
	if err == nil {
		err = s.checkNames(ritems)
	}
	s.ns = s.ns[:depth]
	if err != nil {
		return nil, nil, err
	}
	j := &query.FromJoin{Left: left, Right: right, Type: joinTypes[n.Jointype]}
	for _, it := range litems {
		it.lateralOnly, it.lateralOK = false, true
	}
	items := append(append([]*item(nil), litems...), ritems...)
	merged, err := s.joinColumns(j, n, litems, ritems)
	if err != nil {
		return nil, nil, err
	}
	if n.Quals != nil {
		if j.On, err = s.joinCondition(n.Quals, items); err != nil {
			return nil, nil, err
		}
	}
	if merged == nil && n.Alias == nil {
		return j, items, nil
	}
	return j, s.joinItems(n, litems, ritems, merged), nil
}

var joinTypes = map[pg_query.JoinType]query.JoinType{
	pg_query.JoinType_JOIN_INNER: query.JoinInner, pg_query.JoinType_JOIN_LEFT: query.JoinLeft,
	pg_query.JoinType_JOIN_FULL: query.JoinFull, pg_query.JoinType_JOIN_RIGHT: query.JoinRight,
}

// joinCondition analyses ON, which sees the two sides and the levels outside.
func (s *state) joinCondition(n *pg_query.Node, items []*item) (query.Expr, error) {
	saved := s.ns
	s.ns = items
	defer func() { s.ns = saved }()
	s.clause = clause{name: "JOIN conditions"}
	e, err := s.expr(n)
	if err != nil {
		return nil, err
	}
	return s.coerceBoolean(e, "JOIN/ON", types.OIDBool)
}

// joinColumns makes the merged columns of USING or NATURAL and their condition.
func (s *state) joinColumns(j *query.FromJoin, n *pg_query.JoinExpr, l, r []*item) ([]column, error) {
	var using []string
	for _, u := range n.UsingClause {
		using = append(using, u.GetString_().GetSval())
	}
	if n.IsNatural {
		for _, c := range joined(l) {
			if find(joined(r), c.name) != nil {
				using = append(using, c.name)
			}
		}
	}
	var merged []column
	var conds []query.Expr
	for _, name := range using {
		lc, err := s.usingColumn(l, name, "left")
		if err != nil {
			return nil, err
		}
		rc, err := s.usingColumn(r, name, "right")
		if err != nil {
			return nil, err
		}
		cond, err := s.apply([]string{"="}, lc, rc, -1)
		if err != nil {
			return nil, err
		}
		conds = append(conds, cond)
		m, err := s.mergedColumn(j.Type, lc, rc)
		if err != nil {
			return nil, err
		}
		merged = append(merged, column{name, m})
	}
	switch len(conds) {
	case 0:
	case 1:
		j.On = conds[0]
	default:
		j.On = &query.BoolExpr{T: query.T{Typ: types.OIDBool, Mod: -1, Offset: -1}, Op: query.And, Args: conds}
	}
	if (n.IsNatural || len(n.UsingClause) > 0) && merged == nil {
		merged = []column{}
	}
	return merged, nil
}

// mergedColumn chooses what a USING column reads: the side that is never null-extended, or whichever is not null.
func (s *state) mergedColumn(t query.JoinType, l, r query.Expr) (query.Expr, error) {
	typ, err := s.a.commonType([]query.Expr{l, r}, "JOIN/USING")
	if err != nil {
		return nil, err
	}
	if l, err = s.toCommon(l, typ, "JOIN/USING"); err != nil {
		return nil, err
	}
	if r, err = s.toCommon(r, typ, "JOIN/USING"); err != nil {
		return nil, err
	}
	switch t {
	case query.JoinRight:
		return r, nil
	case query.JoinFull:
		return &query.Coalesce{T: query.T{Typ: typ, Mod: commonTypmod([]query.Expr{l, r}, typ), Coll: l.Collation(), Offset: -1}, Args: []query.Expr{l, r}}, nil
	}
	return l, nil
}

// joined gives the unqualified columns of one side of a join.
func joined(items []*item) []column {
	var out []column
	for _, it := range items {
		if it.colsVisible {
			out = append(out, it.cols...)
		}
	}
	return out
}

func find(cols []column, name string) *column {
	for i := range cols {
		if cols[i].name == name {
			return &cols[i]
		}
	}
	return nil
}

func (s *state) usingColumn(items []*item, name, side string) (query.Expr, error) {
	var found query.Expr
	for _, c := range joined(items) {
		if c.name != name {
			continue
		}
		if found != nil {
			return nil, pgerror.Newf(pgerror.AmbiguousColumn, "common column name \"%s\" appears more than once in %s table", name, side)
		}
		found = raise(c.expr, 0, -1)
		s.noteSelected(found)
	}
	if found == nil {
		return nil, pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" specified in USING clause does not exist in %s table", name, side)
	}
	return found, nil
}

// joinItems makes the join itself visible: its columns are the merged ones, then the rest of both sides. The sides stay
// reachable by name unless the join has an alias of its own.
func (s *state) joinItems(n *pg_query.JoinExpr, l, r []*item, merged []column) []*item {
	it := &item{colsVisible: true, lateralOK: true, cols: append([]column(nil), merged...)}
	for _, c := range append(joined(l), joined(r)...) {
		if find(merged, c.name) == nil {
			it.cols = append(it.cols, c)
		}
	}
	out := []*item{it}
	if n.Alias != nil {
		it.name, it.relVisible = n.Alias.Aliasname, true
		for i, c := range n.Alias.Colnames {
			if i < len(it.cols) {
				it.cols[i].name = c.GetString_().GetSval()
			}
		}
		return out
	}
	if n.JoinUsingAlias != nil {
		out = append(out, &item{name: n.JoinUsingAlias.Aliasname, relVisible: true, lateralOK: true, cols: merged})
	}
	for _, side := range append(append([]*item(nil), l...), r...) {
		side.colsVisible = false
		if side.relVisible {
			out = append(out, side)
		}
	}
	return out
}
