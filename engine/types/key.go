package types

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// Markers in front of each value of a key; README.md draws the format.
const (
	keyNullFirst = 0x00
	keyValue     = 0x01
	keyNullLast  = 0x02
)

func appendKey(dst []byte, typ base.OID, d Datum, descending, nullsFirst bool) ([]byte, error) {
	if d.Null {
		if nullsFirst {
			return append(dst, keyNullFirst), nil
		}
		return append(dst, keyNullLast), nil
	}
	dst = append(dst, keyValue)
	at := len(dst)
	dst, err := appendKeyValue(dst, typ, d)
	if err != nil {
		return nil, err
	}
	if descending {
		for i := at; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst, nil
}

// keyWidth gives the bytes of a fixed-width integer key and whether it is signed; zero for other types.
func keyWidth(typ base.OID) (width int, signed bool) {
	switch typ {
	case OIDBool, OIDChar:
		return 1, false
	case OIDInt2:
		return 2, true
	case OIDInt4, OIDDate:
		return 4, true
	case OIDOID, OIDCID:
		return 4, false
	case OIDInt8, OIDTime, OIDTimestamp, OIDTimestampTZ, OIDMoney:
		return 8, true
	case OIDXID, OIDXID8, OIDPgLSN:
		return 8, false
	case OIDTID:
		return 6, false
	}
	if isReg(typ) {
		return 4, false
	}
	return 0, false
}

func appendKeyValue(dst []byte, typ base.OID, d Datum) ([]byte, error) {
	if w, signed := keyWidth(typ); w != 0 {
		v := uint64(d.I)
		if signed {
			v ^= 1 << (8*w - 1)
		}
		switch w {
		case 1:
			return append(dst, byte(v)), nil
		case 2:
			return binary.BigEndian.AppendUint16(dst, uint16(v)), nil
		case 4:
			return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
		case 6:
			return append(dst, byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v)), nil
		}
		return binary.BigEndian.AppendUint64(dst, v), nil
	}
	switch typ {
	case OIDText, OIDVarChar, OIDName:
		return appendKeyText(dst, d.B)
	case OIDBPChar:
		return appendKeyText(dst, TrimBlanks(d.B))
	case OIDBytea:
		return appendKeyBytes(dst, d.B), nil
	case OIDUUID, OIDMacAddr, OIDMacAddr8:
		return append(dst, d.B...), nil
	case OIDInet, OIDCIDR:
		return appendKeyInet(dst, d), nil
	case OIDFloat4, OIDFloat8:
		return binary.BigEndian.AppendUint64(dst, floatKey(d.Float())), nil
	case OIDNumeric:
		return appendKeyNumeric(dst, OpenNum(d.B)), nil
	case OIDInterval:
		days, micros := OpenInterval(d).span()
		dst = binary.BigEndian.AppendUint64(dst, uint64(days)^1<<63)
		return binary.BigEndian.AppendUint64(dst, uint64(micros)), nil
	case OIDTimeTZ:
		t := OpenTimeTZ(d)
		dst = binary.BigEndian.AppendUint64(dst, uint64(t.Micros+int64(t.West)*MicrosPerSecond)^1<<63)
		return binary.BigEndian.AppendUint32(dst, uint32(t.West)^1<<31), nil
	case OIDOIDVector:
		a := OpenArray(d)
		dst = binary.BigEndian.AppendUint32(dst, uint32(a.Len()))
		for i := range a.Len() {
			dst = binary.BigEndian.AppendUint32(dst, uint32(a.At(i).I))
		}
		return dst, nil
	case OIDRecord:
		return appendKeyRecord(dst, d)
	case OIDJSONB:
		v := OpenJSONB(d.B)
		return appendKeyJSON(dst, &v, true)
	}
	if info, ok := Lookup(typ); ok && (info.IsArray() || typ == OIDInt2Vector) {
		return appendKeyArray(dst, d)
	}
	if isRowOf(typ, d) {
		return appendKeyRecord(dst, d)
	}
	return nil, pgerror.Unsupported("index key of type %s", FormatType(typ, -1))
}

// appendKeyText ends the text with a zero byte, which text cannot hold.
func appendKeyText(dst, b []byte) ([]byte, error) {
	if bytes.IndexByte(b, 0) >= 0 {
		return nil, InvalidUTF8([]byte{0})
	}
	return append(append(dst, b...), 0), nil
}

// appendKeyBytes writes a zero byte as 00 FF and the end as 00 01.
func appendKeyBytes(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(append(dst, b...), 0, 1)
		}
		dst = append(append(dst, b[:i]...), 0, 0xFF)
		b = b[i+1:]
	}
}

// floatKey gives bits that order as floats do, NaN last and -0 as 0.
func floatKey(f float64) uint64 {
	if f != f {
		return math.MaxUint64
	}
	if f == 0 {
		return 1 << 63
	}
	v := math.Float64bits(f)
	if v>>63 != 0 {
		return ^v
	}
	return v | 1<<63
}

// Classes of numeric keys.
const (
	keyNumNegInf = iota + 1
	keyNumNeg
	keyNumZero
	keyNumPos
	keyNumInf
	keyNumNaN
)

// appendKeyNumeric writes class, decimal exponent and digits in pairs, all but the class inverted for negatives.
func appendKeyNumeric(dst []byte, n Num) []byte {
	switch n.Kind {
	case NumNaN:
		return append(dst, keyNumNaN)
	case NumInf:
		return append(dst, keyNumInf)
	case NumNegInf:
		return append(dst, keyNumNegInf)
	}
	sign := n.Sign()
	if sign == 0 {
		return append(dst, keyNumZero)
	}
	var buf [24]byte
	var text []byte
	if n.Wide != nil {
		text = n.Abs().coef().Append(nil, 10)
	} else {
		text = strconv.AppendUint(buf[:0], uint64(max(n.Small, -n.Small)), 10)
	}
	exp := len(text) - 1 - int(n.Scale)
	for len(text) > 1 && text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if sign > 0 {
		dst = append(dst, keyNumPos)
	} else {
		dst = append(dst, keyNumNeg)
	}
	at := len(dst)
	e := uint32(exp + 1<<20)
	dst = append(dst, byte(e>>16), byte(e>>8), byte(e))
	for i := 0; i < len(text); i += 2 {
		v := (text[i] - '0') * 10
		if i+1 < len(text) {
			v += text[i+1] - '0'
		}
		dst = append(dst, v+1)
	}
	dst = append(dst, 0)
	if sign < 0 {
		for i := at; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// appendKeyArray writes elements, each with a marker, a terminator below all markers, then the shape.
func appendKeyArray(dst []byte, d Datum) ([]byte, error) {
	a := OpenArray(d)
	var err error
	for i := range a.Len() {
		if dst, err = appendKeyElem(dst, a.Elem, a.At(i)); err != nil {
			return nil, err
		}
	}
	dst = append(dst, 0, byte(a.NDims))
	for _, dim := range a.Shape() {
		dst = binary.BigEndian.AppendUint32(dst, uint32(dim.Len))
	}
	for _, dim := range a.Shape() {
		dst = binary.BigEndian.AppendUint32(dst, uint32(dim.Lower)^1<<31)
	}
	return dst, nil
}

func appendKeyElem(dst []byte, typ base.OID, d Datum) ([]byte, error) {
	if d.Null {
		return append(dst, keyNullLast), nil
	}
	return appendKeyValue(append(dst, keyValue), typ, d)
}

func appendKeyRecord(dst []byte, d Datum) ([]byte, error) {
	var err error
	for _, f := range OpenRecord(d) {
		if dst, err = appendKeyElem(dst, f.Type, f.Value); err != nil {
			return nil, err
		}
	}
	return append(dst, 0), nil
}

func keyExact(typ base.OID) bool {
	if w, _ := keyWidth(typ); w != 0 {
		return true
	}
	switch typ {
	case OIDText, OIDVarChar, OIDName, OIDBytea, OIDUUID, OIDTimeTZ, OIDOIDVector, OIDInet, OIDCIDR, OIDMacAddr, OIDMacAddr8:
		return true
	}
	return false
}

func corruptKey() error {
	return pgerror.New(pgerror.IndexCorrupted, "index key ends inside a value")
}

func decodeKey(key []byte, typ base.OID, descending, nullsFirst bool) (Datum, []byte, error) {
	if len(key) == 0 {
		return Null, nil, corruptKey()
	}
	switch {
	case key[0] == keyNullFirst && nullsFirst || key[0] == keyNullLast && !nullsFirst:
		return Null, key[1:], nil
	case key[0] != keyValue:
		return Null, nil, pgerror.Newf(pgerror.IndexCorrupted, "index key begins with byte %d", key[0])
	}
	key = key[1:]
	if w, signed := keyWidth(typ); w != 0 {
		return decodeKeyInt(key, typ, w, signed, descending)
	}
	switch typ {
	case OIDText, OIDVarChar, OIDName:
		return decodeKeyText(key, descending)
	case OIDBytea:
		return decodeKeyBytes(key, descending)
	case OIDUUID, OIDTimeTZ, OIDMacAddr, OIDMacAddr8:
		return decodeKeyFixed(key, typ, descending)
	case OIDInet, OIDCIDR:
		return decodeKeyInet(key, descending)
	case OIDOIDVector:
		return decodeKeyOIDVector(key, descending)
	}
	return Null, nil, pgerror.Newf(pgerror.InternalError, "index keys of type %s cannot be decoded", FormatType(typ, -1))
}

func decodeKeyInt(key []byte, typ base.OID, w int, signed, descending bool) (Datum, []byte, error) {
	if len(key) < w {
		return Null, nil, corruptKey()
	}
	var v uint64
	for _, c := range key[:w] {
		v = v<<8 | uint64(c)
	}
	if descending {
		v = ^v << (64 - 8*w) >> (64 - 8*w)
	}
	if signed {
		v ^= 1 << (8*w - 1)
		shift := 64 - 8*w
		return Datum{I: int64(v<<shift) >> shift}, key[w:], nil
	}
	if typ == OIDChar {
		return Datum{I: int64(int8(v))}, key[w:], nil
	}
	return Datum{I: int64(v)}, key[w:], nil
}

// decodeKeyText aliases the key when it ascends.
func decodeKeyText(key []byte, descending bool) (Datum, []byte, error) {
	end := byte(0)
	if descending {
		end = 0xFF
	}
	i := bytes.IndexByte(key, end)
	if i < 0 {
		return Null, nil, corruptKey()
	}
	if !descending {
		return Datum{B: key[:i:i]}, key[i+1:], nil
	}
	return Datum{B: invert(key[:i])}, key[i+1:], nil
}

func invert(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = ^c
	}
	return out
}

func decodeKeyBytes(key []byte, descending bool) (Datum, []byte, error) {
	flip := byte(0)
	if descending {
		flip = 0xFF
	}
	out := make([]byte, 0, 32)
	for i := 0; i < len(key); i++ {
		c := key[i] ^ flip
		if c != 0 {
			out = append(out, c)
			continue
		}
		if i+1 >= len(key) {
			break
		}
		i++
		switch key[i] ^ flip {
		case 1:
			return Datum{B: out}, key[i+1:], nil
		case 0xFF:
			out = append(out, 0)
		default:
			return Null, nil, pgerror.New(pgerror.IndexCorrupted, "index key holds a bad escape")
		}
	}
	return Null, nil, corruptKey()
}

func decodeKeyFixed(key []byte, typ base.OID, descending bool) (Datum, []byte, error) {
	w := 16
	switch typ {
	case OIDTimeTZ:
		w = 12
	case OIDMacAddr:
		w = 6
	case OIDMacAddr8:
		w = 8
	}
	if len(key) < w {
		return Null, nil, corruptKey()
	}
	b := key[:w:w]
	if descending {
		b = invert(b)
	}
	if typ != OIDTimeTZ {
		return Datum{B: b}, key[w:], nil
	}
	west := int32(binary.BigEndian.Uint32(b[8:]) ^ 1<<31)
	utc := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	return TimeTZ{Micros: utc - int64(west)*MicrosPerSecond, West: west}.Datum(), key[w:], nil
}

func decodeKeyOIDVector(key []byte, descending bool) (Datum, []byte, error) {
	flip := uint32(0)
	if descending {
		flip = math.MaxUint32
	}
	if len(key) < 4 {
		return Null, nil, corruptKey()
	}
	n := int(binary.BigEndian.Uint32(key) ^ flip)
	key = key[4:]
	if n > len(key)/4 {
		return Null, nil, corruptKey()
	}
	elems := make([]Datum, n)
	for i := range elems {
		elems[i].I = int64(binary.BigEndian.Uint32(key[4*i:]) ^ flip)
	}
	return MakeVector(OIDOID, elems), key[4*n:], nil
}
