package pool

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// resident is a backend of a pool.
type resident struct {
	Backend
	number     uint64
	generation uint64
	since      time.Time
	lease      atomic.Pointer[Lease] // who has it; nil: nobody
}

// house is the backends of a pool. Its mutex is taken when one is made or closed, or somebody looks, not when one is lent.
type house struct {
	mu         sync.Mutex
	residents  map[*resident]bool // guarded by mu
	made       uint64             // guarded by mu
	generation uint64             // guarded by mu
	old        int                // guarded by mu; residents of earlier generations
	empty      chan struct{}      // guarded by mu; closed when old is zero; nil: nobody waits
}

func (h *house) enter(b Backend) *resident {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made++
	r := &resident{Backend: b, number: h.made, generation: h.generation, since: time.Now()}
	h.residents[r] = true
	return r
}

func (h *house) leave(r *resident) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.residents, r)
	if r.generation == h.generation {
		return
	}
	if h.old--; h.old == 0 && h.empty != nil {
		close(h.empty)
		h.empty = nil
	}
}

// age makes all residents old.
func (h *house) age() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.generation++
	h.old = len(h.residents)
}

// young gives a channel that is closed when no resident is old.
func (h *house) young() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.old == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if h.empty == nil {
		h.empty = make(chan struct{})
	}
	return h.empty
}

// BackendStat is what a backend looks like at a moment.
type BackendStat struct {
	Number  uint64 // counts the backends of the pool
	Since   time.Time
	Old     bool   // is closed when it comes back
	Session uint32 // whom it is lent to; zero: nobody
}

// Backends gives the backends of the pool, the oldest first.
func (p *Pool) Backends() []BackendStat {
	h := &p.house
	h.mu.Lock()
	out := make([]BackendStat, 0, len(h.residents))
	for r := range h.residents {
		b := BackendStat{Number: r.number, Since: r.since, Old: r.generation != h.generation}
		if l := r.lease.Load(); l != nil {
			b.Session = l.task.SessionID
		}
		out = append(out, b)
	}
	h.mu.Unlock()
	sort.Slice(out, func(i, j int) bool { return out[i].Number < out[j].Number })
	return out
}
