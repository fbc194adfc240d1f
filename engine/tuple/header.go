package tuple

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"manifold/engine/base"
)

// MaskOffset is where the mask is in the header.
const MaskOffset = 24

// HeaderSize is the size of a tuple's header in bytes; the null bitmap follows.
const HeaderSize = 36

// MaxColumns is the largest number of columns of a table.
const MaxColumns = 1600

// Bits of the mask.
const (
	HasNulls      uint32 = 1 << 0
	XminCommitted uint32 = 1 << 1 // hint: the inserter is visible to all
	XminInvalid   uint32 = 1 << 2 // hint: the inserter aborted, or (xmax being xmin) took the row back
	XmaxCommitted uint32 = 1 << 3 // hint: the deleter is visible to all
	XmaxInvalid   uint32 = 1 << 4 // hint: no deleter, or it aborted
	XmaxLockOnly  uint32 = 1 << 5 // xmax locks the row and does not end it
	LockKeyShare  uint32 = 1 << 6 // the strength of the lock or change that xmax holds
	LockShare     uint32 = 1 << 7
	LockNoKey     uint32 = 1 << 8
	LockUpdate    uint32 = 1 << 9
	KeysUpdated   uint32 = 1 << 10 // xmax deletes the row or changes a key of it
	HotUpdated    uint32 = 1 << 11 // the next version is on the same page and has no index entries
	HeapOnly      uint32 = 1 << 12 // no index entry points here
	Updated       uint32 = 1 << 13 // made by an update
	Speculative   uint32 = 1 << 14 // inserted by ON CONFLICT; while the inserter runs, it may take the row back
	Toasted       uint32 = 1 << 15 // some value is compressed or stored out of line

	LockBits = LockKeyShare | LockShare | LockNoKey | LockUpdate
	XmaxBits = XmaxCommitted | XmaxInvalid | XmaxLockOnly | LockBits | KeysUpdated
	FormBits = HasNulls | Toasted // what the values say, not the transactions
	HintBits = XminCommitted | XminInvalid | XmaxCommitted | XmaxInvalid
)

// Tuple is the bytes of one row, header first. It aliases the page or buffer that it came from.
type Tuple []byte

// Xmin gives the inserter.
func (t Tuple) Xmin() base.XID { return base.XID(binary.LittleEndian.Uint64(t[0:])) }

// Xmax gives the deleter, updater or locker; zero when there is none.
func (t Tuple) Xmax() base.XID { return base.XID(binary.LittleEndian.Uint64(t[8:])) }

// Cmin gives the command that inserted the row within its transaction.
func (t Tuple) Cmin() base.CommandID { return base.CommandID(binary.LittleEndian.Uint32(t[16:])) }

// Cmax gives the command that ended the row within its transaction.
func (t Tuple) Cmax() base.CommandID { return base.CommandID(binary.LittleEndian.Uint32(t[20:])) }

// Mask gives the mask; it may gain hint bits at any time while the page is latched shared.
func (t Tuple) Mask() uint32 { return atomic.LoadUint32(t.mask()) }

func (t Tuple) mask() *uint32 { return (*uint32)(unsafe.Pointer(&t[MaskOffset])) }

// OrMask sets bits atomically; a shared latch suffices.
func (t Tuple) OrMask(bits uint32) { atomic.OrUint32(t.mask(), bits) }

// SetMask replaces the mask; the page must be latched exclusively.
func (t Tuple) SetMask(m uint32) { atomic.StoreUint32(t.mask(), m) }

// CTID gives the address of the next version of the row, or of the tuple itself.
func (t Tuple) CTID() base.TID {
	return base.TID{
		Block:  base.BlockNumber(binary.LittleEndian.Uint32(t[28:])),
		Offset: base.OffsetNumber(binary.LittleEndian.Uint16(t[32:])),
	}
}

// Natts gives the number of attributes that are stored.
func (t Tuple) Natts() int { return int(binary.LittleEndian.Uint16(t[34:])) }

// SetXmin sets the inserter and its command.
func (t Tuple) SetXmin(x base.XID, c base.CommandID) {
	binary.LittleEndian.PutUint64(t[0:], uint64(x))
	binary.LittleEndian.PutUint32(t[16:], uint32(c))
}

// SetXmax sets the deleter, updater or locker and its command.
func (t Tuple) SetXmax(x base.XID, c base.CommandID) {
	binary.LittleEndian.PutUint64(t[8:], uint64(x))
	binary.LittleEndian.PutUint32(t[20:], uint32(c))
}

// SetCTID sets the address of the next version.
func (t Tuple) SetCTID(tid base.TID) {
	binary.LittleEndian.PutUint32(t[28:], uint32(tid.Block))
	binary.LittleEndian.PutUint16(t[32:], uint16(tid.Offset))
}

// SetNatts sets the number of attributes that are stored.
func (t Tuple) SetNatts(n int) { binary.LittleEndian.PutUint16(t[34:], uint16(n)) }

// Body gives the bytes after the header.
func (t Tuple) Body() []byte { return t[HeaderSize:] }
