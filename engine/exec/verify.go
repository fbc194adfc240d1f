package exec

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/relation"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// VerifyIndexes tells of every visible row of a table that lacks its entry in one of the table's indexes. The snapshot of x
// must be one that sees everything committed.
func (b *Builder) VerifyIndexes(x *Context, rel *relation.Desc, report func(error)) error {
	t := b.Table(rel)
	c := &eval.Compiler{Lookup: b.Lookup, Name: b.Name, Fixed: b.Fixed}
	var keys []*rowKeys
	for _, ix := range rel.Indexes {
		k, err := b.rowKeys(c, rel, ix)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil
	}
	scan, err := t.NewScan(x.View())
	if err != nil {
		return err
	}
	scan.KeepRoots()
	cols := make([]int, len(rel.Columns))
	for i := range cols {
		cols[i] = i
	}
	batch := vector.Batch{Cols: make([]vector.Vector, len(cols))}
	values := make([]types.Datum, len(cols))
	for {
		n, err := scan.Next(vector.BatchSize, &batch, cols)
		if err != nil || n == 0 {
			return err
		}
		tids := append([]base.TID(nil), scan.TIDs(n)...)
		for i := range n {
			for c := range cols {
				values[c] = batch.Cols[c].Get(i)
			}
			for k, ix := range rel.Indexes {
				if err := b.verifyEntry(x, rel, ix, keys[k], values, tids[i], report); err != nil {
					return err
				}
			}
		}
	}
}

func (b *Builder) verifyEntry(x *Context, rel *relation.Desc, ix *relation.Index, k *rowKeys, values []types.Datum, tid base.TID, report func(error)) error {
	key, ok, err := k.of(x.Eval, values)
	if err != nil || !ok {
		return err
	}
	found, err := b.Index(ix, rel.Logged()).Contains(x.Task, key, tid)
	if err != nil {
		return err
	}
	if !found {
		report(fmt.Errorf("row %s of table \"%s\" has no entry in index \"%s\"", tid, rel.Name, ix.Name))
	}
	return nil
}
