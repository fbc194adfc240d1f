package types

import (
	"encoding/binary"

	"manifold/engine/base"
)

// Dim is one dimension of an array.
type Dim struct {
	Len   int32
	Lower int32
}

// MaxDims is the largest number of dimensions of an array.
const MaxDims = 6

// Array is a view of a stored array; its bytes are those of the Datum. The stored form is drawn in README.md.
type Array struct {
	Elem  base.OID
	NDims int
	Dims  [MaxDims]Dim
	n     int
	width int    // of a fixed-width element, else 0
	nulls []byte // one bit per element, set for null; nil without nulls
	ends  []byte // four bytes per element of variable width: the end of its bytes in data
	data  []byte
}

// MaxArrayElems bounds the number of elements of an array.
const MaxArrayElems = 134217727

const arrayHeader = 8

// OpenArray gives a view of a stored array.
func OpenArray(d Datum) Array {
	var a Array
	b := d.B
	if len(b) < arrayHeader {
		return a
	}
	a.NDims = int(b[0])
	a.Elem = base.OID(binary.LittleEndian.Uint32(b[4:]))
	hasNulls := b[1] != 0
	b = b[arrayHeader:]
	if a.NDims == 0 {
		return a
	}
	n := 1
	for i := range a.NDims {
		a.Dims[i] = Dim{Len: int32(binary.LittleEndian.Uint32(b)), Lower: int32(binary.LittleEndian.Uint32(b[4:]))}
		n *= int(a.Dims[i].Len)
		b = b[8:]
	}
	a.n = n
	if hasNulls {
		a.nulls, b = b[:(n+7)/8], b[(n+7)/8:]
	}
	if w := Len(a.Elem); w > 0 {
		a.width = storedWidth(a.Elem, w)
		a.data = b
		return a
	}
	a.ends, a.data = b[:4*n], b[4*n:]
	return a
}

// storedWidth gives the bytes of a fixed-width element: float4 keeps the eight bytes of its Datum.
func storedWidth(elem base.OID, w int16) int {
	if elem == OIDFloat4 {
		return 8
	}
	return int(w)
}

// Len gives the number of elements over all dimensions.
func (a *Array) Len() int { return a.n }

// HasNulls tells whether the array may hold nulls.
func (a *Array) HasNulls() bool { return a.nulls != nil }

// At gives element i in row-major order; its bytes alias the array's.
func (a *Array) At(i int) Datum {
	if a.nulls != nil && a.nulls[i>>3]&(1<<(i&7)) != 0 {
		return Null
	}
	switch a.width {
	case 0:
		start := uint32(0)
		if i > 0 {
			start = binary.LittleEndian.Uint32(a.ends[4*i-4:])
		}
		end := binary.LittleEndian.Uint32(a.ends[4*i:])
		return Datum{B: a.data[start:end:end]}
	case 1:
		return Datum{I: int64(int8(a.data[i]))}
	case 2:
		return Datum{I: int64(int16(binary.LittleEndian.Uint16(a.data[2*i:])))}
	case 4:
		return Datum{I: int64(int32(binary.LittleEndian.Uint32(a.data[4*i:])))}
	}
	return Datum{I: int64(binary.LittleEndian.Uint64(a.data[8*i:]))}
}

// Elems gives all elements in row-major order, appended to dst.
func (a *Array) Elems(dst []Datum) []Datum {
	for i := range a.n {
		dst = append(dst, a.At(i))
	}
	return dst
}

// Shape gives the dimensions.
func (a *Array) Shape() []Dim { return a.Dims[:a.NDims] }

// Get gives the element at the subscripts, or null when they are out of bounds or of the wrong number.
func (a *Array) Get(subs ...int32) Datum {
	if len(subs) != a.NDims || a.NDims == 0 {
		return Null
	}
	at := 0
	for i, s := range subs {
		d := a.Dims[i]
		if s < d.Lower || int64(s) >= int64(d.Lower)+int64(d.Len) {
			return Null
		}
		at = at*int(d.Len) + int(s-d.Lower)
	}
	return a.At(at)
}

// AppendArray appends the stored form of an array of the dimensions over elems in row-major order. No elements, or no
// dimensions, make the empty array.
func AppendArray(dst []byte, elem base.OID, dims []Dim, elems []Datum) []byte {
	if len(elems) == 0 {
		dims = nil
	}
	hasNulls := byte(0)
	for i := range elems {
		if elems[i].Null {
			hasNulls = 1
			break
		}
	}
	dst = append(dst, byte(len(dims)), hasNulls, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(elem))
	for _, d := range dims {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(d.Len))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(d.Lower))
	}
	if hasNulls != 0 {
		at := len(dst)
		dst = append(dst, make([]byte, (len(elems)+7)/8)...)
		for i := range elems {
			if elems[i].Null {
				dst[at+i>>3] |= 1 << (i & 7)
			}
		}
	}
	return appendElems(dst, elem, elems)
}

func appendElems(dst []byte, elem base.OID, elems []Datum) []byte {
	if w := Len(elem); w > 0 {
		w := storedWidth(elem, w)
		for i := range elems {
			v := uint64(elems[i].I)
			switch w {
			case 1:
				dst = append(dst, byte(v))
			case 2:
				dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
			case 4:
				dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
			default:
				dst = binary.LittleEndian.AppendUint64(dst, v)
			}
		}
		return dst
	}
	end := uint32(0)
	for i := range elems {
		if !elems[i].Null {
			end += uint32(len(elems[i].B))
		}
		dst = binary.LittleEndian.AppendUint32(dst, end)
	}
	for i := range elems {
		if !elems[i].Null {
			dst = append(dst, elems[i].B...)
		}
	}
	return dst
}

// MakeArray makes a one-dimensional array with lower bound 1 (0 for the vectors of the catalogs is made by MakeVector).
func MakeArray(elem base.OID, elems []Datum) Datum {
	return Datum{B: AppendArray(nil, elem, []Dim{{Len: int32(len(elems)), Lower: 1}}, elems)}
}

// MakeVector makes an oidvector or int2vector: one dimension from 0, kept even when empty.
func MakeVector(elem base.OID, elems []Datum) Datum {
	if len(elems) == 0 {
		b := []byte{1, 0, 0, 0}
		b = binary.LittleEndian.AppendUint32(b, uint32(elem))
		return Datum{B: append(b, 0, 0, 0, 0, 0, 0, 0, 0)}
	}
	return Datum{B: AppendArray(nil, elem, []Dim{{Len: int32(len(elems))}}, elems)}
}
