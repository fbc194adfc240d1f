package types

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// reader takes big-endian fields from the head of a message; after a short read failed is set and zeros come back.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) i32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) i64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func insufficientData() error {
	return pgerror.New(pgerror.ProtocolViolation, "insufficient data left in message")
}

func badBinary(what string) error {
	return pgerror.Newf(pgerror.InvalidBinaryRepresentation, "invalid %s", what)
}

// done refuses short and overlong values.
func (r *reader) done(d Datum) (Datum, error) {
	if r.failed {
		return Null, insufficientData()
	}
	if len(r.b) > 0 {
		return Null, pgerror.New(pgerror.InvalidBinaryRepresentation, "incorrect binary data format")
	}
	return d, nil
}

// wireWidth gives the bytes of a fixed-width type on the wire, or 0.
func wireWidth(typ base.OID) int {
	switch typ {
	case OIDBool, OIDChar:
		return 1
	case OIDInt2:
		return 2
	case OIDInt4, OIDFloat4, OIDDate, OIDOID, OIDXID, OIDCID:
		return 4
	case OIDInt8, OIDFloat8, OIDTime, OIDTimestamp, OIDTimestampTZ, OIDXID8, OIDPgLSN:
		return 8
	}
	if isReg(typ) {
		return 4
	}
	return 0
}

func recvType(typ base.OID, b []byte, env *Env) (Datum, error) {
	if w := wireWidth(typ); w != 0 {
		return recvFixed(typ, b, w)
	}
	r := reader{b: b}
	switch typ {
	case OIDText, OIDVarChar, OIDBPChar, OIDUnknown, OIDCString, OIDName, OIDRefCursor:
		if !utf8.Valid(b) {
			return Null, InvalidUTF8(b)
		}
		if i := strings.IndexByte(viewString(b), 0); i >= 0 {
			return Null, InvalidUTF8(b[i:])
		}
		if typ == OIDName && len(b) > NameLimit {
			return Null, pgerror.New(pgerror.NameTooLong, "identifier too long").
				WithDetail("Identifier must be less than %d characters.", NameLimit+1)
		}
		return Datum{B: b}, nil
	case OIDBytea:
		return Datum{B: b}, nil
	case OIDUUID:
		return r.done(Datum{B: r.take(16)})
	case OIDInet, OIDCIDR:
		return recvInet(b, typ == OIDCIDR)
	case OIDMacAddr:
		return r.done(Datum{B: r.take(6)})
	case OIDMacAddr8:
		return recvMacAddr8(b)
	case OIDPgSnapshot, OIDTXIDSnapshot:
		return recvSnapshot(&r)
	case OIDNumeric:
		return recvNumeric(b)
	case OIDInterval:
		iv := Interval{Micros: r.i64(), Days: r.i32(), Months: r.i32()}
		return r.done(iv.Datum())
	case OIDTimeTZ:
		t := TimeTZ{Micros: r.i64(), West: r.i32()}
		if !r.failed && (t.Micros < 0 || t.Micros > MicrosPerDay) {
			return Null, pgerror.New(pgerror.DatetimeFieldOverflow, "time out of range")
		}
		if !r.failed && (t.West <= -16*3600 || t.West >= 16*3600) {
			return Null, pgerror.New(pgerror.InvalidTimeZoneDisplacementValue, "time zone displacement out of range")
		}
		return r.done(t.Datum())
	case OIDTID:
		t := base.TID{Block: base.BlockNumber(uint32(r.i32())), Offset: base.OffsetNumber(r.u16())}
		return r.done(Datum{I: int64(t.Pack())})
	case OIDJSON:
		return parseJSON(viewString(b))
	case OIDJSONB:
		if len(b) == 0 {
			return Null, insufficientData()
		}
		if b[0] != 1 {
			return Null, pgerror.Newf(pgerror.InternalError, "unsupported jsonb version number %d", b[0])
		}
		return parseJSONB(viewString(b[1:]))
	case OIDJSONPath:
		if len(b) == 0 {
			return Null, insufficientData()
		}
		if b[0] != 1 {
			return Null, pgerror.Newf(pgerror.InternalError, "unsupported jsonpath version number: %d", b[0])
		}
		return parseJSONPath(viewString(b[1:]))
	case OIDVoid:
		return Datum{}, nil
	case OIDOIDVector, OIDInt2Vector:
		return recvVector(b, ElemType(typ), env)
	}
	if info, ok := Lookup(typ); ok && info.IsArray() {
		return recvArray(b, info.Elem, env)
	}
	return Null, pgerror.Newf(pgerror.UndefinedFunction, "no binary input function available for type %s", FormatType(typ, -1))
}

func recvVector(b []byte, elem base.OID, env *Env) (Datum, error) {
	d, err := recvArray(b, elem, env)
	if err != nil {
		return Null, err
	}
	a := OpenArray(d)
	if a.NDims > 1 || a.HasNulls() {
		return Null, badBinary("vector data")
	}
	return MakeVector(elem, a.Elems(nil)), nil
}

// InvalidUTF8 is the error for bytes that are not text, naming the first bad sequence.
func InvalidUTF8(b []byte) error {
	i := 0
	for i < len(b) && b[i] != 0 {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		i += n
	}
	var text []byte
	for k := i; k < len(b) && k < i+4; k++ {
		if k > i {
			if b[k]&0xC0 != 0x80 {
				break
			}
			text = append(text, ' ')
		}
		text = append(text, '0', 'x', hexDigits[b[k]>>4], hexDigits[b[k]&15])
	}
	return pgerror.Newf(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", text)
}

func recvFixed(typ base.OID, b []byte, w int) (Datum, error) {
	if len(b) != w {
		if len(b) < w {
			return Null, insufficientData()
		}
		return Null, pgerror.New(pgerror.InvalidBinaryRepresentation, "incorrect binary data format")
	}
	switch typ {
	case OIDBool:
		return Bool(b[0] != 0), nil
	case OIDChar:
		return Datum{I: int64(int8(b[0]))}, nil
	case OIDInt2:
		return Datum{I: int64(int16(binary.BigEndian.Uint16(b)))}, nil
	case OIDInt4:
		return Datum{I: int64(int32(binary.BigEndian.Uint32(b)))}, nil
	case OIDFloat4:
		return Float(float64(math.Float32frombits(binary.BigEndian.Uint32(b)))), nil
	case OIDDate:
		v := int64(int32(binary.BigEndian.Uint32(b)))
		if v != DateInfinity && v != DateNegInfinity && !DateInRange(v) {
			return Null, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range")
		}
		return Datum{I: v}, nil
	case OIDTime:
		v := int64(binary.BigEndian.Uint64(b))
		if v < 0 || v > MicrosPerDay {
			return Null, pgerror.New(pgerror.DatetimeFieldOverflow, "time out of range")
		}
		return Datum{I: v}, nil
	case OIDTimestamp, OIDTimestampTZ:
		v := int64(binary.BigEndian.Uint64(b))
		if TimestampFinite(v) && !TimestampInRange(v) {
			return Null, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range")
		}
		return Datum{I: v}, nil
	}
	if w == 4 {
		return Datum{I: int64(binary.BigEndian.Uint32(b))}, nil
	}
	return Datum{I: int64(binary.BigEndian.Uint64(b))}, nil
}

func appendBinary(dst []byte, typ base.OID, d Datum, env *Env) ([]byte, error) {
	switch wireWidth(typ) {
	case 1:
		return append(dst, byte(d.I)), nil
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(d.I)), nil
	case 4:
		if typ == OIDFloat4 {
			if d.Float() != d.Float() {
				return binary.BigEndian.AppendUint32(dst, 0x7FC0<<16), nil
			}
			return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(d.Float()))), nil
		}
		return binary.BigEndian.AppendUint32(dst, uint32(d.I)), nil
	case 8:
		if typ == OIDFloat8 && d.Float() != d.Float() {
			return binary.BigEndian.AppendUint64(dst, 0x7FF8<<48), nil
		}
		return binary.BigEndian.AppendUint64(dst, uint64(d.I)), nil
	}
	switch typ {
	case OIDText, OIDVarChar, OIDBPChar, OIDUnknown, OIDCString, OIDName, OIDRefCursor, OIDBytea, OIDUUID, OIDMacAddr, OIDMacAddr8, OIDJSON, OIDPgNodeTree:
		return append(dst, d.B...), nil
	case OIDInet, OIDCIDR:
		return sendInet(dst, d, typ == OIDCIDR), nil
	case OIDPgSnapshot, OIDTXIDSnapshot:
		return sendSnapshot(dst, d), nil
	case OIDVoid:
		return dst, nil
	case OIDNumeric:
		return sendNumeric(dst, OpenNum(d.B)), nil
	case OIDInterval:
		iv := OpenInterval(d)
		dst = binary.BigEndian.AppendUint64(dst, uint64(iv.Micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(iv.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(iv.Months)), nil
	case OIDTimeTZ:
		t := OpenTimeTZ(d)
		dst = binary.BigEndian.AppendUint64(dst, uint64(t.Micros))
		return binary.BigEndian.AppendUint32(dst, uint32(t.West)), nil
	case OIDTID:
		t := base.UnpackTID(uint64(d.I))
		dst = binary.BigEndian.AppendUint32(dst, uint32(t.Block))
		return binary.BigEndian.AppendUint16(dst, uint16(t.Offset)), nil
	case OIDJSONB, OIDJSONPath:
		return appendJSONB(append(dst, 1), d.B), nil
	case OIDRecord:
		return sendRecord(dst, d, env)
	case OIDOIDVector, OIDInt2Vector:
		return sendArray(dst, d, env)
	}
	if info, ok := Lookup(typ); ok && info.IsArray() {
		return sendArray(dst, d, env)
	}
	if typ >= base.FirstNormalOID && d.B != nil {
		return sendRecord(dst, d, env) // as in text: the row type of a table
	}
	return nil, pgerror.Newf(pgerror.UndefinedFunction, "no binary output function available for type %s", FormatType(typ, -1))
}

// Signs of numeric on the wire.
const (
	wireNeg    = 0x4000
	wireNaN    = 0xC000
	wireInf    = 0xD000
	wireNegInf = 0xF000

	wireInfScale = 0x20 // what PostgreSQL sends as the scale of an infinity
)

func recvNumeric(b []byte) (Datum, error) {
	r := reader{b: b}
	n := int(r.u16())
	weight := int(int16(r.u16()))
	sign := r.u16()
	scale := int(r.u16())
	if r.failed {
		return Null, insufficientData()
	}
	switch sign {
	case wireNaN:
		return r.done(Num{Kind: NumNaN}.Datum())
	case wireInf:
		return r.done(Num{Kind: NumInf}.Datum())
	case wireNegInf:
		return r.done(Num{Kind: NumNegInf}.Datum())
	case 0, wireNeg:
	default:
		return Null, badBinary("sign in external \"numeric\" value")
	}
	if scale > NumMaxScale {
		return Null, badBinary("scale in external \"numeric\" value")
	}
	if 2*n > len(r.b) {
		return Null, insufficientData()
	}
	text := make([]byte, 0, 4*n+1)
	text = append(text, '0')
	for range n {
		d := int(r.u16())
		if d > 9999 {
			return Null, badBinary("digit in external \"numeric\" value")
		}
		text = append(text, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
	}
	c, ok := new(big.Int).SetString(viewString(text), 10)
	if !ok {
		return Null, badBinary("digit in external \"numeric\" value")
	}
	if sign == wireNeg {
		c.Neg(c)
	}
	have := 4 * (n - weight - 1) // the scale that the digits imply
	num := Num{Wide: c}
	if c.Sign() == 0 {
		num = Num{}
		have = 0
	}
	if have < 0 {
		num.Wide = new(big.Int).Mul(c, bigPow10(-have))
		have = 0
	}
	num.Scale = int32(have)
	num = num.Trunc(scale)
	return r.done(num.Datum())
}

func sendNumeric(dst []byte, n Num) []byte {
	head := func(digits, weight int, sign uint16, scale int) {
		dst = binary.BigEndian.AppendUint16(dst, uint16(digits))
		dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
		dst = binary.BigEndian.AppendUint16(dst, sign)
		dst = binary.BigEndian.AppendUint16(dst, uint16(scale))
	}
	switch n.Kind {
	case NumNaN:
		head(0, 0, wireNaN, 0)
		return dst
	case NumInf:
		head(0, 0, wireInf, wireInfScale)
		return dst
	case NumNegInf:
		head(0, 0, wireNegInf, wireInfScale)
		return dst
	}
	sign := uint16(0)
	if n.Sign() < 0 {
		sign = wireNeg
	}
	text := n.Abs().AppendText(make([]byte, 0, 32))
	whole, frac, _ := strings.Cut(viewString(text), ".")
	whole = strings.TrimLeft(whole, "0")
	pad := (4 - len(whole)%4) % 4
	digits := strings.Repeat("0", pad) + whole
	weight := len(digits)/4 - 1
	digits += frac + strings.Repeat("0", (4-len(frac)%4)%4)
	for len(digits) > 0 && digits[:4] == "0000" {
		digits = digits[4:]
		weight--
	}
	for len(digits) > 0 && digits[len(digits)-4:] == "0000" {
		digits = digits[:len(digits)-4]
	}
	if len(digits) == 0 {
		weight = 0
	}
	head(len(digits)/4, weight, sign, int(n.Scale))
	for i := 0; i < len(digits); i += 4 {
		v := int(digits[i]-'0')*1000 + int(digits[i+1]-'0')*100 + int(digits[i+2]-'0')*10 + int(digits[i+3]-'0')
		dst = binary.BigEndian.AppendUint16(dst, uint16(v))
	}
	return dst
}
