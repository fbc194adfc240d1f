package tuple

import (
	"encoding/binary"

	"manifold/engine/base"
	"manifold/engine/compression"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// Form says how the bytes of a variable-width column are stored.
type Form uint8

// The forms.
const (
	Plain      Form = iota
	Compressed      // the length of the value and the method (Sizes), then the compressed bytes
	External        // a Pointer to chunks in the table's TOAST relation
)

// storedMark, beside a form, in Datum.I tells a stored form from whatever else a variable-width Datum may have there.
const storedMark = 0x746f617374 << 8

// MarkStored makes a Datum of the stored form of a value; Plain bytes are the value itself.
func MarkStored(b []byte, f Form) types.Datum {
	if f == Plain {
		return types.Datum{B: b}
	}
	return types.Datum{B: b, I: storedMark | int64(f)}
}

// FormOf gives the form of a variable-width value.
func FormOf(d types.Datum) Form {
	if d.I&^0xff != storedMark {
		return Plain
	}
	return Form(d.I & 0xff)
}

const (
	methodShift = 30
	sizeMask    = 1<<methodShift - 1
	// MaxValue is the length that a value stays below.
	MaxValue = sizeMask
	// CompressedHead is the size of what stands before the bytes of a compressed value.
	CompressedHead = 4
	// PointerSize is the size of a Pointer.
	PointerSize = 16
)

// sound tells whether b may have the form.
func (f Form) sound(b []byte) bool {
	switch f {
	case Compressed:
		return len(b) >= CompressedHead
	case External:
		return len(b) == PointerSize
	}
	return f == Plain
}

// AppendCompressedHead begins a compressed value whose original has raw bytes.
func AppendCompressedHead(dst []byte, raw int, m compression.Method) []byte {
	return binary.LittleEndian.AppendUint32(dst, uint32(raw)|uint32(m)<<methodShift)
}

// Decompress appends the value of a compressed form.
func Decompress(dst, b []byte) ([]byte, error) {
	raw, m, err := CompressedSizes(b)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = grow(dst, raw)
	return dst, compression.Decode(dst[start:], b[CompressedHead:], m)
}

// CompressedSizes gives the length of the original of a compressed form, and the method.
func CompressedSizes(b []byte) (raw int, m compression.Method, err error) {
	if len(b) < CompressedHead {
		return 0, 0, pgerror.Corrupt("compressed value of %d bytes has no head", len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	return int(n & sizeMask), compression.Method(n >> methodShift), nil
}

// Pointer leads to a value that is stored out of line.
type Pointer struct {
	Raw    int // length of the value
	Stored int // length of what the chunks hold: less than Raw when that is compressed
	Method compression.Method
	Value  base.OID // chunk_id
	Table  base.OID // the TOAST relation
}

// Compressed tells whether the chunks hold the value compressed.
func (p *Pointer) Compressed() bool { return p.Stored < p.Raw }

// Append appends the form that a row stores.
func (p *Pointer) Append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(p.Raw))
	dst = le.AppendUint32(dst, uint32(p.Stored)|uint32(p.Method)<<methodShift)
	dst = le.AppendUint32(dst, uint32(p.Value))
	return le.AppendUint32(dst, uint32(p.Table))
}

// ReadPointer is the inverse of Append.
func ReadPointer(b []byte) (Pointer, error) {
	if len(b) != PointerSize {
		return Pointer{}, pgerror.Corrupt("pointer to a value out of line has %d bytes", len(b))
	}
	le := binary.LittleEndian
	size := le.Uint32(b[4:])
	p := Pointer{Raw: int(le.Uint32(b)), Stored: int(size & sizeMask), Method: compression.Method(size >> methodShift),
		Value: base.OID(le.Uint32(b[8:])), Table: base.OID(le.Uint32(b[12:]))}
	if p.Raw > MaxValue || p.Stored > p.Raw {
		return Pointer{}, pgerror.Corrupt("pointer to value %d out of line has sizes %d and %d", p.Value, p.Raw, p.Stored)
	}
	return p, nil
}
