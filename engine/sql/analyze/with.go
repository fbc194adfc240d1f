package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// with analyses a WITH clause into the query's CTEs. In WITH RECURSIVE a query may refer to itself and to earlier ones.
func (s *state) with(n *pg_query.WithClause) error {
	s.q.Recursive = n.Recursive
	for _, x := range n.Ctes {
		c := x.GetCommonTableExpr()
		for _, o := range s.ctes {
			if o.Name == c.Ctename {
				return s.a.errorf(pgerror.DuplicateAlias, c.Location, "WITH query name \"%s\" specified more than once", c.Ctename)
			}
		}
		cte := &query.CTE{Name: c.Ctename}
		switch c.Ctematerialized {
		case pg_query.CTEMaterialize_CTEMaterializeAlways:
			cte.Materialized = 'm'
		case pg_query.CTEMaterialize_CTEMaterializeNever:
			cte.Materialized = 'n'
		}
		if c.SearchClause != nil || c.CycleClause != nil {
			return pgerror.Unsupported("SEARCH and CYCLE")
		}
		var err error
		if n.Recursive && refersTo(c.Ctequery, c.Ctename) {
			err = s.recursiveCTE(cte, c)
		} else {
			err = s.plainCTE(cte, c)
		}
		if err != nil {
			return err
		}
		if cte.Query.Command != query.Select {
			s.q.HasModifyCTE = true
		}
		s.ctes = append(s.ctes, cte)
		s.q.CTEs = append(s.q.CTEs, cte)
	}
	return nil
}

func (s *state) plainCTE(cte *query.CTE, c *pg_query.CommonTableExpr) error {
	q, err := s.a.statement(s, c.Ctequery)
	if err != nil {
		return err
	}
	cte.Query = q
	return s.cteColumns(cte, c, visible(q))
}

func (s *state) cteColumns(cte *query.CTE, c *pg_query.CommonTableExpr, targets []*query.Target) error {
	cte.Columns = nil
	for _, t := range targets {
		cte.Columns = append(cte.Columns, columnOf(t))
	}
	if len(c.Aliascolnames) > len(cte.Columns) {
		return s.a.errorf(pgerror.InvalidColumnReference, c.Location, "WITH query \"%s\" has %d columns available but %d columns specified",
			cte.Name, len(cte.Columns), len(c.Aliascolnames))
	}
	for i, a := range c.Aliascolnames {
		cte.Columns[i].Name = a.GetString_().GetSval()
	}
	return nil
}

// recursiveCTE analyses `base UNION [ALL] step`: the base gives the columns that the step's self-reference sees.
func (s *state) recursiveCTE(cte *query.CTE, c *pg_query.CommonTableExpr) error {
	sel := c.Ctequery.GetSelectStmt()
	if sel == nil || sel.Op != pg_query.SetOperation_SETOP_UNION {
		return s.a.errorf(pgerror.InvalidRecursion, c.Location, "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term", cte.Name)
	}
	if sel.WithClause != nil || len(sel.SortClause) > 0 || sel.LimitCount != nil || sel.LimitOffset != nil || len(sel.LockingClause) > 0 {
		return s.a.errorf(pgerror.FeatureNotSupported, c.Location, "ORDER BY, LIMIT, WITH or FOR UPDATE in a recursive query is not implemented")
	}
	cte.Recursive = true
	if refersTo(sel.Larg, c.Ctename) {
		return s.a.errorf(pgerror.InvalidRecursion, c.Location, "recursive reference to query \"%s\" must not appear within its non-recursive term", cte.Name)
	}
	left, err := s.a.selectStmt(s, sel.Larg, nil)
	if err != nil {
		return err
	}
	if err := s.cteColumns(cte, c, visible(left)); err != nil {
		return err
	}
	depth := len(s.ctes)
	s.ctes = append(s.ctes, cte)
	right, err := s.a.selectStmt(s, sel.Rarg, nil)
	s.ctes = s.ctes[:depth]
	if err != nil {
		return err
	}
	if err := s.a.checkRecursion(right, cte.Name, c.Location); err != nil {
		return err
	}
	u := s.a.newState(s)
	top := &query.SetOp{Kind: query.Union, All: sel.All, Left: u.setLeaf(left), Right: u.setLeaf(right)}
	if err := u.matchColumns(top, int32(c.Location)); err != nil {
		return err
	}
	for i, col := range top.Columns {
		if col.Type != cte.Columns[i].Type {
			e := pgerror.Newf(pgerror.DatatypeMismatch, "recursive query \"%s\" column %d has type %s in non-recursive term but type %s overall",
				cte.Name, i+1, s.a.typeName(cte.Columns[i].Type), s.a.typeName(col.Type)).
				WithHint("Cast the output of the non-recursive term to the correct type.")
			return s.a.at(e, c.Location)
		}
	}
	u.q.SetOp = top
	u.setTargets(top, left)
	cte.Query = u.q
	return nil
}

// checkRecursion refuses a recursive term whose reference to itself stands where it has no meaning.
func (a *analyzer) checkRecursion(step *query.Query, name string, loc int32) error {
	r := recursion{}
	r.visit(step, 0)
	what := ""
	switch {
	case r.aggregated:
		return a.errorf(pgerror.InvalidRecursion, loc, "aggregate functions are not allowed in a recursive query's recursive term")
	case r.inSubLink:
		what = "within a subquery"
	case r.inOuterJoin:
		what = "within an outer join"
	case r.count > 1:
		what = "more than once"
	default:
		return nil
	}
	return a.errorf(pgerror.InvalidRecursion, loc, "recursive reference to query \"%s\" must not appear %s", name, what)
}

// recursion is what checkRecursion learns about the self-references of a recursive term.
type recursion struct {
	count                              int
	aggregated, inSubLink, inOuterJoin bool
}

// visit looks at a query that stands in FROM, level query levels inside the term.
func (r *recursion) visit(q *query.Query, level int) {
	before := r.count
	for _, f := range q.From {
		r.item(q, f, level, false)
	}
	if q.SetOp != nil {
		for _, e := range q.Range {
			if e.Kind == query.RangeSubquery {
				r.visit(e.Sub, level+1)
			}
		}
	}
	if r.count > before && q.HasAggs {
		r.aggregated = true
	}
	q.EachExpr(func(p *query.Expr) {
		query.Walk(*p, func(e query.Expr) bool {
			if x, ok := e.(*query.SubLink); ok {
				inner := recursion{}
				inner.visit(x.Query, level+1)
				r.inSubLink = r.inSubLink || inner.count > 0 || inner.inSubLink
			}
			return true
		})
	})
}

func (r *recursion) item(q *query.Query, f query.FromItem, level int, nullable bool) {
	switch f := f.(type) {
	case *query.FromJoin:
		r.item(q, f.Left, level, nullable || f.Type == query.JoinRight || f.Type == query.JoinFull)
		r.item(q, f.Right, level, nullable || f.Type == query.JoinLeft || f.Type == query.JoinFull)
	case *query.FromRef:
		e, before := q.Range[f.RTE-1], r.count
		switch {
		case e.Kind == query.RangeCTE && e.SelfRef && e.CTEUp == level+1:
			r.count++
		case e.Kind == query.RangeSubquery:
			r.visit(e.Sub, level+1)
		}
		r.inOuterJoin = r.inOuterJoin || nullable && r.count > before
	}
}

// refersTo tells whether a query's FROM clauses name a table, anywhere inside.
func refersTo(n protoreflect.ProtoMessage, name string) bool {
	found := false
	visitRangeVars(n, func(v *pg_query.RangeVar) {
		if v.Schemaname == "" && v.Relname == name {
			found = true
		}
	})
	return found
}

// cteRef makes the range entry of a reference to a CTE; nil when the name is none.
func (s *state) cteRef(n *pg_query.RangeVar) (*query.RangeEntry, error) {
	for st, up := s, 0; st != nil; st, up = st.parent, up+1 {
		for i := len(st.ctes) - 1; i >= 0; i-- {
			c := st.ctes[i]
			if c.Name != n.Relname {
				continue
			}
			c.Refs++
			e := &query.RangeEntry{Kind: query.RangeCTE, Alias: c.Name, CTE: c.Name, CTEUp: up, SelfRef: c.Recursive && c.Query == nil,
				Columns: append([]query.RangeColumn(nil), c.Columns...)}
			if c.Query != nil && c.Query.Command != query.Select && len(c.Query.Returning) == 0 {
				return nil, s.a.errorf(pgerror.FeatureNotSupported, n.Location, "WITH query \"%s\" does not have a RETURNING clause", c.Name)
			}
			return e, s.rename(e, n.Alias)
		}
	}
	return nil, nil
}

// setOperation analyses a tree of UNION, INTERSECT and EXCEPT.
func (s *state) setOperation(n *pg_query.SelectStmt) error {
	if len(n.LockingClause) > 0 {
		return pgerror.New(pgerror.FeatureNotSupported, "FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT")
	}
	var first *query.Query
	top, err := s.setTree(n, true, &first)
	if err != nil {
		return err
	}
	s.q.SetOp = top
	s.setTargets(top, first)
	it := &item{colsVisible: true, lateralOK: true}
	for _, t := range s.q.Targets {
		it.cols = append(it.cols, column{t.Name, t.Expr})
	}
	// ORDER BY may name output columns only.
	before := len(s.q.Targets)
	s.ns = []*item{it}
	if err := s.orderBy(n.SortClause); err != nil {
		return err
	}
	s.ns = nil
	if len(s.q.Targets) != before {
		e := pgerror.New(pgerror.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
			WithDetail("Only result column names can be used, not expressions or functions.").
			WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
		return s.a.at(e, int32(s.q.Targets[before].Expr.Loc()))
	}
	return s.limit(n)
}

// setTree analyses a node of the tree; a branch with clauses of its own is a leaf.
func (s *state) setTree(n *pg_query.SelectStmt, top bool, first **query.Query) (*query.SetOp, error) {
	own := len(n.SortClause) > 0 || n.LimitCount != nil || n.LimitOffset != nil || n.WithClause != nil || len(n.LockingClause) > 0
	if n.Op == pg_query.SetOperation_SETOP_NONE || own && !top {
		parent := &state{a: s.a, parent: s.parent, q: s.q, ctes: s.ctes, clause: s.clause}
		q, err := s.a.selectStmt(parent, n, nil)
		if err != nil {
			return nil, err
		}
		if *first == nil {
			*first = q
		}
		return s.setLeaf(q), nil
	}
	left, err := s.setTree(n.Larg, false, first)
	if err != nil {
		return nil, err
	}
	right, err := s.setTree(n.Rarg, false, first)
	if err != nil {
		return nil, err
	}
	op := &query.SetOp{All: n.All, Left: left, Right: right}
	switch n.Op {
	case pg_query.SetOperation_SETOP_INTERSECT:
		op.Kind = query.Intersect
	case pg_query.SetOperation_SETOP_EXCEPT:
		op.Kind = query.Except
	}
	return op, s.matchColumns(op, -1)
}

func (s *state) setLeaf(q *query.Query) *query.SetOp {
	rte := s.addRange(subqueryEntry(q, "*SELECT* "+itoa(len(s.q.Range)+1)))
	return &query.SetOp{RTE: rte, Columns: s.q.Range[rte-1].Columns}
}

var setNames = [...]string{query.Union: "UNION", query.Intersect: "INTERSECT", query.Except: "EXCEPT"}

// matchColumns finds the column types of a set operation and coerces its leaves to them.
func (s *state) matchColumns(op *query.SetOp, loc int32) error {
	what := setNames[op.Kind]
	l, r := op.Left.Columns, op.Right.Columns
	if len(l) != len(r) {
		return s.a.errorf(pgerror.SyntaxError, loc, "each %s query must have the same number of columns", what)
	}
	op.Columns, op.Group = nil, nil
	for i := range l {
		lx, rx := s.sample(op.Left, i), s.sample(op.Right, i)
		typ, err := s.a.commonType([]query.Expr{lx, rx}, what)
		if err != nil {
			return err
		}
		if err := s.coerceLeaves(op.Left, i, typ, what); err != nil {
			return err
		}
		if err := s.coerceLeaves(op.Right, i, typ, what); err != nil {
			return err
		}
		mod := int32(-1)
		if l[i].Type == typ && r[i].Type == typ && l[i].Typmod == r[i].Typmod {
			mod = l[i].Typmod
		}
		op.Columns = append(op.Columns, query.RangeColumn{Name: l[i].Name, Type: typ, Typmod: mod, Collation: s.a.collationOf(typ)})
		if op.All && op.Kind == query.Union {
			continue
		}
		o, err := s.a.orderingOf(typ)
		if err != nil {
			return err
		}
		if o.equal == 0 {
			return s.a.errorf(pgerror.UndefinedFunction, int32(lx.Loc()), "could not identify an equality operator for type %s", s.a.typeName(typ))
		}
		op.Group = append(op.Group, &query.SortItem{Ref: i + 1, EqOp: o.equal, SortOp: o.less, Hashable: o.hash})
	}
	return nil
}

// sample gives an expression of a column's type, a literal itself where the leaf has one that may still be typed.
func (s *state) sample(op *query.SetOp, i int) query.Expr {
	c := op.Columns[i]
	x := &query.CaseArg{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: -1}}
	if op.RTE > 0 {
		t := visible(s.q.Range[op.RTE-1].Sub)[i]
		x.Offset = t.Expr.Loc()
		if k, ok := t.Expr.(*query.Const); ok && k.Typ == types.OIDText && (k.Slot >= 0 || k.Value.Null) {
			x.Typ = types.OIDUnknown
		}
	}
	return x
}

// coerceLeaves makes every leaf below op give column i the type typ.
func (s *state) coerceLeaves(op *query.SetOp, i int, typ base.OID, what string) error {
	if op.RTE == 0 {
		if err := s.coerceLeaves(op.Left, i, typ, what); err != nil {
			return err
		}
		op.Columns[i].Type = typ
		return s.coerceLeaves(op.Right, i, typ, what)
	}
	r := s.q.Range[op.RTE-1]
	t := visible(r.Sub)[i]
	if t.Expr.Type() == typ {
		return nil
	}
	e := t.Expr
	if k, ok := e.(*query.Const); ok && k.Typ == types.OIDText && (k.Slot >= 0 || k.Value.Null) && t.Ref == 0 {
		c := *k
		c.Typ = types.OIDUnknown
		e = &c
	}
	x, err := s.coerceTo(e, typ, -1, implicit)
	if err != nil {
		return err
	}
	if x == nil {
		return s.a.errorf(pgerror.CannotCoerce, int32(e.Loc()), "%s could not convert type %s to %s", what, s.a.typeName(e.Type()), s.a.typeName(typ))
	}
	if r.Sub.SetOp != nil || t.Ref != 0 || len(r.Sub.Distinct) > 0 {
		return s.wrapLeaf(op, i, typ)
	}
	t.Expr = x
	r.Columns[i] = columnOf(t)
	op.Columns[i] = r.Columns[i]
	return nil
}

// wrapLeaf puts a select around a leaf whose own column cannot be replaced: it is a sort or grouping key there.
func (s *state) wrapLeaf(op *query.SetOp, i int, typ base.OID) error {
	r := s.q.Range[op.RTE-1]
	w := s.a.newState(nil)
	it := w.addEntry(subqueryEntry(r.Sub, r.Alias), true)
	w.q.From = []query.FromItem{&query.FromRef{RTE: it.rte}}
	w.q.Targets = w.starOf(it, 0, -1)
	raiseLevels(r.Sub, 1)
	x, err := w.coerceTo(w.q.Targets[i].Expr, typ, -1, implicit)
	if err != nil {
		return err
	}
	w.q.Targets[i].Expr = x
	r.Sub = w.q
	r.Columns[i] = columnOf(w.q.Targets[i])
	op.Columns[i] = r.Columns[i]
	return nil
}

// raiseLevels adjusts references out of q for q having moved further in.
func raiseLevels(q *query.Query, by int) {
	q.WalkLevels(func(e query.Expr, level int) {
		switch x := e.(type) {
		case *query.Var:
			if x.Up > level {
				x.Up += by
			}
		case *query.Aggref:
			if x.Up > level {
				x.Up += by
			}
		}
	})
	raiseCTEs(q, 0, by)
}

func raiseCTEs(q *query.Query, level, by int) {
	for _, r := range q.Range {
		if r.Kind == query.RangeCTE && r.CTEUp > level {
			r.CTEUp += by
		}
	}
	q.EachQuery(func(sub *query.Query) { raiseCTEs(sub, level+1, by) })
}

// setTargets gives the query of a set operation its output columns: Vars of the first leaf, with the operation's types.
func (s *state) setTargets(op *query.SetOp, first *query.Query) {
	names := visible(first)
	for i, c := range op.Columns {
		s.q.Targets = append(s.q.Targets, &query.Target{Name: names[i].Name, Expr: &query.Var{
			T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: names[i].Expr.Loc()}, RTE: leftmost(op), Attr: i + 1}})
	}
}

func leftmost(op *query.SetOp) int {
	for op.RTE == 0 {
		op = op.Left
	}
	return op.RTE
}
