package types

import (
	"manifold/engine/base"
	"math"
)

// Info is the facts of one built-in type. Len tells where a value lives: 1, 2, 4 or 8 for a type kept in Datum.I, -1 for
// one kept in Datum.B. (oid, xid and the reg types have Len 8 though PostgreSQL's typlen is 4, so that sign extension
// cannot harm them.) Typlen, ByVal, Align and Storage are what pg_type shows and mean nothing to this engine.
type Info struct {
	OID       base.OID
	Name      string // pg_type.typname
	SQLName   string // as format_type prints it
	Len       int16
	Typlen    int16
	ByVal     bool
	Align     byte
	Storage   byte
	Category  byte
	Preferred bool
	Kind      byte     // typtype: 'b', 'p', 'r' or 'm'
	Array     base.OID // the array type over this type, or zero
	Elem      base.OID // the element type, or zero
	Delim     byte
}

// Fixed tells whether values of the type are kept in Datum.I.
func (i *Info) Fixed() bool { return i.Len > 0 }

// IsArray tells whether the type is a true array: neither a fixed-length vector such as point nor name.
func (i *Info) IsArray() bool {
	return i.Elem != 0 && (i.Category == 'A' && i.OID != OIDInt2Vector && i.OID != OIDOIDVector || i.OID == OIDRecordArray)
}

// OIDs of the two vector types of the catalogs.
const (
	OIDInt2Vector base.OID = 22
	OIDOIDVector  base.OID = 30
)

const infoIndexSize = 6400

// infoIndex maps an OID to one plus its place in infoTable. It is filled once and only read after that.
var infoIndex = buildInfoIndex()

func buildInfoIndex() *[infoIndexSize]uint16 {
	var t [infoIndexSize]uint16
	for i := range infoTable {
		t[infoTable[i].OID] = uint16(i + 1)
	}
	return &t
}

// Lookup gives the facts of a built-in type, or nil and false for any other OID.
func Lookup(typ base.OID) (*Info, bool) {
	if typ < infoIndexSize {
		if i := infoIndex[typ]; i != 0 {
			return &infoTable[i-1], true
		}
	}
	return nil, false
}

// Len gives where values of the type live: 1, 2, 4 or 8 for Datum.I, -1 for Datum.B. A type that is not built in is an
// enum (8) only if the caller knows better; -1 is the answer here.
func Len(typ base.OID) int16 {
	if info, ok := Lookup(typ); ok {
		return info.Len
	}
	return -1
}

// ElemType gives the element type of a built-in array type or vector, or zero.
func ElemType(typ base.OID) base.OID {
	if info, ok := Lookup(typ); ok {
		return info.Elem
	}
	return 0
}

// ArrayType gives the array type over a built-in type, or zero.
func ArrayType(typ base.OID) base.OID {
	if info, ok := Lookup(typ); ok {
		return info.Array
	}
	return 0
}

// IntRange gives the bounds of an integer type; ok is false for others.
func IntRange(t base.OID) (lo, hi int64, ok bool) {
	switch t {
	case OIDInt2:
		return math.MinInt16, math.MaxInt16, true
	case OIDInt4:
		return math.MinInt32, math.MaxInt32, true
	case OIDInt8:
		return math.MinInt64, math.MaxInt64, true
	}
	return 0, 0, false
}

// Name gives the type's name as errors print it.
func Name(typ base.OID) string { return FormatType(typ, -1) }
