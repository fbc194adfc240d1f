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

// AppendRecord appends the stored form of a row value; README.md draws it.
func AppendRecord(dst []byte, fields []Field) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(fields)))
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

// OpenRecord takes a row value apart; the bytes alias d's.
func OpenRecord(d Datum) []Field { return AppendFields(nil, d) }

// AppendFields is OpenRecord over memory of the caller's.
func AppendFields(fields []Field, d Datum) []Field {
	if len(d.B) < 4 {
		return fields
	}
	n := int(binary.LittleEndian.Uint32(d.B))
	b := d.B[4:]
	if n > len(b)/12 {
		return fields
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
			return fields
		case Len(f.Type) > 0 && size == 8:
			f.Value = Datum{I: int64(binary.LittleEndian.Uint64(b))}
		default:
			f.Value = Datum{B: b[:size:size]}
		}
		fields = append(fields, f)
		b = b[size:]
	}
	return fields
}

func appendRecord(dst []byte, d Datum, env *Env) []byte {
	dst = append(dst, '(')
	var scratch []byte
	for i, f := range OpenRecord(d) {
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
	fields := OpenRecord(d)
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
