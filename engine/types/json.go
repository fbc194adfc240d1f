package types

import (
	"bytes"
	"sort"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"manifold/engine/pgerror"
)

// JSONKind is the kind of a JSON value.
type JSONKind uint8

// The kinds in jsonb's order.
const (
	JSONNull JSONKind = iota
	JSONString
	JSONNumber
	JSONBool
	JSONArray
	JSONObject
)

// JSON is a parsed JSON value. An object's members are sorted by length of key, then bytes, and unique, as jsonb keeps
// them.
type JSON struct {
	Kind   JSONKind
	Bool   bool
	Str    string
	Num    Num
	Elems  []JSON
	Keys   []string
	Values []JSON
	Raw    string // the value as it was written; ParseJSON alone fills it
}

const maxJSONDepth = 6400

// jsonParser checks JSON, and builds a value when build is set.
type jsonParser struct {
	s     string
	i     int
	build bool
	depth int
	jsonb bool
}

func (p *jsonParser) space() byte {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *jsonParser) fail(detail string) error {
	return pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type json").WithDetail("%s", detail).
		WithWhere("%s", p.context())
}

// context quotes the line up to where the parser stands, as PostgreSQL does.
func (p *jsonParser) context() string {
	line, start := 1, 0
	for k := range min(p.i, len(p.s)) {
		if p.s[k] == '\n' {
			line, start = line+1, k+1
		}
	}
	end := min(p.i, len(p.s))
	prefix := ""
	if end-start > 50 {
		prefix, start = "...", end-50
		for start < end && !utf8.RuneStart(p.s[start]) {
			start++
		}
	}
	suffix := ""
	if end < len(p.s) && p.s[end] != '\n' && p.s[end] != '\r' {
		suffix = "..."
	}
	return "JSON data, line " + strconv.Itoa(line) + ": " + prefix + p.s[start:end] + suffix
}

// token gives the word at the parser's place for a message and moves behind it.
func (p *jsonParser) token() string {
	start := p.i
	for p.i < len(p.s) && (isAlpha(p.s[p.i]) || isDigit(p.s[p.i]) || p.s[p.i] == '_' || p.s[p.i] >= 0x80 || p.s[p.i] == '-' || p.s[p.i] == '+' || p.s[p.i] == '.') {
		p.i++
	}
	if p.i == start && p.i < len(p.s) {
		_, n := utf8.DecodeRuneInString(p.s[p.i:])
		p.i += n
	}
	return p.s[start:p.i]
}

func (p *jsonParser) unexpected(wanted string) error {
	if p.i >= len(p.s) {
		return p.fail("The input string ended unexpectedly.")
	}
	t := p.token()
	if wanted == "" || isAlpha(t[0]) && t != "true" && t != "false" && t != "null" {
		return p.fail("Token \"" + t + "\" is invalid.")
	}
	return p.fail("Expected " + wanted + ", but found \"" + t + "\".")
}

func (p *jsonParser) document() (JSON, error) {
	v, err := p.value("JSON value")
	if err != nil {
		return v, err
	}
	if p.space() != 0 || p.i < len(p.s) {
		return v, p.unexpected("end of input")
	}
	return v, nil
}

func (p *jsonParser) value(wanted string) (JSON, error) {
	if !p.build || p.jsonb {
		return p.parse(wanted)
	}
	p.space()
	start := p.i
	v, err := p.parse(wanted)
	v.Raw = p.s[start:p.i]
	return v, err
}

func (p *jsonParser) parse(wanted string) (JSON, error) {
	switch c := p.space(); {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		s, err := p.str()
		return JSON{Kind: JSONString, Str: s}, err
	case c == '-' || isDigit(c):
		return p.number()
	case isAlpha(c):
		return p.literal(wanted)
	}
	return JSON{}, p.unexpected(wanted)
}

func (p *jsonParser) literal(wanted string) (JSON, error) {
	start := p.i
	switch t := p.token(); t {
	case "true", "false":
		return JSON{Kind: JSONBool, Bool: t == "true"}, nil
	case "null":
		return JSON{}, nil
	}
	p.i = start
	return JSON{}, p.unexpected(wanted)
}

func (p *jsonParser) enter() error {
	if p.depth++; p.depth > maxJSONDepth {
		return tooDeepJSON()
	}
	return nil
}

func (p *jsonParser) array() (JSON, error) {
	v := JSON{Kind: JSONArray}
	if err := p.enter(); err != nil {
		return v, err
	}
	p.i++
	if p.space() == ']' {
		p.i++
		p.depth--
		return v, nil
	}
	const wanted = "JSON value"
	for {
		e, err := p.value(wanted)
		if err != nil {
			return v, err
		}
		if p.build {
			v.Elems = append(v.Elems, e)
		}
		switch p.space() {
		case ',':
			p.i++
		case ']':
			p.i++
			p.depth--
			return v, nil
		default:
			return v, p.unexpected("\",\" or \"]\"")
		}
	}
}

func (p *jsonParser) object() (JSON, error) {
	v := JSON{Kind: JSONObject}
	if err := p.enter(); err != nil {
		return v, err
	}
	p.i++
	wanted := "string or \"}\""
	if p.space() == '}' {
		p.i++
		p.depth--
		return v, nil
	}
	for {
		if p.space() != '"' {
			return v, p.unexpected(wanted)
		}
		key, err := p.str()
		if err != nil {
			return v, err
		}
		if p.space() != ':' {
			return v, p.unexpected("\":\"")
		}
		p.i++
		e, err := p.value("JSON value")
		if err != nil {
			return v, err
		}
		if p.build {
			v.Keys, v.Values = append(v.Keys, key), append(v.Values, e)
		}
		switch p.space() {
		case ',':
			p.i++
			wanted = "string"
		case '}':
			p.i++
			p.depth--
			if p.jsonb {
				v.SortKeys()
			}
			return v, nil
		default:
			return v, p.unexpected("\",\" or \"}\"")
		}
	}
}

// SortKeys puts an object's members in jsonb's order; the last of equal keys stays.
func (v *JSON) SortKeys() {
	idx := make([]int, len(v.Keys))
	for i := range idx {
		idx[i] = i
	}
	sort.SliceStable(idx, func(a, b int) bool { return compareKeys(v.Keys[idx[a]], v.Keys[idx[b]]) < 0 })
	keys, values := make([]string, 0, len(idx)), make([]JSON, 0, len(idx))
	for n, i := range idx {
		if n+1 < len(idx) && v.Keys[idx[n+1]] == v.Keys[i] {
			continue
		}
		keys, values = append(keys, v.Keys[i]), append(values, v.Values[i])
	}
	v.Keys, v.Values = keys, values
}

func compareKeys(a, b string) int {
	if c := len(a) - len(b); c != 0 {
		return c
	}
	return bytes.Compare(viewBytes(a), viewBytes(b))
}

func (p *jsonParser) number() (JSON, error) {
	start := p.i
	bad := func() (JSON, error) {
		p.i = start
		t := p.token()
		return JSON{}, p.fail("Token \"" + t + "\" is invalid.")
	}
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && isDigit(p.s[p.i]) {
			p.i++
		}
		return p.i > from
	}
	if p.s[p.i] == '-' {
		p.i++
	}
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	from := p.i
	if !digits() || zero && p.i > from+1 {
		return bad()
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		if p.i++; !digits() {
			return bad()
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !digits() {
			return bad()
		}
	}
	if p.i < len(p.s) && (isAlpha(p.s[p.i]) || p.s[p.i] == '.' || p.s[p.i] == '_') {
		return bad()
	}
	v := JSON{Kind: JSONNumber, Str: p.s[start:p.i]}
	if p.jsonb {
		n, err := ParseNum(v.Str)
		if err != nil {
			return v, err
		}
		v.Num = n
	}
	return v, nil
}

func (p *jsonParser) str() (string, error) {
	p.i++
	start := p.i
	var b []byte
	escaped := false
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			end := p.i
			p.i++
			if !escaped {
				return p.s[start:end], nil
			}
			return string(b), nil
		case c < 0x20:
			p.i = min(p.i+1, len(p.s))
			return "", p.fail("Character with value 0x" + string([]byte{hexDigits[c>>4], hexDigits[c&15]}) + " must be escaped.")
		case c == '\\':
			if !escaped {
				b = append(b, p.s[start:p.i]...)
				escaped = true
			}
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
		default:
			if escaped {
				b = append(b, c)
			}
			p.i++
		}
	}
	p.i = start - 1
	t := p.s[p.i:]
	p.i = len(p.s)
	return "", p.fail("Token \"" + t + "\" is invalid.")
}

// escape reads one escape sequence.
func (p *jsonParser) escape(b []byte) ([]byte, error) {
	p.i++
	if p.i >= len(p.s) {
		return b, p.fail("The input string ended unexpectedly.")
	}
	c := p.s[p.i]
	p.i++
	if control := controlEscape(c); control != 0 {
		return append(b, control), nil
	}
	switch c {
	case '"', '\\', '/':
		return append(b, c), nil
	case 'u':
		return p.unicode(b)
	}
	_, n := utf8.DecodeRuneInString(p.s[p.i-1:])
	seq := p.s[p.i-1 : p.i-1+n]
	p.i += n - 1
	return b, p.fail("Escape sequence \"\\" + seq + "\" is invalid.")
}

// controlEscape gives the control character that a letter behind a backslash stands for; zero for none.
func controlEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

func (p *jsonParser) hex4() (rune, error) {
	if p.i+4 > len(p.s) {
		p.i = len(p.s)
		return 0, p.fail("\"\\u\" must be followed by four hexadecimal digits.")
	}
	var r rune
	for range 4 {
		h := hexValue(p.s[p.i])
		if h < 0 {
			return 0, p.fail("\"\\u\" must be followed by four hexadecimal digits.")
		}
		r = r<<4 | rune(h)
		p.i++
	}
	return r, nil
}

func (p *jsonParser) unicode(b []byte) ([]byte, error) {
	r, err := p.hex4()
	if err != nil {
		return b, err
	}
	if r == 0 {
		if !p.build {
			return b, nil
		}
		return b, pgerror.New(pgerror.UntranslatableCharacter, "unsupported Unicode escape sequence").
			WithDetail("\\u0000 cannot be converted to text.").WithWhere("%s", p.context())
	}
	if utf16.IsSurrogate(r) {
		if r >= 0xDC00 {
			return b, p.fail("Unicode low surrogate must follow a high surrogate.")
		}
		if p.i+1 >= len(p.s) || p.s[p.i] != '\\' || p.s[p.i+1] != 'u' {
			return b, p.fail("Unicode low surrogate must follow a high surrogate.")
		}
		p.i += 2
		low, err := p.hex4()
		if err != nil {
			return b, err
		}
		if low < 0xDC00 || low > 0xDFFF {
			return b, p.fail("Unicode low surrogate must follow a high surrogate.")
		}
		r = utf16.DecodeRune(r, low)
	}
	return utf8.AppendRune(b, r), nil
}

func parseJSON(s string) (Datum, error) {
	p := jsonParser{s: s}
	if _, err := p.document(); err != nil {
		return Null, err
	}
	return Datum{B: viewBytes(s)}, nil
}

// ParseJSON parses json text, keeping the order and repetition of keys and the spelling of numbers (in Str).
func ParseJSON(s string) (JSON, error) {
	p := jsonParser{s: s, build: true}
	return p.document()
}

// ParseJSONB parses as jsonb does: keys sorted and unique, numbers as numeric.
func ParseJSONB(s string) (JSON, error) {
	p := jsonParser{s: s, build: true, jsonb: true}
	return p.document()
}

// parseJSONB stores jsonb as its canonical text.
func parseJSONB(s string) (Datum, error) {
	v, err := ParseJSONB(s)
	if err != nil {
		return Null, err
	}
	return Datum{B: v.AppendJSONB(make([]byte, 0, len(s)+8))}, nil
}

func appendJSONB(dst, b []byte) []byte { return append(dst, b...) }

// AppendJSONB appends the canonical text of a value, which is jsonb's stored form and its text form.
func (v *JSON) AppendJSONB(dst []byte) []byte {
	switch v.Kind {
	case JSONBool:
		return strconv.AppendBool(dst, v.Bool)
	case JSONString:
		return AppendJSONString(dst, v.Str)
	case JSONNumber:
		return v.Num.AppendText(dst)
	case JSONArray:
		dst = append(dst, '[')
		for i := range v.Elems {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = v.Elems[i].AppendJSONB(dst)
		}
		return append(dst, ']')
	case JSONObject:
		dst = append(dst, '{')
		for i := range v.Keys {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(AppendJSONString(dst, v.Keys[i]), ": "...)
			dst = v.Values[i].AppendJSONB(dst)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

// AppendJSONString appends a quoted and escaped string.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// OpenJSONB parses a stored jsonb.
func OpenJSONB(b []byte) JSON {
	v, err := ParseJSONB(viewString(b))
	if err != nil {
		return JSON{}
	}
	return v
}

func compareJSONB(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	x, y := OpenJSONB(a), OpenJSONB(b)
	return x.Cmp(&y)
}

// rank orders kinds: Object > Array > Boolean > Number > String > Null; an empty array on top is below everything.
func (v *JSON) rank() int {
	if v.Kind == JSONArray && len(v.Elems) == 0 {
		return -1
	}
	return int(v.Kind)
}

// Cmp orders values as jsonb does.
func (v *JSON) Cmp(o *JSON) int {
	if c := v.rank() - o.rank(); c != 0 {
		return c
	}
	return v.cmp(o)
}

func (v *JSON) cmp(o *JSON) int {
	if c := int(v.Kind) - int(o.Kind); c != 0 {
		return c
	}
	switch v.Kind {
	case JSONBool:
		return cmpInt(Bool(v.Bool).I, Bool(o.Bool).I)
	case JSONString:
		return bytes.Compare(viewBytes(v.Str), viewBytes(o.Str))
	case JSONNumber:
		return v.Num.Cmp(o.Num)
	case JSONArray:
		if c := len(v.Elems) - len(o.Elems); c != 0 {
			return c
		}
		for i := range v.Elems {
			if c := v.Elems[i].cmp(&o.Elems[i]); c != 0 {
				return c
			}
		}
	case JSONObject:
		if c := len(v.Keys) - len(o.Keys); c != 0 {
			return c
		}
		for i := range v.Keys {
			if c := bytes.Compare(viewBytes(v.Keys[i]), viewBytes(o.Keys[i])); c != 0 {
				return c
			}
			if c := v.Values[i].cmp(&o.Values[i]); c != 0 {
				return c
			}
		}
	}
	return 0
}

func hashJSONB(b []byte) uint64 {
	v := OpenJSONB(b)
	return v.hash()
}

func (v *JSON) hash() uint64 {
	h := uint64(v.Kind) + 1
	switch v.Kind {
	case JSONBool:
		h = mix(h, uint64(Bool(v.Bool).I))
	case JSONString:
		h = mix(h, HashBytes(viewBytes(v.Str)))
	case JSONNumber:
		h = mix(h, hashNumeric(v.Num))
	case JSONArray:
		for i := range v.Elems {
			h = mix(h, v.Elems[i].hash())
		}
	case JSONObject:
		for i := range v.Keys {
			h = mix(h, HashBytes(viewBytes(v.Keys[i])))
			h = mix(h, v.Values[i].hash())
		}
	}
	return h
}

// CheckDepth fails with 54001 when a value is nested deeper than any that may be read.
func (v *JSON) CheckDepth() error { return v.checkDepth(1) }

func (v *JSON) checkDepth(depth int) error {
	if v.Kind < JSONArray {
		return nil
	}
	if depth > maxJSONDepth {
		return tooDeepJSON()
	}
	for i := range v.Elems {
		if err := v.Elems[i].checkDepth(depth + 1); err != nil {
			return err
		}
	}
	for i := range v.Values {
		if err := v.Values[i].checkDepth(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func tooDeepJSON() error {
	return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
		WithHint("JSON values may be nested at most %d deep.", maxJSONDepth)
}
