package recovery

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/checkpoint"
	"manifold/engine/mvcc"
	"manifold/engine/txn"
	"manifold/engine/vacuum"
)

// add changes v of a key by delta in the session's transaction, following newer versions as READ COMMITTED does.
func (s *sess) add(k, delta int64, text string) (heap.Result, error) {
	var snap mvcc.Snapshot
	s.tx.Snapshot(&snap)
	defer s.tx.Release(&snap)
	tid, r, err := s.find(&snap, k)
	if err != nil || r == nil {
		return heap.Result{Outcome: heap.Deleted}, err
	}
	for {
		var bytes []byte
		res, err := s.hw.Lock(tid, heap.ForNoKeyUpdate, heap.Block, &bytes)
		if err == nil && res.Outcome == heap.Updated {
			tid = res.CTID
			continue
		}
		if err != nil || res.Outcome != heap.OK {
			return res, err
		}
		v := s.tab.Layout.Get(bytes, 1).I
		res, err = s.hw.Update(tid, row(k, v+delta, text))
		if err == nil && res.Outcome == heap.OK && !res.HOT {
			var cf btree.Conflict
			if cf, err = s.index(k, res.TID); err == nil && cf.Found {
				err = fmt.Errorf("new version of key %d at %s in the way of %+v", k, res.TID, cf)
			}
		}
		if err == nil {
			err = s.tx.NextCommand()
		}
		return res, err
	}
}

// TestTransfers moves money between rows while readers add it up in one snapshot, vacuum cleans and checkpoints run: the
// sum never changes, by scan or by index.
func TestTransfers(t *testing.T) {
	c, a, _ := newPair(t, 96)
	const accounts, workers, each = 60, 4, 250
	a.begin()
	for k := range int64(accounts) {
		_, err := a.insert(k, 100, "")
		a.must(err)
	}
	a.commit()
	var wg, background sync.WaitGroup
	var stop atomic.Bool
	for w := range workers {
		wg.Go(func() {
			s := c.session(t, uint32(10+w), a.tab, a.ix)
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for range each {
				s.begin()
				x, y := r.Int64N(accounts), r.Int64N(accounts)
				x, y = min(x, y), max(x, y) // one order, so no deadlocks
				for i, k := range []int64{x, y} {
					text := strings.Repeat("z", r.IntN(3)*r.IntN(300))
					if res, err := s.add(k, int64(1-2*i), text); err != nil || res.Outcome != heap.OK {
						t.Errorf("key %d: %+v %v", k, res, err)
						s.abort()
						return
					}
				}
				if r.IntN(5) == 0 {
					s.abort()
				} else if err := s.tryCommit(txn.Level(r.IntN(2))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range 2 {
		background.Go(func() {
			s := c.session(t, uint32(30+n), a.tab, a.ix)
			for !stop.Load() {
				s.begin()
				var snap mvcc.Snapshot
				s.tx.Snapshot(&snap)
				sum, rows := int64(0), 0
				if n == 0 {
					for _, v := range s.all(&snap) {
						sum += v
						rows++
					}
				} else {
					for k := range int64(accounts) {
						_, r, err := s.find(&snap, k)
						if err != nil || r == nil {
							t.Errorf("key %d: %v %v", k, r, err)
							return
						}
						sum += r[1].I
						rows++
					}
				}
				if sum != accounts*100 || rows != accounts {
					t.Errorf("reader %d: sum %d of %d rows", n, sum, rows)
				}
				s.tx.Release(&snap)
				s.commit()
			}
		})
	}
	background.Go(func() {
		s := c.session(t, 40, a.tab, a.ix)
		for i := 0; !stop.Load(); i++ {
			if _, err := vacuum.Table(s.task, c.Txns, a.tab, []vacuum.Index{a.ix.NewWriter(s.task)}, vacuum.Options{}); err != nil {
				t.Error(err)
			}
			if i%8 == 0 {
				if _, err := c.Check.Run(checkpoint.Request{Spare: 1}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Wait()
	stop.Store(true)
	background.Wait()
	for _, e := range append(a.ix.Check(a.task, nil), a.tab.Check(a.task, 0)...) {
		t.Error(e)
	}
}

// TestUniqueRace has sessions insert the same keys; of each, one wins, whatever rolls back meanwhile.
func TestUniqueRace(t *testing.T) {
	c, a, _ := newPair(t, 128)
	const keys, workers = 400, 4
	var won [keys]atomic.Int32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			s := c.session(t, uint32(60+w), a.tab, a.ix)
			r := rand.New(rand.NewPCG(uint64(w), 9))
			for k := range int64(keys) {
				s.begin()
				tid, err := s.hw.Insert(row(k, int64(w), ""))
				if err != nil {
					t.Error(err)
					return
				}
				cf, err := s.index(k, tid)
				for err == nil && cf.Wait != 0 {
					if err = c.Txns.WaitFor(s.task, s.proc, cf.Wait, txn.Wait{}); err == nil {
						cf, err = s.index(k, tid)
					}
				}
				switch {
				case err != nil:
					t.Error(err)
					s.abort()
				case cf.Found || r.IntN(4) == 0 && w > 0:
					s.abort()
				default:
					if err := s.tryCommit(txn.LevelOff); err != nil {
						t.Error(err)
					}
					won[k].Add(1)
				}
			}
		})
	}
	wg.Wait()
	a.begin()
	got := a.allNow() // fails when a key is there twice
	for k := range won {
		_, there := got[int64(k)]
		if n := won[k].Load(); n > 1 || there != (n == 1) {
			t.Errorf("key %d: inserted %d times, there %v", k, n, there)
		}
		if v, ok := a.get(int64(k)); ok != there || v != got[int64(k)] {
			t.Errorf("key %d by index: %d %v", k, v, ok)
		}
	}
	a.commit()
}
