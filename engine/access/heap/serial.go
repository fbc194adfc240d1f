package heap

import (
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/predicate"
	"manifold/engine/tuple"
)

// serial gives the serializable transaction that a view reads for, nil when there is none or the table's rows are nobody
// else's business.
func (t *Table) serial(v *mvcc.View) *predicate.Xact {
	if x := v.Snap.Serial; x != nil && t.tracked {
		return x
	}
	return nil
}

// met notes that x met a row version under the latch of its page, visible or not: a concurrent transaction may have made
// or ended it. With lock the row is locked against later changes, when it is visible and not the reader's own.
func (t *Table) met(x *predicate.Xact, v *mvcc.View, tup tuple.Tuple, tid base.TID, visible, lock bool) error {
	if w := v.Concurrent(tup, visible); w != 0 {
		if err := x.Unseen(t.s.txns.Top(w)); err != nil {
			return err
		}
	}
	if visible && lock && !v.Snap.Own.Has(tup.Xmin()) {
		x.Read(predicate.Row(t.file.Database, t.Desc.OID, tid))
	}
	return nil
}

// readWhole locks the table for a transaction that is about to read all of it.
func (t *Table) readWhole(v *mvcc.View) {
	if x := t.serial(v); x != nil {
		x.Read(predicate.Relation(t.file.Database, t.Desc.OID))
	}
}

// checkInsert and checkChange look for serializable transactions that read what is about to be changed, under the latch
// of the page.
func (w *Writer) checkInsert() error {
	if x := w.tx.Serial(); x != nil && w.t.tracked {
		return x.Write(predicate.Relation(w.t.file.Database, w.t.Desc.OID))
	}
	return nil
}

func (w *Writer) checkChange(tid base.TID) error {
	if x := w.tx.Serial(); x != nil && w.t.tracked {
		return x.Write(predicate.Row(w.t.file.Database, w.t.Desc.OID, tid))
	}
	return nil
}
