package engine

import (
	"strconv"
	"testing"
)

// TestEqualKeysShareItems compares the sizes of indexes whose keys are few: made at once, by batches and row by row, with lists
// and without.
func TestEqualKeysShareItems(t *testing.T) {
	c := connect(t, testEngine(t, newCluster(t)))
	size := func(index string) int {
		n, err := strconv.Atoi(c.run("select pg_relation_size('" + index + "')"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	c.run("create table t (id int primary key, k int, l int)")
	c.run("create index by_batch on t (k); create index plain on t (k) with (deduplicate_items = off)")
	c.run("create index included on t (k) include (l)")
	c.run("insert into t select i, i % 10, i from generate_series(1, 30000) i")
	c.run("create index at_once on t (k)")
	c.run("create table r (id int, k int); create index by_row on r (k)")
	for i := range 15000 {
		c.run("insert into r values (" + strconv.Itoa(i) + ", " + strconv.Itoa(i%10) + ")")
	}
	plain := size("plain")
	for name, rows := range map[string]int{"by_batch": 30000, "at_once": 30000, "by_row": 15000} {
		if n := size(name); n > plain*rows/30000/2 {
			t.Errorf("index %s has %d bytes, without lists it were %d", name, n, plain*rows/30000)
		}
	}
	if n := size("included"); n < plain {
		t.Errorf("an index with an included column has %d bytes, less than %d", n, plain)
	}
	c.run("alter index plain set (deduplicate_items = on)")
	c.run("insert into t select i, i % 10, i from generate_series(30001, 60000) i")
	if n := size("plain"); n > plain*15/10 {
		t.Errorf("an index that has lists from now on grew from %d to %d bytes", plain, n)
	}
	c.run("alter index at_once set (deduplicate_items = off); reindex index at_once")
	if n := size("at_once"); n < plain {
		t.Errorf("an index without lists has %d bytes after REINDEX", n)
	}
}

// TestEqualKeysWithoutLog has the lists of temporary and unlogged tables give the rows that the tables have.
func TestEqualKeysWithoutLog(t *testing.T) {
	c := connect(t, testEngine(t, newCluster(t)))
	for _, kind := range []string{"temp", "unlogged"} {
		name := "w_" + kind
		c.run("create " + kind + " table " + name + " (id int primary key, k int, s text)")
		c.run("create index on " + name + " (k); create index on " + name + " (s desc, k)")
		for round := range 6 {
			at := strconv.Itoa(round * 4000)
			c.run("insert into " + name + " select " + at + " + i, i % 7, 'v' || i % 3 from generate_series(1, 4000) i")
			c.run("delete from " + name + " where id % 5 = " + strconv.Itoa(round%5))
			c.run("update " + name + " set k = (k + 1) % 7 where id % 11 = " + strconv.Itoa(round))
			if round%2 == 1 {
				c.run("vacuum " + name)
			}
			sum := "select k, s, count(*), sum(id) from " + name + " where k >= 0 and s >= '' group by k, s order by k, s"
			c.run("set enable_seqscan = on; set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")
			want := c.run(sum)
			c.run("set enable_seqscan = off; set enable_indexscan = on; set enable_bitmapscan = on; set enable_indexonlyscan = on")
			if got := c.run(sum); got != want {
				t.Fatalf("%s, round %d: by index:\n%s\nby table:\n%s", kind, round, got, want)
			}
		}
	}
}
