package explain

import (
	"encoding/json"
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

// TestForms prints every plan in every form: JSON has to be JSON, and measurements may be missing anywhere.
func TestForms(t *testing.T) {
	v, f := schema(t)
	data, err := os.ReadFile("testdata/plans.sql")
	if err != nil {
		t.Fatal(err)
	}
	names := &catalog.Names{View: v, SearchPath: []base.OID{11, 2200}}
	for _, q := range strings.Split(string(data), ";\n") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		s, err := planText(t, v, f, q, false)
		if err != nil {
			continue
		}
		run := &Run{Nodes: map[int]*NodeStats{}, Planning: 1, Execution: 2}
		for id := 0; id < 4; id += 2 {
			run.Nodes[id] = &NodeStats{Startup: 1, Total: 2, Rows: 6, Loops: 2, Removed: 4, Hit: 3, Method: "quicksort", SpaceKB: 25, Buckets: 1024, Batches: 1}
		}
		all := Options{Analyze: true, Verbose: true, Costs: true, Buffers: true, Timing: true, Summary: true}
		text := strings.Join(Lines(s, names, types.NewEnv(), all, run), "\n")
		if strings.Contains(strings.ReplaceAll(text, "OVER (?)", ""), "?") || !strings.Contains(text, "actual time=0.500..1.000 rows=3 loops=2") || !strings.Contains(text, "Execution Time: 2.000 ms") {
			t.Errorf("%s\n%s", q, text)
		}
		all.JSON = true
		var out []map[string]any
		if err := json.Unmarshal([]byte(strings.Join(Lines(s, names, types.NewEnv(), all, run), "\n")), &out); err != nil {
			t.Errorf("%s: %v", q, err)
		} else if p := out[0]["Plan"].(map[string]any); p["Node Type"] == nil || p["Actual Loops"] != 2.0 {
			t.Errorf("%s: %v", q, p)
		}
	}
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
