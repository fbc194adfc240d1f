package analyze

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

// shapeOf gives the columns of a value of type record, by what makes the value; nil when that does not tell.
func (s *state) shapeOf(e query.Expr) ([]query.RangeColumn, error) {
	var levels []*query.Query
	for st := s; st != nil; st = st.parent {
		levels = append(levels, st.q)
	}
	return s.a.shapeOf(e, levels)
}

// shapeOf is state.shapeOf within queries, the innermost first.
func (a *analyzer) shapeOf(e query.Expr, levels []*query.Query) ([]query.RangeColumn, error) {
	if e.Type() != types.OIDRecord {
		return nil, nil
	}
	switch e := e.(type) {
	case *query.FuncExpr:
		if e.Columns != nil {
			return e.Columns, nil
		}
		return a.outColumns(e)
	case *query.RowExpr:
		var cols []query.RangeColumn
		for i, x := range e.Args {
			cols = append(cols, query.RangeColumn{Name: e.Names[i], Type: x.Type(), Typmod: x.Typmod(), Collation: x.Collation()})
		}
		return cols, nil
	case *query.Var:
		if e.Up >= len(levels) || e.Attr < 1 {
			return nil, nil
		}
		return a.shapeOfColumn(e, levels[e.Up:])
	}
	return nil, nil
}

// shapeOfColumn follows a column of the first of the levels to what it is made of.
func (a *analyzer) shapeOfColumn(v *query.Var, levels []*query.Query) ([]query.RangeColumn, error) {
	r := levels[0].Range[v.RTE-1]
	within := func(q *query.Query, around []*query.Query) ([]query.RangeColumn, error) {
		if q == nil || v.Attr > len(visible(q)) {
			return nil, nil
		}
		return a.shapeOf(visible(q)[v.Attr-1].Expr, append([]*query.Query{q}, around...))
	}
	switch {
	case r.Kind == query.RangeSubquery:
		return within(r.Sub, levels)
	case r.Kind == query.RangeJoin && v.Attr <= len(r.Join.Aliases):
		return a.shapeOf(r.Join.Aliases[v.Attr-1], levels)
	case r.Kind == query.RangeValues && len(r.Values) > 0:
		return a.shapeOf(r.Values[0][v.Attr-1], levels)
	case r.Kind == query.RangeCTE && !r.SelfRef && r.CTEUp < len(levels):
		around := levels[r.CTEUp:]
		for _, c := range around[0].CTEs {
			if c.Name == r.CTE && c.Query != nil && c.Query.Command == query.Select {
				return within(c.Query, around)
			}
		}
	}
	return nil, nil
}

// outColumns gives the columns that the OUT parameters of a function make; nil when it has none.
func (a *analyzer) outColumns(f *query.FuncExpr) ([]query.RangeColumn, error) {
	p, err := a.view.MustProc(f.Func)
	if err != nil {
		return nil, err
	}
	var cols []query.RangeColumn
	for i, m := range p.Modes {
		if m != 'o' && m != 'b' && m != 't' {
			continue
		}
		typ := p.AllArgs[i]
		if polymorphic(typ) {
			if typ, err = a.outType(f, p.Args, typ); err != nil {
				return nil, err
			}
		}
		c := query.RangeColumn{Type: typ, Typmod: -1, Collation: a.collationOf(typ)}
		if i < len(p.Names) {
			c.Name = p.Names[i]
		}
		cols = append(cols, c)
	}
	return cols, nil
}

// outType finds what a polymorphic type stands for in a call.
func (a *analyzer) outType(f *query.FuncExpr, declared []base.OID, typ base.OID) (base.OID, error) {
	var p poly
	for i, d := range declared {
		if polymorphic(d) && i < len(f.Args) {
			if err := p.note(a, d, f.Args[i].Type()); err != nil {
				return 0, err
			}
		}
	}
	if err := p.settle(a); err != nil {
		return 0, err
	}
	return p.actual(a, typ)
}

// recordField selects a field of a value of type record.
func (s *state) recordField(e query.Expr, name string, loc int32) (query.Expr, error) {
	cols, err := s.shapeOf(e)
	if err != nil {
		return nil, err
	}
	for i, c := range cols {
		if c.Name == name {
			return fieldOf(e, i, c, loc), nil
		}
	}
	return nil, s.a.errorf(pgerror.UndefinedColumn, loc, "could not identify column \"%s\" in record data type", name)
}

func fieldOf(e query.Expr, i int, c query.RangeColumn, loc int32) query.Expr {
	return &query.FieldSelect{T: query.T{Typ: c.Type, Mod: c.Typmod, Coll: c.Collation, Offset: int(loc)}, Arg: e, Field: i + 1}
}
