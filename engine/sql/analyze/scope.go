package analyze

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// names gives the parts of a dotted name; a star is the last part "*".
func names(list []*pg_query.Node) []string {
	out := make([]string, 0, len(list))
	for _, n := range list {
		switch v := n.GetNode().(type) {
		case *pg_query.Node_String_:
			out = append(out, v.String_.Sval)
		case *pg_query.Node_AStar:
			out = append(out, "*")
		}
	}
	return out
}

// raise gives a copy of a level-0 expression as it reads `up` levels further in.
func raise(e query.Expr, up int, loc int32) query.Expr {
	if v, ok := e.(*query.Var); ok {
		c := *v
		c.Up += up
		c.Offset = int(loc)
		return &c
	}
	if up == 0 {
		return e
	}
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if v, ok := x.(*query.Var); ok {
			c := *v
			c.Up += up
			return &c, true
		}
		return nil, false
	})
}

var systemColumns = []struct {
	name string
	attr int
	typ  base.OID
}{
	{"ctid", query.AttrCtid, types.OIDTID}, {"xmin", query.AttrXmin, types.OIDXID}, {"cmin", query.AttrCmin, types.OIDCID},
	{"xmax", query.AttrXmax, types.OIDXID}, {"cmax", query.AttrCmax, types.OIDCID},
	{"tableoid", query.AttrTableOID, types.OIDOID},
}

// findIn looks a column up in one item.
func (s *state) findIn(it *item, name string, up int, loc int32) (query.Expr, error) {
	var found query.Expr
	for _, c := range it.cols {
		if c.name != name {
			continue
		}
		if found != nil {
			return nil, s.a.errorf(pgerror.AmbiguousColumn, loc, "column reference \"%s\" is ambiguous", name)
		}
		found = raise(c.expr, up, loc)
	}
	if found != nil {
		s.noteSelected(found)
		return found, nil
	}
	if it.entry != nil && it.entry.Kind == query.RangeRelation && it.entry.Rel.Kind != 'v' {
		for _, c := range systemColumns {
			if c.name == name {
				return &query.Var{T: query.T{Typ: c.typ, Mod: -1, Offset: int(loc)}, RTE: it.rte, Attr: c.attr, Up: up}, nil
			}
		}
	}
	return nil, nil
}

// noteSelected records the columns an expression reads, for privileges.
func (s *state) noteSelected(e query.Expr) {
	query.Walk(e, func(x query.Expr) bool {
		if v, ok := x.(*query.Var); ok {
			st := s
			for range v.Up {
				st = st.parent
			}
			if r := st.q.Range[v.RTE-1]; r.Rel != nil {
				noteRead(r, v.Attr)
			}
		}
		return true
	})
}

// noteRead tells that a statement reads a column, or with zero the whole row.
func noteRead(r *query.RangeEntry, attr int) {
	r.Privileges |= PrivSelect
	r.SelectedCols = append(r.SelectedCols, attr)
}

func (s *state) reachable(it *item, loc int32) error {
	if !it.lateralOnly || it.lateralOK {
		return nil
	}
	err := pgerror.Newf(pgerror.InvalidColumnReference, "invalid reference to FROM-clause entry for table \"%s\"", it.name).
		WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
	return s.a.at(err, loc)
}

// column resolves an unqualified name; nil when there is none.
func (s *state) column(name string, loc int32) (query.Expr, error) {
	for st, up := s, 0; st != nil; st, up = st.parent, up+1 {
		var found query.Expr
		for _, it := range st.ns {
			if !it.colsVisible || it.lateralOnly && !st.lateral {
				continue
			}
			e, err := s.findIn(it, name, up, loc)
			if err != nil {
				return nil, err
			}
			if e == nil {
				continue
			}
			if found != nil {
				return nil, s.a.errorf(pgerror.AmbiguousColumn, loc, "column reference \"%s\" is ambiguous", name)
			}
			if err := s.reachable(it, loc); err != nil {
				return nil, err
			}
			found = e
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, nil
}

// table finds a visible item by its name, and the levels up to it.
func (s *state) table(schema, name string, loc int32) (*item, int, error) {
	for st, up := s, 0; st != nil; st, up = st.parent, up+1 {
		var found *item
		for _, it := range st.ns {
			if !it.relVisible || it.name != name || it.lateralOnly && !st.lateral {
				continue
			}
			if schema != "" && it.schema != schema {
				continue
			}
			if found != nil {
				return nil, 0, s.a.errorf(pgerror.AmbiguousAlias, loc, "table reference \"%s\" is ambiguous", name)
			}
			if err := s.reachable(it, loc); err != nil {
				return nil, 0, err
			}
			found = it
		}
		if found != nil {
			return found, up, nil
		}
	}
	return nil, 0, nil
}

// columnRef resolves a, t.a, s.t.a and db.s.t.a, and t as a whole row.
func (s *state) columnRef(n *pg_query.ColumnRef) (query.Expr, error) {
	parts := names(n.Fields)
	loc := n.Location
	if parts[len(parts)-1] == "*" {
		return s.wholeRow(parts, loc)
	}
	if len(parts) == 1 {
		e, err := s.column(parts[0], loc)
		if e != nil || err != nil {
			return e, err
		}
		it, up, err := s.table("", parts[0], loc)
		if err != nil {
			return nil, err
		}
		if it != nil {
			return s.rowOf(it, up, loc)
		}
		return nil, s.noColumn("", parts[0], loc)
	}
	schema, table, name := "", parts[len(parts)-2], parts[len(parts)-1]
	if len(parts) > 2 {
		schema = parts[len(parts)-3]
	}
	if len(parts) > 4 {
		return nil, s.a.errorf(pgerror.SyntaxError, loc, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
	}
	it, up, err := s.table(schema, table, loc)
	if err != nil {
		return nil, err
	}
	if it == nil {
		if len(parts) == 2 {
			if e, err := s.fieldOfColumn(parts, loc); e != nil || err != nil {
				return e, err
			}
		}
		return nil, s.noTable(schema, table, loc)
	}
	e, err := s.findIn(it, name, up, loc)
	if e != nil || err != nil {
		return e, err
	}
	return nil, s.noColumn(table, name, loc)
}

// fieldOfColumn reads a.b as field b of the composite column a; nil when a is no such column.
func (s *state) fieldOfColumn(parts []string, loc int32) (query.Expr, error) {
	e, err := s.column(parts[0], loc)
	if e == nil || err != nil {
		return nil, err
	}
	t, err := s.a.view.MustType(e.Type())
	if err != nil || t.Kind != 'c' {
		return nil, err
	}
	return s.field(e, parts[1], loc)
}

func (s *state) wholeRow(parts []string, loc int32) (query.Expr, error) {
	if len(parts) < 2 {
		return nil, s.a.errorf(pgerror.SyntaxError, loc, "row expansion via \"*\" is not supported here")
	}
	it, up, err := s.table(schemaPart(parts), parts[len(parts)-2], loc)
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, s.noTable(schemaPart(parts), parts[len(parts)-2], loc)
	}
	return s.rowOf(it, up, loc)
}

func schemaPart(parts []string) string {
	if len(parts) > 2 {
		return parts[len(parts)-3]
	}
	return ""
}

// rowOf makes the whole-row value of an item: a scalar function's is its one column.
func (s *state) rowOf(it *item, up int, loc int32) (query.Expr, error) {
	if it.entry != nil && it.entry.Kind == query.RangeFunction && len(it.cols) == 1 && !it.entry.Ordinal &&
		it.entry.Funcs[0].Type() == it.entry.Columns[0].Type {
		return raise(it.cols[0].expr, up, loc), nil
	}
	if it.entry != nil && it.entry.Rel != nil {
		v := &query.Var{T: query.T{Typ: it.entry.Rel.RowType, Mod: -1, Offset: int(loc)}, RTE: it.rte, Attr: 0, Up: up}
		s.noteSelected(v)
		if it.entry.Rel.RowType != 0 {
			return v, nil
		}
	}
	r := &query.RowExpr{T: query.T{Typ: types.OIDRecord, Mod: -1, Offset: int(loc)}}
	for _, c := range it.cols {
		r.Args = append(r.Args, raise(c.expr, up, loc))
		r.Names = append(r.Names, c.name)
	}
	return r, nil
}

func (s *state) noColumn(table, name string, loc int32) error {
	if table != "" {
		return s.a.errorf(pgerror.UndefinedColumn, loc, "column %s.%s does not exist", table, name)
	}
	err := pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" does not exist", name)
	if hint := s.nearest(name); hint != "" {
		err.Hint = hint
	}
	return s.a.at(err, loc)
}

// nearest gives PostgreSQL's hint for a name that is close to one in reach.
func (s *state) nearest(name string) string {
	best, bestDistance, second := "", 4, ""
	for _, it := range s.ns {
		for _, c := range it.cols {
			d := distance(name, c.name)
			full := it.name + "." + c.name
			switch {
			case d < bestDistance:
				best, bestDistance, second = full, d, ""
			case d == bestDistance && best != "":
				second = full
			}
		}
	}
	if best == "" || bestDistance > len(name)/2 {
		return ""
	}
	if second != "" {
		return "Perhaps you meant to reference the column \"" + best + "\" or the column \"" + second + "\"."
	}
	return "Perhaps you meant to reference the column \"" + best + "\"."
}

// distance is the Levenshtein distance, for short names.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		diag := prev[0]
		prev[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, prev[j+1] = prev[j+1], min(prev[j+1]+1, prev[j]+1, diag+cost)
		}
	}
	return prev[len(b)]
}

func (s *state) noTable(schema, table string, loc int32) error {
	full := table
	if schema != "" {
		full = schema + "." + table
	}
	for st := s; st != nil; st = st.parent {
		for _, r := range st.q.Range {
			if r.Rel == nil || r.Rel.Name != table && r.Alias != table {
				continue
			}
			err := pgerror.Newf(pgerror.UndefinedTable, "invalid reference to FROM-clause entry for table \"%s\"", table)
			if r.Alias != table {
				return s.a.at(err.WithHint("Perhaps you meant to reference the table alias \"%s\".", r.Alias), loc)
			}
			if schema == "" {
				return s.a.at(err.WithHint("There is an entry for table \"%s\", but it cannot be referenced from this part of the query.", table), loc)
			}
		}
	}
	return s.a.errorf(pgerror.UndefinedTable, loc, "missing FROM-clause entry for table \"%s\"", full)
}

// field selects a field of a composite value by name.
func (s *state) field(e query.Expr, name string, loc int32) (query.Expr, error) {
	if r, ok := e.(*query.RowExpr); ok {
		for i, n := range r.Names {
			if n == name {
				return r.Args[i], nil
			}
		}
	}
	t, err := s.a.view.MustType(e.Type())
	if err != nil {
		return nil, err
	}
	if t.RelID != 0 {
		rel, err := s.a.view.Relation(t.RelID)
		if err != nil {
			return nil, err
		}
		if rel != nil {
			if n := rel.ColumnByName(name); n > 0 {
				c := &rel.Columns[n-1]
				if v, ok := e.(*query.Var); ok && v.Attr == 0 {
					return &query.Var{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: int(loc)}, RTE: v.RTE, Attr: n, Up: v.Up}, nil
				}
				return &query.FieldSelect{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: int(loc)}, Arg: e, Field: n}, nil
			}
			return nil, s.a.errorf(pgerror.UndefinedColumn, loc, "column \"%s\" not found in data type %s", name, s.a.typeName(t.OID))
		}
	}
	if e.Type() == types.OIDRecord {
		return s.recordField(e, name, loc)
	}
	return nil, s.a.errorf(pgerror.WrongObjectType, loc, "column notation .%s applied to type %s, which is not a composite type", name, s.a.typeName(t.OID))
}
