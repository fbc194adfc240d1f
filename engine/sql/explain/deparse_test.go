package explain

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/sql/deparse"
	"manifold/engine/types"
)

const deparseTable = "create temp table dt (a int, b numeric, c text, d varchar(10), e date, f timestamptz, g int[], h boolean, i bigint, j float8, k char(3), \"Odd\" int)"

// TestDeparse compares printed expressions with what PostgreSQL 15 printed, plain and pretty. With MANIFOLD_RECORD set to a
// psql command line, the golden file is written anew.
func TestDeparse(t *testing.T) {
	data, err := os.ReadFile("testdata/exprs.sql")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	const path = "testdata/exprs.golden"
	if psql := os.Getenv("MANIFOLD_RECORD"); psql != "" {
		recordExprs(t, psql, lines, path)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(want)), "\n")
	v, f := schema(t)
	n := types.OIDNumeric
	f.create(v, "dt", 1, 1, []column{{name: "a", typ: types.OIDInt4}, {name: "b", typ: n}, {name: "c", typ: types.OIDText}, {name: "d", typ: types.OIDVarChar, mod: 14},
		{name: "e", typ: types.OIDDate}, {name: "f", typ: types.OIDTimestampTZ}, {name: "g", typ: types.OIDInt4Array}, {name: "h", typ: types.OIDBool},
		{name: "i", typ: types.OIDInt8}, {name: "j", typ: types.OIDFloat8}, {name: "k", typ: types.OIDBPChar, mod: 7}, {name: "Odd", typ: types.OIDInt4}})
	oid, err := v.RelationByName(2200, "dt")
	if err != nil {
		t.Fatal(err)
	}
	cols := &deparse.Columns{}
	d, err := v.Relation(oid)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Columns {
		cols.Names = append(cols.Names, d.Columns[i].Name)
	}
	for i, l := range lines {
		e := f.expr(v, oid, l)
		for k, pretty := range []bool{false, true} {
			p := &deparse.Printer{Names: &catalog.Names{View: v, SearchPath: []base.OID{11, 2200}}, Env: types.NewEnv(), Leaves: cols, Pretty: pretty}
			if got := strings.ReplaceAll(p.Expr(e), "\n", `\n`); got != rows[2*i+k] {
				t.Errorf("%s\n got %s\nwant %s", l, got, rows[2*i+k])
			}
		}
	}
}

func recordExprs(t *testing.T, psql string, lines []string, path string) {
	var in strings.Builder
	in.WriteString("set timezone='UTC';\n" + deparseTable + ";\n")
	for _, l := range lines {
		in.WriteString("alter table dt add constraint x check (" + l + ");\n")
		for _, pretty := range []string{"false", "true"} {
			in.WriteString("select replace(pg_get_expr(conbin, conrelid, " + pretty + "), E'\\n', '\\n') from pg_constraint where conname = 'x' and conrelid = 'dt'::regclass;\n")
		}
		in.WriteString("alter table dt drop constraint x;\n")
	}
	args := append(strings.Fields(psql), "-XAtq")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out, 0o644); err != nil {
		t.Fatal(err)
	}
}
