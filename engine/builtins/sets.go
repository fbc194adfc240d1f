package builtins

import (
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// iteratorFunc makes an Iterator of a function.
type iteratorFunc func(c *Context) (types.Datum, bool, error)

// Next implements Iterator.
func (f iteratorFunc) Next(c *Context) (types.Datum, bool, error) { return f(c) }

// list iterates over values that are already there.
func list(values []types.Datum) Iterator {
	i := 0
	return iteratorFunc(func(*Context) (types.Datum, bool, error) {
		if i >= len(values) {
			return types.Null, false, nil
		}
		i++
		return values[i-1], true, nil
	})
}

func zeroStep() error { return invalidParameter("step size cannot equal zero") }

func registerSets(r registry) {
	w := intWidths()
	series := func(w width) SetReturning {
		return func(_ *Context, a []types.Datum) (Iterator, error) {
			step := int64(1)
			if len(a) > 2 {
				step = a[2].I
			}
			if step == 0 {
				return nil, zeroStep()
			}
			at, end, done := a[0].I, a[1].I, false
			return iteratorFunc(func(*Context) (types.Datum, bool, error) {
				if done || step > 0 && at > end || step < 0 && at < end {
					return types.Null, false, nil
				}
				v := at
				next, ok := addInt(at, step)
				done = !ok || next < w.min || next > w.max
				at = next
				return types.Int(v), true, nil
			}), nil
		}
	}
	r.addSet(series(w["4"]), "generate_series_int4", "generate_series_step_int4")
	r.addSet(series(w["8"]), "generate_series_int8", "generate_series_step_int8")
	r.addSet(numericSeries, "generate_series_numeric", "generate_series_step_numeric")
	r.addSet(func(c *Context, a []types.Datum) (Iterator, error) { return timeSeries(c, a, false) }, "generate_series_timestamp")
	r.addSet(func(c *Context, a []types.Datum) (Iterator, error) { return timeSeries(c, a, true) }, "generate_series_timestamptz")
	r.addSet(unnest, "array_unnest")
	r.addSet(subscripts, "generate_subscripts", "generate_subscripts_nodir")
	r.addSet(func(_ *Context, a []types.Datum) (Iterator, error) {
		if a[0].Null {
			return list(nil), nil
		}
		return list(splitText(a)), nil
	}, "text_to_table", "text_to_table_null")
}

func numericSeries(_ *Context, a []types.Datum) (Iterator, error) {
	step := types.NumInt(1)
	if len(a) > 2 {
		step = types.OpenNum(a[2].B)
	}
	at, end := types.OpenNum(a[0].B), types.OpenNum(a[1].B)
	for i, what := range []string{"start", "stop", "step size"} {
		n := []types.Num{at, end, step}[i]
		switch n.Kind {
		case types.NumNaN:
			return nil, invalidParameter("%s value cannot be NaN", what)
		case types.NumInf, types.NumNegInf:
			return nil, invalidParameter("%s value cannot be infinity", what)
		}
	}
	if step.Sign() == 0 {
		return nil, zeroStep()
	}
	var buf []byte
	return iteratorFunc(func(*Context) (types.Datum, bool, error) {
		if c := at.Cmp(end); step.Sign() > 0 && c > 0 || step.Sign() < 0 && c < 0 {
			return types.Null, false, nil
		}
		buf = at.Append(buf[:0])
		at = types.NumAdd(at, step)
		return types.Datum{B: buf}, true, nil
	}), nil
}

func timeSeries(c *Context, a []types.Datum, tz bool) (Iterator, error) {
	at, end, step := a[0].I, a[1].I, types.OpenInterval(a[2])
	sign := step.Cmp(types.Interval{})
	if sign == 0 {
		return nil, zeroStep()
	}
	loc := c.zone()
	return iteratorFunc(func(*Context) (types.Datum, bool, error) {
		if sign > 0 && at > end || sign < 0 && at < end {
			return types.Null, false, nil
		}
		v := at
		var err error
		if tz {
			at, err = timestamptzPlus(at, step, loc)
		} else {
			at, err = timestampPlus(at, step)
		}
		if err == nil && at == v {
			err = timestampRange()
		}
		return types.Int(v), err == nil, err
	}), nil
}

func unnest(_ *Context, a []types.Datum) (Iterator, error) {
	if a[0].Null {
		return list(nil), nil
	}
	arr := types.OpenArray(a[0])
	return list(arr.Elems(make([]types.Datum, 0, arr.Len()))), nil
}

func subscripts(_ *Context, a []types.Datum) (Iterator, error) {
	arr := types.OpenArray(a[0])
	if a[1].I < 1 || a[1].I > int64(arr.NDims) {
		return list(nil), nil
	}
	d := arr.Dims[a[1].I-1]
	back := len(a) > 2 && a[2].I != 0
	i := int32(0)
	return iteratorFunc(func(*Context) (types.Datum, bool, error) {
		if i >= d.Len {
			return types.Null, false, nil
		}
		v := d.Lower + i
		if back {
			v = d.Lower + d.Len - 1 - i
		}
		i++
		return types.Int(int64(v)), true, nil
	}), nil
}

func registerMisc(r registry) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		v := types.NumSub(lsnNum(a[0].I), lsnNum(a[1].I))
		return v.Datum(), nil
	}, "pg_lsn_mi")
	shift := func(lsn int64, n types.Num) (types.Datum, error) {
		if n.Kind == types.NumNaN {
			return types.Null, pgerror.New(pgerror.FeatureNotSupported, "cannot add NaN to pg_lsn")
		}
		v := types.NumAdd(lsnNum(lsn), n).Round(0)
		if v.Kind != types.NumFinite || v.Sign() < 0 || !v.Coef().IsUint64() {
			return types.Null, outOfRange("pg_lsn")
		}
		return types.Int(int64(v.Coef().Uint64())), nil
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return shift(a[0].I, types.OpenNum(a[1].B)) }, "pg_lsn_pli")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return shift(a[1].I, types.OpenNum(a[0].B)) }, "sql:5023")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return shift(a[0].I, types.OpenNum(a[1].B).Neg())
	}, "pg_lsn_mii")
}

// lsnNum gives an unsigned 64-bit number as a numeric.
func lsnNum(v int64) types.Num {
	n := types.NumInt(v)
	if v < 0 {
		n = types.NumAdd(n, types.NumMul(types.NumInt(1<<32), types.NumInt(1<<32)))
	}
	return n
}
