package types

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"manifold/engine/base"
)

func compareFunc(typ base.OID) func(a, b *Datum) int {
	switch typ {
	case OIDBool, OIDInt2, OIDInt4, OIDInt8, OIDDate, OIDTime, OIDTimestamp, OIDTimestampTZ, OIDOID, OIDXID, OIDCID, OIDTID:
		return compareInts
	case OIDFloat4, OIDFloat8:
		return compareFloats
	case OIDChar:
		return func(a, b *Datum) int { return int(uint8(a.I)) - int(uint8(b.I)) }
	case OIDXID8, OIDPgLSN:
		return compareUints
	case OIDBPChar:
		return func(a, b *Datum) int { return bytes.Compare(TrimBlanks(a.B), TrimBlanks(b.B)) }
	case OIDNumeric:
		return func(a, b *Datum) int { return compareNumeric(a.B, b.B) }
	case OIDInterval:
		return func(a, b *Datum) int { return OpenInterval(*a).Cmp(OpenInterval(*b)) }
	case OIDTimeTZ:
		return func(a, b *Datum) int { return OpenTimeTZ(*a).Cmp(OpenTimeTZ(*b)) }
	case OIDJSONB:
		return func(a, b *Datum) int { return compareJSONB(a.B, b.B) }
	case OIDInet, OIDCIDR:
		return compareInet
	case OIDOIDVector:
		return compareOIDVectors
	case OIDRecord:
		return compareRecords
	}
	if isReg(typ) {
		return compareInts
	}
	if info, ok := Lookup(typ); ok && (info.IsArray() || typ == OIDInt2Vector) {
		return compareArrays
	}
	if info, ok := Lookup(typ); ok && info.Fixed() {
		return compareInts
	}
	return func(a, b *Datum) int {
		if isRowOf(typ, *a) && isRowOf(typ, *b) {
			return compareRecords(a, b)
		}
		return bytes.Compare(a.B, b.B)
	}
}

func comparable(typ base.OID) bool {
	switch typ {
	case OIDJSON, OIDXML, OIDPoint, OIDLseg, OIDPath, OIDBox, OIDPolygon, OIDLine, OIDCircle, OIDXID, OIDCID, OIDACLItem,
		OIDInt2Vector, OIDUnknown, OIDRefCursor, OIDCString, OIDTXIDSnapshot, OIDPgSnapshot, OIDJSONPath, OIDPgNodeTree:
		return false
	}
	info, ok := Lookup(typ)
	if !ok || info.Kind == 'p' && typ != OIDRecord {
		return false
	}
	if info.IsArray() {
		return comparable(info.Elem)
	}
	return true
}

func compareInts(a, b *Datum) int { return cmpInt(a.I, b.I) }

func compareUints(a, b *Datum) int {
	x, y := uint64(a.I), uint64(b.I)
	if x < y {
		return -1
	}
	if x > y {
		return 1
	}
	return 0
}

func compareFloats(a, b *Datum) int { return CompareFloat(a.Float(), b.Float()) }

// CompareFloat orders floats with all NaNs equal and above everything, and both zeros equal.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	}
	return -1
}

// compareNumeric has a short way for small numbers of one scale.
func compareNumeric(a, b []byte) int { return OpenNum(a).Cmp(OpenNum(b)) }

// TrimBlanks drops the trailing blanks that do not count in a character(n).
func TrimBlanks(b []byte) []byte {
	n := len(b)
	for n > 0 && b[n-1] == ' ' {
		n--
	}
	return b[:n]
}

func compareArrays(x, y *Datum) int {
	a, b := OpenArray(*x), OpenArray(*y)
	cmp := compareFunc(a.Elem)
	for i := range min(a.Len(), b.Len()) {
		if c := compareNullable(cmp, a.At(i), b.At(i)); c != 0 {
			return c
		}
	}
	if c := a.Len() - b.Len(); c != 0 {
		return c
	}
	if c := a.NDims - b.NDims; c != 0 {
		return c
	}
	for i := range a.NDims {
		if c := cmpInt(int64(a.Dims[i].Len), int64(b.Dims[i].Len)); c != 0 {
			return c
		}
	}
	for i := range a.NDims {
		if c := cmpInt(int64(a.Dims[i].Lower), int64(b.Dims[i].Lower)); c != 0 {
			return c
		}
	}
	return 0
}

// compareNullable puts nulls behind all values and counts them as equal.
func compareNullable(cmp func(a, b *Datum) int, a, b Datum) int {
	switch {
	case a.Null && b.Null:
		return 0
	case a.Null:
		return 1
	case b.Null:
		return -1
	}
	return cmp(&a, &b)
}

func compareOIDVectors(x, y *Datum) int {
	a, b := OpenArray(*x), OpenArray(*y)
	if c := a.Len() - b.Len(); c != 0 {
		return c
	}
	for i := range a.Len() {
		if c := cmpInt(a.At(i).I, b.At(i).I); c != 0 {
			return c
		}
	}
	return 0
}

func compareRecords(x, y *Datum) int {
	a, b := OpenRecord(*x), OpenRecord(*y)
	for i := range min(len(a), len(b)) {
		if c := cmpInt(int64(a[i].Type), int64(b[i].Type)); c != 0 {
			return c
		}
		if c := compareNullable(compareFunc(a[i].Type), a[i].Value, b[i].Value); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

const (
	hashSeed = 0x9E3779B97F4A7C15
	hashMul  = 0xD6E8FEB86659FD93
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^hashSeed, b^hashMul)
	return hi ^ lo
}

// HashInt hashes the bits of an integer.
func HashInt(v int64) uint64 { return mix(uint64(v), hashSeed) }

// HashBytes hashes bytes.
func HashBytes(b []byte) uint64 {
	h := uint64(len(b)) * hashMul
	for len(b) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(b), hashSeed)
		b = b[8:]
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	return mix(h^tail, uint64(len(b))+1)
}

func hashRecord(d Datum) uint64 {
	h := uint64(1)
	for _, f := range OpenRecord(d) {
		h = h * 31
		if !f.Value.Null {
			h += hash(f.Type, f.Value)
		}
	}
	return h
}

// hash gives equal values equal hashes, across the integer types, across the float types and across the text types too.
func hash(typ base.OID, d Datum) uint64 {
	switch typ {
	case OIDFloat4, OIDFloat8:
		f := d.Float()
		if f == 0 {
			return HashInt(0)
		}
		if f != f {
			return HashInt(int64(math.Float64bits(math.NaN())))
		}
		return HashInt(d.I)
	case OIDBPChar:
		return HashBytes(TrimBlanks(d.B))
	case OIDNumeric:
		return hashNumeric(OpenNum(d.B))
	case OIDInterval:
		days, micros := OpenInterval(d).span()
		return mix(uint64(days), uint64(micros))
	case OIDRecord:
		return hashRecord(d)
	case OIDJSONB:
		return hashJSONB(d.B)
	}
	info, ok := Lookup(typ)
	if ok && info.Fixed() {
		return HashInt(d.I)
	}
	if ok && (info.IsArray() || typ == OIDOIDVector || typ == OIDInt2Vector) {
		a := OpenArray(d)
		h := uint64(1)
		for i := range a.Len() {
			h = h * 31
			if e := a.At(i); !e.Null {
				h += hash(a.Elem, e)
			}
		}
		return h
	}
	if isRowOf(typ, d) {
		return hashRecord(d)
	}
	return HashBytes(d.B)
}

func hashNumeric(n Num) uint64 {
	if n.Kind != NumFinite {
		return HashInt(int64(n.Kind) << 40)
	}
	c, e := n.normalize()
	if c.Wide == nil {
		return mix(uint64(c.Small), uint64(e))
	}
	return mix(HashBytes(c.Wide.Bytes()), uint64(e)+uint64(c.Sign()))
}
