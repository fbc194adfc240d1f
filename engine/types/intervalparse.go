package types

import (
	"math"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
)

// Fields of an interval's typmod, as bits above the precision.
const (
	intervalMonth  = 1 << 1
	intervalYear   = 1 << 2
	intervalDay    = 1 << 3
	intervalHour   = 1 << 10
	intervalMinute = 1 << 11
	intervalSecond = 1 << 12

	intervalFullRange     = 0x7FFF
	intervalFullPrecision = 0xFFFF
)

// intervalParser reads one interval; months and days are summed wide and checked at the end.
type intervalParser struct {
	s            string
	months, days int64
	micros       float64 // of fractions of larger units
	exact        int64   // whole microseconds
	over         bool
}

func (p *intervalParser) bad() error {
	return pgerror.Newf(pgerror.InvalidDatetimeFormat, "invalid input syntax for type interval: \"%s\"", p.s)
}

func (p *intervalParser) overflow() error {
	return pgerror.Newf(pgerror.IntervalFieldOverflow, "interval field value out of range: \"%s\"", p.s)
}

func parseInterval(s string, typmod int32) (Datum, error) {
	p := intervalParser{s: s}
	t := strings.ToLower(trimSpace(s))
	var err error
	if strings.HasPrefix(t, "p") && len(t) > 1 {
		err = p.iso(t[1:])
	} else {
		err = p.fields(t, typmod)
	}
	if err != nil {
		return Null, err
	}
	if p.over {
		return Null, p.overflow()
	}
	iv, ok := p.result()
	if !ok {
		return Null, pgerror.New(pgerror.DatetimeFieldOverflow, "interval out of range")
	}
	return iv.Datum(), nil
}

func (p *intervalParser) result() (Interval, bool) {
	if p.months > math.MaxInt32 || p.months < math.MinInt32 || p.days > math.MaxInt32 || p.days < math.MinInt32 {
		return Interval{}, false
	}
	frac := math.RoundToEven(p.micros)
	if math.Abs(frac) >= 1<<62 {
		return Interval{}, false
	}
	m := p.exact + int64(frac)
	if (p.exact > 0) == (frac > 0) && (m > 0) != (frac > 0) && frac != 0 && p.exact != 0 {
		return Interval{}, false
	}
	return Interval{Micros: m, Days: int32(p.days), Months: int32(p.months)}, true
}

// number is a decimal split into its whole and fractional part, both signed.
type number struct {
	whole  int64
	frac   float64
	digits string // of the fraction
	neg    bool
}

// add adds a number of a unit.
func (p *intervalParser) add(n number, unit string) bool {
	months := func(per int64) {
		p.months += n.whole*per + int64(math.RoundToEven(n.frac*float64(per)))
		p.over = p.over || n.whole > math.MaxInt32 || n.whole < math.MinInt32
	}
	days := func(per float64) {
		d := n.frac * per
		w := math.Trunc(d)
		p.days += n.whole*int64(per) + int64(w)
		p.micros += (d - w) * float64(MicrosPerDay)
		p.over = p.over || n.whole > math.MaxInt32 || n.whole < math.MinInt32
	}
	micros := func(per int64) {
		if n.whole > math.MaxInt64/per || n.whole < math.MinInt64/per {
			p.over = true
			return
		}
		p.exact += n.whole * per
		p.micros += n.frac * float64(per)
	}
	switch unit {
	case "us", "usec", "usecs", "microsecond", "microseconds", "microsec", "microsecs", "usecond", "useconds":
		micros(1)
	case "ms", "msec", "msecs", "millisecond", "milliseconds", "millisec", "millisecs", "msecond", "mseconds":
		micros(1000)
	case "s", "sec", "secs", "second", "seconds":
		micros(MicrosPerSecond)
	case "m", "min", "mins", "minute", "minutes":
		micros(MicrosPerMinute)
	case "h", "hr", "hrs", "hour", "hours":
		micros(MicrosPerHour)
	case "d", "day", "days":
		days(1)
	case "w", "week", "weeks":
		days(7)
	case "mon", "mons", "month", "months":
		p.months += n.whole
		d := n.frac * 30
		w := math.Trunc(d)
		p.days += int64(w)
		p.micros += (d - w) * float64(MicrosPerDay)
	case "y", "yr", "yrs", "year", "years":
		months(12)
	case "dec", "decs", "decade", "decades":
		months(120)
	case "c", "cent", "century", "centuries":
		months(1200)
	case "mil", "mils", "millennium", "millennia":
		months(12000)
	default:
		return false
	}
	return true
}

// bareUnit gives the unit of a number without one.
func bareUnit(typmod int32) string {
	if typmod < 0 {
		return "s"
	}
	r := typmod >> 16 & intervalFullRange
	switch {
	case r&intervalSecond != 0 || r == intervalFullRange:
		return "s"
	case r&intervalMinute != 0:
		return "m"
	case r&intervalHour != 0:
		return "h"
	case r&intervalDay != 0:
		return "d"
	case r&intervalMonth != 0:
		return "mon"
	case r&intervalYear != 0:
		return "y"
	}
	return "s"
}

// fields reads the forms of PostgreSQL and the SQL standard.
func (p *intervalParser) fields(t string, typmod int32) error {
	seen := false
	t = strings.TrimPrefix(t, "@")
	for {
		t = strings.TrimLeft(t, " \t\n\r,")
		if t == "" {
			break
		}
		if t == "ago" {
			if !seen {
				return p.bad()
			}
			p.months, p.days, p.micros, p.exact = -p.months, -p.days, -p.micros, -p.exact
			return nil
		}
		neg := false
		body := t
		if body[0] == '+' || body[0] == '-' {
			neg = body[0] == '-'
			body = strings.TrimLeft(body[1:], " ")
		}
		rest, err := p.one(body, neg, typmod)
		if err != nil {
			return err
		}
		t, seen = rest, true
	}
	if !seen {
		return p.bad()
	}
	return nil
}

// one reads one field and gives the rest.
func (p *intervalParser) one(t string, neg bool, typmod int32) (string, error) {
	end := 0
	for end < len(t) && (isDigit(t[end]) || t[end] == '.' || t[end] == ':') {
		end++
	}
	if end == 0 {
		return "", p.bad()
	}
	token := t[:end]
	if strings.IndexByte(token, ':') >= 0 {
		return t[end:], p.clock(token, neg, typmod)
	}
	if end < len(t) && t[end] == '-' && strings.IndexByte(token, '.') < 0 { // years-months
		e := end + 1
		for e < len(t) && isDigit(t[e]) {
			e++
		}
		y, err1 := strconv.ParseInt(token, 10, 32)
		m, err2 := strconv.ParseInt(t[end+1:e], 10, 32)
		if err1 != nil || err2 != nil {
			return "", p.bad()
		}
		if m > 11 {
			return "", p.overflow()
		}
		v := y*12 + m
		if neg {
			v = -v
		}
		p.months += v
		return t[e:], nil
	}
	n, ok := p.parseNumber(token, neg)
	if !ok {
		return "", p.bad()
	}
	rest := strings.TrimLeft(t[end:], " \t")
	u := 0
	for u < len(rest) && isAlpha(rest[u]) {
		u++
	}
	unit := rest[:u]
	if unit == "" || unit == "ago" {
		unit = bareUnit(typmod)
		if len(rest) > 0 && (isDigit(rest[0]) || rest[0] == '+' || rest[0] == '-') {
			unit = "d"
		}
		u = 0
	}
	if !p.add(n, unit) {
		return "", p.bad()
	}
	return rest[u:], nil
}

func (p *intervalParser) parseNumber(token string, neg bool) (number, bool) {
	whole, frac, _ := strings.Cut(token, ".")
	if whole == "" && frac == "" || strings.IndexByte(frac, '.') >= 0 {
		return number{}, false
	}
	n := number{digits: frac, neg: neg}
	if whole != "" {
		v, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			p.over = true
		}
		n.whole = v
	}
	if frac != "" {
		f, err := strconv.ParseFloat("0."+frac, 64)
		if err != nil {
			return n, false
		}
		n.frac = f
	}
	if neg {
		n.whole, n.frac = -n.whole, -n.frac
	}
	return n, true
}

// clock reads [h]h:mm[:ss[.f]], or mm:ss under MINUTE TO SECOND.
func (p *intervalParser) clock(token string, neg bool, typmod int32) error {
	body, frac, _ := strings.Cut(token, ".")
	parts := strings.Split(body, ":")
	if len(parts) > 3 {
		return p.bad()
	}
	var v [3]int64
	for i, s := range parts {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			if s == "" {
				return p.bad()
			}
			return p.overflow()
		}
		v[i] = n
	}
	if len(parts) == 2 && (frac != "" || typmod >= 0 && typmod>>16&intervalFullRange == intervalMinute|intervalSecond) {
		v[0], v[1], v[2] = 0, v[0], v[1]
	}
	if v[1] > 59 && len(parts) == 3 || v[2] > 59 || v[0] > math.MaxInt64/MicrosPerHour {
		return p.overflow()
	}
	if v[1] > 59 {
		return p.overflow()
	}
	m := v[0]*MicrosPerHour + v[1]*MicrosPerMinute + v[2]*MicrosPerSecond + fracMicros(frac)
	if m < 0 {
		return p.overflow()
	}
	if neg {
		m = -m
	}
	p.exact += m
	return nil
}

// iso reads what follows the P of ISO 8601: designators or the alternative form.
func (p *intervalParser) iso(t string) error {
	inTime := false
	for t != "" {
		if t[0] == 't' {
			inTime = true
			t = t[1:]
			continue
		}
		neg := t[0] == '-'
		if neg || t[0] == '+' {
			t = t[1:]
		}
		end := 0
		for end < len(t) && (isDigit(t[end]) || t[end] == '.') {
			end++
		}
		n, ok := p.parseNumber(t[:end], neg)
		if !ok || end == 0 {
			return p.bad()
		}
		if end < len(t) && (t[end] == '-' || t[end] == ':') || end == len(t) {
			return p.isoAlternative(t, inTime)
		}
		unit := string(t[end])
		if !inTime && unit == "m" {
			unit = "mon"
		}
		if !strings.Contains(map[bool]string{true: "h m s", false: "y mon w d"}[inTime], unit) || !p.add(n, unit) {
			return p.bad()
		}
		t = t[end+1:]
	}
	return nil
}

// isoAlternative reads yyyy-mm-ddThh:mm:ss.
func (p *intervalParser) isoAlternative(t string, inTime bool) error {
	if inTime {
		return p.clock(t, false, -1)
	}
	date, clock, hasClock := strings.Cut(t, "t")
	parts := strings.Split(date, "-")
	if len(parts) != 3 {
		return p.bad()
	}
	for i, unit := range [...]string{"y", "mon", "d"} {
		n, ok := p.parseNumber(parts[i], false)
		if !ok {
			return p.bad()
		}
		p.add(n, unit)
	}
	if hasClock {
		return p.clock(clock, false, -1)
	}
	return nil
}

// coerceInterval drops the fields below the typmod's range and rounds to its precision.
func coerceInterval(iv Interval, typmod int32) Interval {
	r, prec := typmod>>16&intervalFullRange, typmod&intervalFullPrecision
	if r != intervalFullRange {
		switch {
		case r == intervalYear:
			iv.Months, iv.Days, iv.Micros = iv.Months/12*12, 0, 0
		case r&^(intervalYear|intervalMonth) == 0:
			iv.Days, iv.Micros = 0, 0
		case r == intervalDay:
			iv.Micros = 0
		case r&(intervalMinute|intervalSecond) == 0:
			iv.Micros = iv.Micros / MicrosPerHour * MicrosPerHour
		case r&intervalSecond == 0:
			iv.Micros = iv.Micros / MicrosPerMinute * MicrosPerMinute
		}
	}
	if prec < 6 {
		iv.Micros = RoundMicros(iv.Micros, prec)
	}
	return iv
}

// RoundMicros rounds microseconds to a number of fractional digits of a second, half away from zero.
func RoundMicros(micros int64, precision int32) int64 {
	if precision < 0 || precision >= 6 {
		return micros
	}
	unit := pow10[6-precision]
	if micros < 0 {
		return -((-micros + unit/2) / unit * unit)
	}
	return (micros + unit/2) / unit * unit
}
