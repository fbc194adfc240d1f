package builtins

import (
	"bytes"
	"math"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// sortedAgg keeps the values of an ordered-set aggregate, which come sorted, and its direct argument.
type sortedAgg struct {
	result func(a *sortedAgg, values []types.Datum, direct types.Datum) (types.Datum, error)
	arg    base.OID
	values [][]types.Datum
	direct []types.Datum
	bytes  int64
}

func (a *sortedAgg) Init(argTypes []base.OID) {
	if len(argTypes) > 0 {
		a.arg = argTypes[0]
	}
}

func (a *sortedAgg) Grow(n int) { a.values, a.direct = grow(a.values, n), grow(a.direct, n) }

func (a *sortedAgg) MemBytes() int64 { return int64(24*cap(a.values)+48*cap(a.direct)) + a.bytes }

func (a *sortedAgg) Add(_ *Context, groups []uint32, sel []int32, n int, args []*vector.Vector) error {
	v := args[0]
	return each(groups, sel, n, v, func(g uint32, i int) error {
		if len(args) > 1 && len(a.values[g]) == 0 {
			a.direct[g] = args[1].Get(i).Clone()
		}
		d := v.Get(i)
		a.bytes += int64(len(d.B)) + 48
		a.values[g] = append(a.values[g], d.Clone())
		return nil
	})
}

func (a *sortedAgg) Result(_ *Context, g int) (types.Datum, error) {
	if len(a.values[g]) == 0 {
		return types.Null, nil
	}
	return a.result(a, a.values[g], a.direct[g])
}

// fraction checks the direct argument of a percentile.
func fraction(d types.Datum) (float64, error) {
	f := d.Float()
	if f < 0 || f > 1 || math.IsNaN(f) {
		return 0, pgerror.Newf(pgerror.NumericValueOutOfRange, "percentile value %g is not between 0 and 1", f)
	}
	return f, nil
}

// discrete is percentile_disc: the first value at or behind a fraction of all.
func discrete(_ *sortedAgg, values []types.Datum, direct types.Datum) (types.Datum, error) {
	if direct.Null {
		return types.Null, nil
	}
	f, err := fraction(direct)
	if err != nil {
		return types.Null, err
	}
	return values[max(int(math.Ceil(f*float64(len(values)))), 1)-1], nil
}

// between finds where a fraction falls: a value, and how far it is from there to the next.
func between(values []types.Datum, direct types.Datum) (low int, part float64, err error) {
	f, err := fraction(direct)
	if err != nil {
		return 0, 0, err
	}
	at := f * float64(len(values)-1)
	low = int(math.Floor(at))
	return low, at - float64(low), nil
}

// continuous is percentile_cont: the value at a fraction, interpolated.
func continuous(_ *sortedAgg, values []types.Datum, direct types.Datum) (types.Datum, error) {
	if direct.Null {
		return types.Null, nil
	}
	low, part, err := between(values, direct)
	if err != nil || part == 0 {
		return values[low], err
	}
	lo, hi := values[low].Float(), values[low+1].Float()
	return types.Float(lo + part*(hi-lo)), nil
}

// continuousInterval is percentile_cont of intervals.
func continuousInterval(_ *sortedAgg, values []types.Datum, direct types.Datum) (types.Datum, error) {
	if direct.Null {
		return types.Null, nil
	}
	low, part, err := between(values, direct)
	if err != nil || part == 0 {
		return values[low], err
	}
	lo, hi := types.OpenInterval(values[low]), types.OpenInterval(values[low+1])
	step, err := addIntervals(hi, negInterval(lo))
	if err == nil {
		step, err = scaleInterval(step, part, 0)
	}
	if err == nil {
		step, err = addIntervals(step, lo)
	}
	return types.Datum{B: step.Append(nil)}, err
}

// several makes of a percentile the one that takes an array of fractions.
func several(one func(*sortedAgg, []types.Datum, types.Datum) (types.Datum, error)) func(*sortedAgg, []types.Datum, types.Datum) (types.Datum, error) {
	return func(a *sortedAgg, values []types.Datum, direct types.Datum) (types.Datum, error) {
		if direct.Null {
			return types.Null, nil
		}
		in := types.OpenArray(direct)
		out := make([]types.Datum, in.Len())
		for i := range out {
			d, err := one(a, values, in.At(i))
			if err != nil {
				return types.Null, err
			}
			out[i] = d
		}
		return types.Datum{B: types.AppendArray(nil, a.arg, in.Shape(), out)}, nil
	}
}

// commonest is mode: the value that is there most often, the first of them.
func commonest(a *sortedAgg, values []types.Datum, _ types.Datum) (types.Datum, error) {
	best, most, run := values[0], 0, 0
	var last, key []byte
	for i, d := range values {
		var err error
		if key, err = types.AppendKey(key[:0], a.arg, d, false, false); err != nil {
			return types.Null, err
		}
		if i == 0 || !bytes.Equal(key, last) {
			run = 0
		}
		if run++; run > most {
			best, most = d, run
			if run > 1 {
				best = values[i-run+1]
			}
		}
		last, key = key, last
	}
	return best, nil
}
