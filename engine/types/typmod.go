package types

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func coerce(typ base.OID, typmod int32, d Datum, explicit bool) (Datum, error) {
	if typmod < 0 || d.Null {
		return d, nil
	}
	switch typ {
	case OIDVarChar:
		return coerceVarChar(d, int(typmod)-4, explicit)
	case OIDBPChar:
		return coerceBPChar(d, int(typmod)-4, explicit)
	case OIDNumeric:
		n, err := CoerceNum(OpenNum(d.B), typmod)
		if err != nil {
			return Null, err
		}
		return n.Datum(), nil
	case OIDTimestamp, OIDTimestampTZ:
		if TimestampFinite(d.I) {
			d.I = RoundMicros(d.I, typmod)
			if !TimestampInRange(d.I) {
				return Null, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range")
			}
		}
		return d, nil
	case OIDTime:
		d.I = RoundMicros(d.I, typmod)
		return d, nil
	case OIDTimeTZ:
		t := OpenTimeTZ(d)
		t.Micros = RoundMicros(t.Micros, typmod)
		return t.Datum(), nil
	case OIDInterval:
		return coerceInterval(OpenInterval(d), typmod).Datum(), nil
	}
	if info, ok := Lookup(typ); ok && info.IsArray() {
		return coerceArray(d, typmod, explicit)
	}
	return d, nil
}

// charPrefix gives the bytes of the first n characters, and whether there are more.
func charPrefix(b []byte, n int) (int, bool) {
	if len(b) <= n {
		return len(b), false
	}
	i := 0
	for ; n > 0 && i < len(b); n-- {
		_, size := utf8.DecodeRune(b[i:])
		i += size
	}
	return i, i < len(b)
}

func tooLong(typ string, n int) error {
	return pgerror.Newf(pgerror.StringDataRightTruncation, "value too long for type %s(%d)", typ, n)
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' {
			return false
		}
	}
	return true
}

func coerceVarChar(d Datum, n int, explicit bool) (Datum, error) {
	end, more := charPrefix(d.B, n)
	if !more {
		return d, nil
	}
	if !explicit && !blank(d.B[end:]) {
		return Null, tooLong("character varying", n)
	}
	return Datum{B: d.B[:end:end]}, nil
}

func coerceBPChar(d Datum, n int, explicit bool) (Datum, error) {
	end, more := charPrefix(d.B, n)
	if more {
		if !explicit && !blank(d.B[end:]) {
			return Null, tooLong("character", n)
		}
		return Datum{B: d.B[:end:end]}, nil
	}
	chars := utf8.RuneCount(d.B)
	if chars >= n {
		return d, nil
	}
	out := make([]byte, len(d.B), len(d.B)+n-chars)
	copy(out, d.B)
	for range n - chars {
		out = append(out, ' ')
	}
	return Datum{B: out}, nil
}

// numericTypmod takes precision and scale out of a typmod.
func numericTypmod(typmod int32) (precision, scale int) {
	t := typmod - 4
	return int(t >> 16 & 0xFFFF), int((t&0x7FF)^1024) - 1024
}

// CoerceNum rounds to the typmod's scale and checks its precision.
func CoerceNum(n Num, typmod int32) (Num, error) {
	if typmod < 4 {
		return n, nil
	}
	precision, scale := numericTypmod(typmod)
	if n.Kind == NumNaN {
		return n, nil
	}
	overflow := pgerror.New(pgerror.NumericValueOutOfRange, "numeric field overflow")
	if n.Kind != NumFinite {
		return n, overflow.WithDetail("A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	r := n.Round(scale)
	if d := r.digits() - int(r.Scale); r.Sign() != 0 && d > precision-scale {
		ten, exp := "10^", strconv.Itoa(precision-scale)
		if precision == scale {
			ten, exp = "", "1"
		}
		return n, overflow.WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s%s.",
			precision, scale, ten, exp)
	}
	return r, nil
}

func coerceArray(d Datum, typmod int32, explicit bool) (Datum, error) {
	a := OpenArray(d)
	elems := a.Elems(make([]Datum, 0, a.Len()))
	for i := range elems {
		if elems[i].Null {
			continue
		}
		e, err := coerce(a.Elem, typmod, elems[i], explicit)
		if err != nil {
			return Null, err
		}
		elems[i] = e
	}
	return Datum{B: AppendArray(nil, a.Elem, a.Shape(), elems)}, nil
}

func typmodIn(typ base.OID, mods []string) (int32, error) {
	if info, ok := Lookup(typ); ok && info.IsArray() {
		typ = info.Elem
	}
	v := make([]int, len(mods))
	for i, m := range mods {
		n, err := ParseInt(m, 32, "integer")
		if err != nil {
			return -1, err
		}
		v[i] = int(n)
	}
	invalid := func(format string, args ...any) (int32, error) {
		return -1, pgerror.Newf(pgerror.InvalidParameterValue, format, args...)
	}
	switch typ {
	case OIDBit, OIDVarBit:
		return -1, pgerror.Unsupported("type %s", plainName(typ))
	case OIDVarChar, OIDBPChar:
		name := "varchar"
		if typ == OIDBPChar {
			name = "char"
		}
		switch {
		case len(v) != 1:
			return invalid("invalid type modifier")
		case v[0] < 1:
			return invalid("length for type %s must be at least 1", name)
		case v[0] > 10485760:
			return invalid("length for type %s cannot exceed %d", name, 10485760)
		}
		return int32(v[0] + 4), nil
	case OIDNumeric:
		return numericTypmodIn(v)
	case OIDTimestamp, OIDTimestampTZ, OIDTime, OIDTimeTZ:
		if len(v) != 1 {
			return invalid("invalid type modifier")
		}
		name := strings.ToUpper(strings.Fields(FormatType(typ, -1))[0])
		suffix := ""
		if typ == OIDTimestampTZ || typ == OIDTimeTZ {
			suffix = " WITH TIME ZONE"
		}
		if v[0] < 0 {
			return invalid("%s(%d)%s precision must not be negative", name, v[0], suffix)
		}
		return int32(min(v[0], 6)), nil
	case OIDInterval:
		switch len(v) {
		case 1:
			return int32(v[0]<<16 | intervalFullPrecision), nil
		case 2:
			if v[1] < 0 {
				return invalid("INTERVAL(%d) precision must not be negative", v[1])
			}
			return int32(v[0]<<16 | min(v[1], 6)), nil
		}
		return invalid("invalid INTERVAL type modifier")
	}
	return -1, pgerror.Newf(pgerror.SyntaxError, "type modifier is not allowed for type \"%s\"", plainName(typ))
}

func plainName(typ base.OID) string {
	if info, ok := Lookup(typ); ok {
		return info.Name
	}
	return strconv.Itoa(int(typ))
}

func numericTypmodIn(v []int) (int32, error) {
	invalid := func(format string, args ...any) (int32, error) {
		return -1, pgerror.Newf(pgerror.InvalidParameterValue, format, args...)
	}
	scale := 0
	switch len(v) {
	case 2:
		scale = v[1]
	case 1:
	default:
		return invalid("invalid NUMERIC type modifier")
	}
	if v[0] < 1 || v[0] > NumMaxPrecision {
		return invalid("NUMERIC precision %d must be between 1 and %d", v[0], NumMaxPrecision)
	}
	if scale < -1000 || scale > 1000 {
		return invalid("NUMERIC scale %d must be between %d and %d", scale, -1000, 1000)
	}
	return int32(v[0]<<16|scale&0x7FF) + 4, nil
}

func formatType(typ base.OID, typmod int32) string {
	info, ok := Lookup(typ)
	if !ok {
		if typ == 0 {
			return "-"
		}
		return "???"
	}
	if info.IsArray() {
		return formatType(info.Elem, typmod) + "[]"
	}
	if typ == OIDBPChar && typmod < 0 {
		return "character"
	}
	if typmod < 0 {
		return info.SQLName
	}
	switch typ {
	case OIDVarChar:
		return fmt.Sprintf("character varying(%d)", typmod-4)
	case OIDBPChar:
		return fmt.Sprintf("character(%d)", typmod-4)
	case OIDNumeric:
		p, s := numericTypmod(typmod)
		return fmt.Sprintf("numeric(%d,%d)", p, s)
	case OIDTimestamp, OIDTimestampTZ, OIDTime, OIDTimeTZ:
		head, tail, _ := strings.Cut(info.SQLName, " ")
		return fmt.Sprintf("%s(%d) %s", head, typmod, tail)
	case OIDInterval:
		return "interval" + intervalTypmodOut(typmod)
	}
	return info.SQLName
}

func intervalTypmodOut(typmod int32) string {
	r, prec := typmod>>16&intervalFullRange, typmod&intervalFullPrecision
	fields := map[int32]string{
		intervalYear: " year", intervalMonth: " month", intervalDay: " day", intervalHour: " hour",
		intervalMinute: " minute", intervalSecond: " second", intervalYear | intervalMonth: " year to month",
		intervalDay | intervalHour:                                   " day to hour",
		intervalDay | intervalHour | intervalMinute:                  " day to minute",
		intervalDay | intervalHour | intervalMinute | intervalSecond: " day to second",
		intervalHour | intervalMinute:                                " hour to minute",
		intervalHour | intervalMinute | intervalSecond:               " hour to second",
		intervalMinute | intervalSecond:                              " minute to second",
	}[r]
	if prec != intervalFullPrecision {
		return fmt.Sprintf("%s(%d)", fields, prec)
	}
	return fields
}
