package engine

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// keyed makes a referenced and a referring table with two sessions.
func keyed(t *testing.T, action string) (e *Engine, a, b *client) {
	e = testEngine(t, newCluster(t))
	a, b = connect(t, e), connect(t, e)
	for _, q := range []string{"create table p (a int primary key, v int)", "insert into p values (1, 0), (2, 0)",
		"create table c (x int references p " + action + ")", "create index on c (x)"} {
		if got := a.run(q); strings.HasPrefix(got, "ERROR") {
			t.Fatal(got)
		}
	}
	return e, a, b
}

// blocked starts a statement and waits until it waits for a lock.
func blocked(t *testing.T, e *Engine, c *client, sql string) <-chan string {
	t.Helper()
	out := make(chan string, 1)
	go func() { out <- c.run(sql) }()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for _, l := range e.cluster.Locks.Snapshot() {
			if !l.Granted {
				return out
			}
		}
		select {
		case got := <-out:
			t.Fatalf("%s did not wait: %s", sql, got)
		default:
		}
	}
	t.Fatalf("%s never waited", sql)
	return nil
}

// steps runs statements that must not fail.
func steps(t *testing.T, c *client, list ...string) {
	t.Helper()
	for _, q := range list {
		if got := c.run(q); strings.HasPrefix(got, "ERROR") {
			t.Fatalf("%s: %s", q, got)
		}
	}
}

func wants(t *testing.T, got, prefix string) {
	t.Helper()
	if !strings.HasPrefix(got, prefix) {
		t.Errorf("got %q, want %q", got, prefix)
	}
}

const (
	missingParent = "ERROR 23503"
	serialization = "ERROR 40001"
)

func TestChildInsertWaitsForParentDelete(t *testing.T) {
	e, a, b := keyed(t, "")
	steps(t, a, "begin", "delete from p where a = 1")
	got := blocked(t, e, b, "insert into c values (1)")
	steps(t, a, "commit")
	wants(t, <-got, missingParent)

	steps(t, a, "begin", "delete from p where a = 2")
	got = blocked(t, e, b, "insert into c values (2)")
	steps(t, a, "rollback")
	wants(t, <-got, "INSERT 0 1")
}

func TestParentDeleteWaitsForChildInsert(t *testing.T) {
	e, a, b := keyed(t, "")
	steps(t, b, "begin", "insert into c values (1)")
	got := blocked(t, e, a, "delete from p where a = 1")
	steps(t, b, "commit")
	wants(t, <-got, missingParent)

	steps(t, b, "begin", "insert into c values (2)")
	got = blocked(t, e, a, "delete from p where a = 2")
	steps(t, b, "rollback")
	wants(t, <-got, "DELETE 1")
}

func TestParentUpdateOfOtherColumnsDoesNotWait(t *testing.T) {
	_, a, b := keyed(t, "")
	steps(t, b, "begin", "insert into c values (1)")
	wants(t, a.run("update p set v = 1 where a = 1"), "UPDATE 1")
	steps(t, b, "commit")

	steps(t, a, "begin", "update p set v = 2 where a = 1")
	wants(t, b.run("insert into c values (1)"), "INSERT 0 1")
	steps(t, a, "commit")
	wants(t, a.run("select count(*) from c"), "2")
}

func TestChildInsertFollowsParentKeyUpdate(t *testing.T) {
	e, a, b := keyed(t, "")
	steps(t, a, "begin", "update p set a = 10 where a = 1")
	got := blocked(t, e, b, "insert into c values (1)")
	steps(t, a, "commit")
	wants(t, <-got, missingParent)

	steps(t, a, "begin", "update p set a = 20 where a = 2", "update p set a = 2 where a = 20")
	got = blocked(t, e, b, "insert into c values (2)")
	steps(t, a, "commit")
	wants(t, <-got, "INSERT 0 1")
}

func TestForeignKeyUnderRepeatableRead(t *testing.T) {
	_, a, b := keyed(t, "on delete cascade")
	// A parent that the snapshot does not see is none; one that has gone since is a conflict.
	steps(t, b, "begin isolation level repeatable read", "select count(*) from p")
	steps(t, a, "insert into p values (3, 0)")
	wants(t, b.run("insert into c values (3)"), missingParent)
	steps(t, b, "rollback", "begin isolation level repeatable read", "select count(*) from p")
	steps(t, a, "delete from p where a = 3")
	wants(t, b.run("insert into c values (3)"), serialization)
	steps(t, b, "rollback")
	// A cascade meets a child that the snapshot does not see.
	steps(t, b, "begin isolation level repeatable read", "select count(*) from p")
	steps(t, a, "insert into c values (1)")
	wants(t, b.run("delete from p where a = 1"), serialization)
	steps(t, b, "rollback")
	wants(t, a.run("select count(*) from c"), "1")
}

func TestCascadeFollowsConcurrentChildUpdate(t *testing.T) {
	e, a, b := keyed(t, "on delete cascade")
	steps(t, a, "insert into c values (1)")
	steps(t, b, "begin", "update c set x = 2 where x = 1")
	got := blocked(t, e, a, "delete from p where a = 1")
	steps(t, b, "commit")
	wants(t, <-got, "DELETE 1")
	wants(t, a.run("select x from c"), "2")
}

// TestDeferredUniqueKeysMeetAtCommit lets two sessions insert one key; the second must not commit it.
func TestDeferredUniqueKeysMeetAtCommit(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table u (k int primary key deferrable initially deferred)")
	steps(t, a, "begin", "insert into u values (1)")
	steps(t, b, "begin", "insert into u values (1)")
	got := blocked(t, e, b, "commit")
	steps(t, a, "commit")
	wants(t, <-got, "ERROR 23505")
	wants(t, b.run("select count(*) from u"), "1")

	steps(t, a, "begin", "insert into u values (2)")
	steps(t, b, "begin", "insert into u values (2)")
	got = blocked(t, e, b, "commit")
	steps(t, a, "rollback")
	wants(t, <-got, "COMMIT")
}

// TestForeignKeysHoldUnderLoad lets sessions insert children, delete and bring back parents; no child may be left alone.
func TestForeignKeysHoldUnderLoad(t *testing.T) {
	for _, action := range []string{"", "on delete cascade", "on delete set null", "deferrable initially deferred"} {
		t.Run(action, func(t *testing.T) {
			e, a, _ := keyed(t, action)
			var wg sync.WaitGroup
			for n := range 6 {
				s := connect(t, e)
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range 120 {
						key := (n*7+i*3)%4 + 1
						switch (n + i) % 3 {
						case 0:
							s.run(fmt.Sprintf("insert into p values (%d, 0) on conflict do nothing", key))
						case 1:
							s.run(fmt.Sprintf("insert into c values (%d)", key))
						case 2:
							s.run(fmt.Sprintf("delete from p where a = %d", key))
						}
					}
				}()
			}
			wg.Wait()
			wants(t, a.run("select count(*) from c where x is not null and x not in (select a from p)"), "0")
		})
	}
}
