package vector

import "manifold/engine/types"

// BatchSize is the largest number of lanes of a batch.
const BatchSize = 1024

// Span is the place of one variable-width value in the Data of its column.
type Span struct {
	Off uint32
	Len uint32
}

// Vector is one column of a batch. A fixed-width column keeps its bits in Fixed as types.Datum.I does; a variable-width
// column keeps Spans into Data, which only grows until Reset. Lanes whose bit in Nulls is set have no value; what Fixed or
// Spans hold there is undefined. Nulls is meaningful only when HasNulls is set.
type Vector struct {
	Var      bool
	HasNulls bool
	Fixed    []int64
	Spans    []Span
	Data     []byte
	Nulls    [BatchSize / 64]uint64
	Stored   []Stored
}

// Stored tells of a lane whose value a row keeps compressed or out of line (Form, of package tuple). Whoever fills the column
// from rows replaces the bytes by the value's, sets Form to zero, and says what they take where they are stored.
type Stored struct {
	Lane   int32
	Size   int32
	Form   uint8
	Method uint8 // of compression, from one; zero for none
}

// Reset prepares the column for n lanes without nulls, keeping its memory.
func (v *Vector) Reset(variable bool, n int) {
	v.Var = variable
	v.ClearNulls()
	if variable {
		if cap(v.Spans) < n {
			v.Spans = make([]Span, n, room(n))
		}
		v.Spans = v.Spans[:n]
		v.Data = v.Data[:0]
		v.Stored = v.Stored[:0]
		return
	}
	if cap(v.Fixed) < n {
		v.Fixed = make([]int64, n, room(n))
	}
	v.Fixed = v.Fixed[:n]
}

// room is the lanes to make for n: plans that touch few rows keep their memory small.
func room(n int) int {
	if n <= 8 {
		return 8
	}
	return max(n, BatchSize)
}

// ClearNulls makes every lane non-null.
func (v *Vector) ClearNulls() {
	if v.HasNulls {
		v.Nulls = [BatchSize / 64]uint64{}
		v.HasNulls = false
	}
}

// IsNull tells whether lane i is null.
func (v *Vector) IsNull(i int) bool { return v.HasNulls && v.Nulls[i>>6]&(1<<(i&63)) != 0 }

// SetNull makes lane i null.
func (v *Vector) SetNull(i int) {
	v.HasNulls = true
	v.Nulls[i>>6] |= 1 << (i & 63)
}

// SetBytes gives lane i a copy of b.
func (v *Vector) SetBytes(i int, b []byte) {
	v.Spans[i] = Span{Off: uint32(len(v.Data)), Len: uint32(len(b))}
	v.Data = append(v.Data, b...)
}

// Bytes gives the value of lane i of a variable-width column; it lives as long as the batch and must not be appended to.
func (v *Vector) Bytes(i int) []byte {
	s := v.Spans[i]
	return v.Data[s.Off : s.Off+s.Len : s.Off+s.Len]
}

// Get gives lane i as a Datum whose bytes live as long as the batch.
func (v *Vector) Get(i int) types.Datum {
	if v.IsNull(i) {
		return types.Null
	}
	if v.Var {
		return types.Datum{B: v.Bytes(i)}
	}
	return types.Datum{I: v.Fixed[i]}
}

// Set gives lane i the value d, copying its bytes. Lanes must be set at most once between resets, or waste Data.
func (v *Vector) Set(i int, d types.Datum) {
	switch {
	case d.Null:
		v.SetNull(i)
		if v.Var {
			v.Spans[i] = Span{}
		}
	case v.Var:
		v.setNotNull(i)
		v.SetBytes(i, d.B)
	default:
		v.setNotNull(i)
		v.Fixed[i] = d.I
	}
}

func (v *Vector) setNotNull(i int) {
	if v.HasNulls {
		v.Nulls[i>>6] &^= 1 << (i & 63)
	}
}

// Batch is a set of columns of N lanes, of which Sel lists the live ones in ascending order; a nil Sel means all.
type Batch struct {
	Cols []Vector
	N    int
	Sel  []int32
	sel  [BatchSize]int32
}

// Live gives the number of selected lanes.
func (b *Batch) Live() int {
	if b.Sel == nil {
		return b.N
	}
	return len(b.Sel)
}

// Lane gives the lane of the i-th selected row.
func (b *Batch) Lane(i int) int {
	if b.Sel == nil {
		return i
	}
	return int(b.Sel[i])
}

// SelBuffer gives the batch's own empty selection buffer, to be filled and assigned to Sel.
func (b *Batch) SelBuffer() []int32 { return b.sel[:0] }
