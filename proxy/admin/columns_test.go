package admin

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine/backend"
	"manifold/engine/sql/plan"
)

const golden = "testdata/pgbouncer.txt"

// shown are the commands whose columns are PgBouncer's.
func shown() []string {
	return strings.Fields("POOLS CLIENTS SERVERS DATABASES USERS STATS STATS_TOTALS STATS_AVERAGES TOTALS LISTS CONFIG MEM VERSION " +
		"SOCKETS ACTIVE_SOCKETS")
}

// describe keeps the columns of a result.
type describe struct {
	backend.Discard
	cols []plan.ResultColumn
}

func (d *describe) Describe(cols []plan.ResultColumn, _ []int16) error {
	d.cols = cols
	return nil
}

// TestColumns compares names, order and types of columns with those recorded from PgBouncer 1.18. MANIFOLD_PGBOUNCER=<dsn of a
// console> records them again.
func TestColumns(t *testing.T) {
	if dsn := os.Getenv("MANIFOLD_PGBOUNCER"); dsn != "" {
		record(t, dsn)
	}
	f, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b := New(sources())
	n := 0
	for in := bufio.NewScanner(f); in.Scan(); n++ {
		name, want, _ := strings.Cut(in.Text(), ": ")
		var d describe
		if err := b.Simple(root(), "SHOW "+name, &d); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, c := range d.cols {
			got = append(got, fmt.Sprintf("%s/%d", c.Name, c.Type))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, s, want)
		}
	}
	if n != len(shown()) {
		t.Errorf("%d commands recorded, not %d", n, len(shown()))
	}
}

func record(t *testing.T, dsn string) {
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, name := range shown() {
		results := conn.Exec(t.Context(), "SHOW "+name)
		out.WriteString(name + ":")
		for results.NextResult() {
			for _, f := range results.ResultReader().FieldDescriptions() {
				fmt.Fprintf(&out, " %s/%d", f.Name, f.DataTypeOID)
			}
		}
		out.WriteString("\n")
		if err := results.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
