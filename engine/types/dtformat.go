package types

import (
	"strconv"
)

func appendPadded(dst []byte, v, width int) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	var buf [20]byte
	b := strconv.AppendInt(buf[:0], int64(v), 10)
	for range width - len(b) {
		dst = append(dst, '0')
	}
	return append(dst, b...)
}

func append2(dst []byte, v int) []byte { return append(dst, byte('0'+v/10%10), byte('0'+v%10)) }

// appendClock prints hh:mm:ss[.ffffff].
func appendClock(dst []byte, h, m, s, micro int) []byte {
	dst = append(append2(dst, h), ':')
	dst = append(append2(dst, m), ':')
	return appendFraction(append2(dst, s), micro)
}

func appendFraction(dst []byte, micro int) []byte {
	if micro == 0 {
		return dst
	}
	dst = append(dst, '.')
	for p := 100000; micro > 0; p /= 10 {
		dst = append(dst, byte('0'+micro/p))
		micro %= p
	}
	return dst
}

func appendTime(dst []byte, micros int64) []byte {
	return appendClock(dst, int(micros/MicrosPerHour), int(micros/MicrosPerMinute%60), int(micros/MicrosPerSecond%60), int(micros%MicrosPerSecond))
}

// appendOffset prints seconds east of UTC as +hh[:mm[:ss]].
func appendOffset(dst []byte, east int) []byte {
	sign := byte('+')
	if east < 0 {
		sign, east = '-', -east
	}
	dst = append2(append(dst, sign), east/3600)
	if east%3600 != 0 {
		dst = append2(append(dst, ':'), east/60%60)
		if east%60 != 0 {
			dst = append2(append(dst, ':'), east%60)
		}
	}
	return dst
}

func appendTimeTZ(dst, b []byte) []byte {
	t := OpenTimeTZ(Datum{B: b})
	return appendOffset(appendTime(dst, t.Micros), int(-t.West))
}

func style(env *Env) (DateStyle, DateOrder) {
	if env == nil {
		return DateISO, OrderMDY
	}
	return env.DateStyle, env.DateOrder
}

func appendDate(dst []byte, days int32, env *Env) []byte {
	switch days {
	case DateInfinity:
		return append(dst, "infinity"...)
	case DateNegInfinity:
		return append(dst, "-infinity"...)
	}
	y, m, d := CivilOf(int(days))
	s, o := style(env)
	return appendEra(appendDay(dst, y, m, d, s, o), y)
}

func appendEra(dst []byte, year int) []byte {
	if year <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

// appendDay prints a date without its era.
func appendDay(dst []byte, y, m, d int, s DateStyle, o DateOrder) []byte {
	if y <= 0 {
		y = 1 - y
	}
	sep := byte('-')
	switch s {
	case DateISO:
		dst = append(appendPadded(dst, y, 4), '-')
		return append2(append(append2(dst, m), '-'), d)
	case DateSQL:
		sep = '/'
	case DateGerman:
		sep, o = '.', OrderDMY
	}
	if o == OrderDMY {
		m, d = d, m
	}
	dst = append2(append(append2(dst, m), sep), d)
	return appendPadded(append(dst, sep), y, 4)
}

func appendTimestamp(dst []byte, ts int64, env *Env) []byte {
	if !TimestampFinite(ts) {
		return appendInfinity(dst, ts)
	}
	return appendCivil(dst, SplitTimestamp(ts), env, false)
}

func appendInfinity(dst []byte, ts int64) []byte {
	if ts > 0 {
		return append(dst, "infinity"...)
	}
	return append(dst, "-infinity"...)
}

func appendTimestampTZ(dst []byte, ts int64, env *Env) []byte {
	if !TimestampFinite(ts) {
		return appendInfinity(dst, ts)
	}
	return appendCivil(dst, SplitTimestampTZ(ts, env.zone()), env, true)
}

func appendCivil(dst []byte, c Civil, env *Env, tz bool) []byte {
	s, o := style(env)
	if s == DatePostgres {
		return appendPostgresStyle(dst, c, o, tz)
	}
	dst = append(appendDay(dst, c.Year, c.Month, c.Day, s, o), ' ')
	dst = appendClock(dst, c.Hour, c.Min, c.Sec, c.Micro)
	if tz {
		if s == DateISO {
			dst = appendOffset(dst, c.Offset)
		} else {
			dst = appendZoneName(append(dst, ' '), c)
		}
	}
	return appendEra(dst, c.Year)
}

// appendZoneName prints the abbreviation, or the offset when there is none.
func appendZoneName(dst []byte, c Civil) []byte {
	if c.Zone == "" || !isAlpha(c.Zone[0]) {
		return appendOffset(dst, c.Offset)
	}
	return append(dst, c.Zone...)
}

func appendPostgresStyle(dst []byte, c Civil, o DateOrder, tz bool) []byte {
	days := [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
	months := [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	dow := ((DaysOf(c.Year, c.Month, c.Day)+6)%7 + 7) % 7
	dst = append(append(dst, days[dow]...), ' ')
	if o == OrderDMY {
		dst = append(append(append2(dst, c.Day), ' '), months[c.Month-1]...)
	} else {
		dst = append2(append(append(dst, months[c.Month-1]...), ' '), c.Day)
	}
	dst = appendClock(append(dst, ' '), c.Hour, c.Min, c.Sec, c.Micro)
	y := c.Year
	if y <= 0 {
		y = 1 - y
	}
	dst = appendPadded(append(dst, ' '), y, 4)
	if tz {
		dst = appendZoneName(append(dst, ' '), c)
	}
	return appendEra(dst, c.Year)
}

// appendInterval prints an interval in the session's style.
func appendInterval(dst []byte, iv Interval, env *Env) []byte {
	s := IntervalPostgres
	if env != nil {
		s = env.IntervalStyle
	}
	switch s {
	case IntervalPostgresVerbose:
		return appendIntervalVerbose(dst, iv)
	case IntervalSQL:
		return appendIntervalSQL(dst, iv)
	case IntervalISO8601:
		return appendIntervalISO(dst, iv)
	}
	return appendIntervalPostgres(dst, iv)
}

func appendIntervalPostgres(dst []byte, iv Interval) []byte {
	start := len(dst)
	neg := false
	part := func(v int64, unit string) {
		if v == 0 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if neg && v > 0 {
			dst = append(dst, '+')
		}
		dst = append(append(strconv.AppendInt(dst, v, 10), ' '), unit...)
		if v != 1 {
			dst = append(dst, 's')
		}
		neg = v < 0
	}
	part(int64(iv.Months/12), "year")
	part(int64(iv.Months%12), "mon")
	part(int64(iv.Days), "day")
	if iv.Micros == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	if iv.Micros < 0 {
		dst = append(dst, '-')
	} else if neg {
		dst = append(dst, '+')
	}
	return appendDuration(dst, iv.Micros)
}

// appendDuration prints the magnitude of microseconds as hh:mm:ss[.ffffff].
func appendDuration(dst []byte, micros int64) []byte {
	u := uint64(micros)
	if micros < 0 {
		u = -u
	}
	dst = append(appendPadded(dst, int(u/uint64(MicrosPerHour)), 2), ':')
	dst = append(append2(dst, int(u/uint64(MicrosPerMinute)%60)), ':')
	dst = append2(dst, int(u/uint64(MicrosPerSecond)%60))
	return appendFraction(dst, int(u%uint64(MicrosPerSecond)))
}

func appendIntervalVerbose(dst []byte, iv Interval) []byte {
	dst = append(dst, '@')
	ago, any := false, false
	part := func(v int64, unit string) {
		if v == 0 {
			return
		}
		if !any {
			ago = v < 0
		}
		if ago {
			v = -v
		}
		any = true
		dst = append(append(strconv.AppendInt(append(dst, ' '), v, 10), ' '), unit...)
		if v != 1 {
			dst = append(dst, 's')
		}
	}
	part(int64(iv.Months/12), "year")
	part(int64(iv.Months%12), "mon")
	part(int64(iv.Days), "day")
	part(iv.Micros/MicrosPerHour, "hour")
	part(iv.Micros/MicrosPerMinute%60, "min")
	if sec := iv.Micros % MicrosPerMinute; sec != 0 {
		if !any {
			ago = sec < 0
		}
		any = true
		if ago {
			sec = -sec
		}
		dst = append(dst, ' ')
		if sec < 0 {
			dst, sec = append(dst, '-'), -sec
		}
		dst = appendFraction(strconv.AppendInt(dst, sec/MicrosPerSecond, 10), int(sec%MicrosPerSecond))
		dst = append(dst, " sec"...)
		if sec != MicrosPerSecond {
			dst = append(dst, 's')
		}
	}
	if !any {
		dst = append(dst, " 0"...)
	}
	if ago {
		dst = append(dst, " ago"...)
	}
	return dst
}

func appendIntervalSQL(dst []byte, iv Interval) []byte {
	ym, days, t := iv.Months != 0, iv.Days != 0, iv.Micros != 0
	hasNeg := iv.Months < 0 || iv.Days < 0 || iv.Micros < 0
	hasPos := iv.Months > 0 || iv.Days > 0 || iv.Micros > 0
	abs := func(v int32) int64 { return max(int64(v), -int64(v)) }
	sign := func(neg bool) byte {
		if neg {
			return '-'
		}
		return '+'
	}
	yearMonth := func() {
		dst = strconv.AppendInt(dst, abs(iv.Months)/12, 10)
		dst = strconv.AppendInt(append(dst, '-'), abs(iv.Months)%12, 10)
	}
	clock := func() {
		u := max(iv.Micros, -iv.Micros)
		dst = append(strconv.AppendInt(dst, u/MicrosPerHour, 10), ':')
		dst = append(append2(dst, int(u/MicrosPerMinute%60)), ':')
		dst = appendFraction(append2(dst, int(u/MicrosPerSecond%60)), int(u%MicrosPerSecond))
	}
	switch {
	case !hasNeg && !hasPos:
		return append(dst, '0')
	case hasNeg && hasPos || ym && (days || t):
		dst = append(dst, sign(iv.Months < 0))
		yearMonth()
		dst = strconv.AppendInt(append(dst, ' ', sign(iv.Days < 0)), abs(iv.Days), 10)
		dst = append(dst, ' ', sign(iv.Micros < 0))
		clock()
	default:
		if hasNeg {
			dst = append(dst, '-')
		}
		switch {
		case ym:
			yearMonth()
		case days:
			dst = append(strconv.AppendInt(dst, abs(iv.Days), 10), ' ')
			clock()
		default:
			clock()
		}
	}
	return dst
}

func appendIntervalISO(dst []byte, iv Interval) []byte {
	if iv == (Interval{}) {
		return append(dst, "PT0S"...)
	}
	part := func(v int64, unit byte) {
		if v != 0 {
			dst = append(strconv.AppendInt(dst, v, 10), unit)
		}
	}
	dst = append(dst, 'P')
	part(int64(iv.Months/12), 'Y')
	part(int64(iv.Months%12), 'M')
	part(int64(iv.Days), 'D')
	if iv.Micros == 0 {
		return dst
	}
	dst = append(dst, 'T')
	part(iv.Micros/MicrosPerHour, 'H')
	part(iv.Micros/MicrosPerMinute%60, 'M')
	if sec := iv.Micros % MicrosPerMinute; sec != 0 {
		if sec < 0 {
			dst, sec = append(dst, '-'), -sec
		}
		dst = appendFraction(strconv.AppendInt(dst, sec/MicrosPerSecond, 10), int(sec%MicrosPerSecond))
		dst = append(dst, 'S')
	}
	return dst
}
