package builtins

import (
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// registerInRange enters the support of RANGE frames over integers and floats: (value, base, offset, subtract, less).
func registerInRange(r registry) {
	negative := func() error {
		return pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
	}
	ints := func(_ *Context, a []types.Datum) (types.Datum, error) {
		if a[2].I < 0 {
			return types.Null, negative()
		}
		offset := a[2].I
		if a[3].I != 0 {
			offset = -offset
		}
		bound, ok := addInt(a[1].I, offset)
		less := a[4].I != 0
		if !ok { // beyond every value, on the side of the offset
			return types.Bool((a[3].I != 0) != less), nil
		}
		if less {
			return types.Bool(a[0].I <= bound), nil
		}
		return types.Bool(a[0].I >= bound), nil
	}
	r.add(ints, "in_range_int2_int2", "in_range_int2_int4", "in_range_int2_int8", "in_range_int4_int2", "in_range_int4_int4",
		"in_range_int4_int8", "in_range_int8_int8")
}

// registerOverlaps enters the forms of OVERLAPS whose ends are given as intervals.
func registerOverlaps(r registry) {
	forms := []struct {
		oid           string
		kind          base.OID
		first, second bool // the end is an interval
	}{
		{"2042", types.OIDTimestamp, true, true}, {"2043", types.OIDTimestamp, false, true}, {"2044", types.OIDTimestamp, true, false},
		{"1305", types.OIDTimestampTZ, true, true}, {"1306", types.OIDTimestampTZ, false, true}, {"1307", types.OIDTimestampTZ, true, false},
		{"1309", types.OIDTime, true, true}, {"1310", types.OIDTime, false, true}, {"1311", types.OIDTime, true, false},
	}
	plain := overlaps(func(a, b *types.Datum) bool { return a.I < b.I })
	for _, f := range forms {
		end := func(c *Context, start, length types.Datum) (types.Datum, error) {
			if start.Null || length.Null {
				return types.Null, nil
			}
			iv := types.OpenInterval(length)
			var ts int64
			var err error
			switch f.kind {
			case types.OIDTimestamp:
				ts, err = timestampPlus(start.I, iv)
			case types.OIDTimestampTZ:
				ts, err = timestamptzPlus(start.I, iv, c.zone())
			default:
				_, ts = splitDay(start.I + iv.Micros%types.MicrosPerDay)
			}
			return types.Datum{I: ts, Null: err != nil}, err
		}
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			b := [4]types.Datum{a[0], a[1], a[2], a[3]}
			var err error
			if f.first {
				if b[1], err = end(c, a[0], a[1]); err != nil {
					return types.Null, err
				}
			}
			if f.second {
				if b[3], err = end(c, a[2], a[3]); err != nil {
					return types.Null, err
				}
			}
			return plain(c, b[:])
		}, "sql:"+f.oid)
	}
}
