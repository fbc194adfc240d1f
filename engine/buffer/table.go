package buffer

import (
	"sync"
	"sync/atomic"
)

const partitions = 128

// table finds the frame of a page. Chains are walked without a lock: a reader may be led astray by a concurrent change
// and then sees a miss, which the locked look-up of the slow path corrects; a hit is verified after the pin.
type table struct {
	buckets []bucketHead
	mask    uint64
	parts   [partitions]partition
}

// bucketHead is the first frame of a chain plus one; zero is none.
type bucketHead struct{ v atomic.Int32 }

type partition struct {
	mu sync.Mutex // guards the chains of the buckets whose index is congruent
	_  [56]byte
}

func (t *table) init(frames int) {
	n := 1
	for n < 2*frames || n < partitions {
		n *= 2
	}
	t.buckets, t.mask = make([]bucketHead, n), uint64(n-1)
}

func (t *table) part(h uint64) *sync.Mutex { return &t.parts[h&t.mask%partitions].mu }

// find walks a chain; -1 when the page is not there. Steps are bounded, since a chain may change under the walk.
func (t *table) find(frames []frame, k key, h uint64) int32 {
	i := t.buckets[h&t.mask].v.Load() - 1
	for steps := 0; i >= 0 && steps < 64; steps++ {
		f := &frames[i]
		if f.is(k) && f.state.Load()&flagTagged != 0 {
			return i
		}
		i = f.next.Load()
	}
	return -1
}

// findLocked is find without bounds, under the partition's mutex.
func (t *table) findLocked(frames []frame, k key, h uint64) int32 {
	for i := t.buckets[h&t.mask].v.Load() - 1; i >= 0; i = frames[i].next.Load() {
		if frames[i].is(k) && frames[i].state.Load()&flagTagged != 0 {
			return i
		}
	}
	return -1
}

func (t *table) insertLocked(frames []frame, i int32, h uint64) {
	b := &t.buckets[h&t.mask].v
	frames[i].next.Store(b.Load() - 1)
	b.Store(i + 1)
}

func (t *table) removeLocked(frames []frame, i int32, h uint64) {
	b := &t.buckets[h&t.mask].v
	if b.Load() == i+1 {
		b.Store(frames[i].next.Load() + 1)
		return
	}
	for j := b.Load() - 1; j >= 0; j = frames[j].next.Load() {
		if frames[j].next.Load() == i {
			frames[j].next.Store(frames[i].next.Load())
			return
		}
	}
}
