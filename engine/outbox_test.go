package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// TestOutbox reads a table that many write to as an outbox is read: whatever was written by transactions below the snapshot's xmin, from
// the last xmin on. Each committed row must come once, and no other.
func TestOutbox(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create table outbox (id int, xid xid8 default pg_current_xact_id())", "create index on outbox (xid)")
	const writers, each = 8, 150
	var wg sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		s := connect(t, e)
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range each {
				insert := fmt.Sprintf("insert into outbox values (%d)", w*each+i)
				end := "commit"
				if r.IntN(5) == 0 {
					end = "rollback"
				}
				for _, sql := range []string{"begin", insert, "savepoint s", insert, end} {
					if got := s.run(sql); strings.HasPrefix(got, "ERROR") {
						t.Errorf("%s: %s", sql, got)
					}
				}
			}
		}()
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	got := map[string]int{}
	low := "0"
	for last := false; ; {
		out := c.run(fmt.Sprintf(`select pg_snapshot_xmin(s), (select string_agg(id::text, ' ') from outbox
			where xid >= '%s' and xid < pg_snapshot_xmin(s)) from (select pg_current_snapshot() s offset 0) x`, low))
		xmin, ids, _ := strings.Cut(out, "|")
		low = xmin
		if ids != "~" {
			for _, id := range strings.Fields(ids) {
				got[id]++
			}
		}
		if last {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
	for id, n := range got {
		if n != 2 {
			t.Errorf("row %s came %d times", id, n)
		}
	}
	if want := c.run("select count(distinct id) from outbox"); fmt.Sprint(len(got)) != want {
		t.Errorf("%d rows came, want %s", len(got), want)
	}
}
