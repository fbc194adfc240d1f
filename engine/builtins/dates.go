package builtins

import (
	"math"
	"time"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func timestampRange() error {
	return pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range")
}

func dateRange() error { return pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range") }

func (c *Context) zone() *time.Location {
	if c.Env == nil || c.Env.TimeZone == nil {
		return time.UTC
	}
	return c.Env.TimeZone
}

// dateMicros gives a date as a timestamp; one beyond a timestamp's range orders as an infinity.
func dateMicros(days int64) int64 {
	switch {
	case days == types.DateInfinity || days > math.MaxInt64/types.MicrosPerDay:
		return types.TimestampInfinity
	case days == types.DateNegInfinity:
		return types.TimestampNegInfinity
	}
	return days * types.MicrosPerDay
}

// toUTC gives the timestamptz of a local timestamp.
func toUTC(c *Context, ts int64) int64 {
	if !types.TimestampFinite(ts) {
		return ts
	}
	v, _ := types.LocalToUTC(ts, c.zone())
	return v
}

func toLocal(c *Context, ts int64) int64 {
	if !types.TimestampFinite(ts) {
		return ts
	}
	return types.UTCToLocal(ts, c.zone())
}

func checkTimestamp(ts int64) (types.Datum, error) {
	if !types.TimestampInRange(ts) {
		return types.Null, timestampRange()
	}
	return types.Int(ts), nil
}

func splitDay(ts int64) (day, micros int64) {
	day = ts / types.MicrosPerDay
	micros = ts % types.MicrosPerDay
	if micros < 0 {
		day--
		micros += types.MicrosPerDay
	}
	return day, micros
}

// dateOf gives the date of a local timestamp.
func dateOf(ts int64) int64 {
	switch ts {
	case types.TimestampInfinity:
		return types.DateInfinity
	case types.TimestampNegInfinity:
		return types.DateNegInfinity
	}
	d, _ := splitDay(ts)
	return d
}

func timestampOfDate(days int64) (int64, error) {
	ts := dateMicros(days)
	if days != types.DateInfinity && !types.TimestampFinite(ts) && days != types.DateNegInfinity || types.TimestampFinite(ts) && !types.TimestampInRange(ts) {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return ts, nil
}

func registerDates(r registry) {
	registerClock(r)
	registerDateCasts(r)
	registerDateArithmetic(r)
	registerZones(r)
	registerFields(r)
	registerMake(r)
	registerOverlaps(r)
	registerInRange(r)
	r.add(overlaps(func(a, b *types.Datum) bool { return a.I < b.I }), "overlaps_timestamp", "overlaps_time")
	tz := types.CompareFunc(types.OIDTimeTZ)
	r.add(overlaps(func(a, b *types.Datum) bool { return tz(a, b) < 0 }), "overlaps_timetz")
	finite := func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(types.TimestampFinite(a[0].I)), nil
	}
	r.add(finite, "timestamp_finite")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(a[0].I != types.DateInfinity && a[0].I != types.DateNegInfinity), nil
	}, "date_finite")
	r.add(func(_ *Context, _ []types.Datum) (types.Datum, error) { return types.Bool(true), nil }, "interval_finite")
}

func registerClock(r registry) {
	at := func(f func(c *Context) time.Time, name string) {
		r.add(func(c *Context, _ []types.Datum) (types.Datum, error) { return types.Int(types.TimestampOf(f(c))), nil }, name)
	}
	at(func(c *Context) time.Time { return c.TransactionTime }, "now")
	at(func(c *Context) time.Time { return c.StatementTime }, "statement_timestamp")
	at(func(c *Context) time.Time {
		if c.Clock != nil {
			return c.Clock()
		}
		return time.Now()
	}, "clock_timestamp")
}

func registerDateCasts(r registry) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		ts, err := timestampOfDate(a[0].I)
		return types.Datum{I: ts, Null: err != nil}, err
	}, "date_timestamp")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		ts, err := timestampOfDate(a[0].I)
		return types.Datum{I: toUTC(c, ts), Null: err != nil}, err
	}, "date_timestamptz")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Int(dateOf(a[0].I)), nil }, "timestamp_date")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return types.Int(dateOf(toLocal(c, a[0].I))), nil
	}, "timestamptz_date")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return types.Int(toLocal(c, a[0].I)), nil }, "timestamptz_timestamp")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if !types.TimestampFinite(a[0].I) {
			return a[0], nil
		}
		ts, ok := types.LocalToUTC(a[0].I, c.zone())
		if !ok {
			return types.Null, timestampRange()
		}
		return types.Int(ts), nil
	}, "timestamp_timestamptz")
	timeOf := func(c *Context, ts int64) (types.Datum, error) {
		if !types.TimestampFinite(ts) {
			return types.Null, nil
		}
		_, m := splitDay(ts)
		return types.Int(m), nil
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return timeOf(c, a[0].I) }, "timestamp_time")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return timeOf(c, toLocal(c, a[0].I)) }, "timestamptz_time")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if !types.TimestampFinite(a[0].I) {
			return types.Null, nil
		}
		local := toLocal(c, a[0].I)
		_, m := splitDay(local)
		return c.stored(types.TimeTZ{Micros: m, West: int32((a[0].I - local) / types.MicrosPerSecond)}.Append), nil
	}, "timestamptz_timetz")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return types.Int(types.OpenTimeTZ(a[0]).Micros), nil
	}, "timetz_time")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		day, _ := splitDay(types.UTCToLocal(types.TimestampOf(c.TransactionTime), c.zone()))
		off := types.ZoneOffset(day*types.MicrosPerDay+a[0].I, c.zone())
		return c.stored(types.TimeTZ{Micros: a[0].I, West: int32(-off)}.Append), nil
	}, "time_timetz")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.stored(types.Interval{Micros: a[0].I}.Append), nil
	}, "time_interval")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		_, m := splitDay(types.OpenInterval(a[0]).Micros)
		return types.Int(m), nil
	}, "interval_time")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		f := a[0].Float()
		switch {
		case f != f:
			return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp cannot be NaN")
		case math.IsInf(f, 1):
			return types.Int(types.TimestampInfinity), nil
		case math.IsInf(f, -1):
			return types.Int(types.TimestampNegInfinity), nil
		}
		v := math.RoundToEven((f - 946684800) * 1e6)
		if !(math.Abs(v) < 9.3e18) {
			return types.Null, pgerror.Newf(pgerror.DatetimeFieldOverflow, "timestamp out of range: \"%g\"", f)
		}
		return checkTimestamp(int64(v))
	}, "float8_timestamptz")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return joinDateTime(a[0].I, a[1].I) }, "datetime_timestamp")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return joinDateTime(a[1].I, a[0].I) }, "sql:1296")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		d, err := joinDateTime(a[0].I, a[1].I)
		return types.Datum{I: toUTC(c, d.I), Null: d.Null}, err
	}, "sql:1176")
	zoned := func(date, t types.Datum) (types.Datum, error) {
		tz := types.OpenTimeTZ(t)
		d, err := joinDateTime(date.I, tz.Micros)
		if err != nil || !types.TimestampFinite(d.I) {
			return d, err
		}
		return checkTimestamp(d.I + int64(tz.West)*types.MicrosPerSecond)
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return zoned(a[0], a[1]) }, "datetimetz_timestamptz")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return zoned(a[1], a[0]) }, "sql:1298")
}

func joinDateTime(days, micros int64) (types.Datum, error) {
	ts, err := timestampOfDate(days)
	if err != nil {
		return types.Null, err
	}
	if !types.TimestampFinite(ts) {
		return types.Int(ts), nil
	}
	return checkTimestamp(ts + micros)
}

// addMonths moves a day of the calendar, keeping within the month it lands in.
func addMonths(days int64, months int64) int64 {
	y, m, d := types.CivilOf(int(days))
	total := int64(y)*12 + int64(m) - 1 + months
	ny, nm := int(total/12), int(total%12)
	if nm < 0 {
		nm += 12
		ny--
	}
	return int64(types.DaysOf(ny, nm+1, min(d, types.DaysIn(ny, nm+1))))
}

// timestampPlus adds an interval to a local timestamp.
func timestampPlus(ts int64, iv types.Interval) (int64, error) {
	if !types.TimestampFinite(ts) {
		return ts, nil
	}
	if iv.Months != 0 || iv.Days != 0 {
		day, micros := splitDay(ts)
		if iv.Months != 0 {
			day = addMonths(day, int64(iv.Months))
		}
		day += int64(iv.Days)
		if day > 110000000 || day < -3000000 {
			return 0, timestampRange()
		}
		ts = day*types.MicrosPerDay + micros
	}
	sum, ok := addInt(ts, iv.Micros)
	if !ok || !types.TimestampInRange(sum) {
		return 0, timestampRange()
	}
	return sum, nil
}

// timestamptzPlus adds months and days on the zone's clocks, and time on the absolute scale.
func timestamptzPlus(ts int64, iv types.Interval, loc *time.Location) (int64, error) {
	if !types.TimestampFinite(ts) {
		return ts, nil
	}
	if iv.Months != 0 || iv.Days != 0 {
		local, err := timestampPlus(types.UTCToLocal(ts, loc), types.Interval{Months: iv.Months, Days: iv.Days})
		if err != nil {
			return 0, err
		}
		var ok bool
		if ts, ok = types.LocalToUTC(local, loc); !ok {
			return 0, timestampRange()
		}
	}
	sum, ok := addInt(ts, iv.Micros)
	if !ok || !types.TimestampInRange(sum) {
		return 0, timestampRange()
	}
	return sum, nil
}

func negInterval(iv types.Interval) types.Interval {
	return types.Interval{Micros: -iv.Micros, Days: -iv.Days, Months: -iv.Months}
}

func registerDateArithmetic(r registry) {
	days := func(d, n int64) (types.Datum, error) {
		if d == types.DateInfinity || d == types.DateNegInfinity {
			return types.Int(d), nil
		}
		if !types.DateInRange(d + n) {
			return types.Null, dateRange()
		}
		return types.Int(d + n), nil
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return days(a[0].I, a[1].I) }, "date_pli")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return days(a[1].I, a[0].I) }, "sql:2550")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return days(a[0].I, -a[1].I) }, "date_mii")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		for _, d := range a {
			if d.I == types.DateInfinity || d.I == types.DateNegInfinity {
				return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "cannot subtract infinite dates")
			}
		}
		return types.Int(a[0].I - a[1].I), nil
	}, "date_mi")
	type plus func(c *Context, d types.Datum, iv types.Interval) (types.Datum, error)
	both := func(f plus, pl, mi, swapped string) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return f(c, a[0], types.OpenInterval(a[1])) }, pl)
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			return f(c, a[0], negInterval(types.OpenInterval(a[1])))
		}, mi)
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return f(c, a[1], types.OpenInterval(a[0])) }, swapped)
	}
	both(func(_ *Context, d types.Datum, iv types.Interval) (types.Datum, error) {
		ts, err := timestampPlus(d.I, iv)
		return types.Datum{I: ts, Null: err != nil}, err
	}, "timestamp_pl_interval", "timestamp_mi_interval", "sql:2548")
	both(func(_ *Context, d types.Datum, iv types.Interval) (types.Datum, error) {
		ts, err := timestampOfDate(d.I)
		if err == nil {
			ts, err = timestampPlus(ts, iv)
		}
		return types.Datum{I: ts, Null: err != nil}, err
	}, "date_pl_interval", "date_mi_interval", "sql:2546")
	both(func(c *Context, d types.Datum, iv types.Interval) (types.Datum, error) {
		ts, err := timestamptzPlus(d.I, iv, c.zone())
		return types.Datum{I: ts, Null: err != nil}, err
	}, "timestamptz_pl_interval", "timestamptz_mi_interval", "sql:2549")
	both(func(_ *Context, d types.Datum, iv types.Interval) (types.Datum, error) {
		_, m := splitDay(d.I + iv.Micros%types.MicrosPerDay)
		return types.Int(m), nil
	}, "time_pl_interval", "time_mi_interval", "sql:1848")
	both(func(c *Context, d types.Datum, iv types.Interval) (types.Datum, error) {
		t := types.OpenTimeTZ(d)
		_, t.Micros = splitDay(t.Micros + iv.Micros%types.MicrosPerDay)
		return c.stored(t.Append), nil
	}, "timetz_pl_interval", "timetz_mi_interval", "sql:2547")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.stored(types.Interval{Micros: a[0].I - a[1].I}.Append), nil
	}, "time_mi_time")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if !types.TimestampFinite(a[0].I) || !types.TimestampFinite(a[1].I) {
			return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
		}
		d := a[0].I - a[1].I
		return c.stored(types.Interval{Days: int32(d / types.MicrosPerDay), Micros: d % types.MicrosPerDay}.Append), nil
	}, "timestamp_mi")
	age := func(c *Context, x, y int64) (types.Datum, error) {
		if !types.TimestampFinite(x) || !types.TimestampFinite(y) {
			return types.Null, timestampRange()
		}
		return c.stored(ageOf(x, y).Append), nil
	}
	today := func(c *Context) int64 {
		d, _ := splitDay(types.UTCToLocal(types.TimestampOf(c.TransactionTime), c.zone()))
		return d * types.MicrosPerDay
	}
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return age(c, a[0].I, a[1].I) }, "timestamp_age")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return age(c, toLocal(c, a[0].I), toLocal(c, a[1].I))
	}, "timestamptz_age")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return age(c, today(c), a[0].I) }, "sql:2059")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return age(c, today(c), toLocal(c, a[0].I)) }, "sql:1386")
}

// ageOf subtracts field by field, borrowing days from the month that the earlier date stands in.
func ageOf(x, y int64) types.Interval {
	sign := int32(1)
	if x < y {
		x, y, sign = y, x, -1
	}
	a, b := types.SplitTimestamp(x), types.SplitTimestamp(y)
	_, am := splitDay(x)
	_, bm := splitDay(y)
	micros := am - bm
	days, months := a.Day-b.Day, (a.Year-b.Year)*12+a.Month-b.Month
	if micros < 0 {
		micros += types.MicrosPerDay
		days--
	}
	for days < 0 {
		if sign > 0 {
			days += types.DaysIn(b.Year, b.Month)
		} else {
			days += types.DaysIn(a.Year, a.Month)
		}
		months--
	}
	return types.Interval{Micros: int64(sign) * micros, Days: sign * int32(days), Months: sign * int32(months)}
}

func registerZones(r registry) {
	zone := func(d types.Datum) (*time.Location, error) { return types.LoadZone(str(d)) }
	fixed := func(d types.Datum) (*time.Location, error) {
		iv := types.OpenInterval(d)
		if iv.Months != 0 || iv.Days != 0 {
			return nil, invalidParameter("interval time zone \"%s\" must not include months or days",
				types.AppendText(nil, types.OIDInterval, d, nil))
		}
		return time.FixedZone("", int(iv.Micros/types.MicrosPerSecond)), nil
	}
	for _, z := range []struct {
		load   func(types.Datum) (*time.Location, error)
		suffix string
	}{{zone, "zone"}, {fixed, "izone"}} {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			loc, err := z.load(a[0])
			if err != nil || !types.TimestampFinite(a[1].I) {
				return a[1], err
			}
			ts, ok := types.LocalToUTC(a[1].I, loc)
			if !ok {
				return types.Null, timestampRange()
			}
			return types.Int(ts), nil
		}, "timestamp_"+z.suffix)
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			loc, err := z.load(a[0])
			if err != nil || !types.TimestampFinite(a[1].I) {
				return a[1], err
			}
			return types.Int(types.UTCToLocal(a[1].I, loc)), nil
		}, "timestamptz_"+z.suffix)
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			loc, err := z.load(a[0])
			if err != nil {
				return types.Null, err
			}
			t := types.OpenTimeTZ(a[1])
			_, off := c.TransactionTime.In(loc).Zone()
			_, m := splitDay(t.Micros + int64(int(t.West)+off)*types.MicrosPerSecond)
			return c.stored(types.TimeTZ{Micros: m, West: int32(-off)}.Append), nil
		}, "timetz_"+z.suffix)
	}
}

func overlaps(less func(a, b *types.Datum) bool) Scalar {
	return func(_ *Context, a []types.Datum) (types.Datum, error) {
		s1, e1, s2, e2 := a[0], a[1], a[2], a[3]
		order := func(s, e types.Datum) (types.Datum, types.Datum, bool) {
			switch {
			case s.Null && e.Null:
				return s, e, false
			case s.Null:
				return e, s, true
			case e.Null || !less(&e, &s):
				return s, e, true
			}
			return e, s, true
		}
		var ok1, ok2 bool
		if s1, e1, ok1 = order(s1, e1); !ok1 {
			return types.Null, nil
		}
		if s2, e2, ok2 = order(s2, e2); !ok2 {
			return types.Null, nil
		}
		if less(&s2, &s1) {
			s1, e1, s2, e2 = s2, e2, s1, e1
		}
		if !less(&s1, &s2) { // equal starts
			if e1.Null || e2.Null {
				return types.Null, nil
			}
			return types.Bool(true), nil
		}
		if e1.Null {
			return types.Null, nil
		}
		if less(&s2, &e1) {
			return types.Bool(true), nil
		}
		return types.Bool(false), nil
	}
}

func fieldOverflow(format string, args ...any) error {
	return pgerror.Newf(pgerror.DatetimeFieldOverflow, format, args...)
}

func registerMake(r registry) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		y, m, d := a[0].I, a[1].I, a[2].I
		bad := fieldOverflow("date field value out of range: %d-%02d-%02d", y, m, d)
		cy := y
		if y < 0 {
			cy = y + 1
		}
		if y == 0 || m < 1 || m > 12 || d < 1 || cy > 5874897 || cy < -4713 || d > int64(types.DaysIn(int(cy), int(m))) {
			return types.Null, bad
		}
		v := int64(types.DaysOf(int(cy), int(m), int(d)))
		if !types.DateInRange(v) {
			return types.Null, fieldOverflow("date out of range: %d-%02d-%02d", y, m, d)
		}
		return types.Int(v), nil
	}, "make_date")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return makeTime(a[0].I, a[1].I, a[2].Float()) }, "make_time")
	stamp := func(a []types.Datum) (types.Datum, error) {
		y, m, d := a[0].I, a[1].I, a[2].I
		cy := y
		if y < 0 {
			cy = y + 1
		}
		if y == 0 || m < 1 || m > 12 || d < 1 || cy > 294276 || cy < -4713 || d > int64(types.DaysIn(int(cy), int(m))) {
			return types.Null, fieldOverflow("date field value out of range: %d-%02d-%02d", y, m, d)
		}
		t, err := makeTime(a[3].I, a[4].I, a[5].Float())
		if err != nil {
			return types.Null, err
		}
		return checkTimestamp(int64(types.DaysOf(int(cy), int(m), int(d)))*types.MicrosPerDay + t.I)
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return stamp(a) }, "make_timestamp")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		d, err := stamp(a)
		return types.Datum{I: toUTC(c, d.I), Null: err != nil}, err
	}, "make_timestamptz")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		d, err := stamp(a)
		if err != nil {
			return types.Null, err
		}
		loc, err := types.LoadZone(str(a[6]))
		if err != nil {
			return types.Null, err
		}
		ts, _ := types.LocalToUTC(d.I, loc)
		return checkTimestamp(ts)
	}, "make_timestamptz_at_timezone")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		sec := a[6].Float()
		if odd(sec) {
			return types.Null, pgerror.New(pgerror.DatetimeFieldOverflow, "interval out of range")
		}
		iv := types.Interval{Months: int32(a[0].I*12 + a[1].I), Days: int32(a[2].I*7 + a[3].I),
			Micros: a[4].I*types.MicrosPerHour + a[5].I*types.MicrosPerMinute + int64(math.RoundToEven(sec*1e6))}
		return c.stored(iv.Append), nil
	}, "make_interval")
}

func makeTime(h, m int64, s float64) (types.Datum, error) {
	micros := int64(math.RoundToEven(s * 1e6))
	if !(s >= 0 && s <= 60) || h < 0 || h > 24 || m < 0 || m > 59 || h == 24 && (m > 0 || micros > 0) {
		return types.Null, fieldOverflow("time field value out of range: %d:%02d:%02g", h, m, s)
	}
	return types.Int(h*types.MicrosPerHour + m*types.MicrosPerMinute + micros), nil
}
