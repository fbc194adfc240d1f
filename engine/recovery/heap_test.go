package recovery

import (
	"cmp"
	"runtime"
	"sync"
	"testing"
	"time"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/checkpoint"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/txn"
	"manifold/engine/vacuum"
)

func newPair(t testing.TB, frames int) (*Cluster, *sess, *sess) {
	c := newCluster(t, frames)
	tab, ix := c.openKV()
	a, b := c.session(t, 1, tab, ix), c.session(t, 2, tab, ix)
	a.createKV()
	return c, a, b
}

func TestUncommittedIsUnseenAndSnapshotsStay(t *testing.T) {
	_, a, b := newPair(t, 64)
	a.begin()
	_, err := a.insert(1, 10, "x")
	a.must(err)
	a.must(a.tx.NextCommand())
	if v, ok := a.get(1); !ok || v != 10 {
		t.Fatalf("own row: %d %v", v, ok)
	}
	b.begin()
	if _, ok := b.get(1); ok {
		t.Fatal("uncommitted row is seen")
	}
	var old mvcc.Snapshot
	b.tx.Snapshot(&old)
	a.commit()
	if v, ok := b.get(1); !ok || v != 10 {
		t.Fatal("committed row is not seen")
	}
	if len(b.all(&old)) != 0 {
		t.Fatal("old snapshot sees a later commit")
	}
	b.tx.Release(&old)
	b.tx.Snapshot(&old)
	a.begin()
	res, err := a.set(1, 11, "y")
	a.must(err)
	if !res.HOT {
		t.Fatal("update of an unindexed column is not HOT")
	}
	a.commit()
	if m := b.all(&old); m[1] != 10 {
		t.Fatalf("old snapshot sees %v", m)
	}
	if v, _ := b.get(1); v != 11 {
		t.Fatalf("new snapshot sees %d", v)
	}
	b.commit()
	a.begin()
	_, err = a.remove(1)
	a.must(err)
	if _, ok := a.get(1); ok {
		t.Fatal("own delete is not seen")
	}
	a.abort()
	a.begin()
	if v, ok := a.get(1); !ok || v != 11 {
		t.Fatal("rolled back delete took the row")
	}
	a.commit()
}

func TestSavepointsRollBackTheirOwn(t *testing.T) {
	c, a, b := newPair(t, 64)
	a.begin()
	a.tx.BeginSub("s1")
	_, err := a.insert(1, 1, "")
	a.must(err)
	a.tx.BeginSub("s2")
	_, err = a.insert(2, 2, "")
	a.must(err)
	top := a.tx.TopXID()
	a.tx.AbortSub()
	a.must(a.tx.NextCommand())
	if _, ok := a.get(2); ok {
		t.Fatal("row of a rolled back savepoint is seen")
	}
	a.tx.ReleaseSub()
	// The outer id was assigned inside the savepoints: others must still wait for it.
	if st, _ := c.Txns.Status(top); st != mvcc.InProgress {
		t.Fatal("outer transaction ended with its savepoint")
	}
	b.begin()
	err = c.Txns.WaitFor(b.task, b.proc, top, waitNo)
	if pgerror.Code(err) != pgerror.LockNotAvailable {
		t.Fatalf("wait for a running transaction: %v", err)
	}
	a.commit()
	if m, want := len(b.allNow()), 1; m != want {
		t.Fatalf("%d rows, want %d", m, want)
	}
	b.commit()
}

func TestUniqueConflicts(t *testing.T) {
	_, a, b := newPair(t, 64)
	a.begin()
	_, err := a.insert(7, 1, "")
	a.must(err)
	b.begin()
	cf, err := b.insert(7, 2, "")
	b.must(err)
	if !cf.Found || cf.Wait != a.tx.TopXID() {
		t.Fatalf("conflict with a running insert: %+v", cf)
	}
	a.commit()
	cf, err = b.insert(7, 2, "")
	b.must(err)
	if !cf.Found || cf.Wait != 0 {
		t.Fatalf("conflict with a committed row: %+v", cf)
	}
	b.abort()
	a.begin()
	_, err = a.remove(7)
	a.must(err)
	cf, err = a.insert(7, 3, "")
	a.must(err)
	if cf.Found {
		t.Fatalf("own deleted row conflicts: %+v", cf)
	}
	a.commit()
	a.begin()
	if v, _ := a.get(7); v != 3 {
		t.Fatalf("got %d", v)
	}
	a.commit()
}

func TestRowLocks(t *testing.T) {
	_, a, b := newPair(t, 64)
	a.begin()
	_, err := a.insert(1, 0, "")
	a.must(err)
	a.commit()
	lockRow := func(s *sess, mode heap.LockMode, p heap.WaitPolicy) (heap.Result, error) {
		var snap mvcc.Snapshot
		s.tx.Snapshot(&snap)
		defer s.tx.Release(&snap)
		tid, _, err := s.find(&snap, 1)
		s.must(err)
		return s.hw.Lock(tid, mode, p, nil)
	}
	a.begin()
	b.begin()
	if r, err := lockRow(a, heap.ForKeyShare, heap.Block); err != nil || r.Outcome != heap.OK {
		t.Fatal(r, err)
	}
	if r, err := lockRow(b, heap.ForShare, heap.NoWait); err != nil || r.Outcome != heap.OK {
		t.Fatal("share beside key share", r, err)
	}
	if _, err := lockRow(b, heap.ForUpdate, heap.NoWait); pgerror.Code(err) != pgerror.LockNotAvailable {
		t.Fatal("update lock beside key share:", err)
	}
	if r, _ := lockRow(b, heap.ForUpdate, heap.Skip); r.Outcome != heap.WouldBlock {
		t.Fatal("skip locked:", r)
	}
	b.abort()
	// A non-key update goes beside a key-share lock, and the lock moves to the new version.
	b.begin()
	if r, err := b.set(1, 5, ""); err != nil || r.Outcome != heap.OK {
		t.Fatal(r, err)
	}
	b.commit()
	b.begin()
	if _, err := lockRow(b, heap.ForUpdate, heap.NoWait); pgerror.Code(err) != pgerror.LockNotAvailable {
		t.Fatal("the key-share lock was lost by an update:", err)
	}
	a.commit()
	if r, err := lockRow(b, heap.ForUpdate, heap.NoWait); err != nil || r.Outcome != heap.OK {
		t.Fatal("after the holder ended:", r, err)
	}
	b.commit()
}

// TestLostUpdates has sessions add to one row; every increment must count.
func TestLostUpdates(t *testing.T) {
	c, a, _ := newPair(t, 64)
	a.begin()
	_, err := a.insert(1, 0, "")
	a.must(err)
	a.commit()
	const workers, each = 4, 50
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			s := c.session(t, uint32(10+w), a.tab, a.ix)
			for range each {
				s.begin()
				if res, err := s.add(1, 1, "abc"); err != nil || res.Outcome != heap.OK {
					t.Error(res, err)
					return
				}
				if err := s.tryCommit(0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a.begin()
	if v, _ := a.get(1); v != workers*each {
		t.Fatalf("%d increments are left of %d", v, workers*each)
	}
	a.commit()
}

func TestVacuumFreesAndTruncates(t *testing.T) {
	c, a, b := newPair(t, 128)
	a.begin()
	for k := range int64(2000) {
		_, err := a.insert(k, k, "some text to fill the page")
		a.must(err)
	}
	a.commit()
	a.begin()
	for k := range int64(2000) {
		if k >= 20 {
			_, err := a.remove(k)
			a.must(err)
		}
	}
	a.commit()
	run := func() vacuum.Report {
		rep, err := vacuum.Table(a.task, c.Txns, a.tab, []vacuum.Index{a.ix.NewWriter(a.task)},
			vacuum.Options{TryExclusive: func() bool { return true }})
		a.must(err)
		return rep
	}
	rep := run()
	if rep.Removed != 1980 || rep.IndexRemoved[0] != 1980 || rep.Live != 20 || rep.Truncated == 0 {
		t.Fatalf("%+v", rep)
	}
	if again := run(); again.Scanned >= again.Pages && again.Pages > 0 && again.Removed != 0 {
		t.Fatalf("%+v", again)
	}
	b.begin()
	if n := len(b.allNow()); n != 20 {
		t.Fatalf("%d rows", n)
	}
	for k := range int64(20) {
		if v, ok := b.get(k); !ok || v != k {
			t.Fatal(k, v, ok)
		}
	}
	var cache heap.VMCache
	if all, err := a.tab.AllVisible(a.task, 0, &cache); err != nil || !all {
		t.Fatal("page 0 is not all-visible", err)
	}
	cache.Release()
	_, err := b.set(3, 33, "x")
	b.must(err)
	if all, _ := a.tab.AllVisible(a.task, 0, &cache); all {
		t.Fatal("page 0 is all-visible after an update")
	}
	cache.Release()
	b.commit()
	for _, e := range a.ix.Check(a.task, nil) {
		t.Error(e)
	}
}

func TestHotChainsArePruned(t *testing.T) {
	_, a, b := newPair(t, 64)
	a.begin()
	_, err := a.insert(1, 0, "")
	a.must(err)
	a.commit()
	for i := range int64(3000) {
		a.begin()
		res, err := a.set(1, i, "fixed text")
		a.must(err)
		if !res.HOT {
			t.Fatalf("update %d is not HOT", i)
		}
		a.commit()
	}
	if n, _ := a.tab.Blocks(); n > 1 {
		t.Fatalf("%d pages for one row", n)
	}
	b.begin()
	if v, ok := b.get(1); !ok || v != 2999 {
		t.Fatal(v, ok)
	}
	b.commit()
}

func (s *sess) allNow() map[int64]int64 {
	s.t.Helper()
	var snap mvcc.Snapshot
	s.tx.Snapshot(&snap)
	defer s.tx.Release(&snap)
	return s.all(&snap)
}

// TestDeadlock has two sessions update two rows in opposite order.
func TestDeadlock(t *testing.T) {
	_, a, b := newPair(t, 64)
	a.begin()
	for k := range int64(2) {
		_, err := a.insert(k, 0, "")
		a.must(err)
	}
	a.commit()
	errs := make(chan error, 2)
	first := make(chan struct{}, 2)
	for i, s := range []*sess{a, b} {
		go func() {
			s.begin()
			s.hw = s.tab.NewWriter(s.task, s.tx, txn.Wait{DeadlockTimeout: 5 * time.Millisecond})
			_, err := s.set(int64(i), 1, "")
			first <- struct{}{}
			for len(first) < 2 {
				runtime.Gosched()
			}
			if err == nil {
				_, err = s.set(int64(1-i), 1, "")
			}
			if err != nil {
				s.abort()
			} else {
				err = s.tryCommit(txn.LevelOn)
			}
			errs <- err
		}()
	}
	e1, e2 := <-errs, <-errs
	if (e1 == nil) == (e2 == nil) || pgerror.Code(cmp.Or(e1, e2)) != pgerror.TRDeadlockDetected {
		t.Fatal(e1, e2)
	}
}

// TestDropsAndCrash rolls back the making of a table, after a checkpoint that has half of it, and then crashes.
func TestDropsAndCrash(t *testing.T) {
	fs := newFS(t)
	c := startOn(t, fs, 64)
	if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
		t.Fatal(err)
	}
	tab, ix := c.openKV()
	s := c.session(t, 1, tab, ix)
	s.begin()
	s.tx.BeginSub("s")
	s.must(heap.Create(s.hw, tab.Desc))
	s.must(ix.Create(s.task, s.tx))
	for k := range int64(300) {
		_, err := s.insert(k, k, "some text")
		s.must(err)
	}
	_, err := c.Check.Run(checkpoint.Request{})
	s.must(err)
	for k := range int64(300) {
		_, err := s.insert(1000+k, k, "some text")
		s.must(err)
	}
	s.tx.AbortSub()
	s.abort()
	fs = fs.Crash(4)
	c = startOn(t, fs, 64)
	tab, ix = c.openKV()
	if ok, err := c.Store.Exists(tab.Desc.File, base.MainFork); err != nil || ok {
		n, _ := tab.Blocks()
		if n > 0 {
			t.Fatal("rolled back table has pages", n, err)
		}
	}
}
