package builtins

import (
	"strconv"
	"strings"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// dateReader reads a text by a date template.
type dateReader struct {
	s       string
	c       types.Civil
	pm, am  bool
	bc      bool
	doy     int
	hour12  bool
	julian  int
	haveJul bool
}

func badValue(value, pattern string) *pgerror.Error {
	return pgerror.Newf(pgerror.InvalidDatetimeFormat, "invalid value \"%s\" for \"%s\"", value, pattern)
}

// readDate reads the patterns of to_date and to_timestamp; the offset is set when Zone is not empty.
func readDate(s, template string) (types.Civil, error) {
	r := dateReader{s: s, c: types.Civil{Year: 1 - 1, Month: 1, Day: 1}}
	tokens := parseDateTemplate(template)
	for i, t := range tokens {
		if t.pattern == "" {
			r.skip(t.text)
			continue
		}
		r.s = strings.TrimLeft(r.s, " \t\n")
		adjacent := i+1 < len(tokens) && tokens[i+1].pattern != ""
		if err := r.read(t, adjacent); err != nil {
			return r.c, err
		}
	}
	return r.finish(s)
}

// skip passes over literal text: separators match any separators.
func (r *dateReader) skip(text string) {
	for i := range len(text) {
		if text[i] == ' ' || !alnum(text[i]) {
			if r.s != "" && !alnum(r.s[0]) {
				r.s = r.s[1:]
			}
			continue
		}
		if r.s != "" {
			r.s = r.s[1:]
		}
	}
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// number reads up to width digits when another field follows at once, else all digits.
func (r *dateReader) number(t dateToken, width int, adjacent bool) (int, error) {
	limit := len(r.s)
	if adjacent && t.fill {
		limit = min(limit, width)
	}
	end := 0
	if end < limit && (r.s[0] == '-' || r.s[0] == '+') && t.pattern[0] == 'Y' {
		end++
	}
	for end < limit && r.s[end] >= '0' && r.s[end] <= '9' {
		end++
	}
	v, err := strconv.Atoi(r.s[:end])
	if err != nil {
		return 0, badValue(r.s[:min(len(r.s), max(end, width))], t.text).WithDetail("Value must be an integer.")
	}
	r.s = r.s[end:]
	return v, nil
}

func (r *dateReader) word(t dateToken, words []string, short int) (int, error) {
	for i, w := range words {
		if short > 0 {
			w = w[:short]
		}
		if len(r.s) >= len(w) && strings.EqualFold(r.s[:len(w)], w) {
			r.s = r.s[len(w):]
			return i, nil
		}
	}
	return 0, badValue(strings.Fields(r.s + " ")[0:1][0], t.text).
		WithDetail("The given value did not match any of the allowed values for this field.")
}

func (r *dateReader) read(t dateToken, adjacent bool) error {
	var err error
	set := func(p *int, width int) error {
		v, err := r.number(t, width, adjacent)
		*p = v
		return err
	}
	months, days := monthNames(), dayNames()
	if r.s == "" {
		return nil
	}
	switch t.pattern {
	case "YYYY", "IYYY":
		return set(&r.c.Year, 4)
	case "YYY", "YY", "Y":
		width := len(t.pattern)
		before := len(r.s)
		err = set(&r.c.Year, width)
		if n := before - len(r.s); err == nil && n < 4 && n <= width {
			r.c.Year = nearYear(r.c.Year, n)
		}
		return err
	case "MM":
		return set(&r.c.Month, 2)
	case "DD":
		return set(&r.c.Day, 2)
	case "DDD":
		return set(&r.doy, 3)
	case "J":
		r.haveJul = true
		return set(&r.julian, 7)
	case "HH24":
		return set(&r.c.Hour, 2)
	case "HH", "HH12":
		r.hour12 = true
		return set(&r.c.Hour, 2)
	case "MI":
		return set(&r.c.Min, 2)
	case "SS":
		return set(&r.c.Sec, 2)
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return r.fraction(t)
	case "MONTH":
		r.c.Month, err = r.word(t, months[:], 0)
		r.c.Month++
		return err
	case "MON":
		r.c.Month, err = r.word(t, months[:], 3)
		r.c.Month++
		return err
	case "DAY":
		_, err = r.word(t, days[:], 0)
		return err
	case "DY":
		_, err = r.word(t, days[:], 3)
		return err
	case "AM", "PM", "A.M.", "P.M.":
		i, err := r.word(t, []string{"A.M.", "P.M.", "AM", "PM"}, 0)
		r.am, r.pm = i%2 == 0, i%2 == 1
		return err
	case "BC", "AD", "B.C.", "A.D.":
		i, err := r.word(t, []string{"A.D.", "B.C.", "AD", "BC"}, 0)
		r.bc = i%2 == 1
		return err
	case "D", "ID", "Q":
		var ignored int
		return set(&ignored, 1)
	case "TZH":
		sign := 1
		if r.s[0] == '-' {
			sign = -1
		}
		r.s = strings.TrimLeft(r.s, "+-")
		var h int
		err = set(&h, 2)
		r.c.Offset, r.c.Zone = r.c.Offset+sign*h*3600, "TZH"
		return err
	case "TZM":
		var m int
		err = set(&m, 2)
		if r.c.Offset < 0 {
			m = -m
		}
		r.c.Offset, r.c.Zone = r.c.Offset+m*60, "TZH"
		return err
	}
	return pgerror.Unsupported("reading format pattern \"%s\"", t.text)
}

// nearYear completes a year of n digits to the one nearest to 2020.
func nearYear(y, n int) int {
	switch {
	case n <= 2 && y < 70:
		return y + 2000
	case n <= 2:
		return y + 1900
	case y < 520:
		return y + 2000
	}
	return y + 1000
}

func (r *dateReader) fraction(t dateToken) error {
	width := 6
	switch t.pattern {
	case "MS":
		width = 3
	case "US":
	default:
		width = int(t.pattern[2] - '0')
	}
	end := 0
	for end < len(r.s) && end < width && r.s[end] >= '0' && r.s[end] <= '9' {
		end++
	}
	if end == 0 {
		return badValue(r.s, t.text).WithDetail("Value must be an integer.")
	}
	v, _ := strconv.Atoi((r.s[:end] + "000000")[:6])
	r.c.Micro += v
	r.s = r.s[end:]
	return nil
}

func (r *dateReader) finish(whole string) (types.Civil, error) {
	c := &r.c
	bad := pgerror.Newf(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", whole)
	if r.haveJul {
		c.Year, c.Month, c.Day = types.CivilOf(r.julian - 2451545)
	}
	if r.hour12 || r.am || r.pm {
		if c.Hour < 1 || c.Hour > 12 {
			if r.hour12 || c.Hour > 12 {
				return *c, pgerror.Newf(pgerror.InvalidDatetimeFormat, "hour \"%d\" is invalid for the 12-hour clock", c.Hour).
					WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
			}
		}
		if r.pm && c.Hour < 12 {
			c.Hour += 12
		} else if r.am && c.Hour == 12 {
			c.Hour = 0
		}
	}
	if r.bc && c.Year > 0 {
		c.Year = 1 - c.Year
	}
	if r.doy > 0 {
		if r.doy > 366 {
			return *c, bad
		}
		c.Year, c.Month, c.Day = types.CivilOf(types.DaysOf(c.Year, 1, 1) + r.doy - 1)
	}
	if c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > types.DaysIn(c.Year, c.Month) || c.Hour > 23 || c.Min > 59 || c.Sec > 59 {
		return *c, bad
	}
	return *c, nil
}

// readDateStrictly is readDate where the text and the template must end together and what is literal must agree. It tells
// which kinds of fields the template has.
func readDateStrictly(s, template string) (c types.Civil, date, clock, zone bool, err error) {
	r := dateReader{s: s, c: types.Civil{Month: 1, Day: 1}}
	tokens := parseDateTemplate(template)
	for i, t := range tokens {
		if t.pattern == "" {
			if err = r.skipStrictly(t.text); err != nil {
				return r.c, date, clock, zone, err
			}
			continue
		}
		if r.s = strings.TrimLeft(r.s, " \t\n"); r.s == "" {
			return r.c, date, clock, zone, pgerror.New(pgerror.InvalidDatetimeFormat, "input string is too short for datetime format")
		}
		switch p := t.pattern; {
		case p == "TZH" || p == "TZM" || p == "TZ":
			zone = true
		case strings.HasPrefix(p, "HH") || p == "MI" || strings.HasPrefix(p, "SS") || p == "MS" || p == "US" || strings.HasPrefix(p, "FF") ||
			strings.HasSuffix(p, "M") && len(p) == 2 && p != "MM" && p != "RM" || strings.HasSuffix(p, ".M."):
			clock = true
		default:
			date = true
		}
		adjacent := i+1 < len(tokens) && tokens[i+1].pattern != ""
		if err = r.read(t, adjacent); err != nil {
			return r.c, date, clock, zone, err
		}
	}
	if strings.TrimSpace(r.s) != "" {
		return r.c, date, clock, zone, pgerror.New(pgerror.InvalidDatetimeFormat, "trailing characters remain in input string after datetime format")
	}
	c, err = r.finish(s)
	return c, date, clock, zone, err
}

// skipStrictly passes over literal text, which must be there; blanks match any number of them.
func (r *dateReader) skipStrictly(text string) error {
	for i := range len(text) {
		switch {
		case text[i] == ' ':
			r.s = strings.TrimLeft(r.s, " \t\n")
		case r.s == "":
			return pgerror.New(pgerror.InvalidDatetimeFormat, "input string is too short for datetime format")
		case r.s[0] != text[i]:
			what := "character"
			if !alnum(text[i]) {
				what = "separator"
			}
			return pgerror.Newf(pgerror.InvalidDatetimeFormat, "unmatched format %s \"%c\"", what, text[i])
		default:
			r.s = r.s[1:]
		}
	}
	return nil
}
