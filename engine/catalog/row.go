package catalog

import (
	"manifold/engine/base"
	"manifold/engine/types"
)

// Row is one row of a catalog with readers by attribute number (the Col constants of package bootstrap). Readers give zero
// values for nulls.
type Row []types.Datum

// OID reads an OID or reg column.
func (r Row) OID(col int) base.OID {
	if r[col-1].Null {
		return 0
	}
	return base.OID(uint32(r[col-1].I))
}

// Int reads an integer column.
func (r Row) Int(col int) int64 {
	if r[col-1].Null {
		return 0
	}
	return r[col-1].I
}

// Bool reads a boolean column.
func (r Row) Bool(col int) bool { return r[col-1].True() }

// Byte reads a "char" column.
func (r Row) Byte(col int) byte {
	if r[col-1].Null {
		return 0
	}
	return byte(r[col-1].I)
}

// Float reads a float column.
func (r Row) Float(col int) float64 {
	if r[col-1].Null {
		return 0
	}
	return r[col-1].Float()
}

// Text reads a name or text column.
func (r Row) Text(col int) string { return string(r[col-1].B) }

// Null tells whether the column is null.
func (r Row) Null(col int) bool { return r[col-1].Null }

// OIDs reads an oidvector or oid[] column; nil for null.
func (r Row) OIDs(col int) []base.OID {
	if r[col-1].Null {
		return nil
	}
	a := types.OpenArray(r[col-1])
	out := make([]base.OID, a.Len())
	for i := range out {
		out[i] = base.OID(uint32(a.At(i).I))
	}
	return out
}

// Ints reads an int2vector or int2[] column; nil for null.
func (r Row) Ints(col int) []int16 {
	if r[col-1].Null {
		return nil
	}
	a := types.OpenArray(r[col-1])
	out := make([]int16, a.Len())
	for i := range out {
		out[i] = int16(a.At(i).I)
	}
	return out
}

// Bytes reads a "char"[] column; nil for null.
func (r Row) Bytes(col int) []byte {
	if r[col-1].Null {
		return nil
	}
	a := types.OpenArray(r[col-1])
	out := make([]byte, a.Len())
	for i := range out {
		out[i] = byte(a.At(i).I)
	}
	return out
}

// Texts reads a text[] or name[] column; nil for null.
func (r Row) Texts(col int) []string {
	if r[col-1].Null {
		return nil
	}
	a := types.OpenArray(r[col-1])
	out := make([]string, a.Len())
	for i := range out {
		out[i] = string(a.At(i).B)
	}
	return out
}

// Clone copies the row so that it outlives the scan.
func (r Row) Clone() Row {
	out := make(Row, len(r))
	for i := range r {
		out[i] = r[i].Clone()
	}
	return out
}
