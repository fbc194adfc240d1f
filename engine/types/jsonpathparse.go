package types

import (
	"strings"

	"manifold/engine/pgerror"
)

// maxPathDepth bounds how deep the operations and filters of a path stand in one another.
const maxPathDepth = 3000

// maxPathSteps bounds the steps that stand behind one another: each is a call within the evaluation of the one before it.
const maxPathSteps = 50000

// pathParser reads a jsonpath by recursive descent. Values and predicates share the parentheses, so that each level tells by
// its item which of the two it has read, and an operator that stands behind the wrong one is the syntax error.
type pathParser struct {
	scan  pathScanner
	tok   pathToken
	depth int
	at    int // how many filters stand around
	index int // how many subscripts stand around
	steps int // how many were read

	misplaced error // the first of the items that the grammar allows but not where they stand
}

// ParsePath reads a jsonpath.
func ParsePath(s string) (*Path, error) {
	p := pathParser{scan: pathScanner{s: s}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, pgerror.Newf(pgerror.InvalidTextRepresentation, "invalid input syntax for type jsonpath: \"%s\"", s)
	}
	out := &Path{}
	if p.tok.kind == tokenWord && (p.word("strict") || p.word("lax")) {
		out.Strict = p.word("strict")
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	var err error
	if out.Root, err = p.or(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected()
	}
	return out, p.misplaced
}

func (p *pathParser) misplace(message string) {
	if p.misplaced == nil {
		p.misplaced = pgerror.New(pgerror.SyntaxError, message)
	}
}

func (p *pathParser) advance() error {
	var err error
	p.tok, err = p.scan.next()
	return err
}

// word tells whether the token is a keyword, in any case; null, true and false are lower case only.
func (p *pathParser) word(w string) bool {
	if p.tok.kind != tokenWord {
		return false
	}
	if w == "null" || w == "true" || w == "false" {
		return p.tok.text == w
	}
	return strings.EqualFold(p.tok.text, w)
}

func (p *pathParser) unexpected() error { return pathSyntax("syntax error", p.tok.lexeme) }

// expect passes over a token of punctuation.
func (p *pathParser) expect(c byte) error {
	if p.tok.kind != pathTokenKind(c) {
		return p.unexpected()
	}
	return p.advance()
}

// node makes an item over its operands and refuses trees that are too deep.
func (p *pathParser) node(kind PathKind, left, right *PathItem) (*PathItem, error) {
	x := &PathItem{Kind: kind, Left: left, Right: right}
	for _, o := range []*PathItem{left, right} {
		if o != nil {
			x.depth = max(x.depth, o.depth)
		}
	}
	if x.depth++; x.depth > maxPathDepth {
		return nil, pathTooDeep()
	}
	return x, nil
}

func pathTooDeep() error {
	return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
		WithHint("The operations of a jsonpath may be nested at most %d deep.", maxPathDepth)
}

// enter counts a level of recursion.
func (p *pathParser) enter() error {
	if p.depth++; p.depth > maxPathDepth {
		return pathTooDeep()
	}
	return nil
}

// binary reads a chain of operators of one rank; predicates tells what they join.
func (p *pathParser) binary(operand func() (*PathItem, error), predicates bool, kind func() (PathKind, bool)) (*PathItem, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	for {
		k, ok := kind()
		if !ok {
			return left, nil
		}
		if isPredicate(left) != predicates {
			return nil, p.unexpected()
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := operand()
		if err != nil {
			return nil, err
		}
		if isPredicate(right) != predicates {
			return nil, p.unexpected()
		}
		if left, err = p.node(k, left, right); err != nil {
			return nil, err
		}
	}
}

func isPredicate(x *PathItem) bool { return x.Kind.Predicate() && x.Next == nil }

func (p *pathParser) oneOf(pairs ...PathKind) func() (PathKind, bool) {
	return func() (PathKind, bool) {
		switch p.tok.kind {
		case tokenString, tokenVariable, tokenWord:
			return 0, false
		}
		for _, k := range pairs {
			if p.tok.text == k.String() || k == PathNotEqual && p.tok.kind == tokenNotEqual {
				return k, true
			}
		}
		return 0, false
	}
}

func (p *pathParser) or() (*PathItem, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.binary(p.and, true, p.oneOf(PathOr))
}

func (p *pathParser) and() (*PathItem, error) { return p.binary(p.not, true, p.oneOf(PathAnd)) }

func (p *pathParser) not() (*PathItem, error) {
	if p.tok.kind != '!' {
		return p.comparison()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var x *PathItem
	var err error
	switch {
	case p.tok.kind == '(':
		x, err = p.parenthesized()
	case p.word("exists"):
		x, err = p.exists()
	default:
		return nil, p.unexpected()
	}
	if err != nil {
		return nil, err
	}
	if !isPredicate(x) {
		return nil, p.unexpected()
	}
	return p.node(PathNot, x, nil)
}

func (p *pathParser) parenthesized() (*PathItem, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	return x, p.expect(')')
}

func (p *pathParser) exists() (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect('('); err != nil {
		return nil, err
	}
	x, err := p.value()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	return p.node(PathExists, x, nil)
}

// value reads an expression that is no predicate.
func (p *pathParser) value() (*PathItem, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.sum()
	if err == nil && isPredicate(x) {
		return nil, p.unexpected()
	}
	return x, err
}

func (p *pathParser) comparison() (*PathItem, error) {
	left, err := p.sum()
	if err != nil || isPredicate(left) {
		return left, err
	}
	if k, ok := p.oneOf(PathEqual, PathNotEqual, PathLessOrEqual, PathGreaterOrEqual, PathLess, PathGreater)(); ok {
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.value()
		if err != nil {
			return nil, err
		}
		return p.node(k, left, right)
	}
	switch {
	case p.word("starts"):
		return p.startsWith(left)
	case p.word("like_regex"):
		return p.likeRegex(left)
	}
	return left, nil
}

func (p *pathParser) startsWith(left *PathItem) (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.word("with") {
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	right := &PathItem{Kind: PathString, Text: p.tok.text}
	switch p.tok.kind {
	case tokenString:
	case tokenVariable:
		right.Kind = PathVariable
	default:
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return p.node(PathStartsWith, left, right)
}

func (p *pathParser) likeRegex(left *PathItem) (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenString {
		return nil, p.unexpected()
	}
	x, err := p.node(PathLikeRegex, left, nil)
	if err != nil {
		return nil, err
	}
	x.Text = p.tok.text
	if err := p.advance(); err != nil || !p.word("flag") {
		return x, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenString {
		return nil, p.unexpected()
	}
	for _, r := range p.tok.text {
		if !strings.ContainsRune("ismxq", r) {
			return nil, pgerror.New(pgerror.SyntaxError, "invalid input syntax for type jsonpath").
				WithDetail("Unrecognized flag character \"%c\" in LIKE_REGEX predicate.", r)
		}
	}
	for _, r := range "ismxq" {
		if strings.ContainsRune(p.tok.text, r) {
			x.Flags += string(r)
		}
	}
	if strings.Contains(x.Flags, "x") && !strings.Contains(x.Flags, "q") {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "XQuery \"x\" flag (expanded regular expressions) is not implemented")
	}
	return x, p.advance()
}

func (p *pathParser) sum() (*PathItem, error) {
	return p.binary(p.product, false, p.oneOf(PathAdd, PathSub))
}

func (p *pathParser) product() (*PathItem, error) {
	return p.binary(p.unary, false, p.oneOf(PathMul, PathDiv, PathMod))
}

func (p *pathParser) unary() (*PathItem, error) {
	kind := PathPlus
	switch p.tok.kind {
	case '+':
	case '-':
		kind = PathMinus
	default:
		return p.accessors()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.unary()
	if err != nil {
		return nil, err
	}
	if isPredicate(x) {
		return nil, p.unexpected()
	}
	if x.Kind == PathNumber && x.Next == nil {
		if kind == PathMinus {
			x.Num = x.Num.Neg()
		}
		return x, nil
	}
	return p.node(kind, x, nil)
}

// accessors reads a primary and what is applied to it.
func (p *pathParser) accessors() (*PathItem, error) {
	if p.word("exists") {
		return p.exists()
	}
	var x *PathItem
	var err error
	if p.tok.kind == '(' {
		if x, err = p.parenthesized(); err != nil {
			return nil, err
		}
		if isPredicate(x) && p.word("is") {
			return p.isUnknown(x)
		}
	} else if x, err = p.primary(); err != nil {
		return nil, err
	}
	last := x
	for last.Next != nil {
		last = last.Next
	}
	for {
		step, err := p.accessor()
		if err != nil || step == nil {
			return x, err
		}
		if p.steps++; p.steps > maxPathSteps {
			return nil, pathTooDeep()
		}
		last.Next, last = step, step
		x.depth = max(x.depth, step.depth)
	}
}

func (p *pathParser) isUnknown(x *PathItem) (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.word("unknown") {
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return p.node(PathIsUnknown, x, nil)
}

func (p *pathParser) primary() (*PathItem, error) {
	x := &PathItem{Text: p.tok.text}
	switch {
	case p.tok.kind == '$':
		x.Kind = PathRoot
	case p.tok.kind == '@':
		if p.at == 0 {
			p.misplace("@ is not allowed in root expressions")
		}
		x.Kind = PathCurrent
	case p.tok.kind == tokenString:
		x.Kind = PathString
	case p.tok.kind == tokenVariable:
		x.Kind = PathVariable
	case p.tok.kind == tokenNumber || p.tok.kind == tokenInteger:
		n, err := ParseNum(p.tok.text)
		if err != nil {
			return nil, err
		}
		x.Kind, x.Num = PathNumber, n
	case p.word("null"):
		x.Kind = PathNull
	case p.word("true") || p.word("false"):
		x.Kind, x.Bool = PathBool, p.tok.text == "true"
	case p.word("last"):
		if p.index == 0 {
			p.misplace("LAST is allowed only in array subscripts")
		}
		x.Kind = PathLast
	default:
		return nil, p.unexpected()
	}
	return x, p.advance()
}

// accessor reads one step behind a primary; nil when there is none.
func (p *pathParser) accessor() (*PathItem, error) {
	switch p.tok.kind {
	case '.':
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.member()
	case '[':
		return p.elements()
	case '?':
		if err := p.advance(); err != nil {
			return nil, err
		}
		p.at++
		defer func() { p.at-- }()
		x, err := p.parenthesizedPredicate()
		if err != nil {
			return nil, err
		}
		return p.node(PathFilter, x, nil)
	}
	return nil, nil
}

func (p *pathParser) parenthesizedPredicate() (*PathItem, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if !isPredicate(x) {
		return nil, p.unexpected()
	}
	return x, p.expect(')')
}

// member reads what stands behind a dot: a key, a method, * or **.
func (p *pathParser) member() (*PathItem, error) {
	name := p.tok.text
	switch p.tok.kind {
	case '*':
		return &PathItem{Kind: PathAnyKey}, p.advance()
	case tokenAnyLevel:
		return p.anyLevel()
	case tokenString:
		return &PathItem{Kind: PathKey, Text: name}, p.advance()
	case tokenWord:
	default:
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil || p.tok.kind != '(' {
		return &PathItem{Kind: PathKey, Text: name}, err
	}
	for k := PathAbs; k <= PathDatetime; k++ {
		if !strings.EqualFold(name, k.String()) {
			continue
		}
		x := &PathItem{Kind: k}
		if err := p.advance(); err != nil {
			return nil, err
		}
		if k == PathDatetime && p.tok.kind == tokenString {
			x.Left = &PathItem{Kind: PathString, Text: p.tok.text}
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
		return x, p.expect(')')
	}
	return nil, p.unexpected()
}

func (p *pathParser) anyLevel() (*PathItem, error) {
	x := &PathItem{Kind: PathAny, End: PathLastLevel}
	if err := p.advance(); err != nil || p.tok.kind != '{' {
		return x, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var err error
	if x.First, err = p.level(); err != nil {
		return nil, err
	}
	x.End = x.First
	if p.word("to") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if x.End, err = p.level(); err != nil {
			return nil, err
		}
	}
	return x, p.expect('}')
}

func (p *pathParser) level() (uint32, error) {
	if p.word("last") {
		return PathLastLevel, p.advance()
	}
	if p.tok.kind != tokenInteger {
		return 0, p.unexpected()
	}
	n, err := ParseInt(p.tok.text, 32, "integer")
	if err != nil {
		return 0, err
	}
	return uint32(n), p.advance()
}

// elements reads [*] or a list of subscripts.
func (p *pathParser) elements() (*PathItem, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == '*' {
		if err := p.advance(); err != nil {
			return nil, err
		}
		return &PathItem{Kind: PathAnyElement}, p.expect(']')
	}
	p.index++
	defer func() { p.index-- }()
	x := &PathItem{Kind: PathIndex}
	for {
		var s PathSubscript
		var err error
		if s.From, err = p.value(); err != nil {
			return nil, err
		}
		x.depth = max(x.depth, s.From.depth+1)
		if p.word("to") {
			if err := p.advance(); err != nil {
				return nil, err
			}
			if s.To, err = p.value(); err != nil {
				return nil, err
			}
			x.depth = max(x.depth, s.To.depth+1)
		}
		x.Subs = append(x.Subs, s)
		if p.tok.kind == ']' {
			return x, p.advance()
		}
		if err := p.expect(','); err != nil {
			return nil, err
		}
	}
}
