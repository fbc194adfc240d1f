package builtins

import (
	"math"
	"math/big"

	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// numOp is a binary operation on numerics.
type numOp func(a, b types.Num) (types.Num, error)

func numAdd(a, b types.Num) (types.Num, error) { return types.NumAdd(a, b), nil }
func numSub(a, b types.Num) (types.Num, error) { return types.NumSub(a, b), nil }
func numMul(a, b types.Num) (types.Num, error) { return types.NumMul(a, b), nil }

func numScalar(op numOp) Scalar {
	return func(c *Context, a []types.Datum) (types.Datum, error) {
		n, err := op(types.OpenNum(a[0].B), types.OpenNum(a[1].B))
		if err != nil {
			return types.Null, err
		}
		return c.num(n)
	}
}

func numKernel(op numOp) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b := args[0], args[1]
		return lanes(c, sel, n, out, func(i int) error {
			v, err := op(types.OpenNum(a.Bytes(i)), types.OpenNum(b.Bytes(i)))
			if err != nil {
				return err
			}
			if v, err = types.CheckNum(v); err != nil {
				return err
			}
			at := len(out.Data)
			out.Data = v.Append(out.Data)
			out.Spans[i] = vector.Span{Off: uint32(at), Len: uint32(len(out.Data) - at)}
			return nil
		})
	}
}

func registerNumeric(r registry) {
	for name, op := range map[string]numOp{"numeric_add": numAdd, "numeric_sub": numSub, "numeric_mul": numMul,
		"numeric_div": types.NumDiv, "numeric_mod": types.NumMod} {
		r.addKernel(numScalar(op), numKernel(op), name)
	}
	r.add(numScalar(types.NumDivTrunc), "numeric_div_trunc")
	r.add(numScalar(numPower), "numeric_power")
	unary := func(name string, f func(n types.Num) types.Num) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) { return c.num(f(types.OpenNum(a[0].B))) }, name)
	}
	unary("numeric_uminus", types.Num.Neg)
	unary("numeric_abs", types.Num.Abs)
	unary("numeric_floor", types.Num.Floor)
	unary("numeric_ceil", types.Num.Ceil)
	unary("numeric_trim_scale", func(n types.Num) types.Num {
		if n.Kind != types.NumFinite {
			return n
		}
		return n.Normalize()
	})
	unary("numeric_sign", func(n types.Num) types.Num {
		if n.Kind == types.NumNaN {
			return n
		}
		return types.NumInt(int64(n.Sign()))
	})
	unary("numeric_inc", func(n types.Num) types.Num { return types.NumAdd(n, types.NumInt(1)) })
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return a[0], nil }, "numeric_uplus")
	scaled := func(f func(n types.Num, scale int) types.Num, names ...string) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			s := 0
			if len(a) > 1 {
				s = int(min(max(a[1].I, -131072), types.NumMaxScale))
			}
			return c.num(f(types.OpenNum(a[0].B), s))
		}, names...)
	}
	scaled(types.Num.Round, "numeric_round", "sql:1708")
	scaled(types.Num.Trunc, "numeric_trunc", "sql:1710")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		n, err := types.CoerceNum(types.OpenNum(a[0].B), int32(a[1].I))
		if err != nil {
			return types.Null, err
		}
		return c.num(n)
	}, "numeric")
	r.add(numScale, "numeric_scale")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		n := types.OpenNum(a[0].B)
		if n.Kind != types.NumFinite {
			return types.Null, nil
		}
		return types.Int(int64(n.MinScale())), nil
	}, "numeric_min_scale")
	r.add(numSqrt, "numeric_sqrt")
	r.add(numExp, "numeric_exp")
	r.add(numLn, "numeric_ln")
	r.add(numLog, "numeric_log", "sql:1741", "sql:1481")
	r.add(numFactorial, "numeric_fac")
	r.add(numScalar(numGCD), "numeric_gcd")
	r.add(numScalar(numLCM), "numeric_lcm")
	r.add(widthBucketNumeric, "width_bucket_numeric")
}

func numScale(_ *Context, a []types.Datum) (types.Datum, error) {
	n := types.OpenNum(a[0].B)
	if n.Kind != types.NumFinite {
		return types.Null, nil
	}
	return types.Int(int64(n.Scale)), nil
}

func numSqrt(c *Context, a []types.Datum) (types.Datum, error) {
	n, ok := types.NumSqrt(types.OpenNum(a[0].B))
	if !ok {
		return types.Null, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "cannot take square root of a negative number")
	}
	return c.num(n)
}

func numExp(c *Context, a []types.Datum) (types.Datum, error) {
	n := types.OpenNum(a[0].B)
	switch n.Kind {
	case types.NumNegInf:
		return c.num(types.NumInt(0))
	case types.NumFinite:
	default:
		return c.num(n)
	}
	v, err := types.NumExp(n)
	if err != nil {
		return types.Null, err
	}
	return c.num(v)
}

// logDomain refuses zero and negative arguments.
func logDomain(n types.Num) error {
	switch {
	case n.Kind == types.NumNaN:
		return nil
	case n.Sign() == 0:
		return pgerror.New(pgerror.InvalidArgumentForLog, "cannot take logarithm of zero")
	case n.Sign() < 0:
		return pgerror.New(pgerror.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	}
	return nil
}

func numLn(c *Context, a []types.Datum) (types.Datum, error) {
	n := types.OpenNum(a[0].B)
	if err := logDomain(n); err != nil {
		return types.Null, err
	}
	if n.Kind != types.NumFinite {
		return c.num(n)
	}
	v, err := types.NumLn(n)
	if err != nil {
		return types.Null, err
	}
	return c.num(v)
}

func numLog(c *Context, a []types.Datum) (types.Datum, error) {
	base, n := types.NumInt(10), types.OpenNum(a[len(a)-1].B)
	if len(a) == 2 {
		base = types.OpenNum(a[0].B)
	}
	for _, x := range []types.Num{base, n} {
		if err := logDomain(x); err != nil {
			return types.Null, err
		}
	}
	switch {
	case base.Kind == types.NumNaN || n.Kind == types.NumNaN || base.Kind != types.NumFinite && n.Kind != types.NumFinite:
		return c.num(types.NumSpecial(types.NumNaN))
	case n.Kind != types.NumFinite:
		return c.num(n)
	case base.Kind != types.NumFinite:
		return c.num(types.NumInt(0))
	}
	v, err := types.NumLog(base, n)
	if err != nil {
		return types.Null, err
	}
	return c.num(v)
}

func numPower(a, b types.Num) (types.Num, error) {
	one := types.NumInt(1)
	nan, inf, zero := types.NumSpecial(types.NumNaN), types.NumSpecial(types.NumInf), types.NumInt(0)
	switch {
	case b.Kind == types.NumFinite && b.Sign() == 0 && a.Kind == types.NumNaN, a.Kind == types.NumFinite && a.Cmp(one) == 0 && b.Kind == types.NumNaN:
		return one, nil
	case a.Kind == types.NumNaN || b.Kind == types.NumNaN:
		return nan, nil
	}
	if a.Sign() == 0 && b.Sign() < 0 {
		return zero, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
	}
	integer := b.Kind != types.NumFinite || b.Trunc(0).Cmp(b) == 0
	if a.Sign() < 0 && !integer {
		return zero, pgerror.New(pgerror.InvalidArgumentForPowerFunction,
			"a negative number raised to a non-integer power yields a complex result")
	}
	if b.Kind != types.NumFinite {
		c := a.Abs().Cmp(one)
		switch {
		case c == 0:
			return one, nil
		case (c > 0) == (b.Kind == types.NumInf):
			return inf, nil
		}
		return zero, nil
	}
	if a.Kind != types.NumFinite {
		switch {
		case b.Sign() == 0:
			return one, nil
		case b.Sign() < 0:
			return zero, nil
		case a.Kind == types.NumNegInf && b.Coef().Bit(0) == 1 && b.Scale == 0:
			return a, nil
		}
		return inf, nil
	}
	v, err := types.NumPower(a, b)
	if err == nil && a.Sign() < 0 && v.Sign() > 0 && b.Trunc(0).Coef().Bit(0) == 1 && b.Scale > 0 {
		v = v.Neg()
	}
	return v, err
}

func numFactorial(c *Context, a []types.Datum) (types.Datum, error) {
	if a[0].I < 0 {
		return types.Null, pgerror.New(pgerror.NumericValueOutOfRange, "factorial of a negative number is undefined")
	}
	if a[0].I > 32177 {
		return types.Null, types.NumOverflow()
	}
	return c.num(types.NumFromBig(new(big.Int).MulRange(1, a[0].I), 0))
}

func numGCD(a, b types.Num) (types.Num, error) {
	if a.Kind != types.NumFinite || b.Kind != types.NumFinite {
		return types.NumSpecial(types.NumNaN), nil
	}
	s := int(max(a.Scale, b.Scale))
	g := new(big.Int).GCD(nil, nil, new(big.Int).Abs(a.Round(s).Coef()), new(big.Int).Abs(b.Round(s).Coef()))
	return types.NumFromBig(g, s), nil
}

func numLCM(a, b types.Num) (types.Num, error) {
	g, err := numGCD(a, b)
	if err != nil || g.Kind != types.NumFinite || g.Sign() == 0 {
		return g, err
	}
	s := int(g.Scale)
	q := new(big.Int).Quo(a.Round(s).Coef(), g.Coef())
	return types.NumFromBig(q.Abs(q.Mul(q, b.Round(s).Coef())), s), nil
}

func widthBucketNumeric(_ *Context, a []types.Datum) (types.Datum, error) {
	op, lo, hi, count := types.OpenNum(a[0].B), types.OpenNum(a[1].B), types.OpenNum(a[2].B), a[3].I
	switch {
	case count <= 0:
		return types.Null, bucketError("count must be greater than zero")
	case op.Kind == types.NumNaN || lo.Kind == types.NumNaN || hi.Kind == types.NumNaN:
		return types.Null, bucketError("operand, lower bound, and upper bound cannot be NaN")
	case lo.Kind != types.NumFinite || hi.Kind != types.NumFinite:
		return types.Null, bucketError("lower and upper bounds must be finite")
	case lo.Cmp(hi) == 0:
		return types.Null, bucketError("lower bound cannot equal upper bound")
	}
	if lo.Cmp(hi) > 0 {
		op, lo, hi = op.Neg(), lo.Neg(), hi.Neg()
	}
	switch {
	case op.Cmp(lo) < 0:
		return types.Int(0), nil
	case op.Cmp(hi) >= 0:
		if count == math.MaxInt32 {
			return types.Null, outOfRange("integer")
		}
		return types.Int(count + 1), nil
	}
	q, err := types.NumDivTrunc(types.NumMul(types.NumSub(op, lo), types.NumInt(count)), types.NumSub(hi, lo))
	if err != nil {
		return types.Null, err
	}
	v, _ := q.Int64()
	return types.Int(v + 1), nil
}
