package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
)

// findTarget finds the output column that an item of ORDER BY, GROUP BY or DISTINCT ON means: by name (SQL92), by position,
// or by its expression, which is added as junk when no output column is equal to it.
func (s *state) findTarget(n *pg_query.Node, list *[]*query.Target, what string) (*query.Target, error) {
	if c := n.GetColumnRef(); c != nil && len(c.Fields) == 1 && c.Fields[0].GetString_() != nil {
		t, err := s.byName(c, *list, what)
		if t != nil || err != nil {
			return t, err
		}
	}
	if c := n.GetAConst(); c != nil {
		if _, ok := c.Val.(*pg_query.A_Const_Ival); !ok && !(c.Val == nil && !c.Isnull) {
			return nil, s.a.errorf(pgerror.SyntaxError, c.Location, "non-integer constant in %s", what)
		}
		pos := int(c.GetIval().GetIval())
		k := 0
		for _, t := range *list {
			if t.Junk {
				continue
			}
			if k++; k == pos {
				return t, nil
			}
		}
		return nil, s.a.errorf(pgerror.InvalidColumnReference, c.Location, "%s position %d is not in select list", what, pos)
	}
	return s.byExpr(n, list, what)
}

func (s *state) byName(c *pg_query.ColumnRef, list []*query.Target, what string) (*query.Target, error) {
	name := c.Fields[0].GetString_().Sval
	if what == "GROUP BY" {
		// An input column of the name wins over an output column.
		if e, err := s.column(name, c.Location); err != nil || e != nil {
			return nil, err
		}
	}
	var found *query.Target
	for _, t := range list {
		if t.Junk || t.Name != name {
			continue
		}
		if found != nil && !s.a.same(found.Expr, t.Expr) {
			return nil, s.a.errorf(pgerror.AmbiguousColumn, c.Location, "%s \"%s\" is ambiguous", what, name)
		}
		if found == nil {
			found = t
		}
	}
	return found, nil
}

func (s *state) byExpr(n *pg_query.Node, list *[]*query.Target, what string) (*query.Target, error) {
	result := what == "ORDER BY" || what == "DISTINCT ON"
	s.clause = clause{name: what, aggs: result || what == clauseWindow, windows: result, srfs: what != "aggregate ORDER BY",
		inTarget: what == "ORDER BY" || what == clauseWindow}
	e, err := s.expr(n)
	if err != nil {
		return nil, err
	}
	for _, t := range *list {
		if s.a.same(t.Expr, e) {
			return t, nil
		}
	}
	t := &query.Target{Expr: e, Junk: true}
	*list = append(*list, t)
	return t, nil
}

// sortBy makes a sort item of an ORDER BY entry. Names and positions of output columns count in a query's own ORDER BY only.
func (s *state) sortBy(n *pg_query.SortBy, list *[]*query.Target, what string) (*query.SortItem, error) {
	var t *query.Target
	var err error
	if what == "ORDER BY" {
		t, err = s.findTarget(n.Node, list, what)
	} else {
		t, err = s.byExpr(n.Node, list, what)
	}
	if err != nil {
		return nil, err
	}
	if t.Expr, err = s.resolveUnknown(t.Expr); err != nil {
		return nil, err
	}
	return s.sortKey(n, t)
}

// sortKey makes the sort key that a target is.
func (s *state) sortKey(n *pg_query.SortBy, t *query.Target) (*query.SortItem, error) {
	o, err := s.a.orderingOf(t.Expr.Type())
	if err != nil {
		return nil, err
	}
	if len(n.UseOp) > 0 {
		op, err := s.a.operator(names(n.UseOp), t.Expr.Type(), t.Expr.Type(), n.Location)
		if err != nil {
			return nil, err
		}
		if op.OID != o.less && op.OID != o.greater {
			return nil, pgerror.Unsupported("ORDER BY USING operator %s", op.Name)
		}
		if op.OID == o.greater {
			n.SortbyDir = pg_query.SortByDir_SORTBY_DESC
		}
	}
	if o.less == 0 {
		e := pgerror.Newf(pgerror.UndefinedFunction, "could not identify an ordering operator for type %s", s.a.typeName(t.Expr.Type())).
			WithHint("Use an explicit ordering operator or modify the query.")
		return nil, s.a.at(e, int32(t.Expr.Loc()))
	}
	item := &query.SortItem{EqOp: o.equal, SortOp: o.less, Hashable: o.hash, Descending: n.SortbyDir == pg_query.SortByDir_SORTBY_DESC}
	if item.Descending {
		item.SortOp = o.greater
	}
	switch n.SortbyNulls {
	case pg_query.SortByNulls_SORTBY_NULLS_FIRST:
		item.NullsFirst = true
	case pg_query.SortByNulls_SORTBY_NULLS_LAST:
	default:
		item.NullsFirst = item.Descending
	}
	item.Ref = s.refOf(t)
	return item, nil
}

func (s *state) refOf(t *query.Target) int {
	if t.Ref == 0 {
		t.Ref = s.nextRef()
	}
	return t.Ref
}

func (s *state) orderBy(list []*pg_query.Node) error {
	for _, n := range list {
		item, err := s.sortBy(n.GetSortBy(), &s.q.Targets, "ORDER BY")
		if err != nil {
			return err
		}
		if !hasRef(s.q.OrderBy, item.Ref) {
			s.q.OrderBy = append(s.q.OrderBy, item)
		}
	}
	return nil
}

func hasRef(items []*query.SortItem, ref int) bool {
	for _, i := range items {
		if i.Ref == ref {
			return true
		}
	}
	return false
}

// groupItem makes a key of GROUP BY or DISTINCT over a target.
func (s *state) groupItem(t *query.Target, loc int32) (*query.SortItem, error) {
	var err error
	if t.Expr, err = s.resolveUnknown(t.Expr); err != nil {
		return nil, err
	}
	o, err := s.a.orderingOf(t.Expr.Type())
	if err != nil {
		return nil, err
	}
	if o.equal == 0 {
		return nil, s.a.errorf(pgerror.UndefinedFunction, loc, "could not identify an equality operator for type %s", s.a.typeName(t.Expr.Type()))
	}
	return &query.SortItem{Ref: s.refOf(t), EqOp: o.equal, SortOp: o.less, Hashable: o.hash}, nil
}

func (s *state) groupBy(list []*pg_query.Node) error {
	for _, n := range list {
		if n.GetGroupingSet() != nil {
			return pgerror.Unsupported("GROUPING SETS")
		}
		items := []*pg_query.Node{n}
		if r := n.GetRowExpr(); r != nil && r.RowFormat == pg_query.CoercionForm_COERCE_IMPLICIT_CAST {
			items = r.Args
		}
		for _, x := range items {
			t, err := s.findTarget(x, &s.q.Targets, "GROUP BY")
			if err != nil {
				return err
			}
			if containsAgg(t.Expr) {
				return s.a.errorf(pgerror.GroupingError, int32(t.Expr.Loc()), "aggregate functions are not allowed in GROUP BY")
			}
			if w := findExpr(t.Expr, isWindowFunc); w != nil {
				return s.a.errorf(pgerror.WindowingError, int32(w.Loc()), "window functions are not allowed in GROUP BY")
			}
			if t.Ref != 0 && hasRef(s.q.GroupBy, t.Ref) {
				continue
			}
			item, err := s.groupItem(t, int32(t.Expr.Loc()))
			if err != nil {
				return err
			}
			for _, o := range s.q.OrderBy { // sort as ORDER BY wants it, so that one sort serves both
				if o.Ref == item.Ref {
					item = o
				}
			}
			s.q.GroupBy = append(s.q.GroupBy, item)
		}
	}
	if len(list) > 0 && len(s.q.GroupBy) == 0 {
		return pgerror.Unsupported("GROUP BY ()")
	}
	return nil
}

func containsAgg(e query.Expr) bool {
	return query.Any(e, func(x query.Expr) bool { a, ok := x.(*query.Aggref); return ok && a.Up == 0 })
}

func (s *state) distinctClause(list []*pg_query.Node) error {
	if len(list) == 0 {
		return nil
	}
	if len(list) == 1 && list[0].GetNode() == nil {
		return s.distinctAll()
	}
	return s.distinctOn(list)
}

// distinctAll makes SELECT DISTINCT: the keys of ORDER BY lead, which must all be output columns.
func (s *state) distinctAll() error {
	for _, o := range s.q.OrderBy {
		for _, t := range s.q.Targets {
			if t.Ref == o.Ref && t.Junk {
				return s.a.errorf(pgerror.InvalidColumnReference, int32(t.Expr.Loc()), "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
			}
		}
		s.q.Distinct = append(s.q.Distinct, o)
	}
	for _, t := range s.q.Targets {
		if t.Junk || t.Ref != 0 && hasRef(s.q.Distinct, t.Ref) {
			continue
		}
		item, err := s.groupItem(t, int32(t.Expr.Loc()))
		if err != nil {
			return err
		}
		s.q.Distinct = append(s.q.Distinct, item)
	}
	return nil
}

func (s *state) distinctOn(list []*pg_query.Node) error {
	s.q.DistinctOn = true
	refs := map[int]*query.Target{}
	var order []*query.Target
	for _, n := range list {
		t, err := s.findTarget(n, &s.q.Targets, "DISTINCT ON")
		if err != nil {
			return err
		}
		if ref := s.refOf(t); refs[ref] == nil {
			refs[ref] = t
			order = append(order, t)
		}
	}
	skipped := false
	for _, o := range s.q.OrderBy {
		if refs[o.Ref] == nil {
			skipped = true
			continue
		}
		if skipped {
			return s.a.errorf(pgerror.InvalidColumnReference, int32(refs[o.Ref].Expr.Loc()), "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
		}
		s.q.Distinct = append(s.q.Distinct, o)
	}
	for _, t := range order {
		if hasRef(s.q.Distinct, t.Ref) {
			continue
		}
		if skipped {
			return s.a.errorf(pgerror.InvalidColumnReference, int32(t.Expr.Loc()), "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
		}
		item, err := s.groupItem(t, int32(t.Expr.Loc()))
		if err != nil {
			return err
		}
		s.q.Distinct = append(s.q.Distinct, item)
	}
	return nil
}
