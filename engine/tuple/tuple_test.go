package tuple

import (
	"bytes"
	"math"
	"testing"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
	"manifold/engine/vector"

	"pgregory.net/rapid"
)

var kinds = []relation.Column{
	{Type: types.OIDBool, Len: 1}, {Type: types.OIDInt2, Len: 2}, {Type: types.OIDInt4, Len: 4}, {Type: types.OIDOID, Len: 4},
	{Type: types.OIDFloat4, Len: 4}, {Type: types.OIDInt8, Len: 8}, {Type: types.OIDFloat8, Len: 8}, {Type: types.OIDText, Len: -1},
}

func drawColumns(t *rapid.T) []relation.Column {
	return rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 40).Draw(t, "columns")
}

// drawValue draws a value as its type keeps it.
func drawValue(t *rapid.T, c *relation.Column) types.Datum {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return types.Null
	}
	switch {
	case c.Len < 0:
		return types.Bytes(rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes"))
	case c.Type == types.OIDFloat4:
		return types.Float(float64(rapid.Float32().Draw(t, "float4")))
	case c.Type == types.OIDOID:
		return types.Int(int64(rapid.Uint32().Draw(t, "oid")))
	}
	v := rapid.Int64().Draw(t, "int")
	shift := 64 - 8*uint(c.Len)
	return types.Int(v << shift >> shift)
}

func same(a, b types.Datum) bool {
	if a.Null || b.Null {
		return a.Null == b.Null
	}
	return a.I == b.I && bytes.Equal(a.B, b.B)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cols := drawColumns(t)
		stored := rapid.IntRange(0, len(cols)).Draw(t, "stored")
		for i := stored; i < len(cols); i++ {
			if cols[i].HasMissing = rapid.Bool().Draw(t, "missing"); cols[i].HasMissing {
				cols[i].Missing = drawValue(t, &cols[i])
			}
		}
		old, now := NewLayout(cols[:stored]), NewLayout(cols)
		var rows []Tuple
		var want [][]types.Datum
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			var values []types.Datum
			for i := range cols[:stored] {
				values = append(values, drawValue(t, &cols[i]))
			}
			b, err := old.Form(nil, values, 8152)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) != old.Size(values) {
				t.Fatalf("%d bytes, Size says %d", len(b), old.Size(values))
			}
			if err := now.Check(b, base.PageTag{}, 1); err != nil {
				t.Fatal(err)
			}
			for i := stored; i < len(cols); i++ {
				d := types.Null
				if cols[i].HasMissing {
					d = cols[i].Missing
				}
				values = append(values, d)
			}
			rows, want = append(rows, b), append(want, values)
		}
		for i := range cols {
			var v vector.Vector
			v.Reset(now.Variable(i), len(rows)+1)
			now.DecodeColumn(&v, 1, rows, i)
			for k, row := range rows {
				if got := now.Get(row, i); !same(got, want[k][i]) || now.Null(row, i) != got.Null || !now.Equal(row, row, i) {
					t.Fatalf("column %d: %v, want %v", i, got, want[k][i])
				}
				if got := v.Get(k + 1); !same(got, want[k][i]) {
					t.Fatalf("column %d in a vector: %v, want %v", i, got, want[k][i])
				}
			}
		}
	})
}

func TestTooBig(t *testing.T) {
	l := NewLayout([]relation.Column{{Type: types.OIDText, Len: -1}})
	for _, n := range []int{8200, 70000} {
		_, err := l.Form(nil, []types.Datum{types.Bytes(make([]byte, n))}, 8152)
		if pgerror.Code(err) != pgerror.ProgramLimitExceeded {
			t.Fatal(n, err)
		}
	}
}

func TestHeader(t *testing.T) {
	l := NewLayout(nil)
	b, _ := l.Form(nil, nil, 8152)
	h := Tuple(b)
	h.SetXmin(math.MaxUint64-1, 7)
	h.SetXmax(12345678901234, 8)
	h.SetCTID(base.TID{Block: 0xfffffffe, Offset: 300})
	h.SetMask(XmaxLockOnly)
	h.OrMask(XminCommitted)
	if h.Xmin() != math.MaxUint64-1 || h.Cmin() != 7 || h.Xmax() != 12345678901234 || h.Cmax() != 8 ||
		h.CTID() != (base.TID{Block: 0xfffffffe, Offset: 300}) || h.Mask() != XmaxLockOnly|XminCommitted || h.Natts() != 0 {
		t.Fatalf("%x", b)
	}
}

// FuzzCheck: a row that Check accepts can be read without going out of bounds.
func FuzzCheck(f *testing.F) {
	l := NewLayout(append(append([]relation.Column{}, kinds...), kinds...))
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := append([]byte(nil), raw...)
		if l.Check(b, base.PageTag{}, 1) == nil {
			for i := range l.Columns() {
				l.Get(b, i)
			}
		}
	})
}
