package tuple

import (
	"encoding/binary"
	"math"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// endMask takes the end of a value from its entry in the array of ends; the bits above are its Form.
const (
	endMask   = 1<<formShift - 1
	formShift = 14
	maxValues = endMask // bounds the bytes of a row
)

// codec says how a fixed column's bytes become Datum.I.
type codec uint8

const (
	codecVar codec = iota
	codecS1
	codecS2
	codecS4
	codecU4
	codecF4
	codec8
)

type column struct {
	codec   codec
	width   int32 // of a fixed column
	place   int32 // fixed: offset from the end of the bitmap; variable: index in the end-offset array
	dropped bool
	missing types.Datum
}

// Layout is the precomputed form of a table's rows. It is immutable and safe for concurrent use.
type Layout struct {
	cols  []column
	fixed []int32 // fixed[n]: bytes of fixed columns among the first n attributes
	vars  []int32 // vars[n]: number of variable columns among the first n attributes
}

// NewLayout computes the layout of rows of the columns.
func NewLayout(columns []relation.Column) *Layout {
	l := &Layout{
		cols:  make([]column, len(columns)),
		fixed: make([]int32, len(columns)+1),
		vars:  make([]int32, len(columns)+1),
	}
	for i := range columns {
		c := &columns[i]
		col := column{codec: codecOf(c), dropped: c.Dropped, missing: types.Null}
		if c.HasMissing {
			col.missing = c.Missing
		}
		l.fixed[i+1], l.vars[i+1] = l.fixed[i], l.vars[i]
		if col.codec == codecVar {
			col.place = l.vars[i]
			l.vars[i+1]++
		} else {
			col.width = int32(c.Len)
			col.place = l.fixed[i]
			l.fixed[i+1] += col.width
		}
		l.cols[i] = col
	}
	return l
}

func codecOf(c *relation.Column) codec {
	switch c.Len {
	case 1:
		return codecS1
	case 2:
		return codecS2
	case 4:
		switch c.Type {
		case types.OIDFloat4:
			return codecF4
		case types.OIDOID, types.OIDXID, types.OIDCID, types.OIDRegProc, types.OIDRegProcedure, types.OIDRegOper,
			types.OIDRegOperator, types.OIDRegClass, types.OIDRegType, types.OIDRegConfig, types.OIDRegDictionary,
			types.OIDRegNamespace, types.OIDRegRole, types.OIDRegCollation, types.OIDAnyEnum:
			return codecU4
		}
		return codecS4
	case 8:
		return codec8
	}
	return codecVar
}

// Columns gives the number of columns of the descriptor.
func (l *Layout) Columns() int { return len(l.cols) }

// Variable tells whether column attr (from zero) is kept in Datum.B.
func (l *Layout) Variable(attr int) bool { return l.cols[attr].codec == codecVar }

func bitmapLen(natts int) int { return (natts + 7) >> 3 }

// Size gives the bytes of the row that Form would make.
func (l *Layout) Size(values []types.Datum) int {
	n := len(l.cols)
	size := HeaderSize + bitmapLen(n) + int(l.fixed[n]) + 2*int(l.vars[n])
	for i := range l.cols {
		if c := &l.cols[i]; c.codec == codecVar && !c.dropped && !values[i].Null {
			size += len(values[i].B)
		}
	}
	return size
}

// Form appends the row of the values to dst, with an empty header but for natts and the null flag, and gives the grown
// slice. A row of more than maxSize bytes is refused with 54000. Values of dropped columns are stored as null. A value that
// MarkStored marked goes in as it is.
func (l *Layout) Form(dst []byte, values []types.Datum, maxSize int) ([]byte, error) {
	n := len(l.cols)
	if len(values) != n {
		return dst, pgerror.Newf(pgerror.InternalError, "row has %d values for %d columns", len(values), n)
	}
	size := l.Size(values)
	if size > maxSize || size > maxValues {
		return dst, pgerror.Newf(pgerror.ProgramLimitExceeded, "row is too big: size %d, maximum size %d", size, maxSize)
	}
	start := len(dst)
	dst = grow(dst, size)
	t := Tuple(dst[start:])
	clear(t[:HeaderSize+bitmapLen(n)])
	t.SetNatts(n)
	fixed := HeaderSize + bitmapLen(n)
	ends := fixed + int(l.fixed[n])
	data := ends + 2*int(l.vars[n])
	end := data
	mask := uint32(0)
	for i := range l.cols {
		c := &l.cols[i]
		null := values[i].Null || c.dropped
		if null {
			t[HeaderSize+i>>3] |= 1 << (i & 7)
			mask |= HasNulls
		}
		if c.codec == codecVar {
			form := Plain
			if !null {
				end += copy(t[end:], values[i].B)
				if form = FormOf(values[i]); form != Plain {
					mask |= Toasted
				}
			}
			binary.LittleEndian.PutUint16(t[ends+2*int(c.place):], uint16(end-data)|uint16(form)<<formShift)
			continue
		}
		v := values[i].I
		if null {
			v = 0
		}
		putFixed(t[fixed+int(c.place):], c.codec, v)
	}
	t.SetMask(mask)
	return dst, nil
}

// grow extends dst by size bytes; the start of a row in its own buffer is aligned by the allocator.
func grow(dst []byte, size int) []byte {
	n := len(dst) + size
	if cap(dst) < n {
		bigger := make([]byte, n, max(n, 2*cap(dst), 256))
		copy(bigger, dst)
		return bigger
	}
	return dst[:n]
}

func putFixed(b []byte, c codec, v int64) {
	switch c {
	case codecS1:
		b[0] = byte(v)
	case codecS2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case codecS4, codecU4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	case codecF4:
		binary.LittleEndian.PutUint32(b, math.Float32bits(float32(math.Float64frombits(uint64(v)))))
	default:
		binary.LittleEndian.PutUint64(b, uint64(v))
	}
}

func getFixed(b []byte, c codec) int64 {
	switch c {
	case codecS1:
		return int64(int8(b[0]))
	case codecS2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case codecS4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case codecU4:
		return int64(binary.LittleEndian.Uint32(b))
	case codecF4:
		return int64(math.Float64bits(float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))))
	default:
		return int64(binary.LittleEndian.Uint64(b))
	}
}

// Null tells whether column attr (from zero) of the row is null.
func (l *Layout) Null(t Tuple, attr int) bool {
	if attr >= t.Natts() {
		return l.cols[attr].missing.Null
	}
	return t.Mask()&HasNulls != 0 && t[HeaderSize+attr>>3]&(1<<(attr&7)) != 0
}

// Get gives column attr (from zero) of the row in constant time. Its bytes alias the row. FormOf tells of a value that is
// compressed or stored out of line: its bytes are not the value's.
func (l *Layout) Get(t Tuple, attr int) types.Datum {
	c := &l.cols[attr]
	n := t.Natts()
	if attr >= n {
		return c.missing
	}
	if t.Mask()&HasNulls != 0 && t[HeaderSize+attr>>3]&(1<<(attr&7)) != 0 {
		return types.Null
	}
	fixed := HeaderSize + bitmapLen(n)
	if c.codec != codecVar {
		return types.Datum{I: getFixed(t[fixed+int(c.place):], c.codec)}
	}
	lo, hi := l.span(t, n, c)
	if t.Mask()&Toasted != 0 {
		return MarkStored(t[lo:hi:hi], l.form(t, n, c))
	}
	return types.Datum{B: t[lo:hi:hi]}
}

// form gives the Form of variable column c in a row of n attributes.
func (l *Layout) form(t Tuple, n int, c *column) Form {
	ends := HeaderSize + bitmapLen(n) + int(l.fixed[n])
	return Form(binary.LittleEndian.Uint16(t[ends+2*int(c.place):]) >> formShift)
}

// span gives the place of variable column c in a row of n attributes.
func (l *Layout) span(t Tuple, n int, c *column) (lo, hi int) {
	ends := HeaderSize + bitmapLen(n) + int(l.fixed[n])
	data := ends + 2*int(l.vars[n])
	at := ends + 2*int(c.place)
	hi = data + int(binary.LittleEndian.Uint16(t[at:])&endMask)
	lo = data
	if c.place > 0 {
		lo += int(binary.LittleEndian.Uint16(t[at-2:]) & endMask)
	}
	return lo, hi
}

// Deform gives all columns of the row in dst, which must have room for them. Bytes alias the row.
func (l *Layout) Deform(dst []types.Datum, t Tuple) []types.Datum {
	dst = dst[:len(l.cols)]
	for i := range dst {
		dst[i] = l.Get(t, i)
	}
	return dst
}

// Check reports what is wrong with a row read from block, or nil: every access by Get is then in bounds.
func (l *Layout) Check(t Tuple, tag base.PageTag, off base.OffsetNumber) error {
	if len(t) < HeaderSize {
		return pgerror.Corrupt("tuple (%d,%d) of relation %s has only %d bytes", tag.Block, off, tag.File, len(t))
	}
	n := t.Natts()
	if n > len(l.cols) {
		return pgerror.Corrupt("tuple (%d,%d) of relation %s has %d attributes of %d", tag.Block, off, tag.File, n, len(l.cols))
	}
	ends := HeaderSize + bitmapLen(n) + int(l.fixed[n])
	data := ends + 2*int(l.vars[n])
	if data > len(t) {
		return pgerror.Corrupt("tuple (%d,%d) of relation %s is cut short", tag.Block, off, tag.File)
	}
	prev := 0
	for i := range int(l.vars[n]) {
		entry := binary.LittleEndian.Uint16(t[ends+2*i:])
		end := int(entry & endMask)
		if end < prev || data+end > len(t) {
			return pgerror.Corrupt("tuple (%d,%d) of relation %s has a value out of bounds", tag.Block, off, tag.File)
		}
		if f := Form(entry >> formShift); f != Plain && (t.Mask()&Toasted == 0 || !f.sound(t[data+prev:data+end])) {
			return pgerror.Corrupt("tuple (%d,%d) of relation %s has a value of a form that it cannot have", tag.Block, off, tag.File)
		}
		prev = end
	}
	return nil
}
