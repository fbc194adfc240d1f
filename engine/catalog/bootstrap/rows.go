package bootstrap

import (
	"fmt"
	"strconv"

	"manifold/engine/base"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// defaults gives the text of catalog columns that the facts leave out; a column without one is null.
var defaults = map[string]string{
	"pg_type.typnamespace": "11", "pg_type.typowner": "10", "pg_type.typnotnull": "f",
	"pg_proc.pronamespace": "11", "pg_proc.proowner": "10",
	"pg_operator.oprnamespace": "11", "pg_operator.oprowner": "10",
	"pg_opfamily.opfnamespace": "11", "pg_opfamily.opfowner": "10",
	"pg_opclass.opcnamespace": "11", "pg_opclass.opcowner": "10",
	"pg_collation.collnamespace": "11", "pg_collation.collowner": "10",
	"pg_language.lanowner":      "10",
	"pg_ts_parser.prsnamespace": "11", "pg_ts_parser.prsstart": "0", "pg_ts_parser.prstoken": "0", "pg_ts_parser.prsend": "0",
	"pg_ts_parser.prsheadline": "0", "pg_ts_parser.prslextype": "0",

	"pg_class.relnamespace": "11", "pg_class.reltype": "0", "pg_class.reloftype": "0", "pg_class.relowner": "10",
	"pg_class.relam": "0", "pg_class.relfilenode": "0", "pg_class.reltablespace": "0", "pg_class.relpages": "0",
	"pg_class.reltuples": "-1", "pg_class.relallvisible": "0", "pg_class.reltoastrelid": "0", "pg_class.relhasindex": "f",
	"pg_class.relpersistence": "p", "pg_class.relchecks": "0", "pg_class.relhasrules": "f", "pg_class.relhastriggers": "f",
	"pg_class.relhassubclass": "f", "pg_class.relforcerowsecurity": "f", "pg_class.relispopulated": "t",
	"pg_class.relreplident": "n", "pg_class.relispartition": "f", "pg_class.relrewrite": "0", "pg_class.relfrozenxid": "0",
	"pg_class.relminmxid": "0",

	"pg_attribute.attstattarget": "-1", "pg_attribute.attcacheoff": "-1", "pg_attribute.attcompression": "",
	"pg_attribute.atthasdef": "f", "pg_attribute.atthasmissing": "f", "pg_attribute.attidentity": "",
	"pg_attribute.attgenerated": "", "pg_attribute.attisdropped": "f", "pg_attribute.attislocal": "t",
	"pg_attribute.attinhcount": "0",

	"pg_index.indnullsnotdistinct": "f", "pg_index.indisexclusion": "f", "pg_index.indimmediate": "t",
	"pg_index.indisclustered": "f", "pg_index.indisvalid": "t", "pg_index.indcheckxmin": "f", "pg_index.indisready": "t",
	"pg_index.indislive": "t", "pg_index.indisreplident": "f",
}

// fixed gives the rows of catalogs that no facts are needed for.
var fixed = map[string][]map[string]string{
	"pg_namespace": {
		{"oid": "11", "nspname": "pg_catalog", "nspowner": "10", "nspacl": "{postgres=UC/postgres,=U/postgres}"},
		{"oid": "99", "nspname": "pg_toast", "nspowner": "10"},
		{"oid": "2200", "nspname": "public", "nspowner": "6171",
			"nspacl": "{pg_database_owner=UC/pg_database_owner,=U/pg_database_owner}"},
	},
	"pg_tablespace": {
		{"oid": "1663", "spcname": "pg_default", "spcowner": "10"},
		{"oid": "1664", "spcname": "pg_global", "spcowner": "10"},
	},
	"pg_database": {
		databaseRow("1", "template1", true, true), databaseRow("4", "template0", true, false),
		databaseRow("5", "postgres", false, true),
	},
	"pg_authid": {{
		"oid": "10", "rolname": "postgres", "rolsuper": "t", "rolinherit": "t", "rolcreaterole": "t", "rolcreatedb": "t",
		"rolcanlogin": "t", "rolreplication": "t", "rolbypassrls": "t", "rolconnlimit": "-1",
	}},
}

func databaseRow(oid, name string, template, connect bool) map[string]string {
	row := map[string]string{
		"oid": oid, "datname": name, "datdba": "10", "encoding": "6", "datlocprovider": "c", "datistemplate": "f",
		"datallowconn": "f", "datconnlimit": "-1", "datfrozenxid": "3", "datminmxid": "1", "dattablespace": "1663",
		"datcollate": "C.UTF-8", "datctype": "C.UTF-8",
	}
	if template {
		row["datistemplate"] = "t"
		row["datacl"] = "{=c/postgres,postgres=CTc/postgres}"
	}
	if connect {
		row["datallowconn"] = "t"
	}
	return row
}

// Rows gives the built-in rows of a catalog, full width, in the catalog's column order. The values own their bytes.
func Rows(desc *relation.Desc) ([][]types.Datum, error) {
	var out [][]types.Datum
	add := func(get func(column string) (string, bool)) error {
		row := make([]types.Datum, len(desc.Columns))
		for i := range desc.Columns {
			c := &desc.Columns[i]
			text, ok := get(c.Name)
			if !ok {
				text, ok = defaults[desc.Name+"."+c.Name]
			}
			if !ok || text == Null {
				row[i] = types.Null
				continue
			}
			d, err := input(c, text)
			if err != nil {
				return fmt.Errorf("built-in row of %s, column %s, value %q: %w", desc.Name, c.Name, text, err)
			}
			row[i] = d
		}
		out = append(out, row)
		return nil
	}
	for _, r := range fixed[desc.Name] {
		if err := add(func(c string) (string, bool) { v, ok := r[c]; return v, ok }); err != nil {
			return nil, err
		}
	}
	if _, err := files.Open("facts/" + desc.Name + ".tsv"); err != nil {
		return out, nil
	}
	facts := Load(desc.Name)
	for _, r := range facts.Rows {
		err := add(func(c string) (string, bool) {
			if v, ok := derived(desc.Name, &facts, r, c); ok {
				return v, true
			}
			i := facts.Column(c)
			if i < 0 {
				return "", false
			}
			return r[i], true
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// input reads one value. The reg types stand in the facts as plain OIDs; the node trees of defaults are not kept.
func input(c *relation.Column, text string) (types.Datum, error) {
	switch c.Type {
	case types.OIDRegProc, types.OIDRegType, types.OIDRegClass:
		n, err := strconv.ParseUint(text, 10, 32)
		return types.Int(int64(n)), err
	case types.OIDPgNodeTree:
		return types.Text(text), nil
	}
	d, err := types.In(c.Type, c.Typmod, text, types.NewEnv())
	return d.Clone(), err
}

// derived gives the columns of a built-in row that follow from other facts.
func derived(catalog string, f *Facts, row []string, column string) (string, bool) {
	switch catalog {
	case "pg_class":
		return derivedClass(f, row, column)
	case "pg_proc":
		if column == "proargdefaults" {
			return row[f.Column("defaults")], true
		}
	}
	return "", false
}

func derivedClass(f *Facts, row []string, column string) (string, bool) {
	oid, err := strconv.ParseUint(row[f.Column("oid")], 10, 32)
	if err != nil {
		return "", false
	}
	d, ok := Relation(base.OID(oid))
	if !ok {
		return "", false
	}
	switch column {
	case "reltype":
		return strconv.Itoa(int(d.RowType)), true
	case "relam":
		if d.Kind == relation.KindIndex {
			return strconv.Itoa(int(MethodBtree)), true
		}
		return strconv.Itoa(int(MethodHeap)), true
	case "reltablespace":
		if d.Shared {
			return strconv.Itoa(int(base.GlobalTablespace)), true
		}
	case "relfrozenxid":
		if d.Kind == relation.KindTable || d.Kind == relation.KindToast {
			return strconv.Itoa(int(base.FirstXID)), true
		}
	case "relhasindex":
		if len(d.Indexes) > 0 {
			return "t", true
		}
	case "relacl":
		if d.Kind == relation.KindTable && !private[d.Name] {
			return "{postgres=arwdDxt/postgres,=r/postgres}", true
		}
	}
	return "", false
}

// private names the catalogs that only superusers may read.
var private = map[string]bool{
	"pg_authid": true, "pg_subscription": true, "pg_statistic": true, "pg_statistic_ext_data": true,
	"pg_user_mapping": true, "pg_largeobject": true,
}
