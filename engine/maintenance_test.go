package engine

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

func slowVacuums(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(context.Background(), Config{FS: newCluster(t), SharedBuffers: 64 << 20, Settings: map[string]string{
		"autovacuum_vacuum_cost_delay": "100", "autovacuum_vacuum_cost_limit": "1", "deadlock_timeout": "20"}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// until waits for something to hold while work goes on whose end done tells.
func until(t *testing.T, done <-chan error, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case err := <-done:
			t.Fatalf("the work ended before: %v", err)
		default:
		}
	}
}

func tableOID(c *client, name string) base.OID {
	c.t.Helper()
	oid := base.OID(0)
	for _, d := range c.run("select '" + name + "'::regclass::oid") {
		oid = 10*oid + base.OID(d-'0')
	}
	return oid
}

// TestAutovacuumYieldsToALock: an autovacuum worker gives its table up to who has waited for the lock; it shows its progress
// and what it is until then.
func TestAutovacuumYieldsToALock(t *testing.T) {
	e := slowVacuums(t)
	c := connect(t, e)
	c.run("create table big (a int, b text); insert into big select i, repeat('x', 500) from generate_series(1, 20000) i; delete from big where a % 2 = 0")
	oid := tableOID(c, "big")
	done := make(chan error, 1)
	go func() { done <- e.Maintain(activity.NewTask(0, nil), c.s.Database.OID, oid, true, false) }()
	until(t, done, func() bool {
		return c.run("select count(*) from pg_stat_progress_vacuum where relid = 'big'::regclass and phase = 'scanning heap'") == "1"
	})
	if got := c.run("select backend_type, query like 'autovacuum: VACUUM %big' from pg_stat_activity where backend_type like 'auto%'"); got != "autovacuum worker|t" {
		t.Errorf("shown as %s", got)
	}
	if got := c.run("alter table big add c int"); got != "ALTER TABLE" {
		t.Fatal(got)
	}
	if err := <-done; pgerror.Code(err) != pgerror.QueryCanceled || !strings.Contains(err.Error(), "canceling autovacuum task") {
		t.Errorf("the worker ended with %v", err)
	}
	if got := c.run("select autovacuum_count, last_autovacuum from pg_stat_user_tables where relname = 'big'"); got != "0|~" {
		t.Errorf("counted: %s", got)
	}
}

// TestStatisticsOfMaintenance: the counters that autovacuum decides by, and who came by last.
func TestStatisticsOfMaintenance(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	c.run("create table small (a int); insert into small select generate_series(1, 100); delete from small where a <= 10; update small set a = a where a <= 20")
	const shown = "select n_live_tup, n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum, vacuum_count, autovacuum_count, analyze_count, autoanalyze_count, last_vacuum is null, last_autovacuum is null from pg_stat_user_tables where relname = 'small'"
	steps := []struct{ sql, want string }{
		{"select 1", "90|20|120|100|0|0|0|0|t|t"},
		{"analyze small", "90|20|0|100|0|0|1|0|t|t"},
		{"auto", "90|0|0|0|0|1|1|1|t|f"},
		{"insert into small select generate_series(1, 5)", "95|0|5|5|0|1|1|1|t|f"},
		{"vacuum small", "95|0|5|0|1|1|1|1|f|f"},
	}
	for _, s := range steps {
		if s.sql == "auto" {
			if err := e.Maintain(activity.NewTask(0, nil), c.s.Database.OID, tableOID(c, "small"), true, true); err != nil {
				t.Fatal(err)
			}
		} else if got := c.run(s.sql); strings.HasPrefix(got, "ERROR") {
			t.Fatal(got)
		}
		if got := c.run(shown); got != s.want {
			t.Errorf("after %s: %s, want %s", s.sql, got, s.want)
		}
	}
}

// TestAnalyzeLeavesWideValues: ANALYZE neither fetches nor keeps values that are too wide to tell anything.
func TestAnalyzeLeavesWideValues(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	c.run("create table w (k int, v text); insert into w select i, (select string_agg(md5((i + j)::text), '') from generate_series(1, 300) j) from generate_series(1, 100) i; insert into w select i, 'x' from generate_series(1, 100) i")
	before := c.s.Task.Buffers
	c.run("analyze w")
	if got := c.run("select n_distinct, null_frac, avg_width < 50 from pg_stats where tablename = 'w' and attname = 'v'"); got != "-0.505|0|t" {
		t.Errorf("statistics: %s", got)
	}
	if read := c.s.Task.Buffers.Hit - before.Hit; read > 1500 {
		t.Errorf("%d pages were looked at", read)
	}
}

// TestAnalyzeHoldsNothingBack: while ANALYZE reads a table, what others have left behind since it began may go.
func TestAnalyzeHoldsNothingBack(t *testing.T) {
	e := slowVacuums(t)
	c := connect(t, e)
	c.run("create table big (a int, b text); insert into big select i, repeat('x', 500) from generate_series(1, 20000) i")
	oid := tableOID(c, "big")
	done := make(chan error, 1)
	task := activity.NewTask(0, nil)
	go func() { done <- e.Maintain(task, c.s.Database.OID, oid, false, true) }()
	until(t, done, func() bool {
		return c.run("select count(*) from pg_stat_activity where backend_type = 'autovacuum worker' and wait_event = 'VacuumDelay'") == "1"
	})
	if got := c.run("delete from big where a = 1"); got != "DELETE 1" {
		t.Fatal(got)
	}
	deleted := e.cluster.Txns.Now()
	until(t, done, func() bool { return e.cluster.Txns.RefreshHorizon() >= deleted })
	task.Cancel(pgerror.New(pgerror.QueryCanceled, "enough"))
	if err := <-done; pgerror.Code(err) != pgerror.QueryCanceled {
		t.Errorf("ANALYZE ended with %v", err)
	}
}

// TestVacuumOnAFullDisk: a disk without room for maps keeps nobody from vacuuming, nor from using the room that this makes.
func TestVacuumOnAFullDisk(t *testing.T) {
	fs := newCluster(t).(*vfs.Mem)
	e := testEngine(t, fs)
	c := connect(t, e)
	steps(t, c, "create table w (a int primary key, b text)", "insert into w select i, repeat('x', 200) from generate_series(1, 2000) i")
	path := c.run("select pg_relation_filepath('w')")
	pages := c.run("select pg_relation_size('w')")
	fs.Inject(vfs.Fault{Match: path + "_vm", Err: syscall.ENOSPC, Sticky: true})
	fs.Inject(vfs.Fault{Op: vfs.OpTruncate, Match: path, Err: syscall.ENOSPC, Sticky: true})
	steps(t, c, "delete from w where a % 2 = 0", "vacuum w", "insert into w select i, repeat('y', 200) from generate_series(2, 1000, 2) i",
		"update w set b = 'z' where a = 1")
	wants(t, c.run("select count(*), count(*) filter (where b = 'z') from w"), "1500|1")
	wants(t, c.run("select pg_relation_size('w')"), pages)
	wants(t, c.run("select pg_relation_size('w', 'vm')"), "0")
}
