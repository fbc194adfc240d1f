package recovery

import (
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/txn"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func benchTable(b *testing.B, rows int64) *sess {
	_, a, _ := newPair(b, 4096)
	a.begin()
	for k := range rows {
		if _, err := a.insert(k*7, k, "some text of thirty bytes ......"); err != nil {
			b.Fatal(err)
		}
	}
	a.commit()
	a.c.Txns.RefreshHorizon()
	return a
}

// BenchmarkPointSelect is begin, snapshot, one descent, one fetch, commit.
func BenchmarkPointSelect(b *testing.B) {
	const rows = 20000
	s := benchTable(b, rows)
	s.begin()
	view := mvcc.View{}
	var snap mvcc.Snapshot
	key := keyOf(0)
	i := int64(0)
	b.ReportAllocs()
	s.commit()
	for b.Loop() {
		i = (i + 7919) % rows
		tx := s.proc.Begin()
		tx.Snapshot(&snap)
		view = mvcc.NewView(&snap, s.c.Txns, s.task)
		key = appendKey(key[:0], i*7)
		s.scan.Reset(btree.Range{Lo: key, Hi: key}, false, false)
		tids, err := s.scan.Next()
		if err != nil || len(tids) != 1 {
			b.Fatal(len(tids), err)
		}
		f, err := s.tab.Fetch(&view, tids[0], &s.buf)
		if err != nil || f.Row == nil || s.tab.Layout.Get(f.Row, 1).I != i {
			b.Fatal(f, err)
		}
		tx.Release(&snap)
		if _, err := tx.Commit(s.task, txn.LevelOn); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHotUpdate is a transaction that updates one row, with its answer, on a log that does not sync.
func BenchmarkHotUpdate(b *testing.B) {
	const rows = 20000
	s := benchTable(b, rows)
	s.begin()
	s.commit()
	var snap mvcc.Snapshot
	key := keyOf(0)
	values := []types.Datum{types.Int(0), types.Int(0), types.Text("some text of thirty bytes ......")}
	i, n, cold := int64(0), 0, 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 7919) % rows
		tx := s.proc.Begin()
		s.hw.Reset(s.tab, s.task, tx, txn.Wait{})
		tx.Snapshot(&snap)
		view := mvcc.NewView(&snap, s.c.Txns, s.task)
		key = appendKey(key[:0], i*7)
		s.scan.Reset(btree.Range{Lo: key, Hi: key}, false, false)
		tids, err := s.scan.Next()
		var f heap.Fetched
		for k := 0; err == nil && f.Row == nil && k < len(tids); k++ {
			f, err = s.tab.Fetch(&view, tids[k], &s.buf)
			if err == nil && f.Row == nil {
				var dead bool
				if dead, err = s.tab.AllDead(&view, tids[k]); dead {
					s.scan.Kill(k)
				}
			}
		}
		if err != nil || f.Row == nil {
			b.Fatal(len(tids), err)
		}
		values[0].I, values[1].I = i*7, int64(b.N)
		res, err := s.hw.Update(f.TID, values)
		if err != nil || res.Outcome != heap.OK {
			b.Fatal(res, err)
		}
		if !res.HOT {
			cold++
			s.tx = tx
			if _, err := s.index(i*7, res.TID); err != nil {
				b.Fatal(err)
			}
		}
		if n++; n%200 == 0 { // what the WAL writer does
			if err := s.c.Log.Flush(s.c.Log.InsertLSN()); err != nil {
				b.Fatal(err)
			}
		}
		tx.Release(&snap)
		if _, err := tx.Commit(s.task, txn.LevelOff); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cold)/float64(n), "cold/op")
}

// BenchmarkScan reads a table of one page run after another into vectors; the time is per row.
func BenchmarkScan(b *testing.B) {
	const rows = 100000
	_, a, _ := newPair(b, 4096)
	a.begin()
	tids := make([]base.TID, 1000)
	batch := make([][]types.Datum, 1000)
	for k := int64(0); k < rows; k += 1000 {
		for i := range batch {
			batch[i] = row(k+int64(i), 1, "some text of thirty bytes ......")
		}
		if err := a.hw.MultiInsert(batch, tids); err != nil {
			b.Fatal(err)
		}
	}
	a.commit()
	a.begin()
	defer a.commit()
	a.c.Txns.RefreshHorizon()
	var snap mvcc.Snapshot
	a.tx.Snapshot(&snap)
	defer a.tx.Release(&snap)
	s := &heap.Scan{}
	var vb vector.Batch
	b.ReportAllocs()
	n := rows
	for b.Loop() {
		if n == rows {
			if err := s.Reset(a.tab, mvcc.NewView(&snap, a.c.Txns, a.task)); err != nil {
				b.Fatal(err)
			}
			n = 0
		}
		k, err := s.Next(vector.BatchSize, &vb, []int{0, 1})
		if err != nil {
			b.Fatal(err)
		}
		n += k
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/vector.BatchSize, "ns/row")
}
