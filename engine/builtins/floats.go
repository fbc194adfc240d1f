package builtins

import (
	"math"

	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

func floatOverflow() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: overflow")
}

func floatUnderflow() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: underflow")
}

// floatOp is one binary operation with PostgreSQL's checks.
type floatOp func(a, b float64) (float64, error)

func addFloat(a, b float64) (float64, error) { return checkOverflow(a+b, a, b) }
func subFloat(a, b float64) (float64, error) { return checkOverflow(a-b, a, b) }

func checkOverflow(v, a, b float64) (float64, error) {
	if math.IsInf(v, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return 0, floatOverflow()
	}
	return v, nil
}

func mulFloat(a, b float64) (float64, error) {
	v := a * b
	if v == 0 && a != 0 && b != 0 {
		return 0, floatUnderflow()
	}
	return checkOverflow(v, a, b)
}

func divFloat(a, b float64) (float64, error) {
	if b == 0 && a == a {
		return 0, divisionByZero()
	}
	v := a / b
	if v == 0 && a != 0 && !math.IsInf(b, 0) {
		return 0, floatUnderflow()
	}
	return checkOverflow(v, a, b)
}

// narrow runs an operation in float4.
func narrow(op floatOp) floatOp {
	return func(a, b float64) (float64, error) {
		v, err := op(a, b)
		if err != nil {
			return 0, err
		}
		f := float64(float32(v))
		if f == 0 && v != 0 {
			return 0, floatUnderflow()
		}
		return checkOverflow(f, v, v)
	}
}

func floatScalar(op floatOp) Scalar {
	return func(_ *Context, a []types.Datum) (types.Datum, error) {
		v, err := op(a[0].Float(), a[1].Float())
		return types.Datum{I: types.Float(v).I, Null: err != nil}, err
	}
}

func floatKernel(op floatOp) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0].Fixed, args[1].Fixed, out.Fixed
		return lanes(c, sel, n, out, func(i int) error {
			v, err := op(math.Float64frombits(uint64(a[i])), math.Float64frombits(uint64(b[i])))
			o[i] = int64(math.Float64bits(v))
			return err
		})
	}
}

// fastFloat computes all lanes, and checks them one by one only when a result is not finite or is zero.
func fastFloat(plain func(o, a, b []int64) bool, op floatOp) Kernel {
	slow := floatKernel(op)
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		if sel == nil && plain(out.Fixed[:n], args[0].Fixed[:n], args[1].Fixed[:n]) {
			return nil
		}
		return slow(c, sel, n, args, out)
	}
}

func f64(v int64) float64 { return math.Float64frombits(uint64(v)) }

// odd is true for results that need a look: infinities and NaN always, zeros where an underflow is possible.
func odd(v float64) bool { return v-v != 0 }

func plainAdd(o, a, b []int64) bool {
	strange := false
	for i := range o {
		v := f64(a[i]) + f64(b[i])
		strange = strange || odd(v)
		o[i] = int64(math.Float64bits(v))
	}
	return !strange
}

func plainSub(o, a, b []int64) bool {
	strange := false
	for i := range o {
		v := f64(a[i]) - f64(b[i])
		strange = strange || odd(v)
		o[i] = int64(math.Float64bits(v))
	}
	return !strange
}

func plainMul(o, a, b []int64) bool {
	strange := false
	for i := range o {
		v := f64(a[i]) * f64(b[i])
		strange = strange || odd(v) || v == 0
		o[i] = int64(math.Float64bits(v))
	}
	return !strange
}

func plainDiv(o, a, b []int64) bool {
	strange := false
	for i := range o {
		v := f64(a[i]) / f64(b[i])
		strange = strange || odd(v) || v == 0
		o[i] = int64(math.Float64bits(v))
	}
	return !strange
}

func registerFloats(r registry) {
	for _, p := range []string{"float8", "float48", "float84"} {
		r.addKernel(floatScalar(addFloat), fastFloat(plainAdd, addFloat), p+"pl")
		r.addKernel(floatScalar(subFloat), fastFloat(plainSub, subFloat), p+"mi")
		r.addKernel(floatScalar(mulFloat), fastFloat(plainMul, mulFloat), p+"mul")
		r.addKernel(floatScalar(divFloat), fastFloat(plainDiv, divFloat), p+"div")
	}
	for name, op := range map[string]floatOp{"pl": addFloat, "mi": subFloat, "mul": mulFloat, "div": divFloat} {
		r.addKernel(floatScalar(narrow(op)), floatKernel(narrow(op)), "float4"+name)
	}
	unary := func(f func(float64) float64, names ...string) {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Float(f(a[0].Float())), nil }, names...)
	}
	unary(func(f float64) float64 { return -f }, "float4um", "float8um")
	unary(func(f float64) float64 { return f }, "float4up", "float8up")
	unary(math.Abs, "float4abs", "float8abs")
	unary(math.Ceil, "dceil")
	unary(math.Floor, "dfloor")
	unary(math.RoundToEven, "dround")
	unary(math.Trunc, "dtrunc")
	unary(math.Cbrt, "dcbrt")
	unary(signFloat, "dsign")
	unary(func(f float64) float64 { return f * (180 / math.Pi) }, "degrees")
	unary(func(f float64) float64 { return f * (math.Pi / 180) }, "radians")
	unary(math.Asinh, "dasinh")
	unary(math.Tanh, "dtanh")
	unary(math.Atan, "datan")
	unary(math.Sinh, "dsinh")
	unary(math.Cosh, "dcosh")
	registerTrig(r)
	r.add(func(_ *Context, _ []types.Datum) (types.Datum, error) { return types.Float(math.Pi), nil }, "dpi")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Float(math.Atan2(a[0].Float(), a[1].Float())), nil
	}, "datan2")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Float(math.Atan2(a[0].Float(), a[1].Float()) * 180 / math.Pi), nil
	}, "datan2d")
	r.add(floatScalar(powFloat), "dpow")
	r.add(func(c *Context, _ []types.Datum) (types.Datum, error) { return types.Float(c.random().Float64()), nil }, "drandom")
	r.add(widthBucketFloat, "width_bucket_float8")
	r.add(logs(ln, "ln"), "dlog1")
	r.add(logs(log10, "log"), "dlog10")
}

func signFloat(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return f
}

// ln is the natural logarithm. That of package math is wrong for subnormal numbers on some processors.
func ln(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// log10 splits the exponent off and adds its logarithm in two parts, the first of which is exact when multiplied (the method of
// fdlibm's e_log10.c), so that powers of ten give whole numbers.
func log10(x float64) float64 {
	const hi, lo = 3.01029995663611771306e-01, 3.69423907715893078616e-13 // log10(2)
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	return (float64(e)*lo + math.Log(m)*(1/math.Ln10)) + float64(e)*hi
}

func logs(f func(float64) float64, _ string) Scalar {
	return func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := a[0].Float()
		if v == 0 {
			return types.Null, pgerror.New(pgerror.InvalidArgumentForLog, "cannot take logarithm of zero")
		}
		if v < 0 {
			return types.Null, pgerror.New(pgerror.InvalidArgumentForLog, "cannot take logarithm of a negative number")
		}
		return types.Float(f(v)), nil
	}
}

// trig is a function with a domain; outside it the input is out of range.
func registerTrig(r registry) {
	partial := func(f func(float64) float64, domain func(float64) bool, names ...string) {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
			v := a[0].Float()
			if v == v && !domain(v) {
				return types.Null, pgerror.New(pgerror.NumericValueOutOfRange, "input is out of range")
			}
			return types.Float(f(v)), nil
		}, names...)
	}
	finite := func(v float64) bool { return !math.IsInf(v, 0) }
	unit := func(v float64) bool { return v >= -1 && v <= 1 }
	deg := func(f func(float64) float64) func(float64) float64 {
		return func(v float64) float64 { return f(v) * 180 / math.Pi }
	}
	partial(math.Sin, finite, "dsin")
	partial(math.Cos, finite, "dcos")
	partial(math.Tan, finite, "dtan")
	partial(func(v float64) float64 { return 1 / math.Tan(v) }, finite, "dcot")
	partial(math.Asin, unit, "dasin")
	partial(math.Acos, unit, "dacos")
	partial(math.Acosh, func(v float64) bool { return v >= 1 }, "dacosh")
	partial(math.Atanh, unit, "datanh")
	partial(deg(math.Asin), unit, "dasind")
	partial(deg(math.Acos), unit, "dacosd")
	partial(deg(math.Atan), func(float64) bool { return true }, "datand")
	partial(sinDegrees, finite, "dsind")
	partial(func(v float64) float64 { return sinDegrees(90 - math.Mod(v, 360)) }, finite, "dcosd")
	partial(func(v float64) float64 { return sinDegrees(v) / sinDegrees(90-math.Mod(v, 360)) }, finite, "dtand")
	partial(func(v float64) float64 { return sinDegrees(90-math.Mod(v, 360)) / sinDegrees(v) }, finite, "dcotd")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := a[0].Float()
		if v < 0 {
			return types.Null, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "cannot take square root of a negative number")
		}
		return types.Float(math.Sqrt(v)), nil
	}, "dsqrt")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := a[0].Float()
		e := math.Exp(v)
		if math.IsInf(e, 0) && !math.IsInf(v, 0) {
			return types.Null, floatOverflow()
		}
		if e == 0 && !math.IsInf(v, 0) {
			return types.Null, floatUnderflow()
		}
		return types.Float(e), nil
	}, "dexp")
}

// sinDegrees is exact at multiples of 30 and 90 degrees.
func sinDegrees(v float64) float64 {
	v = math.Mod(v, 360)
	if v < 0 {
		return -sinDegrees(-v)
	}
	switch {
	case v > 180:
		return -sinDegrees(v - 180)
	case v > 90:
		return sinDegrees(180 - v)
	case v == 30:
		return 0.5
	case v == 90:
		return 1
	}
	return math.Sin(v * math.Pi / 180)
}

func powFloat(a, b float64) (float64, error) {
	switch {
	case a == 0 && b < 0:
		return 0, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
	case a < 0 && !math.IsInf(a, 0) && b != math.Trunc(b) && b == b:
		return 0, pgerror.New(pgerror.InvalidArgumentForPowerFunction,
			"a negative number raised to a non-integer power yields a complex result")
	}
	v := math.Pow(a, b)
	if v == 0 && a != 0 && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return 0, floatUnderflow()
	}
	return checkOverflow(v, a, b)
}

func bucketError(message string) error {
	return pgerror.New(pgerror.InvalidArgumentForWidthBucketFunction, message)
}

func widthBucketFloat(_ *Context, a []types.Datum) (types.Datum, error) {
	op, lo, hi, count := a[0].Float(), a[1].Float(), a[2].Float(), a[3].I
	switch {
	case count <= 0:
		return types.Null, bucketError("count must be greater than zero")
	case op != op || lo != lo || hi != hi:
		return types.Null, bucketError("operand, lower bound, and upper bound cannot be NaN")
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return types.Null, bucketError("lower and upper bounds must be finite")
	case lo == hi:
		return types.Null, bucketError("lower bound cannot equal upper bound")
	}
	if lo > hi {
		op, lo, hi = -op, -lo, -hi
	}
	switch {
	case op < lo:
		return types.Int(0), nil
	case op >= hi:
		if count == math.MaxInt32 {
			return types.Null, outOfRange("integer")
		}
		return types.Int(count + 1), nil
	}
	return types.Int(min(int64(float64(count)*((op/2-lo/2)/(hi/2-lo/2)))+1, count)), nil
}
