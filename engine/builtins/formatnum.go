package builtins

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// numberTemplate is a parsed template of to_char for numbers.
type numberTemplate struct {
	before, after  int // digit positions on each side of the point
	zeroFrom       int // position of the first 0 before the point, or -1
	zeroAfter      int // digits behind the point up to the last 0
	point          bool
	fm             bool
	sign           string // "", "S", "MI", "PL", "SG" or "PR"
	signFirst      bool
	th             string
	prefix, suffix string
	groups         map[int]byte // separators by the number of digit positions in front of them
}

func parseNumberTemplate(f string) (numberTemplate, error) {
	t := numberTemplate{zeroFrom: -1, groups: map[int]byte{}}
	for i := 0; i < len(f); {
		two := strings.ToUpper(f[i:min(i+2, len(f))])
		switch two {
		case "FM":
			t.fm = true
			i += 2
			continue
		case "MI", "PL", "SG", "PR":
			t.sign, t.signFirst = two, t.before == 0
			i += 2
			continue
		case "TH":
			t.th = f[i : i+2]
			i += 2
			continue
		case "EE", "RN":
			return t, pgerror.Unsupported("number format pattern \"%s\"", f[i:i+2])
		}
		c := f[i]
		i++
		switch c {
		case '9', '0':
			if t.point {
				t.after++
				if c == '0' {
					t.zeroAfter = t.after
				}
			} else {
				if c == '0' && t.zeroFrom < 0 {
					t.zeroFrom = t.before
				}
				t.before++
			}
		case '.', 'D', 'd':
			if t.point {
				return t, pgerror.New(pgerror.SyntaxError, "multiple decimal points")
			}
			t.point = true
		case ',', 'G', 'g':
			t.groups[t.before] = ','
		case 'S', 's':
			t.sign, t.signFirst = "S", t.before == 0
		case '"':
			end := strings.IndexByte(f[i:], '"')
			if end < 0 {
				end = len(f) - i
			}
			t.literal(f[i : i+end])
			i = min(i+end+1, len(f))
		case 'V', 'v', 'L', 'l':
			return t, pgerror.Unsupported("number format pattern \"%c\"", c)
		default:
			t.literal(string(c))
		}
	}
	return t, nil
}

func (t *numberTemplate) literal(s string) {
	if t.before == 0 && !t.point {
		t.prefix += s
	} else {
		t.suffix += s
	}
}

// format prints a finite number.
func (t *numberTemplate) format(n types.Num) string {
	neg := n.Sign() < 0
	text := n.Abs().Round(t.after).String()
	whole, frac, _ := strings.Cut(text, ".")
	if t.after == 0 {
		frac = ""
	}
	if strings.Trim(whole+frac, "0") == "" {
		neg = false
	}
	if whole == "0" && t.before > 0 && t.after > 0 && t.zeroFrom < 0 {
		whole = ""
	}
	overflow := len(whole) > t.before
	var body []byte
	started := false
	for pos := range t.before {
		if g, ok := t.groups[pos]; ok && pos > 0 {
			if started {
				body = append(body, g)
			} else if !t.fm {
				body = append(body, ' ')
			}
		}
		k := pos - (t.before - len(whole))
		switch {
		case overflow:
			body, started = append(body, '#'), true
		case k >= 0:
			body, started = append(body, whole[k]), true
		case t.zeroFrom >= 0 && pos >= t.zeroFrom:
			body, started = append(body, '0'), true
		case !t.fm:
			body = append(body, ' ')
		}
	}
	if t.point {
		if t.fm && !overflow {
			for len(frac) > t.zeroAfter && frac[len(frac)-1] == '0' {
				frac = frac[:len(frac)-1]
			}
			if len(body) == 0 && frac == "" {
				body = append(body, '0')
			}
		}
		if overflow {
			frac = strings.Repeat("#", t.after)
		}
		body = append(append(body, '.'), frac...)
	}
	return t.prefix + t.signed(string(body), neg) + t.suffix
}

// signed puts the sign where the template wants it: without a sign pattern, in front of the first digit.
func (t *numberTemplate) signed(body string, neg bool) string {
	digits := strings.TrimLeft(body, " ")
	pad := body[:len(body)-len(digits)]
	mark := func(yes, no string) string {
		if neg {
			return yes
		}
		if t.fm {
			return strings.TrimSpace(no)
		}
		return no
	}
	switch t.sign {
	case "S":
		s := mark("-", "+")
		if t.signFirst {
			return pad + s + digits
		}
		return body + s
	case "MI", "SG", "PL":
		s := map[string]string{"MI": mark("-", " "), "SG": mark("-", "+"), "PL": mark(" ", "+")}[t.sign]
		if t.sign == "PL" {
			body = pad + mark("-", " ") + digits
		}
		if t.signFirst {
			return s + body
		}
		return body + s
	case "PR":
		if neg {
			return pad + "<" + digits + ">"
		}
		if t.fm {
			return digits
		}
		return pad + " " + digits + " "
	}
	return pad + mark("-", " ") + digits
}

func registerNumberFormat(r registry) {
	for name, kind := range map[string]base.OID{"int4_to_char": types.OIDInt4, "int8_to_char": types.OIDInt8, "numeric_to_char": types.OIDNumeric,
		"float8_to_char": types.OIDFloat8, "float4_to_char": types.OIDFloat4} {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			t, err := parseNumberTemplate(str(a[1]))
			if err != nil {
				return types.Null, err
			}
			var n types.Num
			switch kind {
			case types.OIDNumeric:
				n = types.OpenNum(a[0].B)
			case types.OIDFloat8:
				n = types.NumFromFloat(a[0].Float(), 64)
			case types.OIDFloat4:
				n = types.NumFromFloat(a[0].Float(), 32)
			default:
				n = types.NumInt(a[0].I)
			}
			if n.Kind != types.NumFinite {
				return types.Null, pgerror.Unsupported("to_char of %s", n)
			}
			s := t.format(n)
			if v, ok := n.Int64(); ok && t.th != "" && t.after == 0 {
				s += ordinal(int(max(v, -v)), t.th[0])
			}
			return c.text(s), nil
		}, name)
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		s := str(a[0])
		neg := strings.ContainsAny(s, "-<")
		var digits []byte
		for i := range len(s) {
			if s[i] >= '0' && s[i] <= '9' || s[i] == '.' {
				digits = append(digits, s[i])
			}
		}
		if len(digits) == 0 {
			return types.Null, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type numeric: \" \"")
		}
		n, err := types.ParseNum(string(digits))
		if err != nil {
			return types.Null, err
		}
		t, err := parseNumberTemplate(str(a[1]))
		if err != nil {
			return types.Null, err
		}
		if n = n.Trunc(t.after); neg {
			n = n.Neg()
		}
		return c.num(n)
	}, "numeric_to_number")
}
