package lock

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"manifold/engine/pgerror"
)

// TestStress lets sessions take random locks at once, with deadlocks and timeouts: no two ever hold modes in conflict,
// everybody ends, nothing is left.
func TestStress(t *testing.T) {
	const sessions, things, rounds = 8, 3, 300
	m := New(Options{})
	var held [things][modeCount]atomic.Int32
	var deadlocks, timeouts atomic.Int32
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := newClient(m, uint32(i+1))
			defer c.o.Close()
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for range rounds {
				var mine [things][modeCount]bool
				for range 1 + r.IntN(3) {
					thing, mode := r.IntN(things), Mode(1+r.IntN(8))
					req := Request{Tag: Relation(1, 0), Mode: mode, DeadlockTimeout: 200 * time.Microsecond}
					req.Tag.A = uint64(thing)
					if r.IntN(5) == 0 {
						req.Timeout = time.Duration(1+r.IntN(300)) * time.Microsecond
					}
					_, err := m.Acquire(c.task, c.o, req)
					switch pgerror.Code(err) {
					case "":
						if !mine[thing][mode] {
							mine[thing][mode] = true
							held[thing][mode].Add(1)
						}
						for o := AccessShare; o < modeCount; o++ {
							n := held[thing][o].Load()
							if mine[thing][o] {
								n--
							}
							if o.Conflicts(mode) && n > 0 {
								t.Errorf("%s held beside %s", mode, o)
							}
						}
						for range r.IntN(40) { // keep it for a while, so that others come to wait
							runtime.Gosched()
						}
						continue
					case pgerror.TRDeadlockDetected:
						deadlocks.Add(1)
					case pgerror.LockNotAvailable:
						timeouts.Add(1)
					default:
						t.Error(err)
					}
					break
				}
				for th := range mine {
					for mo := range mine[th] {
						if mine[th][mo] {
							held[th][mo].Add(-1)
						}
					}
				}
				c.o.ReleaseTransaction()
			}
		}()
	}
	wg.Wait()
	if s := m.Snapshot(); len(s) != 0 || m.used.Load() != 0 {
		t.Fatalf("left: %v, used %d", s, m.used.Load())
	}
	if deadlocks.Load() == 0 || timeouts.Load() == 0 {
		t.Fatalf("%d deadlocks and %d timeouts: the test is too tame", deadlocks.Load(), timeouts.Load())
	}
}
