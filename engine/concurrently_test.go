package engine

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"manifold/engine/activity"
)

// TestIndexesMadeUnderLoad makes, replaces and drops indexes while other sessions write; every row must be in every index
// afterwards.
func TestIndexesMadeUnderLoad(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create table t (id int primary key, a int, b text)",
		"insert into t select i, i % 50, 'v' || i from generate_series(1, 500) i")
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for n := range 4 {
		s := connect(t, e)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; !stop.Load(); i++ {
				id := (n*131 + i*17) % 700
				for _, q := range []string{
					fmt.Sprintf("insert into t values (%d, %d, 'n') on conflict (id) do update set a = t.a + 1", id, i%50),
					fmt.Sprintf("update t set a = a + 1, b = b || 'x' where id = %d and length(b) < 30", id+1),
					"begin",
					fmt.Sprintf("delete from t where id = %d", id+2),
					[]string{"commit", "rollback"}[i%2],
				} {
					if got := s.run(q); len(got) > 5 && got[:5] == "ERROR" {
						t.Errorf("%s: %s", q, got)
						return
					}
				}
			}
		}()
	}
	for round := range 3 {
		steps(t, c, "create index concurrently ta on t (a)", "create unique index concurrently tb on t (b, id) where a > 3",
			"reindex index concurrently ta", "reindex table concurrently t")
		if got := c.run("select count(*) from pg_index where indrelid = 't'::regclass and indisvalid and indisready"); got != "3" {
			t.Errorf("round %d: %s indexes", round, got)
		}
		if round < 2 {
			steps(t, c, "drop index concurrently ta", "drop index concurrently tb")
		}
	}
	stop.Store(true)
	wg.Wait()
	if _, err := e.Check(activity.NewTask(0, nil), func(err error) { t.Error(err) }); err != nil {
		t.Error(err)
	}
}

// TestConcurrentIndexWaitsForWriters checks that a transaction that wrote before the index was known keeps it waiting, and is
// not missed.
func TestConcurrentIndexWaitsForWriters(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table t (a int)", "begin", "insert into t values (1)")
	out := make(chan string, 1)
	go func() { out <- b.run("create index concurrently ta on t (a)") }()
	for a.run("select count(*) from pg_index where indrelid = 't'::regclass") != "1" {
	}
	steps(t, a, "insert into t values (2)")
	select {
	case got := <-out:
		t.Fatalf("did not wait: %s", got)
	default:
	}
	steps(t, a, "commit")
	wants(t, <-out, "CREATE INDEX")
	steps(t, a, "set enable_seqscan = off")
	wants(t, a.run("select count(*) from t where a = 1 or a = 2"), "2")
	if _, err := e.Check(activity.NewTask(0, nil), func(err error) { t.Error(err) }); err != nil {
		t.Error(err)
	}
}

// TestDropIndexWaitsForWriters checks that nobody writes to an index that is gone: its file would come back with the log.
func TestDropIndexWaitsForWriters(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table t (a int)", "create index ta on t (a)", "begin", "insert into t values (1)")
	got := blocked(t, e, b, "drop index ta")
	steps(t, a, "insert into t values (2)", "commit")
	wants(t, <-got, "DROP INDEX")

	steps(t, a, "create table p (a int primary key)", "create table c (a int references p)", "begin", "insert into c values (null)")
	got = blocked(t, e, b, "drop table p cascade")
	steps(t, a, "commit")
	wants(t, <-got, "DROP TABLE")
}

// TestConcurrentIndexObeysLockTimeout pins CREATE INDEX CONCURRENTLY that waited for a writer whatever lock_timeout said.
func TestConcurrentIndexObeysLockTimeout(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	a.run("create table w (k int)")
	a.run("begin; insert into w values (1)")
	const want = "SET\nERROR 55P03: canceling statement due to lock timeout"
	if got := b.run("set lock_timeout = '2ms'") + "\n" + b.run("create index concurrently w_k on w (k)"); got != want {
		t.Errorf("got %s", got)
	}
	a.run("rollback")
	if got := b.run("drop index w_k"); got != "DROP INDEX" {
		t.Errorf("the invalid index is not there: %s", got)
	}
}

// TestReindexedToastIsKnown: who has read the descriptor of a table learns of the new file of its TOAST relation's index, in the
// transaction that rebuilt it and elsewhere. Chunks went to the old file, and nobody found them any more.
func TestReindexedToastIsKnown(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table big (k int primary key, v text)", "alter table big alter v set storage external", "begin", "reindex table big",
		"insert into big values (1, repeat('x', 9000))", "commit")
	wants(t, b.run("select sum(length(v)) from big"), "9000")
	index := "pg_toast.pg_toast_" + a.run("select 'big'::regclass::oid") + "_index"
	steps(t, a, "insert into big values (2, repeat('x', 9000))", "begin", "reindex index "+index)
	steps(t, a, "insert into big values (3, repeat('x', 9000))", "commit", "insert into big values (4, repeat('x', 9000))")
	steps(t, b, "insert into big values (5, repeat('x', 9000))", "vacuum full big", "begin", "reindex index "+index, "rollback",
		"insert into big values (6, repeat('x', 9000))")
	wants(t, connect(t, e).run("select sum(length(v)) from big"), "54000")
}
