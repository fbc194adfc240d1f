package exec

import (
	"bytes"
	"cmp"
	"slices"

	"manifold/engine/access/btree"
	"manifold/engine/base"
	"manifold/engine/types"
)

// entryBatch collects the entries that the rows of a batch make in one index.
type entryBatch struct {
	bytes   []byte // keys and payloads
	entries []btree.Entry
	rows    []int // of entries, in the rows of the batch
	order   []int
	sorted  []btree.Entry
	missing []bool // by row: its entry is not in the index yet
}

// InsertMany writes checked rows, many to a log record.
func (t *Target) InsertMany(x *Context, rows [][]types.Datum) error {
	if cap(t.tids) < len(rows) {
		t.tids = make([]base.TID, len(rows))
	}
	tids := t.tids[:len(rows)]
	if err := t.writer.MultiInsert(rows, tids); err != nil {
		return err
	}
	t.Stats.Insert(int64(len(rows)))
	for i, ix := range t.indexes {
		all, err := t.insertBatch(x, ix, rows, tids)
		if err != nil {
			return err
		}
		if !all {
			if err := t.insertMissing(x, t.indexes[i:], rows, tids); err != nil {
				return err
			}
			break
		}
	}
	if len(t.rel.ForeignKeys) > 0 {
		for i, values := range rows {
			if err := t.inserted(x, values, tids[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertBatch adds the rows' entries to an index in key order. It gives up when a key is there already.
func (t *Target) insertBatch(x *Context, ix *targetIndex, rows [][]types.Datum, tids []base.TID) (all bool, err error) {
	if ix.desc.Exclusive() && !ix.desc.Immediate { // each row by itself may meet another
		for i, values := range rows {
			if _, err := t.insertEntry(x, ix, values, tids[i]); err != nil {
				t.Failed = i
				return false, err
			}
		}
		return true, nil
	}
	b := &ix.batch
	if err := t.collect(x, ix, rows, tids); err != nil {
		return false, err
	}
	var w waiter
	for done := 0; done < len(b.sorted); {
		n, c, err := ix.writer.InsertMany(b.sorted[done:], &t.prober)
		for _, k := range b.order[done : done+n] {
			b.missing[b.rows[k]] = false
		}
		done += n
		switch {
		case err != nil:
			t.Failed = b.rows[b.order[min(done, len(b.order)-1)]]
			return false, err
		case c.Found && c.Wait == 0:
			return false, nil
		case c.Found:
			if err := w.await(x, c); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// collect makes the entries of the rows and sorts them.
func (t *Target) collect(x *Context, ix *targetIndex, rows [][]types.Datum, tids []base.TID) error {
	b := &ix.batch
	b.bytes, b.entries, b.rows, b.order, b.sorted = b.bytes[:0], b.entries[:0], b.rows[:0], b.order[:0], b.sorted[:0]
	b.missing = slices.Grow(b.missing[:0], len(rows))[:len(rows)]
	for i, values := range rows {
		key, ok, err := ix.keys.of(x.Eval, values)
		if err != nil {
			t.Failed = i
			return err
		}
		b.missing[i] = ok
		if !ok {
			continue
		}
		at := len(b.bytes)
		b.bytes = append(b.bytes, key...)
		mid := len(b.bytes)
		b.bytes = append(b.bytes, ix.keys.included(values)...)
		// When the bytes move, the entries made before keep the old ones, which stay as they are.
		b.entries = append(b.entries, btree.Entry{Key: b.bytes[at:mid:mid], Payload: b.bytes[mid:], TID: tids[i],
			Unique: ix.desc.Exclusive() && (ix.desc.NullsEqual || !ix.keys.null)})
		b.order = append(b.order, len(b.rows))
		b.rows = append(b.rows, i)
	}
	compare := func(i, k int) int {
		if c := bytes.Compare(b.entries[i].Key, b.entries[k].Key); c != 0 {
			return c
		}
		return cmp.Compare(b.entries[i].TID.Pack(), b.entries[k].TID.Pack())
	}
	if !slices.IsSortedFunc(b.order, compare) {
		slices.SortFunc(b.order, compare)
	}
	for _, k := range b.order {
		b.sorted = append(b.sorted, b.entries[k])
	}
	return nil
}

// insertMissing goes on row by row after a batch met a key that is there already, so that the row that the error names is
// the first of the input that cannot be inserted.
func (t *Target) insertMissing(x *Context, indexes []*targetIndex, rows [][]types.Datum, tids []base.TID) error {
	for i, values := range rows {
		t.Failed = i
		for k, ix := range indexes {
			if k == 0 && !ix.batch.missing[i] {
				continue
			}
			conflict, err := t.insertEntry(x, ix, values, tids[i])
			if err != nil {
				return err
			}
			if conflict.Found {
				return t.refuse(x, ix, values, conflict)
			}
		}
	}
	return nil
}
