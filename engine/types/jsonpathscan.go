package types

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"manifold/engine/pgerror"
)

// pathTokenKind is the kind of a token of a jsonpath: a character of punctuation stands for itself.
type pathTokenKind int

const (
	tokenEnd pathTokenKind = 256 + iota
	tokenWord
	tokenString
	tokenVariable
	tokenNumber
	tokenInteger
	tokenAnd
	tokenOr
	tokenNotEqual
	tokenEqual
	tokenLessOrEqual
	tokenGreaterOrEqual
	tokenAnyLevel
)

// pathToken is a token; lexeme is what PostgreSQL's messages quote when it stands where it must not.
type pathToken struct {
	kind   pathTokenKind
	text   string
	lexeme string
}

// pathScanner takes a jsonpath apart.
type pathScanner struct {
	s string
	i int
}

const pathSpecial = "?%$.[]{}()|&!=<>@#,*:-+/"

func pathBlank(c byte) bool { return strings.IndexByte(" \t\n\r\f", c) >= 0 }

func pathOther(c byte) bool {
	return !pathBlank(c) && c != '\\' && c != '"' && strings.IndexByte(pathSpecial, c) < 0
}

func pathSyntax(message, lexeme string) *pgerror.Error {
	if lexeme == "" {
		return pgerror.Newf(pgerror.SyntaxError, "%s at end of jsonpath input", message)
	}
	return pgerror.Newf(pgerror.SyntaxError, "%s at or near \"%s\" of jsonpath input", message, lexeme)
}

func (p *pathScanner) peek(k int) byte {
	if p.i+k < len(p.s) {
		return p.s[p.i+k]
	}
	return 0
}

func (p *pathScanner) next() (pathToken, error) {
	if err := p.skip(); err != nil {
		return pathToken{}, err
	}
	if p.i >= len(p.s) {
		return pathToken{kind: tokenEnd}, nil
	}
	c := p.s[p.i]
	for _, op := range []struct {
		text string
		kind pathTokenKind
	}{{"&&", tokenAnd}, {"||", tokenOr}, {"**", tokenAnyLevel}, {"<=", tokenLessOrEqual}, {"==", tokenEqual}, {"<>", tokenNotEqual},
		{"!=", tokenNotEqual}, {">=", tokenGreaterOrEqual}} {
		if strings.HasPrefix(p.s[p.i:], op.text) {
			p.i += 2
			return pathToken{op.kind, op.text, op.text}, nil
		}
	}
	switch {
	case c == '"':
		p.i++
		text, err := p.quoted()
		return pathToken{tokenString, text, "\""}, err
	case c == '$' && p.peek(1) == '"':
		p.i += 2
		text, err := p.quoted()
		return pathToken{tokenVariable, text, "\""}, err
	case c == '$' && p.i+1 < len(p.s) && pathOther(p.peek(1)):
		start := p.i
		for p.i++; p.i < len(p.s) && pathOther(p.s[p.i]); p.i++ {
		}
		return pathToken{tokenVariable, p.s[start+1 : p.i], p.s[start:p.i]}, nil
	case isDigit(c) || c == '.' && isDigit(p.peek(1)):
		return p.number()
	case pathOther(c) || c == '\\':
		return p.word()
	}
	p.i++
	return pathToken{pathTokenKind(c), string(c), string(c)}, nil
}

// skip passes over blanks and comments.
func (p *pathScanner) skip() error {
	for p.i < len(p.s) {
		switch {
		case pathBlank(p.s[p.i]):
			p.i++
		case strings.HasPrefix(p.s[p.i:], "/*"):
			end := strings.Index(p.s[p.i+2:], "*/")
			if end < 0 {
				return pathSyntax("unexpected end of comment", "")
			}
			p.i += end + 4
		default:
			return nil
		}
	}
	return nil
}

func (p *pathScanner) digits() {
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		p.i++
	}
}

func (p *pathScanner) number() (pathToken, error) {
	start := p.i
	kind := tokenInteger
	if p.s[p.i] == '0' {
		p.i++
	} else {
		p.digits()
	}
	if p.peek(0) == '.' {
		kind = tokenNumber
		p.i++
		p.digits()
	}
	if c := p.peek(0); c == 'e' || c == 'E' {
		k := 1
		if p.peek(k) == '+' || p.peek(k) == '-' {
			k++
		}
		switch {
		case isDigit(p.peek(k)):
			kind = tokenNumber
			p.i += k
			p.digits()
		case k == 2:
			return pathToken{}, pathSyntax("invalid numeric literal", p.s[start:p.i+2])
		}
	}
	if p.i < len(p.s) && pathOther(p.s[p.i]) {
		_, n := utf8.DecodeRuneInString(p.s[p.i:])
		run := start
		for run < len(p.s) && pathOther(p.s[run]) {
			run++
		}
		if run > p.i+n { // the longer token is the word
			p.i = start
			return p.word()
		}
		return pathToken{}, pathSyntax("trailing junk after numeric literal", p.s[start:p.i+n])
	}
	text := p.s[start:p.i]
	return pathToken{kind, text, text}, nil
}

// word reads an identifier, in which escapes may stand. A message about it quotes what ended it.
func (p *pathScanner) word() (pathToken, error) {
	var b []byte
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '\\':
			var err error
			if b, err = p.escape(b); err != nil {
				return pathToken{}, err
			}
		case pathOther(c):
			b = append(b, c)
			p.i++
		default:
			end := p.i
			for end < len(p.s) && pathBlank(p.s[end]) {
				end++
			}
			return pathToken{tokenWord, string(b), p.s[p.i:end]}, nil
		}
	}
	return pathToken{tokenWord, string(b), ""}, nil
}

func (p *pathScanner) quoted() (string, error) {
	var b []byte
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return string(b), nil
		case '\\':
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
		default:
			b = append(b, c)
			p.i++
		}
	}
	return "", pathSyntax("unexpected end of quoted string", "")
}

// escape reads a sequence that begins with a backslash.
func (p *pathScanner) escape(b []byte) ([]byte, error) {
	start := p.i
	if p.i++; p.i >= len(p.s) {
		return b, pathSyntax("unexpected end after backslash", "\\")
	}
	c := p.s[p.i]
	p.i++
	if control := controlEscape(c); control != 0 {
		return append(b, control), nil
	}
	switch c {
	case 'v':
		return append(b, '\v'), nil
	case 'x':
		hi, lo := hexValue(p.peek(0)), hexValue(p.peek(1))
		if hi < 0 || lo < 0 {
			return b, pathSyntax("invalid hex character sequence", p.s[start:p.i])
		}
		p.i += 2
		return p.rune(b, rune(hi<<4|lo))
	case 'u':
		return p.unicode(b, start)
	}
	return append(b, c), nil
}

// rune appends a character that was written by its number.
func (p *pathScanner) rune(b []byte, r rune) ([]byte, error) {
	if r == 0 {
		return b, pgerror.New(pgerror.UntranslatableCharacter, "unsupported Unicode escape sequence").
			WithDetail("\\u0000 cannot be converted to text.")
	}
	return utf8.AppendRune(b, r), nil
}

func (p *pathScanner) unicode(b []byte, start int) ([]byte, error) {
	r, ok := p.codePoint()
	if !ok {
		return b, pathSyntax("invalid unicode sequence", p.s[start:min(p.i, len(p.s))])
	}
	surrogate := func(which string) error {
		return pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type jsonpath").WithDetail("%s", which)
	}
	if r >= 0xDC00 && r <= 0xDFFF {
		return b, surrogate("Unicode low surrogate must follow a high surrogate.")
	}
	if !utf16.IsSurrogate(r) {
		if r > utf8.MaxRune {
			return b, pathSyntax("invalid Unicode escape value", p.s[start:p.i])
		}
		return p.rune(b, r)
	}
	if p.peek(0) == '\\' && p.peek(1) == 'u' {
		p.i += 2
		if low, ok := p.codePoint(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return p.rune(b, utf16.DecodeRune(r, low))
		}
	}
	return b, surrogate("Unicode low surrogate must follow a high surrogate.")
}

// codePoint reads what stands behind \u: four hexadecimal digits, or one to six of them in braces.
func (p *pathScanner) codePoint() (rune, bool) {
	braces := p.peek(0) == '{'
	n, most := 0, 4
	if braces {
		p.i++
		most = 6
	}
	var r rune
	for ; n < most && hexValue(p.peek(0)) >= 0; n++ {
		r = r<<4 | rune(hexValue(p.peek(0)))
		p.i++
	}
	if !braces {
		return r, n == 4
	}
	if n == 0 || p.peek(0) != '}' {
		return 0, false
	}
	p.i++
	return r, true
}
