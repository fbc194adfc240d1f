package builtins

import (
	"manifold/engine/base"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Remove implements Inverse.
func (a *countAgg) Remove(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	var arg *vector.Vector
	if !a.star && len(args) > 0 {
		arg = args[0]
	}
	return each(groups, sel, n, arg, func(g uint32, _ int) error {
		a.n[g]--
		return nil
	})
}

// Remove implements Inverse.
func (a *intSum) Remove(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		if a.n[g]--; a.wide {
			a.sums[g].sub(v.Fixed[i])
		} else {
			a.sum[g] -= v.Fixed[i]
		}
		return nil
	})
}

func (s *int128) sub(v int64) {
	old := s.lo
	s.lo -= uint64(v)
	s.hi -= v >> 63
	if s.lo > old {
		s.hi--
	}
}

// Remove implements Inverse.
func (a *intervalSum) Remove(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		iv := types.OpenInterval(types.Datum{B: v.Bytes(i)})
		s, err := addIntervals(a.sum[g], types.Interval{Micros: -iv.Micros, Days: -iv.Days, Months: -iv.Months})
		if err != nil {
			return err
		}
		a.sum[g] = s
		a.n[g]--
		return nil
	})
}

// intVariance is the variance family of integers, whose sums are exact.
type intVariance struct{ numSum }

// Remove implements Inverse.
func (a *intVariance) Remove(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		x := types.NumInt(v.Fixed[i])
		a.n[g]--
		a.sum[g] = types.NumSub(a.sum[g], x)
		a.sq[g] = types.NumSub(a.sq[g], types.NumMul(x, x))
		return nil
	})
}

// movingNum is sum and avg of numeric over frames that move. It counts the values of each scale, since that of the sum is
// the largest among them, and those that are not finite.
type movingNum struct {
	avg    bool
	groups []movingState
}

type movingState struct {
	n        int64
	sum      types.Num
	scales   []int64 // values by scale
	specials [4]int64
}

func (a *movingNum) Init([]base.OID) {}
func (a *movingNum) Grow(n int)      { a.groups = grow(a.groups, n) }

func (a *movingNum) MemBytes() int64 {
	m := int64(cap(a.groups)) * 104
	for i := range a.groups {
		m += int64(8 * cap(a.groups[i].scales))
	}
	return m
}

func (a *movingNum) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	return each(groups, sel, n, args[0], func(g uint32, i int) error {
		a.groups[g].move(types.OpenNum(args[0].Bytes(i)), 1)
		return nil
	})
}

// Remove implements Inverse.
func (a *movingNum) Remove(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	return each(groups, sel, n, args[0], func(g uint32, i int) error {
		a.groups[g].move(types.OpenNum(args[0].Bytes(i)), -1)
		return nil
	})
}

// move adds a value, or takes it back.
func (s *movingState) move(x types.Num, by int64) {
	s.n += by
	if x.Kind != types.NumFinite {
		s.specials[x.Kind&3] += by
		return
	}
	for len(s.scales) <= int(x.Scale) {
		s.scales = append(s.scales, 0)
	}
	s.scales[x.Scale] += by
	if by < 0 {
		x = x.Neg()
	}
	s.sum = types.NumAdd(s.sum, x)
}

func (a *movingNum) Result(c *Context, g int) (types.Datum, error) {
	s := &a.groups[g]
	if s.n == 0 {
		return types.Null, nil
	}
	total := s.total()
	if a.avg {
		var err error
		if total, err = types.NumDiv(total, types.NumInt(s.n)); err != nil {
			return types.Null, err
		}
	}
	return c.num(total)
}

// total gives the sum with the scale that the values held ask for.
func (s *movingState) total() types.Num {
	total := types.NumInt(0)
	for kind, n := range s.specials {
		if n > 0 {
			total = types.NumAdd(total, types.NumSpecial(types.NumKind(kind)))
		}
	}
	if total.Kind != types.NumFinite {
		return total
	}
	scale := len(s.scales) - 1
	for scale > 0 && s.scales[scale] == 0 {
		scale--
	}
	return s.sum.Round(max(scale, 0))
}
