package builtins

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// method evaluates .type(), .size() and their like.
func (r *pathRun) method(x *types.PathItem, v pathValue, out *pathItems, unwrap bool) (pathResult, error) {
	if unwrap && v.is(types.JSONArray) && x.Kind != types.PathSize && x.Kind != types.PathType {
		return r.each(x, v, out, 1, 1, 1, false, false)
	}
	give := func(j types.JSON) (pathResult, error) { return r.next(x, pathValue{v: &j, root: v.root}, out) }
	switch x.Kind {
	case types.PathType:
		name := [...]string{"null", "string", "number", "boolean", "array", "object"}[v.v.Kind]
		if v.typ != 0 {
			name = types.Name(v.typ)
		}
		return give(types.JSON{Kind: types.JSONString, Str: name})
	case types.PathSize:
		size := 1
		if v.is(types.JSONArray) {
			size = len(v.v.Elems)
		} else if !r.lax {
			return r.structural(pgerror.SQLJSONArrayNotFound, "jsonpath item method .size() can only be applied to an array")
		}
		return give(types.JSON{Kind: types.JSONNumber, Num: types.NumInt(int64(size))})
	case types.PathAbs, types.PathFloor, types.PathCeiling:
		if !v.is(types.JSONNumber) {
			return r.fail(pgerror.Newf(pgerror.NonNumericSQLJSONItem, "jsonpath item method .%s() can only be applied to a numeric value", x.Kind))
		}
		n := v.v.Num
		switch x.Kind {
		case types.PathAbs:
			n = n.Abs()
		case types.PathFloor:
			n = n.Floor()
		default:
			n = n.Ceil()
		}
		return give(types.JSON{Kind: types.JSONNumber, Num: n})
	case types.PathDouble:
		n, err := pathDouble(&v)
		if err != nil {
			return r.fail(err)
		}
		return give(types.JSON{Kind: types.JSONNumber, Num: n})
	case types.PathKeyValue:
		return r.keyValue(x, v, out)
	}
	t, err := r.datetime(x, &v)
	if err != nil {
		return r.fail(err)
	}
	return r.next(x, t, out)
}

func pathDouble(v *pathValue) (types.Num, error) {
	switch {
	case v.is(types.JSONNumber):
		f := v.v.Num.Float()
		if math.IsInf(f, 0) {
			return types.Num{}, pgerror.New(pgerror.NonNumericSQLJSONItem,
				"numeric argument of jsonpath item method .double() is out of range for type double precision")
		}
		return v.v.Num, nil
	case v.is(types.JSONString):
		f, err := types.ParseFloat(v.v.Str, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return types.Num{}, pgerror.New(pgerror.NonNumericSQLJSONItem,
				"string argument of jsonpath item method .double() is not a valid representation of a double precision number")
		}
		return types.NumFromFloat(f, 64), nil
	}
	return types.Num{}, pgerror.New(pgerror.NonNumericSQLJSONItem, "jsonpath item method .double() can only be applied to a string or numeric value")
}

// objectIDs is what the id of a document is multiplied by; the place of an object in its document is added.
const objectIDs = 10000000000

func (r *pathRun) keyValue(x *types.PathItem, v pathValue, out *pathItems) (pathResult, error) {
	if !v.is(types.JSONObject) {
		return r.fail(pgerror.New(pgerror.SQLJSONObjectNotFound, "jsonpath item method .keyvalue() can only be applied to an object"))
	}
	if len(v.v.Keys) == 0 {
		return pathNothing, nil
	}
	if x.Next == nil && out == nil {
		return pathFound, nil
	}
	place, _ := placeOf(v.root.v, v.v, 0)
	id := types.JSON{Kind: types.JSONNumber, Num: types.NumInt(v.root.id*objectIDs + int64(place))}
	res := pathNothing
	for i, k := range v.v.Keys {
		pair := &types.JSON{Kind: types.JSONObject, Keys: []string{"id", "key", "value"},
			Values: []types.JSON{id, {Kind: types.JSONString, Str: k}, v.v.Values[i]}}
		root := &pathRoot{pair, r.ids}
		r.ids++
		var err error
		if res, err = r.next(x, pathValue{v: pair, root: root}, out); err != nil || res == pathFailed || res == pathFound && out == nil {
			return res, err
		}
	}
	return res, nil
}

// placeOf finds where PostgreSQL's binary form of a document, which starts at offset at, has the container part: a header, a word
// for each key, member or element, then their bytes, numbers and containers at multiples of four.
func placeOf(v, part *types.JSON, at int) (int, bool) {
	if v == part {
		return at, true
	}
	n := len(v.Elems) + 2*len(v.Keys)
	pos := at + 4 + 4*n
	for _, k := range v.Keys {
		pos += len(k)
	}
	for _, list := range [][]types.JSON{v.Elems, v.Values} {
		for i := range list {
			e := &list[i]
			if e.Kind == types.JSONNumber || e.Kind >= types.JSONArray {
				pos = (pos + 3) &^ 3
			}
			if e.Kind >= types.JSONArray {
				if place, ok := placeOf(e, part, pos); ok {
					return place, true
				}
			}
			pos += binarySize(e, pos)
		}
	}
	return 0, false
}

func binarySize(v *types.JSON, at int) int {
	switch v.Kind {
	case types.JSONString:
		return len(v.Str)
	case types.JSONNumber:
		return numericSize(v.Num)
	case types.JSONArray, types.JSONObject:
		pos := at + 4 + 4*(len(v.Elems)+2*len(v.Keys))
		for _, k := range v.Keys {
			pos += len(k)
		}
		for _, list := range [][]types.JSON{v.Elems, v.Values} {
			for i := range list {
				if e := &list[i]; e.Kind == types.JSONNumber || e.Kind >= types.JSONArray {
					pos = (pos + 3) &^ 3
				}
				pos += binarySize(&list[i], pos)
			}
		}
		return pos - at
	}
	return 0
}

// numericSize is how many bytes PostgreSQL's numeric has: a length, a header and two bytes for each four decimal digits.
func numericSize(n types.Num) int {
	text := strings.TrimPrefix(n.String(), "-")
	whole, fraction, _ := strings.Cut(text, ".")
	whole = strings.TrimLeft(whole, "0")
	whole = strings.Repeat("0", (4-len(whole)%4)%4) + whole
	digits := whole + fraction + strings.Repeat("0", (4-len(fraction)%4)%4)
	first := 0
	for first+4 <= len(digits) && digits[first:first+4] == "0000" {
		first += 4
	}
	end := len(digits)
	for end > first && digits[end-4:end] == "0000" {
		end -= 4
	}
	weight := len(whole)/4 - 1 - first/4
	header := 2
	if weight < -64 || weight > 63 || len(fraction) > 63 {
		header = 4
	}
	return 4 + header + (end-first)/2
}

// Forms that datetime() knows without a template.
var (
	pathDate = regexp.MustCompile(`^\s*[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}\s*$`)
	pathTime = regexp.MustCompile(`^\s*([0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}[ T]\s*)?[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]{1,6})?((\s*\+|-)[0-9]{1,2}(:[0-9]{1,2})?)?\s*$`)
)

func (r *pathRun) datetime(x *types.PathItem, v *pathValue) (pathValue, error) {
	if !v.is(types.JSONString) {
		return *v, pgerror.New(pgerror.InvalidArgumentForSQLJSONDatetimeFunction, "jsonpath item method .datetime() can only be applied to a string")
	}
	s := v.v.Str
	if x.Left != nil {
		c, date, clock, zone, err := readDateStrictly(s, x.Left.Text)
		if err != nil {
			return *v, err
		}
		return pathTimeOf(v, c, date, clock, zone)
	}
	var text, zone string
	var clock bool
	date := pathDate.MatchString(s)
	if !date {
		m := pathTime.FindStringSubmatch(s)
		if m == nil {
			return *v, unknownPathTime(s)
		}
		date, clock, zone = m[1] != "", true, strings.TrimSpace(m[3])
	}
	text = strings.TrimSpace(s)
	if zone != "" {
		text = strings.TrimSpace(strings.TrimSuffix(text, zone))
	}
	c, err := pathCivil(text, date, clock)
	if err != nil {
		return *v, unknownPathTime(s)
	}
	if zone != "" {
		c.Offset = zoneSeconds(zone)
	}
	return pathTimeOf(v, c, date, clock, zone != "")
}

func unknownPathTime(s string) error {
	return pgerror.Newf(pgerror.InvalidArgumentForSQLJSONDatetimeFunction, "datetime format is not recognized: \"%s\"", s).
		WithHint("Use a datetime template argument to specify the input data format.")
}

func zoneSeconds(zone string) int {
	h, m, _ := strings.Cut(zone[1:], ":")
	hours, _ := strconv.Atoi(h)
	minutes, _ := strconv.Atoi(m)
	seconds := hours*3600 + minutes*60
	if zone[0] == '-' {
		return -seconds
	}
	return seconds
}

// pathCivil reads a date, a time, or both.
func pathCivil(s string, date, clock bool) (types.Civil, error) {
	c := types.Civil{Month: 1, Day: 1}
	bad := pgerror.New(pgerror.DatetimeFieldOverflow, "date/time field value out of range")
	number := func(text string) int {
		n, _ := strconv.Atoi(text)
		return n
	}
	if date {
		end := strings.IndexAny(s, " T")
		if end < 0 {
			end = len(s)
		}
		f := strings.Split(s[:end], "-")
		c.Year, c.Month, c.Day = number(f[0]), number(f[1]), number(f[2])
		s = strings.TrimSpace(strings.TrimPrefix(s[end:], "T"))
	}
	if clock {
		f := strings.Split(s, ":")
		second, fraction, _ := strings.Cut(f[2], ".")
		c.Hour, c.Min, c.Sec = number(f[0]), number(f[1]), number(second)
		c.Micro = number((fraction + "000000")[:6])
	}
	if c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > types.DaysIn(c.Year, c.Month) || c.Hour > 23 || c.Min > 59 || c.Sec > 59 {
		return c, bad
	}
	return c, nil
}

// pathTimeOf makes a value of the type that the fields which were read make up.
func pathTimeOf(v *pathValue, c types.Civil, date, clock, zone bool) (pathValue, error) {
	out := pathValue{v: v.v, root: v.root, west: int32(-c.Offset)}
	micros := (int64(c.Hour)*3600+int64(c.Min)*60+int64(c.Sec))*types.MicrosPerSecond + int64(c.Micro)
	days := int64(types.DaysOf(c.Year, c.Month, c.Day))
	switch {
	case date && clock && zone:
		out.typ, out.d = types.OIDTimestampTZ, types.Int(days*types.MicrosPerDay+micros-int64(c.Offset)*types.MicrosPerSecond)
	case date && clock:
		out.typ, out.d = types.OIDTimestamp, types.Int(days*types.MicrosPerDay+micros)
	case date && zone:
		return out, pgerror.New(pgerror.InvalidDatetimeFormat, "datetime format is zoned but not timed")
	case date:
		out.typ, out.d = types.OIDDate, types.Int(days)
	case zone:
		out.typ, out.d = types.OIDTimeTZ, types.TimeTZ{Micros: micros, West: out.west}.Datum()
	case clock:
		out.typ, out.d = types.OIDTime, types.Int(micros)
	default:
		return out, pgerror.New(pgerror.InvalidDatetimeFormat, "datetime format is not dated and not timed")
	}
	return out, nil
}

// json gives an item as JSON: a date or time is its ISO text, with the zone that it was written with.
func (v *pathValue) json() types.JSON {
	if v.typ == 0 {
		return *v.v
	}
	zone := func(west int32) string {
		sign, off := "+", -west
		if off < 0 {
			sign, off = "-", -off
		}
		two := func(n int32) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
		return sign + two(off/3600) + ":" + two(off/60%60)
	}
	var s string
	switch v.typ {
	case types.OIDTimestampTZ:
		s = isoTime(types.OIDTimestamp, types.Int(v.d.I-int64(v.west)*types.MicrosPerSecond), nil) + zone(v.west)
	case types.OIDTimeTZ:
		t := types.OpenTimeTZ(v.d)
		s = string(types.AppendText(nil, types.OIDTime, types.Int(t.Micros), nil)) + zone(t.West)
	case types.OIDTime:
		s = string(types.AppendText(nil, types.OIDTime, v.d, nil))
	default:
		s = isoTime(v.typ, v.d, nil)
	}
	return types.JSON{Kind: types.JSONString, Str: s}
}

// compareTimes compares dates and times of types that can be compared.
func (r *pathRun) compareTimes(a, b *pathValue) (int, bool, error) {
	timed := func(t base.OID) bool { return t == types.OIDTime || t == types.OIDTimeTZ }
	if timed(a.typ) != timed(b.typ) {
		return 0, false, nil
	}
	if a.typ == b.typ {
		return types.Compare(a.typ, a.d, b.d), true, nil
	}
	zoned := func(t base.OID) bool { return t == types.OIDTimestampTZ || t == types.OIDTimeTZ }
	if zoned(a.typ) || zoned(b.typ) {
		if !r.zones {
			from, to := a.typ, b.typ
			if zoned(from) {
				from, to = to, from
			}
			return 0, false, pgerror.Newf(pgerror.FeatureNotSupported, "cannot convert value from %s to %s without time zone usage",
				pathTypeName(from), pathTypeName(to)).WithHint("Use *_tz() function for time zone support.")
		}
	}
	x, err := r.moment(a, zoned(b.typ))
	if err != nil {
		return 0, false, err
	}
	y, err := r.moment(b, zoned(a.typ))
	if err != nil {
		return 0, false, err
	}
	if timed(a.typ) {
		return types.Compare(types.OIDTimeTZ, x, y), true, nil
	}
	return types.Compare(types.OIDTimestamp, x, y), true, nil
}

func pathTypeName(t base.OID) string {
	if i, ok := types.Lookup(t); ok {
		return i.Name
	}
	return ""
}

// moment brings a date or time to the type that it is compared in.
func (r *pathRun) moment(v *pathValue, zoned bool) (types.Datum, error) {
	d := v.d
	switch v.typ {
	case types.OIDDate:
		ts, err := timestampOfDate(d.I)
		if err != nil {
			return d, err
		}
		d = types.Int(ts)
	case types.OIDTime:
		_, off := r.c.TransactionTime.In(r.c.zone()).Zone()
		return types.TimeTZ{Micros: d.I, West: int32(-off)}.Datum(), nil
	}
	if zoned && v.typ != types.OIDTimestampTZ && v.typ != types.OIDTimeTZ {
		d = types.Int(toUTC(r.c, d.I))
	}
	return d, nil
}
