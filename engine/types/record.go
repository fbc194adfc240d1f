package types

import (
	"encoding/binary"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
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

// ParseRecord reads the text form of a row of known column types.
func ParseRecord(s string, columns []Field, env *Env) (Datum, error) {
	malformed := func(detail string) (Datum, error) {
		return Null, pgerror.Newf(pgerror.InvalidTextRepresentation, "malformed record literal: \"%s\"", s).WithDetail("%s", detail)
	}
	t := strings.TrimLeft(s, " \t\n\r\v\f")
	if t == "" || t[0] != '(' {
		return malformed("Missing left parenthesis.")
	}
	t = t[1:]
	out := make([]Field, len(columns))
	for i, col := range columns {
		out[i] = Field{Type: col.Type, Typmod: col.Typmod, Value: Null}
		if i > 0 {
			if t == "" || t[0] != ',' {
				return malformed("Too few columns.")
			}
			t = t[1:]
		}
		if t == "" {
			return malformed("Unexpected end of input.")
		}
		if t[0] == ',' || t[0] == ')' {
			continue
		}
		text, rest, ok := recordToken(t)
		if !ok {
			return malformed("Unexpected end of input.")
		}
		d, err := In(col.Type, col.Typmod, text, env)
		if err != nil {
			return Null, err
		}
		out[i].Value, t = d, rest
	}
	if t == "" || t[0] != ')' {
		return malformed("Too many columns.")
	}
	if trimSpace(t[1:]) != "" {
		return malformed("Junk after right parenthesis.")
	}
	return Datum{B: AppendRecord(nil, out)}, nil
}

// recordToken reads one column's text.
func recordToken(t string) (text, rest string, ok bool) {
	var b []byte
	quoted := false
	for i := 0; i < len(t); i++ {
		c := t[i]
		switch {
		case c == '\\':
			if i++; i >= len(t) {
				return "", "", false
			}
			b = append(b, t[i])
		case c == '"' && quoted && i+1 < len(t) && t[i+1] == '"':
			b = append(b, '"')
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ')'):
			return string(b), t[i:], true
		default:
			b = append(b, c)
		}
	}
	return "", "", false
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
