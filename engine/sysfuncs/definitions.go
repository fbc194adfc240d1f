package sysfuncs

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/deparse"
	"manifold/engine/sql/query"
	"manifold/engine/types"
)

func registerDefinitions(r registry) {
	r.add(getExpr, "pg_get_expr", "pg_get_expr_ext")
	r.add(indexDef, "pg_get_indexdef", "pg_get_indexdef_ext")
	r.add(constraintDef, "pg_get_constraintdef", "pg_get_constraintdef_ext")
	r.add(triggerDef, "pg_get_triggerdef", "pg_get_triggerdef_ext")
	r.add(functionArguments, "pg_get_function_arguments", "pg_get_function_identity_arguments")
	r.add(functionResult, "pg_get_function_result")
	r.add(func(_ *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) { return types.Null, nil },
		"pg_get_partkeydef", "pg_get_partition_constraintdef", "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
		"pg_get_statisticsobjdef_expressions", "pg_get_function_arg_default", "pg_get_function_sqlbody")
	r.add(viewDef(false), "pg_get_viewdef", "pg_get_viewdef_ext", "pg_get_viewdef_wrap")
	r.add(viewDef(true), "pg_get_viewdef_name", "pg_get_viewdef_name_ext")
	r.add(ruleDef, "pg_get_ruledef", "pg_get_ruledef_ext")
}

// ruleDef is asked by psql for the rules of a relation that are not its view's query: there are none.
func ruleDef(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	found := false
	err := s.View.Scan(bootstrap.RelRewrite, bootstrap.IdxRewriteOidIndex, []types.Datum{types.Int(int64(oidArg(a[0])))},
		func(base.TID, catalog.Row) error { found = true; return nil })
	if found && err == nil {
		err = pgerror.Unsupported("pg_get_ruledef of the query of a view")
	}
	return types.Null, err
}

// Expression prints a stored expression over a relation's row as pg_get_expr does; several (of an index) by commas.
func Expression(names *catalog.Names, stored string, d *relation.Desc, pretty bool) (string, error) {
	cols := &deparse.Columns{}
	if d != nil {
		for i := range d.Columns {
			cols.Names = append(cols.Names, d.Columns[i].Name)
		}
	}
	env := types.NewEnv()
	env.Names = names
	var out []string
	for _, text := range catalog.SplitExprs(stored) {
		e, err := query.Unmarshal(text)
		if err != nil {
			return "", err
		}
		p := &deparse.Printer{Names: names, Env: env, Leaves: cols, Pretty: pretty}
		out = append(out, p.Expr(e))
	}
	return strings.Join(out, ", "), nil
}

func getExpr(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	d, err := s.View.Relation(oidArg(a[1]))
	if err != nil || text(a[0]) == "" {
		return types.Null, err
	}
	out, err := Expression(s.Names, text(a[0]), d, len(a) > 2 && a[2].True())
	return types.Text(out), err
}

func indexDef(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	col, pretty := 0, false
	if len(a) > 1 {
		col, pretty = int(a[1].I), a[2].True()
	}
	row, err := s.View.Row(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, a[0])
	if err != nil || row == nil {
		return types.Null, err
	}
	d, err := s.View.Relation(row.OID(bootstrap.ColIndexIndrelid))
	if err != nil || d == nil {
		return types.Null, err
	}
	for _, ix := range d.Indexes {
		if ix.OID == oidArg(a[0]) {
			out, err := deparse.IndexDef(s.Names, d, ix, col, pretty)
			return types.Text(out), err
		}
	}
	return types.Null, nil
}

func functionArguments(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	p, err := s.View.ProcByOID(oidArg(a[0]))
	if err != nil || p == nil {
		return types.Null, err
	}
	args := p.AllArgs
	if args == nil {
		args = p.Args
	}
	var out []string
	for i, t := range args {
		word := ""
		if i < len(p.Modes) {
			switch p.Modes[i] {
			case 'o':
				word = "OUT "
			case 'b':
				word = "INOUT "
			case 'v':
				word = "VARIADIC "
			case 't':
				continue
			}
		}
		if i < len(p.Names) && p.Names[i] != "" {
			word += catalog.QuoteIdent(p.Names[i]) + " "
		}
		name, _ := s.Names.TypeName(t)
		out = append(out, word+name)
	}
	return types.Text(strings.Join(out, ", ")), nil
}

func functionResult(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	p, err := s.View.ProcByOID(oidArg(a[0]))
	if err != nil || p == nil || p.Kind == 'p' {
		return types.Null, err
	}
	name, _ := s.Names.TypeName(p.Ret)
	if p.RetSet {
		name = "SETOF " + name
	}
	return types.Text(name), nil
}

func registerComments(r registry) {
	comment := func(class func(s *Scope, a []types.Datum) (base.OID, error), sub func(a []types.Datum) int64) scalar {
		return func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			c, err := class(s, a)
			if err != nil || c == 0 {
				return types.Null, err
			}
			row, err := s.View.Row(bootstrap.RelDescription, bootstrap.IdxDescriptionOCOIndex, a[0], oidOf(c), types.Int(sub(a)))
			if err != nil || row == nil {
				return types.Null, err
			}
			return row[bootstrap.ColDescriptionDescription-1], nil
		}
	}
	byName := func(s *Scope, a []types.Datum) (base.OID, error) {
		return s.View.RelationByName(bootstrap.NamespacePgCatalog, text(a[1]))
	}
	none := func([]types.Datum) int64 { return 0 }
	r.add(comment(byName, none), "oid:1215")
	r.add(comment(func(*Scope, []types.Datum) (base.OID, error) { return bootstrap.RelClass, nil }, none), "oid:1348")
	r.add(comment(func(*Scope, []types.Datum) (base.OID, error) { return bootstrap.RelClass, nil },
		func(a []types.Datum) int64 { return a[1].I }), "oid:1216")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		class, err := byName(s, a)
		if err != nil || class == 0 {
			return types.Null, err
		}
		row, err := s.View.Row(bootstrap.RelShdescription, bootstrap.IdxShdescriptionOCIndex, a[0], oidOf(class))
		if err != nil || row == nil {
			return types.Null, err
		}
		return row[bootstrap.ColShdescriptionDescription-1], nil
	}, "oid:1993")
}
