package builtins

import (
	"math"

	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func intervalRange() error {
	return pgerror.New(pgerror.DatetimeFieldOverflow, "interval out of range")
}

func addIntervals(a, b types.Interval) (types.Interval, error) {
	m, ok := addInt(a.Micros, b.Micros)
	d, mo := int64(a.Days)+int64(b.Days), int64(a.Months)+int64(b.Months)
	if !ok || d != int64(int32(d)) || mo != int64(int32(mo)) {
		return types.Interval{}, intervalRange()
	}
	return types.Interval{Micros: m, Days: int32(d), Months: int32(mo)}, nil
}

// scaleInterval multiplies by factor (or divides by divisor when that is not zero), cascading fractions downwards: of
// months to days of which a month has 30, of days to time.
func scaleInterval(iv types.Interval, factor, divisor float64) (types.Interval, error) {
	scale := func(v float64) float64 {
		if divisor != 0 {
			return v / divisor
		}
		return v * factor
	}
	months, days := scale(float64(iv.Months)), scale(float64(iv.Days))
	if !(math.Abs(months) <= math.MaxInt32) || !(math.Abs(days) <= math.MaxInt32) {
		return types.Interval{}, intervalRange()
	}
	out := types.Interval{Months: int32(months), Days: int32(days)}
	round := func(v float64) float64 { return math.RoundToEven(v*1e6) / 1e6 }
	monthDays := round((months - math.Trunc(months)) * 30)
	seconds := round((days - math.Trunc(days) + monthDays - math.Trunc(monthDays)) * 86400)
	if math.Abs(seconds) >= 86400 {
		out.Days += int32(seconds / 86400)
		seconds -= float64(int32(seconds/86400)) * 86400
	}
	out.Days += int32(monthDays)
	micros := math.RoundToEven(scale(float64(iv.Micros)) + seconds*1e6)
	if !(math.Abs(micros) < 1<<63) {
		return types.Interval{}, intervalRange()
	}
	out.Micros = int64(micros)
	return out, nil
}

func registerIntervals(r registry) {
	binary := func(name string, f func(a, b types.Interval) (types.Interval, error)) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			iv, err := f(types.OpenInterval(a[0]), types.OpenInterval(a[1]))
			if err != nil {
				return types.Null, err
			}
			return c.stored(iv.Append), nil
		}, name)
	}
	binary("interval_pl", addIntervals)
	binary("interval_mi", func(a, b types.Interval) (types.Interval, error) { return addIntervals(a, negInterval(b)) })
	unary := func(name string, f func(iv types.Interval) (types.Interval, error)) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			iv, err := f(types.OpenInterval(a[0]))
			if err != nil {
				return types.Null, err
			}
			return c.stored(iv.Append), nil
		}, name)
	}
	unary("interval_um", func(iv types.Interval) (types.Interval, error) {
		if iv.Micros == math.MinInt64 || iv.Days == math.MinInt32 || iv.Months == math.MinInt32 {
			return iv, intervalRange()
		}
		return negInterval(iv), nil
	})
	unary("interval_justify_hours", justifyHours)
	unary("interval_justify_days", justifyDays)
	unary("interval_justify_interval", justifyInterval)
	scaled := func(f func(iv types.Interval, by float64) (types.Interval, error), iv, by int, name string) {
		r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
			out, err := f(types.OpenInterval(a[iv]), a[by].Float())
			if err != nil {
				return types.Null, err
			}
			return c.stored(out.Append), nil
		}, name)
	}
	mul := func(iv types.Interval, by float64) (types.Interval, error) { return scaleInterval(iv, by, 0) }
	scaled(mul, 0, 1, "interval_mul")
	scaled(mul, 1, 0, "mul_d_interval")
	scaled(func(iv types.Interval, by float64) (types.Interval, error) {
		if by == 0 {
			return iv, divisionByZero()
		}
		return scaleInterval(iv, 0, by)
	}, 0, 1, "interval_div")
}

func justifyHours(iv types.Interval) (types.Interval, error) {
	days := int64(iv.Days) + iv.Micros/types.MicrosPerDay
	iv.Micros %= types.MicrosPerDay
	if days > 0 && iv.Micros < 0 {
		iv.Micros += types.MicrosPerDay
		days--
	} else if days < 0 && iv.Micros > 0 {
		iv.Micros -= types.MicrosPerDay
		days++
	}
	if days != int64(int32(days)) {
		return iv, intervalRange()
	}
	iv.Days = int32(days)
	return iv, nil
}

func justifyDays(iv types.Interval) (types.Interval, error) {
	months := int64(iv.Months) + int64(iv.Days/30)
	iv.Days %= 30
	if months > 0 && iv.Days < 0 {
		iv.Days += 30
		months--
	} else if months < 0 && iv.Days > 0 {
		iv.Days -= 30
		months++
	}
	if months != int64(int32(months)) {
		return iv, intervalRange()
	}
	iv.Months = int32(months)
	return iv, nil
}

// justifyInterval brings all fields to one sign, days below 30 and hours below 24.
func justifyInterval(iv types.Interval) (types.Interval, error) {
	days := int64(iv.Days) + iv.Micros/types.MicrosPerDay
	micros := iv.Micros % types.MicrosPerDay
	months := int64(iv.Months) + days/30
	days %= 30
	if months > 0 && (days < 0 || days == 0 && micros < 0) {
		days += 30
		months--
	} else if months < 0 && (days > 0 || days == 0 && micros > 0) {
		days -= 30
		months++
	}
	if days > 0 && micros < 0 {
		micros += types.MicrosPerDay
		days--
	} else if days < 0 && micros > 0 {
		micros -= types.MicrosPerDay
		days++
	}
	if months != int64(int32(months)) {
		return iv, intervalRange()
	}
	return types.Interval{Micros: micros, Days: int32(days), Months: int32(months)}, nil
}
