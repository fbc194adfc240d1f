package engine

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestConcurrentIncrementsAreNotLost runs increments of few rows from many sessions: each must see the newest version.
func TestConcurrentIncrementsAreNotLost(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	for _, q := range []string{"create table c (id int primary key, v int)", "create table d (id int, v int)",
		"insert into c select i, 0 from generate_series(1, 3) i", "insert into d select i, 0 from generate_series(1, 3) i"} {
		c.run(q)
	}
	const sessions, rounds = 8, 50
	var wg sync.WaitGroup
	for n := range sessions {
		s := connect(t, e)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				for _, table := range []string{"c", "d"} {
					if got := s.run(fmt.Sprintf("update %s set v = v + 1 where id = %d", table, (n+i)%3+1)); got != "UPDATE 1" {
						t.Errorf("%s", got)
					}
				}
			}
		}()
	}
	wg.Wait()
	want := fmt.Sprint(sessions * rounds)
	for _, table := range []string{"c", "d"} {
		if got := c.run("select sum(v) from " + table); got != want {
			t.Errorf("%s: %s increments of %s", table, got, want)
		}
	}
}

// TestOwnCatalogsSeeWhatOthersDrop: a transaction that has changed catalogs, and so reads them through a cache of its own, learns
// of what others commit.
func TestOwnCatalogsSeeWhatOthersDrop(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table t3 (a int)", "begin", "create table other (a int)")
	if got := a.run("select to_regtype('t3')::text"); !strings.Contains(got, "t3") {
		t.Fatal(got)
	}
	steps(t, b, "drop table t3")
	wants(t, a.run("create table t3 (a int)"), "CREATE TABLE")
	steps(t, a, "commit")
}
