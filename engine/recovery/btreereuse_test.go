package recovery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/txn"
	"manifold/engine/vfs"
)

// tick commits something and lets the horizon follow, so that pages that went before may be used again.
func (s *sess) tick() {
	s.t.Helper()
	s.begin()
	_, err := s.hw.Insert(row(1, 1, ""))
	s.must(err)
	s.commit()
	s.c.Txns.RefreshHorizon()
}

// TestQueueStaysSmall pins the reuse of pages: an index that gets keys at one end and loses them at the other must not grow,
// whether its pages are remembered or were found again after a start.
func TestQueueStaysSmall(t *testing.T) {
	c := newCluster(t, 512)
	tree, task := newIndex(t, c, 60000, nil)
	tab, kvIndex := c.openKV()
	s := c.session(t, 7, tab, kvIndex)
	s.createKV()
	w := tree.NewWriter(task)
	const window = 3000
	at := 0
	var size []base.BlockNumber
	for round := range 40 {
		if round == 20 { // as after a start
			d := kv().Indexes[0]
			d.Name, d.File.Number = "again", 60000
			tree = btree.Open(c.Txns, d, true)
			w = tree.NewWriter(task)
		}
		for range window / 2 {
			at++
			key := fmt.Appendf(nil, "%010d with some bytes more", at)
			if _, err := w.Insert(key, base.TID{Block: base.BlockNumber(at), Offset: 1}, []byte(fmt.Sprint("p", at)), nil); err != nil {
				t.Fatal(err)
			}
		}
		gone := base.BlockNumber(max(at-window, 0))
		if _, kept, err := w.BulkDelete(func(tid base.TID) bool { return tid.Block <= gone }, nil); err != nil || int(kept) > window {
			t.Fatal(kept, err)
		}
		s.tick()
		n, err := tree.Blocks()
		if err != nil {
			t.Fatal(err)
		}
		size = append(size, n)
	}
	for _, e := range tree.Check(task, nil) {
		t.Error(e)
	}
	if size[19] > size[4]+4 || size[39] > size[21]+4 {
		t.Errorf("the index grows: %v pages", size)
	}
	got := collect(t, tree.NewScan(task), btree.Range{}, true)
	if len(got) != window || string(got[0].key[:10]) != fmt.Sprintf("%010d", at) {
		t.Errorf("%d entries", len(got))
	}
}

// TestScansBesideUnlinking has a vacuum empty and unlink leaves, and writers fill the room again, while scans in both
// directions count the entries that stay.
func TestScansBesideUnlinking(t *testing.T) {
	c := newCluster(t, 512)
	tree, task := newIndex(t, c, 61000, nil)
	tab, kvIndex := c.openKV()
	s := c.session(t, 7, tab, kvIndex)
	s.createKV()
	const keep, span = 40, 400 // each kept entry is followed by up to span others that come and go
	w := tree.NewWriter(task)
	for i := range keep {
		if _, err := w.Insert(fmt.Appendf(nil, "%06d", i*span), base.TID{Block: 1, Offset: 1}, []byte("p1"), nil); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var wg, scans sync.WaitGroup
	for k := range 2 {
		wg.Go(func() {
			own := c.session(t, uint32(60+k), tab, kvIndex)
			w := tree.NewWriter(own.task)
			r := rand.New(rand.NewPCG(uint64(k), 3))
			for n := 0; !stop.Load(); n++ {
				from := r.IntN(keep*span - span)
				own.begin() // whoever is on the way to a page has a snapshot or an id
				var snap mvcc.Snapshot
				own.tx.Snapshot(&snap)
				for i := range span {
					tid := base.TID{Block: base.BlockNumber(2 + n%2), Offset: base.OffsetNumber(1 + (k*span*100+n*span+i)%60000)}
					key := fmt.Appendf(nil, "%06d padded to be somewhat longer than that", from+i)
					if _, err := w.Insert(key, tid, nil, nil); err != nil {
						t.Error(err)
						return
					}
				}
				own.tx.Release(&snap)
				own.abort()
			}
		})
	}
	wg.Go(func() {
		w := tree.NewWriter(activity.NewTask(50, nil))
		for n := 0; !stop.Load(); n++ {
			gone := base.BlockNumber(2 + n%2)
			if _, _, err := w.BulkDelete(func(tid base.TID) bool { return tid.Block == gone }, nil); err != nil {
				t.Error(err)
				return
			}
			s.tick()
		}
	})
	for k, back := range []bool{false, true, true} {
		scans.Go(func() { countKept(t, c, tree, uint32(90+k), back, keep) })
	}
	scans.Wait()
	stop.Store(true)
	wg.Wait()
	for _, e := range tree.Check(task, nil) {
		t.Error(e)
	}
}

// countKept scans the tree many times, each with a snapshot as statements have it, and counts the entries of block 1.
func countKept(t *testing.T, c *Cluster, tree *btree.Index, pid uint32, back bool, want int) {
	tab, kvIndex := c.openKV()
	own := c.session(t, pid, tab, kvIndex)
	for range 60 {
		own.begin()
		var snap mvcc.Snapshot
		own.tx.Snapshot(&snap)
		s := tree.NewScan(own.task)
		n, err := countEntries(s, back, func(tid base.TID) bool { return tid.Block == 1 })
		if err != nil {
			t.Error(err)
			return
		}
		own.tx.Release(&snap)
		own.abort()
		if n != want {
			t.Errorf("back %v: %d entries of %d", back, n, want)
		}
	}
}

// TestUnlinkSurvivesPowerCuts cuts the power while leaves are emptied, unlinked and used again.
func TestUnlinkSurvivesPowerCuts(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 6
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 11))
		fs := newFS(t)
		c := startOn(t, fs, 24)
		if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
			t.Fatal(err)
		}
		tab, ix := c.openKV()
		c.session(t, 99, tab, ix).createKV()
		for round := range uint64(3) {
			c.Log.SetTuning(activity.LogTuning{Checks: 1<<32 - 1}, nil)
			fs.Inject(vfs.Fault{Nth: 100 + r.IntN(500), Err: vfs.ErrPowerCut})
			if err := churn(t, r, c, uint32(2+1000*round)); !errors.Is(err, vfs.ErrPowerCut) {
				t.Fatalf("seed %d round %d: %v", seed, round, err)
			}
			fs = fs.Crash(seed*10 + round)
			c = startOn(t, fs, 24)
			_, ix := c.openKV()
			for _, e := range ix.Check(activity.NewTask(1, nil), nil) {
				t.Fatalf("seed %d round %d: %v", seed, round, e)
			}
		}
	}
}

// churn, with addresses from block n on, fills parts of the index and empties them again until the power goes.
func churn(t *testing.T, r *rand.Rand, c *Cluster, n uint32) error {
	tab, ix := c.openKV()
	s := c.session(t, 8, tab, ix)
	w := ix.NewWriter(s.task)
	for ; ; n++ {
		from := r.IntN(20) * 100
		for i := range 300 {
			if _, err := w.Insert(keyOf(int64(from+i)), base.TID{Block: base.BlockNumber(n), Offset: base.OffsetNumber(i + 1)}, nil, nil); err != nil {
				return err
			}
		}
		s.begin()
		if _, err := s.hw.Insert(row(int64(n), 1, "")); err != nil {
			return err
		}
		if err := s.tryCommit(txn.LevelOn); err != nil {
			return err
		}
		c.Txns.RefreshHorizon()
		gone := base.BlockNumber(n - r.Uint32N(3))
		if _, _, err := w.BulkDelete(func(tid base.TID) bool { return tid.Block <= gone }, nil); err != nil {
			return err
		}
		if _, err := c.Pool.CleanBuffers(1<<20, r.IntN(6)); err != nil {
			return err
		}
	}
}
