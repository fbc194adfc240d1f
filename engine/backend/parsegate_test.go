package backend

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
)

func TestParseGateBoundsTextsAndForgetsTheCancelled(t *testing.T) {
	var g ParseGate
	var inside, most atomic.Int64
	var tasks [16]*activity.Task
	for i := range tasks {
		tasks[i] = activity.NewTask(uint32(i), nil)
	}
	var wg sync.WaitGroup
	for i, task := range tasks {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for range 300 {
				n := 1 + r.IntN(parseBudget)
				if err := g.enter(task, n); err != nil {
					task.ClearCancel()
					continue
				}
				most.Store(max(most.Load(), inside.Add(int64(n))))
				if r.IntN(4) == 0 {
					tasks[r.IntN(len(tasks))].Cancel(pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request"))
				}
				inside.Add(-int64(n))
				g.leave(n)
			}
		})
	}
	wg.Wait()
	if most.Load() > parseBudget {
		t.Errorf("%d bytes in the parser at once", most.Load())
	}
	if g.used != 0 || len(g.queue) != 0 {
		t.Errorf("%d bytes and %d waiters left behind", g.used, len(g.queue))
	}
	if err := g.enter(tasks[0], parseBudget); err != nil {
		tasks[0].ClearCancel()
		if err = g.enter(tasks[0], parseBudget); err != nil {
			t.Error(err)
		}
	}
}
