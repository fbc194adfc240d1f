package builtins

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// Collations whose character classes end with ASCII.
const (
	collationC     base.OID = 950
	collationPosix base.OID = 951
)

// maxText bounds the results of functions that multiply text.
const maxText = 1<<30 - 5

func tooLarge() error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "requested length too large")
}

func chars(b []byte) int64 { return int64(utf8.RuneCount(b)) }

// charOffset gives the byte offset behind the first n characters.
func charOffset(b []byte, n int64) int {
	if n >= int64(len(b)) {
		return len(b)
	}
	i := 0
	for ; n > 0 && i < len(b); n-- {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRune(b[i:])
		i += size
	}
	return i
}

func registerText(r registry) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Int(chars(a[0].B)), nil }, "textlen")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Int(chars(types.TrimBlanks(a[0].B))), nil
	}, "bpcharlen")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Int(int64(len(a[0].B))), nil },
		"textoctetlen", "bpcharoctetlen", "byteaoctetlen")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Int(8 * int64(len(a[0].B))), nil }, "sql:1810", "sql:1811")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.concat(a[0].B, a[1].B), nil }, "textcat", "byteacat")
	mapped := func(name string, f func(string) string) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.text(f(str(a[0]))), nil }, name)
	}
	cased := func(name string, full, ascii func(string) string) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			if c.Collation == collationC || c.Collation == collationPosix {
				return c.text(ascii(str(a[0]))), nil
			}
			return c.text(full(str(a[0]))), nil
		}, name)
	}
	cased("lower", func(s string) string { return strings.Map(unicode.ToLower, s) }, asciiLower)
	cased("upper", func(s string) string { return strings.Map(unicode.ToUpper, s) }, asciiUpper)
	cased("initcap", initcap, func(s string) string { return initcap(asciiLower(s)) })
	mapped("text_reverse", reverse)
	mapped("quote_ident", QuoteIdent)
	mapped("quote_literal", QuoteLiteral)
	r.add(substr, "text_substr", "text_substr_no_len")
	r.add(byteaSubstr, "bytea_substr", "bytea_substr_no_len")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		i := bytes.Index(a[0].B, a[1].B)
		return types.Int(int64(utf8.RuneCount(a[0].B[:max(i, 0)])) + bit(i >= 0)), nil
	}, "textpos")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Int(int64(bytes.Index(a[0].B, a[1].B) + 1)), nil
	}, "byteapos")
	registerTrim(r)
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return pad(c, a, true) }, "lpad", "sql:879")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return pad(c, a, false) }, "rpad", "sql:880")
	r.add(repeat, "repeat")
	r.add(replace, "replace_text")
	r.add(translate, "translate")
	r.add(splitPart, "split_part")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		b, n := a[0].B, a[1].I
		if n < 0 {
			n = max(chars(b)+n, 0)
		}
		return types.Datum{B: b[:charOffset(b, n)]}, nil
	}, "text_left")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		b, n := a[0].B, a[1].I
		if n < 0 {
			n = -n
		} else {
			n = max(chars(b)-n, 0)
		}
		return types.Datum{B: b[charOffset(b, n):]}, nil
	}, "text_right")
	r.add(chr, "chr")
	r.add(ascii, "ascii")
	r.add(overlay, "textoverlay", "textoverlay_no_len")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(bytes.HasPrefix(a[0].B, a[1].B)), nil
	}, "text_starts_with")
	r.add(quoteNullable, "quote_nullable")
	r.add(concat, "text_concat")
	r.add(concatWS, "text_concat_ws")
	r.add(format, "text_format", "text_format_nv")
	r.add(anyText, "sql:1285", "sql:1290", "sql:2003", "sql:2004")
}

// anyText is the built-ins over any type that PostgreSQL writes in SQL, told apart by their argument types and results.
func anyText(c *Context, a []types.Datum) (types.Datum, error) {
	if len(a) == 2 {
		return c.concat(c.cast(0, a[0]), c.cast(1, a[1])), nil
	}
	if a[0].Null {
		return c.text("NULL"), nil
	}
	return c.text(QuoteLiteral(string(c.cast(0, a[0])))), nil
}

// cast is output as a cast to text prints: a boolean in full, an address with its length.
func (c *Context) cast(i int, d types.Datum) []byte {
	if i < len(c.ArgTypes) {
		switch c.ArgTypes[i] {
		case types.OIDBool:
			return strconv.AppendBool(nil, d.True())
		case types.OIDInet:
			return types.AppendInet(nil, d, true)
		}
	}
	return c.output(i, d)
}

// output prints argument i as text; text stays as it is.
func (c *Context) output(i int, d types.Datum) []byte {
	if i >= len(c.ArgTypes) {
		return d.B
	}
	switch t := c.ArgTypes[i]; t {
	case types.OIDText, types.OIDVarChar, types.OIDUnknown:
		return d.B
	default:
		return types.AppendText(nil, t, d, c.Env)
	}
}

func (c *Context) concat(a, b []byte) types.Datum {
	out := c.Grab(len(a) + len(b))
	copy(out[copy(out, a):], b)
	return types.Datum{B: out}
}

// asciiLower is the C collation's: letters beyond ASCII stay.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

func asciiUpper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

func initcap(s string) string {
	start := true
	return strings.Map(func(c rune) rune {
		if start {
			c = unicode.ToUpper(c)
		} else {
			c = unicode.ToLower(c)
		}
		start = !unicode.IsLetter(c) && !unicode.IsDigit(c)
		return c
	}, s)
}

func reverse(s string) string {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		_, n := utf8.DecodeLastRuneInString(s)
		out = append(out, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return string(out)
}

func negativeLength() error {
	return pgerror.New(pgerror.SubstringError, "negative substring length not allowed")
}

// span gives the zero-based limits that substr's arguments mean.
func span(a []types.Datum) (from, to int64, err error) {
	from, to = a[1].I-1, 1<<62
	if len(a) > 2 {
		if a[2].I < 0 {
			return 0, 0, negativeLength()
		}
		to = from + a[2].I
	}
	return max(from, 0), max(to, 0), nil
}

func substr(_ *Context, a []types.Datum) (types.Datum, error) {
	from, to, err := span(a)
	if err != nil {
		return types.Null, err
	}
	b := a[0].B[charOffset(a[0].B, from):]
	return types.Datum{B: b[:charOffset(b, to-from)]}, nil
}

func byteaSubstr(_ *Context, a []types.Datum) (types.Datum, error) {
	from, to, err := span(a)
	if err != nil {
		return types.Null, err
	}
	n := int64(len(a[0].B))
	from, to = min(from, n), min(to, n)
	return types.Datum{B: a[0].B[from:max(from, to)]}, nil
}

func registerTrim(r registry) {
	set := func(a []types.Datum) string {
		if len(a) > 1 {
			return str(a[1])
		}
		return " "
	}
	left := func(b []byte, cut string) []byte {
		for len(b) > 0 {
			ch, n := utf8.DecodeRune(b)
			if !strings.ContainsRune(cut, ch) {
				break
			}
			b = b[n:]
		}
		return b
	}
	right := func(b []byte, cut string) []byte {
		for len(b) > 0 {
			ch, n := utf8.DecodeLastRune(b)
			if !strings.ContainsRune(cut, ch) {
				break
			}
			b = b[:len(b)-n]
		}
		return b
	}
	trim := func(l, rt bool, names ...string) {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			b, cut := a[0].B, set(a)
			if l {
				b = left(b, cut)
			}
			if rt {
				b = right(b, cut)
			}
			return types.Datum{B: b}, nil
		}, names...)
	}
	trim(true, true, "btrim", "btrim1")
	trim(true, false, "ltrim", "ltrim1")
	trim(false, true, "rtrim")
	byteTrim := func(l, rt bool, name string) {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			b := a[0].B
			for l && len(b) > 0 && bytes.IndexByte(a[1].B, b[0]) >= 0 {
				b = b[1:]
			}
			for rt && len(b) > 0 && bytes.IndexByte(a[1].B, b[len(b)-1]) >= 0 {
				b = b[:len(b)-1]
			}
			return types.Datum{B: b}, nil
		}, name)
	}
	byteTrim(true, true, "byteatrim")
	byteTrim(true, false, "bytealtrim")
	byteTrim(false, true, "byteartrim")
}

func pad(c *Context, a []types.Datum, left bool) (types.Datum, error) {
	fill := []byte(" ")
	if len(a) > 2 {
		fill = a[2].B
	}
	want := max(a[1].I, 0)
	if want > maxText/4 {
		return types.Null, tooLarge()
	}
	have := chars(a[0].B)
	if have >= want || len(fill) == 0 {
		return types.Datum{B: a[0].B[:charOffset(a[0].B, want)]}, nil
	}
	per := chars(fill)
	missing := want - have
	padding := bytes.Repeat(fill, int(missing/per))
	padding = append(padding, fill[:charOffset(fill, missing%per)]...)
	if left {
		return c.concat(padding, a[0].B), nil
	}
	return c.concat(a[0].B, padding), nil
}

func repeat(c *Context, a []types.Datum) (types.Datum, error) {
	n := max(a[1].I, 0)
	if len(a[0].B) > 0 && n > maxText/int64(len(a[0].B)) {
		return types.Null, tooLarge()
	}
	out := c.Grab(len(a[0].B) * int(n))
	for i := 0; i < len(out); i += len(a[0].B) {
		copy(out[i:], a[0].B)
	}
	return types.Datum{B: out}, nil
}

func replace(c *Context, a []types.Datum) (types.Datum, error) {
	if len(a[1].B) == 0 || !bytes.Contains(a[0].B, a[1].B) {
		return a[0], nil
	}
	return types.Datum{B: bytes.ReplaceAll(a[0].B, a[1].B, a[2].B)}, nil
}

func translate(c *Context, a []types.Datum) (types.Datum, error) {
	from, to := []rune(str(a[1])), []rune(str(a[2]))
	out := make([]byte, 0, len(a[0].B))
	for _, ch := range str(a[0]) {
		at := -1
		for i, f := range from {
			if f == ch {
				at = i
				break
			}
		}
		switch {
		case at < 0:
			out = utf8.AppendRune(out, ch)
		case at < len(to):
			out = utf8.AppendRune(out, to[at])
		}
	}
	return types.Datum{B: out}, nil
}

func splitPart(_ *Context, a []types.Datum) (types.Datum, error) {
	n := a[2].I
	if n == 0 {
		return types.Null, invalidParameter("field position must not be zero")
	}
	empty := types.Datum{B: []byte{}}
	if len(a[0].B) == 0 {
		return empty, nil
	}
	if len(a[1].B) == 0 {
		if n == 1 || n == -1 {
			return a[0], nil
		}
		return empty, nil
	}
	parts := bytes.Split(a[0].B, a[1].B)
	if n < 0 {
		n += int64(len(parts)) + 1
	}
	if n < 1 || n > int64(len(parts)) {
		return empty, nil
	}
	return types.Datum{B: parts[n-1]}, nil
}

func chr(c *Context, a []types.Datum) (types.Datum, error) {
	v := a[0].I
	switch {
	case v < 0:
		return types.Null, pgerror.New(pgerror.ProgramLimitExceeded, "character number must be positive")
	case v == 0:
		return types.Null, pgerror.New(pgerror.ProgramLimitExceeded, "null character not permitted")
	case v > unicode.MaxRune:
		return types.Null, pgerror.Newf(pgerror.ProgramLimitExceeded, "requested character too large for encoding: %d", v)
	case v >= 0xD800 && v <= 0xDFFF:
		return types.Null, pgerror.Newf(pgerror.ProgramLimitExceeded, "requested character not valid for encoding: %d", v)
	}
	return c.stored(func(b []byte) []byte { return utf8.AppendRune(b, rune(v)) }), nil
}

func ascii(_ *Context, a []types.Datum) (types.Datum, error) {
	if len(a[0].B) == 0 {
		return types.Int(0), nil
	}
	ch, _ := utf8.DecodeRune(a[0].B)
	return types.Int(int64(ch)), nil
}

func overlay(c *Context, a []types.Datum) (types.Datum, error) {
	n := chars(a[1].B)
	if len(a) > 3 {
		n = a[3].I
	}
	if a[2].I <= 0 {
		return types.Null, negativeLength()
	}
	b := a[0].B
	from := charOffset(b, a[2].I-1)
	to := charOffset(b, max(a[2].I-1+n, 0))
	head := c.concat(b[:from], a[1].B)
	return c.concat(head.B, b[min(to, len(b)):]), nil
}

// reserved holds the key words that quote_ident quotes: all but the unreserved ones.
const reserved = ` all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
 cast char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date
 current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else end
 except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in initially
 inner inout int integer intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp
 national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay
 placing position precision primary real references returning right row select session_user setof similar smallint some
 substring symmetric table tablesample then time timestamp to trailing treat trim true union unique user using values varchar
 variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi
 xmlroot xmlserialize xmltable `

// QuoteIdent quotes an identifier if it needs it.
func QuoteIdent(s string) string {
	safe := s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for i := 0; safe && i < len(s); i++ {
		c := s[i]
		safe = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
	}
	if safe && !strings.Contains(strings.ReplaceAll(reserved, "\n", " "), " "+s+" ") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// QuoteLiteral quotes a string constant, as an escape string when it holds backslashes.
func QuoteLiteral(s string) string {
	prefix := ""
	if strings.Contains(s, `\`) {
		prefix = "E"
		s = strings.ReplaceAll(s, `\`, `\\`)
	}
	return prefix + "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func quoteNullable(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return c.text("NULL"), nil
	}
	return c.text(QuoteLiteral(str(a[0]))), nil
}

func concat(c *Context, a []types.Datum) (types.Datum, error) {
	return joinArgs(c, a, 0, "")
}

func concatWS(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, nil
	}
	return joinArgs(c, a, 1, str(a[0]))
}

func joinArgs(c *Context, a []types.Datum, from int, sep string) (types.Datum, error) {
	var out []byte
	first := true
	for i := from; i < len(a); i++ {
		if a[i].Null {
			continue
		}
		if !first {
			out = append(out, sep...)
		}
		first = false
		out = append(out, c.output(i, a[i])...)
	}
	return c.bytes(out), nil
}

// formatSpec is one conversion of format().
type formatSpec struct {
	arg, widthArg int // -1: the next argument; widthArg 0: none
	width         int
	minus         bool
	verb          byte
}

func format(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, nil
	}
	f := str(a[0])
	var out []byte
	next := 1
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			out = append(out, f[i])
			continue
		}
		if i++; i < len(f) && f[i] == '%' {
			out = append(out, '%')
			continue
		}
		spec, end, err := parseFormatSpec(f, i)
		if err != nil {
			return types.Null, err
		}
		i = end
		if spec.widthArg != 0 {
			if spec.widthArg < 0 {
				spec.widthArg = next
				next++
			}
			if spec.widthArg >= len(a) {
				return types.Null, invalidParameter("too few arguments for format()")
			}
			next = spec.widthArg + 1
			if !a[spec.widthArg].Null {
				w, err := types.ParseInt(string(c.output(spec.widthArg, a[spec.widthArg])), 32, "integer")
				if err != nil {
					return types.Null, err
				}
				spec.width = int(w)
			}
		}
		if spec.arg < 0 {
			spec.arg = next
		}
		next = spec.arg + 1
		if spec.arg >= len(a) {
			return types.Null, invalidParameter("too few arguments for format()")
		}
		if out, err = appendFormatted(c, out, spec, a[spec.arg]); err != nil {
			return types.Null, err
		}
	}
	return c.bytes(out), nil
}

func parseFormatSpec(f string, i int) (formatSpec, int, error) {
	s := formatSpec{arg: -1}
	short := func() (formatSpec, int, error) {
		return s, i, invalidParameter("unterminated format() type specifier").WithHint("For a single \"%%\" use \"%%%%\".")
	}
	number := func() int {
		n := -1
		for i < len(f) && f[i] >= '0' && f[i] <= '9' {
			n = min(max(n, 0)*10+int(f[i]-'0'), 1<<30)
			i++
		}
		return n
	}
	n := number()
	if n >= 0 && i < len(f) && f[i] == '$' {
		if n == 0 {
			return s, i, invalidParameter("format specifies argument 0, but arguments are numbered from 1")
		}
		s.arg = n
		i++
		n = -1
	}
	if n < 0 {
		for i < len(f) && f[i] == '-' {
			s.minus = true
			i++
		}
		if i < len(f) && f[i] == '*' {
			i++
			s.widthArg = -1
			if w := number(); w >= 0 {
				if i >= len(f) {
					return short()
				}
				if f[i] != '$' {
					return s, i, invalidParameter("width argument position must be ended by \"$\"")
				}
				if w == 0 {
					return s, i, invalidParameter("format specifies argument 0, but arguments are numbered from 1")
				}
				s.widthArg = w
				i++
			}
		} else {
			n = number()
		}
	}
	s.width = max(n, 0)
	if i >= len(f) {
		return short()
	}
	s.verb = f[i]
	if s.verb != 's' && s.verb != 'I' && s.verb != 'L' {
		_, size := utf8.DecodeRuneInString(f[i:])
		return s, i, invalidParameter("unrecognized format() type specifier \"%s\"", f[i:i+size]).
			WithHint("For a single \"%%\" use \"%%%%\".")
	}
	return s, i, nil
}

func appendFormatted(c *Context, out []byte, s formatSpec, d types.Datum) ([]byte, error) {
	var text string
	switch {
	case d.Null && s.verb == 'I':
		return nil, pgerror.New(pgerror.NullValueNotAllowed, "null values cannot be formatted as an SQL identifier")
	case d.Null && s.verb == 'L':
		text = "NULL"
	case d.Null:
	default:
		text = string(c.output(s.arg, d))
		if s.verb == 'I' {
			text = QuoteIdent(text)
		} else if s.verb == 'L' {
			text = QuoteLiteral(text)
		}
	}
	if s.width < 0 {
		s.minus, s.width = true, -s.width
	}
	if s.width > maxText/4 {
		return nil, tooLarge()
	}
	gap := max(s.width-utf8.RuneCountInString(text), 0)
	if s.minus {
		return append(append(out, text...), strings.Repeat(" ", gap)...), nil
	}
	return append(append(out, strings.Repeat(" ", gap)...), text...), nil
}
