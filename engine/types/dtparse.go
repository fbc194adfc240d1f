package types

import (
	"strconv"
	"strings"
	"time"

	"manifold/engine/pgerror"
)

// dtSpecial is a word that stands for a whole value.
type dtSpecial uint8

const (
	dtNone dtSpecial = iota
	dtNow
	dtToday
	dtTomorrow
	dtYesterday
	dtEpoch
	dtInfinity
	dtNegInfinity
)

// dtFields is what was read of a date or time.
type dtFields struct {
	special                   dtSpecial
	haveDate, haveTime        bool
	year, month, day          int
	bc                        bool
	micros                    int64
	pm, am                    bool
	zone                      *time.Location
	haveOffset                bool
	offset                    int // seconds east
	year2                     bool
	haveYear, haveMon, haveDy bool
	doy                       int
}

// dtParser reads one string.
type dtParser struct {
	s     string
	i     int
	typ   string
	env   *Env
	f     dtFields
	isoT  bool
	nums  [3]int
	nnums int
}

func (p *dtParser) bad() error {
	return pgerror.Newf(pgerror.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", p.typ, p.s)
}

// timeOnly tells whether a time of day is wanted.
func (p *dtParser) timeOnly() bool { return p.typ == "time" || p.typ == "time with time zone" }

func (p *dtParser) overflow() error {
	return pgerror.Newf(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", p.s)
}

func (p *dtParser) overflowMD() error {
	return pgerror.Newf(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", p.s).
		WithHint("Perhaps you need a different \"datestyle\" setting.")
}

func (p *dtParser) take(ok func(byte) bool) string {
	start := p.i
	for p.i < len(p.s) && ok(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func (p *dtParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// parse reads all tokens.
func (p *dtParser) parse() error {
	if len(p.s) > 256 {
		return p.bad()
	}
	for p.i < len(p.s) {
		c := p.s[p.i]
		var err error
		switch {
		case isSpace(c) || c == ',':
			p.i++
		case isDigit(c):
			err = p.number()
		case isAlpha(c):
			err = p.word()
		case c == '+' || c == '-':
			err = p.signed()
		default:
			return p.bad()
		}
		if err != nil {
			return err
		}
	}
	return p.finish()
}

func (p *dtParser) number() error {
	start := p.i
	digits := p.take(isDigit)
	switch c := p.peek(); {
	case c == ':':
		return p.clock(digits)
	case p.isoT && !p.f.haveTime:
		return p.packedTime(digits)
	case (c == '-' || c == '/' || c == '.') && !p.f.haveDate && p.i+1 < len(p.s) && (isDigit(p.s[p.i+1]) || isAlpha(p.s[p.i+1])):
		p.i = start
		return p.dashed(c)
	case c == '.' && len(digits) == 6 && p.f.haveDate && !p.f.haveTime:
		return p.packedTime(digits)
	case (len(digits) == 8 || len(digits) == 6) && !p.f.haveDate && p.nnums == 0 && !p.f.haveMon:
		return p.packedDate(digits)
	case len(digits) == 6 && p.f.haveDate && !p.f.haveTime:
		return p.packedTime(digits)
	case len(digits) <= 2 && (p.f.haveDate || p.timeOnly()) && !p.f.haveTime && p.meridianFollows():
		return p.clock(digits)
	}
	v, err := strconv.Atoi(digits)
	if err != nil || len(digits) > 7 {
		return p.overflow()
	}
	if len(digits) == 3 && p.f.haveYear && !p.f.haveMon && p.f.doy == 0 {
		p.f.doy = v
		return nil
	}
	if len(digits) >= 3 && !p.f.haveYear {
		p.f.year, p.f.haveYear = v, true
		return nil
	}
	if p.f.haveDate || p.nnums == 3 {
		return p.bad()
	}
	p.nums[p.nnums] = v
	p.nnums++
	p.f.year2 = p.f.year2 || len(digits) <= 2
	return nil
}

func (p *dtParser) meridianFollows() bool {
	rest := strings.ToLower(strings.TrimLeft(p.s[p.i:], " "))
	return strings.HasPrefix(rest, "am") || strings.HasPrefix(rest, "pm")
}

// clock reads h:m[:s[.ffffff]] after the hours.
func (p *dtParser) clock(hours string) error {
	if p.f.haveTime || len(hours) > 7 {
		return p.bad()
	}
	h, _ := strconv.Atoi(hours)
	m, s, frac := 0, 0, int64(0)
	if p.peek() == ':' {
		p.i++
		t := p.take(isDigit)
		if t == "" || len(t) > 4 {
			return p.bad()
		}
		m, _ = strconv.Atoi(t)
		if p.peek() == ':' {
			p.i++
			if t = p.take(isDigit); t == "" || len(t) > 4 {
				return p.bad()
			}
			s, _ = strconv.Atoi(t)
			frac = p.fraction()
		} else if p.peek() == '.' {
			h, m, s = 0, h, m
			frac = p.fraction()
		}
	}
	return p.setTime(h, m, s, frac)
}

// fraction reads an optional fraction of a second, rounded to microseconds.
func (p *dtParser) fraction() int64 {
	if p.peek() != '.' {
		return 0
	}
	p.i++
	return fracMicros(p.take(isDigit))
}

// fracMicros turns the digits behind a point into rounded microseconds.
func fracMicros(digits string) int64 {
	v, n := int64(0), 0
	for n < 6 {
		v *= 10
		if n < len(digits) {
			v += int64(digits[n] - '0')
		}
		n++
	}
	if len(digits) > 6 && digits[6] >= '5' {
		if rest := strings.TrimRight(digits[7:], "0"); digits[6] > '5' || rest != "" || v%2 == 1 {
			v++
		}
	}
	return v
}

func (p *dtParser) setTime(h, m, s int, frac int64) error {
	if p.f.haveTime {
		return p.bad()
	}
	if m > 59 || s > 60 || h > 24 || h == 24 && (m > 0 || s > 0 || frac > 0) {
		return p.overflow()
	}
	p.f.haveTime = true
	p.f.micros = (int64(h)*3600+int64(m)*60+int64(s))*MicrosPerSecond + frac
	return nil
}

// packedTime reads hhmmss, hhmm or hh.
func (p *dtParser) packedTime(d string) error {
	p.isoT = false
	two := func(i int) int {
		v, _ := strconv.Atoi(d[i : i+2])
		return v
	}
	switch len(d) {
	case 6:
		return p.setTime(two(0), two(2), two(4), p.fraction())
	case 4:
		return p.setTime(two(0), two(2), 0, 0)
	case 2, 1:
		h, _ := strconv.Atoi(d)
		return p.setTime(h, 0, 0, 0)
	}
	return p.bad()
}

// packedDate reads yyyymmdd or yymmdd.
func (p *dtParser) packedDate(d string) error {
	if p.timeOnly() && len(d) == 6 {
		return p.packedTime(d)
	}
	n := len(d) - 4
	p.f.year, _ = strconv.Atoi(d[:n])
	p.f.month, _ = strconv.Atoi(d[n : n+2])
	p.f.day, _ = strconv.Atoi(d[n+2:])
	if n == 2 {
		p.f.year = widenYear(p.f.year)
	}
	p.f.haveDate = true
	return nil
}

func widenYear(y int) int {
	if y < 70 {
		return y + 2000
	}
	return y + 1900
}

// dashed reads a date whose fields are joined by one delimiter.
func (p *dtParser) dashed(delim byte) error {
	var parts [3]string
	n := 0
	for n < 3 {
		parts[n] = p.take(func(c byte) bool { return isDigit(c) })
		if parts[n] == "" {
			parts[n] = p.take(isAlpha)
		}
		if parts[n] == "" {
			return p.bad()
		}
		n++
		if n == 3 || p.peek() != delim {
			break
		}
		p.i++
	}
	if n == 2 && delim == '.' { // yyyy.ddd
		p.f.year, _ = strconv.Atoi(parts[0])
		p.f.doy, _ = strconv.Atoi(parts[1])
		p.f.haveYear = true
		return nil
	}
	if n != 3 {
		return p.bad()
	}
	return p.dateFields(parts[:])
}

func (p *dtParser) dateFields(parts []string) error {
	for i, s := range parts {
		if isAlpha(s[0]) {
			m, ok := monthNumber(s)
			if !ok {
				return p.bad()
			}
			a, b := parts[(i+1)%3], parts[(i+2)%3]
			if i == 1 {
				a, b = parts[0], parts[2]
			}
			if i == 2 || len(a) > 2 { // 1999-08-Jan does not exist; 1999-Jan-08 does
				a, b = b, a
			}
			return p.setDate(b, m, a)
		}
		if len(s) > 7 {
			return p.overflow()
		}
	}
	if len(parts[0]) > 2 {
		m, _ := strconv.Atoi(parts[1])
		return p.setDate(parts[0], m, parts[2])
	}
	order := OrderMDY
	if p.env != nil {
		order = p.env.DateOrder
	}
	y, m, d := parts[2], parts[0], parts[1]
	switch order {
	case OrderDMY:
		m, d = d, m
	case OrderYMD:
		y, m, d = parts[0], parts[1], parts[2]
	}
	month, _ := strconv.Atoi(m)
	if err := p.setDate(y, month, d); err != nil {
		return err
	}
	if p.f.month < 1 || p.f.month > 12 || p.f.day < 1 || p.f.day > 31 {
		return p.overflowMD()
	}
	return nil
}

func (p *dtParser) setDate(year string, month int, day string) error {
	y, err := strconv.Atoi(year)
	if err != nil {
		return p.bad()
	}
	d, err := strconv.Atoi(day)
	if err != nil {
		return p.bad()
	}
	if len(year) <= 2 && !strings.Contains(strings.ToUpper(p.s), "BC") {
		y = widenYear(y)
	}
	p.f.year, p.f.month, p.f.day, p.f.haveDate = y, month, d, true
	return nil
}

func monthNumber(w string) (int, bool) {
	w = strings.ToLower(w)
	for i, m := range [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september",
		"october", "november", "december"} {
		if w == m || w == m[:3] || m == "september" && w == "sept" {
			return i + 1, true
		}
	}
	return 0, false
}

func dayName(w string) bool {
	for _, d := range [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"} {
		if w == d || w == d[:3] {
			return true
		}
	}
	return w == "tues" || w == "wednes" || w == "weds" || w == "thur" || w == "thurs"
}

func (p *dtParser) word() error {
	start := p.i
	w := strings.ToLower(p.take(isAlpha))
	if c := p.peek(); c == '/' || c == '_' || (c == '-' || c == '+') && p.f.haveTime && len(w) >= 3 || isDigit(c) && len(w) >= 3 && !monthWord(w) {
		return p.zoneWord(start)
	}
	if m, ok := monthNumber(w); ok && !p.f.haveMon {
		p.f.month, p.f.haveMon = m, true
		if sep := p.peek(); sep == '-' || sep == '/' || sep == '.' { // Jan-08-1999
			p.i++
			rest := p.s[p.i:]
			if d, y, ok := strings.Cut(rest, string(sep)); ok && len(d) > 0 && len(d) <= 2 && len(y) > 0 && isDigit(y[0]) {
				p.i += len(d) + 1
				v, ok := digits(d)
				if !ok {
					return p.bad()
				}
				p.nums[0], p.nnums = v, 1
			}
		}
		return nil
	}
	if sp := specialWord(w); sp != dtNone {
		return p.setSpecial(sp)
	}
	switch w {
	case "t":
		if p.f.haveDate && !p.f.haveTime || p.timeOnly() {
			p.isoT = true
			return nil
		}
		return p.bad()
	case "am":
		p.f.am = true
		return nil
	case "pm":
		p.f.pm = true
		return nil
	case "ad":
		return nil
	case "bc":
		p.f.bc = true
		return nil
	case "at", "on":
		return nil
	case "j", "jd", "julian":
		return p.julian()
	case "allballs":
		p.f.haveOffset = true
		return p.setTime(0, 0, 0, 0)
	}
	if dayName(w) {
		return nil
	}
	return p.zoneWord(start)
}

func monthWord(w string) bool {
	_, ok := monthNumber(w)
	return ok
}

func specialWord(w string) dtSpecial {
	switch w {
	case "now":
		return dtNow
	case "today":
		return dtToday
	case "tomorrow":
		return dtTomorrow
	case "yesterday":
		return dtYesterday
	case "epoch":
		return dtEpoch
	case "infinity", "inf":
		return dtInfinity
	}
	return dtNone
}

func (p *dtParser) setSpecial(sp dtSpecial) error {
	if p.f.special != dtNone || p.f.haveDate {
		return p.bad()
	}
	p.f.special = sp
	return nil
}

func (p *dtParser) julian() error {
	if p.f.haveDate || p.f.haveMon {
		return p.bad()
	}
	digits := p.take(isDigit)
	if digits == "" || len(digits) > 10 {
		return p.bad()
	}
	j, _ := strconv.Atoi(digits)
	p.f.year, p.f.month, p.f.day = CivilOf(j - julianEpoch)
	if p.f.year <= 0 {
		p.f.year, p.f.bc = 1-p.f.year, true
	}
	p.f.haveDate = true
	return nil
}

// zoneWord reads a time zone by abbreviation or name.
func (p *dtParser) zoneWord(start int) error {
	p.i = start
	name := p.take(func(c byte) bool {
		return isAlpha(c) || isDigit(c) || c == '/' || c == '_' || c == '-' || c == '+' || c == ':'
	})
	if p.f.zone != nil || p.f.haveOffset {
		return p.bad()
	}
	if off, ok := abbrevOffset(strings.ToUpper(name)); ok {
		p.f.offset, p.f.haveOffset = off, true
		return nil
	}
	loc, ok := LoadZoneName(name)
	if !ok {
		if strings.ContainsAny(name, "/") {
			return pgerror.Newf(pgerror.InvalidParameterValue, "time zone \"%s\" not recognized", strings.ToLower(name))
		}
		return p.bad()
	}
	p.f.zone = loc
	return nil
}

func (p *dtParser) signed() error {
	sign := p.s[p.i]
	p.i++
	if isAlpha(p.peek()) {
		if sign == '-' && specialWord(strings.ToLower(p.take(isAlpha))) == dtInfinity {
			return p.setSpecial(dtNegInfinity)
		}
		if sign == '+' {
			return nil
		}
		return p.bad()
	}
	t := p.take(func(c byte) bool { return isDigit(c) || c == ':' })
	if t == "" || p.f.haveOffset || p.f.zone != nil || !p.f.haveTime && !p.f.haveDate && p.f.special == dtNone {
		return p.bad()
	}
	off, ok := parseZoneOffset(string(sign) + t)
	if !ok {
		return pgerror.Newf(pgerror.InvalidTimeZoneDisplacementValue, "time zone displacement out of range: \"%s\"", p.s)
	}
	p.f.offset, p.f.haveOffset = off, true
	return nil
}

// finish settles loose numbers, the meridian, the era and the limits of the fields.
func (p *dtParser) finish() error {
	f := &p.f
	if p.nnums > 0 || f.haveMon || f.haveYear {
		if err := p.loose(); err != nil {
			return err
		}
	}
	if f.am || f.pm {
		h := f.micros / MicrosPerHour
		if !f.haveTime || h > 12 {
			return p.overflow()
		}
		if f.pm && h < 12 {
			f.micros += 12 * MicrosPerHour
		} else if f.am && h == 12 {
			f.micros -= 12 * MicrosPerHour
		}
	}
	if !f.haveDate {
		return nil
	}
	if f.bc {
		if f.year <= 0 {
			return p.overflow()
		}
		f.year = 1 - f.year
	} else if f.year == 0 {
		return p.overflow()
	}
	if f.month < 1 || f.month > 12 || f.day < 1 || f.day > DaysIn(f.year, f.month) {
		if f.day > 31 || f.month > 12 || f.month < 1 || f.day < 1 {
			return p.overflowMD()
		}
		return p.overflow()
	}
	return nil
}

// loose makes a date of fields that came one by one, as in "Jan 8 1999" or "8 Jan 99".
func (p *dtParser) loose() error {
	f := &p.f
	if f.haveDate {
		return p.bad()
	}
	if f.doy > 0 && f.haveYear && !f.haveMon {
		if f.doy > 366 {
			return p.overflow()
		}
		f.year, f.month, f.day = CivilOf(DaysOf(f.year, 1, 1) + f.doy - 1)
		f.haveDate = true
		return nil
	}
	n := p.nums[:p.nnums]
	switch {
	case f.haveMon && f.haveYear && len(n) == 1:
		f.day = n[0]
	case f.haveMon && !f.haveYear && len(n) == 2:
		f.day, f.year = n[0], widenYear(n[1])
	case f.haveYear && !f.haveMon && len(n) == 2:
		f.month, f.day = n[0], n[1]
	default:
		return p.bad()
	}
	f.haveDate = true
	return nil
}
