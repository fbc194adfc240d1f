package builtins

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"

	"manifold/engine/pgerror"
)

// regexCacheSize bounds the compiled expressions of a Context; a full cache starts anew.
const regexCacheSize = 64

// regexTimeout bounds one match of an expression that needs backtracking.
const regexTimeout = 10 * time.Second

type regexKey struct{ pattern, flags string }

// regexCache holds compiled expressions; last is the one used last, so that a constant pattern costs no look-up.
type regexCache struct {
	m       map[regexKey]*regex
	lastKey regexKey
	last    *regex
}

// regex is a compiled advanced regular expression: by RE2's automata, or by backtracking when it has back references or
// looks around.
type regex struct {
	re     *regexp.Regexp
	back   *regexp2.Regexp
	groups int
}

// regexFlags is the meaning of the flag letters.
type regexFlags struct {
	fold, newline, literal, expanded, global bool
	partial                                  bool // p: newline-sensitive brackets and dot, not anchors
	weird                                    bool // w: anchors only
}

func parseRegexFlags(flags string) (regexFlags, error) {
	var f regexFlags
	for _, c := range flags {
		switch c {
		case 'g':
			f.global = true
		case 'i':
			f.fold = true
		case 'c':
			f.fold = false
		case 'm', 'n':
			f.newline = true
		case 's':
			f.newline, f.partial, f.weird = false, false, false
		case 'p':
			f.partial = true
		case 'w':
			f.weird = true
		case 'q':
			f.literal = true
		case 'x':
			f.expanded = true
		case 't', 'e', 'b':
		default:
			return f, invalidParameter("invalid regular expression option: \"%c\"", c)
		}
	}
	return f, nil
}

// regex gives the compiled form of a pattern, from the cache when it is there.
func (c *Context) regex(pattern, flags string) (*regex, error) {
	if r, ok := c.regexes.m[regexKey{pattern, flags}]; ok {
		return r, nil
	}
	f, err := parseRegexFlags(flags)
	if err != nil {
		return nil, err
	}
	r, err := compileRegex(strings.Clone(pattern), f)
	if err != nil {
		return nil, err
	}
	if c.regexes.m == nil || len(c.regexes.m) >= regexCacheSize {
		c.regexes.m = make(map[regexKey]*regex, regexCacheSize)
	}
	key := regexKey{strings.Clone(pattern), strings.Clone(flags)}
	c.regexes.m[key] = r
	c.regexes.lastKey, c.regexes.last = key, r
	return r, nil
}

// regexBytes is regex for a pattern still in its column; it allocates nothing when the pattern is the last one.
func (c *Context) regexBytes(pattern []byte, flags string) (*regex, error) {
	if l := &c.regexes; l.last != nil && l.lastKey.pattern == string(pattern) && l.lastKey.flags == flags {
		return l.last, nil
	}
	r, err := c.regex(string(pattern), flags)
	if err == nil {
		c.regexes.lastKey, c.regexes.last = regexKey{string(pattern), strings.Clone(flags)}, r
	}
	return r, err
}

func regexError(what string) error {
	return pgerror.Newf(pgerror.InvalidRegularExpression, "invalid regular expression: %s", what)
}

func compileRegex(p string, f regexFlags) (*regex, error) {
	switch {
	case strings.HasPrefix(p, "***="):
		p, f.literal = p[4:], true
	case strings.HasPrefix(p, "***:"):
		p = p[4:]
	case strings.HasPrefix(p, "***"):
		return nil, regexError("invalid regexp (reg version 0.8)")
	}
	if end := directorEnd(p); end > 0 && !f.literal {
		more, err := parseRegexFlags(p[2 : end-1])
		if err != nil {
			return nil, regexError("invalid embedded option")
		}
		f.fold, f.newline, f.literal, f.expanded = f.fold || more.fold, f.newline || more.newline, more.literal, f.expanded || more.expanded
		p = p[end:]
	}
	if f.literal {
		return finishRegex("", regexp.QuoteMeta(p), f, false, false)
	}
	t := regexTranslator{p: p, f: f}
	if err := t.run(); err != nil {
		return nil, err
	}
	return finishRegex("", t.out.String(), f, t.back, t.lazy)
}

// directorEnd gives the length of an embedded (?xyz) in front.
func directorEnd(p string) int {
	if !strings.HasPrefix(p, "(?") {
		return 0
	}
	i := 2
	for i < len(p) && p[i] >= 'a' && p[i] <= 'z' {
		i++
	}
	if i > 2 && i < len(p) && p[i] == ')' {
		return i + 1
	}
	return 0
}

func finishRegex(prefix, body string, f regexFlags, back, lazy bool) (*regex, error) {
	if f.fold {
		prefix += "i"
	}
	if !f.newline && !f.partial {
		prefix += "s"
	}
	if f.newline || f.weird {
		prefix += "m"
	}
	if prefix != "" {
		body = "(?" + prefix + ")" + body
	}
	if !back {
		re, err := regexp.Compile(body)
		if err == nil {
			if !lazy {
				re.Longest()
			}
			return &regex{re: re, groups: re.NumSubexp()}, nil
		}
		var se *syntax.Error
		if !errors.As(err, &se) || se.Code != syntax.ErrInvalidRepeatSize && se.Code != syntax.ErrLarge {
			return nil, syntaxOf(se)
		}
	}
	re, err := regexp2.Compile(body, regexp2.None)
	if err != nil {
		return nil, regexError(describe2(err))
	}
	re.MatchTimeout = regexTimeout
	return &regex{back: re, groups: len(re.GetGroupNumbers()) - 1}, nil
}

func describe2(err error) string {
	switch m := err.Error(); {
	case strings.Contains(m, "reference"):
		return "invalid backreference number"
	case strings.Contains(m, ")"):
		return "parentheses () not balanced"
	case strings.Contains(m, "]"):
		return "brackets [] not balanced"
	}
	return "quantifier operand invalid"
}

func syntaxOf(e *syntax.Error) error {
	if e == nil {
		return regexError("invalid argument to regex function")
	}
	switch e.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return regexError("parentheses () not balanced")
	case syntax.ErrMissingBracket:
		return regexError("brackets [] not balanced")
	case syntax.ErrInvalidCharRange:
		return regexError("invalid character range")
	case syntax.ErrInvalidCharClass:
		return regexError("invalid character class")
	case syntax.ErrInvalidEscape, syntax.ErrTrailingBackslash:
		return regexError("invalid escape \\ sequence")
	case syntax.ErrNestingDepth:
		return regexError("regular expression is too complex")
	}
	return regexError("quantifier operand invalid")
}

// regexTranslator rewrites PostgreSQL's advanced regular expressions for Go's engines.
type regexTranslator struct {
	p    string
	i    int
	f    regexFlags
	out  strings.Builder
	back bool // needs backtracking
	lazy bool // has a non-greedy quantifier
}

func (t *regexTranslator) run() error {
	for t.i < len(t.p) {
		c := t.p[t.i]
		switch {
		case c == '\\':
			if err := t.escape(); err != nil {
				return err
			}
			continue
		case c == '[':
			if err := t.bracket(); err != nil {
				return err
			}
			continue
		case c == '(' && strings.HasPrefix(t.p[t.i:], "(?"):
			if n := t.p[t.i+2:]; strings.HasPrefix(n, "=") || strings.HasPrefix(n, "!") || strings.HasPrefix(n, "<=") || strings.HasPrefix(n, "<!") {
				t.back = true
			} else if !strings.HasPrefix(n, ":") && !strings.HasPrefix(n, "#") {
				return regexError("quantifier operand invalid")
			}
			if strings.HasPrefix(t.p[t.i+2:], "#") {
				end := strings.IndexByte(t.p[t.i:], ')')
				if end < 0 {
					return regexError("parentheses () not balanced")
				}
				t.i += end + 1
				continue
			}
		case (c == '*' || c == '+' || c == '?' || c == '}') && t.i+1 < len(t.p) && t.p[t.i+1] == '?' && t.i > 0:
			t.lazy = true
			t.out.WriteByte(c)
			t.out.WriteByte('?')
			t.i += 2
			continue
		case c == '{' && (t.i+1 >= len(t.p) || t.p[t.i+1] < '0' || t.p[t.i+1] > '9'):
			t.out.WriteString(`\{`)
			t.i++
			continue
		case t.f.expanded && (c == ' ' || c == '\t' || c == '\n'):
			t.i++
			continue
		case t.f.expanded && c == '#':
			for t.i < len(t.p) && t.p[t.i] != '\n' {
				t.i++
			}
			continue
		}
		t.out.WriteByte(c)
		t.i++
	}
	return nil
}

func (t *regexTranslator) escape() error {
	if t.i+1 >= len(t.p) {
		return regexError("invalid escape \\ sequence")
	}
	c := t.p[t.i+1]
	t.i += 2
	switch c {
	case 'm':
		t.back = true
		t.out.WriteString(`\b(?=\w)`)
	case 'M':
		t.back = true
		t.out.WriteString(`\b(?<=\w)`)
	case 'y':
		t.out.WriteString(`\b`)
	case 'Y':
		t.out.WriteString(`\B`)
	case 'A':
		t.out.WriteString(`\A`)
	case 'Z':
		t.out.WriteString(`\z`)
	case 'B':
		t.out.WriteString(`\\`)
	case 'e':
		t.out.WriteString(`\x1b`)
	case '0':
		t.out.WriteString(`\x00`)
	case 'u', 'U':
		n := 4
		if c == 'U' {
			n = 8
		}
		if t.i+n > len(t.p) {
			return regexError("invalid escape \\ sequence")
		}
		t.out.WriteString(`\x{` + t.p[t.i:t.i+n] + `}`)
		t.i += n
	case 'd', 'D', 's', 'S', 'w', 'W', 'n', 'r', 't', 'f', 'v', 'a', 'x':
		t.out.WriteByte('\\')
		t.out.WriteByte(c)
	default:
		switch {
		case c >= '1' && c <= '9':
			t.back = true
			t.out.WriteByte('\\')
			t.out.WriteByte(c)
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return regexError("invalid escape \\ sequence")
		case c < utf8.RuneSelf:
			t.out.WriteString(regexp.QuoteMeta(string(rune(c))))
		default:
			t.out.WriteByte(c)
		}
	}
	return nil
}

// bracket copies a bracket expression, whose [:<:] and [:>:] stand for the ends of a word.
func (t *regexTranslator) bracket() error {
	rest := t.p[t.i:]
	if strings.HasPrefix(rest, "[[:<:]]") || strings.HasPrefix(rest, "[[:>:]]") {
		t.back = true
		look := `\b(?=\w)`
		if rest[3] == '>' {
			look = `\b(?<=\w)`
		}
		t.out.WriteString(look)
		t.i += 7
		return nil
	}
	t.out.WriteByte('[')
	t.i++
	if t.i < len(t.p) && t.p[t.i] == '^' {
		t.out.WriteByte('^')
		t.i++
		if t.f.newline || t.f.partial {
			t.out.WriteString(`\n`)
		}
	}
	first := true
	for t.i < len(t.p) {
		c := t.p[t.i]
		switch {
		case c == ']' && !first:
			t.out.WriteByte(']')
			t.i++
			return nil
		case c == ']':
			t.out.WriteString(`\]`)
			t.i++
		case c == '[' && t.i+1 < len(t.p) && t.p[t.i+1] == ':':
			end := strings.Index(t.p[t.i:], ":]")
			if end < 0 {
				return regexError("brackets [] not balanced")
			}
			t.out.WriteString(t.p[t.i : t.i+end+2])
			t.i += end + 2
		case c == '[' && t.i+1 < len(t.p) && (t.p[t.i+1] == '.' || t.p[t.i+1] == '='):
			return pgerror.Unsupported("collating element in a regular expression")
		case c == '[':
			t.out.WriteString(`\[`)
			t.i++
		case c == '\\':
			if err := t.bracketEscape(); err != nil {
				return err
			}
		default:
			t.out.WriteByte(c)
			t.i++
		}
		first = false
	}
	return regexError("brackets [] not balanced")
}

func (t *regexTranslator) bracketEscape() error {
	if t.i+1 >= len(t.p) {
		return regexError("invalid escape \\ sequence")
	}
	if c := t.p[t.i+1]; c == 'B' {
		t.out.WriteString(`\\`)
		t.i += 2
		return nil
	} else if strings.IndexByte("dDsSwWnrtfva", c) >= 0 {
		t.out.WriteByte('\\')
		t.out.WriteByte(c)
		t.i += 2
		return nil
	}
	return t.escape()
}

func (r *regex) match(s []byte) (bool, error) {
	if r.re != nil {
		return r.re.Match(s), nil
	}
	ok, err := r.back.MatchString(string(s))
	if err != nil {
		return false, regexError("regular expression is too complex")
	}
	return ok, nil
}

// all gives up to n matches (all for n < 0) as pairs of byte offsets, the whole match first, -1 for groups without one.
func (r *regex) all(s string, n int) ([][]int, error) {
	if r.re != nil {
		return r.re.FindAllStringSubmatchIndex(s, n), nil
	}
	offsets := make([]int, 0, len(s)+1)
	for i := range s {
		offsets = append(offsets, i)
	}
	offsets = append(offsets, len(s))
	var out [][]int
	m, err := r.back.FindStringMatch(s)
	for m != nil && err == nil && (n < 0 || len(out) < n) {
		loc := make([]int, 0, 2*(r.groups+1))
		for _, g := range m.Groups() {
			if len(g.Captures) == 0 {
				loc = append(loc, -1, -1)
			} else {
				loc = append(loc, offsets[g.Index], offsets[g.Index+g.Length])
			}
		}
		out = append(out, loc)
		m, err = r.back.FindNextMatch(m)
	}
	if err != nil {
		return nil, regexError("regular expression is too complex")
	}
	return out, nil
}

// first gives the first match, or nil.
func (r *regex) first(s string) ([]int, error) {
	if r.re != nil {
		return r.re.FindStringSubmatchIndex(s), nil
	}
	m, err := r.all(s, 1)
	if err != nil || len(m) == 0 {
		return nil, err
	}
	return m[0], nil
}
