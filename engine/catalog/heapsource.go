package catalog

import (
	"sync"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/access/toast"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/storage"
	"manifold/engine/txn"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Opened keeps relations open for their access methods, one entry per descriptor. It is safe for concurrent use.
type Opened struct {
	Store *heap.Store
	Txns  *txn.Manager

	mu     sync.RWMutex // guards the maps
	tables map[*relation.Desc]*heap.Table
	trees  map[*relation.Index]*btree.Index
	free   map[base.RelFile]*btree.FreePages // descriptors change, the pages that an index does not use stay
}

// NewOpened makes an empty set.
func NewOpened(store *heap.Store, txns *txn.Manager) *Opened {
	return &Opened{Store: store, Txns: txns, tables: map[*relation.Desc]*heap.Table{}, trees: map[*relation.Index]*btree.Index{},
		free: map[base.RelFile]*btree.FreePages{}}
}

// maxOpened bounds the entries; beyond it the set starts over, since descriptors come and go with DDL.
const maxOpened = 8192

// Table gives the open heap of a descriptor.
func (o *Opened) Table(d *relation.Desc) *heap.Table {
	o.mu.RLock()
	t := o.tables[d]
	o.mu.RUnlock()
	if t != nil {
		return t
	}
	t = o.Store.Open(d)
	o.keepWide(t)
	o.mu.Lock()
	defer o.mu.Unlock()
	if have := o.tables[d]; have != nil {
		return have
	}
	if len(o.tables) >= maxOpened {
		clear(o.tables)
	}
	o.tables[d] = t
	return t
}

// keepWide joins a table with its TOAST relation. A catalog has none: its wide values are only compressed.
func (o *Opened) keepWide(t *heap.Table) {
	d := t.Desc
	switch {
	case d.ToastRel != nil && len(d.ToastRel.Indexes) > 0:
		ix := d.ToastRel.Indexes[0]
		t.SetToaster(toast.Open(d, t.Layout, o.Table(d.ToastRel), ix, o.Tree(ix, d.Logged())))
	case d.System:
		t.SetToaster(toast.Open(d, t.Layout, nil, nil, nil))
	}
}

// Tree gives the open B-tree of an index.
func (o *Opened) Tree(ix *relation.Index, logged bool) *btree.Index {
	o.mu.RLock()
	t := o.trees[ix]
	o.mu.RUnlock()
	if t != nil {
		return t
	}
	t = btree.Open(o.Txns, ix, logged)
	o.mu.Lock()
	defer o.mu.Unlock()
	if have := o.trees[ix]; have != nil {
		return have
	}
	if len(o.trees) >= maxOpened {
		clear(o.trees)
	}
	f := o.free[ix.File]
	if f == nil {
		if len(o.free) >= maxOpened {
			clear(o.free)
		}
		f = &btree.FreePages{}
		o.free[ix.File] = f
	}
	t.ShareFree(f)
	o.trees[ix] = t
	return t
}

// HeapSource reads the system tables for a transaction, each scan under a snapshot of the moment: definitions are never
// older than the locks that protect them.
type HeapSource struct {
	Opened *Opened
	Task   *activity.Task
	Tx     *txn.Tx
	Wait   txn.Wait
}

// Map implements Source.
func (s *HeapSource) Map(database base.OID) *storage.RelMap { return s.Tx.Map(database) }

// Hold implements Source: it takes the lock that who gives the catalog another file has to wait for.
func (s *HeapSource) Hold(database, catalog base.OID) error {
	_, err := s.Tx.Manager().Locks().Acquire(s.Task, s.Tx.Proc().Owner(), lock.Request{Tag: lock.Relation(database, catalog),
		Mode: lock.AccessShare, Timeout: s.Wait.Timeout, DeadlockTimeout: s.Wait.DeadlockTimeout})
	return err
}

// LetGo implements Source.
func (s *HeapSource) LetGo(database, catalog base.OID) {
	s.Tx.Manager().Locks().Release(s.Tx.Proc().Owner(), lock.Relation(database, catalog), lock.AccessShare, false)
}

// Scan implements Source.
func (s *HeapSource) Scan(table *relation.Desc, index *relation.Index, keys []types.Datum, f func(tid base.TID, row Row) error) error {
	var snap mvcc.Snapshot
	s.Tx.Snapshot(&snap)
	defer s.Tx.Release(&snap)
	view := mvcc.NewView(&snap, s.Tx.Manager(), s.Task)
	t := s.Opened.Table(table)
	if index == nil {
		return s.scanAll(t, &view, f)
	}
	key, err := prefix(index, keys)
	if err != nil {
		return err
	}
	scan := s.Opened.Tree(index, true).NewScan(s.Task)
	scan.Reset(btree.Range{Lo: key, Hi: key}, false, false)
	row, buf := make(Row, 0, len(table.Columns)), []byte(nil)
	for {
		tids, err := scan.Next()
		if err != nil || len(tids) == 0 {
			return err
		}
		for _, tid := range tids {
			got, err := t.Fetch(&view, tid, &buf)
			if err != nil {
				return err
			}
			if got.Row == nil {
				continue
			}
			if row, err = t.Deform(s.Task, row[:0], got.Row); err != nil {
				return err
			}
			if err := f(got.TID, row); err != nil {
				return err
			}
		}
	}
}

func prefix(index *relation.Index, keys []types.Datum) ([]byte, error) {
	var key []byte
	var err error
	for i, d := range keys {
		k := &index.Keys[i]
		if key, err = types.AppendKey(key, k.Type, d, k.Descending, k.NullsFirst); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// scanAll reads a whole catalog.
func (s *HeapSource) scanAll(t *heap.Table, view *mvcc.View, f func(tid base.TID, row Row) error) error {
	scan, err := t.NewScan(*view)
	if err != nil {
		return err
	}
	scan.KeepTIDs()
	cols := make([]int, len(t.Desc.Columns))
	for i := range cols {
		cols[i] = i
	}
	b := vector.Batch{Cols: make([]vector.Vector, len(cols))}
	row := make(Row, len(cols))
	for {
		n, err := scan.Next(vector.BatchSize, &b, cols)
		if err != nil || n == 0 {
			return err
		}
		tids := scan.TIDs(n)
		for i := range n {
			for c := range cols {
				row[c] = b.Cols[c].Get(i)
			}
			if err := f(tids[i], row); err != nil {
				return err
			}
		}
	}
}
