package explain

import (
	"flag"
	"os"
	"strings"
	"testing"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/types"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestPlans compares the plans of the statements in plans.sql, as EXPLAIN (COSTS OFF) shows them.
func TestPlans(t *testing.T) {
	v, f := schema(t)
	data, err := os.ReadFile("testdata/plans.sql")
	if err != nil {
		t.Fatal(err)
	}
	names := &catalog.Names{View: v, SearchPath: []base.OID{11, 2200}}
	var out strings.Builder
	for _, q := range strings.Split(string(data), ";\n") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		out.WriteString(q + "\n")
		s, err := planText(t, v, f, q, false)
		if err != nil {
			out.WriteString("    " + err.Error() + "\n\n")
			continue
		}
		for _, l := range Lines(s, names, types.NewEnv(), Options{}, nil) {
			out.WriteString("    " + l + "\n")
		}
		out.WriteString("\n")
	}
	golden(t, "testdata/plans.golden", out.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == got {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			w := ""
			if i < len(a) {
				w = a[i]
			}
			t.Fatalf("%s:%d\n got %s\nwant %s", path, i+1, b[i], w)
		}
	}
	t.Fatalf("%s is longer than what came out", path)
}
