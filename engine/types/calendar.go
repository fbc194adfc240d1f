package types

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"manifold/engine/pgerror"
)

// Units of time in microseconds.
const (
	MicrosPerSecond = int64(1e6)
	MicrosPerMinute = 60 * MicrosPerSecond
	MicrosPerHour   = 60 * MicrosPerMinute
	MicrosPerDay    = 24 * MicrosPerHour
)

// The infinities of timestamps and dates, and the limits of both.
const (
	TimestampInfinity    = math.MaxInt64
	TimestampNegInfinity = math.MinInt64
	DateInfinity         = math.MaxInt32
	DateNegInfinity      = math.MinInt32

	unixEpochDays    = -10957 // 1970-01-01
	julianEpoch      = 2451545
	unixEpochSeconds = 946684800

	minDate      = -julianEpoch               // 4713-11-24 BC
	endDate      = 2145031949                 // 5874898-01-01
	minTimestamp = -211813488000000000        // 4713-11-24 BC
	endTimestamp = int64(9223371331200000000) // 294277-01-01
)

// DaysOf gives the days since 2000-01-01 of a date of the proleptic Gregorian calendar, year 0 being 1 BC.
func DaysOf(year, month, day int) int {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*((month+9)%12)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 730425
}

// CivilOf is the inverse of DaysOf.
func CivilOf(days int) (year, month, day int) {
	z := days + 730425
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	year = yoe + era*400
	if month > 12 {
		month -= 12
	}
	if month <= 2 {
		year++
	}
	return year, month, day
}

// LeapYear tells whether a year has 366 days.
func LeapYear(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

// DaysIn gives the days of a month.
func DaysIn(year, month int) int {
	switch month {
	case 2:
		if LeapYear(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// Civil is a timestamp taken apart. Offset is seconds east of UTC and Zone its abbreviation, for timestamptz.
type Civil struct {
	Year, Month, Day int
	Hour, Min, Sec   int
	Micro            int
	Offset           int
	Zone             string
}

// SplitTimestamp takes a finite timestamp apart.
func SplitTimestamp(ts int64) Civil {
	days := ts / MicrosPerDay
	rest := ts % MicrosPerDay
	if rest < 0 {
		rest += MicrosPerDay
		days--
	}
	var c Civil
	c.Year, c.Month, c.Day = CivilOf(int(days))
	c.Hour = int(rest / MicrosPerHour)
	c.Min = int(rest / MicrosPerMinute % 60)
	c.Sec = int(rest / MicrosPerSecond % 60)
	c.Micro = int(rest % MicrosPerSecond)
	return c
}

// SplitTimestampTZ takes a finite timestamptz apart as the zone's clocks show it.
func SplitTimestampTZ(ts int64, loc *time.Location) Civil {
	offset, zone := 0, "UTC"
	if loc != nil && loc != time.UTC {
		zone, offset = time.Unix(floorDiv64(ts, MicrosPerSecond)+unixEpochSeconds, 0).In(loc).Zone()
	}
	c := SplitTimestamp(ts + int64(offset)*MicrosPerSecond)
	c.Offset, c.Zone = offset, zone
	return c
}

func floorDiv64(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// JoinTimestamp gives the timestamp of a civil time; false when it is out of range.
func JoinTimestamp(c Civil) (int64, bool) {
	if c.Year < -4713 || c.Year > 294277 {
		return 0, false
	}
	days := int64(DaysOf(c.Year, c.Month, c.Day))
	micros := int64(c.Hour)*MicrosPerHour + int64(c.Min)*MicrosPerMinute + int64(c.Sec)*MicrosPerSecond + int64(c.Micro)
	if days > endTimestamp/MicrosPerDay+1 || days < minTimestamp/MicrosPerDay-1 {
		return 0, false
	}
	hi := days * MicrosPerDay
	ts := hi + micros
	if (hi > 0 && micros > 0 && ts < 0) || !TimestampInRange(ts) {
		return 0, false
	}
	return ts, true
}

// TimestampInRange tells whether a finite timestamp is within PostgreSQL's limits.
func TimestampInRange(ts int64) bool { return ts >= minTimestamp && ts < endTimestamp }

// TimestampFinite tells whether a timestamp is neither infinity.
func TimestampFinite(ts int64) bool { return ts != TimestampInfinity && ts != TimestampNegInfinity }

// DateInRange tells whether a finite date is within PostgreSQL's limits.
func DateInRange(days int64) bool { return days >= minDate && days < endDate }

// ZoneOffset gives the seconds east of UTC that a zone's clocks show at a local time. A time that a change of the clocks
// skips counts as before the change, one that it repeats as after.
func ZoneOffset(local int64, loc *time.Location) int {
	if loc == nil || loc == time.UTC {
		return 0
	}
	sec := floorDiv64(local, MicrosPerSecond) + unixEpochSeconds
	at := func(t int64) int {
		_, off := time.Unix(t, 0).In(loc).Zone()
		return off
	}
	before, after := at(sec-86400), at(sec+86400)
	if before == after {
		if mid := at(sec - int64(before)); mid == before {
			return before
		}
	}
	b := at(sec-int64(before)) == before
	a := at(sec-int64(after)) == after
	if a && (!b || before != after) {
		return after
	}
	return before
}

// LocalToUTC turns a local timestamp into a timestamptz; false when it is out of range.
func LocalToUTC(local int64, loc *time.Location) (int64, bool) {
	ts := local - int64(ZoneOffset(local, loc))*MicrosPerSecond
	return ts, TimestampInRange(ts)
}

// UTCToLocal turns a finite timestamptz into the local timestamp.
func UTCToLocal(ts int64, loc *time.Location) int64 {
	if loc == nil || loc == time.UTC {
		return ts
	}
	_, off := time.Unix(floorDiv64(ts, MicrosPerSecond)+unixEpochSeconds, 0).In(loc).Zone()
	return ts + int64(off)*MicrosPerSecond
}

// TimestampOf gives the timestamptz of a time.
func TimestampOf(t time.Time) int64 {
	return (t.Unix()-unixEpochSeconds)*MicrosPerSecond + int64(t.Nanosecond())/1000
}

// abbrevOffset looks an abbreviation up, in upper case.
func abbrevOffset(name string) (int, bool) {
	i := sort.Search(len(zoneAbbrevs), func(i int) bool { return zoneAbbrevs[i].name >= name })
	if i < len(zoneAbbrevs) && zoneAbbrevs[i].name == name {
		return zoneAbbrevs[i].offset, true
	}
	return 0, false
}

// LoadZone resolves a time zone as SET TIME ZONE and AT TIME ZONE do: an abbreviation, a name of the tz database in any
// case, or a POSIX form such as EST5EDT or <+03>-3 (whose sign counts west as positive).
func LoadZone(name string) (*time.Location, error) {
	if off, ok := abbrevOffset(strings.ToUpper(name)); ok {
		return time.FixedZone(strings.ToUpper(name), off), nil
	}
	if loc, ok := LoadZoneName(name); ok {
		return loc, nil
	}
	return nil, pgerror.Newf(pgerror.InvalidParameterValue, "time zone \"%s\" not recognized", name)
}

// LoadZoneName is LoadZone without abbreviations.
func LoadZoneName(name string) (*time.Location, bool) {
	if name == "" || strings.EqualFold(name, "local") {
		return nil, false
	}
	if strings.EqualFold(name, "utc") || strings.EqualFold(name, "gmt") || strings.EqualFold(name, "zulu") {
		return time.UTC, true
	}
	if loc, err := time.LoadLocation(name); err == nil {
		return loc, true
	}
	if loc, err := time.LoadLocation(zoneCase(name)); err == nil {
		return loc, true
	}
	if loc, err := time.LoadLocation(strings.ToUpper(name)); err == nil {
		return loc, true
	}
	return posixZone(name)
}

// zoneCase spells a zone as the tz database does: Europe/Berlin, America/Port_of_Spain.
func zoneCase(name string) string {
	b := []byte(strings.ToLower(name))
	start := true
	for i, c := range b {
		if start && c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
		start = c == '/' || c == '_' || c == '-'
	}
	for _, w := range [...]string{"_Of_", "_Es_", "-Of-", "_De_"} {
		b = []byte(strings.ReplaceAll(string(b), w, strings.ToLower(w)))
	}
	return string(b)
}

// posixZone reads NAMEoffset without rules of daylight saving.
func posixZone(name string) (*time.Location, bool) {
	i := 0
	abbrev := ""
	if strings.HasPrefix(name, "<") {
		end := strings.IndexByte(name, '>')
		if end < 0 {
			return nil, false
		}
		abbrev, i = name[1:end], end+1
	} else {
		for i < len(name) && isAlpha(name[i]) {
			i++
		}
		abbrev = name[:i]
	}
	if i == len(name) || abbrev == "" {
		return nil, false
	}
	off, ok := parseZoneOffset(name[i:])
	if !ok {
		return nil, false
	}
	return time.FixedZone(strings.ToUpper(abbrev), -off), true
}

// parseZoneOffset reads [+-]hh[:mm[:ss]] or [+-]hhmm as seconds.
func parseZoneOffset(s string) (int, bool) {
	sign := 1
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	parts := strings.Split(s, ":")
	if len(parts) > 3 || parts[0] == "" {
		return 0, false
	}
	var v [3]int
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return 0, false
		}
		v[i] = int(n)
	}
	if len(parts) == 1 && len(parts[0]) > 2 {
		v[0], v[1] = v[0]/100, v[0]%100
	}
	if v[0] > 15 || v[1] > 59 || v[2] > 59 {
		return 0, false
	}
	return sign * (v[0]*3600 + v[1]*60 + v[2]), true
}
