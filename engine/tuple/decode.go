package tuple

import (
	"encoding/binary"
	"math"

	"manifold/engine/types"
	"manifold/engine/vector"
)

// DecodeColumn writes column attr (from zero) of the rows to the lanes of v from lane on. v must have been Reset for the
// column's kind with room for them; bytes are copied. Lanes whose bytes are not the value itself are listed in v.Stored.
func (l *Layout) DecodeColumn(v *vector.Vector, lane int, rows []Tuple, attr int) {
	c := &l.cols[attr]
	if c.codec == codecVar {
		l.decodeVar(v, lane, rows, attr, c)
		return
	}
	out := v.Fixed[lane : lane+len(rows)]
	uniform := l.decodeNulls(v, lane, rows, attr)
	if !uniform {
		for i, t := range rows {
			out[i] = l.Get(t, attr).I
		}
		return
	}
	if len(rows) == 0 {
		return
	}
	at := HeaderSize + bitmapLen(rows[0].Natts()) + int(c.place)
	switch c.codec {
	case codecS1:
		for i, t := range rows {
			out[i] = int64(int8(t[at]))
		}
	case codecS2:
		for i, t := range rows {
			out[i] = int64(int16(binary.LittleEndian.Uint16(t[at:])))
		}
	case codecS4:
		for i, t := range rows {
			out[i] = int64(int32(binary.LittleEndian.Uint32(t[at:])))
		}
	case codecU4:
		for i, t := range rows {
			out[i] = int64(binary.LittleEndian.Uint32(t[at:]))
		}
	case codecF4:
		for i, t := range rows {
			f := math.Float32frombits(binary.LittleEndian.Uint32(t[at:]))
			out[i] = int64(math.Float64bits(float64(f)))
		}
	default:
		for i, t := range rows {
			out[i] = int64(binary.LittleEndian.Uint64(t[at:]))
		}
	}
}

// decodeNulls marks the null lanes and tells whether all rows store the same number of attributes, attr among them.
func (l *Layout) decodeNulls(v *vector.Vector, lane int, rows []Tuple, attr int) bool {
	if len(rows) == 0 {
		return true
	}
	natts := rows[0].Natts()
	if attr < natts {
		same, nulls := true, uint32(0)
		for _, t := range rows {
			h := t[MaskOffset:HeaderSize]
			same = same && int(binary.LittleEndian.Uint16(h[HeaderSize-MaskOffset-2:])) == natts
			nulls |= t.Mask()
		}
		if same && nulls&HasNulls == 0 {
			return true
		}
	}
	uniform := true
	for i, t := range rows {
		n := t.Natts()
		uniform = uniform && n == natts && attr < n
		if attr >= n {
			if l.cols[attr].missing.Null {
				v.SetNull(lane + i)
			}
			continue
		}
		if t.Mask()&HasNulls != 0 && t[HeaderSize+attr>>3]&(1<<(attr&7)) != 0 {
			v.SetNull(lane + i)
		}
	}
	return uniform
}

func (l *Layout) decodeVar(v *vector.Vector, lane int, rows []Tuple, attr int, c *column) {
	for i, t := range rows {
		n := t.Natts()
		if attr >= n {
			v.Set(lane+i, c.missing)
			continue
		}
		if t.Mask()&HasNulls != 0 && t[HeaderSize+attr>>3]&(1<<(attr&7)) != 0 {
			v.Set(lane+i, types.Null)
			continue
		}
		lo, hi := l.span(t, n, c)
		v.SetBytes(lane+i, t[lo:hi])
		if t.Mask()&Toasted != 0 {
			if f := l.form(t, n, c); f != Plain {
				v.Stored = append(v.Stored, vector.Stored{Lane: int32(lane + i), Size: int32(hi - lo), Form: uint8(f)})
			}
		}
	}
}

// Equal tells whether column attr of two rows has the same stored form. Values that are equal may be stored differently.
func (l *Layout) Equal(a, b Tuple, attr int) bool {
	x, y := l.Get(a, attr), l.Get(b, attr)
	if x.Null || y.Null {
		return x.Null == y.Null
	}
	return x.I == y.I && string(x.B) == string(y.B)
}
