package buffer

import (
	"sync"
	"sync/atomic"

	"manifold/engine/base"
)

// The state word of a frame: pins in the low 32 bits, then usage and flags. See README.md for the state machine.
const (
	pinOne     uint64 = 1
	pinMask    uint64 = 1<<32 - 1
	usageOne   uint64 = 1 << 32
	usageMask  uint64 = 7 << 32
	maxUsage   uint64 = 5 << 32
	flagTagged uint64 = 1 << 40 // in the hash table; only such a frame can be pinned by others
	flagValid  uint64 = 1 << 41 // holds the page; without it the page is being read, or failed to
	flagDirty  uint64 = 1 << 42 // must be written
	flagWrite  uint64 = 1 << 43 // a copy is on its way to the file (io is held)
)

// frame is the header of a page in memory.
type frame struct {
	state atomic.Uint64
	w     [3]atomic.Uint64 // the tag, packed; written only by the sole owner of an untagged frame
	next  atomic.Int32     // next frame of the hash chain, -1 at its end; changed under the partition's mutex
	latch sync.RWMutex     // the content latch
	io    sync.Mutex       // whoever writes the page, or logs the image of a hint
	read  sync.Mutex       // whoever reads the page; those who need it wait here, never for a latch
}

// key is a packed tag.
type key [3]uint64

func makeKey(t base.PageTag) key {
	return key{uint64(t.File.Space)<<32 | uint64(t.File.Database), uint64(t.File.Number)<<32 | uint64(t.Block),
		uint64(t.File.Temp)<<8 | uint64(t.Fork)}
}

func (k key) tag() base.PageTag {
	return base.PageTag{
		File: base.RelFile{Space: base.OID(k[0] >> 32), Database: base.OID(uint32(k[0])), Number: base.OID(k[1] >> 32),
			Temp: uint32(k[2] >> 8)},
		Fork:  base.Fork(k[2]),
		Block: base.BlockNumber(uint32(k[1])),
	}
}

func (k key) hash() uint64 {
	h := (k[0]+0x9e3779b97f4a7c15)*0xbf58476d1ce4e5b9 ^ k[2]*0x94d049bb133111eb
	h = (h ^ h>>31 ^ k[1]) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

func (f *frame) key() key { return key{f.w[0].Load(), f.w[1].Load(), f.w[2].Load()} }

func (f *frame) is(k key) bool {
	return f.w[1].Load() == k[1] && f.w[0].Load() == k[0] && f.w[2].Load() == k[2]
}

func (f *frame) setKey(k key) {
	for i := range k {
		f.w[i].Store(k[i])
	}
}

// pin pins a tagged frame and counts its use; false when it is not tagged.
func (f *frame) pin() bool {
	for {
		s := f.state.Load()
		if s&flagTagged == 0 {
			return false
		}
		n := s + pinOne
		if s&usageMask < maxUsage {
			n += usageOne
		}
		if f.state.CompareAndSwap(s, n) {
			return true
		}
	}
}

// pinOnce is pin that counts a use only of a frame that has none.
func (f *frame) pinOnce() bool {
	for {
		s := f.state.Load()
		if s&flagTagged == 0 {
			return false
		}
		n := s + pinOne
		if s&usageMask == 0 {
			n += usageOne
		}
		if f.state.CompareAndSwap(s, n) {
			return true
		}
	}
}

// pinFor is pin, or with a ring pinOnce.
func (f *frame) pinFor(r *Ring) bool {
	if r != nil {
		return f.pinOnce()
	}
	return f.pin()
}

func (f *frame) unpin() { f.state.Add(^uint64(0)) }

// set and drop change flags and give the state before.
func (f *frame) set(flags uint64) uint64  { return f.state.Or(flags) }
func (f *frame) drop(flags uint64) uint64 { return f.state.And(^flags) }
