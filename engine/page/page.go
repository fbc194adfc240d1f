package page

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"manifold/engine/base"
)

// Size is the size of a page in bytes; HeaderSize that of its header.
const (
	Size       = 8192
	HeaderSize = 32
	// MaxSpecial is the most that Init reserves at the end of a page.
	MaxSpecial = 1024
	// Version is the format of the page, kept in its header.
	Version = 1
)

// Kind says what a page holds. Zero is a new page.
type Kind uint8

// The kinds of pages.
const (
	KindNew Kind = iota
	KindHeap
	KindBTree
	KindBTreeMeta
	KindFSM
	KindVM
	KindSequence
	KindOther
	kindCount
)

// String names the kind for dumps.
func (k Kind) String() string {
	names := [kindCount]string{"new", "heap", "btree", "btree-meta", "fsm", "vm", "sequence", "other"}
	if k < kindCount {
		return names[k]
	}
	return "unknown"
}

// Flags are bits of the page header that its owner defines; the ones here are shared.
type Flags uint16

// Flags of heap pages.
const (
	FlagHasFreeLines Flags = 1 << iota // there may be unused line pointers to reuse
	FlagFull                           // an update found no room: a hint to prune
	FlagAllVisible                     // every tuple is visible to all
)

// The layout of the header. The LSN is 8-aligned and read and written atomically, since a hint's image may move it
// under a share latch.
const (
	offChecksum = 0  // uint32
	offFlags    = 4  // uint16
	offKind     = 6  // uint8
	offVersion  = 7  // uint8
	offLSN      = 8  // uint64
	offLower    = 16 // uint16
	offUpper    = 18 // uint16
	offSpecial  = 20 // uint16
	offReserved = 22 // uint16, zero
	offPruneXID = 24 // uint64
)

// Page is the bytes of one page: Size long and 8-aligned.
type Page []byte

// Init makes an empty page of the kind with special bytes at its end (rounded up to 8), forgetting what was there.
func (p Page) Init(kind Kind, special int) {
	clear(p)
	special = (special + 7) &^ 7
	p[offKind] = byte(kind)
	p[offVersion] = Version
	p.SetLower(HeaderSize)
	p.SetUpper(Size - special)
	p.setU16(offSpecial, uint16(Size-special))
}

// IsNew tells whether the page was never initialised.
func (p Page) IsNew() bool { return p.Upper() == 0 }

// Kind tells what the page holds.
func (p Page) Kind() Kind { return Kind(p[offKind]) }

// LSN gives the end of the last log record that changed the page.
func (p Page) LSN() base.LSN {
	return base.LSN(atomic.LoadUint64((*uint64)(unsafe.Pointer(&p[offLSN]))))
}

// SetLSN records the log record that changed the page. The caller holds it exclusively.
func (p Page) SetLSN(lsn base.LSN) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&p[offLSN])), uint64(lsn))
}

// RaiseLSN is SetLSN for a caller with a share latch: the greater position stays.
func (p Page) RaiseLSN(lsn base.LSN) {
	a := (*uint64)(unsafe.Pointer(&p[offLSN]))
	for {
		old := atomic.LoadUint64(a)
		if old >= uint64(lsn) || atomic.CompareAndSwapUint64(a, old, uint64(lsn)) {
			return
		}
	}
}

// Flags gives the bits of the header.
func (p Page) Flags() Flags { return Flags(p.u16(offFlags)) }

// SetFlags replaces the bits of the header.
func (p Page) SetFlags(f Flags) { p.setU16(offFlags, uint16(f)) }

// Lower is the end of the line pointers; Upper is the start of the items; between them is free. Special is the start
// of the owner's bytes at the end.
func (p Page) Lower() int   { return int(p.u16(offLower)) }
func (p Page) Upper() int   { return int(p.u16(offUpper)) }
func (p Page) Special() int { return int(p.u16(offSpecial)) }

// SetLower and SetUpper serve pages that manage their own slots, such as those of an index.
func (p Page) SetLower(n int) { p.setU16(offLower, uint16(n)) }
func (p Page) SetUpper(n int) { p.setU16(offUpper, uint16(n)) }

// SpecialBytes gives the owner's bytes at the end of the page.
func (p Page) SpecialBytes() []byte { return p[p.Special():Size] }

// PruneXID is the oldest transaction whose end may make pruning the page worthwhile: a hint, zero for none.
func (p Page) PruneXID() base.XID {
	return base.XID(binary.LittleEndian.Uint64(p[offPruneXID:]))
}

// SetPruneXID replaces the hint of PruneXID.
func (p Page) SetPruneXID(x base.XID) { binary.LittleEndian.PutUint64(p[offPruneXID:], uint64(x)) }

func (p Page) u16(off int) uint16 { return uint16(p[off]) | uint16(p[off+1])<<8 }

func (p Page) setU16(off int, v uint16) { p[off], p[off+1] = byte(v), byte(v>>8) }
