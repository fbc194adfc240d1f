package builtins

import (
	"math"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// moment is any date or time value taken apart for extract and date_trunc.
type moment struct {
	typ      string // as errors name it
	civil    types.Civil
	hasDate  bool
	hasTime  bool
	hasZone  bool
	interval *types.Interval
	epoch    types.Num
	infinite int // -1, 0, 1
}

func decimal(v int64, scale int) types.Num { return types.Num{Small: v, Scale: int32(scale)} }

// unixMicros is the distance of 2000-01-01 from 1970-01-01.
const unixMicros = 946684800 * int64(1e6)

func momentOf(c *Context, kind base.OID, d types.Datum) moment {
	var m moment
	switch kind {
	case types.OIDDate:
		m.typ, m.hasDate = "date", true
		if d.I == types.DateInfinity || d.I == types.DateNegInfinity {
			m.infinite = int(bit(d.I > 0)*2 - 1)
			return m
		}
		m.civil.Year, m.civil.Month, m.civil.Day = types.CivilOf(int(d.I))
		m.epoch = types.NumInt(d.I*86400 + 946684800)
	case types.OIDTimestamp, types.OIDTimestampTZ:
		m.typ, m.hasDate, m.hasTime = "timestamp without time zone", true, true
		if kind == types.OIDTimestampTZ {
			m.typ, m.hasZone = "timestamp with time zone", true
		}
		if !types.TimestampFinite(d.I) {
			m.infinite = int(bit(d.I > 0)*2 - 1)
			return m
		}
		m.civil = types.SplitTimestamp(d.I)
		if m.hasZone {
			m.civil = types.SplitTimestampTZ(d.I, c.zone())
		}
		m.epoch = types.NumAdd(decimal(d.I, 6), decimal(unixMicros, 6))
	case types.OIDTime, types.OIDTimeTZ:
		m.typ, m.hasTime = "time without time zone", true
		micros := d.I
		if kind == types.OIDTimeTZ {
			t := types.OpenTimeTZ(d)
			micros, m.hasZone, m.typ = t.Micros, true, "time with time zone"
			m.civil = clockOf(micros)
			m.civil.Offset = int(-t.West)
			m.epoch = decimal(micros+int64(t.West)*types.MicrosPerSecond, 6)
			return m
		}
		m.civil = clockOf(micros)
		m.epoch = decimal(micros, 6)
	case types.OIDInterval:
		iv := types.OpenInterval(d)
		m.typ, m.interval = "interval", &iv
	}
	return m
}

func clockOf(micros int64) types.Civil {
	return types.Civil{Hour: int(micros / types.MicrosPerHour), Min: int(micros / types.MicrosPerMinute % 60),
		Sec: int(micros / types.MicrosPerSecond % 60), Micro: int(micros % types.MicrosPerSecond)}
}

func registerFields(r registry) {
	for suffix, kind := range map[string]base.OID{"date": types.OIDDate, "timestamp": types.OIDTimestamp, "timestamptz": types.OIDTimestampTZ,
		"time": types.OIDTime, "timetz": types.OIDTimeTZ, "interval": types.OIDInterval} {
		field := func(c *Context, a []types.Datum) (types.Num, bool, error) { return extract(c, kind, str(a[0]), a[1]) }
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			n, ok, err := field(c, a)
			if err != nil || !ok {
				return types.Null, err
			}
			return c.num(n)
		}, "extract_"+suffix)
		name := suffix + "_part"
		if suffix == "date" {
			name = "sql:1384"
		}
		part := kind
		if suffix == "date" {
			part = types.OIDTimestamp
		}
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			if suffix == "date" {
				ts, err := timestampOfDate(a[1].I)
				if err != nil {
					return types.Null, err
				}
				a = []types.Datum{a[0], types.Int(ts)}
			}
			n, ok, err := extract(c, part, str(a[0]), a[1])
			if err != nil || !ok {
				return types.Null, err
			}
			return types.Float(n.Float()), nil
		}, name)
	}
	registerTrunc(r)
}

// fieldName folds plurals and abbreviations to one name.
func fieldName(s string) string {
	switch s = strings.ToLower(s); s {
	case "years", "y", "yr", "yrs":
		return "year"
	case "months", "mon", "mons":
		return "month"
	case "days", "d":
		return "day"
	case "hours", "h", "hr", "hrs":
		return "hour"
	case "minutes", "m", "min", "mins":
		return "minute"
	case "seconds", "s", "sec", "secs":
		return "second"
	case "millisecond", "ms", "msec", "msecs":
		return "milliseconds"
	case "microsecond", "us", "usec", "usecs":
		return "microseconds"
	case "weeks", "w":
		return "week"
	case "quarters", "qtr":
		return "quarter"
	case "decades", "dec", "decs":
		return "decade"
	case "centuries", "c", "cent":
		return "century"
	case "millennia", "mil", "mils":
		return "millennium"
	}
	return s
}

func knownField(f string) bool {
	switch f {
	case "year", "month", "day", "hour", "minute", "second", "milliseconds", "microseconds", "week", "quarter", "decade", "century",
		"millennium", "dow", "doy", "isodow", "isoyear", "epoch", "julian", "timezone", "timezone_h", "timezone_m",
		"timezone_hour", "timezone_minute":
		return true
	}
	return false
}

func extract(c *Context, kind base.OID, unit string, d types.Datum) (types.Num, bool, error) {
	f := fieldName(unit)
	m := momentOf(c, kind, d)
	bad := func() (types.Num, bool, error) {
		if !knownField(f) {
			return types.Num{}, false, invalidParameter("unit \"%s\" not recognized for type %s", strings.ToLower(unit), m.typ)
		}
		return types.Num{}, false, pgerror.Newf(pgerror.FeatureNotSupported, "unit \"%s\" not supported for type %s", strings.ToLower(unit), m.typ)
	}
	if !knownField(f) {
		return bad()
	}
	if m.infinite != 0 {
		return extractInfinite(f, m, bad)
	}
	if m.interval != nil {
		if n, ok := intervalField(f, *m.interval); ok {
			return n, true, nil
		}
		return bad()
	}
	if f == "epoch" {
		return m.epoch, true, nil
	}
	if m.hasTime {
		if n, ok := clockField(f, &m.civil); ok {
			return n, true, nil
		}
	}
	if m.hasZone {
		if n, ok := zoneField(f, m.civil.Offset); ok {
			return n, true, nil
		}
	}
	if m.hasDate {
		if n, ok := dateField(f, &m); ok {
			return n, true, nil
		}
	}
	return bad()
}

// extractInfinite gives an infinity for fields that only grow, and null for those that cycle.
func extractInfinite(f string, m moment, bad func() (types.Num, bool, error)) (types.Num, bool, error) {
	switch f {
	case "year", "decade", "century", "millennium", "isoyear", "epoch", "julian":
		if m.infinite > 0 {
			return types.NumSpecial(types.NumInf), true, nil
		}
		return types.NumSpecial(types.NumNegInf), true, nil
	case "hour", "minute", "second", "milliseconds", "microseconds":
		if !m.hasTime {
			return bad()
		}
	case "timezone", "timezone_h", "timezone_m", "timezone_hour", "timezone_minute":
		if !m.hasZone {
			return bad()
		}
	}
	return types.Num{}, false, nil
}

func clockField(f string, c *types.Civil) (types.Num, bool) {
	switch f {
	case "hour":
		return types.NumInt(int64(c.Hour)), true
	case "minute":
		return types.NumInt(int64(c.Min)), true
	case "second":
		return decimal(int64(c.Sec)*1e6+int64(c.Micro), 6), true
	case "milliseconds":
		return decimal(int64(c.Sec)*1e6+int64(c.Micro), 3), true
	case "microseconds":
		return types.NumInt(int64(c.Sec)*1e6 + int64(c.Micro)), true
	}
	return types.Num{}, false
}

func zoneField(f string, offset int) (types.Num, bool) {
	switch f {
	case "timezone":
		return types.NumInt(int64(offset)), true
	case "timezone_h", "timezone_hour":
		return types.NumInt(int64(offset / 3600)), true
	case "timezone_m", "timezone_minute":
		return types.NumInt(int64(offset / 60 % 60)), true
	}
	return types.Num{}, false
}

func dateField(f string, m *moment) (types.Num, bool) {
	c := &m.civil
	days := types.DaysOf(c.Year, c.Month, c.Day)
	year := int64(c.Year)
	if year <= 0 {
		year--
	}
	whole := func(v int64) (types.Num, bool) { return types.NumInt(v), true }
	dow := ((days+6)%7 + 7) % 7
	switch f {
	case "year":
		return whole(year)
	case "month":
		return whole(int64(c.Month))
	case "day":
		return whole(int64(c.Day))
	case "quarter":
		return whole(int64((c.Month-1)/3 + 1))
	case "decade":
		return whole(int64(floorDiv(c.Year, 10)))
	case "century":
		return whole(agesOf(c.Year, 100))
	case "millennium":
		return whole(agesOf(c.Year, 1000))
	case "dow":
		return whole(int64(dow))
	case "isodow":
		return whole(int64((dow+6)%7 + 1))
	case "doy":
		return whole(int64(days - types.DaysOf(c.Year, 1, 1) + 1))
	case "week":
		_, w := isoWeek(days)
		return whole(int64(w))
	case "isoyear":
		y, _ := isoWeek(days)
		if y <= 0 {
			y--
		}
		return whole(int64(y))
	case "julian":
		if !m.hasTime {
			return whole(int64(days) + 2451545)
		}
		micros := int64(c.Hour)*types.MicrosPerHour + int64(c.Min)*types.MicrosPerMinute + int64(c.Sec)*types.MicrosPerSecond + int64(c.Micro)
		frac, err := types.NumDiv(types.NumInt(micros), types.NumInt(types.MicrosPerDay))
		return types.NumAdd(types.NumInt(int64(days)+2451545), frac), err == nil
	}
	return types.Num{}, false
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// agesOf numbers centuries and millennia from one, with none between 1 BC and AD 1.
func agesOf(year, size int) int64 {
	if year > 0 {
		return int64((year + size - 1) / size)
	}
	return -int64((size - 1 - (year - 1)) / size)
}

// isoWeek gives the ISO year and week of a day.
func isoWeek(days int) (year, week int) {
	monday := days - ((days+5)%7+7)%7
	y, _, _ := types.CivilOf(monday + 3)
	jan4 := types.DaysOf(y, 1, 4)
	first := jan4 - ((jan4+5)%7+7)%7
	return y, (monday-first)/7 + 1
}

func intervalField(f string, iv types.Interval) (types.Num, bool) {
	whole := func(v int64) (types.Num, bool) { return types.NumInt(v), true }
	switch f {
	case "year":
		return whole(int64(iv.Months / 12))
	case "month":
		return whole(int64(iv.Months % 12))
	case "day":
		return whole(int64(iv.Days))
	case "hour":
		return whole(iv.Micros / types.MicrosPerHour)
	case "minute":
		return whole(iv.Micros / types.MicrosPerMinute % 60)
	case "second":
		return decimal(iv.Micros%types.MicrosPerMinute, 6), true
	case "milliseconds":
		return decimal(iv.Micros%types.MicrosPerMinute, 3), true
	case "microseconds":
		return whole(iv.Micros % types.MicrosPerMinute)
	case "quarter":
		return whole(int64(iv.Months%12/3 + 1))
	case "decade":
		return whole(int64(iv.Months / 120))
	case "century":
		return whole(int64(iv.Months / 1200))
	case "millennium":
		return whole(int64(iv.Months / 12000))
	case "epoch":
		// a year counts 365.25 days, a month of the rest 30
		sec := int64(iv.Months/12)*31557600 + int64(iv.Months%12)*30*86400 + int64(iv.Days)*86400
		return types.NumAdd(decimal(iv.Micros, 6), types.NumInt(sec)), true
	}
	return types.Num{}, false
}

func registerTrunc(r registry) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return truncTimestamp(str(a[0]), a[1].I, "timestamp without time zone")
	}, "timestamp_trunc")
	tz := func(c *Context, a []types.Datum) (types.Datum, error) {
		if !types.TimestampFinite(a[1].I) {
			return a[1], nil
		}
		loc := c.zone()
		if len(a) > 2 {
			l, err := types.LoadZone(str(a[2]))
			if err != nil {
				return types.Null, err
			}
			loc = l
		}
		local := types.UTCToLocal(a[1].I, loc)
		d, err := truncTimestamp(str(a[0]), local, "timestamp with time zone")
		if err != nil {
			return d, err
		}
		switch fieldName(str(a[0])) {
		case "hour", "minute", "second", "milliseconds", "microseconds":
			return types.Int(a[1].I - (local - d.I)), nil
		}
		ts, _ := types.LocalToUTC(d.I, loc)
		return checkTimestamp(ts)
	}
	r.add(tz, "timestamptz_trunc", "timestamptz_trunc_zone")
	r.add(truncInterval, "interval_trunc")
	r.add(bin, "timestamp_bin", "timestamptz_bin")
}

func truncTimestamp(unit string, ts int64, typ string) (types.Datum, error) {
	f := fieldName(unit)
	if !types.TimestampFinite(ts) {
		return types.Int(ts), nil
	}
	day, micros := splitDay(ts)
	y, m, _ := types.CivilOf(int(day))
	at := func(y, m, d int) (types.Datum, error) {
		return checkTimestamp(int64(types.DaysOf(y, m, d)) * types.MicrosPerDay)
	}
	clock := func(size int64) (types.Datum, error) {
		return types.Int(day*types.MicrosPerDay + micros/size*size), nil
	}
	switch f {
	case "microseconds":
		return types.Int(ts), nil
	case "milliseconds":
		return clock(1000)
	case "second":
		return clock(types.MicrosPerSecond)
	case "minute":
		return clock(types.MicrosPerMinute)
	case "hour":
		return clock(types.MicrosPerHour)
	case "day":
		return types.Int(day * types.MicrosPerDay), nil
	case "week":
		monday := day - ((day+5)%7+7)%7
		return checkTimestamp(monday * types.MicrosPerDay)
	case "month":
		return at(y, m, 1)
	case "quarter":
		return at(y, (m-1)/3*3+1, 1)
	case "year":
		return at(y, 1, 1)
	case "decade":
		return at(floorDiv(y, 10)*10, 1, 1)
	case "century":
		return at(floorDiv(y-1, 100)*100+1, 1, 1)
	case "millennium":
		return at(floorDiv(y-1, 1000)*1000+1, 1, 1)
	}
	if strings.HasPrefix(f, "timezone") {
		return types.Null, pgerror.Newf(pgerror.FeatureNotSupported, "unit \"%s\" not supported for type %s", strings.ToLower(unit), typ)
	}
	return types.Null, invalidParameter("unit \"%s\" not recognized for type %s", strings.ToLower(unit), typ)
}

func truncInterval(c *Context, a []types.Datum) (types.Datum, error) {
	iv := types.OpenInterval(a[1])
	months := func(n int32) { iv.Months, iv.Days, iv.Micros = iv.Months/n*n, 0, 0 }
	micros := func(n int64) { iv.Micros = iv.Micros / n * n }
	switch f := fieldName(str(a[0])); f {
	case "millennium":
		months(12000)
	case "century":
		months(1200)
	case "decade":
		months(120)
	case "year":
		months(12)
	case "quarter":
		months(3)
	case "month":
		months(1)
	case "day":
		iv.Micros = 0
	case "hour":
		micros(types.MicrosPerHour)
	case "minute":
		micros(types.MicrosPerMinute)
	case "second":
		micros(types.MicrosPerSecond)
	case "milliseconds":
		micros(1000)
	case "microseconds":
	case "week":
		return types.Null, pgerror.New(pgerror.FeatureNotSupported, "unit \"week\" not supported for type interval").
			WithDetail("Months usually have fractional weeks.")
	default:
		if strings.HasPrefix(f, "timezone") {
			return types.Null, pgerror.Newf(pgerror.FeatureNotSupported, "unit \"%s\" not supported for type interval", f)
		}
		return types.Null, invalidParameter("unit \"%s\" not recognized for type interval", strings.ToLower(str(a[0])))
	}
	return c.stored(iv.Append), nil
}

func bin(_ *Context, a []types.Datum) (types.Datum, error) {
	stride, ts, origin := types.OpenInterval(a[0]), a[1].I, a[2].I
	if !types.TimestampFinite(ts) {
		return a[1], nil
	}
	if !types.TimestampFinite(origin) {
		return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "origin out of range")
	}
	if stride.Months != 0 {
		return types.Null, pgerror.New(pgerror.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	if int64(stride.Days) > math.MaxInt64/types.MicrosPerDay {
		return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "interval out of range")
	}
	size := int64(stride.Days)*types.MicrosPerDay + stride.Micros
	if size <= 0 {
		return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	diff := ts - origin
	rest := diff % size
	if rest < 0 {
		rest += size
	}
	return types.Int(ts - rest), nil
}
