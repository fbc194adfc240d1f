package stats

import (
	"sync"
	"testing"
)

// TestReads counts from many sessions at once, and begins anew.
func TestReads(t *testing.T) {
	r := New()
	var wg sync.WaitGroup
	for session := range uint32(20) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 100 {
				r.Reads(1, 2).Add(session, &ReadCounts{Scans: 1, Returned: 2, Fetched: 3, Blocks: 4, Misses: 5})
				r.Database(1).Ended(session, session%2 == 0, 7, 1)
			}
		}()
	}
	wg.Wait()
	if got, want := r.Reads(1, 2).Sum(), (ReadCounts{2000, 4000, 6000, 8000, 10000}); got != want {
		t.Fatalf("reads %+v, want %+v", got, want)
	}
	r.Table(1, 2).Insert(9)
	want := DatabaseCounts{Commits: 1000, Rollbacks: 1000, Hits: 14000, Reads: 2000, Returned: 4000, Fetched: 6000, Inserted: 9}
	if got := r.CountsOf(1); got != want {
		t.Fatalf("database %+v, want %+v", got, want)
	}
	r.Dropped(1, 2)
	r.Drop(1, 2)
	if got := r.CountsOf(1); got != want {
		t.Fatalf("after the table was dropped: %+v, want %+v", got, want)
	}
	if got := r.ReadsOf(1, 2); got != (ReadCounts{}) {
		t.Fatalf("a dropped table still has %+v", got)
	}
	if r.ReadsOf(1, 99); len(r.reads) != 0 || *r.Counts(1, 99) != (Table{}) || len(r.tables) != 0 {
		t.Fatal("asking makes entries")
	}
	kept := r.Reads(1, 3)
	kept.Add(1, &ReadCounts{Scans: 1})
	r.Reset(1, 5)
	if got := r.CountsOf(1); got != (DatabaseCounts{Since: 5}) || kept.Sum() != (ReadCounts{}) {
		t.Fatalf("after the reset: %+v, %+v", got, kept.Sum())
	}
	kept.Add(1, &ReadCounts{Returned: 6})
	if got := r.CountsOf(1).Returned; got != 6 {
		t.Fatalf("counters made before the reset are not seen: %d", got)
	}
}
