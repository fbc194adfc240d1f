package txn

import (
	"sync"
	"sync/atomic"
)

// procBlock is how many sessions' places are made at a time.
const procBlock = 64

// procTable is the sessions among the transactions. They come and go one at a time in constant time; readers walk the places
// without a lock. A session is in its place before it registers its first snapshot, so a walk that began after a horizon was
// announced either sees it or is seen by its register (rule 7).
type procTable struct {
	blocks atomic.Pointer[[]*[procBlock]atomic.Pointer[Proc]] // replaced when it grows, under mu
	n      atomic.Int32                                       // sessions

	mu   sync.Mutex
	free []int32 // guarded by mu: places without a session
}

// add gives a session a place.
func (t *procTable) add(p *Proc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		t.growLocked()
	}
	p.place = t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.at(p.place).Store(p)
	t.n.Add(1)
}

func (t *procTable) growLocked() {
	var blocks []*[procBlock]atomic.Pointer[Proc]
	if old := t.blocks.Load(); old != nil {
		blocks = append(blocks, *old...)
	}
	first := len(blocks) * procBlock
	blocks = append(blocks, new([procBlock]atomic.Pointer[Proc]))
	t.blocks.Store(&blocks)
	for i := first + procBlock - 1; i >= first; i-- {
		t.free = append(t.free, int32(i))
	}
}

func (t *procTable) at(place int32) *atomic.Pointer[Proc] {
	return &(*t.blocks.Load())[place/procBlock][place%procBlock]
}

// remove takes a session's place away.
func (t *procTable) remove(p *Proc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at(p.place).Store(nil)
	t.free = append(t.free, p.place)
	t.n.Add(-1)
}

// each calls f with every session.
func (t *procTable) each(f func(*Proc)) {
	blocks := t.blocks.Load()
	if blocks == nil {
		return
	}
	for _, b := range *blocks {
		for i := range b {
			if p := b[i].Load(); p != nil {
				f(p)
			}
		}
	}
}
