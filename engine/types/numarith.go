package types

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"manifold/engine/pgerror"
)

// NumAdd adds; the scale is the larger.
func NumAdd(a, b Num) Num {
	if a.Kind != NumFinite || b.Kind != NumFinite {
		return addSpecial(a, b)
	}
	if a.Scale < b.Scale {
		a = a.rescaleUp(b.Scale)
	} else if b.Scale < a.Scale {
		b = b.rescaleUp(a.Scale)
	}
	if a.Wide == nil && b.Wide == nil {
		s := a.Small + b.Small
		if (a.Small^s)&(b.Small^s) >= 0 && s != math.MinInt64 {
			return Num{Small: s, Scale: a.Scale}
		}
	}
	return numWide(new(big.Int).Add(a.coef(), b.coef()), int(a.Scale))
}

func addSpecial(a, b Num) Num {
	switch {
	case a.Kind == NumNaN || b.Kind == NumNaN:
		return Num{Kind: NumNaN}
	case a.Kind == NumFinite:
		return b
	case b.Kind == NumFinite || a.Kind == b.Kind:
		return a
	}
	return Num{Kind: NumNaN}
}

// NumSub subtracts; the scale is the larger.
func NumSub(a, b Num) Num { return NumAdd(a, b.Neg()) }

// NumMul multiplies; the scales add up.
func NumMul(a, b Num) Num {
	if a.Kind != NumFinite || b.Kind != NumFinite {
		s := a.Sign() * b.Sign()
		switch {
		case a.Kind == NumNaN || b.Kind == NumNaN || s == 0:
			return Num{Kind: NumNaN}
		case s < 0:
			return Num{Kind: NumNegInf}
		}
		return Num{Kind: NumInf}
	}
	scale := a.Scale + b.Scale
	if a.Wide == nil && b.Wide == nil {
		x, y := uint64(a.Small), uint64(b.Small)
		if a.Small < 0 {
			x = -x
		}
		if b.Small < 0 {
			y = -y
		}
		if hi, lo := bits.Mul64(x, y); hi == 0 && lo < 1<<63 {
			if a.Small < 0 != (b.Small < 0) {
				return Num{Small: -int64(lo), Scale: scale}
			}
			return Num{Small: int64(lo), Scale: scale}
		}
	}
	return numWide(new(big.Int).Mul(a.coef(), b.coef()), int(scale))
}

func divisionByZero() error {
	return pgerror.New(pgerror.DivisionByZero, "division by zero")
}

// baseWeight gives the weight of the first digit in base 10000 and that digit; zeros for zero.
func (n Num) baseWeight() (weight, first int) {
	d := n.digits()
	if d == 0 {
		return 0, 0
	}
	e := d - 1 - int(n.Scale)
	weight = floorDiv(e, 4)
	lead := e - weight*4 + 1
	if n.Wide == nil && d <= 18 {
		v := n.Small
		if v < 0 {
			v = -v
		}
		if d >= lead {
			return weight, int(v / pow10[d-lead])
		}
		return weight, int(v * pow10[lead-d])
	}
	c := new(big.Int).Abs(n.coef())
	return weight, int(c.Quo(c, bigPow10(d-lead)).Int64())
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// divScale chooses the scale of a quotient: at least 16 significant digits and not less than either argument's scale.
func divScale(a, b Num) int {
	w1, f1 := a.baseWeight()
	w2, f2 := b.baseWeight()
	q := w1 - w2
	if f1 <= f2 {
		q--
	}
	s := numMinSigDigits - q*4
	s = max(s, int(a.Scale), int(b.Scale), 0)
	return min(s, NumMaxDisplayScale)
}

// NumDiv divides, rounding to PostgreSQL's result scale.
func NumDiv(a, b Num) (Num, error) {
	if a.Kind != NumFinite || b.Kind != NumFinite {
		return divSpecial(a, b)
	}
	if b.Sign() == 0 {
		return Num{}, divisionByZero()
	}
	return divTo(a, b, divScale(a, b), true), nil
}

func divSpecial(a, b Num) (Num, error) {
	switch {
	case a.Kind == NumNaN || b.Kind == NumNaN:
		return Num{Kind: NumNaN}, nil
	case a.Kind != NumFinite && b.Kind != NumFinite:
		return Num{Kind: NumNaN}, nil
	case a.Kind != NumFinite:
		switch b.Sign() {
		case 0:
			return Num{}, divisionByZero()
		case -1:
			return a.Neg(), nil
		}
		return a, nil
	}
	return Num{}, nil
}

// divTo divides to a scale.
func divTo(a, b Num, scale int, round bool) Num {
	shift := scale + int(b.Scale) - int(a.Scale)
	x, y := a.coef(), b.coef()
	if shift >= 0 {
		if a.Wide == nil && b.Wide == nil && shift < len(pow10) {
			if n, ok := divSmall(a.Small, b.Small, shift, scale, round); ok {
				return n
			}
		}
		x = new(big.Int).Mul(x, bigPow10(shift))
	} else {
		y = new(big.Int).Mul(y, bigPow10(-shift))
	}
	return numWide(quoRound(x, y, round), scale)
}

// divSmall divides in 128 by 64 bits when the quotient fits.
func divSmall(x, y int64, shift, scale int, round bool) (Num, bool) {
	neg := (x < 0) != (y < 0)
	ux, uy := uint64(max(x, -x)), uint64(max(y, -y))
	hi, lo := bits.Mul64(ux, uint64(pow10[shift]))
	if hi >= uy {
		return Num{}, false
	}
	q, r := bits.Div64(hi, lo, uy)
	if q >= 1<<63-1 {
		return Num{}, false
	}
	if round && r >= uy-r {
		q++
	}
	v := int64(q)
	if neg {
		v = -v
	}
	return Num{Small: v, Scale: int32(scale)}, true
}

// NumDivTrunc gives the integer part of the quotient, as div() does.
func NumDivTrunc(a, b Num) (Num, error) {
	if a.Kind != NumFinite || b.Kind != NumFinite {
		return divSpecial(a, b)
	}
	if b.Sign() == 0 {
		return Num{}, divisionByZero()
	}
	return divTo(a, b, 0, false), nil
}

// NumMod gives the remainder with the sign of a.
func NumMod(a, b Num) (Num, error) {
	switch {
	case a.Kind == NumNaN || b.Kind == NumNaN:
		return Num{Kind: NumNaN}, nil
	case a.Kind != NumFinite:
		if b.Kind == NumFinite && b.Sign() == 0 {
			return Num{}, divisionByZero()
		}
		return Num{Kind: NumNaN}, nil
	case b.Kind != NumFinite:
		return a, nil
	case b.Sign() == 0:
		return Num{}, divisionByZero()
	}
	s := max(a.Scale, b.Scale)
	x, y := a.rescaleUp(s), b.rescaleUp(s)
	if x.Wide == nil && y.Wide == nil {
		return Num{Small: x.Small % y.Small, Scale: s}, nil
	}
	return numWide(new(big.Int).Rem(x.coef(), y.coef()), int(s)), nil
}

// Floor gives the largest integer not above n.
func (n Num) Floor() Num {
	t := n.Trunc(0)
	if n.Kind == NumFinite && n.Sign() < 0 && t.Cmp(n) != 0 {
		return NumSub(t, NumInt(1))
	}
	return t
}

// Ceil gives the smallest integer not below n.
func (n Num) Ceil() Num { return n.Neg().Floor().Neg() }

// NumFromFloat converts with 15 (float8) or 6 (float4) significant digits.
func NumFromFloat(f float64, bits int) Num {
	switch {
	case math.IsNaN(f):
		return Num{Kind: NumNaN}
	case math.IsInf(f, 1):
		return Num{Kind: NumInf}
	case math.IsInf(f, -1):
		return Num{Kind: NumNegInf}
	}
	digits := 15
	if bits == 32 {
		digits = 6
	}
	n, err := ParseNum(strconv.FormatFloat(f, 'g', digits, 64))
	if err != nil {
		return Num{Kind: NumNaN}
	}
	return n
}

// Float gives the nearest float8; a magnitude too large gives an infinity.
func (n Num) Float() float64 {
	switch n.Kind {
	case NumNaN:
		return math.NaN()
	case NumInf:
		return math.Inf(1)
	case NumNegInf:
		return math.Inf(-1)
	}
	if n.Wide == nil && n.Small < 1<<53 && n.Small > -1<<53 && n.Scale <= 18 {
		if n.Scale == 0 {
			return float64(n.Small)
		}
		if n.Scale <= 15 {
			return float64(n.Small) / float64(pow10[n.Scale])
		}
	}
	f, _ := strconv.ParseFloat(n.String(), 64)
	return f
}

// Int64 rounds to an integer half away from zero; false when it does not fit or is not finite.
func (n Num) Int64() (int64, bool) {
	if n.Kind != NumFinite {
		return 0, false
	}
	if n.Scale > 0 {
		n = n.Round(0)
	}
	if n.Wide != nil {
		return n.Wide.Int64(), n.Wide.IsInt64()
	}
	return n.Small, true
}

func (n Num) apd() *apd.Decimal {
	d := new(apd.Decimal)
	d.Coeff.SetMathBigInt(new(big.Int).Abs(n.coef()))
	d.Negative = n.Sign() < 0
	d.Exponent = -n.Scale
	return d
}

func fromAPD(d *apd.Decimal, scale int) (Num, error) {
	if d.Form != apd.Finite {
		return Num{}, NumOverflow()
	}
	b := new(big.Int).Set(d.Coeff.MathBigInt())
	if d.Negative {
		b.Neg(b)
	}
	if d.Exponent > 0 {
		b.Mul(b, bigPow10(int(d.Exponent)))
		return CheckNum(numWide(b, 0).Round(scale))
	}
	n := Num{Wide: b, Scale: -d.Exponent}
	return CheckNum(n.Round(scale))
}

func apdContext(precision int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(precision, 20)))
	c.Rounding = apd.RoundHalfUp
	c.Traps = 0
	c.MaxExponent, c.MinExponent = apd.MaxExponent, apd.MinExponent
	return c
}

// NumSqrt gives the square root; false for a negative argument.
func NumSqrt(n Num) (Num, bool) {
	if n.Kind == NumNegInf || n.Kind == NumFinite && n.Sign() < 0 {
		return Num{}, false
	}
	if n.Kind != NumFinite {
		return n, true
	}
	w, _ := n.baseWeight()
	var sweight int
	if w >= 0 {
		sweight = w*4/2 + 1
	} else {
		sweight = 1 - (1-w*4)/2
	}
	s := min(max(numMinSigDigits-sweight, int(n.Scale), 0), NumMaxDisplayScale)
	if n.Sign() == 0 {
		return Num{Scale: int32(s)}, true
	}
	// floor(sqrt(n * 10^(2(s+1)))) has one digit more than wanted; a remainder below the tie cannot change the rounding.
	k := 2*(s+1) - int(n.Scale)
	c := new(big.Int).Set(n.coef())
	if k >= 0 {
		c.Mul(c, bigPow10(k))
	} else {
		c.Quo(c, bigPow10(-k))
	}
	return numWide(c.Sqrt(c), s+1).Round(s), true
}

// lnWeight estimates the decimal weight of ln(n) for a positive n.
func lnWeight(n Num) int {
	low, high := Num{Small: 9, Scale: 1}, Num{Small: 11, Scale: 1}
	if n.Cmp(low) >= 0 && n.Cmp(high) <= 0 {
		x := NumSub(n, NumInt(1))
		if x.Sign() == 0 {
			return 0
		}
		return x.digits() - 1 - int(x.Scale)
	}
	return int(math.Log10(math.Abs(lnApprox(n))))
}

// lnApprox gives ln of a positive number as a float, whatever its magnitude.
func lnApprox(n Num) float64 {
	d := n.digits()
	cut := 0
	c := n.Abs()
	if d > 17 {
		cut = d - 17
		c = numWide(new(big.Int).Quo(c.coef(), bigPow10(cut)), 0)
	}
	v, _ := Num{Small: c.Small, Wide: c.Wide}.Int64()
	return math.Log(float64(v)) + float64(cut-int(n.Scale))*math.Ln10
}

func clampScale(s int, others ...int32) int {
	for _, o := range others {
		s = max(s, int(o))
	}
	return min(max(s, 0), NumMaxDisplayScale)
}

// NumLn gives the natural logarithm of a positive number.
func NumLn(n Num) (Num, error) {
	return lnTo(n, clampScale(numMinSigDigits-lnWeight(n), n.Scale))
}

func lnTo(n Num, scale int) (Num, error) {
	r := new(apd.Decimal)
	if _, err := apdContext(scale+12+max(0, lnWeight(n))+max(0, -lnWeight(n))).Ln(r, n.apd()); err != nil {
		return Num{}, NumOverflow()
	}
	return fromAPD(r, scale)
}

// NumLog gives the logarithm of n to a base, both positive and finite.
func NumLog(base, n Num) (Num, error) {
	wb, wn := lnWeight(base), lnWeight(n)
	scale := clampScale(numMinSigDigits-(wn-wb), base.Scale, n.Scale)
	lnScale := max(scale+max(wn-wb, 0)+16-min(wb, 0), 16)
	x, err := lnTo(base, lnScale)
	if err != nil {
		return Num{}, err
	}
	if x.Sign() == 0 {
		return Num{}, divisionByZero()
	}
	y, err := lnTo(n, lnScale)
	if err != nil {
		return Num{}, err
	}
	return divTo(y, x, scale, true), nil
}

// NumExp gives e to a finite power.
func NumExp(n Num) (Num, error) {
	v := n.Float() * 0.434294481903252
	if v >= 2000*3 {
		if v > float64(numMaxWeightDigits) {
			return Num{}, NumOverflow()
		}
	}
	v = math.Min(math.Max(v, -2000), 2000)
	return expTo(n, clampScale(numMinSigDigits-int(v), n.Scale))
}

func expTo(n Num, scale int) (Num, error) {
	weight := int(n.Float() * 0.434294481903252)
	if weight < -scale-10 {
		return Num{Scale: int32(scale)}, nil
	}
	r := new(apd.Decimal)
	if _, err := apdContext(scale+max(weight, 0)+16).Exp(r, n.apd()); err != nil {
		return Num{}, NumOverflow()
	}
	return fromAPD(r, scale)
}

// NumPower raises to a power. The special cases and the domain errors are the caller's.
func NumPower(base, exp Num) (Num, error) {
	if base.Sign() == 0 {
		if exp.Sign() == 0 {
			return Num{Small: 1}.rescaleUp(16), nil
		}
		return Num{Scale: int32(clampScale(numMinSigDigits, base.Scale, exp.Scale))}, nil
	}
	if e, ok := exp.Int64(); ok && exp.MinScale() == 0 && e <= math.MaxInt32 && e >= math.MinInt32 {
		return powerInt(base, int(e))
	}
	abs := base.Abs()
	val := lnApprox(abs) * exp.Float() * 0.434294481903252
	if val > float64(numMaxWeightDigits) {
		return Num{}, NumOverflow()
	}
	scale := clampScale(numMinSigDigits-int(math.Max(val, -2000)), base.Scale, exp.Scale)
	if val < float64(-scale-10) {
		return Num{Scale: int32(scale)}, nil
	}
	ln, err := lnTo(abs, scale+int(math.Max(val, 0))+24+exp.digits())
	if err != nil {
		return Num{}, err
	}
	return expTo(NumMul(ln, exp), scale)
}

// powerInt raises to an integer power.
func powerInt(base Num, e int) (Num, error) {
	f := float64(e) * lnApprox(base) / math.Ln10
	if f > float64(numMaxWeightDigits) {
		return Num{}, NumOverflow()
	}
	scale := clampScale(numMinSigDigits, base.Scale)
	switch e {
	case 0:
		return Num{Small: 1}.rescaleUp(int32(scale)), nil
	case 1:
		return base.Round(scale), nil
	case -1:
		return divTo(NumInt(1), base, scale, true), nil
	case 2:
		return NumMul(base, base).Round(scale), nil
	}
	if f+1 < float64(-scale) {
		return Num{Scale: int32(scale)}, nil
	}
	n := e
	if n < 0 {
		n = -n
	}
	if digits := base.digits() * n; digits < 4000 {
		p := numWide(new(big.Int).Exp(base.coef(), big.NewInt(int64(n)), nil), 0)
		if e < 0 {
			return divTo(Num{Small: 1}, Num{Small: p.Small, Wide: p.Wide}.scaled(int(base.Scale)*n), scale, true), nil
		}
		return CheckNum(p.scaled(int(base.Scale) * n).Round(scale))
	}
	r := new(apd.Decimal)
	c := apdContext(scale + int(math.Max(f, 0)) + 24 + len(strconv.Itoa(n)))
	if _, err := c.Pow(r, base.apd(), apd.New(int64(e), 0)); err != nil {
		return Num{}, NumOverflow()
	}
	return fromAPD(r, scale)
}

// scaled gives the same coefficient at a scale.
func (n Num) scaled(scale int) Num {
	n.Scale = int32(scale)
	return n
}
