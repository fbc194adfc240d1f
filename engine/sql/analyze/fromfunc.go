package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// functionColumns gives the columns a function in FROM yields: those of its OUT parameters, of its row type or of its column
// definition list, or one.
func (s *state) functionColumns(x query.Expr, name string, n *pg_query.RangeFunction, defs []*pg_query.Node) ([]query.RangeColumn, error) {
	var out []query.RangeColumn
	var err error
	if f, ok := x.(*query.FuncExpr); ok {
		if out, err = s.a.outColumns(f); err != nil {
			return nil, err
		}
	}
	if defs != nil {
		return s.definedColumns(x, out, n, defs)
	}
	if len(out) > 1 || len(out) == 1 && (x.Type() == types.OIDRecord || n.Alias == nil) {
		return out, nil
	}
	t, err := s.a.view.MustType(x.Type())
	if err != nil {
		return nil, err
	}
	if t.Kind == 'c' {
		rel, err := s.a.view.Relation(t.RelID)
		if err != nil || rel == nil {
			return nil, err
		}
		return RelationEntry(rel).Columns, nil
	}
	if x.Type() == types.OIDRecord {
		return nil, s.a.errorf(pgerror.SyntaxError, int32(x.Loc()), "a column definition list is required for functions returning \"record\"")
	}
	return []query.RangeColumn{{Name: name, Type: x.Type(), Typmod: x.Typmod(), Collation: x.Collation()}}, nil
}

// definedColumns reads a column definition list, which only a function returning record may have, and must have unless its
// OUT parameters tell.
func (s *state) definedColumns(x query.Expr, out []query.RangeColumn, n *pg_query.RangeFunction, defs []*pg_query.Node) ([]query.RangeColumn, error) {
	at := defs[0].GetColumnDef().GetLocation()
	switch {
	case n.Ordinality && len(n.Coldeflist) > 0:
		return nil, s.a.at(pgerror.New(pgerror.SyntaxError, "WITH ORDINALITY cannot be used with a column definition list").
			WithHint("Put the column definition list inside ROWS FROM()."), at)
	case len(n.Functions) > 1 && len(n.Coldeflist) > 0:
		return nil, s.a.at(pgerror.New(pgerror.SyntaxError, "ROWS FROM() with multiple functions cannot have a column definition list").
			WithHint("Put a separate column definition list for each function inside ROWS FROM()."), at)
	case len(out) > 0 && x.Type() == types.OIDRecord:
		return nil, s.a.errorf(pgerror.SyntaxError, at, "a column definition list is redundant for a function with OUT parameters")
	case x.Type() != types.OIDRecord:
		t, err := s.a.view.MustType(x.Type())
		if err != nil {
			return nil, err
		}
		if t.Kind == 'c' {
			return nil, s.a.errorf(pgerror.SyntaxError, at, "a column definition list is redundant for a function returning a named composite type")
		}
		return nil, s.a.errorf(pgerror.SyntaxError, at, "a column definition list is only allowed for functions returning \"record\"")
	}
	var cols []query.RangeColumn
	for _, def := range defs {
		c, err := s.definedColumn(def.GetColumnDef())
		if err != nil {
			return nil, err
		}
		for _, o := range cols {
			if o.Name == c.Name {
				return nil, pgerror.Newf(pgerror.DuplicateColumn, "column name \"%s\" specified more than once", c.Name)
			}
		}
		cols = append(cols, c)
	}
	if len(cols) > maxDefinedColumns {
		return nil, s.a.errorf(pgerror.TooManyColumns, at, "functions in FROM can return at most %d columns", maxDefinedColumns)
	}
	if f, ok := x.(*query.FuncExpr); ok {
		f.Columns = cols
	}
	return cols, nil
}

// maxDefinedColumns is PostgreSQL's limit of columns of a row in memory.
const maxDefinedColumns = 1664

func (s *state) definedColumn(def *pg_query.ColumnDef) (query.RangeColumn, error) {
	c := query.RangeColumn{Name: def.Colname}
	if def.TypeName.GetSetof() {
		return c, s.a.errorf(pgerror.InvalidTableDefinition, def.Location, "column \"%s\" cannot be declared SETOF", def.Colname)
	}
	typ, mod, err := s.a.TypeName(def.TypeName)
	if err != nil {
		return c, err
	}
	c.Type, c.Typmod, c.Collation = typ, mod, s.a.collationOf(typ)
	t, err := s.a.view.MustType(typ)
	if err != nil {
		return c, err
	}
	if t.Kind == 'p' && typ != types.OIDRecord && typ != types.OIDRecordArray {
		return c, pgerror.Newf(pgerror.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", c.Name, s.a.typeName(typ))
	}
	if def.CollClause != nil {
		if c.Collation, err = s.a.Collation(names(def.CollClause.Collname), def.CollClause.Location); err != nil {
			return c, err
		}
	}
	return c, nil
}
