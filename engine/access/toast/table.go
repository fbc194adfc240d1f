package toast

import (
	"sync"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/tuple"
	"manifold/engine/types"
)

// ChunkSize is the most bytes of a chunk: four of them fill a page.
const ChunkSize = 1976

// The columns of a TOAST relation, from zero.
const (
	colID   = 0
	colSeq  = 1
	colData = 2
)

// Table is how the wide values of one table are kept. It is safe for concurrent use and lives as long as its descriptor.
type Table struct {
	desc   *relation.Desc
	layout *tuple.Layout
	chunks *heap.Table  // nil: values are compressed only
	index  *btree.Index // of chunks
	ix     *relation.Index

	readers sync.Pool // of *reader
}

// Open prepares the keeping of a table's wide values. chunks and index are the TOAST relation's, nil when there is none.
func Open(d *relation.Desc, layout *tuple.Layout, chunks *heap.Table, ix *relation.Index, index *btree.Index) *Table {
	t := &Table{desc: d, layout: layout, chunks: chunks, index: index, ix: ix}
	t.readers.New = func() any { return &reader{} }
	return t
}

// reader is the memory of one Fetch.
type reader struct {
	scan *btree.Scan
	key  []byte
	row  []byte
	data []byte
}

// key appends the index key of a chunk, or of all chunks of a value when seq is negative.
func (t *Table) key(dst []byte, value base.OID, seq int) ([]byte, error) {
	k := t.ix.Keys
	dst, err := types.AppendKey(dst, k[0].Type, types.Int(int64(value)), k[0].Descending, k[0].NullsFirst)
	if err != nil || seq < 0 {
		return dst, err
	}
	return types.AppendKey(dst, k[1].Type, types.Int(int64(seq)), k[1].Descending, k[1].NullsFirst)
}

func (t *Table) reader(task *activity.Task, value base.OID) (*reader, error) {
	r := t.readers.Get().(*reader)
	if r.scan == nil {
		r.scan = t.index.NewScan(task)
	}
	r.scan.SetTask(task)
	var err error
	r.key, err = t.key(r.key[:0], value, -1)
	r.scan.Reset(btree.Range{Lo: r.key, Hi: r.key}, false, false)
	return r, err
}

// each calls f for every chunk of a value in order, with its address; the row lives until the next call.
func (t *Table) each(task *activity.Task, value base.OID, f func(tid base.TID, row tuple.Tuple) error) error {
	r, err := t.reader(task, value)
	defer t.readers.Put(r)
	for err == nil {
		var tids []base.TID
		tids, err = r.scan.Next()
		if err != nil || len(tids) == 0 {
			return err
		}
		for _, tid := range tids {
			row, err := t.chunks.FetchVersion(task, tid, &r.row)
			if err != nil {
				return err
			}
			if row == nil {
				continue
			}
			if err := t.layoutCheck(row, tid); err != nil {
				return err
			}
			if err := f(tid, row); err != nil {
				return err
			}
		}
	}
	return err
}

func (t *Table) layoutCheck(row tuple.Tuple, tid base.TID) error {
	return t.chunks.Layout.Check(row, base.PageTag{File: t.chunks.Desc.File, Block: tid.Block}, tid.Offset)
}

// Fetch appends the value that a pointer leads to.
func (t *Table) Fetch(task *activity.Task, p tuple.Pointer, dst []byte) ([]byte, error) {
	if t.chunks == nil || p.Table != t.chunks.Desc.OID {
		return dst, pgerror.Corrupt("relation \"%s\" has a value in TOAST relation %d, which is not its own", t.desc.Name, p.Table)
	}
	if !p.Compressed() {
		return t.read(task, p, dst)
	}
	r := t.readers.Get().(*reader)
	defer t.readers.Put(r)
	var err error
	if r.data, err = t.read(task, p, r.data[:0]); err != nil {
		return dst, err
	}
	return decompress(dst, r.data, p)
}

// read appends the bytes of the chunks.
func (t *Table) read(task *activity.Task, p tuple.Pointer, dst []byte) ([]byte, error) {
	start := len(dst)
	if need := start + p.Stored; cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	name, next := t.chunks.Desc.Name, int64(0)
	l := t.chunks.Layout
	err := t.each(task, p.Value, func(_ base.TID, row tuple.Tuple) error {
		seq, data := l.Get(row, colSeq).I, l.Get(row, colData).B
		switch {
		case base.OID(l.Get(row, colID).I) != p.Value:
			return nil // the entry's row went and its place was used again
		case seq != next:
			return pgerror.Corrupt("unexpected chunk number %d (expected %d) for toast value %d in %s", seq, next, p.Value, name)
		case len(data) == 0 || len(dst)-start+len(data) > p.Stored:
			return pgerror.Corrupt("unexpected chunk size %d in chunk %d for toast value %d in %s", len(data), seq, p.Value, name)
		}
		next++
		dst = append(dst, data...)
		return nil
	})
	if err == nil && len(dst)-start != p.Stored {
		err = pgerror.Corrupt("missing chunk number %d for toast value %d in %s", next, p.Value, name)
	}
	return dst, err
}

// Remove deletes the chunks of a value.
func (t *Table) Remove(c heap.Change, p tuple.Pointer, undo bool) error {
	if t.chunks == nil || p.Table != t.chunks.Desc.OID {
		return pgerror.Corrupt("relation \"%s\" has a value in TOAST relation %d, which is not its own", t.desc.Name, p.Table)
	}
	w := t.chunks.NewWriter(c.Task, c.Tx, c.Wait)
	return t.each(c.Task, p.Value, func(tid base.TID, row tuple.Tuple) error {
		if base.OID(t.chunks.Layout.Get(row, colID).I) != p.Value {
			return nil
		}
		if undo {
			return w.Undo(tid)
		}
		res, err := w.Delete(tid)
		if err == nil && res.Outcome != heap.OK {
			err = pgerror.Newf(pgerror.InternalError, "chunk %s of relation \"%s\" was changed by somebody else", tid, t.chunks.Desc.Name)
		}
		return err
	})
}
