package types

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"manifold/engine/pgerror"
)

// Limits of numeric, as PostgreSQL's.
const (
	NumMaxPrecision    = 1000
	NumMaxDisplayScale = 1000
	NumMaxScale        = 16383
	numMaxWeightDigits = 131072
	numMinSigDigits    = 16
)

// NumKind tells finite numbers from the special ones.
type NumKind uint8

// The kinds of numeric values, in ascending order of their special values.
const (
	NumFinite NumKind = iota
	NumNaN
	NumInf
	NumNegInf
)

// Num is a numeric taken out of its stored form: Coef times ten to the minus Scale. The coefficient is in small unless
// Wide is set. A Num is a value; Wide is never changed once set.
type Num struct {
	Kind  NumKind
	Scale int32
	Small int64
	Wide  *big.Int
}

const (
	numSignNeg     = 1 << 14
	numSignSpecial = 2 << 14
	numScaleMask   = 1<<14 - 1
)

var pow10 = [19]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// bigPows are the first powers of ten; nobody changes them.
var bigPows = func() (p [64]*big.Int) {
	for i := range p {
		p[i] = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(i)), nil)
	}
	return p
}()

// bigPow10 gives a power of ten, which the caller must not change.
func bigPow10(n int) *big.Int {
	if n < len(bigPows) {
		return bigPows[n]
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// NumInt makes an integer.
func NumInt(i int64) Num {
	if i == math.MinInt64 {
		return Num{Wide: big.NewInt(i)}
	}
	return Num{Small: i}
}

// NumSpecial makes NaN or an infinity.
func NumSpecial(k NumKind) Num { return Num{Kind: k} }

func numWide(b *big.Int, scale int) Num {
	if b.IsInt64() {
		if v := b.Int64(); v != math.MinInt64 {
			return Num{Small: v, Scale: int32(scale)}
		}
	}
	return Num{Wide: b, Scale: int32(scale)}
}

// NumFromBig makes a number from a coefficient that the number then owns.
func NumFromBig(b *big.Int, scale int) Num { return numWide(b, scale) }

// OpenNum reads a stored numeric.
func OpenNum(b []byte) Num {
	if len(b) < 2 {
		return Num{Kind: NumNaN}
	}
	h := binary.LittleEndian.Uint16(b)
	if h&numSignSpecial != 0 {
		return Num{Kind: NumKind(h & 3)}
	}
	n := Num{Scale: int32(h & numScaleMask)}
	m := b[2:]
	if len(m) < 8 || len(m) == 8 && m[0] < 0x80 {
		var v int64
		for _, c := range m {
			v = v<<8 | int64(c)
		}
		if h&numSignNeg != 0 {
			v = -v
		}
		n.Small = v
		return n
	}
	n.Wide = new(big.Int).SetBytes(m)
	if h&numSignNeg != 0 {
		n.Wide.Neg(n.Wide)
	}
	return n
}

// Append appends the stored form.
func (n Num) Append(dst []byte) []byte {
	if n.Kind != NumFinite {
		return binary.LittleEndian.AppendUint16(dst, numSignSpecial|uint16(n.Kind))
	}
	h := uint16(n.Scale)
	if n.Sign() < 0 {
		h |= numSignNeg
	}
	dst = binary.LittleEndian.AppendUint16(dst, h)
	if n.Wide != nil {
		at := len(dst)
		size := (n.Wide.BitLen() + 7) / 8
		dst = append(dst, make([]byte, size)...)
		n.Wide.FillBytes(dst[at:])
		return dst
	}
	v := uint64(n.Small)
	if n.Small < 0 {
		v = -v
	}
	for s := (bits.Len64(v) + 7) / 8 * 8; s > 0; s -= 8 {
		dst = append(dst, byte(v>>(s-8)))
	}
	return dst
}

// Datum gives the stored form in fresh memory.
func (n Num) Datum() Datum { return Datum{B: n.Append(make([]byte, 0, 12))} }

// Sign gives -1, 0 or 1; NaN counts as positive.
func (n Num) Sign() int {
	switch {
	case n.Kind == NumNegInf:
		return -1
	case n.Kind != NumFinite:
		return 1
	case n.Wide != nil:
		return n.Wide.Sign()
	case n.Small < 0:
		return -1
	case n.Small > 0:
		return 1
	}
	return 0
}

func (n Num) coef() *big.Int {
	if n.Wide != nil {
		return n.Wide
	}
	return big.NewInt(n.Small)
}

// Coef gives the coefficient; it must not be changed.
func (n Num) Coef() *big.Int { return n.coef() }

// Neg gives minus n.
func (n Num) Neg() Num {
	switch {
	case n.Kind == NumInf:
		n.Kind = NumNegInf
	case n.Kind == NumNegInf:
		n.Kind = NumInf
	case n.Wide != nil:
		n.Wide = new(big.Int).Neg(n.Wide)
	default:
		n.Small = -n.Small
	}
	return n
}

// Abs gives the magnitude.
func (n Num) Abs() Num {
	if n.Sign() < 0 {
		return n.Neg()
	}
	return n
}

// rescaleUp multiplies the coefficient so that the scale becomes s, which is not below n's.
func (n Num) rescaleUp(s int32) Num {
	k := int(s - n.Scale)
	if k == 0 {
		return n
	}
	if n.Wide == nil && k < len(pow10) {
		if n.Small == 0 {
			return Num{Scale: s}
		}
		v := n.Small
		if v < 0 {
			v = -v
		}
		if hi, lo := bits.Mul64(uint64(v), uint64(pow10[k])); hi == 0 && lo < 1<<63 {
			if n.Small < 0 {
				return Num{Small: -int64(lo), Scale: s}
			}
			return Num{Small: int64(lo), Scale: s}
		}
	}
	return numWide(new(big.Int).Mul(n.coef(), bigPow10(k)), int(s))
}

// Round gives n rounded half away from zero to a scale, which may be negative; the result's scale is at least zero.
func (n Num) Round(scale int) Num { return n.cut(scale, true) }

// Trunc gives n cut off at a scale, which may be negative; the result's scale is at least zero.
func (n Num) Trunc(scale int) Num { return n.cut(scale, false) }

func (n Num) cut(scale int, round bool) Num {
	if n.Kind != NumFinite {
		return n
	}
	if scale >= int(n.Scale) {
		return n.rescaleUp(int32(min(scale, NumMaxScale)))
	}
	k := int(n.Scale) - scale
	if n.Wide == nil && k < len(pow10) {
		p := pow10[k]
		q, r := n.Small/p, n.Small%p
		if round {
			if r < 0 {
				r = -r
			}
			if r >= p-r {
				if n.Small < 0 {
					q--
				} else {
					q++
				}
			}
		}
		return Num{Small: q, Scale: int32(scale)}.fixScale()
	}
	if k > n.digits()+1 {
		return Num{Scale: int32(max(scale, 0))}
	}
	return numWide(quoRound(n.coef(), bigPow10(k), round), scale).fixScale()
}

// fixScale turns a negative scale into zeros.
func (n Num) fixScale() Num {
	if n.Scale >= 0 {
		return n
	}
	return n.rescaleUp(0)
}

// quoRound divides, rounding half away from zero or cutting off.
func quoRound(a, b *big.Int, round bool) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	if !round || r.Sign() == 0 {
		return q
	}
	r.Abs(r).Lsh(r, 1)
	if r.CmpAbs(b) >= 0 {
		if a.Sign()*b.Sign() < 0 {
			return q.Sub(q, big.NewInt(1))
		}
		return q.Add(q, big.NewInt(1))
	}
	return q
}

// digits gives the number of decimal digits of the coefficient, zero for zero.
func (n Num) digits() int {
	if n.Wide == nil {
		v := uint64(n.Small)
		if n.Small < 0 {
			v = -v
		}
		d := 0
		for d < len(pow10) && v >= uint64(pow10[d]) {
			d++
		}
		return d
	}
	if n.Wide.Sign() == 0 {
		return 0
	}
	est := int(float64(n.Wide.BitLen()-1) * 0.30102999566398120)
	if n.Wide.CmpAbs(bigPow10(est)) < 0 {
		return est
	}
	if n.Wide.CmpAbs(bigPow10(est+1)) < 0 {
		return est + 1
	}
	return est + 2
}

// CheckNum refuses numbers beyond the format.
func CheckNum(n Num) (Num, error) {
	if n.Kind == NumFinite && n.Wide != nil && n.Wide.BitLen() > 435000 && n.digits()-int(n.Scale) > numMaxWeightDigits {
		return n, NumOverflow()
	}
	if n.Scale > NumMaxScale {
		return n.Round(NumMaxScale), nil
	}
	return n, nil
}

// NumOverflow is the error of a number too large for numeric.
func NumOverflow() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value overflows numeric format")
}

// ParseNum reads the text form of a numeric.
func ParseNum(s string) (Num, error) {
	t := trimSpace(s)
	u, neg := t, false
	if len(u) > 0 && (u[0] == '-' || u[0] == '+') {
		neg = u[0] == '-'
		u = u[1:]
	}
	if len(u) > 0 && !isDigit(u[0]) && u[0] != '.' {
		switch {
		case strings.EqualFold(t, "nan"):
			return Num{Kind: NumNaN}, nil
		case strings.EqualFold(u, "infinity"), strings.EqualFold(u, "inf"):
			if neg {
				return Num{Kind: NumNegInf}, nil
			}
			return Num{Kind: NumInf}, nil
		}
		return Num{}, syntaxError("numeric", s)
	}
	mant, exp, err := splitNumeric(u, s)
	if err != nil {
		return Num{}, err
	}
	return buildNum(mant, exp, neg)
}

// splitNumeric separates mantissa and exponent and checks their digits.
func splitNumeric(u, whole string) (string, int, error) {
	exp, digits, points := 0, 0, 0
	end := len(u)
	for i := range len(u) {
		c := u[i]
		if isDigit(c) {
			digits++
			continue
		}
		if c == '.' {
			if points++; points > 1 {
				return "", 0, syntaxError("numeric", whole)
			}
			continue
		}
		if c|0x20 != 'e' || digits == 0 {
			return "", 0, syntaxError("numeric", whole)
		}
		e := u[i+1:]
		v, err := strconv.ParseInt(e, 10, 32)
		if err != nil {
			if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
				return "", 0, NumOverflow()
			}
			return "", 0, syntaxError("numeric", whole)
		}
		if v > math.MaxInt32/2 || v < math.MinInt32/2 {
			return "", 0, NumOverflow()
		}
		exp, end = int(v), i
		break
	}
	if digits == 0 {
		return "", 0, syntaxError("numeric", whole)
	}
	return u[:end], exp, nil
}

func buildNum(mant string, exp int, neg bool) (Num, error) {
	whole, frac, _ := strings.Cut(mant, ".")
	scale := len(frac) - exp
	digits := whole + frac
	if frac == "" {
		digits = whole
	}
	digits = strings.TrimLeft(digits, "0")
	if len(digits) == 0 {
		return Num{Scale: int32(min(max(scale, 0), NumMaxScale))}, nil
	}
	if len(digits)-scale > numMaxWeightDigits {
		return Num{}, NumOverflow()
	}
	if scale > NumMaxScale {
		drop := scale - NumMaxScale
		if drop > len(digits) {
			return Num{Scale: NumMaxScale}, nil
		}
	}
	var n Num
	if len(digits) <= 18 {
		for i := range len(digits) {
			n.Small = n.Small*10 + int64(digits[i]-'0')
		}
		n.Scale = int32(scale)
	} else {
		b, ok := new(big.Int).SetString(digits, 10)
		if !ok {
			return Num{}, syntaxError("numeric", mant)
		}
		n = numWide(b, scale)
	}
	if neg {
		n = n.Neg()
	}
	if n.Scale > NumMaxScale {
		n = n.Round(NumMaxScale)
	}
	return n.fixScale(), nil
}

func parseNumeric(s string) (Datum, error) {
	n, err := ParseNum(s)
	if err != nil {
		return Null, err
	}
	return n.Datum(), nil
}

func appendNumeric(dst, b []byte) []byte { return OpenNum(b).AppendText(dst) }

// AppendText prints the number with all digits of its scale.
func (n Num) AppendText(dst []byte) []byte {
	switch n.Kind {
	case NumNaN:
		return append(dst, "NaN"...)
	case NumInf:
		return append(dst, "Infinity"...)
	case NumNegInf:
		return append(dst, "-Infinity"...)
	}
	if n.Sign() < 0 {
		dst = append(dst, '-')
	}
	var buf [24]byte
	var d []byte
	if n.Wide != nil {
		d = n.Wide.Append(nil, 10)
		if d[0] == '-' {
			d = d[1:]
		}
	} else {
		v := uint64(n.Small)
		if n.Small < 0 {
			v = -v
		}
		d = strconv.AppendUint(buf[:0], v, 10)
	}
	scale := int(n.Scale)
	if scale == 0 {
		return append(dst, d...)
	}
	if len(d) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(d) {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	}
	dst = append(dst, d[:len(d)-scale]...)
	return append(append(dst, '.'), d[len(d)-scale:]...)
}

// String prints the number.
func (n Num) String() string { return string(n.AppendText(nil)) }

// Cmp orders numbers: -Infinity, finite ones, Infinity, NaN.
func (n Num) Cmp(o Num) int {
	if n.Kind != NumFinite || o.Kind != NumFinite {
		return numRank(n) - numRank(o)
	}
	if n.Wide == nil && o.Wide == nil {
		if n.Scale == o.Scale {
			return cmpInt(n.Small, o.Small)
		}
		a, b := n, o
		if a.Scale < b.Scale {
			a = a.rescaleUp(b.Scale)
		} else {
			b = b.rescaleUp(a.Scale)
		}
		if a.Wide == nil && b.Wide == nil {
			return cmpInt(a.Small, b.Small)
		}
		return a.coef().Cmp(b.coef())
	}
	if s, t := n.Sign(), o.Sign(); s != t {
		return cmpInt(int64(s), int64(t))
	}
	s := max(n.Scale, o.Scale)
	return n.rescaleUp(s).coef().Cmp(o.rescaleUp(s).coef())
}

func numRank(n Num) int {
	switch n.Kind {
	case NumNegInf:
		return -1
	case NumInf:
		return 1
	case NumNaN:
		return 2
	}
	return 0
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// normalize strips trailing zeros of the fraction and the whole: equal numbers get equal coefficient and scale.
func (n Num) normalize() (coef Num, exp int) {
	if n.Wide == nil {
		v, s := n.Small, int(n.Scale)
		if v == 0 {
			return Num{}, 0
		}
		for v%10 == 0 {
			v /= 10
			s--
		}
		return Num{Small: v}, -s
	}
	text := new(big.Int).Abs(n.Wide).Append(nil, 10)
	zeros := 0
	for text[len(text)-1-zeros] == '0' {
		zeros++
	}
	if zeros == 0 {
		return Num{Wide: n.Wide}, -int(n.Scale)
	}
	return numWide(new(big.Int).Quo(n.Wide, bigPow10(zeros)), 0), zeros - int(n.Scale)
}

// Normalize strips trailing zeros of the fraction, as trim_scale does.
func (n Num) Normalize() Num { return n.Trunc(n.MinScale()) }

// MinScale gives the least scale that loses nothing.
func (n Num) MinScale() int {
	if n.Kind != NumFinite {
		return 0
	}
	_, e := n.normalize()
	return max(0, -e)
}
