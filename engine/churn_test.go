package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestVersionChurn pins the deletion of dead versions' entries before a split: updates of another index's column leave an entry
// in the other index each, which nobody finds by a scan of it.
func TestVersionChurn(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	c.run("create table churn (id int, a int)")
	c.run("create index churn_a on churn (a); create index churn_id on churn (id)")
	c.run("insert into churn select g, g from generate_series(1, 50) g")
	c.run("set enable_indexscan = off")
	c.run("set enable_bitmapscan = off")
	for i := range 6000 {
		c.run(fmt.Sprintf("update churn set a = a + 1000 where id = %d", 1+i%50))
	}
	if got := c.run("select pg_relation_size('churn_id') / 8192 <= 6, (select count(*) from churn)"); !strings.Contains(got, "t|50") {
		t.Errorf("the index has grown: %s, %s", got, c.run("select pg_relation_size('churn_id') / 8192"))
	}
	c.run("update churn set a = -a")
	if err := e.Shutdown(); err != nil {
		t.Error(err)
	}
}

// TestQueueTable pins that a table which loses its oldest rows as fast as it gets new ones keeps its index small.
func TestQueueTable(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	c.run("create table q (k int primary key)")
	for i := range 6 {
		c.run(fmt.Sprintf("insert into q select generate_series(%d, %d)", i*10000, i*10000+9999))
		c.run(fmt.Sprintf("delete from q where k < %d", i*10000+9000))
		e.RefreshHorizon()
		c.run("vacuum q")
	}
	if got := c.run("select pg_relation_size('q_pkey') / 8192 < 80, count(*), min(k) from q"); !strings.Contains(got, "t|1000|59000") {
		t.Errorf("the index has grown: %s, %s", got, c.run("select pg_relation_size('q_pkey') / 8192"))
	}
	if got := c.run("select count(*) from (select k from q order by k desc) x where k between 59000 and 59999"); !strings.Contains(got, "1000") {
		t.Error(got)
	}
	if err := e.Shutdown(); err != nil {
		t.Error(err)
	}
}
