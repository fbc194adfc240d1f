package buffer

import (
	"manifold/engine/activity"
	"manifold/engine/base"
)

// The sizes of rings in pages, as PostgreSQL has them: what stays in a processor's cache.
const (
	readRing   = 32
	vacuumRing = 32
	// ringShare bounds a ring to this part of the frames.
	ringShare = 8
	// largeShare is the part of the frames beyond which a table counts as large.
	largeShare = 4
)

// Ring is the few frames that a pass over many pages uses again and again, so that it does not sweep the memory of
// everybody else. It belongs to one goroutine. A nil Ring is none.
type Ring struct {
	frames []int32 // plus one; zero is none yet
	at     int
	writes bool // a dirty frame is written and used again, even when the log has to be flushed for it
}

// NewReadRing makes the ring of a scan of a table of so many pages; nil when the table is too small to do harm.
func (p *Pool) NewReadRing(blocks base.BlockNumber) *Ring {
	if int64(blocks) <= int64(len(p.frames)/largeShare) {
		return nil
	}
	return &Ring{frames: make([]int32, p.ringSize(readRing))}
}

// NewVacuumRing makes the ring of a vacuum, which dirties most of what it reads.
func (p *Pool) NewVacuumRing() *Ring {
	return &Ring{frames: make([]int32, p.ringSize(vacuumRing)), writes: true}
}

func (p *Pool) ringSize(pages int) int { return max(1, min(pages, len(p.frames)/ringShare)) }

// PinRing is Pin with a ring: a page that is not in memory takes the place of one that the ring brought before, and one that
// is counts as used once however often it is met.
func (p *Pool) PinRing(task *activity.Task, tag base.PageTag, r *Ring) (Buffer, error) {
	if r == nil {
		return p.Pin(task, tag)
	}
	k := makeKey(tag)
	h := k.hash()
	if i := p.table.find(p.frames, k, h); i >= 0 {
		f := &p.frames[i]
		if f.pinOnce() {
			if f.is(k) && f.state.Load()&flagValid != 0 {
				return p.hit(task, i), nil
			}
			f.unpin()
		}
	}
	return p.pinSlow(task, tag, k, h, readPage, r)
}

// frameFor gives a frame for a page, untagged and with our pin: of the ring if there is one and its next frame is free,
// else the clock's, which then belongs to the ring.
func (p *Pool) frameFor(task *activity.Task, r *Ring) (int32, error) {
	if r == nil {
		return p.victim(task)
	}
	slot := &r.frames[r.at]
	r.at = (r.at + 1) % len(r.frames)
	if i := *slot - 1; i >= 0 {
		if ok, err := p.reuse(task, i, r); err != nil || ok {
			return i, err
		}
	}
	i, err := p.victim(task)
	if err == nil {
		*slot = i + 1
	}
	return i, err
}

// reuse takes a frame of a ring again unless others use its page too, or it is dirty and the ring does not write it.
func (p *Pool) reuse(task *activity.Task, i int32, r *Ring) (bool, error) {
	f := &p.frames[i]
	s := f.state.Load()
	if s&pinMask != 0 || s&usageMask > usageOne || s&flagTagged == 0 || !f.state.CompareAndSwap(s, s+pinOne) {
		return false, nil
	}
	if s&flagDirty != 0 {
		wrote := false
		var err error
		if r.writes || p.covered(i) {
			wrote, err = p.tryWriteFrame(i)
		}
		if err != nil || !wrote {
			f.unpin()
			return false, err
		}
		p.backendWrites.Add(1)
		if task != nil {
			task.Buffers.Written++
		}
	}
	if p.claim(i) {
		return true, nil
	}
	f.unpin()
	return false, nil
}

// covered tells whether the log of a page's changes is durable already. The frame is pinned; a change at the same time only
// makes the answer old.
func (p *Pool) covered(i int32) bool {
	log := p.log.Load()
	f := &p.frames[i]
	if log == nil || !f.latch.TryRLock() {
		return false
	}
	defer f.latch.RUnlock()
	return p.page(i).LSN() <= (*log).FlushedLSN()
}
