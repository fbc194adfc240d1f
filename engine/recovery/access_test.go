package recovery

import (
	"math"
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/sequence"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// TestFetchBatchAndRoots reads HOT-updated rows by the addresses that an index would keep.
func TestFetchBatchAndRoots(t *testing.T) {
	c, a, _ := newPair(t, 64)
	a.begin()
	tids := make([]base.TID, 50)
	var rows [][]types.Datum
	for k := range int64(50) {
		rows = append(rows, row(k, k, "x"))
	}
	a.must(a.hw.MultiInsert(rows, tids))
	for k, tid := range tids {
		_, err := a.index(int64(k), tid)
		a.must(err)
	}
	a.must(a.tx.NextCommand())
	for k := range int64(50) {
		if k%3 == 0 {
			_, err := a.set(k, k+1000, "longer than before")
			a.must(err)
		}
	}
	a.commit()
	a.begin()
	var snap mvcc.Snapshot
	a.tx.Snapshot(&snap)
	view := mvcc.NewView(&snap, c.Txns, a.task)
	var b vector.Batch
	from, at := make([]int32, len(tids)), make([]base.TID, len(tids))
	n, err := a.tab.FetchBatch(&view, tids, &b, []int{1, 2, heap.ColCTID}, from, at)
	a.must(err)
	if n != 50 {
		t.Fatalf("%d rows", n)
	}
	for i := range n {
		k := int64(from[i])
		want := k
		if k%3 == 0 {
			want += 1000
		}
		if b.Cols[0].Fixed[i] != want || base.UnpackTID(uint64(b.Cols[2].Fixed[i])) != at[i] || (at[i] != tids[k]) != (k%3 == 0) {
			t.Fatalf("key %d: %d at %s", k, b.Cols[0].Fixed[i], at[i])
		}
	}
	s, err := a.tab.NewScan(view)
	a.must(err)
	s.KeepRoots()
	for {
		n, err := s.Next(7, &b, []int{0})
		a.must(err)
		if n == 0 {
			break
		}
		for i, tid := range s.TIDs(n) {
			if k := b.Cols[0].Fixed[i]; tid != tids[k] {
				t.Fatalf("key %d: root %s, inserted at %s", k, tid, tids[k])
			}
		}
	}
	a.tx.Release(&snap)
	a.commit()
}

// TestUndoAndFindConflict is what ON CONFLICT does when another was faster.
func TestUndoAndFindConflict(t *testing.T) {
	c, a, _ := newPair(t, 64)
	a.begin()
	_, err := a.insert(5, 1, "")
	a.must(err)
	a.commit()
	a.begin()
	view := mvcc.NewView(&mvcc.Snapshot{Own: a.tx.Identity()}, c.Txns, a.task)
	prober := &heap.Prober{Table: a.tab, View: &view}
	for k, want := range map[int64]bool{5: true, 6: false} {
		cf, err := a.iw.FindConflict(keyOf(k), prober)
		if err != nil || cf.Found != want {
			t.Fatal(k, cf, err)
		}
	}
	tid, err := a.hw.Insert(row(5, 2, ""))
	a.must(err)
	cf, err := a.index(5, tid)
	if err != nil || cf == (btree.Conflict{}) {
		t.Fatal(cf, err)
	}
	a.must(a.hw.Undo(tid))
	a.must(a.tx.NextCommand())
	if m := a.allNow(); len(m) != 1 || m[5] != 1 {
		t.Fatal(m)
	}
	a.commit()
}

// TestSequence follows what PostgreSQL 15 shows: log_cnt is 32 after the first value.
func TestSequence(t *testing.T) {
	c, a, _ := newPair(t, 64)
	q, d := sequence.New(c.Txns), seqDesc()
	a.begin()
	a.must(q.Create(a.task, a.tx, d, 1))
	a.commit()
	p := sequence.Params{Start: 1, Increment: 1, Min: 1, Max: math.MaxInt64, Cache: 1}
	next := func(p sequence.Params, first, last int64) {
		t.Helper()
		f, l, err := q.Next(a.task, d, p)
		if err != nil || f != first || l != last {
			t.Fatalf("got %d..%d %v, want %d..%d", f, l, err, first, last)
		}
	}
	state := func(want sequence.State) {
		t.Helper()
		if s, err := q.Read(a.task, d); err != nil || s != want {
			t.Fatalf("got %+v %v, want %+v", s, err, want)
		}
	}
	state(sequence.State{Last: 1})
	next(p, 1, 1)
	state(sequence.State{Last: 1, Ahead: 32, Called: true})
	before := c.Log.InsertLSN()
	for v := int64(2); v <= 33; v++ {
		next(p, v, v)
	}
	if c.Log.InsertLSN() != before {
		t.Fatal("a covered value was logged")
	}
	state(sequence.State{Last: 33, Ahead: 0, Called: true})
	next(p, 34, 34)
	state(sequence.State{Last: 34, Ahead: 32, Called: true})
	p.Cache = 10
	next(p, 35, 44)
	a.must(q.Set(a.task, d, p, 100, false))
	next(p, 100, 109)
	p.Max = 112
	next(p, 110, 112)
	if _, _, err := q.Next(a.task, d, p); pgerror.Code(err) != pgerror.SequenceGeneratorLimitExceeded {
		t.Fatal(err)
	}
	p.Cycle = true
	next(p, 1, 10)
	if err := q.Set(a.task, d, p, 113, true); pgerror.Code(err) != pgerror.NumericValueOutOfRange {
		t.Fatal(err)
	}
}
