package sysfuncs

import "strings"

// infoView is a view of the information schema (ISO/IEC 9075-11). Columns holds a line for each column: its name, its type (n name,
// c varchar, i int4, t timestamptz), and the expression behind "=" where it is not null; From is the rest of the query.
type infoView struct{ Name, Columns, From string }

// informationSchema gives the views of the information schema that have something to tell here; those about what does not exist yet
// are empty.
func informationSchema() []View {
	const s = "information_schema"
	out := []View{{Schema: s, Name: "", SQL: "CREATE SCHEMA " + s + "; GRANT USAGE ON SCHEMA " + s + " TO PUBLIC"}}
	for _, v := range infoViews() {
		out = append(out, View{Schema: s, Name: v.Name, SQL: "CREATE VIEW " + s + "." + v.Name + " AS SELECT " + v.columns() + "\n" + v.From +
			"; GRANT SELECT ON " + s + "." + v.Name + " TO PUBLIC"})
	}
	// The function that clients number the columns of keys with.
	return append(out, View{Schema: "pg_catalog", Name: "pg_proc",
		SQL: "UPDATE pg_catalog.pg_proc SET pronamespace = '" + s + "'::regnamespace WHERE proname = '_pg_expandarray'"})
}

// columns spells the select list.
func (v *infoView) columns() string {
	types := map[string]string{"n": "name", "c": "varchar", "i": "int4", "t": "timestamptz"}
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(v.Columns), "\n") {
		head, expr, ok := strings.Cut(strings.TrimSpace(line), "=")
		f := strings.Fields(head)
		if !ok {
			expr = "NULL"
		}
		out = append(out, "("+strings.TrimSpace(expr)+")::"+types[f[1]]+" AS "+f[0])
	}
	return strings.Join(out, ",\n")
}

func infoViews() []infoView {
	list := append(infoRelations(), infoColumns()...)
	list = append(list, infoOthers()...)
	list = append(list, infoConstraints()...)
	list = append(list, infoPrivileges()...)
	return append(list, infoRoutines()...)
}

// Columns that describe a type and that are always null or the same.
const (
	infoCharacterSets = `
		character_set_catalog n
		character_set_schema n
		character_set_name n
		collation_catalog n = CASE WHEN co.collname IS NOT NULL THEN current_database() END
		collation_schema n = nco.nspname
		collation_name n = co.collname`
	infoNoType = `
		character_maximum_length i
		character_octet_length i
		character_set_catalog n
		character_set_schema n
		character_set_name n
		collation_catalog n
		collation_schema n
		collation_name n
		numeric_precision i
		numeric_precision_radix i
		numeric_scale i
		datetime_precision i
		interval_type c
		interval_precision i`
	infoNoScope = `
		scope_catalog n
		scope_schema n
		scope_name n
		maximum_cardinality i`
	infoDataType = `CASE WHEN t.typelem <> 0::oid AND t.typlen = -1 AND t.typcategory = 'A' THEN 'ARRAY'
		WHEN tn.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) ELSE 'USER-DEFINED' END`
)

// oneLine joins the lines of an expression, since a line is a column.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

const (
	infoTableRights  = "pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
	infoChangeRights = "pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
)

func infoRelations() []infoView {
	return []infoView{
		{"information_schema_catalog_name", "catalog_name n = current_database()", ""},
		{"schemata", `
			catalog_name n = current_database()
			schema_name n = n.nspname
			schema_owner n = u.rolname
			default_character_set_catalog n
			default_character_set_schema n
			default_character_set_name n
			sql_path c`,
			`FROM pg_namespace n JOIN pg_authid u ON n.nspowner = u.oid
			WHERE pg_has_role(n.nspowner, 'USAGE') OR has_schema_privilege(n.oid, 'CREATE, USAGE')`},
		{"tables", `
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			table_type c = CASE WHEN c.relpersistence = 't' THEN 'LOCAL TEMPORARY' WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'BASE TABLE' END
			self_referencing_column_name n
			reference_generation c
			user_defined_type_catalog n
			user_defined_type_schema n
			user_defined_type_name n
			is_insertable_into c = CASE WHEN c.relkind = 'r' THEN 'YES' ELSE 'NO' END
			is_typed c = 'NO'
			commit_action c`,
			`FROM pg_namespace n JOIN pg_class c ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v')
			AND NOT pg_is_other_temp_schema(n.oid) AND (` + infoTableRights + ")"},
	}
}

func infoColumns() []infoView {
	return []infoView{
		{"columns", `
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			column_name n = a.attname
			ordinal_position i = a.attnum
			column_default c = CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END
			is_nullable c = CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END
			data_type c = ` + oneLine(infoDataType) + `
			character_maximum_length i = CASE WHEN a.atttypid IN (1042, 1043) AND a.atttypmod > 0 THEN a.atttypmod - 4 END
			character_octet_length i = ` + oneLine(`CASE WHEN a.atttypid IN (1042, 1043) AND a.atttypmod > 0 THEN least((a.atttypmod - 4)::int8 * 4, 1073741824)
				WHEN a.atttypid IN (25, 1042, 1043) THEN 1073741824 END`) + `
			numeric_precision i = ` + oneLine(`CASE a.atttypid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
				WHEN 1700 THEN CASE WHEN a.atttypmod > 0 THEN ((a.atttypmod - 4) >> 16) & 65535 END END`) + `
			numeric_precision_radix i = CASE WHEN a.atttypid IN (20, 21, 23, 700, 701) THEN 2 WHEN a.atttypid = 1700 THEN 10 END
			numeric_scale i = CASE WHEN a.atttypid IN (20, 21, 23) THEN 0 WHEN a.atttypid = 1700 AND a.atttypmod > 0 THEN (a.atttypmod - 4) & 2047 END
			datetime_precision i = ` + oneLine(`CASE WHEN a.atttypid = 1082 THEN 0
				WHEN a.atttypid IN (1083, 1114, 1184, 1266) THEN CASE WHEN a.atttypmod < 0 THEN 6 ELSE a.atttypmod END
				WHEN a.atttypid = 1186 THEN CASE WHEN a.atttypmod < 0 OR a.atttypmod & 65535 = 65535 THEN 6 ELSE a.atttypmod & 65535 END END`) + `
			interval_type c
			interval_precision i` + infoCharacterSets + `
			domain_catalog n
			domain_schema n
			domain_name n
			udt_catalog n = current_database()
			udt_schema n = tn.nspname
			udt_name n = t.typname` + infoNoScope + `
			dtd_identifier n = a.attnum::text
			is_self_referencing c = 'NO'
			is_identity c = CASE WHEN a.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END
			identity_generation c = CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END
			identity_start c = q.seqstart::text
			identity_increment c = q.seqincrement::text
			identity_maximum c = q.seqmax::text
			identity_minimum c = q.seqmin::text
			identity_cycle c = CASE WHEN q.seqcycle THEN 'YES' ELSE 'NO' END
			is_generated c = CASE WHEN a.attgenerated = '' THEN 'NEVER' ELSE 'ALWAYS' END
			generation_expression c = CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END
			is_updatable c = CASE WHEN c.relkind = 'r' THEN 'YES' ELSE 'NO' END`,
			`FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
			LEFT JOIN (pg_collation co JOIN pg_namespace nco ON nco.oid = co.collnamespace)
				ON co.oid = a.attcollation AND (nco.nspname <> 'pg_catalog' OR co.collname <> 'default')
			LEFT JOIN (pg_depend dep JOIN pg_sequence q ON q.seqrelid = dep.objid)
				ON a.attidentity <> '' AND dep.classid = 1259 AND dep.refclassid = 1259 AND dep.refobjid = c.oid AND dep.refobjsubid = a.attnum
				AND dep.deptype = 'i'
			WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v') AND NOT pg_is_other_temp_schema(n.oid)
			AND (pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))`},
		{"element_types", `
			object_catalog n = current_database()
			object_schema n = n.nspname
			object_name n = c.relname
			object_type c = CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END
			collection_type_identifier n = a.attnum::text
			data_type c = ` + oneLine(infoDataType) + infoNoType + `
			domain_default c
			udt_catalog n = current_database()
			udt_schema n = tn.nspname
			udt_name n = t.typname` + infoNoScope + `
			dtd_identifier n = 'a' || a.attnum`,
			`FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_type at ON at.oid = a.atttypid JOIN pg_type t ON t.oid = at.typelem JOIN pg_namespace tn ON tn.oid = t.typnamespace
			WHERE at.typcategory = 'A' AND at.typlen = -1 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v')
			AND (pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))`},
	}
}

func infoOthers() []infoView {
	return []infoView{
		{"views", `
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			view_definition c = CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN pg_get_viewdef(c.oid) END
			check_option c = 'NONE'
			is_updatable c = 'NO'
			is_insertable_into c = 'NO'
			is_trigger_updatable c = 'NO'
			is_trigger_deletable c = 'NO'
			is_trigger_insertable_into c = 'NO'`,
			`FROM pg_namespace n JOIN pg_class c ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND NOT pg_is_other_temp_schema(n.oid) AND (` +
				infoTableRights + ")"},
		{"sequences", `
			sequence_catalog n = current_database()
			sequence_schema n = n.nspname
			sequence_name n = c.relname
			data_type c = format_type(s.seqtypid, NULL)
			numeric_precision i = CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 ELSE 64 END
			numeric_precision_radix i = 2
			numeric_scale i = 0
			start_value c = s.seqstart::text
			minimum_value c = s.seqmin::text
			maximum_value c = s.seqmax::text
			increment c = s.seqincrement::text
			cycle_option c = CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END`,
			`FROM pg_namespace n JOIN pg_class c ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
			WHERE NOT pg_is_other_temp_schema(n.oid) AND (pg_has_role(c.relowner, 'USAGE') OR has_sequence_privilege(c.oid, 'SELECT, UPDATE, USAGE'))
			AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'i')`},
		{"character_sets", `
			character_set_catalog n
			character_set_schema n
			character_set_name n = 'UTF8'
			character_repertoire n = 'UCS'
			form_of_use n = 'UTF8'
			default_collate_catalog n = current_database()
			default_collate_schema n
			default_collate_name n`, ""},
		{"collations", `
			collation_catalog n = current_database()
			collation_schema n = n.nspname
			collation_name n = c.collname
			pad_attribute c = 'NO PAD'`,
			`FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.collencoding IN (-1, 6)`},
		{"domains", `
			domain_catalog n
			domain_schema n
			domain_name n
			data_type c` + infoNoType + `
			domain_default c
			udt_catalog n
			udt_schema n
			udt_name n` + infoNoScope + `
			dtd_identifier n`, "WHERE false"},
		{"triggers", `
			trigger_catalog n
			trigger_schema n
			trigger_name n
			event_manipulation c
			event_object_catalog n
			event_object_schema n
			event_object_table n
			action_order i
			action_condition c
			action_statement c
			action_orientation c
			action_timing c
			action_reference_old_table n
			action_reference_new_table n
			action_reference_old_row n
			action_reference_new_row n
			created t`, "WHERE false"},
	}
}

func infoConstraints() []infoView {
	const columnOf = ` JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull`
	const ofTables = `FROM pg_constraint k JOIN pg_namespace nk ON nk.oid = k.connamespace JOIN pg_class c ON c.oid = k.conrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace`
	return []infoView{
		{"table_constraints", `
			constraint_catalog n = current_database()
			constraint_schema n = x.schema
			constraint_name n = x.name
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			constraint_type c = x.kind
			is_deferrable c = CASE WHEN x.can THEN 'YES' ELSE 'NO' END
			initially_deferred c = CASE WHEN x.does THEN 'YES' ELSE 'NO' END
			enforced c = 'YES'
			nulls_distinct c = x.nulls`,
			`FROM (SELECT k.conrelid AS rel, nk.nspname::text AS schema, k.conname::text AS name, CASE k.contype WHEN 'c' THEN 'CHECK'
					WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END AS kind, k.condeferrable AS can, k.condeferred AS does,
					CASE WHEN k.contype = 'u' THEN CASE WHEN (SELECT i.indnullsnotdistinct FROM pg_index i WHERE i.indexrelid = k.conindid)
						THEN 'NO' ELSE 'YES' END END AS nulls
				FROM pg_constraint k JOIN pg_namespace nk ON nk.oid = k.connamespace WHERE k.contype IN ('c', 'f', 'p', 'u')
				UNION ALL SELECT c.oid, n.nspname::text, n.oid || '_' || c.oid || '_' || a.attnum || '_not_null', 'CHECK', false, false, NULL
				FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace` + columnOf + `) x
			JOIN pg_class c ON c.oid = x.rel JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind = 'r' AND NOT pg_is_other_temp_schema(n.oid) AND (` + infoChangeRights + ")"},
		{"check_constraints", `
			constraint_catalog n = current_database()
			constraint_schema n = x.schema
			constraint_name n = x.name
			check_clause c = x.clause`,
			`FROM (SELECT nk.nspname AS schema, k.conname::text AS name,
					substring(pg_get_constraintdef(k.oid) from 'CHECK (.*)') AS clause
				` + ofTables + ` WHERE k.contype = 'c' AND pg_has_role(c.relowner, 'USAGE')
				UNION ALL SELECT n.nspname, n.oid || '_' || c.oid || '_' || a.attnum || '_not_null', a.attname || ' IS NOT NULL'
				FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace` + columnOf + `
				WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')) x`},
		{"key_column_usage", `
			constraint_catalog n = current_database()
			constraint_schema n = nk.nspname
			constraint_name n = k.conname
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			column_name n = a.attname
			ordinal_position i = u.n
			position_in_unique_constraint i = CASE WHEN k.contype = 'f' THEN array_position(i.indkey::int2[], k.confkey[u.n]) + 1 END`,
			ofTables + ` CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY u(attnum, n)
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum LEFT JOIN pg_index i ON i.indexrelid = k.conindid
			WHERE k.contype IN ('f', 'p', 'u') AND c.relkind = 'r' AND NOT pg_is_other_temp_schema(n.oid)
			AND (pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))`},
		{"referential_constraints", `
			constraint_catalog n = current_database()
			constraint_schema n = nk.nspname
			constraint_name n = k.conname
			unique_constraint_catalog n = CASE WHEN p.oid IS NOT NULL THEN current_database() END
			unique_constraint_schema n = np.nspname
			unique_constraint_name n = p.conname
			match_option c = CASE k.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' ELSE 'NONE' END
			update_rule c = ` + oneLine(infoRule("confupdtype")) + `
			delete_rule c = ` + oneLine(infoRule("confdeltype")),
			ofTables + ` LEFT JOIN (pg_constraint p JOIN pg_namespace np ON np.oid = p.connamespace)
				ON p.conrelid = k.confrelid AND p.conindid = k.conindid AND p.contype IN ('p', 'u')
			WHERE k.contype = 'f' AND NOT pg_is_other_temp_schema(n.oid) AND (` + infoChangeRights + ")"},
		{"constraint_column_usage", `
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			column_name n = a.attname
			constraint_catalog n = current_database()
			constraint_schema n = x.schema
			constraint_name n = x.name`,
			`FROM (SELECT DISTINCT d.refobjid AS rel, d.refobjsubid AS col, nk.nspname AS schema, k.conname AS name
				FROM pg_constraint k JOIN pg_namespace nk ON nk.oid = k.connamespace
				JOIN pg_depend d ON d.classid = 2606 AND d.objid = k.oid AND d.refclassid = 1259 AND d.refobjsubid > 0 WHERE k.contype = 'c'
				UNION ALL SELECT CASE k.contype WHEN 'f' THEN k.confrelid ELSE k.conrelid END, u.col, nk.nspname, k.conname
				FROM pg_constraint k JOIN pg_namespace nk ON nk.oid = k.connamespace
				CROSS JOIN LATERAL unnest(CASE k.contype WHEN 'f' THEN k.confkey ELSE k.conkey END) u(col)
				WHERE k.contype IN ('f', 'p', 'u')) x
			JOIN pg_class c ON c.oid = x.rel JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.col WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')`},
		{"constraint_table_usage", `
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname
			constraint_catalog n = current_database()
			constraint_schema n = nk.nspname
			constraint_name n = k.conname`,
			`FROM pg_constraint k JOIN pg_namespace nk ON nk.oid = k.connamespace
			JOIN pg_class c ON c.oid = CASE k.contype WHEN 'f' THEN k.confrelid ELSE k.conrelid END JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE k.contype IN ('f', 'p', 'u') AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')`},
	}
}

// infoRule spells a referential action.
func infoRule(column string) string {
	return "CASE k." + column + ` WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT'
		ELSE 'NO ACTION' END`
}

func infoPrivileges() []infoView {
	const grants = `
			grantor n = g.rolname
			grantee n = CASE WHEN x.grantee = 0::oid THEN 'PUBLIC' ELSE e.rolname END
			table_catalog n = current_database()
			table_schema n = n.nspname
			table_name n = c.relname`
	const kind = `
			privilege_type c = x.privilege_type
			is_grantable c = ` + "CASE WHEN pg_has_role(x.grantee, c.relowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END"
	const roles = ` JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_authid g ON g.oid = x.grantor LEFT JOIN pg_authid e ON e.oid = x.grantee
			WHERE c.relkind IN ('r', 'v')`
	const ofTables = `FROM pg_class c CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x` + roles + `
			AND x.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')`
	const ofColumns = `FROM (SELECT a.attrelid, a.attname, x.* FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
				CROSS JOIN LATERAL aclexplode(coalesce(a.attacl, acldefault('c', c.relowner))) x WHERE a.attnum > 0 AND NOT a.attisdropped
				UNION SELECT a.attrelid, a.attname, x.* FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
				CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x WHERE a.attnum > 0 AND NOT a.attisdropped) x
			JOIN pg_class c ON c.oid = x.attrelid` + roles + ` AND x.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'REFERENCES')`
	const concerns = ` AND (x.grantee = 0::oid OR pg_has_role(x.grantor, 'USAGE') OR pg_has_role(x.grantee, 'USAGE'))`
	const enabled = ` AND (pg_has_role(x.grantor, 'USAGE') OR x.grantee <> 0::oid AND pg_has_role(x.grantee, 'USAGE'))`
	hierarchy := "\n			with_hierarchy c = CASE WHEN x.privilege_type = 'SELECT' THEN 'YES' ELSE 'NO' END"
	column := "\n			column_name n = x.attname"
	grantable := strings.ReplaceAll(kind, "pg_has_role(x.grantee, c.relowner, 'USAGE')", "(x.grantee <> 0::oid AND pg_has_role(x.grantee, c.relowner, 'USAGE'))")
	return []infoView{
		{"table_privileges", grants + grantable + hierarchy, ofTables + concerns},
		{"role_table_grants", grants + grantable + hierarchy, ofTables + enabled},
		{"column_privileges", grants + column + grantable, ofColumns + concerns},
		{"role_column_grants", grants + column + grantable, ofColumns + enabled},
		{"enabled_roles", "role_name n = a.rolname", "FROM pg_authid a WHERE pg_has_role(a.oid, 'USAGE')"},
		{"applicable_roles", `
			grantee n = a.rolname
			role_name n = b.rolname
			is_grantable c = CASE WHEN m.admin_option THEN 'YES' ELSE 'NO' END`,
			`FROM pg_auth_members m JOIN pg_authid a ON a.oid = m.member JOIN pg_authid b ON b.oid = m.roleid WHERE pg_has_role(a.oid, 'USAGE')`},
	}
}

func infoRoutines() []infoView {
	return []infoView{
		{"routines", `
			specific_catalog n = current_database()
			specific_schema n = n.nspname
			specific_name n = p.proname || '_' || p.oid
			routine_catalog n = current_database()
			routine_schema n = n.nspname
			routine_name n = p.proname
			routine_type c = CASE p.prokind WHEN 'f' THEN 'FUNCTION' WHEN 'p' THEN 'PROCEDURE' END
			module_catalog n
			module_schema n
			module_name n
			udt_catalog n
			udt_schema n
			udt_name n
			data_type c = ` + oneLine("CASE WHEN p.prokind <> 'p' THEN "+infoDataType+" END") + infoNoType + `
			type_udt_catalog n = CASE WHEN p.prokind <> 'p' THEN current_database() END
			type_udt_schema n = CASE WHEN p.prokind <> 'p' THEN tn.nspname END
			type_udt_name n = CASE WHEN p.prokind <> 'p' THEN t.typname END` + infoNoScope + `
			dtd_identifier n = CASE WHEN p.prokind <> 'p' THEN '0' END
			routine_body c = CASE WHEN l.lanname = 'sql' THEN 'SQL' ELSE 'EXTERNAL' END
			routine_definition c = CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN p.prosrc END
			external_name c = CASE WHEN l.lanname = 'c' THEN p.prosrc END
			external_language c = upper(l.lanname)
			parameter_style c = 'GENERAL'
			is_deterministic c = CASE WHEN p.provolatile = 'i' THEN 'YES' ELSE 'NO' END
			sql_data_access c = 'MODIFIES'
			is_null_call c = CASE WHEN p.prokind <> 'p' THEN CASE WHEN p.proisstrict THEN 'YES' ELSE 'NO' END END
			sql_path c
			schema_level_routine c = 'YES'
			max_dynamic_result_sets i = 0
			is_user_defined_cast c
			is_implicitly_invocable c
			security_type c = CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'INVOKER' END
			to_sql_specific_catalog n
			to_sql_specific_schema n
			to_sql_specific_name n
			as_locator c = 'NO'
			created t
			last_altered t
			new_savepoint_level c
			is_udt_dependent c = 'NO'
			result_cast_from_data_type c
			result_cast_as_locator c` + infoResultCast(),
			`FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
			LEFT JOIN (pg_type t JOIN pg_namespace tn ON tn.oid = t.typnamespace) ON t.oid = p.prorettype AND p.prokind <> 'p'
			WHERE pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE')`},
		{"parameters", `
			specific_catalog n = current_database()
			specific_schema n = x.schema
			specific_name n = x.name || '_' || x.oid
			ordinal_position i = x.n
			parameter_mode c = CASE x.mode WHEN 'o' THEN 'OUT' WHEN 'b' THEN 'INOUT' WHEN 't' THEN 'OUT' ELSE 'IN' END
			is_result c = 'NO'
			as_locator c = 'NO'
			parameter_name n = nullif(x.names[x.n], '')
			data_type c = ` + oneLine(infoDataType) + infoNoType + `
			udt_catalog n = current_database()
			udt_schema n = tn.nspname
			udt_name n = t.typname` + infoNoScope + `
			dtd_identifier n = x.n::text
			parameter_default c`,
			`FROM (SELECT n.nspname AS schema, p.oid, p.proname AS name, p.proargnames AS names, u.n, u.typ, p.proargmodes[u.n] AS mode
				FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
				CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY u(typ, n)
				WHERE pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE')) x
			JOIN pg_type t ON t.oid = x.typ JOIN pg_namespace tn ON tn.oid = t.typnamespace`},
	}
}

// infoResultCast gives the columns about the cast of a result, which no routine has.
func infoResultCast() string {
	var out strings.Builder
	for _, c := range strings.Fields(`char_max_length:i char_octet_length:i char_set_catalog:n char_set_schema:n char_set_name:n collation_catalog:n
		collation_schema:n collation_name:n numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type:c
		interval_precision:i type_udt_catalog:n type_udt_schema:n type_udt_name:n scope_catalog:n scope_schema:n scope_name:n
		maximum_cardinality:i dtd_identifier:n`) {
		name, typ, _ := strings.Cut(c, ":")
		out.WriteString("\nresult_cast_" + name + " " + typ)
	}
	return out.String()
}
