package builtins

import (
	"bytes"
	"unicode/utf8"

	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func badEscape() error {
	return pgerror.New(pgerror.InvalidEscapeSequence, "LIKE pattern must not end with escape character")
}

// like matches LIKE; fold compares letters in any case. The time is linear in practice: a percent sign backtracks
// only to the last percent sign.
func like(s, p []byte, fold bool) (bool, error) {
	if fold && !(isASCII(s) && isASCII(p)) {
		s, p, fold = bytes.ToLower(s), bytes.ToLower(p), false
	}
	si, pi := 0, 0
	starP, starS := -1, 0
	for {
		if pi < len(p) && p[pi] == '%' {
			pi++
			starP, starS = pi, si
			continue
		}
		if si >= len(s) {
			break
		}
		if pi < len(p) {
			if p[pi] == '_' {
				_, n := utf8.DecodeRune(s[si:])
				si += n
				pi++
				continue
			}
			pc := p[pi]
			width := 1
			if pc == '\\' {
				if pi+1 >= len(p) {
					return false, badEscape()
				}
				pc, width = p[pi+1], 2
			}
			if pc == s[si] || fold && lowerByte(pc) == lowerByte(s[si]) {
				si++
				pi += width
				continue
			}
		}
		if starP < 0 {
			return false, nil
		}
		_, n := utf8.DecodeRune(s[starS:])
		starS += max(n, 1)
		si, pi = starS, starP
	}
	return pi == len(p), nil
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 32
	}
	return c
}

func registerMatch(r registry) {
	enter := func(fold, want bool, names ...string) {
		scalar := func(_ *Context, a []types.Datum) (types.Datum, error) {
			ok, err := like(a[0].B, a[1].B, fold)
			return types.Bool(ok == want && err == nil), err
		}
		kernel := func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
			return lanes(c, sel, n, out, func(i int) error {
				ok, err := like(args[0].Bytes(i), args[1].Bytes(i), fold)
				out.Fixed[i] = bit(ok == want)
				return err
			})
		}
		r.addKernel(scalar, kernel, names...)
	}
	enter(false, true, "textlike", "namelike", "bytealike")
	enter(false, false, "textnlike", "namenlike", "byteanlike")
	enter(true, true, "texticlike", "nameiclike")
	enter(true, false, "texticnlike", "nameicnlike")
	r.add(likeEscape, "like_escape", "like_escape_bytea")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if a[0].Null {
			return types.Null, nil
		}
		esc := "\\"
		if len(a) > 1 {
			if a[1].Null {
				return types.Null, nil
			}
			esc = str(a[1])
		}
		out, err := similarToRegex(str(a[0]), esc)
		if err != nil {
			return types.Null, err
		}
		return c.text(out), nil
	}, "similar_escape", "similar_to_escape_1", "similar_to_escape_2")
}

func oneEscape(esc []byte) error {
	if utf8.RuneCount(esc) > 1 {
		return pgerror.New(pgerror.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	return nil
}

// likeEscape rewrites a pattern with another escape character to the backslash.
func likeEscape(c *Context, a []types.Datum) (types.Datum, error) {
	if err := oneEscape(a[1].B); err != nil {
		return types.Null, err
	}
	esc := str(a[1])
	if esc == "\\" {
		return a[0], nil
	}
	var out []byte
	p := a[0].B
	for i := 0; i < len(p); {
		_, n := utf8.DecodeRune(p[i:])
		ch := string(p[i : i+n])
		i += n
		switch {
		case esc != "" && ch == esc:
			out = append(out, '\\')
			if i < len(p) {
				_, n = utf8.DecodeRune(p[i:])
				out = append(out, p[i:i+n]...)
				i += n
			}
		case ch == "\\":
			out = append(out, '\\', '\\')
		default:
			out = append(out, ch...)
		}
	}
	return c.bytes(out), nil
}

// similarToRegex turns a SIMILAR TO pattern into an anchored regular expression.
func similarToRegex(p, esc string) (string, error) {
	if err := oneEscape([]byte(esc)); err != nil {
		return "", err
	}
	out := []byte("^(?:")
	quotes, inClass := 0, false
	for i := 0; i < len(p); {
		_, n := utf8.DecodeRuneInString(p[i:])
		ch := p[i : i+n]
		i += n
		if esc != "" && ch == esc {
			if i >= len(p) {
				break
			}
			_, n = utf8.DecodeRuneInString(p[i:])
			next := p[i : i+n]
			i += n
			if next == `"` && !inClass {
				switch quotes {
				case 0:
					out = append(out, "){1,1}?("...)
				case 1:
					out = append(out, "){1,1}(?:"...)
				default:
					return "", pgerror.New(pgerror.InvalidUseOfEscapeCharacter, "SQL regular expression may not contain more than two escape-double-quote separators")
				}
				quotes++
				continue
			}
			out = append(append(out, '\\'), next...)
			continue
		}
		switch {
		case inClass:
			if ch == "\\" {
				out = append(out, '\\')
			}
			inClass = ch != "]"
			out = append(out, ch...)
		case ch == "[":
			inClass = true
			out = append(out, ch...)
		case ch == "%":
			out = append(out, ".*"...)
		case ch == "_":
			out = append(out, '.')
		case ch == "(":
			out = append(out, "(?:"...)
		case ch == "\\" || ch == "." || ch == "^" || ch == "$":
			out = append(append(out, '\\'), ch...)
		default:
			out = append(out, ch...)
		}
	}
	return string(append(out, ")$"...)), nil
}
