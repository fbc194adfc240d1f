package types

import (
	"encoding/binary"

	"manifold/engine/base"
)

// Field is one column of a row value.
type Field struct {
	Type   base.OID
	Typmod int32
	Value  Datum
}

// Flags beside the number of fields in a row value's first word.
const (
	recordTyped = 1 << 30 // the OID of the row type follows
	recordNamed = 1 << 31 // the names of the fields follow the fields
	recordCount = recordTyped - 1
)

// AppendRecord appends the stored form of an anonymous row value without names; README.md draws it.
func AppendRecord(dst []byte, fields []Field) []byte { return AppendRow(dst, 0, nil, fields) }

// AppendRow appends the stored form of a row value that knows its type or, when that is zero, its fields' names; nil is the
// names f1, f2 and so on.
func AppendRow(dst []byte, typ base.OID, names []string, fields []Field) []byte {
	switch {
	case typ != 0:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(fields))|recordTyped)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(typ))
	case names != nil:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(fields))|recordNamed)
	default:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(fields)))
	}
	dst = appendFields(dst, fields)
	if typ == 0 && names != nil {
		for i := range fields {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(names[i])))
			dst = append(dst, names[i]...)
		}
	}
	return dst
}

func appendFields(dst []byte, fields []Field) []byte {
	for _, f := range fields {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(f.Type))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(f.Typmod))
		switch {
		case f.Value.Null:
			dst = append(dst, 0xFF, 0xFF, 0xFF, 0xFF)
		case Len(f.Type) > 0:
			dst = append(dst, 8, 0, 0, 0)
			dst = binary.LittleEndian.AppendUint64(dst, uint64(f.Value.I))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.Value.B)))
			dst = append(dst, f.Value.B...)
		}
	}
	return dst
}

// OpenRecord takes a row value apart; the bytes alias d's. Columns that the row type had lost when the value was made are left out.
func OpenRecord(d Datum) []Field {
	all := AppendFields(nil, d)
	out := all[:0]
	for _, f := range all {
		if f.Type != 0 {
			out = append(out, f)
		}
	}
	return out
}

// LiveFields is OpenRecord by what the value's row type is now: without the columns that it has lost since, and with nulls for those
// that it has got.
func LiveFields(d Datum, env *Env) []Field {
	typ, _ := RowShape(d)
	shape, ok := env.ShapeOf(typ)
	if !ok || len(shape.Columns) == 0 {
		return OpenRecord(d)
	}
	all := AppendFields(nil, d)
	var out []Field
	for i, c := range shape.Columns {
		switch {
		case c.Type == 0:
		case i < len(all) && all[i].Type != 0:
			out = append(out, all[i])
		default:
			out = append(out, Field{Type: c.Type, Typmod: c.Typmod, Value: Null})
		}
	}
	return out
}

// AppendFields takes a row value apart into memory of the caller's. The field of attribute n of a row type stands in place n-1: a
// column that was dropped before has a field without a type, of the value null.
func AppendFields(fields []Field, d Datum) []Field {
	if len(d.B) < 4 {
		return fields
	}
	fields, _ = splitRecord(fields, d.B)
	return fields
}

// RowShape gives the row type of a row value, or zero, and the names of its fields, or nil.
func RowShape(d Datum) (typ base.OID, names []string) {
	if len(d.B) < 4 {
		return 0, nil
	}
	switch head := binary.LittleEndian.Uint32(d.B); {
	case head&recordTyped != 0 && len(d.B) >= 8:
		return base.OID(binary.LittleEndian.Uint32(d.B[4:])), nil
	case head&recordNamed != 0:
		fields, b := splitRecord(nil, d.B)
		for range fields {
			if len(b) < 4 {
				return 0, nil
			}
			n := int(binary.LittleEndian.Uint32(b))
			if n > len(b)-4 {
				return 0, nil
			}
			names = append(names, string(b[4:4+n]))
			b = b[4+n:]
		}
	}
	return 0, names
}

// isRowOf tells whether a value of a user's type is a row: such a value names its type.
func isRowOf(typ base.OID, d Datum) bool {
	if typ < base.FirstNormalOID || d.Null {
		return false
	}
	own, _ := RowShape(d)
	return own == typ
}

// splitRecord appends the fields of a stored row value and gives the bytes behind them.
func splitRecord(fields []Field, b []byte) ([]Field, []byte) {
	head := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if head&recordTyped != 0 && len(b) >= 4 {
		b = b[4:]
	}
	n := int(head & recordCount)
	if n > len(b)/12 {
		return fields, nil
	}
	for range n {
		if len(b) < 12 {
			break
		}
		f := Field{Type: base.OID(binary.LittleEndian.Uint32(b)), Typmod: int32(binary.LittleEndian.Uint32(b[4:]))}
		size := int32(binary.LittleEndian.Uint32(b[8:]))
		b = b[12:]
		switch {
		case size < 0:
			size, f.Value = 0, Null
		case int(size) > len(b):
			return fields, nil
		case Len(f.Type) > 0 && size == 8:
			f.Value = Datum{I: int64(binary.LittleEndian.Uint64(b))}
		default:
			f.Value = Datum{B: b[:size:size]}
		}
		fields = append(fields, f)
		b = b[size:]
	}
	return fields, b
}

func appendRecord(dst []byte, d Datum, env *Env) []byte {
	dst = append(dst, '(')
	var scratch []byte
	for i, f := range LiveFields(d, env) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if f.Value.Null {
			continue
		}
		scratch = appendText(scratch[:0], f.Type, f.Value, env)
		dst = appendRecordField(dst, scratch)
	}
	return append(dst, ')')
}

func appendRecordField(dst, text []byte) []byte {
	quote := len(text) == 0
	for _, c := range text {
		if c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || isSpace(c) {
			quote = true
			break
		}
	}
	if !quote {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func sendRecord(dst []byte, d Datum, env *Env) ([]byte, error) {
	fields := LiveFields(d, env)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(fields)))
	for _, f := range fields {
		dst = binary.BigEndian.AppendUint32(dst, uint32(f.Type))
		if f.Value.Null {
			dst = append(dst, 0xFF, 0xFF, 0xFF, 0xFF)
			continue
		}
		at := len(dst)
		var err error
		if dst, err = appendBinary(append(dst, 0, 0, 0, 0), f.Type, f.Value, env); err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, nil
}
