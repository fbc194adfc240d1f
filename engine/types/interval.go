package types

import "encoding/binary"

// Interval is an interval taken out of its stored form.
type Interval struct {
	Micros int64
	Days   int32
	Months int32
}

const intervalSize = 16

// OpenInterval reads a stored interval.
func OpenInterval(d Datum) Interval {
	if len(d.B) < intervalSize {
		return Interval{}
	}
	return Interval{
		Micros: int64(binary.LittleEndian.Uint64(d.B)),
		Days:   int32(binary.LittleEndian.Uint32(d.B[8:])),
		Months: int32(binary.LittleEndian.Uint32(d.B[12:])),
	}
}

// Append appends the stored form.
func (iv Interval) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(iv.Micros))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(iv.Days))
	return binary.LittleEndian.AppendUint32(dst, uint32(iv.Months))
}

// Datum gives the stored form in fresh memory.
func (iv Interval) Datum() Datum { return Datum{B: iv.Append(make([]byte, 0, intervalSize))} }

// span gives the interval as microseconds of 128 bits, a month counting 30 days and a day 24 hours.
func (iv Interval) span() (days, micros int64) {
	days = int64(iv.Months)*30 + int64(iv.Days) + iv.Micros/MicrosPerDay
	micros = iv.Micros % MicrosPerDay
	if micros < 0 {
		micros += MicrosPerDay
		days--
	}
	return days, micros
}

// Cmp orders intervals by their span.
func (iv Interval) Cmp(o Interval) int {
	d, m := iv.span()
	e, n := o.span()
	if c := cmpInt(d, e); c != 0 {
		return c
	}
	return cmpInt(m, n)
}
