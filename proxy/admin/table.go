package admin

import (
	"strconv"
	"time"

	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Column is a column of a table.
type Column struct {
	Name string
	Type base.OID
}

// Table is an answer. A value is nil or a string, int64, float64, bool or time.Time, as its column's type needs.
type Table struct {
	Columns []Column
	Rows    [][]any
}

// columns makes columns of one type.
func columns(typ base.OID, names ...string) []Column {
	out := make([]Column, len(names))
	for i, n := range names {
		out[i] = Column{n, typ}
	}
	return out
}

func texts(names ...string) []Column    { return columns(types.OIDText, names...) }
func ints(names ...string) []Column     { return columns(types.OIDInt4, names...) }
func numerics(names ...string) []Column { return columns(types.OIDNumeric, names...) }
func bigs(names ...string) []Column     { return columns(types.OIDInt8, names...) }

// join makes the columns of a table.
func join(parts ...[]Column) []Column {
	var out []Column
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func (t *Table) add(values ...any) { t.Rows = append(t.Rows, values) }

// Value gives a value as its column's type keeps it.
func Value(typ base.OID, v any) (types.Datum, error) {
	switch x := v.(type) {
	case string:
		if typ == types.OIDInet {
			d, _ := types.InetOf(x)
			return d, nil
		}
		return types.Text(x), nil
	case int64:
		if typ == types.OIDNumeric {
			return types.In(typ, -1, strconv.FormatInt(x, 10), nil)
		}
		return types.Int(x), nil
	case float64:
		return types.Float(x), nil
	case bool:
		return types.Bool(x), nil
	case time.Time:
		if x.IsZero() {
			return types.Null, nil
		}
		return types.Int(x.UnixMicro() - epoch2000), nil
	}
	return types.Null, nil // nil
}

const epoch2000 = 946684800 * 1000000 // from 1970 to 2000, in microseconds

func (b *Backend) send(t Table, out backend.Sink) error {
	cols := make([]plan.ResultColumn, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = plan.ResultColumn{Name: c.Name, Type: c.Type, Typmod: -1}
	}
	if err := out.Describe(cols, nil); err != nil {
		return err
	}
	b.batch.Cols = make([]vector.Vector, len(cols))
	for rows := t.Rows; len(rows) > 0; {
		n := min(len(rows), vector.BatchSize)
		b.batch.N, b.batch.Sel = n, nil
		for i, c := range cols {
			b.batch.Cols[i].Reset(types.Len(c.Type) <= 0, n)
			for j := range n {
				d, err := Value(c.Type, rows[j][i])
				if err != nil {
					return err
				}
				b.batch.Cols[i].Set(j, d)
			}
		}
		if err := out.Rows(cols, nil, &b.batch); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return out.Complete("SHOW")
}
