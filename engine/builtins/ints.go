package builtins

import (
	"math"
	"math/bits"
	"strconv"

	"manifold/engine/types"
	"manifold/engine/vector"
)

// width is an integer type's limits and the name in its errors.
type width struct {
	min, max int64
	name     string
}

func intWidths() map[string]width {
	return map[string]width{
		"2": {math.MinInt16, math.MaxInt16, "smallint"},
		"4": {math.MinInt32, math.MaxInt32, "integer"},
		"8": {math.MinInt64, math.MaxInt64, "bigint"},
	}
}

// wider gives the suffix of the wider of two integer types.
func wider(a, b string) string { return max(a, b) }

// intOp computes one integer operation in 64 bits and tells whether it overflowed those.
type intOp func(a, b int64) (v int64, ok bool)

func addInt(a, b int64) (int64, bool) {
	s := a + b
	return s, (a^s)&(b^s) >= 0
}

func subInt(a, b int64) (int64, bool) {
	s := a - b
	return s, (a^b)&(a^s) >= 0
}

func mulInt(a, b int64) (int64, bool) {
	if a > math.MinInt32 && a <= math.MaxInt32 && b > math.MinInt32 && b <= math.MaxInt32 {
		return a * b, true
	}
	hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(max(b, -b)))
	p := int64(lo)
	if a < 0 != (b < 0) {
		p = -p
		return p, hi == 0 && (p <= 0)
	}
	return p, hi == 0 && p >= 0
}

func (w width) check(v int64, ok bool) (types.Datum, error) {
	if !ok || v < w.min || v > w.max {
		return types.Null, outOfRange(w.name)
	}
	return types.Int(v), nil
}

func (w width) scalar(op intOp) Scalar {
	return func(_ *Context, a []types.Datum) (types.Datum, error) { return w.check(op(a[0].I, a[1].I)) }
}

func (w width) div(_ *Context, a []types.Datum) (types.Datum, error) {
	if a[1].I == 0 {
		return types.Null, divisionByZero()
	}
	if a[1].I == -1 {
		return w.check(-a[0].I, a[0].I != math.MinInt64)
	}
	return types.Int(a[0].I / a[1].I), nil
}

func intMod(_ *Context, a []types.Datum) (types.Datum, error) {
	if a[1].I == 0 {
		return types.Null, divisionByZero()
	}
	if a[1].I == -1 {
		return types.Int(0), nil
	}
	return types.Int(a[0].I % a[1].I), nil
}

func registerInts(r registry) {
	widths := intWidths()
	for a := range widths {
		for b := range widths {
			w := widths[wider(a, b)]
			p := "int" + a + b
			if a == b {
				p = "int" + a
			}
			r.addKernel(w.scalar(addInt), w.addKernel(), p+"pl")
			r.addKernel(w.scalar(subInt), w.subKernel(), p+"mi")
			r.addKernel(w.scalar(mulInt), w.kernel(mulInt), p+"mul")
			r.addKernel(w.div, w.rowKernel(w.div), p+"div")
		}
		registerOneInt(r, a, widths[a])
	}
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return widths["8"].check(addInt(a[0].I, 1)) }, "int8inc")
}

// registerOneInt enters what each integer type has for itself.
func registerOneInt(r registry, suffix string, w width) {
	p := "int" + suffix
	r.addKernel(intMod, w.rowKernel(intMod), p+"mod")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return w.check(subInt(0, a[0].I)) }, p+"um")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return a[0], nil }, p+"up")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		if a[0].I < 0 {
			return w.check(subInt(0, a[0].I))
		}
		return a[0], nil
	}, p+"abs")
	bitwise := func(name string, f func(a, b int64) int64) {
		r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Int(f(a[0].I, a[1].I)), nil }, p+name)
	}
	size := int64(64)
	if suffix != "8" {
		size = 32
	}
	cut := func(v int64) int64 {
		switch suffix {
		case "2":
			return int64(int16(v))
		case "4":
			return int64(int32(v))
		}
		return v
	}
	bitwise("and", func(a, b int64) int64 { return a & b })
	bitwise("or", func(a, b int64) int64 { return a | b })
	bitwise("xor", func(a, b int64) int64 { return a ^ b })
	bitwise("shl", func(a, b int64) int64 { return cut(a << uint64(b&(size-1))) })
	bitwise("shr", func(a, b int64) int64 { return cut(a >> uint64(b&(size-1))) })
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return types.Int(^a[0].I), nil }, p+"not")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return w.gcd(a[0].I, a[1].I) }, p+"gcd")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) { return w.lcm(a[0].I, a[1].I) }, p+"lcm")
}

func (w width) gcd(a, b int64) (types.Datum, error) {
	for b != 0 {
		if b == -1 {
			a, b = 1, 0
			break
		}
		a, b = b, a%b
	}
	if a < 0 {
		return w.check(subInt(0, a))
	}
	return types.Int(a), nil
}

func (w width) lcm(a, b int64) (types.Datum, error) {
	if a == 0 || b == 0 {
		return types.Int(0), nil
	}
	g, err := w.gcd(a, b)
	if err != nil {
		return types.Null, err
	}
	v, ok := mulInt(a/g.I, b)
	if ok && v < 0 {
		v, ok = subInt(0, v)
	}
	return w.check(v, ok)
}

// kernel runs an operation lane by lane.
func (w width) kernel(op intOp) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		a, b, o := args[0].Fixed, args[1].Fixed, out.Fixed
		return lanes(c, sel, n, out, func(i int) error {
			v, ok := op(a[i], b[i])
			if !ok || v < w.min || v > w.max {
				return outOfRange(w.name)
			}
			o[i] = v
			return nil
		})
	}
}

// rowKernel runs a binary scalar of fixed-width values lane by lane.
func (w width) rowKernel(f Scalar) Kernel {
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		var in [2]types.Datum
		return lanes(c, sel, n, out, func(i int) error {
			in[0].I, in[1].I = args[0].Fixed[i], args[1].Fixed[i]
			d, err := f(c, in[:])
			out.Fixed[i] = d.I
			return err
		})
	}
}

// addKernel adds all lanes first and looks for an overflow afterwards; only then does it look lane by lane.
func (w width) addKernel() Kernel {
	slow := w.kernel(addInt)
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		if sel != nil {
			return slow(c, sel, n, args, out)
		}
		a, b, o := args[0].Fixed[:n], args[1].Fixed[:n], out.Fixed[:n]
		var bad int64
		if w.max == math.MaxInt64 {
			for i := range o {
				s := a[i] + b[i]
				bad |= (a[i] ^ s) & (b[i] ^ s)
				o[i] = s
			}
		} else {
			for i := range o {
				s := a[i] + b[i]
				bad |= (s - w.min) | (w.max - s)
				o[i] = s
			}
		}
		if bad < 0 {
			return slow(c, sel, n, args, out)
		}
		return nil
	}
}

func (w width) subKernel() Kernel {
	slow := w.kernel(subInt)
	return func(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
		if sel != nil {
			return slow(c, sel, n, args, out)
		}
		a, b, o := args[0].Fixed[:n], args[1].Fixed[:n], out.Fixed[:n]
		var bad int64
		if w.max == math.MaxInt64 {
			for i := range o {
				s := a[i] - b[i]
				bad |= (a[i] ^ b[i]) & (a[i] ^ s)
				o[i] = s
			}
		} else {
			for i := range o {
				s := a[i] - b[i]
				bad |= (s - w.min) | (w.max - s)
				o[i] = s
			}
		}
		if bad < 0 {
			return slow(c, sel, n, args, out)
		}
		return nil
	}
}

func registerBools(r registry) {
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(a[0].I != 0 && a[1].I != 0), nil
	}, "booland_statefunc")
	r.add(func(_ *Context, a []types.Datum) (types.Datum, error) {
		return types.Bool(a[0].I != 0 || a[1].I != 0), nil
	}, "boolor_statefunc")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		if a[0].I != 0 {
			return c.text("true"), nil
		}
		return c.text("false"), nil
	}, "booltext")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.stored(func(b []byte) []byte { return strconv.AppendUint(b, uint64(uint32(a[0].I)), 16) }), nil
	}, "to_hex32")
	r.add(func(c *Context, a []types.Datum) (types.Datum, error) {
		return c.stored(func(b []byte) []byte { return strconv.AppendUint(b, uint64(a[0].I), 16) }), nil
	}, "to_hex64")
}
