package builtins

import (
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// registry maps PostgreSQL's names of C functions to implementations while the table is built.
type registry map[string]Entry

func implementations() registry {
	r := registry{}
	registerCompare(r)
	registerInts(r)
	registerStored(r)
	registerFloats(r)
	registerNumeric(r)
	registerBools(r)
	registerCasts(r)
	registerText(r)
	registerMatch(r)
	registerRegex(r)
	registerEncode(r)
	registerDates(r)
	registerIntervals(r)
	registerFormat(r)
	registerArrays(r)
	registerSets(r)
	registerMisc(r)
	registerJSON(r)
	registerJSONPath(r)
	registerUnicode(r)
	registerSizes(r)
	registerNetwork(r)
	return r
}

// add enters a scalar under each of the names.
func (r registry) add(f Scalar, names ...string) {
	for _, n := range names {
		r[n] = Entry{Scalar: f}
	}
}

// addKernel enters a scalar with a kernel under each of the names.
func (r registry) addKernel(f Scalar, k Kernel, names ...string) {
	for _, n := range names {
		r[n] = Entry{Scalar: f, Kernel: k}
	}
}

func (r registry) addSet(f SetReturning, names ...string) {
	for _, n := range names {
		r[n] = Entry{Set: f}
	}
}

func divisionByZero() error { return pgerror.New(pgerror.DivisionByZero, "division by zero") }

func outOfRange(typ string) error {
	return pgerror.Newf(pgerror.NumericValueOutOfRange, "%s out of range", typ)
}

func invalidParameter(format string, args ...any) *pgerror.Error {
	return pgerror.Newf(pgerror.InvalidParameterValue, format, args...)
}

// num copies a numeric into the arena.
func (c *Context) num(n types.Num) (types.Datum, error) {
	n, err := types.CheckNum(n)
	if err != nil {
		return types.Null, err
	}
	return c.stored(n.Append), nil
}

// stored lets a value append its stored form to the arena.
func (c *Context) stored(appendTo func([]byte) []byte) types.Datum {
	if cap(c.arena)-len(c.arena) < 64 {
		c.Grab(64)
		c.arena = c.arena[:len(c.arena)-64]
	}
	at := len(c.arena)
	out := appendTo(c.arena)
	if cap(out) != cap(c.arena) { // it outgrew the arena and owns its memory now
		return types.Datum{B: out[at:len(out):len(out)]}
	}
	c.arena = out
	return types.Datum{B: out[at:len(out):len(out)]}
}

// bytes copies b into the arena.
func (c *Context) bytes(b []byte) types.Datum {
	out := c.Grab(len(b))
	copy(out, b)
	return types.Datum{B: out}
}

func str(d types.Datum) string { return string(d.B) }
