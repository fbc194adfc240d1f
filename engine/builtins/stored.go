package builtins

import (
	"manifold/engine/compression"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// shortHeader and longHeader are what a value of variable width costs beside its bytes, as PostgreSQL counts.
const (
	shortHeader = 1
	longHeader  = 4
	maxShort    = 126
)

func registerStored(r registry) {
	r.addKernel(func(c *Context, a []types.Datum) (types.Datum, error) {
		return types.Int(plainSize(c, a[0])), nil
	}, columnSize, "pg_column_size")
	r.addKernel(func(*Context, []types.Datum) (types.Datum, error) { return types.Null, nil }, columnCompression, "pg_column_compression")
}

func plainSize(c *Context, d types.Datum) int64 {
	if i, ok := types.Lookup(c.ArgTypes[0]); ok && i.Typlen > 0 {
		return int64(i.Typlen)
	}
	if len(d.B) <= maxShort {
		return int64(len(d.B) + shortHeader)
	}
	return int64(len(d.B) + longHeader)
}

// columnSize gives the bytes that values take where they are stored: those that come straight from a row, compressed or out
// of line, are known by their vector.
func columnSize(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
	v := args[0]
	err := lanes(c, sel, n, out, func(i int) error {
		out.Fixed[i] = plainSize(c, v.Get(i))
		return nil
	})
	for _, s := range v.Stored {
		if int(s.Lane) < n {
			out.Fixed[s.Lane] = int64(s.Size)
		}
	}
	return err
}

func columnCompression(c *Context, sel []int32, n int, args []*vector.Vector, out *vector.Vector) error {
	err := lanes(c, sel, n, out, func(i int) error {
		out.Set(i, types.Null)
		return nil
	})
	for _, s := range args[0].Stored {
		if s.Method == 0 || int(s.Lane) >= n || args[0].IsNull(int(s.Lane)) {
			continue
		}
		out.Set(int(s.Lane), types.Text(compression.Method(s.Method-1).String()))
	}
	return err
}
