package page

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"
	"unsafe"

	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/pgerror"
)

// castagnoli is hash/crc32's own table (MakeTable returns it); it is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum computes the checksum of the page at its address: CRC32C of all bytes but the checksum, begun with a mix of
// the address instead of zero. Two beginnings never give the same sum for the same bytes.
func (p Page) Checksum(tag base.PageTag) uint32 {
	h := uint64(tag.File.Space)<<32 | uint64(tag.File.Database)
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	h ^= uint64(tag.File.Number)<<32 | uint64(tag.Block)
	h = (h ^ h>>32) * 0x94d049bb133111eb
	h ^= uint64(tag.File.Temp)<<8 | uint64(tag.Fork)
	h = (h ^ h>>31) * 0x9e3779b97f4a7c15
	return crc32.Update(uint32(h>>32), castagnoli, p[offFlags:Size])
}

// SetChecksum stores the checksum; a new (all-zero) page stays as it is. Only private copies get one.
func (p Page) SetChecksum(tag base.PageTag) {
	if !p.IsNew() {
		binary.LittleEndian.PutUint32(p[offChecksum:], p.Checksum(tag))
	}
}

// Verify tells whether the bytes read from disk are a sound page of this address: all zero, or with a right checksum
// and a header that accessors can trust.
func (p Page) Verify(tag base.PageTag) bool {
	if p.IsNew() {
		return p.allZero()
	}
	return binary.LittleEndian.Uint32(p[offChecksum:]) == p.Checksum(tag) && p.headerFault() == ""
}

func (p Page) allZero() bool {
	for i := 0; i < Size; i += 8 {
		if binary.LittleEndian.Uint64(p[i:]) != 0 {
			return false
		}
	}
	return true
}

func (p Page) headerFault() string {
	lo, up, sp := p.Lower(), p.Upper(), p.Special()
	switch {
	case p[offVersion] != Version:
		return fmt.Sprintf("version %d", p[offVersion])
	case p.Kind() == KindNew || p.Kind() >= kindCount:
		return fmt.Sprintf("kind %d", p.Kind())
	case lo < HeaderSize || lo > up || up > sp || sp > Size || sp%8 != 0:
		return fmt.Sprintf("lower %d, upper %d, special %d", lo, up, sp)
	}
	return ""
}

// Check reports every fault of a page at an address: checksum (when sum is set: not for pages in memory), header, and
// for slotted pages (heap, sequence) the line pointers and overlaps of items. It trusts no byte. Indexes check their
// own pages further.
func (p Page) Check(tag base.PageTag, sum bool) []error {
	if len(p) != Size {
		return []error{pgerror.Corrupt("page %s has %d bytes", tag, len(p))}
	}
	var out []error
	fault := func(format string, args ...any) {
		out = append(out, pgerror.Corrupt("invalid page in block %d of relation %s: %s", tag.Block, tag.File,
			fmt.Sprintf(format, args...)))
	}
	if p.IsNew() {
		if !p.allZero() {
			fault("upper is zero but the page is not")
		}
		return out
	}
	if got, want := binary.LittleEndian.Uint32(p[offChecksum:]), p.Checksum(tag); sum && got != want {
		fault("checksum %08x, computed %08x", got, want)
	}
	if f := p.headerFault(); f != "" {
		fault("%s", f)
		return out
	}
	if k := p.Kind(); k == KindHeap || k == KindSequence {
		p.checkLines(fault)
	}
	return out
}

func (p Page) checkLines(fault func(string, ...any)) {
	var owner [Size / 8]uint16
	n := p.Lines()
	for i := 1; i <= n; i++ {
		l := p.Line(base.OffsetNumber(i))
		switch l.State() {
		case LineRedirect:
			to := l.Redirect()
			if to == 0 || int(to) > n || p.Line(to).State() != LineNormal {
				fault("line pointer %d redirects to %d", i, to)
			}
		case LineNormal:
			o, e := l.Offset(), l.Offset()+l.Length()
			if o < p.Upper() || e > p.Special() || o%8 != 0 || l.Length() == 0 {
				fault("line pointer %d: item at %d to %d", i, o, e)
				continue
			}
			for w := o / 8; w*8 < e; w++ {
				if owner[w] != 0 {
					fault("items %d and %d overlap", owner[w], i)
					break
				}
				owner[w] = uint16(i)
			}
		}
	}
}

// Describe draws the page for pagedump. It may be any bytes.
func (p Page) Describe(w io.Writer, tag base.PageTag) {
	if len(p) != Size {
		fmt.Fprintf(w, "page %s: %d bytes\n", tag, len(p))
		return
	}
	if p.IsNew() {
		fmt.Fprintf(w, "page %s: new\n", tag)
	} else {
		fmt.Fprintf(w, "page %s: %s, lsn %s, flags %#x, lower %d, upper %d, special %d, prune %d\n", tag, p.Kind(), p.LSN(),
			uint16(p.Flags()), p.Lower(), p.Upper(), p.Special(), p.PruneXID())
	}
	for _, err := range p.Check(tag, true) {
		fmt.Fprintf(w, "  FAULT %s\n", pgerror.From(err).Message)
	}
	if p.headerFault() != "" || p.Kind() != KindHeap && p.Kind() != KindSequence {
		return
	}
	for i := 1; i <= p.Lines(); i++ {
		l := p.Line(base.OffsetNumber(i))
		switch l.State() {
		case LineUnused:
			fmt.Fprintf(w, "  %4d unused\n", i)
		case LineDead:
			fmt.Fprintf(w, "  %4d dead\n", i)
		case LineRedirect:
			fmt.Fprintf(w, "  %4d -> %d\n", i, l.Redirect())
		default:
			fmt.Fprintf(w, "  %4d at %d, %d bytes\n", i, l.Offset(), l.Length())
		}
	}
}

// CopyShared copies a page that is latched shared, while others may set hint bits by atomic OR.
func (p Page) CopyShared(dst Page) {
	if !invariant.Race {
		copy(dst, p)
		return
	}
	for i := 0; i < Size; i += 4 {
		*(*uint32)(unsafe.Pointer(&dst[i])) = atomic.LoadUint32((*uint32)(unsafe.Pointer(&p[i])))
	}
}

// OrByte sets bits of a byte of the page atomically: how hint bits are set under a share latch.
func (p Page) OrByte(off int, bits byte) {
	w := off &^ 3
	atomic.OrUint32((*uint32)(unsafe.Pointer(&p[w])), uint32(bits)<<(8*(off&3)))
}

// MaskHints clears on a private copy what may differ between two copies of one page: checksum, LSN, flags, hint of pruning and
// unused space.
func (p Page) MaskHints() {
	clear(p[offChecksum : offChecksum+4])
	p.SetFlags(0)
	p.SetLSN(0)
	p.SetPruneXID(0)
	if lo, up := p.Lower(), p.Upper(); lo >= HeaderSize && lo < up && up <= Size {
		clear(p[lo:up])
	}
}
