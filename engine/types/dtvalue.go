package types

import (
	"encoding/binary"

	"manifold/engine/pgerror"
)

func outOfRange(what, s string) error {
	return pgerror.Newf(pgerror.DatetimeFieldOverflow, "%s out of range: \"%s\"", what, s)
}

// localNow gives the transaction's timestamp as the session's clocks show it.
func localNow(env *Env) int64 { return UTCToLocal(TimestampOf(env.now()), env.zone()) }

// specialDay gives the day of a special word, as a local date.
func specialDay(sp dtSpecial, env *Env) int64 {
	day := floorDiv64(localNow(env), MicrosPerDay)
	switch sp {
	case dtTomorrow:
		return day + 1
	case dtYesterday:
		return day - 1
	case dtEpoch:
		return unixEpochDays
	}
	return day
}

func parseDate(s string, env *Env) (Datum, error) {
	if d, ok := fastDate(s); ok {
		return Datum{I: d}, nil
	}
	p := dtParser{s: s, typ: "date", env: env}
	if err := p.parse(); err != nil {
		return Null, err
	}
	switch p.f.special {
	case dtNone:
	case dtInfinity:
		return Datum{I: DateInfinity}, nil
	case dtNegInfinity:
		return Datum{I: DateNegInfinity}, nil
	default:
		return Datum{I: specialDay(p.f.special, env)}, nil
	}
	if !p.f.haveDate {
		return Null, p.bad()
	}
	days := int64(DaysOf(p.f.year, p.f.month, p.f.day))
	if !DateInRange(days) {
		return Null, outOfRange("date", s)
	}
	return Datum{I: days}, nil
}

// fastDate reads yyyy-mm-dd.
func fastDate(s string) (int64, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || y == 0 || m < 1 || m > 12 || d < 1 || d > DaysIn(y, m) {
		return 0, false
	}
	return int64(DaysOf(y, m, d)), true
}

func digits(s string) (int, bool) {
	v := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}

func parseTimestamp(s string, env *Env, tz bool) (Datum, error) {
	name := "timestamp"
	if tz {
		name = "timestamp with time zone"
	}
	if ts, ok := fastTimestamp(s); ok && !tz {
		return Datum{I: ts}, nil
	}
	p := dtParser{s: s, typ: name, env: env}
	if err := p.parse(); err != nil {
		return Null, err
	}
	var local int64
	switch p.f.special {
	case dtInfinity:
		return Datum{I: TimestampInfinity}, nil
	case dtNegInfinity:
		return Datum{I: TimestampNegInfinity}, nil
	case dtNow:
		if tz {
			return Datum{I: TimestampOf(env.now())}, nil
		}
		return Datum{I: localNow(env)}, nil
	case dtEpoch:
		return Datum{I: unixEpochDays * MicrosPerDay}, nil
	case dtNone:
		if !p.f.haveDate {
			return Null, p.bad()
		}
		c := Civil{Year: p.f.year, Month: p.f.month, Day: p.f.day}
		day, ok := JoinTimestamp(c)
		if !ok {
			return Null, outOfRange("timestamp", s)
		}
		local = day + p.f.micros
		if !TimestampInRange(local) {
			return Null, outOfRange("timestamp", s)
		}
	default:
		local = specialDay(p.f.special, env)*MicrosPerDay + p.f.micros
	}
	if !tz {
		return Datum{I: local}, nil
	}
	ts, ok := p.toUTC(local)
	if !ok {
		return Null, outOfRange("timestamp", s)
	}
	return Datum{I: ts}, nil
}

func (p *dtParser) toUTC(local int64) (int64, bool) {
	switch {
	case p.f.haveOffset:
		ts := local - int64(p.f.offset)*MicrosPerSecond
		return ts, TimestampInRange(ts)
	case p.f.zone != nil:
		return LocalToUTC(local, p.f.zone)
	}
	return LocalToUTC(local, p.env.zone())
}

// fastTimestamp reads yyyy-mm-dd hh:mm:ss[.ffffff].
func fastTimestamp(s string) (int64, bool) {
	if len(s) < 19 || len(s) > 26 || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	day, ok := fastDate(s[:10])
	h, ok1 := digits(s[11:13])
	m, ok2 := digits(s[14:16])
	sec, ok3 := digits(s[17:19])
	if !ok || !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	micros := int64(0)
	if len(s) > 19 {
		f, ok := digits(s[20:])
		if !ok || s[19] != '.' || len(s) == 20 {
			return 0, false
		}
		micros = int64(f) * pow10[26-len(s)]
	}
	return day*MicrosPerDay + int64(h)*MicrosPerHour + int64(m)*MicrosPerMinute + int64(sec)*MicrosPerSecond + micros, true
}

func parseTime(s string, env *Env) (Datum, error) {
	p := dtParser{s: s, typ: "time", env: env}
	if err := p.parse(); err != nil {
		return Null, err
	}
	if p.f.special == dtNow {
		local := localNow(env)
		return Datum{I: local - floorDiv64(local, MicrosPerDay)*MicrosPerDay}, nil
	}
	if !p.f.haveTime || p.f.special != dtNone {
		return Null, p.bad()
	}
	return Datum{I: p.f.micros}, nil
}

func parseTimeTZ(s string, env *Env) (Datum, error) {
	p := dtParser{s: s, typ: "time with time zone", env: env}
	if err := p.parse(); err != nil {
		return Null, err
	}
	micros := p.f.micros
	if p.f.special == dtNow {
		local := localNow(env)
		micros = local - floorDiv64(local, MicrosPerDay)*MicrosPerDay
	} else if !p.f.haveTime || p.f.special != dtNone {
		return Null, p.bad()
	}
	off := p.f.offset
	if !p.f.haveOffset {
		loc := env.zone()
		if p.f.zone != nil {
			loc = p.f.zone
		}
		day := floorDiv64(localNow(env), MicrosPerDay)
		if p.f.haveDate {
			day = int64(DaysOf(p.f.year, p.f.month, p.f.day))
		}
		off = ZoneOffset(day*MicrosPerDay+micros, loc)
	}
	return TimeTZ{Micros: micros, West: int32(-off)}.Datum(), nil
}

// TimeTZ is a time of day with its distance from UTC in seconds, west being positive as PostgreSQL keeps it.
type TimeTZ struct {
	Micros int64
	West   int32
}

const timeTZSize = 12

// OpenTimeTZ reads a stored timetz.
func OpenTimeTZ(d Datum) TimeTZ {
	if len(d.B) < timeTZSize {
		return TimeTZ{}
	}
	return TimeTZ{Micros: int64(binary.LittleEndian.Uint64(d.B)), West: int32(binary.LittleEndian.Uint32(d.B[8:]))}
}

// Append appends the stored form.
func (t TimeTZ) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Micros))
	return binary.LittleEndian.AppendUint32(dst, uint32(t.West))
}

// Datum gives the stored form in fresh memory.
func (t TimeTZ) Datum() Datum { return Datum{B: t.Append(make([]byte, 0, timeTZSize))} }

// Cmp orders by the instant, then by the zone.
func (t TimeTZ) Cmp(o TimeTZ) int {
	if c := cmpInt(t.Micros+int64(t.West)*MicrosPerSecond, o.Micros+int64(o.West)*MicrosPerSecond); c != 0 {
		return c
	}
	return cmpInt(int64(t.West), int64(o.West))
}
