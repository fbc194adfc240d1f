package types

import (
	"math"
	"strconv"
)

// PathKind is the kind of a step or an operation of a jsonpath.
type PathKind uint8

// The kinds. Those from PathOr to PathExists are predicates.
const (
	PathNull PathKind = iota
	PathString
	PathNumber
	PathBool
	PathVariable
	PathRoot
	PathCurrent
	PathLast
	PathKey
	PathAnyKey
	PathAnyElement
	PathIndex
	PathAny
	PathFilter
	PathAbs
	PathSize
	PathType
	PathFloor
	PathDouble
	PathCeiling
	PathKeyValue
	PathDatetime
	PathAdd
	PathSub
	PathMul
	PathDiv
	PathMod
	PathPlus
	PathMinus
	PathOr
	PathAnd
	PathNot
	PathIsUnknown
	PathEqual
	PathNotEqual
	PathLess
	PathGreater
	PathLessOrEqual
	PathGreaterOrEqual
	PathStartsWith
	PathLikeRegex
	PathExists
)

// pathWords are the operators and methods as they are written.
var pathWords = [...]string{PathAbs: "abs", PathSize: "size", PathType: "type", PathFloor: "floor", PathDouble: "double",
	PathCeiling: "ceiling", PathKeyValue: "keyvalue", PathDatetime: "datetime", PathAdd: "+", PathSub: "-", PathMul: "*", PathDiv: "/",
	PathMod: "%", PathPlus: "+", PathMinus: "-", PathOr: "||", PathAnd: "&&", PathEqual: "==", PathNotEqual: "!=", PathLess: "<",
	PathGreater: ">", PathLessOrEqual: "<=", PathGreaterOrEqual: ">=", PathStartsWith: "starts with", PathExists: ""}

// String gives the operator or method as it is written.
func (k PathKind) String() string { return pathWords[k] }

// Predicate tells whether the kind is true, false or unknown rather than a sequence of values.
func (k PathKind) Predicate() bool { return k >= PathOr }

// PathLastLevel is the level `last` of an accessor of any depth.
const PathLastLevel = math.MaxUint32

// PathItem is a step of a jsonpath; Next is applied to what it gives.
type PathItem struct {
	Kind        PathKind
	Bool        bool
	Text        string // a string, a key, a variable, a pattern
	Flags       string // of like_regex, in PostgreSQL's order
	Num         Num
	Left, Right *PathItem
	Subs        []PathSubscript
	First, End  uint32 // levels of PathAny
	Next        *PathItem
	depth       int
}

// PathSubscript is an index, or a range when To is there.
type PathSubscript struct{ From, To *PathItem }

// Path is a parsed jsonpath.
type Path struct {
	Strict bool
	Root   *PathItem
}

func parseJSONPath(s string) (Datum, error) {
	p, err := ParsePath(s)
	if err != nil {
		return Null, err
	}
	return Datum{B: p.Append(nil)}, nil
}

// Append appends the canonical text of a path, which is also its stored form.
func (p *Path) Append(dst []byte) []byte {
	if p.Strict {
		dst = append(dst, "strict "...)
	}
	return p.Root.append(dst, false, true)
}

// priority orders operators: arguments that do not bind tighter stand in parentheses.
func (k PathKind) priority() int {
	switch k {
	case PathOr:
		return 0
	case PathAnd:
		return 1
	case PathEqual, PathNotEqual, PathLess, PathGreater, PathLessOrEqual, PathGreaterOrEqual, PathStartsWith:
		return 2
	case PathAdd, PathSub:
		return 3
	case PathMul, PathDiv, PathMod:
		return 4
	case PathPlus, PathMinus:
		return 5
	}
	return 6
}

func (x *PathItem) operand(dst []byte, arg *PathItem) []byte {
	return arg.append(dst, false, arg.Kind.priority() <= x.Kind.priority())
}

// append appends a step and those behind it. As a key stands behind another step, so it begins with a dot.
func (x *PathItem) append(dst []byte, key, parens bool) []byte {
	dst = x.appendOne(dst, key, parens)
	for x = x.Next; x != nil; x = x.Next {
		dst = x.appendOne(dst, true, true)
	}
	return dst
}

func (x *PathItem) appendOne(dst []byte, key, parens bool) []byte {
	open := func() {
		if parens {
			dst = append(dst, '(')
		}
	}
	end := func() {
		if parens {
			dst = append(dst, ')')
		}
	}
	switch x.Kind {
	case PathNull:
		dst = append(dst, "null"...)
	case PathString:
		dst = AppendJSONString(dst, x.Text)
	case PathNumber:
		if x.Next != nil {
			dst = append(dst, '(')
		}
		dst = x.Num.AppendText(dst)
		if x.Next != nil {
			dst = append(dst, ')')
		}
	case PathBool:
		dst = strconv.AppendBool(dst, x.Bool)
	case PathOr, PathAnd, PathEqual, PathNotEqual, PathLess, PathGreater, PathLessOrEqual, PathGreaterOrEqual, PathStartsWith,
		PathAdd, PathSub, PathMul, PathDiv, PathMod:
		open()
		dst = x.operand(dst, x.Left)
		dst = append(append(append(dst, ' '), x.Kind.String()...), ' ')
		dst = x.operand(dst, x.Right)
		end()
	case PathLikeRegex:
		open()
		dst = append(x.operand(dst, x.Left), " like_regex "...)
		dst = AppendJSONString(dst, x.Text)
		if x.Flags != "" {
			dst = append(append(append(dst, " flag \""...), x.Flags...), '"')
		}
		end()
	case PathPlus, PathMinus:
		open()
		dst = x.operand(append(dst, x.Kind.String()...), x.Left)
		end()
	case PathNot:
		dst = append(x.Left.append(append(dst, "!("...), false, false), ')')
	case PathIsUnknown:
		dst = append(x.Left.append(append(dst, '('), false, false), ") is unknown"...)
	case PathExists:
		dst = append(x.Left.append(append(dst, "exists ("...), false, false), ')')
	default:
		dst = x.appendStep(dst, key)
	}
	return dst
}

func (x *PathItem) appendStep(dst []byte, key bool) []byte {
	switch x.Kind {
	case PathFilter:
		return append(x.Left.append(append(dst, "?("...), false, false), ')')
	case PathRoot:
		return append(dst, '$')
	case PathCurrent:
		return append(dst, '@')
	case PathLast:
		return append(dst, "last"...)
	case PathVariable:
		return AppendJSONString(append(dst, '$'), x.Text)
	case PathAnyElement:
		return append(dst, "[*]"...)
	case PathIndex:
		dst = append(dst, '[')
		for i, s := range x.Subs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = s.From.append(dst, false, false)
			if s.To != nil {
				dst = s.To.append(append(dst, " to "...), false, false)
			}
		}
		return append(dst, ']')
	}
	if key {
		dst = append(dst, '.')
	}
	switch x.Kind {
	case PathKey:
		return AppendJSONString(dst, x.Text)
	case PathAnyKey:
		return append(dst, '*')
	case PathAny:
		return x.appendAny(dst)
	}
	dst = append(append(dst, x.Kind.String()...), '(')
	if x.Left != nil {
		dst = x.Left.append(dst, false, false)
	}
	return append(dst, ')')
}

func (x *PathItem) appendAny(dst []byte) []byte {
	level := func(n uint32) {
		if n == PathLastLevel {
			dst = append(dst, "last"...)
		} else {
			dst = strconv.AppendUint(dst, uint64(n), 10)
		}
	}
	dst = append(dst, "**"...)
	if x.First == 0 && x.End == PathLastLevel {
		return dst
	}
	dst = append(dst, '{')
	level(x.First)
	if x.First != x.End {
		dst = append(dst, " to "...)
		level(x.End)
	}
	return append(dst, '}')
}
