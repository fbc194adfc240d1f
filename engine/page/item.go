package page

import (
	"encoding/binary"

	"manifold/engine/base"
	"manifold/engine/invariant"
)

// LineState is the state of a line pointer.
type LineState uint8

// The states of a line pointer.
const (
	LineUnused   LineState = iota // free for reuse
	LineNormal                    // points to an item
	LineRedirect                  // points to another line pointer (HOT)
	LineDead                      // its item is gone, index entries may still point here
)

// LineSize is the size of a line pointer: 15 bits of offset, 2 of state, 15 of length.
const LineSize = 4

// MaxLines is the most line pointers that fit on a page.
const MaxLines = (Size - HeaderSize) / LineSize

// Line is the value of a line pointer.
type Line uint32

func makeLine(off int, st LineState, n int) Line {
	return Line(uint32(off)&0x7fff | uint32(st)<<15 | uint32(n)<<17)
}

// State gives the state of the line pointer.
func (l Line) State() LineState { return LineState(l >> 15 & 3) }

// Offset gives where the item is on the page.
func (l Line) Offset() int { return int(l & 0x7fff) }

// Length gives the item's length.
func (l Line) Length() int { return int(l >> 17) }

// Redirect gives the line pointer that a redirect points to.
func (l Line) Redirect() base.OffsetNumber { return base.OffsetNumber(l & 0x7fff) }

// Lines gives the number of line pointers; they are numbered from one.
func (p Page) Lines() int {
	if n := p.Lower() - HeaderSize; n > 0 {
		return n / LineSize
	}
	return 0
}

// Line gives a line pointer; off must be in 1..Lines().
func (p Page) Line(off base.OffsetNumber) Line {
	return Line(binary.LittleEndian.Uint32(p[HeaderSize+LineSize*(int(off)-1):]))
}

func (p Page) setLine(off base.OffsetNumber, l Line) {
	binary.LittleEndian.PutUint32(p[HeaderSize+LineSize*(int(off)-1):], uint32(l))
}

// Item gives the bytes of a normal item, nil for every other state or an offset beyond the line pointers. They are part
// of the page.
func (p Page) Item(off base.OffsetNumber) []byte {
	if off == 0 || int(off) > p.Lines() {
		return nil
	}
	l := p.Line(off)
	if l.State() != LineNormal {
		return nil
	}
	o := l.Offset()
	return p[o : o+l.Length() : o+l.Length()]
}

// FreeSpace gives the bytes that one more item can have, its new line pointer deducted.
func (p Page) FreeSpace() int {
	if n := p.Upper() - p.Lower() - LineSize; n > 0 {
		return n &^ 7
	}
	return 0
}

// HeapFreeSpace is FreeSpace when line pointers are limited to max: without an unused one and at the limit it is zero.
func (p Page) HeapFreeSpace(max int) int {
	n := p.FreeSpace()
	if n > 0 && p.Lines() >= max && p.unusedLine() == 0 {
		return 0
	}
	return n
}

func (p Page) unusedLine() base.OffsetNumber {
	if p.Flags()&FlagHasFreeLines == 0 {
		return 0
	}
	for i, n := 1, p.Lines(); i <= n; i++ {
		if p.Line(base.OffsetNumber(i)).State() == LineUnused {
			return base.OffsetNumber(i)
		}
	}
	return 0
}

// AddItem puts an item (1 to 32767 bytes) on the page, at an unused line pointer when there is one, and gives its
// number; zero when there is no room. Items start 8-aligned.
func (p Page) AddItem(item []byte) base.OffsetNumber {
	off := p.unusedLine()
	if off == 0 {
		if p.Flags()&FlagHasFreeLines != 0 {
			p.SetFlags(p.Flags() &^ FlagHasFreeLines)
		}
		off = base.OffsetNumber(p.Lines() + 1)
	}
	if !p.AddItemAt(off, item) {
		return 0
	}
	return off
}

// AddItemAt puts an item at a given number, which must be unused or the next one; false when there is no room or the
// number is taken. Redo uses it.
func (p Page) AddItemAt(off base.OffsetNumber, item []byte) bool {
	n := p.Lines()
	if off == 0 || int(off) > n+1 || len(item) == 0 {
		return false
	}
	lower := p.Lower()
	if int(off) == n+1 {
		lower += LineSize
	} else if p.Line(off).State() != LineUnused {
		return false
	}
	upper := p.Upper() - (len(item)+7)&^7
	if lower > upper {
		return false
	}
	p.SetLower(lower)
	p.SetUpper(upper)
	p.setLine(off, makeLine(upper, LineNormal, len(item)))
	copy(p[upper:], item)
	return true
}

// SetRedirect makes a line pointer lead to another.
func (p Page) SetRedirect(off, to base.OffsetNumber) {
	p.setLine(off, makeLine(int(to), LineRedirect, 0))
}

// SetDead forgets the item but keeps the line pointer from being reused.
func (p Page) SetDead(off base.OffsetNumber) { p.setLine(off, makeLine(0, LineDead, 0)) }

// SetUnused frees a line pointer.
func (p Page) SetUnused(off base.OffsetNumber) {
	p.setLine(off, 0)
	p.SetFlags(p.Flags() | FlagHasFreeLines)
}

// Compact moves the items of normal line pointers together at the end, so that all free space is in one piece, and
// drops unused line pointers from the end. Numbers of items do not change.
func (p Page) Compact() {
	var old [Size]byte
	copy(old[p.Upper():], p[p.Upper():p.Special()])
	n := p.Lines()
	upper, last, free := p.Special(), 0, false
	for i := 1; i <= n; i++ {
		off := base.OffsetNumber(i)
		l := p.Line(off)
		if l.State() != LineUnused {
			last = i
		}
		if l.State() != LineNormal {
			continue
		}
		upper -= (l.Length() + 7) &^ 7
		copy(p[upper:], old[l.Offset():l.Offset()+l.Length()])
		p.setLine(off, makeLine(upper, LineNormal, l.Length()))
	}
	for i := 1; i <= last; i++ {
		free = free || p.Line(base.OffsetNumber(i)).State() == LineUnused
	}
	p.SetLower(HeaderSize + last*LineSize)
	p.SetUpper(upper)
	f := p.Flags() &^ FlagHasFreeLines
	if free {
		f |= FlagHasFreeLines
	}
	p.SetFlags(f)
	invariant.Assert(p.Lower() <= p.Upper(), "compacted page overlaps: lower %d, upper %d", p.Lower(), p.Upper())
}
