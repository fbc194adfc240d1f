package builtins

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"manifold/engine/base"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// TestKernelsAgreeWithScalars runs kernels over random lanes, nulls and selections against the scalar form.
func TestKernelsAgreeWithScalars(t *testing.T) {
	i4, i8, f8, text, num := types.OIDInt4, types.OIDInt8, types.OIDFloat8, types.OIDText, types.OIDNumeric
	cases := []struct {
		oid  base.OID
		args []base.OID
		ret  base.OID
	}{
		{177, []base.OID{i4, i4}, i4}, {181, []base.OID{i4, i4}, i4}, {141, []base.OID{i4, i4}, i4}, {154, []base.OID{i4, i4}, i4},
		{463, []base.OID{i8, i8}, i8}, {464, []base.OID{i8, i8}, i8}, {465, []base.OID{i8, i8}, i8},
		{65, []base.OID{i4, i4}, types.OIDBool}, {66, []base.OID{i4, i4}, types.OIDBool}, {474, []base.OID{i8, i4}, types.OIDBool},
		{218, []base.OID{f8, f8}, f8}, {219, []base.OID{f8, f8}, f8}, {216, []base.OID{f8, f8}, f8}, {217, []base.OID{f8, f8}, f8},
		{295, []base.OID{f8, f8}, types.OIDBool}, {67, []base.OID{text, text}, types.OIDBool}, {740, []base.OID{text, text}, types.OIDBool},
		{850, []base.OID{text, text}, types.OIDBool}, {1724, []base.OID{num, num}, num}, {1726, []base.OID{num, num}, num},
		{1727, []base.OID{num, num}, num}, {1722, []base.OID{num, num}, types.OIDBool}, {481, []base.OID{i4}, i8}, {480, []base.OID{i8}, i4},
		{316, []base.OID{i4}, f8}, {317, []base.OID{f8}, i4},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tc := range cases {
		e, ok := Lookup(tc.oid)
		if !ok || e.Kernel == nil {
			t.Errorf("no kernel for %d", tc.oid)
			continue
		}
		for round := range 200 {
			n := 1 + rng.IntN(100)
			args := make([]*vector.Vector, len(tc.args))
			out := &vector.Vector{}
			out.Reset(types.Len(tc.ret) < 0, n)
			for k, typ := range tc.args {
				args[k] = randomColumn(rng, typ, n, round%2 == 0)
				for i := range n {
					if args[k].IsNull(i) {
						out.SetNull(i)
					}
				}
			}
			var sel []int32
			if round%3 == 0 {
				sel = []int32{}
				for i := range n {
					if rng.IntN(2) == 0 {
						sel = append(sel, int32(i))
					}
				}
			}
			checkKernel(t, e, tc.ret, sel, n, args, out)
		}
	}
}

func randomColumn(rng *rand.Rand, typ base.OID, n int, extreme bool) *vector.Vector {
	v := &vector.Vector{}
	v.Reset(types.Len(typ) < 0, n)
	for i := range n {
		if rng.IntN(8) == 0 {
			v.Set(i, types.Null)
			continue
		}
		small := strconv.Itoa(rng.IntN(7) - 3)
		s := small
		if extreme {
			switch typ {
			case types.OIDInt4:
				s = strconv.Itoa(int(int32(rng.Uint32())) >> rng.IntN(31))
			case types.OIDInt8:
				s = strconv.FormatInt(int64(rng.Uint64())>>rng.IntN(63), 10)
			case types.OIDFloat8:
				s = []string{"1e308", "NaN", "Infinity", "-0", "1e-320", "2.5"}[rng.IntN(6)]
			case types.OIDNumeric:
				s = strconv.FormatInt(int64(rng.Uint64())>>rng.IntN(63), 10) + "." + strconv.Itoa(rng.IntN(1000))
			case types.OIDText:
				s = []string{"", "a", "ab", "%", "a%", "_b"}[rng.IntN(6)]
			}
		}
		d, err := types.In(typ, -1, s, nil)
		if err != nil {
			panic(err)
		}
		v.Set(i, d)
	}
	return v
}

func checkKernel(t *testing.T, e Entry, ret base.OID, sel []int32, n int, args []*vector.Vector, out *vector.Vector) {
	t.Helper()
	c := &Context{Env: types.NewEnv()}
	err := e.Kernel(c, sel, n, args, out)
	lanes := sel
	if lanes == nil {
		for i := range n {
			lanes = append(lanes, int32(i))
		}
	}
	for _, lane := range lanes {
		i := int(lane)
		if out.IsNull(i) {
			continue
		}
		in := make([]types.Datum, len(args))
		for k := range args {
			in[k] = args[k].Get(i)
		}
		want, werr := e.Scalar(&Context{Env: types.NewEnv()}, in)
		if werr != nil {
			if err == nil || c.ErrLane != i {
				t.Fatalf("%s: lane %d fails with %v, the kernel with %v at %d", e.Name, i, werr, err, c.ErrLane)
			}
			return
		}
		got := out.Get(i)
		if a, b := types.AppendText(nil, ret, got, nil), types.AppendText(nil, ret, want, nil); string(a) != string(b) {
			t.Fatalf("%s: lane %d is %s, want %s", e.Name, i, a, b)
		}
	}
	if err != nil {
		t.Fatalf("%s: the kernel fails with %v and no lane does", e.Name, err)
	}
}

// TestAggregates gives results that a PostgreSQL 15 gave for the same values.
func TestAggregates(t *testing.T) {
	i4, i8, f4, f8, num, text := types.OIDInt4, types.OIDInt8, types.OIDFloat4, types.OIDFloat8, types.OIDNumeric, types.OIDText
	for _, tc := range []struct {
		oid, typ, ret base.OID
		in            []string
		want          string
	}{
		{2803, 0, i8, []string{"1", `\N`}, "2"},
		{2147, i4, i8, []string{"1", `\N`, "2"}, "2"},
		{2108, i4, i8, []string{"1", `\N`, "2147483647"}, "2147483648"},
		{2108, i4, i8, []string{`\N`}, `\N`},
		{2107, i8, num, []string{"9223372036854775807", "9223372036854775807", "-1"}, "18446744073709551613"},
		{2101, i4, num, []string{"1", "2"}, "1.5000000000000000"},
		{2100, i8, num, []string{"1", "2", "2"}, "1.6666666666666667"},
		{2103, num, num, []string{"1.5", "2.25"}, "1.8750000000000000"},
		{2114, num, num, []string{"1.5", "2.25", "NaN"}, "NaN"},
		{2111, f8, f8, []string{"0.1", "0.2", "0.3"}, "0.6000000000000001"},
		{2105, f8, f8, []string{"1", "2"}, "1.5"},
		{2110, f4, f4, []string{"0.1", "0.2"}, "0.3"},
		{2116, i4, i4, []string{"3", "9", "-4"}, "9"},
		{2145, text, text, []string{"b", "a", "c"}, "a"},
		{2146, num, num, []string{"1.50", "1.5", "2"}, "1.5"},
		{2641, i8, num, []string{"1", "2", "4"}, "2.3333333333333333"},
		{2646, num, num, []string{"1", "2", "4"}, "2.3333333333333333"},
		{2716, f8, f8, []string{"1", "2", "4"}, "1.5275252316519468"},
		{2725, i4, num, []string{"1", "2", "4"}, "1.2472191289246471"},
		{2517, types.OIDBool, types.OIDBool, []string{"t", "f", `\N`}, "f"},
		{2238, i4, i4, []string{"7", "5"}, "5"},
		{2335, i4, types.OIDInt4Array, []string{"1", `\N`, "3"}, "{1,NULL,3}"},
		{2113, types.OIDInterval, types.OIDInterval, []string{"1 day", "2 hours"}, "1 day 02:00:00"},
		{2106, types.OIDInterval, types.OIDInterval, []string{"1 day", "2 hours"}, "13:00:00"},
	} {
		e, ok := Lookup(tc.oid)
		if !ok {
			t.Fatalf("no aggregate %d", tc.oid)
		}
		agg := e.Aggregate()
		agg.Init([]base.OID{tc.typ})
		agg.Grow(3)
		v := &vector.Vector{}
		n := len(tc.in)
		v.Reset(types.Len(tc.typ) < 0, n)
		groups := make([]uint32, n)
		for i, s := range tc.in {
			groups[i] = 2
			d := types.Null
			if s != `\N` && tc.typ != 0 {
				var err error
				if d, err = types.In(tc.typ, -1, s, nil); err != nil {
					t.Fatal(err)
				}
			}
			v.Set(i, d)
		}
		c := &Context{Env: types.NewEnv()}
		args := []*vector.Vector{v}
		if err := agg.Add(c, nil, nil, n, args); err != nil {
			t.Fatal(err)
		}
		if err := agg.Add(c, groups, nil, n, args); err != nil {
			t.Fatal(err)
		}
		for _, g := range []int{0, 2} {
			d, err := agg.Result(c, g)
			got := `\N`
			if err == nil && !d.Null {
				got = string(types.AppendText(nil, tc.ret, d, c.Env))
			}
			if err != nil || got != tc.want {
				t.Errorf("%s (%d) of %v in group %d: %s %v, want %s", e.Name, tc.oid, tc.in, g, got, err, tc.want)
			}
		}
	}
}

func BenchmarkSumInt4(b *testing.B)   { benchAgg(b, 2108, types.OIDInt4) }
func BenchmarkSumFloat8(b *testing.B) { benchAgg(b, 2111, types.OIDFloat8) }
func BenchmarkAvgInt8(b *testing.B)   { benchAgg(b, 2100, types.OIDInt8) }
func BenchmarkSumNum(b *testing.B)    { benchAgg(b, 2114, types.OIDNumeric) }

func benchAgg(b *testing.B, oid, typ base.OID) {
	e, _ := Lookup(oid)
	agg := e.Aggregate()
	agg.Init([]base.OID{typ})
	agg.Grow(1)
	v := &vector.Vector{}
	v.Reset(types.Len(typ) < 0, vector.BatchSize)
	for i := range vector.BatchSize {
		d, err := types.In(typ, -1, strconv.Itoa(i), nil)
		if err != nil {
			b.Fatal(err)
		}
		v.Set(i, d)
	}
	c := &Context{Env: types.NewEnv()}
	b.SetBytes(vector.BatchSize * 8)
	b.ReportAllocs()
	for b.Loop() {
		if err := agg.Add(c, nil, nil, vector.BatchSize, []*vector.Vector{v}); err != nil {
			b.Fatal(err)
		}
	}
}
