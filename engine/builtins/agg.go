package builtins

import (
	"math"
	"math/big"
	"math/bits"

	"manifold/engine/base"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// each calls f with the group and lane of every selected lane whose argument is not null.
func each(groups []uint32, sel []int32, n int, arg *vector.Vector, f func(g uint32, i int) error) error {
	count := n
	if sel != nil {
		count = len(sel)
	}
	for k := range count {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if arg != nil && arg.IsNull(i) {
			continue
		}
		g := uint32(0)
		if groups != nil {
			g = groups[k]
		}
		if err := f(g, i); err != nil {
			return err
		}
	}
	return nil
}

// grow extends a state array to n groups.
func grow[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		return s[:n]
	}
	out := make([]T, n, max(n, 2*cap(s)))
	copy(out, s)
	return out
}

// countAgg is count(*) and count(x).
type countAgg struct {
	star bool
	n    []int64
}

func (a *countAgg) Init([]base.OID)                               {}
func (a *countAgg) Grow(n int)                                    { a.n = grow(a.n, n) }
func (a *countAgg) MemBytes() int64                               { return int64(8 * cap(a.n)) }
func (a *countAgg) Result(_ *Context, g int) (types.Datum, error) { return types.Int(a.n[g]), nil }

func (a *countAgg) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	count := n
	if sel != nil {
		count = len(sel)
	}
	if a.star || len(args) == 0 || !args[0].HasNulls {
		if groups == nil {
			a.n[0] += int64(count)
			return nil
		}
		for _, g := range groups[:count] {
			a.n[g]++
		}
		return nil
	}
	if groups == nil && sel == nil {
		nulls := 0
		v := args[0]
		for w := range (n + 63) / 64 {
			m := v.Nulls[w]
			if r := n - 64*w; r < 64 {
				m &= 1<<r - 1
			}
			nulls += bits.OnesCount64(m)
		}
		a.n[0] += int64(n - nulls)
		return nil
	}
	return each(groups, sel, n, args[0], func(g uint32, _ int) error {
		a.n[g]++
		return nil
	})
}

// int128 is a sum of integers that cannot overflow in practice.
type int128 struct {
	hi int64
	lo uint64
}

func (s *int128) add(v int64) {
	lo, carry := bits.Add64(s.lo, uint64(v), 0)
	s.lo = lo
	s.hi += v>>63 + int64(carry)
}

func (s int128) big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(s.hi), 64)
	return b.Add(b, new(big.Int).SetUint64(s.lo))
}

func (s int128) num() types.Num {
	if s.hi == int64(s.lo)>>63 {
		return types.NumInt(int64(s.lo))
	}
	return types.NumFromBig(s.big(), 0)
}

// intSum is sum and avg of the integer types: of int2 and int4 in 64 bits, of int8 in 128.
type intSum struct {
	avg, wide bool
	n         []int64
	sum       []int64
	sums      []int128
}

func (a *intSum) Init([]base.OID) {}

func (a *intSum) Grow(n int) {
	a.n = grow(a.n, n)
	if a.wide {
		a.sums = grow(a.sums, n)
	} else {
		a.sum = grow(a.sum, n)
	}
}

func (a *intSum) MemBytes() int64 { return int64(8*cap(a.n) + 8*cap(a.sum) + 16*cap(a.sums)) }

func (a *intSum) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	if a.wide {
		return a.addWide(groups, sel, n, v)
	}
	if sel == nil && !v.HasNulls {
		f := v.Fixed[:n]
		if groups == nil {
			s := int64(0)
			for _, x := range f {
				s += x
			}
			a.sum[0] += s
			a.n[0] += int64(n)
			return nil
		}
		for i, g := range groups[:n] {
			a.sum[g] += f[i]
			a.n[g]++
		}
		return nil
	}
	return each(groups, sel, n, v, func(g uint32, i int) error {
		a.sum[g] += v.Fixed[i]
		a.n[g]++
		return nil
	})
}

func (a *intSum) addWide(groups []uint32, sel []int32, n int, v *vector.Vector) error {
	if sel == nil && !v.HasNulls && groups == nil {
		s := a.sums[0]
		for _, x := range v.Fixed[:n] {
			s.add(x)
		}
		a.sums[0] = s
		a.n[0] += int64(n)
		return nil
	}
	return each(groups, sel, n, v, func(g uint32, i int) error {
		a.sums[g].add(v.Fixed[i])
		a.n[g]++
		return nil
	})
}

func (a *intSum) Result(c *Context, g int) (types.Datum, error) {
	if a.n[g] == 0 {
		return types.Null, nil
	}
	var total types.Num
	if a.wide {
		total = a.sums[g].num()
	} else {
		total = types.NumInt(a.sum[g])
	}
	if a.avg {
		q, err := types.NumDiv(total, types.NumInt(a.n[g]))
		if err != nil {
			return types.Null, err
		}
		return c.num(q)
	}
	if a.wide {
		return c.num(total)
	}
	return types.Int(a.sum[g]), nil
}

// floatSum is sum and avg of float4 and float8, and the variance family by Youngs and Cramer's updates.
type floatSum struct {
	kind   statKind
	single bool
	n      []float64
	sum    []float64
	sq     []float64
}

// statKind is what an aggregate over numbers gives.
type statKind uint8

const (
	statSum statKind = iota
	statAvg
	statVarPop
	statVarSamp
	statStdPop
	statStdSamp
)

func (k statKind) squares() bool { return k >= statVarPop }
func (k statKind) sample() bool  { return k == statVarSamp || k == statStdSamp }
func (k statKind) root() bool    { return k >= statStdPop }

func (a *floatSum) Init([]base.OID) {}

func (a *floatSum) Grow(n int) {
	a.n, a.sum = grow(a.n, n), grow(a.sum, n)
	if a.kind.squares() {
		a.sq = grow(a.sq, n)
	}
}

func (a *floatSum) MemBytes() int64 { return int64(8 * (cap(a.n) + cap(a.sum) + cap(a.sq))) }

func (a *floatSum) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	if a.kind.squares() {
		return each(groups, sel, n, v, func(g uint32, i int) error { return a.update(g, f64(v.Fixed[i])) })
	}
	if sel == nil && !v.HasNulls && groups == nil && !a.single {
		s := a.sum[0]
		for _, x := range v.Fixed[:n] {
			s += math.Float64frombits(uint64(x))
		}
		if !odd(s) {
			a.sum[0] = s
			a.n[0] += float64(n)
			return nil
		}
	}
	return each(groups, sel, n, v, func(g uint32, i int) error {
		x := f64(v.Fixed[i])
		s := a.sum[g] + x
		if a.single && a.kind == statSum {
			s = float64(float32(s))
		}
		if math.IsInf(s, 0) && !math.IsInf(x, 0) && !math.IsInf(a.sum[g], 0) {
			return floatOverflow()
		}
		a.sum[g] = s
		a.n[g]++
		return nil
	})
}

// update adds one value to n, sum and the sum of squared differences from the mean.
func (a *floatSum) update(g uint32, x float64) error {
	n, s := a.n[g]+1, a.sum[g]+x
	sq := a.sq[g]
	if a.n[g] > 0 {
		d := x*n - s
		sq += d * d / (n * a.n[g])
		if math.IsInf(s, 0) || math.IsInf(sq, 0) {
			if !math.IsInf(a.sum[g], 0) && !math.IsInf(x, 0) {
				return floatOverflow()
			}
			sq = math.NaN()
		}
	} else if x-x != 0 {
		sq = math.NaN()
	}
	a.n[g], a.sum[g], a.sq[g] = n, s, sq
	return nil
}

func (a *floatSum) Result(_ *Context, g int) (types.Datum, error) {
	n := a.n[g]
	if n == 0 {
		return types.Null, nil
	}
	switch a.kind {
	case statSum:
		return types.Float(a.sum[g]), nil
	case statAvg:
		return types.Float(a.sum[g] / n), nil
	}
	d := n
	if a.kind.sample() {
		if n <= 1 {
			return types.Null, nil
		}
		d--
	}
	v := a.sq[g] / d
	if a.kind.root() {
		v = math.Sqrt(v)
	}
	return types.Float(v), nil
}

// numSum is sum, avg and the variance family of numeric, and the latter of integers.
type numSum struct {
	kind  statKind
	ints  bool
	n     []int64
	sum   []types.Num
	sq    []types.Num
	bytes int64
}

func (a *numSum) Init([]base.OID) {}

func (a *numSum) Grow(n int) {
	a.n, a.sum = grow(a.n, n), grow(a.sum, n)
	if a.kind.squares() {
		a.sq = grow(a.sq, n)
	}
}

func (a *numSum) MemBytes() int64 { return int64(8*cap(a.n)+32*(cap(a.sum)+cap(a.sq))) + a.bytes }

func (a *numSum) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		var x types.Num
		if a.ints {
			x = types.NumInt(v.Fixed[i])
		} else {
			x = types.OpenNum(v.Bytes(i))
		}
		a.n[g]++
		a.sum[g] = types.NumAdd(a.sum[g], x)
		if a.sq != nil {
			a.sq[g] = types.NumAdd(a.sq[g], types.NumMul(x, x))
		}
		return nil
	})
}

func (a *numSum) Result(c *Context, g int) (types.Datum, error) {
	n := a.n[g]
	if n == 0 {
		return types.Null, nil
	}
	count := types.NumInt(n)
	switch a.kind {
	case statSum:
		return c.num(a.sum[g])
	case statAvg:
		q, err := types.NumDiv(a.sum[g], count)
		if err != nil {
			return types.Null, err
		}
		return c.num(q)
	}
	if a.kind.sample() && n == 1 {
		return types.Null, nil
	}
	if a.sum[g].Kind != types.NumFinite {
		return c.num(types.NumSpecial(types.NumNaN))
	}
	num := types.NumSub(types.NumMul(count, a.sq[g]), types.NumMul(a.sum[g], a.sum[g]))
	if num.Sign() <= 0 {
		return c.num(types.NumInt(0))
	}
	den := types.NumMul(count, count)
	if a.kind.sample() {
		den = types.NumMul(count, types.NumInt(n-1))
	}
	q, err := types.NumDiv(num, den)
	if err != nil {
		return types.Null, err
	}
	if a.kind.root() {
		q, _ = types.NumSqrt(q)
	}
	return c.num(q)
}

// intervalSum is sum and avg of interval.
type intervalSum struct {
	avg bool
	n   []int64
	sum []types.Interval
}

func (a *intervalSum) Init([]base.OID) {}
func (a *intervalSum) Grow(n int)      { a.n, a.sum = grow(a.n, n), grow(a.sum, n) }
func (a *intervalSum) MemBytes() int64 { return int64(8*cap(a.n) + 16*cap(a.sum)) }

func (a *intervalSum) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		s, err := addIntervals(a.sum[g], types.OpenInterval(types.Datum{B: v.Bytes(i)}))
		if err != nil {
			return err
		}
		a.sum[g] = s
		a.n[g]++
		return nil
	})
}

func (a *intervalSum) Result(c *Context, g int) (types.Datum, error) {
	if a.n[g] == 0 {
		return types.Null, nil
	}
	if !a.avg {
		return c.stored(a.sum[g].Append), nil
	}
	iv, err := scaleInterval(a.sum[g], 1/float64(a.n[g]), float64(a.n[g]))
	if err != nil {
		return types.Null, err
	}
	return c.stored(iv.Append), nil
}

// extremeAgg is min and max. Fixed-width values stay in v; others own their bytes.
type extremeAgg struct {
	max   bool
	typ   base.OID
	cmp   func(a, b *types.Datum) int
	ints  bool
	seen  []bool
	v     []int64
	b     [][]byte
	bytes int64
}

func (a *extremeAgg) Init(argTypes []base.OID) {
	if len(argTypes) > 0 {
		a.typ = argTypes[0]
	}
	a.cmp = types.CompareFunc(a.typ)
	switch a.typ {
	case types.OIDInt2, types.OIDInt4, types.OIDInt8, types.OIDDate, types.OIDTime, types.OIDTimestamp, types.OIDTimestampTZ, types.OIDOID:
		a.ints = true
	}
}

func (a *extremeAgg) Grow(n int) {
	a.seen = grow(a.seen, n)
	if types.Len(a.typ) > 0 {
		a.v = grow(a.v, n)
	} else {
		a.b = grow(a.b, n)
	}
}

func (a *extremeAgg) MemBytes() int64 { return int64(cap(a.seen)+8*cap(a.v)+24*cap(a.b)) + a.bytes }

func (a *extremeAgg) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	if a.ints && groups == nil && sel == nil && !v.HasNulls && n > 0 {
		best := v.Fixed[0]
		if a.seen[0] {
			best = a.v[0]
		}
		for _, x := range v.Fixed[:n] {
			if a.max {
				best = max(best, x)
			} else {
				best = min(best, x)
			}
		}
		a.v[0], a.seen[0] = best, true
		return nil
	}
	return each(groups, sel, n, v, func(g uint32, i int) error {
		d := v.Get(i)
		if a.seen[g] {
			cur := types.Datum{}
			if a.b != nil {
				cur.B = a.b[g]
			} else {
				cur.I = a.v[g]
			}
			c := a.cmp(&d, &cur) // of equal values the later stays, except of blank-padded ones
			if c == 0 && a.typ == types.OIDBPChar || c != 0 && c > 0 != a.max {
				return nil
			}
		}
		a.seen[g] = true
		if a.b == nil {
			a.v[g] = d.I
			return nil
		}
		a.bytes += int64(len(d.B) - len(a.b[g]))
		a.b[g] = append(a.b[g][:0], d.B...)
		return nil
	})
}

func (a *extremeAgg) Result(_ *Context, g int) (types.Datum, error) {
	switch {
	case !a.seen[g]:
		return types.Null, nil
	case a.b != nil:
		return types.Datum{B: a.b[g]}, nil
	}
	return types.Datum{I: a.v[g]}, nil
}

// foldAgg folds fixed-width values: bool_and, bool_or, bit_and, bit_or, bit_xor.
type foldAgg struct {
	f    func(a, b int64) int64
	seen []bool
	v    []int64
}

func (a *foldAgg) Init([]base.OID) {}
func (a *foldAgg) Grow(n int)      { a.seen, a.v = grow(a.seen, n), grow(a.v, n) }
func (a *foldAgg) MemBytes() int64 { return int64(cap(a.seen) + 8*cap(a.v)) }

func (a *foldAgg) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		if !a.seen[g] {
			a.seen[g], a.v[g] = true, v.Fixed[i]
			return nil
		}
		a.v[g] = a.f(a.v[g], v.Fixed[i])
		return nil
	})
}

func (a *foldAgg) Result(_ *Context, g int) (types.Datum, error) {
	if !a.seen[g] {
		return types.Null, nil
	}
	return types.Int(a.v[g]), nil
}
