package txn

import (
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/mvcc"
)

const (
	ringShift = 13
	ringSize  = 1 << ringShift // transactions a segment
	ringMask  = ringSize - 1
)

// Values of a slot. Everything else is the transaction's commit position.
const (
	slotRunning uint64 = 0
	slotAborted uint64 = 1
	slotOld     uint64 = 2       // committed before the server started
	slotSub     uint64 = 1 << 63 // a subtransaction: the other bits are its parent
)

type ringSegment [ringSize]atomic.Uint64

// ringDir lists the segments that are kept: numbers first, first+1 ... It is replaced, never changed.
type ringDir struct {
	first uint64
	segs  []*ringSegment
}

// ring is the array of commit positions by transaction id. Reads are lock-free.
type ring struct{ dir atomic.Pointer[ringDir] }

func (r *ring) slot(x base.XID) *atomic.Uint64 {
	d := r.dir.Load()
	i := uint64(x)>>ringShift - d.first
	if i >= uint64(len(d.segs)) {
		return nil
	}
	return &d.segs[i][uint64(x)&ringMask]
}

// has tells whether x has a slot.
func (r *ring) has(x base.XID) bool { return r.slot(x) != nil }

// grow makes room up to x; the caller serialises.
func (r *ring) grow(x base.XID) {
	d := r.dir.Load()
	last := uint64(x) >> ringShift
	n := &ringDir{first: d.first, segs: append([]*ringSegment(nil), d.segs...)}
	for n.first+uint64(len(n.segs)) <= last {
		n.segs = append(n.segs, &ringSegment{})
	}
	r.dir.Store(n)
}

// drop forgets the first n segments; the caller serialises with grow.
func (r *ring) drop(n int) {
	d := r.dir.Load()
	r.dir.Store(&ringDir{first: d.first + uint64(n), segs: append([]*ringSegment(nil), d.segs[n:]...)})
}

// finished tells whether every transaction of the segment ended at or below h.
func (m *Manager) finished(s *ringSegment, h base.LSN) bool {
	for i := range s {
		v := s[i].Load()
		switch {
		case v == slotRunning:
			return false
		case v&slotSub != 0:
			st, l := m.Status(base.XID(v &^ slotSub))
			if st == mvcc.InProgress || l > h {
				return false
			}
		case base.LSN(v) > h && v > slotOld:
			return false
		}
	}
	return true
}

// TrimRing drops the segments whose transactions all ended at or below the horizon: the commit log answers for them
// from then on. The last segment stays.
func (m *Manager) TrimRing() {
	h := m.RefreshHorizon()
	m.xidMu.Lock()
	defer m.xidMu.Unlock()
	m.commitSubs.Lock() // the commit log has the bits of every subtransaction that the ring calls committed
	m.commitSubs.Unlock()
	d := m.ring.dir.Load()
	n := 0
	for n < len(d.segs)-1 && m.finished(d.segs[n], h) {
		n++
	}
	if n > 0 {
		m.ring.drop(n)
	}
}
