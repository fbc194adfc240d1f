package txn

import (
	"sync"
	"testing"
)

// TestProcTable: sessions that come and go, also many at a time, are found while they are there and their places are used
// again.
func TestProcTable(t *testing.T) {
	var table procTable
	table.each(func(*Proc) { t.Error("a session in an empty table") })
	procs := make([]*Proc, 3*procBlock+1)
	for i := range procs {
		procs[i] = &Proc{}
		table.add(procs[i])
	}
	for i := 0; i < len(procs); i += 2 {
		table.remove(procs[i])
	}
	seen := map[*Proc]bool{}
	table.each(func(p *Proc) { seen[p] = true })
	for i, p := range procs {
		if seen[p] != (i%2 == 1) {
			t.Errorf("session %d: found is %v", i, seen[p])
		}
	}
	blocks := len(*table.blocks.Load())
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 1000 {
				p := &Proc{}
				table.add(p)
				found := false
				table.each(func(q *Proc) { found = found || p == q })
				if !found {
					t.Error("a session is not in the table")
				}
				table.remove(p)
			}
		}()
	}
	wg.Wait()
	if n := len(*table.blocks.Load()); n != blocks || int(table.n.Load()) != len(procs)/2 {
		t.Errorf("%d blocks and %d sessions, want %d and %d", n, table.n.Load(), blocks, len(procs)/2)
	}
}
