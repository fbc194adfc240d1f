package analyze

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/parse"
	"manifold/engine/storage"
	"manifold/engine/types"
)

// facts is a catalog.Source over the built-in rows alone.
type facts struct {
	t    *testing.T
	rows map[base.OID][][]types.Datum
}

func (f *facts) Map(base.OID) *storage.RelMap  { return nil }
func (f *facts) Hold(base.OID, base.OID) error { return nil }
func (f *facts) LetGo(base.OID, base.OID)      {}

func (f *facts) Scan(table *relation.Desc, index *relation.Index, keys []types.Datum, fn func(base.TID, catalog.Row) error) error {
	rows, ok := f.rows[table.OID]
	if !ok {
		var err error
		if rows, err = bootstrap.Rows(table); err != nil {
			f.t.Fatal(err)
		}
		f.rows[table.OID] = rows
	}
	for _, r := range rows {
		match := true
		for i, k := range keys {
			attr := index.Keys[i].Attr - 1
			match = match && !r[attr].Null && types.Equal(table.Columns[attr].Type, r[attr], k)
		}
		if match {
			if err := fn(base.TID{}, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func testView(t *testing.T) *catalog.View {
	return catalog.NewView(&facts{t: t, rows: map[base.OID][][]types.Datum{}}, catalog.NewCache(5, 1663))
}

func analyzeText(t *testing.T, v *catalog.View, text string) (*Result, error) {
	t.Helper()
	var shape parse.Shape
	if err := parse.Scan(text, &shape); err != nil {
		return nil, err
	}
	stmts, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	env := types.NewEnv()
	env.Names = &catalog.Names{View: v, SearchPath: []base.OID{11, 2200}}
	return Statement(&Options{View: v, SearchPath: []base.OID{11, 2200}, Env: env, Text: text, Literals: shape.Literals}, stmts[0].Node)
}

// TestTypesOfExpressions compares the types of expressions, or the errors, with what PostgreSQL 15 recorded. With
// MANIFOLD_RECORD set to a psql command line, the golden file is written anew.
func TestTypesOfExpressions(t *testing.T) {
	const golden = "testdata/types.golden"
	data, err := os.ReadFile("testdata/types.sql")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if psql := os.Getenv("MANIFOLD_RECORD"); psql != "" {
		record(t, psql, lines, golden)
	}
	f, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bufio.NewScanner(f)
	v := testView(t)
	for _, l := range lines {
		want.Scan()
		got := ""
		r, err := analyzeText(t, v, "select "+l)
		if err != nil {
			e := pgerror.From(err)
			got = "ERROR " + e.Code + ": " + e.Message
		} else {
			e := r.Query.Targets[0].Expr
			got = types.FormatType(e.Type(), e.Typmod())
		}
		if got != want.Text() {
			t.Errorf("%s\n got %s\nwant %s", l, got, want.Text())
		}
	}
}

func record(t *testing.T, psql string, lines []string, golden string) {
	var out strings.Builder
	for _, l := range lines {
		args := append(strings.Fields(psql), "-XAtq", "-v", "VERBOSITY=verbose")
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = strings.NewReader("select " + l + " \\gdesc\n")
		b, _ := cmd.CombinedOutput()
		line := strings.SplitN(strings.TrimSpace(string(b)), "\n", 2)[0]
		if _, msg, ok := strings.Cut(line, "ERROR:  "); ok {
			code, text, _ := strings.Cut(msg, ": ")
			line = "ERROR " + code + ": " + text
		} else {
			_, line, _ = strings.Cut(line, "|")
		}
		out.WriteString(line + "\n")
	}
	if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestStatementsOverCatalogs(t *testing.T) {
	v := testView(t)
	data, err := os.ReadFile("testdata/accepted.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range strings.Split(string(data), ";\n") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		if _, err := analyzeText(t, v, q); err != nil {
			t.Errorf("%s\n%v", q, err)
		}
	}
}

func TestReadMarksTheLiteralsAPlanDependsOn(t *testing.T) {
	v := testView(t)
	r, err := analyzeText(t, v, "select relname, oid + 1 from pg_class where oid = 5 group by relname, oid + 1")
	if err == nil {
		t.Fatal("oid + 1 was analysed, but oid has no +")
	}
	r, err = analyzeText(t, v, "select relnatts + 1, count(*) from pg_class where relnatts = 5 group by relnatts + 1")
	if err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, false, true}; len(r.Read) != 3 || r.Read[0] != want[0] || r.Read[1] != want[1] || r.Read[2] != want[2] {
		t.Fatalf("read %v", r.Read)
	}
}

// TestRangesAreRefused: an operator over ranges is found as PostgreSQL finds it, and then refused.
func TestRangesAreRefused(t *testing.T) {
	v := testView(t)
	const refused = "ERROR: a function of any range type is not supported yet (SQLSTATE 0A000)"
	for text, want := range map[string]string{
		"select null::int4range && null::int4range":      refused,
		"select null::int4multirange && null::int4range": refused,
		"select lower(null::int4range)":                  refused,
		"select null::int4range && null::int4":           "ERROR: operator does not exist: int4range && integer (SQLSTATE 42883)",
	} {
		if _, err := analyzeText(t, v, text); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
