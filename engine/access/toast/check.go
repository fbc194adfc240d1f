package toast

import (
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
	"manifold/engine/vector"
)

// Check verifies the values that the rows of a table keep compressed or out of line: each must be whole, and every chunk must
// belong to one of them. Others may use the table meanwhile only if they do not change it.
func (t *Table) Check(main *heap.Table, v mvcc.View, report func(error)) error {
	used := map[base.OID]bool{}
	err := main.EachWide(v, func(tid base.TID, row tuple.Tuple) error {
		for i := range main.Layout.Columns() {
			if !main.Layout.Variable(i) {
				continue
			}
			d := main.Layout.Get(row, i)
			if tuple.FormOf(d) == tuple.External {
				if p, err := tuple.ReadPointer(d.B); err == nil {
					used[p.Value] = true
				}
			}
			if _, err := main.Value(v.Task, d); err != nil {
				report(pgerror.Corrupt("row %s has a damaged value in column \"%s\": %v", tid, t.desc.Columns[i].Name, err))
			}
		}
		return nil
	})
	if err != nil || t.chunks == nil {
		return err
	}
	s, err := t.chunks.NewScan(v)
	if err != nil {
		return err
	}
	b := vector.Batch{Cols: make([]vector.Vector, 1)}
	told := map[base.OID]bool{}
	for {
		n, err := s.Next(vector.BatchSize, &b, []int{colID})
		if err != nil || n == 0 {
			return err
		}
		for i := range n {
			id := base.OID(b.Cols[0].Fixed[i])
			if !used[id] && !told[id] {
				told[id] = true
				report(pgerror.Corrupt("TOAST relation \"%s\" has chunks of value %d, which no row has", t.chunks.Desc.Name, id))
			}
		}
	}
}
