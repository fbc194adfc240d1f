package builtins

import (
	"manifold/engine/base"
	"manifold/engine/types"
)

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
