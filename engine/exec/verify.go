package exec

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// CompleteIndex adds the entries that the visible rows of a table lack in one of its indexes.
func (b *Builder) CompleteIndex(x *Context, rel *relation.Desc, index base.OID) error {
	t, err := b.NewTarget(rel, nil)
	if err != nil {
		return err
	}
	t.Reset(x)
	for _, ix := range t.indexes {
		if ix.desc.OID != index {
			continue
		}
		return b.eachRow(x, rel, func(values []types.Datum, tid base.TID) error {
			key, ok, err := ix.keys.of(x.Eval, values)
			if err != nil || !ok {
				return err
			}
			found, err := ix.tree.Contains(x.Task, key, tid)
			if err != nil || found {
				return err
			}
			c, err := t.insertEntry(x, ix, values, tid)
			if err != nil || !c.Found {
				return err
			}
			st, _, _, err := t.Table.Probe(&t.view, tid)
			if err != nil {
				return err
			}
			if st != mvcc.Dead && st != mvcc.AllDead {
				return t.refuse(x, ix, values, c)
			}
			// What is in the way replaced this row after the snapshot; older snapshots still want to find it.
			if key, _, err = ix.keys.of(x.Eval, values); err == nil {
				_, err = ix.writer.Insert(key, tid, ix.keys.included(values), nil)
			}
			return err
		})
	}
	return nil
}

// VerifyIndexes tells of every visible row of a table that lacks its entry in one of the table's indexes. The snapshot of x
// must be one that sees everything committed.
func (b *Builder) VerifyIndexes(x *Context, rel *relation.Desc, report func(error)) error {
	c := &eval.Compiler{Lookup: b.Lookup, Name: b.Name, Fixed: b.Fixed}
	var keys []*rowKeys
	var indexes []*relation.Index
	for _, ix := range rel.Indexes {
		if !ix.Valid { // it may lack rows from before everybody maintained it
			continue
		}
		k, err := b.rowKeys(c, rel, ix)
		if err != nil {
			return err
		}
		keys, indexes = append(keys, k), append(indexes, ix)
	}
	if len(keys) == 0 {
		return nil
	}
	return b.eachRow(x, rel, func(values []types.Datum, tid base.TID) error {
		for k, ix := range indexes {
			if err := b.verifyEntry(x, rel, ix, keys[k], values, tid, report); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachRow calls f with every visible row of a table and the address that its index entries have.
func (b *Builder) eachRow(x *Context, rel *relation.Desc, f func(values []types.Datum, tid base.TID) error) error {
	scan, err := b.Table(rel).NewScan(x.View())
	if err != nil {
		return err
	}
	scan.KeepRoots()
	scan.GiveWay()
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
			if err := f(values, tids[i]); err != nil {
				return err
			}
		}
		if err := x.Task.Breathe(); err != nil {
			return err
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
