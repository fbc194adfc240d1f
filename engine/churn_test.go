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
