package builtins

import (
	"math"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// one enters a cast of fixed-width values with the kernel made of it.
func (r registry) one(f func(v int64) (int64, error), names ...string) {
	scalar := func(_ *Context, a []types.Datum) (types.Datum, error) {
		v, err := f(a[0].I)
		return types.Datum{I: v, Null: err != nil}, err
	}
	kernel := func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		in, o := args[0].Fixed, out.Fixed
		return lanes(c, sel, n, out, func(i int) error {
			v, err := f(in[i])
			o[i] = v
			return err
		})
	}
	r.addKernel(scalar, kernel, names...)
}

// copyKernel serves casts that keep the bits.
func copyKernel(_ *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
	if sel == nil {
		copy(out.Fixed[:n], args[0].Fixed[:n])
		return nil
	}
	for _, i := range sel {
		out.Fixed[i] = args[0].Fixed[i]
	}
	return nil
}

func identity(_ *Context, a []types.Datum) (types.Datum, error) { return a[0], nil }

func registerCasts(r registry) {
	r.addKernel(identity, copyKernel, "int28", "int48", "i2toi4", "oidtoi8", "chartoi4", "ftod")
	limit := func(w width) func(int64) (int64, error) {
		return func(v int64) (int64, error) {
			if v < w.min || v > w.max {
				return 0, outOfRange(w.name)
			}
			return v, nil
		}
	}
	w := intWidths()
	r.one(limit(w["2"]), "int82", "i4toi2")
	r.one(limit(w["4"]), "int84")
	r.one(limit(width{0, math.MaxUint32, "OID"}), "i8tooid")
	r.one(limit(width{math.MinInt8, math.MaxInt8, "\"char\""}), "i4tochar")
	r.one(func(v int64) (int64, error) { return bit(v != 0), nil }, "int4_bool")
	r.addKernel(identity, copyKernel, "bool_int4")
	r.one(func(v int64) (int64, error) { return int64(uint32(v)), nil }, "xid8toxid")
	r.one(func(v int64) (int64, error) { return types.Float(float64(v)).I, nil }, "i2tod", "i4tod", "i8tod", "i2tof")
	r.one(func(v int64) (int64, error) { return types.Float(float64(float32(v))).I, nil }, "i4tof", "i8tof")
	for suffix, names := range map[string][]string{"2": {"dtoi2", "ftoi2"}, "4": {"dtoi4", "ftoi4"}, "8": {"dtoi8", "ftoi8"}} {
		r.one(floatToInt(w[suffix]), names...)
	}
	r.one(func(v int64) (int64, error) {
		f := f64(v)
		n := float64(float32(f))
		if math.IsInf(n, 0) && !math.IsInf(f, 0) {
			return 0, floatOverflow()
		}
		if n == 0 && f != 0 {
			return 0, floatUnderflow()
		}
		return types.Float(n).I, nil
	}, "dtof")
	registerNumericCasts(r, w)
	registerTextCasts(r)
	registerLengthCasts(r)
}

func floatToInt(w width) func(int64) (int64, error) {
	return func(v int64) (int64, error) {
		f := math.RoundToEven(f64(v))
		if !(f >= float64(w.min) && f < -float64(w.min)) {
			return 0, outOfRange(w.name)
		}
		return int64(f), nil
	}
}

func registerNumericCasts(r registry, widths map[string]width) {
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.num(types.NumInt(a[0].I)) },
		"int2_numeric", "int4_numeric", "int8_numeric")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.num(types.NumFromFloat(a[0].Float(), 64))
	}, "float8_numeric")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.num(types.NumFromFloat(a[0].Float(), 32))
	}, "float4_numeric")
	for suffix, w := range widths {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			n := types.OpenNum(a[0].B)
			switch n.Kind {
			case types.NumFinite:
			case types.NumNaN:
				return types.Null, pgerror.Newf(pgerror.FeatureNotSupported, "cannot convert NaN to %s", w.name)
			default:
				return types.Null, pgerror.Newf(pgerror.FeatureNotSupported, "cannot convert infinity to %s", w.name)
			}
			return w.check(n.Int64())
		}, "numeric_int"+suffix)
	}
	toFloat := func(bits int, typ string) Scalar {
		return func(_ *Context, a []types.Datum) (types.Datum, error) {
			n := types.OpenNum(a[0].B)
			f := n.Float()
			if bits == 32 {
				f = float64(float32(f))
			}
			if n.Kind == types.NumFinite && (math.IsInf(f, 0) || f == 0 && n.Sign() != 0) {
				return types.Null, pgerror.Newf(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type %s", n, typ)
			}
			return types.Float(f), nil
		}
	}
	r.add(toFloat(64, "double precision"), "numeric_float8", "numeric_float8_no_overflow")
	r.add(toFloat(32, "real"), "numeric_float4")
}

func registerTextCasts(r registry) {
	r.add(identity, "name_text", "bpchar_name_text")
	name := func(c *Context, a []types.Datum) (types.Datum, error) {
		return types.Datum{B: a[0].B[:len(types.TruncateName(str(a[0])))]}, nil
	}
	r.add(name, "text_name")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		a[0].B = types.TrimBlanks(a[0].B)
		return name(c, a[:1])
	}, "bpchar_name")
	r.add(identity, "name_bpchar")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Datum{B: types.TrimBlanks(a[0].B)}, nil
	}, "rtrim1")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.bytes(types.AppendText(nil, types.OIDChar, a[0], c.Env)), nil
	}, "char_text", "char_bpchar")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return types.In(types.OIDChar, -1, str(a[0]), c.Env)
	}, "text_char")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return types.In(types.OIDRegClass, -1, str(a[0]), c.Env)
	}, "text_regclass")
}

// registerLengthCasts enters the functions that apply a typmod.
func registerLengthCasts(r registry) {
	for name, typ := range map[string]base.OID{"varchar": types.OIDVarChar, "bpchar": types.OIDBPChar, "timestamp_scale": types.OIDTimestamp,
		"timestamptz_scale": types.OIDTimestampTZ, "time_scale": types.OIDTime, "timetz_scale": types.OIDTimeTZ,
		"interval_scale": types.OIDInterval} {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			return types.Coerce(typ, int32(a[1].I), a[0], len(a) > 2 && a[2].I != 0)
		}, name)
	}
}
