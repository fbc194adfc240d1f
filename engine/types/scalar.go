package types

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// viewString gives the bytes as a string without copying; the string lives as long as the bytes stay unchanged.
func viewString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// viewBytes is the opposite; the result must not be written to.
func viewBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func syntaxError(typ, s string) error {
	return pgerror.Newf(pgerror.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typ, s)
}

func rangeError(typ, s string) error {
	return pgerror.Newf(pgerror.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", s, typ)
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func trimSpace(s string) string {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// ParseInt reads a signed decimal of the given number of bits as int2in, int4in and int8in do.
func ParseInt(s string, bits int, typ string) (int64, error) {
	t := trimSpace(s)
	neg := false
	if len(t) > 0 && (t[0] == '-' || t[0] == '+') {
		neg = t[0] == '-'
		t = t[1:]
	}
	if len(t) == 0 {
		return 0, syntaxError(typ, s)
	}
	limit := uint64(1) << (bits - 1)
	if !neg {
		limit--
	}
	var v uint64
	overflow := false
	for i := range len(t) {
		c := t[i] - '0'
		if c > 9 {
			return 0, syntaxError(typ, s)
		}
		if overflow {
			continue
		}
		v = v*10 + uint64(c)
		overflow = v > limit
	}
	if overflow {
		return 0, rangeError(typ, s)
	}
	if neg {
		return -int64(v), nil
	}
	return int64(v), nil
}

func parseBool(s string) (Datum, error) {
	t := trimSpace(s)
	if len(t) == 1 {
		switch t[0] | 0x20 {
		case 't', 'y', '1':
			return Datum{I: 1}, nil
		case 'f', 'n', '0':
			return Datum{}, nil
		}
	}
	for _, w := range [...]string{"true", "yes", "on"} {
		if len(t) > 1 && len(t) <= len(w) && strings.EqualFold(w[:len(t)], t) {
			return Datum{I: 1}, nil
		}
	}
	for _, w := range [...]string{"false", "no", "off"} {
		if len(t) > 1 && len(t) <= len(w) && strings.EqualFold(w[:len(t)], t) {
			return Datum{}, nil
		}
	}
	return Null, syntaxError("boolean", s)
}

// ParseFloat reads a float4 (32 bits) or float8 as PostgreSQL does.
func ParseFloat(s string, bits int) (float64, error) {
	typ := "double precision"
	if bits == 32 {
		typ = "real"
	}
	t := trimSpace(s)
	if len(t) == 0 || strings.IndexByte(t, '_') >= 0 {
		return 0, syntaxError(typ, s)
	}
	f, err := strconv.ParseFloat(t, bits)
	if err != nil {
		if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
			return 0, pgerror.Newf(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type %s", t, typ)
		}
		return 0, syntaxError(typ, s)
	}
	if f == 0 && hasNonzeroDigit(t) {
		return 0, pgerror.Newf(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type %s", t, typ)
	}
	return f, nil
}

func hasNonzeroDigit(t string) bool {
	for i := range len(t) {
		switch {
		case t[i] >= '1' && t[i] <= '9':
			return true
		case t[i]|0x20 == 'e', t[i]|0x20 == 'x':
			return false
		}
	}
	return false
}

// AppendFloat prints a float of 32 or 64 bits: shortest round trip for extra above zero, else %g of the fewer digits.
func AppendFloat(dst []byte, f float64, bits, extra int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	limit, digits := 15, -1
	if bits == 32 {
		limit = 6
	}
	if extra <= 0 {
		digits = max(limit+extra, 1) - 1
		limit = digits + 1
	}
	var buf [40]byte
	b := strconv.AppendFloat(buf[:0], f, 'e', digits, bits)
	if b[0] == '-' {
		dst = append(dst, '-')
		b = b[1:]
	}
	e := 0
	for i := range b {
		if b[i] == 'e' {
			e = i
		}
	}
	exp, _ := strconv.Atoi(viewString(b[e+1:]))
	mant := b[:e]
	if len(mant) > 1 { // drop the point, then zeros that %g would not print
		copy(mant[1:], mant[2:])
		mant = mant[:len(mant)-1]
	}
	for len(mant) > 1 && mant[len(mant)-1] == '0' {
		mant = mant[:len(mant)-1]
	}
	return appendDecimal(dst, mant, exp, limit)
}

func appendDecimal(dst, mant []byte, exp, limit int) []byte {
	switch {
	case exp < -4 || exp >= limit:
		dst = append(dst, mant[0])
		if len(mant) > 1 {
			dst = append(append(dst, '.'), mant[1:]...)
		}
		dst = append(dst, 'e')
		if exp < 0 {
			dst, exp = append(dst, '-'), -exp
		} else {
			dst = append(dst, '+')
		}
		if exp < 10 {
			dst = append(dst, '0')
		}
		return strconv.AppendInt(dst, int64(exp), 10)
	case exp < 0:
		dst = append(dst, "0."...)
		for range -exp - 1 {
			dst = append(dst, '0')
		}
		return append(dst, mant...)
	case len(mant) <= exp+1:
		dst = append(dst, mant...)
		for range exp + 1 - len(mant) {
			dst = append(dst, '0')
		}
		return dst
	}
	dst = append(dst, mant[:exp+1]...)
	return append(append(dst, '.'), mant[exp+1:]...)
}

const hexDigits = "0123456789abcdef"

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// ParseHex reads pairs of hexadecimal digits, white space between pairs allowed.
func ParseHex(s string) ([]byte, error) {
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r' {
			i++
			continue
		}
		h := hexValue(s[i])
		if h < 0 {
			_, n := utf8.DecodeRuneInString(s[i:])
			return nil, pgerror.Newf(pgerror.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", s[i:i+n])
		}
		if i+1 >= len(s) {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		l := hexValue(s[i+1])
		if l < 0 {
			_, n := utf8.DecodeRuneInString(s[i+1:])
			return nil, pgerror.Newf(pgerror.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", s[i+1:i+1+n])
		}
		out = append(out, byte(h<<4|l))
		i += 2
	}
	return out, nil
}

// ParseByteaEscape reads bytea's traditional form.
func ParseByteaEscape(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		switch {
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && s[i+2] >= '0' && s[i+2] <= '7' && s[i+3] >= '0' && s[i+3] <= '7':
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		default:
			return nil, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return out, nil
}

func parseBytea(s string) (Datum, error) {
	var b []byte
	var err error
	if strings.HasPrefix(s, `\x`) {
		b, err = ParseHex(s[2:])
	} else {
		b, err = ParseByteaEscape(s)
	}
	if err != nil {
		return Null, err
	}
	return Datum{B: b}, nil
}

// AppendHex appends pairs of hexadecimal digits.
func AppendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// AppendByteaEscape appends bytea's traditional form.
func AppendByteaEscape(dst, b []byte) []byte {
	for _, c := range b {
		switch {
		case c == '\\':
			dst = append(dst, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func parseUUID(s string) (Datum, error) {
	bad := func() (Datum, error) { return Null, syntaxError("uuid", s) }
	t := s
	if strings.HasPrefix(t, "{") {
		if !strings.HasSuffix(t, "}") {
			return bad()
		}
		t = t[1 : len(t)-1]
	}
	out := make([]byte, 0, 16)
	for i := 0; i < len(t); {
		if len(out) == 16 || i+1 >= len(t) {
			return bad()
		}
		h, l := hexValue(t[i]), hexValue(t[i+1])
		if h < 0 || l < 0 {
			return bad()
		}
		out = append(out, byte(h<<4|l))
		i += 2
		if i < len(t) && t[i] == '-' && len(out)%2 == 0 && len(out) < 16 {
			i++
		}
	}
	if len(out) != 16 {
		return bad()
	}
	return Datum{B: out}, nil
}

func appendUUID(dst, b []byte) []byte {
	if len(b) != 16 {
		return AppendHex(dst, b)
	}
	dst = append(AppendHex(dst, b[:4]), '-')
	dst = append(AppendHex(dst, b[4:6]), '-')
	dst = append(AppendHex(dst, b[6:8]), '-')
	dst = append(AppendHex(dst, b[8:10]), '-')
	return AppendHex(dst, b[10:])
}

func parseTID(s string) (Datum, error) {
	t := s
	bad := func() (Datum, error) { return Null, syntaxError("tid", s) }
	if len(t) < 5 || t[0] != '(' || t[len(t)-1] != ')' {
		return bad()
	}
	block, offset, ok := strings.Cut(t[1:len(t)-1], ",")
	if !ok {
		return bad()
	}
	b, err := strconv.ParseInt(block, 10, 64)
	if err != nil || b < math.MinInt32 || b > math.MaxUint32 {
		return bad()
	}
	o, err := strconv.ParseUint(offset, 10, 16)
	if err != nil {
		return bad()
	}
	return Datum{I: int64(base.TID{Block: base.BlockNumber(uint32(b)), Offset: base.OffsetNumber(o)}.Pack())}, nil
}

// parseUnsigned reads an oid, xid or cid: decimal, and negatives of 32 bits wrap as strtoul's do.
func parseUnsigned(s, typ string, bits int) (Datum, error) {
	t := trimSpace(s)
	digits := strings.TrimLeft(t, "+-")
	if digits == "" || len(t)-len(digits) > 1 {
		return Null, syntaxError(typ, s)
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return Null, syntaxError(typ, s)
		}
	}
	v, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || bits == 32 && v > math.MaxUint32 {
		return Null, rangeError(typ, s)
	}
	if t[0] == '-' {
		if bits == 32 && v > 1<<31 {
			return Null, rangeError(typ, s)
		}
		v = -v
		if bits == 32 {
			v = uint64(uint32(v))
		}
	}
	return Datum{I: int64(v)}, nil
}

func parseLSN(s string) (Datum, error) {
	hi, lo, ok := strings.Cut(s, "/")
	if !ok || hi == "" || lo == "" || len(hi) > 8 || len(lo) > 8 {
		return Null, syntaxError("pg_lsn", s)
	}
	h, err := strconv.ParseUint(hi, 16, 32)
	if err != nil {
		return Null, syntaxError("pg_lsn", s)
	}
	l, err := strconv.ParseUint(lo, 16, 32)
	if err != nil {
		return Null, syntaxError("pg_lsn", s)
	}
	return Datum{I: int64(h<<32 | l)}, nil
}

// NameLimit is the longest name in bytes.
const NameLimit = 63

// TruncateName cuts a name at 63 bytes, at a character's boundary.
func TruncateName(s string) string {
	if len(s) <= NameLimit {
		return s
	}
	end := NameLimit
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
