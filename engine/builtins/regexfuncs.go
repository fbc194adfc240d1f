package builtins

import (
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func registerRegex(r registry) {
	enter := func(flags string, want bool, names ...string) {
		scalar := func(c *Context, a []types.Datum) (types.Datum, error) {
			re, err := c.regexBytes(a[1].B, flags)
			if err != nil {
				return types.Null, err
			}
			ok, err := re.match(a[0].B)
			return types.Bool(ok == want), err
		}
		kernel := func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
			var in [2]types.Datum
			return lanes(c, sel, n, out, func(i int) error {
				in[0].B, in[1].B = args[0].Bytes(i), args[1].Bytes(i)
				d, err := scalar(c, in[:])
				out.Fixed[i] = d.I
				return err
			})
		}
		r.addKernel(scalar, kernel, names...)
	}
	enter("", true, "textregexeq", "nameregexeq")
	enter("", false, "textregexne", "nameregexne")
	enter("i", true, "texticregexeq", "nameicregexeq")
	enter("i", false, "texticregexne", "nameicregexne")
	r.add(regexSubstr, "textregexsubstr")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		p, err := similarToRegex(str(a[1]), str(a[2]))
		if err != nil {
			return types.Null, err
		}
		return regexSubstr(c, []types.Datum{a[0], types.Text(p)})
	}, "sql:2074")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return regexReplace(c, a, false) }, "textregexreplace_noopt", "textregexreplace")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return regexReplace(c, a, true) },
		"textregexreplace_extended", "textregexreplace_extended_no_flags", "textregexreplace_extended_no_n")
	r.add(regexMatch, "regexp_match", "regexp_match_no_flags")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		re, err := c.regex(str(a[1]), noGlobal(a, 2))
		if err != nil {
			return types.Null, err
		}
		ok, err := re.match(a[0].B)
		return types.Bool(ok), err
	}, "regexp_like", "regexp_like_no_flags")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		out, err := regexSplit(c, a, "regexp_split_to_array()")
		if err != nil {
			return types.Null, err
		}
		return c.array(types.OIDText, []types.Dim{{Len: int32(len(out)), Lower: 1}}, out), nil
	}, "regexp_split_to_array", "regexp_split_to_array_no_flags")
	r.addSet(func(c *Context, a []types.Datum) (Iterator, error) {
		out, err := regexSplit(c, a, "regexp_split_to_table()")
		return list(out), err
	}, "regexp_split_to_table", "regexp_split_to_table_no_flags")
	r.addSet(regexMatches, "regexp_matches", "regexp_matches_no_flags")
	r.add(regexCount, "regexp_count", "regexp_count_no_start", "regexp_count_no_flags")
	r.add(regexNth, "regexp_substr", "regexp_substr_no_start", "regexp_substr_no_n", "regexp_substr_no_flags", "regexp_substr_no_subexpr")
	r.add(regexInstr, "regexp_instr", "regexp_instr_no_start", "regexp_instr_no_n", "regexp_instr_no_endoption",
		"regexp_instr_no_flags", "regexp_instr_no_subexpr")
}

// noGlobal gives the flags at argument i, if there are any.
func noGlobal(a []types.Datum, i int) string {
	if i < len(a) {
		return str(a[i])
	}
	return ""
}

func refuseGlobal(flags, function, hint string) error {
	if !strings.Contains(flags, "g") {
		return nil
	}
	e := invalidParameter("%s does not support the \"global\" option", function)
	if hint != "" {
		return e.WithHint("%s", hint)
	}
	return e
}

func regexSubstr(c *Context, a []types.Datum) (types.Datum, error) {
	re, err := c.regex(str(a[1]), "")
	if err != nil {
		return types.Null, err
	}
	loc, err := re.first(str(a[0]))
	if err != nil || loc == nil {
		return types.Null, err
	}
	if re.groups > 0 {
		loc = loc[2:]
	}
	if loc[0] < 0 {
		return types.Null, nil
	}
	return types.Datum{B: a[0].B[loc[0]:loc[1]]}, nil
}

// captures gives the groups of a match, or the whole match of an expression without groups.
func captures(s []byte, loc []int) []types.Datum {
	if len(loc) > 2 {
		loc = loc[2:]
	}
	out := make([]types.Datum, 0, len(loc)/2)
	for i := 0; i < len(loc); i += 2 {
		if loc[i] < 0 {
			out = append(out, types.Null)
		} else {
			out = append(out, types.Datum{B: s[loc[i]:loc[i+1]]})
		}
	}
	return out
}

func regexMatch(c *Context, a []types.Datum) (types.Datum, error) {
	flags := noGlobal(a, 2)
	if err := refuseGlobal(flags, "regexp_match()", "Use the regexp_matches function instead."); err != nil {
		return types.Null, err
	}
	re, err := c.regex(str(a[1]), flags)
	if err != nil {
		return types.Null, err
	}
	loc, err := re.first(str(a[0]))
	if err != nil || loc == nil {
		return types.Null, err
	}
	out := captures(a[0].B, loc)
	return c.array(types.OIDText, []types.Dim{{Len: int32(len(out)), Lower: 1}}, out), nil
}

func regexMatches(c *Context, a []types.Datum) (Iterator, error) {
	flags := noGlobal(a, 2)
	re, err := c.regex(str(a[1]), flags)
	if err != nil {
		return nil, err
	}
	n := 1
	if strings.Contains(flags, "g") {
		n = -1
	}
	all, err := re.all(str(a[0]), n)
	if err != nil {
		return nil, err
	}
	out := make([]types.Datum, len(all))
	for i, loc := range all {
		out[i] = types.MakeArray(types.OIDText, captures(a[0].B, loc))
	}
	return list(out), nil
}

func regexSplit(c *Context, a []types.Datum, function string) ([]types.Datum, error) {
	flags := noGlobal(a, 2)
	if err := refuseGlobal(flags, function, ""); err != nil {
		return nil, err
	}
	re, err := c.regex(str(a[1]), flags)
	if err != nil {
		return nil, err
	}
	all, err := re.all(str(a[0]), -1)
	if err != nil {
		return nil, err
	}
	var out []types.Datum
	at, s := 0, a[0].B
	for _, loc := range all {
		if loc[0] == loc[1] && (loc[0] == 0 || loc[0] == len(s) || loc[0] == at) { // empty matches split between characters only
			continue
		}
		out = append(out, types.Datum{B: s[at:loc[0]]})
		at = loc[1]
	}
	return append(out, types.Datum{B: s[at:]}), nil
}

// regexReplace serves both forms: (s, p, r [, flags]) and, extended, (s, p, r, start [, n [, flags]]).
func regexReplace(c *Context, a []types.Datum, extended bool) (types.Datum, error) {
	flags, start, nth := "", int64(1), int64(1)
	if extended {
		start = a[3].I
		if start <= 0 {
			return types.Null, invalidParameter("invalid value for parameter \"%s\": %d", "start", start)
		}
		if len(a) > 4 {
			if nth = a[4].I; nth < 0 {
				return types.Null, invalidParameter("invalid value for parameter \"%s\": %d", "n", nth)
			}
		}
		flags = noGlobal(a, 5)
	} else if len(a) > 3 {
		flags = str(a[3])
		if len(flags) > 0 && flags[0] >= '0' && flags[0] <= '9' {
			return types.Null, invalidParameter("invalid regular expression option: \"%c\"", flags[0]).
				WithHint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
		}
	}
	if strings.Contains(flags, "g") && (!extended || len(a) < 5) {
		nth = 0
	}
	re, err := c.regex(str(a[1]), flags)
	if err != nil {
		return types.Null, err
	}
	from := charOffset(a[0].B, start-1)
	s := str(a[0])[from:]
	limit := -1
	if nth > 0 {
		limit = int(nth)
	}
	all, err := re.all(s, limit)
	if err != nil {
		return types.Null, err
	}
	if nth > 0 {
		if int64(len(all)) < nth {
			return a[0], nil
		}
		all = all[nth-1:]
	}
	out := append([]byte{}, a[0].B[:from]...)
	at := 0
	for _, loc := range all {
		out = append(out, s[at:loc[0]]...)
		out = expand(out, str(a[2]), s, loc)
		at = loc[1]
	}
	return c.bytes(append(out, s[at:]...)), nil
}

// expand appends a replacement, in which \1 to \9 stand for groups and \& for the match.
func expand(out []byte, with, s string, loc []int) []byte {
	for i := 0; i < len(with); i++ {
		if with[i] != '\\' || i+1 >= len(with) {
			out = append(out, with[i])
			continue
		}
		i++
		switch g := with[i]; {
		case g == '&':
			out = append(out, s[loc[0]:loc[1]]...)
		case g >= '1' && g <= '9':
			if k := 2 * int(g-'0'); k < len(loc) && loc[k] >= 0 {
				out = append(out, s[loc[k]:loc[k+1]]...)
			}
		case g == '\\':
			out = append(out, '\\')
		default:
			out = append(out, '\\', g)
		}
	}
	return out
}

// positive refuses arguments below a limit.
func positive(name string, v, limit int64) error {
	if v < limit {
		return invalidParameter("invalid value for parameter \"%s\": %d", name, v)
	}
	return nil
}

// scan finds the matches behind a start given in characters; offsets count from the beginning of the string.
func scan(c *Context, a []types.Datum, start int64, flags, function string) ([][]int, *regex, error) {
	if err := positive("start", start, 1); err != nil {
		return nil, nil, err
	}
	if err := refuseGlobal(flags, function, ""); err != nil {
		return nil, nil, err
	}
	re, err := c.regex(str(a[1]), flags)
	if err != nil {
		return nil, nil, err
	}
	from := charOffset(a[0].B, start-1)
	all, err := re.all(str(a[0])[from:], -1)
	for _, loc := range all {
		for i := range loc {
			if loc[i] >= 0 {
				loc[i] += from
			}
		}
	}
	return all, re, err
}

// intArg gives integer argument i, or a default.
func intArg(a []types.Datum, i int, def int64) int64 {
	if i < len(a) {
		return a[i].I
	}
	return def
}

func regexCount(c *Context, a []types.Datum) (types.Datum, error) {
	all, _, err := scan(c, a, intArg(a, 2, 1), noGlobal(a, 3), "regexp_count()")
	return types.Int(int64(len(all))), err
}

func regexNth(c *Context, a []types.Datum) (types.Datum, error) {
	n, sub := intArg(a, 3, 1), intArg(a, 5, 0)
	if err := positive("n", n, 1); err != nil {
		return types.Null, err
	}
	if err := positive("subexpr", sub, 0); err != nil {
		return types.Null, err
	}
	all, re, err := scan(c, a, intArg(a, 2, 1), noGlobal(a, 4), "regexp_substr()")
	if err != nil || int64(len(all)) < n || sub > int64(re.groups) {
		return types.Null, err
	}
	loc := all[n-1][2*sub:]
	if loc[0] < 0 {
		return types.Null, nil
	}
	return types.Datum{B: a[0].B[loc[0]:loc[1]]}, nil
}

func regexInstr(c *Context, a []types.Datum) (types.Datum, error) {
	n, end, sub := intArg(a, 3, 1), intArg(a, 4, 0), intArg(a, 6, 0)
	if err := positive("n", n, 1); err != nil {
		return types.Null, err
	}
	if end != 0 && end != 1 {
		return types.Null, pgerror.Newf(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": %d", "endoption", end)
	}
	if err := positive("subexpr", sub, 0); err != nil {
		return types.Null, err
	}
	all, re, err := scan(c, a, intArg(a, 2, 1), noGlobal(a, 5), "regexp_instr()")
	if err != nil || int64(len(all)) < n || sub > int64(re.groups) {
		return types.Int(0), err
	}
	at := all[n-1][2*sub+int64(end)]
	if at < 0 {
		return types.Int(0), nil
	}
	return types.Int(chars(a[0].B[:at]) + 1), nil
}
