package parse

import (
	"manifold/engine/pgerror"
)

// Limits of the scanner. MaxChain bounds what the C parser and the decoder of its output recurse into: operators in a chain,
// set operations and joins of a query level, and nesting, summed along the path from the root.
const (
	MaxChain = 4500
	// MaxShape is the longest text whose shape is worth keeping in the plan cache.
	MaxShape = 16 << 10
	// MaxLiterals is the largest number of literals of a shape.
	MaxLiterals = 64
)

// LiteralClass is the type a literal token has on its own: a plan made for one class does not fit another.
type LiteralClass uint8

// The literal classes.
const (
	LiteralInt4 LiteralClass = iota
	LiteralInt8
	LiteralNumeric
	LiteralString
)

// Literal is a literal token of a statement, by byte offsets into the text (the quotes of a string included).
type Literal struct {
	Start, End int32
	Class      LiteralClass
	Escapes    bool // a string with doubled quotes or backslash escapes inside
	EString    bool // written E'...'
}

// Shape is what Scan finds: the text with every literal replaced by a marker of its class and with runs of white space and
// comments folded, and the literals in order.
type Shape struct {
	Key        []byte // appended to the buffer given to Scan
	Literals   []Literal
	Statements int  // how many non-empty statements the text holds, separated by semicolons
	Cacheable  bool // the shape stands for the text: one statement, nothing the scanner does not know to the letter
	First      Word // the first word of the first statement

	levels []level // the scanner's, kept for reuse
}

// Word is the first keyword of a statement as far as the plan cache cares.
type Word uint8

// The first words.
const (
	WordOther Word = iota
	WordSelect
	WordInsert
	WordUpdate
	WordDelete
	WordWith
	WordValues
	WordBegin
	WordCommit
	WordRollback
)

// Scan reads text once. It fails with 54001 when the statement nests or chains deeper than the parser's stack allows; it never
// fails on lexical errors, which the parser reports. shape's slices are reused.
func Scan(text string, shape *Shape) error {
	s := scanner{text: text, shape: shape}
	shape.Key, shape.Literals = shape.Key[:0], shape.Literals[:0]
	shape.Statements, shape.Cacheable, shape.First = 0, len(text) <= MaxShape, WordOther
	s.levels = append(shape.levels[:0], level{})
	defer func() { shape.levels = s.levels }()
	for s.pos < len(text) {
		if !s.token() {
			return TooDeep()
		}
	}
	if shape.Statements > 1 {
		shape.Cacheable = false
	}
	return nil
}

// TooDeep is PostgreSQL's error for a statement that needs more stack than there is.
func TooDeep() error {
	return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").WithHint(
		`Increase the configuration parameter "max_stack_depth" (currently 2048kB), after ensuring the platform's stack depth limit is adequate.`)
}

// level counts what one pair of parentheses (or CASE ... END) holds: operators since the last comma, AND or OR, and set
// operations and joins, which do not restart.
type level struct {
	chain, sets int
	isCase      bool
}

type scanner struct {
	text     string
	pos      int
	shape    *Shape
	levels   []level
	total    int // sum over levels, one for each level included
	inStmt   bool
	space    bool   // white space stood before this token
	erased   []byte // a copy of the text whose comments are blanked; nil: not wanted
	lastWord bool   // the last thing written to the key is part of a word or number
}

// token reads one token; false when the statement is too deep.
func (s *scanner) token() bool {
	c := s.text[s.pos]
	switch {
	case isSpace(c):
		s.pos++
		s.space = true
		return true
	case c == '-' && s.at(1) == '-':
		for s.pos < len(s.text) && s.text[s.pos] != '\n' && s.text[s.pos] != '\r' {
			s.pos++
		}
		s.space = true
		return true
	case c == '/' && s.at(1) == '*':
		s.comment()
		return true
	case c == ';':
		s.pos++
		s.semicolon()
		return true
	}
	if !s.inStmt {
		s.inStmt = true
		s.shape.Statements++
	}
	switch {
	case isIdentStart(c):
		return s.word()
	case c >= '0' && c <= '9' || c == '.' && isDigit(s.at(1)):
		s.number()
	case c == '\'':
		s.stringLiteral(s.pos, false)
	case c == '"':
		s.quoted('"')
	case c == '$':
		s.dollar()
	default:
		return s.symbol(c)
	}
	return true
}

func (s *scanner) at(n int) byte {
	if s.pos+n < len(s.text) {
		return s.text[s.pos+n]
	}
	return 0
}

// emit appends text to the key, folding the white space before it into one blank where two words would touch.
func (s *scanner) emit(part string, wordlike bool) {
	if s.space || s.lastWord && wordlike {
		if len(s.shape.Key) > 0 {
			s.shape.Key = append(s.shape.Key, ' ')
		}
	}
	if s.shape.Cacheable {
		s.shape.Key = append(s.shape.Key, part...)
	}
	s.space, s.lastWord = false, wordlike
}

func (s *scanner) comment() {
	depth, start := 0, s.pos
	for s.pos < len(s.text) {
		switch {
		case s.text[s.pos] == '/' && s.at(1) == '*':
			depth++
			s.pos += 2
		case s.text[s.pos] == '*' && s.at(1) == '/':
			depth--
			s.pos += 2
			if depth == 0 {
				s.space = true
				s.erase(start, s.pos)
				return
			}
		default:
			s.pos++
		}
	}
	s.shape.Cacheable = false
	s.erase(start+2, s.pos)
}

// erase puts blanks in the place of a comment, if that is what the scan is for.
func (s *scanner) erase(from, to int) {
	for i := from; i < to && s.erased != nil; i++ {
		s.erased[i] = ' '
	}
}

func (s *scanner) semicolon() {
	s.inStmt = false
	s.levels = append(s.levels[:0], level{})
	s.total = 0
	s.space = true
}

func (s *scanner) push(isCase bool) bool {
	s.levels = append(s.levels, level{isCase: isCase})
	s.total++
	return s.total <= MaxChain
}

func (s *scanner) pop(isCase bool) {
	if n := len(s.levels) - 1; n > 0 && s.levels[n].isCase == isCase {
		s.total -= s.levels[n].chain + s.levels[n].sets + 1
		s.levels = s.levels[:n]
	}
}

func (s *scanner) restart() {
	l := &s.levels[len(s.levels)-1]
	s.total -= l.chain
	l.chain = 0
}

func (s *scanner) chain() bool {
	s.levels[len(s.levels)-1].chain++
	s.total++
	return s.total <= MaxChain
}

func (s *scanner) set() bool {
	s.restart()
	s.levels[len(s.levels)-1].sets++
	s.total++
	return s.total <= MaxChain
}

func (s *scanner) symbol(c byte) bool {
	start := s.pos
	s.pos++
	switch c {
	case '(', '[':
		s.emit(s.text[start:s.pos], false)
		return s.push(false)
	case ')':
		s.emit(s.text[start:s.pos], false)
		s.pop(false)
		return true
	case ']': // subscripts chain: a[1][2]
		s.emit(s.text[start:s.pos], false)
		s.pop(false)
		return s.chain()
	case ',':
		s.emit(",", false)
		s.restart()
		return true
	}
	if isOperator(c) {
		for s.pos < len(s.text) && isOperator(s.text[s.pos]) {
			if s.text[s.pos] == '-' && s.at(1) == '-' || s.text[s.pos] == '/' && s.at(1) == '*' {
				break
			}
			s.pos++
		}
		// Each character counts: a run such as "- - -" without blanks is one operator or several by its last character.
		for range s.pos - start - 1 {
			if !s.chain() {
				return false
			}
		}
	}
	s.emit(s.text[start:s.pos], false)
	return s.chain()
}

func (s *scanner) word() bool {
	start := s.pos
	if c := s.text[s.pos] | 0x20; s.at(1) == '\'' {
		switch c {
		case 'e':
			s.pos++
			s.stringLiteral(start, true)
			return true
		case 'b', 'x', 'n':
			s.shape.Cacheable = false
			s.pos++
			s.skipQuoted('\'', false)
			s.lastWord = false
			return true
		}
	}
	if c := s.text[s.pos] | 0x20; c == 'u' && s.at(1) == '&' && (s.at(2) == '\'' || s.at(2) == '"') {
		s.shape.Cacheable = false
		s.pos += 2
		s.skipQuoted(s.text[s.pos], false)
		return true
	}
	for s.pos < len(s.text) && isIdentPart(s.text[s.pos]) {
		s.pos++
	}
	w := s.text[start:s.pos]
	if s.shape.Statements == 1 && s.shape.First == WordOther && len(s.shape.Key) == 0 {
		s.shape.First = firstWord(w)
	}
	s.emit(w, true)
	return s.keyword(w)
}

func (s *scanner) number() {
	start := s.pos
	class := LiteralInt4
	for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
		s.pos++
	}
	if s.at(0) == '.' && s.at(1) != '.' {
		class = LiteralNumeric
		s.pos++
		for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
			s.pos++
		}
	}
	if e := s.at(0) | 0x20; e == 'e' {
		n := 1
		if s.at(n) == '+' || s.at(n) == '-' {
			n++
		}
		if isDigit(s.at(n)) {
			class = LiteralNumeric
			for s.pos += n; s.pos < len(s.text) && isDigit(s.text[s.pos]); {
				s.pos++
			}
		}
	}
	if s.pos < len(s.text) && isIdentPart(s.text[s.pos]) {
		s.shape.Cacheable = false // 0x1F, 1_000, 12abc: the parser decides
	}
	if class == LiteralInt4 {
		class = intClass(s.text[start:s.pos])
	}
	s.literal(Literal{Start: int32(start), End: int32(s.pos), Class: class})
}

// intClass tells int4 from int8 from numeric by the value's digits.
func intClass(digits string) LiteralClass {
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	switch {
	case len(digits) < 10 || len(digits) == 10 && digits <= "2147483647":
		return LiteralInt4
	case len(digits) < 19 || len(digits) == 19 && digits <= "9223372036854775807":
		return LiteralInt8
	}
	return LiteralNumeric
}

func (s *scanner) literal(l Literal) {
	if len(s.shape.Literals) >= MaxLiterals {
		s.shape.Cacheable = false
		s.space, s.lastWord = false, true
		return
	}
	s.shape.Literals = append(s.shape.Literals, l)
	s.emit(markers[l.Class], true)
}

// markers stand in a key for literals. They begin with a byte that no statement holds outside quotes.
var markers = [...]string{LiteralInt4: "\x01i", LiteralInt8: "\x01l", LiteralNumeric: "\x01n", LiteralString: "\x01s"}

// stringLiteral reads '...' or E'...' (s.pos at the quote).
func (s *scanner) stringLiteral(start int, escapes bool) {
	inner := s.skipQuoted('\'', escapes)
	// A string continued on a later line after white space is one token; leave that rare form to the parser.
	for i := s.pos; i < len(s.text) && isSpace(s.text[i]); i++ {
		if i+1 < len(s.text) && s.text[i+1] == '\'' {
			s.shape.Cacheable = false
		}
	}
	if escapes && inner {
		s.shape.Cacheable = false // its value takes more than a look at the token
	}
	s.literal(Literal{Start: int32(start), End: int32(s.pos), Class: LiteralString, Escapes: inner, EString: escapes})
}

// skipQuoted moves behind the closing quote; it tells whether escapes stood inside.
func (s *scanner) skipQuoted(quote byte, backslash bool) bool {
	inner := false
	s.pos++
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == quote && s.at(1) == quote:
			inner = true
			s.pos += 2
		case c == quote:
			s.pos++
			return inner
		case c == '\\' && backslash:
			inner = true
			s.pos += 2
		default:
			s.pos++
		}
	}
	s.pos = len(s.text)
	s.shape.Cacheable = false
	return inner
}

func (s *scanner) quoted(quote byte) {
	start := s.pos
	s.skipQuoted(quote, false)
	s.emit(s.text[start:s.pos], true)
}

// dollar reads $1 or $tag$...$tag$.
func (s *scanner) dollar() {
	start := s.pos
	if isDigit(s.at(1)) {
		for s.pos++; s.pos < len(s.text) && isDigit(s.text[s.pos]); {
			s.pos++
		}
		s.emit(s.text[start:s.pos], true)
		return
	}
	end := s.pos + 1
	for end < len(s.text) && isIdentPart(s.text[end]) && s.text[end] != '$' {
		end++
	}
	if end >= len(s.text) || s.text[end] != '$' {
		s.pos++
		s.shape.Cacheable = false
		return
	}
	tag := s.text[start : end+1]
	s.shape.Cacheable = false
	for i := end + 1; i+len(tag) <= len(s.text); i++ {
		if s.text[i] == '$' && s.text[i:i+len(tag)] == tag {
			s.pos = i + len(tag)
			s.lastWord = true
			return
		}
	}
	s.pos = len(s.text)
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isIdentStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80
}
func isIdentPart(c byte) bool { return isIdentStart(c) || isDigit(c) || c == '$' }
func isOperator(c byte) bool {
	switch c {
	case '+', '-', '*', '/', '<', '>', '=', '~', '!', '@', '#', '%', '^', '&', '|', '`', '?', ':', '.':
		return true
	}
	return false
}
