package builtins

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerUnicode(r registry) {
	form := func(name types.Datum) (norm.Form, error) {
		switch strings.ToUpper(str(name)) {
		case "NFC":
			return norm.NFC, nil
		case "NFD":
			return norm.NFD, nil
		case "NFKC":
			return norm.NFKC, nil
		case "NFKD":
			return norm.NFKD, nil
		}
		return 0, invalidParameter("invalid normalization form: %s", str(name))
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		f, err := form(a[1])
		if err != nil {
			return types.Null, err
		}
		return c.bytes(f.Bytes(a[0].B)), nil
	}, "unicode_normalize_func")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		f, err := form(a[1])
		return types.Bool(err == nil && f.IsNormal(a[0].B)), err
	}, "unicode_is_normalized")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		out, err := unescape(str(a[0]))
		return c.bytes(out), err
	}, "unistr")
}

// unescape replaces \XXXX, \+XXXXXX, \uXXXX and \UXXXXXXXX by their characters, and a doubled backslash by one.
func unescape(s string) ([]byte, error) {
	pair := pgerror.New(pgerror.SyntaxError, "invalid Unicode surrogate pair")
	var b []byte
	high := rune(0)
	for i := 0; i < len(s); {
		if s[i] != '\\' || strings.HasPrefix(s[i:], `\\`) {
			if high != 0 {
				return nil, pair
			}
			b = append(b, s[i])
			if s[i] == '\\' {
				i++
			}
			i++
			continue
		}
		skip, digits := 1, 4
		switch {
		case strings.HasPrefix(s[i:], `\+`):
			skip, digits = 2, 6
		case strings.HasPrefix(s[i:], `\u`):
			skip = 2
		case strings.HasPrefix(s[i:], `\U`):
			skip, digits = 2, 8
		}
		end := i + skip + digits
		var v uint64
		err := strconv.ErrSyntax
		if end <= len(s) && s[i+skip] != '+' && s[i+skip] != '-' {
			v, err = strconv.ParseUint(s[i+skip:end], 16, 32)
		}
		if err != nil {
			return nil, pgerror.New(pgerror.SyntaxError, "invalid Unicode escape").
				WithHint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
		}
		i = end
		if v == 0 || v > utf8.MaxRune {
			return nil, invalidParameter("invalid Unicode code point: %04X", v)
		}
		switch c := rune(v); {
		case high != 0:
			if c < 0xDC00 || c > 0xDFFF {
				return nil, pair
			}
			b = utf8.AppendRune(b, utf16.DecodeRune(high, c))
			high = 0
		case c >= 0xDC00 && c <= 0xDFFF:
			return nil, pair
		case utf16.IsSurrogate(c):
			high = c
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	if high != 0 {
		return nil, pair
	}
	return b, nil
}
