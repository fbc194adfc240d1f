package types

import "math"

// Datum is one SQL value without its type. A type of fixed width up to eight bytes keeps its bits in I: booleans as 0 and
// 1, integers sign-extended, OIDs zero-extended, float8 as its IEEE bits, float4 as the IEEE bits of the same value in
// 64 bits, date as days and timestamps as microseconds since 2000-01-01. Every other type keeps its bytes in B, in the form
// that is stored on a page. A Datum never owns B: it lives as long as the arena or batch it came from.
type Datum struct {
	B    []byte
	I    int64
	Null bool
}

// Null is the null value of every type.
var Null = Datum{Null: true}

// Bool makes a boolean.
func Bool(b bool) Datum {
	if b {
		return Datum{I: 1}
	}
	return Datum{}
}

// Int makes a value of an integer, OID, date or timestamp type.
func Int(i int64) Datum { return Datum{I: i} }

// Float makes a float8 or float4.
func Float(f float64) Datum { return Datum{I: int64(math.Float64bits(f))} }

// Bytes makes a value of a variable-width type from its stored form.
func Bytes(b []byte) Datum { return Datum{B: b} }

// Text makes a text-like value.
func Text(s string) Datum { return Datum{B: []byte(s)} }

// True tells whether the value is a true boolean: neither false nor null.
func (d Datum) True() bool { return !d.Null && d.I != 0 }

// Float gives the value of a float8 or float4.
func (d Datum) Float() float64 { return math.Float64frombits(uint64(d.I)) }

// Clone gives a copy that owns its bytes.
func (d Datum) Clone() Datum {
	if d.B != nil {
		d.B = append([]byte{}, d.B...)
	}
	return d
}
