package engine

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestProgressIsShown looks, whenever a long statement lets others go first, at what another session is shown of it.
func TestProgressIsShown(t *testing.T) {
	if testing.Short() {
		t.Skip("long statements of one session")
	}
	e := testEngine(t, newCluster(t))
	c, other := connect(t, e), connect(t, e)
	steps(t, c, "create table t (k int, s text)", "insert into t select i, md5(i::text) from generate_series(1, 40000) i")
	var pressed atomic.Bool
	pressed.Store(true)
	var seen []string
	var view string
	s := &turns{t: t, task: c.s.Task, each: func() {
		if got := other.run(view); got != "" && !slices.Contains(seen, got) {
			seen = append(seen, got)
		}
	}}
	c.s.Task.SetSlots(s)
	c.s.Task.SetPressure(&pressed, 0)
	defer c.s.Task.SetSlots(nil)
	defer c.s.Task.SetPressure(nil, 0)
	const (
		index   = "select command || ': ' || phase, blocks_done <= blocks_total and tuples_done <= tuples_total from pg_stat_progress_create_index where relid = 't'::regclass and index_relid > 0"
		cluster = "select command || ': ' || phase, heap_blks_scanned <= heap_blks_total and heap_tuples_written <= 40000 from pg_stat_progress_cluster where relid = 't'::regclass"
		copying = "select command || ': ' || type, bytes_processed > 33 * tuples_processed from pg_stat_progress_copy where relid = 't'::regclass and tuples_processed between 1 and 40000"
	)
	var lines strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&lines, "%d\t0123456789abcdef0123456789abcdef\n", i)
	}
	for _, step := range []struct {
		sql, view string
		want      []string
	}{
		{"analyze t", "select phase, sample_blks_scanned <= sample_blks_total from pg_stat_progress_analyze where relid = 't'::regclass",
			[]string{"acquiring sample rows|t", "computing statistics|t"}},
		{"create index ti on t (s)", index, []string{"CREATE INDEX: building index: scanning table|t",
			"CREATE INDEX: building index: sorting live tuples|t", "CREATE INDEX: building index: loading tuples in tree|t"}},
		{"reindex index ti", index, []string{"REINDEX: building index: scanning table|t"}},
		{"reindex index concurrently ti", index, []string{"REINDEX CONCURRENTLY: building index: loading tuples in tree|t"}},
		{"cluster t using ti", cluster, []string{"CLUSTER: index scanning heap|t", "CLUSTER: rebuilding index|t"}},
		{"vacuum full t", cluster, []string{"VACUUM FULL: seq scanning heap|t", "VACUUM FULL: rebuilding index|t"}},
		{"vacuum t", "select phase, heap_blks_scanned <= heap_blks_total from pg_stat_progress_vacuum where relid = 't'::regclass",
			[]string{"scanning heap|t"}},
		{"copy t to stdout", copying, []string{"COPY TO: PIPE|t"}},
		{"copy t from stdin", copying, []string{"COPY FROM: PIPE|t"}},
	} {
		seen, view = nil, step.view
		p := &pipe{client: c, in: lines.String()}
		c.out = nil
		if err := c.b.Simple(c.s, step.sql, p); err != nil {
			t.Fatal(step.sql, err)
		}
		for _, w := range step.want {
			if !slices.Contains(seen, w) {
				t.Errorf("%s: shown as %q, never as %s", step.sql, seen, w)
			}
		}
		if got := other.run(strings.Split(step.view, " where ")[0]); got != "" {
			t.Errorf("after %s: %s", step.sql, got)
		}
	}
}
