package sysfuncs

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerNames(r registry) {
	r.add(tableVisible, "pg_table_is_visible")
	r.add(typeVisible, "pg_type_is_visible")
	visible := func(table, index base.OID, schema int) scalar {
		return func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			row, err := s.View.Row(table, index, a[0])
			if err != nil || row == nil {
				return types.Null, err
			}
			return types.Bool(has(s.SearchPath, row.OID(schema))), nil
		}
	}
	r.add(visible(bootstrap.RelProc, bootstrap.IdxProcOidIndex, bootstrap.ColProcPronamespace), "pg_function_is_visible")
	r.add(visible(bootstrap.RelOperator, bootstrap.IdxOperatorOidIndex, bootstrap.ColOperatorOprnamespace), "pg_operator_is_visible")
	r.add(visible(bootstrap.RelOpclass, bootstrap.IdxOpclassOidIndex, bootstrap.ColOpclassOpcnamespace), "pg_opclass_is_visible")
	r.add(visible(bootstrap.RelOpfamily, bootstrap.IdxOpfamilyOidIndex, bootstrap.ColOpfamilyOpfnamespace), "pg_opfamily_is_visible")
	r.add(visible(bootstrap.RelCollation, bootstrap.IdxCollationOidIndex, bootstrap.ColCollationCollnamespace), "pg_collation_is_visible")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(true), nil
	},
		"pg_conversion_is_visible", "pg_statistics_obj_is_visible", "pg_ts_parser_is_visible", "pg_ts_dict_is_visible",
		"pg_ts_template_is_visible", "pg_ts_config_is_visible")
	r.add(formatType, "format_type")
	r.add(func(_ *Scope, c *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return oidOf(c.ArgTypes[0]), nil
	}, "pg_typeof")
	for name, kind := range map[string]types.RegKind{"to_regclass": types.RegClass, "to_regtype": types.RegType,
		"to_regnamespace": types.RegNamespace, "to_regrole": types.RegRole, "to_regproc": types.RegProc,
		"to_regprocedure": types.RegProcedure, "to_regoper": types.RegOper, "to_regoperator": types.RegOperator,
		"to_regcollation": types.RegCollation} {
		r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			oid, err := s.Names.OIDOf(kind, text(a[0]))
			switch pgerror.Code(err) {
			case "":
				return oidOf(oid), nil
			case pgerror.UndefinedTable, pgerror.UndefinedObject, pgerror.UndefinedSchema, pgerror.UndefinedFunction,
				pgerror.AmbiguousFunction:
				return types.Null, nil
			}
			return types.Null, err
		}, name)
	}
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		n, err := roleName(s, oidArg(a[0]))
		if err == nil && n.Null {
			n = types.Text(fmt.Sprintf("unknown (OID=%d)", oidArg(a[0])))
		}
		return n, err
	}, "pg_get_userbyid")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		switch a[0].I {
		case 0:
			return types.Text("SQL_ASCII"), nil
		case 6:
			return types.Text("UTF8"), nil
		}
		return types.Text(""), nil
	}, "PG_encoding_to_char")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		switch text(a[0]) {
		case "SQL_ASCII":
			return types.Int(0), nil
		case "UTF8", "utf8", "UTF-8", "utf-8", "UNICODE":
			return types.Int(6), nil
		}
		return types.Int(-1), nil
	}, "PG_char_to_encoding")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		d, err := Describe(s.Names, oidArg(a[0]), oidArg(a[1]), int(a[2].I))
		if err != nil || d == "" {
			return types.Null, err
		}
		return types.Text(d), nil
	}, "pg_describe_object")
}

func tableVisible(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	row, err := s.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, a[0])
	if err != nil || row == nil {
		return types.Null, err
	}
	ns, name := row.OID(bootstrap.ColClassRelnamespace), row.Text(bootstrap.ColClassRelname)
	if !has(s.SearchPath, ns) {
		return types.Bool(false), nil
	}
	for _, p := range s.SearchPath {
		if p == ns {
			return types.Bool(true), nil
		}
		if oid, err := s.View.RelationByName(p, name); err != nil || oid != 0 {
			return types.Bool(false), err
		}
	}
	return types.Bool(false), nil
}

func typeVisible(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	t, err := s.View.TypeByOID(oidArg(a[0]))
	if err != nil || t == nil {
		return types.Null, err
	}
	for _, p := range s.SearchPath {
		if p == t.Namespace {
			return types.Bool(true), nil
		}
		if x, err := s.View.TypeByName(p, t.Name); err != nil || x != nil {
			return types.Bool(false), err
		}
	}
	return types.Bool(false), nil
}

func formatType(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, nil
	}
	oid, mod := oidArg(a[0]), int32(-1)
	if !a[1].Null {
		mod = int32(a[1].I)
	}
	if _, ok := types.Lookup(oid); ok || oid == 0 {
		return types.Text(types.FormatType(oid, mod)), nil
	}
	if n, ok := s.Names.TypeName(oid); ok {
		return types.Text(n), nil
	}
	return types.Text("???"), nil
}
