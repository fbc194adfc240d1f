package builtins

import (
	"math"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// registerInRange enters the support of RANGE frames: whether a value is at most (less) or at least a base plus an offset, or
// minus it (sub). The arguments are value, base, offset, sub and less.
func registerInRange(r registry) {
	r.add(inRangeInts, "in_range_int2_int2", "in_range_int2_int4", "in_range_int2_int8", "in_range_int4_int2", "in_range_int4_int4",
		"in_range_int4_int8", "in_range_int8_int8")
	r.add(inRangeFloats, "in_range_float4_float8", "in_range_float8_float8")
	r.add(inRangeNumeric, "in_range_numeric_numeric")
	r.add(inRangeInterval, "in_range_interval_interval")
	stamps := inRangeTimes(func(_ *Context, ts int64, iv types.Interval) (int64, error) { return timestampPlus(ts, iv) })
	r.add(stamps, "in_range_timestamp_interval")
	r.add(inRangeTimes(func(c *Context, ts int64, iv types.Interval) (int64, error) { return timestamptzPlus(ts, iv, c.zone()) }),
		"in_range_timestamptz_interval")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		b := [5]types.Datum{2: a[2], 3: a[3], 4: a[4]}
		for i := range 2 {
			ts, err := timestampOfDate(a[i].I)
			if err != nil {
				return types.Null, err
			}
			b[i] = types.Int(ts)
		}
		return stamps(c, b[:])
	}, "in_range_date_interval")
	r.add(inRangeTime, "in_range_time_interval")
	r.add(inRangeTimeTZ, "in_range_timetz_interval")
}

func negativeOffset() error {
	return pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
}

// inBound compares a value with the bound: cmp is the order of the two.
func inBound(cmp int, less types.Datum) (types.Datum, error) {
	if less.I != 0 {
		return types.Bool(cmp <= 0), nil
	}
	return types.Bool(cmp >= 0), nil
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func inRangeInts(_ *Context, a []types.Datum) (types.Datum, error) {
	offset := a[2].I
	if offset < 0 {
		return types.Null, negativeOffset()
	}
	if a[3].I != 0 {
		offset = -offset
	}
	bound, ok := addInt(a[1].I, offset)
	if !ok { // beyond every value, on the side of the offset
		return types.Bool((a[3].I != 0) != (a[4].I != 0)), nil
	}
	return inBound(compareInts(a[0].I, bound), a[4])
}

// inRangeOdd decides where NaN is involved, which is beyond every value, and where an infinite base and offset cancel out:
// then everything is in the frame.
func inRangeOdd(valueNaN, baseNaN, cancel, less bool) (in, decided bool) {
	switch {
	case valueNaN:
		return baseNaN || !less, true
	case baseNaN:
		return less, true
	}
	return true, cancel
}

func inRangeFloats(_ *Context, a []types.Datum) (types.Datum, error) {
	value, base, offset, sub := a[0].Float(), a[1].Float(), a[2].Float(), a[3].I != 0
	if math.IsNaN(offset) || offset < 0 {
		return types.Null, negativeOffset()
	}
	cancel := math.IsInf(offset, 0) && math.IsInf(base, 0) && (base > 0) == sub
	if in, ok := inRangeOdd(math.IsNaN(value), math.IsNaN(base), cancel, a[4].I != 0); ok {
		return types.Bool(in), nil
	}
	if sub {
		offset = -offset
	}
	return inBound(types.CompareFloat(value, base+offset), a[4])
}

func inRangeNumeric(_ *Context, a []types.Datum) (types.Datum, error) {
	value, base, offset, sub := types.OpenNum(a[0].B), types.OpenNum(a[1].B), types.OpenNum(a[2].B), a[3].I != 0
	if offset.Kind == types.NumNaN || offset.Sign() < 0 {
		return types.Null, negativeOffset()
	}
	cancel := offset.Kind != types.NumFinite && base.Kind != types.NumFinite && (base.Sign() > 0) == sub
	if in, ok := inRangeOdd(value.Kind == types.NumNaN, base.Kind == types.NumNaN, cancel, a[4].I != 0); ok {
		return types.Bool(in), nil
	}
	if sub {
		offset = offset.Neg()
	}
	return inBound(value.Cmp(types.NumAdd(base, offset)), a[4])
}

func inRangeInterval(_ *Context, a []types.Datum) (types.Datum, error) {
	offset := types.OpenInterval(a[2])
	if offset.Cmp(types.Interval{}) < 0 {
		return types.Null, negativeOffset()
	}
	if a[3].I != 0 {
		offset = negInterval(offset)
	}
	bound, err := addIntervals(types.OpenInterval(a[1]), offset)
	if err != nil {
		return types.Null, err
	}
	return inBound(types.OpenInterval(a[0]).Cmp(bound), a[4])
}

// inRangeTimes is the support of timestamps, given how an interval is added.
func inRangeTimes(plus func(c *Context, ts int64, iv types.Interval) (int64, error)) Scalar {
	return func(c *Context, a []types.Datum) (types.Datum, error) {
		offset := types.OpenInterval(a[2])
		if offset.Cmp(types.Interval{}) < 0 {
			return types.Null, negativeOffset()
		}
		if a[3].I != 0 {
			offset = negInterval(offset)
		}
		bound, err := plus(c, a[1].I, offset)
		if err != nil {
			return types.Null, err
		}
		return inBound(compareInts(a[0].I, bound), a[4])
	}
}

// timeBound adds the time of an interval to a time of day, without going round; false when that is beyond every time.
func timeBound(base int64, a []types.Datum) (bound int64, ok bool, err error) {
	offset := types.OpenInterval(a[2]).Micros
	if offset < 0 {
		return 0, false, negativeOffset()
	}
	if a[3].I != 0 {
		return base - offset, true, nil
	}
	bound, ok = addInt(base, offset)
	return bound, ok, nil
}

func inRangeTime(_ *Context, a []types.Datum) (types.Datum, error) {
	bound, ok, err := timeBound(a[1].I, a)
	if err != nil {
		return types.Null, err
	}
	if !ok {
		return a[4], nil
	}
	return inBound(compareInts(a[0].I, bound), a[4])
}

func inRangeTimeTZ(_ *Context, a []types.Datum) (types.Datum, error) {
	value, base := types.OpenTimeTZ(a[0]), types.OpenTimeTZ(a[1])
	bound, ok, err := timeBound(base.Micros, a)
	if err != nil {
		return types.Null, err
	}
	if !ok {
		return a[4], nil
	}
	base.Micros = bound
	return inBound(value.Cmp(base), a[4])
}
