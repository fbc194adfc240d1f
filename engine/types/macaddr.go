package types

import (
	"strconv"
	"strings"

	"manifold/engine/pgerror"
)

// parseMacAddr reads six octets in any of PostgreSQL's forms: pairs of digits with colons or hyphens, two or three groups, or
// digits alone.
func parseMacAddr(s string) (Datum, error) {
	bad := syntaxError("macaddr", s)
	t := strings.TrimRight(s, " \t\n\r\v\f")
	t = strings.TrimLeft(t, " \t\n\r\v\f")
	for _, sep := range []string{":", "-", "."} {
		parts := strings.Split(t, sep)
		switch {
		case len(parts) == 6 && sep != ".":
			return macOctets(s, parts, bad)
		case len(parts) == 2 && sep != "." && len(parts[0]) == 6 && len(parts[1]) == 6,
			len(parts) == 3 && sep != ":" && len(parts[0]) == 4 && len(parts[1]) == 4 && len(parts[2]) == 4:
			t = strings.Join(parts, "")
		}
	}
	if len(t) != 12 {
		return Null, bad
	}
	parts := make([]string, 6)
	for i := range parts {
		parts[i] = t[2*i : 2*i+2]
	}
	return macOctets(s, parts, bad)
}

func macOctets(s string, parts []string, bad error) (Datum, error) {
	out := make([]byte, 6)
	for i, p := range parts {
		if p == "" || strings.TrimLeft(p, "0123456789abcdefABCDEF") != "" || len(p) > 8 {
			return Null, bad
		}
		v, err := strconv.ParseUint(p, 16, 32)
		if err != nil {
			return Null, bad
		}
		if v > 255 {
			return Null, pgerror.Newf(pgerror.NumericValueOutOfRange, "invalid octet value in \"macaddr\" value: \"%s\"", s)
		}
		out[i] = byte(v)
	}
	return Datum{B: out}, nil
}

func appendMacAddr(dst, b []byte) []byte {
	for i := range b {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = AppendHex(dst, b[i:i+1])
	}
	return dst
}

// parseMacAddr8 reads eight octets, or six, which get FF FE in their middle: pairs of digits, with one kind of separator
// between any of them.
func parseMacAddr8(s string) (Datum, error) {
	bad := syntaxError("macaddr8", s)
	t := strings.Trim(s, " \t\n\r\v\f")
	out := make([]byte, 0, 8)
	separator := byte(0)
	for i := 0; i < len(t); i += 2 {
		if c := t[i]; i > 0 && (c == ':' || c == '-' || c == '.') {
			if separator != 0 && c != separator {
				return Null, bad
			}
			separator = c
			i++
		}
		if i+1 >= len(t) || len(out) == 8 {
			return Null, bad
		}
		h, l := hexValue(t[i]), hexValue(t[i+1])
		if h < 0 || l < 0 {
			return Null, bad
		}
		out = append(out, byte(h<<4|l))
	}
	switch len(out) {
	case 6:
		return Datum{B: WidenMacAddr(out)}, nil
	case 8:
		return Datum{B: out}, nil
	}
	return Null, bad
}

// WidenMacAddr makes a macaddr8 of a macaddr.
func WidenMacAddr(b []byte) []byte {
	return []byte{b[0], b[1], b[2], 0xFF, 0xFE, b[3], b[4], b[5]}
}

func recvMacAddr8(b []byte) (Datum, error) {
	r := reader{b: b}
	if len(b) == 6 {
		return Datum{B: WidenMacAddr(b)}, nil
	}
	return r.done(Datum{B: r.take(8)})
}
