package builtins

import (
	"fmt"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// dateToken is one part of a date template: a pattern with its modifiers, or literal text.
type dateToken struct {
	pattern string // upper case; empty for literal text
	text    string // as written
	fill    bool   // without FM
	th      byte   // 0, 't' or 'T'
}

// datePatterns lists the patterns, longer before shorter of one beginning.
func datePatterns() []string {
	return []string{"HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6",
		"AM", "A.M.", "PM", "P.M.", "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "ID", "IW", "I",
		"BC", "B.C.", "AD", "A.D.", "MONTH", "MON", "MM", "DAY", "DY", "DDD", "DD", "D", "WW", "W", "CC", "J", "Q", "RM",
		"TZH", "TZM", "TZ", "OF"}
}

// parseDateTemplate splits a template.
func parseDateTemplate(f string) []dateToken {
	var out []dateToken
	literal := func(s string) {
		if n := len(out); n > 0 && out[n-1].pattern == "" {
			out[n-1].text += s
		} else {
			out = append(out, dateToken{text: s})
		}
	}
	patterns := datePatterns()
	for i := 0; i < len(f); {
		if f[i] == '"' {
			end := strings.IndexByte(f[i+1:], '"')
			if end < 0 {
				end = len(f) - i - 1
			}
			literal(f[i+1 : i+1+end])
			i = min(i+end+2, len(f))
			continue
		}
		fill, at := true, i
		for {
			switch up := strings.ToUpper(f[at:min(at+2, len(f))]); up {
			case "FM":
				fill = false
				at += 2
				continue
			case "FX", "TM":
				at += 2
				continue
			}
			break
		}
		best := ""
		up := strings.ToUpper(f[at:min(at+6, len(f))])
		for _, p := range patterns {
			if strings.HasPrefix(up, p) && len(p) > len(best) {
				best = p
			}
		}
		if best == "" {
			literal(f[i : i+1])
			i++
			continue
		}
		t := dateToken{pattern: best, text: f[at : at+len(best)], fill: fill}
		i = at + len(best)
		if i+1 < len(f) && strings.EqualFold(f[i:i+2], "TH") {
			t.th = f[i]
			i += 2
		}
		out = append(out, t)
	}
	return out
}

func monthNames() [12]string {
	return [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
}

func dayNames() [7]string {
	return [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
}

// like the pattern's spelling: MONTH, Month or month.
func casedAs(pattern, word string) string {
	switch {
	case pattern[0] >= 'a':
		return strings.ToLower(word)
	case len(pattern) > 1 && pattern[1] >= 'a':
		return word
	}
	return strings.ToUpper(word)
}

// dateFields is what to_char prints and to_timestamp reads.
type dateFields struct {
	c        types.Civil
	interval bool
}

func (d *dateFields) number(t dateToken, v, width int) string {
	s := strconv.Itoa(v)
	if t.fill && width > 0 {
		s = fmt.Sprintf("%0*d", width, v)
		if v < 0 {
			s = fmt.Sprintf("-%0*d", width, -v)
		}
	}
	if t.th != 0 {
		s += ordinal(v, t.th)
	}
	return s
}

func ordinal(v int, th byte) string {
	s := "th"
	if v%100 < 11 || v%100 > 13 {
		switch v % 10 {
		case 1:
			s = "st"
		case 2:
			s = "nd"
		case 3:
			s = "rd"
		}
	}
	if th == 'T' {
		return strings.ToUpper(s)
	}
	return s
}

func (d *dateFields) name(t dateToken, word string, width int) string {
	s := casedAs(t.text, word)
	if t.fill && width > len(s) {
		s += strings.Repeat(" ", width-len(s))
	}
	return s
}

// print appends one pattern.
func (d *dateFields) print(t dateToken) (string, error) {
	if s, ok := d.printClock(t); ok {
		return s, nil
	}
	c := &d.c
	year := c.Year
	if year <= 0 && !d.interval {
		year = 1 - year
	}
	if d.interval {
		switch t.pattern {
		case "YYYY", "YYY", "YY", "Y", "MM", "DD", "Y,YYY":
		default:
			return "", pgerror.New(pgerror.InvalidDatetimeFormat, "invalid format specification for an interval value").
				WithHint("Intervals are not tied to specific calendar dates.")
		}
	}
	switch t.pattern {
	case "Y,YYY":
		return fmt.Sprintf("%d,%03d", year/1000, year%1000), nil
	case "YYYY":
		return d.number(t, year, 4), nil
	case "YYY":
		return d.number(t, year%1000, 3), nil
	case "YY":
		return d.number(t, year%100, 2), nil
	case "Y":
		return d.number(t, year%10, 1), nil
	case "MM":
		return d.number(t, c.Month, 2), nil
	case "DD":
		return d.number(t, c.Day, 2), nil
	case "BC", "AD":
		return casedAs(strings.ToUpper(t.text[:1])+t.text[1:2], map[bool]string{true: "BC", false: "AD"}[c.Year <= 0]), nil
	case "B.C.", "A.D.":
		s := map[bool]string{true: "B.C.", false: "A.D."}[c.Year <= 0]
		if t.text[0] >= 'a' {
			s = strings.ToLower(s)
		}
		return s, nil
	}
	return d.printDay(t)
}

func (d *dateFields) printClock(t dateToken) (string, bool) {
	c := &d.c
	switch t.pattern {
	case "HH24":
		return d.number(t, c.Hour, 2), true
	case "HH", "HH12":
		h := c.Hour % 12
		if h == 0 {
			h = 12
		}
		return d.number(t, h, 2), true
	case "MI":
		return d.number(t, c.Min, 2), true
	case "SS":
		return d.number(t, c.Sec, 2), true
	case "SSSS", "SSSSS":
		return d.number(t, c.Hour*3600+c.Min*60+c.Sec, 0), true
	case "MS":
		return d.number(t, c.Micro/1000, 3), true
	case "US":
		return d.number(t, c.Micro, 6), true
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return fmt.Sprintf("%06d", c.Micro)[:t.pattern[2]-'0'], true
	case "AM", "PM", "A.M.", "P.M.":
		s := "AM"
		if c.Hour%24 >= 12 {
			s = "PM"
		}
		if len(t.pattern) == 4 {
			s = s[:1] + ".M."
		}
		if t.text[0] >= 'a' {
			s = strings.ToLower(s)
		}
		return s, true
	}
	return "", false
}

func (d *dateFields) printDay(t dateToken) (string, error) {
	c := &d.c
	days := types.DaysOf(c.Year, c.Month, c.Day)
	dow := ((days+6)%7 + 7) % 7
	doy := days - types.DaysOf(c.Year, 1, 1) + 1
	isoYear, week := isoWeek(days)
	switch t.pattern {
	case "MONTH":
		return d.name(t, monthNames()[c.Month-1], 9), nil
	case "MON":
		return d.name(t, monthNames()[c.Month-1][:3], 0), nil
	case "DAY":
		return d.name(t, dayNames()[dow], 9), nil
	case "DY":
		return d.name(t, dayNames()[dow][:3], 0), nil
	case "DDD":
		return d.number(t, doy, 3), nil
	case "IDDD":
		return d.number(t, (week-1)*7+(dow+6)%7+1, 3), nil
	case "D":
		return d.number(t, dow+1, 0), nil
	case "ID":
		return d.number(t, (dow+6)%7+1, 0), nil
	case "WW":
		return d.number(t, (doy-1)/7+1, 2), nil
	case "IW":
		return d.number(t, week, 2), nil
	case "W":
		return d.number(t, (c.Day-1)/7+1, 0), nil
	case "IYYY":
		return d.number(t, isoYear, 4), nil
	case "IYY":
		return d.number(t, isoYear%1000, 3), nil
	case "IY":
		return d.number(t, isoYear%100, 2), nil
	case "I":
		return d.number(t, isoYear%10, 1), nil
	case "CC":
		return d.number(t, int(agesOf(c.Year, 100)), 2), nil
	case "J":
		return d.number(t, days+2451545, 0), nil
	case "Q":
		return d.number(t, (c.Month-1)/3+1, 0), nil
	case "RM":
		roman := [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}[c.Month-1]
		return d.name(t, roman, 4), nil
	case "TZ":
		zone := c.Zone
		if t.text[0] >= 'a' {
			zone = strings.ToLower(zone)
		}
		return zone, nil
	}
	sign, off := '+', c.Offset
	if off < 0 {
		sign, off = '-', -off
	}
	switch t.pattern {
	case "TZH":
		return fmt.Sprintf("%c%02d", sign, off/3600), nil
	case "TZM":
		return fmt.Sprintf("%02d", off/60%60), nil
	}
	if off%3600 != 0 {
		return fmt.Sprintf("%c%02d:%02d", sign, off/3600, off/60%60), nil
	}
	return fmt.Sprintf("%c%02d", sign, off/3600), nil
}

func (d *dateFields) format(c *Context, f string) (types.Datum, error) {
	var out []byte
	for _, t := range parseDateTemplate(f) {
		if t.pattern == "" {
			out = append(out, t.text...)
			continue
		}
		s, err := d.print(t)
		if err != nil {
			return types.Null, err
		}
		out = append(out, s...)
	}
	return c.bytes(out), nil
}

func registerFormat(r registry) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if !types.TimestampFinite(a[0].I) || len(a[1].B) == 0 {
			return types.Null, nil
		}
		d := dateFields{c: types.SplitTimestamp(a[0].I)}
		return d.format(c, str(a[1]))
	}, "timestamp_to_char")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if !types.TimestampFinite(a[0].I) || len(a[1].B) == 0 {
			return types.Null, nil
		}
		d := dateFields{c: types.SplitTimestampTZ(a[0].I, c.zone())}
		return d.format(c, str(a[1]))
	}, "timestamptz_to_char")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		iv := types.OpenInterval(a[0])
		d := dateFields{interval: true, c: types.Civil{Year: int(iv.Months / 12), Month: int(iv.Months % 12), Day: int(iv.Days),
			Hour: int(iv.Micros / types.MicrosPerHour), Min: int(iv.Micros / types.MicrosPerMinute % 60),
			Sec: int(iv.Micros / types.MicrosPerSecond % 60), Micro: int(iv.Micros % types.MicrosPerSecond)}}
		return d.format(c, str(a[1]))
	}, "interval_to_char")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		civil, err := readDate(str(a[0]), str(a[1]))
		if err != nil {
			return types.Null, err
		}
		ts, ok := types.JoinTimestamp(civil)
		if !ok {
			return types.Null, timestampRange()
		}
		if civil.Zone != "" {
			return checkTimestamp(ts - int64(civil.Offset)*types.MicrosPerSecond)
		}
		return types.Int(toUTC(c, ts)), nil
	}, "to_timestamp")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		civil, err := readDate(str(a[0]), str(a[1]))
		if err != nil {
			return types.Null, err
		}
		return types.Int(int64(types.DaysOf(civil.Year, civil.Month, civil.Day))), nil
	}, "to_date")
	registerNumberFormat(r)
}
