package engine

import (
	"testing"
)

// TestStanding: a session has a place among the transactions only while it is in one or holds something, and on one backend
// the next session gets it.
func TestStanding(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c, other := connect(t, e), connect(t, e)
	other.b = c.b
	for _, step := range []struct {
		sql  string
		want bool
	}{
		{"select 1", false},
		{"create temp table tt (a int)", false},
		{"set work_mem = '1MB'", false},
		{"select 1 / 0", false},
		{"begin", true},
		{"insert into tt values (1)", true},
		{"select 1 / 0", true},
		{"rollback", false},
		{"select pg_advisory_lock(7)", true},
		{"select 1", true},
		{"select pg_advisory_unlock(7)", false},
		{"begin; declare c cursor with hold for select 1; commit", true},
		{"close c", false},
		{"discard all", false},
	} {
		got := c.run(step.sql)
		if held := c.s.Proc != nil; held != step.want {
			t.Fatalf("after %s (%s): a place is %v", step.sql, got, held)
		}
		before := c.s.Standing
		if got := other.run("select pg_backend_pid() = pid from pg_locks where relation = 'pg_locks'::regclass"); got != "t" {
			t.Fatalf("after %s: the other session's locks are shown as %s", step.sql, got)
		}
		if c.s.Standing != before || other.s.Standing != nil {
			t.Fatalf("after %s: the sessions have mixed their places up", step.sql)
		}
	}
	if got := other.run("select count(*) from pg_locks where relation = 'pg_locks'::regclass"); got != "1" {
		t.Errorf("%s sessions hold locks", got)
	}
}
