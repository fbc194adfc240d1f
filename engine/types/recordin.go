package types

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// parseRow reads the text form of a row type's value: fields between parentheses, quoted where they must be. A field without
// characters and quotes is null.
func parseRow(typ base.OID, cols []Attribute, s string, env *Env) (Datum, error) {
	malformed := func(detail string) (Datum, error) {
		return Null, pgerror.Newf(pgerror.InvalidTextRepresentation, "malformed record literal: \"%s\"", s).WithDetail("%s", detail)
	}
	i := 0
	skip := func() {
		for i < len(s) && isSpace(s[i]) {
			i++
		}
	}
	if skip(); i >= len(s) || s[i] != '(' {
		return malformed("Missing left parenthesis.")
	}
	i++
	fields := make([]Field, 0, len(cols))
	first := true
	for _, c := range cols {
		if c.Type == 0 {
			fields = append(fields, Field{Value: Null})
			continue
		}
		if !first {
			if i >= len(s) || s[i] != ',' {
				return malformed("Too few columns.")
			}
			i++
		}
		first = false
		text, null, end := rowField(s, i)
		if end < 0 {
			return malformed("Unexpected end of input.")
		}
		i = end
		f := Field{Type: c.Type, Typmod: c.Typmod, Value: Null}
		if !null {
			v, err := In(c.Type, c.Typmod, text, env)
			if err != nil {
				return Null, err
			}
			f.Value = v
		}
		fields = append(fields, f)
	}
	if i >= len(s) || s[i] != ')' {
		return malformed("Too many columns.")
	}
	i++
	if skip(); i < len(s) {
		return malformed("Junk after right parenthesis.")
	}
	return Datum{B: AppendRow(nil, typ, nil, fields)}, nil
}

// rowField reads a field from s[i:]: its text, whether it is null, and where it ends; -1 when s ends before it.
func rowField(s string, i int) (text string, null bool, end int) {
	if i < len(s) && (s[i] == ',' || s[i] == ')') {
		return "", true, i
	}
	var b []byte
	for quoted := false; ; i++ {
		switch {
		case i >= len(s):
			return "", false, -1
		case !quoted && (s[i] == ',' || s[i] == ')'):
			return string(b), false, i
		case s[i] == '\\':
			if i++; i >= len(s) {
				return "", false, -1
			}
			b = append(b, s[i])
		case s[i] == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b = append(b, '"')
			i++
		case s[i] == '"':
			quoted = !quoted
		default:
			b = append(b, s[i])
		}
	}
}
