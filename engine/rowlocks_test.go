package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestRowLocksEscalate: when more rows are locked by several transactions than memory is meant for, locks cover the relation;
// nothing that conflicts gets through, before or after, and nothing is left behind.
func TestRowLocksEscalate(t *testing.T) {
	e := testEngine(t, newCluster(t))
	e.cluster.Heaps.LimitRowLocks(640)
	a, b, c := connect(t, e), connect(t, e), connect(t, e)
	steps(t, a, "create table p (id int primary key, v int)", "create table q (id int primary key)",
		"insert into p select i, 0 from generate_series(1, 5000) i", "insert into q select generate_series(1, 10)")
	steps(t, a, "begin", "select count(*) from (select * from p for key share) x")
	steps(t, b, "begin", "select count(*) from (select * from p for share) x")
	steps(t, c, "set lock_timeout = '10ms'", "begin", "select count(*) from (select * from p where id > 4000 for key share) x", "commit")
	for _, id := range []int{1, 2500, 5000} {
		if got := c.run(fmt.Sprintf("update p set v = 1 where id = %d", id)); !strings.Contains(got, "55P03") {
			t.Errorf("row %d was changed though it is locked: %s", id, got)
		}
	}
	wants(t, c.run("delete from q where id = 1"), "DELETE 1")
	steps(t, b, "commit")
	wants(t, c.run("update p set v = 1 where id = 2500"), "UPDATE 1") // key share allows it
	if got := c.run("delete from p where id = 2500"); !strings.Contains(got, "55P03") {
		t.Errorf("a row was deleted though its key is locked: %s", got)
	}
	wants(t, a.run("delete from p where id = 1"), "DELETE 1")
	steps(t, a, "commit")
	wants(t, c.run("delete from p where id = 2500"), "DELETE 1")
	wants(t, c.run("update p set id = -id where id < 100"), "UPDATE 98")
}
