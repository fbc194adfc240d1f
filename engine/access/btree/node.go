package btree

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"manifold/engine/base"
	"manifold/engine/page"
)

// The special bytes of a node.
const (
	specialSize = 32
	spLeft      = 0  // uint32 block
	spRight     = 4  // uint32 block
	spLevel     = 8  // uint16, leaves are zero
	spFlags     = 10 // uint16
	spSkip      = 12 // uint16
	spHighOff   = 14 // uint16
	spHighLen   = 16 // uint16, zero without a high key
)

// Flags of a node.
const (
	flagRoot       uint16 = 1 << 0
	flagIncomplete uint16 = 1 << 1 // split, but the parent does not know the right half yet
	flagDeleted    uint16 = 1 << 2 // out of the tree: whoever comes here goes on to the right
)

const (
	slotSize = 8
	tidSize  = 6
	// itemHead is the address and the key length before the key of an item; innerHead adds the child.
	itemHead  = tidSize + 2
	innerHead = itemHead + 4
	capacity  = page.Size - page.HeaderSize - specialSize
	// MaxEntry is the most bytes that key and payload of an entry can have: three items fit a page.
	MaxEntry = capacity/3 - slotSize - innerHead

	slotOffBits = 14
	slotMask    = 1<<slotOffBits - 1
	slotDead    = uint32(1) << 31
)

// node is a page of the tree: slots of eight bytes (the first four key bytes after the page's common prefix, then place
// and length of the item) and the items. The page is latched by the caller.
type node struct{ page.Page }

func (n node) sp() []byte { return n.Page[page.Size-specialSize:] }

func (n node) left() base.BlockNumber {
	return base.BlockNumber(binary.LittleEndian.Uint32(n.sp()[spLeft:]))
}
func (n node) right() base.BlockNumber {
	return base.BlockNumber(binary.LittleEndian.Uint32(n.sp()[spRight:]))
}
func (n node) level() int    { return int(binary.LittleEndian.Uint16(n.sp()[spLevel:])) }
func (n node) flags() uint16 { return binary.LittleEndian.Uint16(n.sp()[spFlags:]) }
func (n node) skip() int     { return int(binary.LittleEndian.Uint16(n.sp()[spSkip:])) }

func (n node) setLeft(b base.BlockNumber) { binary.LittleEndian.PutUint32(n.sp()[spLeft:], uint32(b)) }
func (n node) setRight(b base.BlockNumber) {
	binary.LittleEndian.PutUint32(n.sp()[spRight:], uint32(b))
}
func (n node) setFlags(f uint16) { binary.LittleEndian.PutUint16(n.sp()[spFlags:], f) }
func (n node) setSkip(s int)     { binary.LittleEndian.PutUint16(n.sp()[spSkip:], uint16(s)) }

// init makes an empty node.
func (n node) init(level int, flags uint16, left, right base.BlockNumber) {
	n.Page.Init(page.KindBTree, specialSize)
	binary.LittleEndian.PutUint16(n.sp()[spLevel:], uint16(level))
	n.setFlags(flags)
	n.setLeft(left)
	n.setRight(right)
}

// sound tells whether the page can be a node at all; searching relies on it and on the page's checksum.
func (n node) sound() bool {
	return n.Kind() == page.KindBTree && n.Special() == page.Size-specialSize &&
		n.Lower() >= page.HeaderSize && n.Lower() <= n.Upper() && n.Upper() <= n.Special()
}

// deleted tells whether the page is out of the tree.
func (n node) deleted() bool { return n.flags()&flagDeleted != 0 }

func (n node) count() int { return (n.Lower() - page.HeaderSize) / slotSize }
func (n node) free() int  { return n.Upper() - n.Lower() }

// first gives the first slot with a key: in an inner node slot 0 stands for minus infinity.
func (n node) first() int {
	if n.level() > 0 {
		return 1
	}
	return 0
}

func (n node) slotAt(i int) []byte { return n.Page[page.HeaderSize+i*slotSize:] }
func (n node) head(i int) uint32   { return binary.LittleEndian.Uint32(n.slotAt(i)) }

func (n node) word(i int) *uint32 { return (*uint32)(unsafe.Pointer(&n.slotAt(i)[4])) }

func (n node) item(i int) []byte {
	w := atomic.LoadUint32(n.word(i))
	off, size := int(w&slotMask), int(w>>slotOffBits&slotMask)
	return n.Page[off : off+size : off+size]
}

func (n node) dead(i int) bool { return atomic.LoadUint32(n.word(i))&slotDead != 0 }

// kill marks an item whose rows, all of them, are dead to every snapshot; a share latch suffices.
func (n node) kill(i int) { atomic.OrUint32(n.word(i), slotDead) }

// revive takes the mark back: the item gets an entry.
func (n node) revive(i int) { atomic.AndUint32(n.word(i), ^slotDead) }

func (n node) headSize() int {
	if n.level() > 0 {
		return innerHead
	}
	return itemHead
}

func itemTID(it []byte) uint64 {
	return uint64(binary.LittleEndian.Uint32(it)) | uint64(binary.LittleEndian.Uint16(it[4:]))<<32
}

func (n node) key(i int) []byte {
	it := n.item(i)
	h := n.headSize()
	k := keyLen(it)
	return it[h : h+k : h+k]
}

// tid gives the address of an item, the least one of a list.
func (n node) tid(i int) uint64 { return itemTID(n.item(i)) }

func (n node) child(i int) base.BlockNumber {
	return base.BlockNumber(binary.LittleEndian.Uint32(n.item(i)[itemHead:]))
}

// high gives the upper bound of the node: every entry is below it. The rightmost node of a level has none.
func (n node) high() (key []byte, tid uint64, ok bool) {
	sp := n.sp()
	size := int(binary.LittleEndian.Uint16(sp[spHighLen:]))
	if size == 0 {
		return nil, 0, false
	}
	off := int(binary.LittleEndian.Uint16(sp[spHighOff:]))
	it := n.Page[off : off+size]
	return it[itemHead:], itemTID(it), true
}

// setDeleted makes the node one that is out of the tree; it leads to its right neighbour for those who still come by an old
// link. Transactions below next may.
func (n node) setDeleted(left, right base.BlockNumber, next base.XID) {
	lsn := n.LSN()
	n.init(n.level(), flagDeleted, left, right)
	n.SetLSN(lsn)
	n.SetPruneXID(next)
}

// adopt gives the child at slot i to another: its right neighbour, which has the next slot. That slot goes.
func (n node) adopt(i int, right base.BlockNumber, scratch page.Page) bool {
	if n.level() == 0 || i < 0 || i+1 >= n.count() || n.child(i+1) != right {
		return false
	}
	binary.LittleEndian.PutUint32(n.item(i)[itemHead:], uint32(right))
	return n.remove([]uint16{uint16(i + 1)}, nil, scratch)
}

// appendLeaf and appendInner append the bytes of an item.
func appendLeaf(dst, key []byte, tid uint64, payload []byte) []byte {
	dst = appendItemHead(dst, key, tid)
	dst = append(dst, key...)
	return append(dst, payload...)
}

func appendInner(dst, key []byte, tid uint64, child base.BlockNumber) []byte {
	dst = appendItemHead(dst, key, tid)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(child))
	return append(dst, key...)
}

func appendItemHead(dst, key []byte, tid uint64) []byte {
	return binary.LittleEndian.AppendUint16(appendTID(dst, tid), uint16(len(key)))
}

// itemKey gives the key of an item of a node of the level.
func itemKey(it []byte, level int) []byte {
	k := keyLen(it)
	h := itemHead
	if level > 0 {
		h = innerHead
	}
	return it[h : h+k]
}

// isItem tells whether bytes, from a log record or a page not trusted, can be an item of the node.
func (n node) isItem(it []byte) bool {
	h := n.headSize()
	if len(it) < h || len(it) > capacity || h+keyLen(it) > len(it) {
		return false
	}
	if !isList(it) {
		return true
	}
	more := len(it) - h - keyLen(it)
	return n.level() == 0 && len(it) <= itemHead+MaxEntry && more > 0 && more%tidSize == 0 && ascends(it)
}

// headOf packs the first four bytes of a key, padded.
func headOf(k []byte, pad byte) uint32 {
	if len(k) >= 4 {
		return binary.BigEndian.Uint32(k)
	}
	b := [4]byte{pad, pad, pad, pad}
	copy(b[:], k)
	return binary.BigEndian.Uint32(b[:])
}

// target is what a search looks for: the place of (key, tid), or with after the place behind every key that key is a
// prefix of.
type target struct {
	key   []byte
	tid   uint64
	after bool
	below bool // just before (key, tid)
	end   bool // behind everything
}

// above tells whether an entry comes at or behind the target.
func (t target) above(key []byte, tid uint64) bool {
	if t.end {
		return false
	}
	if t.after {
		if len(key) > len(t.key) {
			key = key[:len(t.key)]
		}
		return bytes.Compare(key, t.key) > 0
	}
	c := bytes.Compare(key, t.key)
	return c > 0 || c == 0 && tid >= t.tid
}

// behind tells whether an entry sorts before a target that is the place of an entry.
func (t target) behind(key []byte, tid uint64) bool {
	c := bytes.Compare(t.key, key)
	return c > 0 || c == 0 && t.tid > tid
}

// search gives the first slot at or behind the target, at most count.
func (n node) search(t target) int {
	lo, hi := n.first(), n.count()
	if lo >= hi {
		return lo
	}
	if t.end {
		return hi
	}
	skip := n.skip()
	var c int
	if len(t.key) < skip {
		c = bytes.Compare(t.key, n.key(lo)[:len(t.key)])
		if c == 0 && !t.after {
			c = -1 // a proper prefix of every key sorts below them all
		}
		if c >= 0 {
			return hi
		}
		return lo
	}
	if skip > 0 {
		if c = bytes.Compare(t.key[:skip], n.key(lo)[:skip]); c < 0 {
			return lo
		} else if c > 0 {
			return hi
		}
	}
	pad := byte(0)
	if t.after {
		pad = 0xff
	}
	th := headOf(t.key[skip:], pad)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		h := n.head(m)
		if h < th || h == th && !t.above(n.key(m), n.tid(m)) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// childFor gives the slot of the child whose range has the target.
func (n node) childFor(t target) int {
	i := n.search(t)
	if i < n.count() && i > 0 && !t.after && !t.below && n.tid(i) == t.tid && bytes.Equal(n.key(i), t.key) {
		return i
	}
	return max(i-1, 0)
}

// beyond tells whether the target lies right of the node.
func (n node) beyond(t target) bool {
	key, tid, ok := n.high()
	if !ok {
		return false
	}
	if t.after || t.end {
		return !t.above(key, tid)
	}
	c := bytes.Compare(t.key, key)
	return c > 0 || c == 0 && (t.tid > tid || t.tid == tid && !t.below)
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// insertAt puts an item at slot i; false when there is no room.
func (n node) insertAt(i int, it []byte) bool {
	cnt := n.count()
	if n.free() < len(it)+slotSize || i < 0 || i > cnt {
		return false
	}
	key := itemKey(it, n.level())
	first := n.first()
	if i >= first {
		switch {
		case cnt <= first:
			n.setSkip(len(key))
		default:
			if cp := commonPrefix(key, n.key(first)); cp < n.skip() {
				n.setSkip(cp)
				n.rehead()
			}
		}
	}
	upper := n.Upper() - len(it)
	copy(n.Page[upper:], it)
	at := page.HeaderSize + i*slotSize
	copy(n.Page[at+slotSize:], n.Page[at:n.Lower()])
	n.SetUpper(upper)
	n.SetLower(n.Lower() + slotSize)
	var h uint32
	if i >= first {
		h = headOf(key[n.skip():], 0)
	}
	binary.LittleEndian.PutUint32(n.Page[at:], h)
	binary.LittleEndian.PutUint32(n.Page[at+4:], uint32(upper)|uint32(len(it))<<slotOffBits)
	return true
}

func (n node) rehead() {
	skip := n.skip()
	for i := n.first(); i < n.count(); i++ {
		binary.LittleEndian.PutUint32(n.slotAt(i), headOf(n.key(i)[skip:], 0))
	}
}

// setHigh gives an item-less page its upper bound; false when there is no room.
func (n node) setHigh(key []byte, tid uint64) bool {
	size := itemHead + len(key)
	if n.free() < size {
		return false
	}
	upper := n.Upper() - size
	n.SetUpper(upper)
	it := appendItemHead(n.Page[upper:upper:upper+size], key, tid)
	copy(it[itemHead:size], key)
	binary.LittleEndian.PutUint16(n.sp()[spHighOff:], uint16(upper))
	binary.LittleEndian.PutUint16(n.sp()[spHighLen:], uint16(size))
	return true
}
