package buffer

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"manifold/engine/base"
	"manifold/engine/vfs"
)

// TestLatchCoupling holds a page's latch while it pins and latches the next one (in block order, as an index descends)
// in a pool that is too small, beside evictors, a cleaner and a checkpointer: nobody may wait for another in a circle.
func TestLatchCoupling(t *testing.T) {
	const blocks, workers, each = 48, 5, 800
	log := &fakeLog{}
	p := testPool(t, vfs.NewMem(), log, 16, blocks)
	stop := make(chan struct{})
	var wg, bg sync.WaitGroup
	bg.Add(1)
	go func() {
		defer bg.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, e1 := p.CheckpointWrite(nil)
			_, e2 := p.CleanBuffers(1<<20, 8)
			if err := errors.Join(e1, e2); err != nil {
				t.Error(err)
			}
		}
	}()
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for range each {
				var held Buffer
				for n := r.IntN(blocks / 2); n < blocks; n += 1 + r.IntN(blocks) {
					b, err := p.Pin(nil, tagOf(n))
					if err != nil {
						t.Error(err)
						return
					}
					b.Lock()
					if held.Valid() {
						held.UnlockRelease()
					}
					held = b
					if r.IntN(2) == 0 {
						b.MarkDirty()
						b.SetLSN(base.LSN(log.next.Add(8)))
					}
				}
				if held.Valid() {
					held.UnlockRelease()
				}
			}
		}()
	}
	wg.Wait()
	close(stop)
	bg.Wait()
	if left := p.Pinned(); len(left) != 0 {
		t.Fatalf("pins left: %v", left)
	}
}
