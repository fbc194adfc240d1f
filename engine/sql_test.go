package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// oracleVariable names the environment variable with the DSN of a PostgreSQL 15 superuser; when it is set,
// TestGoldenSQL records the expected answers anew (each script in a fresh database) instead of replaying them.
const oracleVariable = "MANIFOLD_ORACLE"

// TestGoldenSQL replays the scripts of testdata/sql and compares every answer with what PostgreSQL 15 said. A script is
// replayed three times: as it is; with too little work_mem for anything, so that sorts, hash joins and aggregates spill;
// and with each SELECT run three times over, so that its plan comes from the cache.
func TestGoldenSQL(t *testing.T) {
	scripts, err := filepath.Glob("testdata/sql/*.sql")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if dsn := os.Getenv(oracleVariable); dsn != "" {
		for _, path := range scripts {
			record(t, dsn, path)
		}
		return
	}
	modes := []string{"plain", "spill", "cached"}
	if testing.Short() {
		modes = modes[:1]
	}
	for _, path := range scripts {
		statements := splitScript(readFile(t, path))
		want := splitAnswers(readFile(t, strings.TrimSuffix(path, ".sql")+".out"), statements)
		for _, mode := range modes {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".sql")+"/"+mode, func(t *testing.T) {
				e := testEngine(t, newCluster(t))
				replay(t, e, mode, statements, want)
				if err := e.Shutdown(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// replay runs the statements of a script in a cluster of its own.
func replay(t *testing.T, e *Engine, mode string, statements, want []string) {
	g := &goldenClient{client: connect(t, e)}
	g.ask("set timezone = 'UTC'")
	if mode == "spill" {
		g.ask("set work_mem = '64kB'")
	}
	for i, sql := range statements {
		got := g.ask(sql)
		if mode == "spill" && strings.HasPrefix(strings.ToLower(sql), "show work_mem") {
			continue
		}
		if got != want[i] {
			t.Errorf("%s\n got:\n%s\nwant:\n%s", sql, got, want[i])
			continue
		}
		if mode != "cached" || !repeatable(sql, got) {
			continue
		}
		for range 2 {
			if again := g.ask(sql); again != got {
				t.Errorf("again: %s\n got:\n%s\nwant:\n%s", sql, again, got)
			}
		}
	}
}

// repeatable tells whether a statement answers the same when it is run again.
func repeatable(sql, answer string) bool {
	low := strings.ToLower(sql)
	return strings.HasPrefix(low, "select") && !strings.Contains(low, "nextval") && !strings.Contains(low, "setval") &&
		!strings.Contains(low, "lastval") && !strings.HasPrefix(answer, "ERROR")
}

// goldenClient writes answers as the golden files hold them.
type goldenClient struct {
	*client
	lines []string
	rows  int
}

// ask runs SQL and gives its answer.
func (g *goldenClient) ask(sql string) string {
	g.lines = nil
	if err := g.b.Simple(g.s, sql, g); err != nil {
		e := pgerror.From(err)
		g.b.Fail(g.s, e)
		g.lines = errorLines(e.Code, e.Message, e.Detail)
	}
	if err := g.s.AwaitAnswer(); err != nil {
		g.t.Fatal(err)
	}
	return strings.Join(g.lines, "\n")
}

// Describe implements backend.Sink.
func (g *goldenClient) Describe(cols []plan.ResultColumn, _ []int16) error {
	names := make([]string, len(cols))
	for i := range cols {
		names[i] = cols[i].Name
	}
	g.lines = append(g.lines, "# "+strings.Join(names, "|"))
	return nil
}

// Rows implements backend.Sink.
func (g *goldenClient) Rows(cols []plan.ResultColumn, _ []int16, b *vector.Batch) error {
	for k := range b.Live() {
		i := b.Lane(k)
		row := make([]string, len(cols))
		for n := range cols {
			if d := b.Cols[n].Get(i); d.Null {
				row[n] = "~"
			} else {
				row[n] = string(types.AppendText(nil, cols[n].Type, d, g.s.Env()))
			}
		}
		g.lines = append(g.lines, strings.Join(row, "|"))
	}
	return nil
}

// Complete implements backend.Sink.
func (g *goldenClient) Complete(tag string) error {
	g.lines = append(g.lines, tag)
	return nil
}

func errorLines(code, message, detail string) []string {
	out := []string{"ERROR " + code + ": " + message}
	if detail != "" {
		out = append(out, "DETAIL "+detail)
	}
	return out
}

// record runs a script on PostgreSQL and writes its golden file.
func record(t *testing.T, dsn, path string) {
	ctx := context.Background()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	const db = "manifold_golden"
	for _, sql := range []string{
		"drop database if exists " + db,
		"create database " + db + " template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'",
	} {
		if _, err := admin.Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	config.Database = db
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "set timezone = 'UTC'; set datestyle = 'ISO, MDY'").ReadAll(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, sql := range splitScript(readFile(t, path)) {
		out.WriteString(sql + ";\n" + oracleAnswer(conn.Exec(ctx, sql)) + "\n\n")
	}
	if err := os.WriteFile(strings.TrimSuffix(path, ".sql")+".out", []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// oracleAnswer gives the answer of PostgreSQL as ask gives ours.
func oracleAnswer(m *pgconn.MultiResultReader) string {
	var lines []string
	for m.NextResult() {
		r := m.ResultReader()
		if fields := r.FieldDescriptions(); fields != nil {
			names := make([]string, len(fields))
			for i := range fields {
				names[i] = fields[i].Name
			}
			lines = append(lines, "# "+strings.Join(names, "|"))
		}
		for r.NextRow() {
			row := make([]string, len(r.Values()))
			for i, v := range r.Values() {
				if row[i] = string(v); v == nil {
					row[i] = "~"
				}
			}
			lines = append(lines, strings.Join(row, "|"))
		}
		if tag, err := r.Close(); err == nil {
			lines = append(lines, tag.String())
		}
	}
	if err := m.Close(); err != nil {
		e, ok := err.(*pgconn.PgError)
		if !ok {
			return "LOST " + err.Error()
		}
		return strings.Join(errorLines(e.Code, e.Message, e.Detail), "\n")
	}
	return strings.Join(lines, "\n")
}

// splitScript gives the statements of a script: each ends with a semicolon at a line's end. Lines that start with "--"
// are comments.
func splitScript(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	var out []string
	for _, s := range strings.Split(strings.Join(lines, ""), ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// splitAnswers gives the answer to each statement of a golden file.
func splitAnswers(text string, statements []string) []string {
	out := make([]string, len(statements))
	for i, s := range statements {
		rest, ok := strings.CutPrefix(text, s+";\n")
		if !ok {
			out[i] = "not recorded"
			continue
		}
		end := len(rest)
		if i+1 < len(statements) {
			if at := strings.Index(rest, "\n\n"+statements[i+1]+";\n"); at >= 0 {
				end = at
			}
		}
		out[i] = strings.TrimSuffix(rest[:end], "\n\n")
		text = rest[min(end+2, len(rest)):]
	}
	return out
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
