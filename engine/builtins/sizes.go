package builtins

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// sizeUnits are the units of pg_size_pretty and pg_size_bytes, each 1024 of the one before it.
const sizeUnits = "bytes kB MB GB TB PB"

// maxName is how many bytes a name has at most.
const maxName = 63

func registerSizes(r registry) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.text(prettyNum(types.OpenNum(a[0].B))), nil
	},
		"pg_size_pretty_numeric")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return sizeBytes(str(a[0])) }, "pg_size_bytes")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.num(types.NumSub(numUnsigned(uint64(a[0].I)), numUnsigned(uint64(a[1].I))))
	}, "pg_wal_lsn_diff")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		const longest = "133343441111111111111111111111111112222432" // by number of encoding
		if a[0].I < 0 || a[0].I >= int64(len(longest)) {
			return types.Null, nil
		}
		return types.Int(int64(longest[a[0].I] - '0')), nil
	}, "pg_encoding_max_length_sql")
	r.add(bucketOf, "width_bucket_array")
	r.add(parseIdent, "parse_ident")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		n, at := int64(len(a[1].B)), a[2].I
		if len(a) > 3 {
			n = a[3].I
		}
		if at <= 0 {
			return types.Null, negativeLength()
		}
		size := int64(len(a[0].B))
		head := a[0].B[:min(at-1, size)]
		tail := a[0].B[min(max(at-1+n, 0), size):]
		b := append(append(append([]byte{}, head...), a[1].B...), tail...)
		return c.bytes(b), nil
	}, "byteaoverlay", "byteaoverlay_no_len")
	r.add(func(c *Context, _ []types.Datum) (types.Datum, error) {
		return c.text(c.Clock().In(c.zone()).Format("Mon Jan 02 15:04:05.000000 2006 MST")), nil
	}, "timeofday")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return intWidths()["4"].check(a[0].I+1, true) }, "int4inc")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		id := "_" + strconv.FormatInt(a[1].I, 10)
		name := str(a[0])
		if end := maxName - len(id); len(name) > end {
			for !utf8.RuneStart(name[end]) {
				end--
			}
			name = name[:end]
		}
		return c.text(name + id), nil
	}, "nameconcatoid")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := types.OpenJSONB(a[0].B)
		if v.Kind != types.JSONNumber {
			return types.Null, castError(&v, "real")
		}
		return types.In(types.OIDFloat4, -1, v.Num.String(), nil)
	}, "jsonb_float4")
}

func numUnsigned(v uint64) types.Num {
	n, err := types.ParseNum(strconv.FormatUint(v, 10))
	if err != nil {
		return types.Num{}
	}
	return n
}

// prettyNum divides a number of bytes until it is small enough, half a unit short so that the last division rounds.
func prettyNum(n types.Num) string {
	units := strings.Fields(sizeUnits)
	div := func(by int64) {
		if d, err := types.NumDivTrunc(n, types.NumInt(by)); err == nil {
			n = d
		}
	}
	for i, unit := range units {
		limit := int64(10 * 1024)
		if i > 0 {
			limit = 20*1024 - 1
		}
		small := n.Kind == types.NumFinite && n.Abs().Cmp(types.NumInt(limit)) < 0
		if i > 0 && (small || i == len(units)-1) {
			one := types.NumInt(1)
			if n.Sign() < 0 {
				one = one.Neg()
			}
			n = types.NumAdd(n, one)
			div(2)
		}
		if small || i == len(units)-1 {
			return n.String() + " " + unit
		}
		if i == 0 {
			div(512)
		} else {
			div(1024)
		}
	}
	return ""
}

func sizeBytes(s string) (types.Datum, error) {
	bad := invalidParameter("invalid size: \"%s\"", s)
	t := strings.Trim(s, " \t\n\r\v\f")
	i := 0
	digits := func() bool {
		from := i
		for i < len(t) && t[i] >= '0' && t[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(t) && (t[i] == '-' || t[i] == '+') {
		i++
	}
	some := digits()
	if i < len(t) && t[i] == '.' {
		i++
		some = digits() || some
	}
	if !some {
		return types.Null, bad
	}
	if i < len(t) && t[i]|0x20 == 'e' {
		at := i
		if i++; i < len(t) && (t[i] == '-' || t[i] == '+') {
			i++
		}
		if !digits() {
			i = at
		}
	}
	n, err := types.ParseNum(t[:i])
	if err != nil {
		return types.Null, err
	}
	if unit := strings.TrimLeft(t[i:], " \t\n\r\v\f"); unit != "" {
		factor := int64(1)
		known := false
		for _, u := range strings.Fields(sizeUnits) {
			if known = strings.EqualFold(u, unit); known {
				break
			}
			factor <<= 10
		}
		if !known {
			return types.Null, bad.WithDetail("Invalid size unit: \"%s\".", unit).
				WithHint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
		}
		n = types.NumMul(n, types.NumInt(factor))
	}
	return intWidths()["8"].check(n.Int64())
}

// bucketOf tells how many of the ascending thresholds a value has reached.
func bucketOf(c *Context, a []types.Datum) (types.Datum, error) {
	arr := types.OpenArray(a[1])
	if arr.NDims > 1 {
		return types.Null, pgerror.New(pgerror.ArraySubscriptError, "thresholds must be one-dimensional array")
	}
	if arr.HasNulls() {
		return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "thresholds array must not contain NULLs")
	}
	compare := types.CompareFunc(arr.Elem)
	n := sort.Search(arr.Len(), func(i int) bool {
		e := arr.At(i)
		return compare(&a[0], &e) < 0
	})
	return types.Int(int64(n)), nil
}

// parseIdent splits a qualified name into its identifiers; unless strict, what stands behind them is let be.
func parseIdent(_ *Context, a []types.Datum) (types.Datum, error) {
	s := str(a[0])
	bad := func(detail string) (types.Datum, error) {
		err := invalidParameter("string is not a valid identifier: \"%s\"", s)
		if detail != "" {
			err = err.WithDetail("%s", detail)
		}
		return types.Null, err
	}
	letter := func(b byte) bool { return b == '_' || b >= 0x80 || b|0x20 >= 'a' && b|0x20 <= 'z' }
	i := 0
	blanks := func() {
		for i < len(s) && strings.IndexByte(" \t\n\r\f", s[i]) >= 0 {
			i++
		}
	}
	var out []types.Datum
	for {
		blanks()
		switch {
		case i < len(s) && s[i] == '"':
			var b []byte
			for i++; ; i++ {
				if i >= len(s) {
					return bad("String has unclosed double quotes.")
				}
				if s[i] == '"' {
					if i++; i >= len(s) || s[i] != '"' {
						break
					}
				}
				b = append(b, s[i])
			}
			if len(b) == 0 {
				return bad("Quoted identifier must not be empty.")
			}
			out = append(out, types.Datum{B: b})
		case i < len(s) && letter(s[i]):
			from := i
			for i < len(s) && (letter(s[i]) || s[i] >= '0' && s[i] <= '9' || s[i] == '$') {
				i++
			}
			out = append(out, types.Text(strings.ToLower(s[from:i])))
		case i < len(s) && s[i] == '.':
			return bad("No valid identifier before \".\".")
		case len(out) > 0:
			return bad("No valid identifier after \".\".")
		default:
			return bad("")
		}
		blanks()
		if i < len(s) && s[i] == '.' {
			i++
			continue
		}
		if i < len(s) && a[1].True() {
			return bad("")
		}
		return types.MakeArray(types.OIDText, out), nil
	}
}
