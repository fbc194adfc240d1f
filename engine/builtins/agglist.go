package builtins

import (
	"math"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// stringAgg is string_agg of text and bytea.
type stringAgg struct {
	seen  []bool
	b     [][]byte
	bytes int64
}

func (a *stringAgg) Init([]base.OID) {}
func (a *stringAgg) Grow(n int)      { a.seen, a.b = grow(a.seen, n), grow(a.b, n) }
func (a *stringAgg) MemBytes() int64 { return int64(cap(a.seen)+24*cap(a.b)) + a.bytes }

func (a *stringAgg) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v, sep := args[0], args[1]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		before := cap(a.b[g])
		if a.seen[g] && !sep.IsNull(i) {
			a.b[g] = append(a.b[g], sep.Bytes(i)...)
		}
		a.seen[g] = true
		a.b[g] = append(a.b[g], v.Bytes(i)...)
		a.bytes += int64(cap(a.b[g]) - before)
		if len(a.b[g]) > maxText {
			return pgerror.New(pgerror.ProgramLimitExceeded, "out of memory").
				WithDetail("Cannot enlarge string buffer containing %d bytes by %d more bytes.", len(a.b[g]), v.Spans[i].Len)
		}
		return nil
	})
}

func (a *stringAgg) Result(_ *Context, g int) (types.Datum, error) {
	if !a.seen[g] {
		return types.Null, nil
	}
	return types.Datum{B: a.b[g]}, nil
}

// arrayAgg is array_agg: of scalars, and of arrays of one shape, which it stacks.
type arrayAgg struct {
	arg   base.OID
	elem  base.OID
	stack bool
	elems [][]types.Datum
	shape [][]types.Dim
	n     []int32
	bytes int64
}

func (a *arrayAgg) Init(argTypes []base.OID) {
	if len(argTypes) > 0 {
		a.arg = argTypes[0]
	}
	a.elem = a.arg
	if info, ok := types.Lookup(a.arg); a.stack && ok {
		a.elem = info.Elem
	}
}

func (a *arrayAgg) Grow(n int) {
	a.elems, a.n = grow(a.elems, n), grow(a.n, n)
	if a.stack {
		a.shape = grow(a.shape, n)
	}
}

func (a *arrayAgg) MemBytes() int64 { return int64(28*cap(a.elems)+24*cap(a.shape)) + a.bytes }

func (a *arrayAgg) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, nil, func(g uint32, i int) error {
		d := v.Get(i)
		a.bytes += int64(len(d.B)) + 48
		if !a.stack {
			a.elems[g] = append(a.elems[g], d.Clone())
			a.n[g]++
			return nil
		}
		if d.Null {
			return pgerror.New(pgerror.NullValueNotAllowed, "cannot accumulate null arrays")
		}
		return a.push(g, d.Clone())
	})
}

func (a *arrayAgg) push(g uint32, d types.Datum) error {
	arr := types.OpenArray(d)
	if arr.NDims == 0 {
		return pgerror.New(pgerror.ArraySubscriptError, "cannot accumulate empty arrays")
	}
	if a.n[g] == 0 {
		if arr.NDims == types.MaxDims {
			return pgerror.Newf(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)",
				arr.NDims+1, types.MaxDims)
		}
		a.shape[g] = append([]types.Dim{}, arr.Shape()...)
	} else {
		same := len(a.shape[g]) == arr.NDims
		for i := 0; same && i < arr.NDims; i++ {
			same = a.shape[g][i] == arr.Dims[i]
		}
		if !same {
			return pgerror.New(pgerror.ArraySubscriptError, "cannot accumulate arrays of different dimensionality")
		}
	}
	a.n[g]++
	a.elems[g] = arr.Elems(a.elems[g])
	return nil
}

func (a *arrayAgg) Result(_ *Context, g int) (types.Datum, error) {
	if a.n[g] == 0 {
		return types.Null, nil
	}
	dims := []types.Dim{{Len: a.n[g], Lower: 1}}
	if a.stack {
		dims = append(dims, a.shape[g]...)
	}
	return types.Datum{B: types.AppendArray(nil, a.elem, dims, a.elems[g])}, nil
}

// regression is the two-argument statistics over (y, x), by Youngs and Cramer's updates.
type regression struct {
	result func(s *regState) (float64, bool)
	s      []regState
}

type regState struct{ n, sx, sxx, sy, syy, sxy float64 }

func (a *regression) Init([]base.OID) {}
func (a *regression) Grow(n int)      { a.s = grow(a.s, n) }
func (a *regression) MemBytes() int64 { return int64(48 * cap(a.s)) }

func (a *regression) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	vy, vx := args[0], args[1]
	return each(groups, sel, n, vy, func(g uint32, i int) error {
		if vx.IsNull(i) {
			return nil
		}
		s := &a.s[g]
		x, y := f64(vx.Fixed[i]), f64(vy.Fixed[i])
		old := s.n
		s.n++
		s.sx += x
		s.sy += y
		if old > 0 {
			dx, dy, k := x*s.n-s.sx, y*s.n-s.sy, 1/(s.n*old)
			s.sxx += dx * dx * k
			s.syy += dy * dy * k
			s.sxy += dx * dy * k
			if math.IsInf(s.sxx, 0) || math.IsInf(s.syy, 0) || math.IsInf(s.sxy, 0) {
				if !math.IsInf(x, 0) && !math.IsInf(y, 0) && !odd(s.sx-x) && !odd(s.sy-y) {
					return floatOverflow()
				}
			}
		} else if odd(x) || odd(y) {
			s.sxy = math.NaN()
		}
		return nil
	})
}

func (a *regression) Result(_ *Context, g int) (types.Datum, error) {
	v, ok := a.result(&a.s[g])
	if !ok {
		return types.Null, nil
	}
	return types.Float(v), nil
}

// regCount is regr_count.
type regCount struct{ regression }

func (a *regCount) Result(_ *Context, g int) (types.Datum, error) {
	return types.Int(int64(a.s[g].n)), nil
}

func regressions() map[base.OID]func(s *regState) (float64, bool) {
	some := func(f func(s *regState) float64) func(*regState) (float64, bool) {
		return func(s *regState) (float64, bool) { return f(s), s.n >= 1 }
	}
	sloped := func(f func(s *regState) float64) func(*regState) (float64, bool) {
		return func(s *regState) (float64, bool) {
			if s.n < 1 || s.sxx == 0 {
				return 0, false
			}
			return f(s), true
		}
	}
	return map[base.OID]func(s *regState) (float64, bool){
		2819: some(func(s *regState) float64 { return s.sxx }),
		2820: some(func(s *regState) float64 { return s.syy }),
		2821: some(func(s *regState) float64 { return s.sxy }),
		2822: some(func(s *regState) float64 { return s.sx / s.n }),
		2823: some(func(s *regState) float64 { return s.sy / s.n }),
		2824: sloped(func(s *regState) float64 {
			if s.syy == 0 {
				return 1
			}
			return s.sxy * s.sxy / (s.sxx * s.syy)
		}),
		2825: sloped(func(s *regState) float64 { return s.sxy / s.sxx }),
		2826: sloped(func(s *regState) float64 { return (s.sy - s.sx*s.sxy/s.sxx) / s.n }),
		2827: some(func(s *regState) float64 { return s.sxy / s.n }),
		2828: func(s *regState) (float64, bool) { return s.sxy / (s.n - 1), s.n >= 2 },
		2829: func(s *regState) (float64, bool) {
			if s.n < 1 || s.sxx == 0 || s.syy == 0 {
				return 0, false
			}
			return s.sxy / math.Sqrt(s.sxx*s.syy), true
		},
	}
}

// aggregates is the table of aggregates by the OID of their pg_proc row.
func aggregates() map[base.OID]Entry {
	t := map[base.OID]Entry{}
	add := func(name string, args int, f func() Aggregate, oids ...base.OID) {
		for _, oid := range oids {
			t[oid] = Entry{Name: name, Args: args, Aggregate: f}
		}
	}
	add("count", 0, func() Aggregate { return &countAgg{star: true} }, 2803)
	add("count", 1, func() Aggregate { return &countAgg{} }, 2147)
	add("sum", 1, func() Aggregate { return &intSum{} }, 2108, 2109)
	add("sum", 1, func() Aggregate { return &intSum{wide: true} }, 2107)
	add("avg", 1, func() Aggregate { return &intSum{avg: true} }, 2101, 2102)
	add("avg", 1, func() Aggregate { return &intSum{avg: true, wide: true} }, 2100)
	add("sum", 1, func() Aggregate { return &floatSum{single: true} }, 2110)
	add("sum", 1, func() Aggregate { return &floatSum{} }, 2111)
	add("avg", 1, func() Aggregate { return &floatSum{kind: statAvg} }, 2104, 2105)
	t[2114] = Entry{Name: "sum", Args: 1, Aggregate: func() Aggregate { return &numSum{} }, Moving: func() Aggregate { return &movingNum{} }}
	t[2103] = Entry{Name: "avg", Args: 1, Aggregate: func() Aggregate { return &numSum{kind: statAvg} },
		Moving: func() Aggregate { return &movingNum{avg: true} }}
	add("sum", 1, func() Aggregate { return &intervalSum{} }, 2113)
	add("avg", 1, func() Aggregate { return &intervalSum{avg: true} }, 2106)
	add("max", 1, func() Aggregate { return &extremeAgg{max: true} }, 2115, 2116, 2117, 2118, 2119, 2120, 2122, 2123, 2124, 2125,
		2126, 2127, 2128, 2129, 2130, 2244, 2050, 2797, 3564, 4189, 5099)
	add("min", 1, func() Aggregate { return &extremeAgg{} }, 2131, 2132, 2133, 2134, 2135, 2136, 2138, 2139, 2140, 2141,
		2142, 2143, 2144, 2145, 2146, 2245, 2051, 2798, 3565, 4190, 5100)
	for first, kind := range map[base.OID]statKind{2718: statVarPop, 2641: statVarSamp, 2148: statVarSamp, 2724: statStdPop,
		2712: statStdSamp, 2154: statStdSamp} {
		// each family stands in pg_proc as int8, int4, int2, float4, float8, numeric
		add("variance", 1, func() Aggregate { return &intVariance{numSum{kind: kind, ints: true}} }, first, first+1, first+2)
		add("variance", 1, func() Aggregate { return &floatSum{kind: kind} }, first+3, first+4)
		add("variance", 1, func() Aggregate { return &numSum{kind: kind} }, first+5)
	}
	and := func() Aggregate { return &foldAgg{f: func(a, b int64) int64 { return a & b }} }
	or := func() Aggregate { return &foldAgg{f: func(a, b int64) int64 { return a | b }} }
	xor := func() Aggregate { return &foldAgg{f: func(a, b int64) int64 { return a ^ b }} }
	add("and", 1, and, 2517, 2519, 2236, 2238, 2240)
	add("or", 1, or, 2518, 2237, 2239, 2241)
	add("xor", 1, xor, 6164, 6165, 6166)
	add("string_agg", 2, func() Aggregate { return &stringAgg{} }, 3538, 3545)
	add("array_agg", 1, func() Aggregate { return &arrayAgg{} }, 2335)
	add("array_agg", 1, func() Aggregate { return &arrayAgg{stack: true} }, 4053)
	add("percentile_disc", 2, func() Aggregate { return &sortedAgg{result: discrete} }, 3972)
	add("percentile_disc", 2, func() Aggregate { return &sortedAgg{result: several(discrete)} }, 3978)
	add("percentile_cont", 2, func() Aggregate { return &sortedAgg{result: continuous} }, 3974)
	add("percentile_cont", 2, func() Aggregate { return &sortedAgg{result: several(continuous)} }, 3980)
	add("percentile_cont", 2, func() Aggregate { return &sortedAgg{result: continuousInterval} }, 3976)
	add("percentile_cont", 2, func() Aggregate { return &sortedAgg{result: several(continuousInterval)} }, 3982)
	add("mode", 1, func() Aggregate { return &sortedAgg{result: commonest} }, 3984)
	add("regr_count", 2, func() Aggregate { return &regCount{} }, 2818)
	for oid, f := range regressions() {
		add("regr", 2, func() Aggregate { return &regression{result: f} }, oid)
	}
	addJSONAggregates(add)
	return t
}
