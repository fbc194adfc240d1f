package heap

import (
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
)

// sameKey tells whether a version that somebody has replaced may be locked all the same, for only its key counts and that is the
// next version's too.
func sameKey(t tuple.Tuple, res Result, mode LockMode) bool {
	return mode == ForKeyShare && res.Outcome == Updated && !modeOf(t.Mask()).conflicts(mode)
}

// lockNewer locks the versions of a row after one that is locked, or needs no lock, so that whoever meets them finds the lock. They
// begin at first; updater made that one, and has committed or is running. Who changes the row in conflict with mode is waited for;
// when that commits, the outcome is Updated with the address of first, or Deleted.
func (w *Writer) lockNewer(first base.TID, updater, xid base.XID, mode LockMode, policy WaitPolicy) (Result, error) {
	for tid := first; ; {
		res, next, err := w.tryNewer(tid, updater, xid, mode)
		switch {
		case err != nil:
			return Result{}, err
		case res.Outcome == Updated:
			return Result{Outcome: Updated, Xmax: res.Xmax, CTID: first}, nil
		case res.Outcome == Deleted, res.Outcome == WouldBlock && policy == Skip:
			return res, nil
		case res.Outcome == WouldBlock && policy == NoWait:
			return Result{}, w.t.errNotAvailable()
		case res.Outcome == WouldBlock:
			if err := w.t.s.txns.WaitFor(w.task, w.tx.Proc(), res.Xmax, w.wait); err != nil {
				e := *pgerror.From(err) // what interrupts a task is shared
				return Result{}, e.WithWhere("while locking updated version (%d,%d) of tuple in relation \"%s\"", tid.Block, tid.Offset, w.t.Desc.Name)
			}
		case next.TID == tid || !next.TID.Valid():
			return Result{}, nil
		default:
			tid, updater = next.TID, next.maker
		}
	}
}

// successor is where the next version of a row stands and who made it.
type successor struct {
	base.TID
	maker base.XID
}

// tryNewer locks one version that updater made, in memory. OK comes with the next version, if there is one.
func (w *Writer) tryNewer(tid base.TID, updater, xid base.XID, mode LockMode) (Result, successor, error) {
	none := successor{TID: tid}
	buf, err := w.t.s.pool.Pin(w.task, w.t.tag(tid.Block))
	if err != nil {
		return Result{}, none, err
	}
	buf.RLock()
	defer buf.RUnlockRelease()
	t := tuple.Tuple(buf.Page().Item(tid.Offset))
	if len(t) < tuple.HeaderSize || t.Xmin() != updater || t.Mask()&tuple.XminInvalid != 0 {
		return Result{}, none, nil // the updater was rolled back
	}
	next, mask, x := none, t.Mask(), t.Xmax()
	if x != 0 && mask&tuple.XmaxInvalid == 0 {
		st := mvcc.Committed
		if mask&tuple.XmaxCommitted == 0 {
			st, _ = w.t.s.txns.Status(x)
		}
		excludes := modeOf(mask).conflicts(mode) && !w.tx.Identity().Has(x)
		lockOnly := mask&tuple.XmaxLockOnly != 0
		switch {
		case st == mvcc.InProgress && excludes:
			return Result{Outcome: WouldBlock, Xmax: x}, none, nil
		case st == mvcc.Aborted || lockOnly:
		case excludes && t.CTID() == tid:
			return Result{Outcome: Deleted, Xmax: x, CTID: tid}, none, nil
		case excludes:
			return Result{Outcome: Updated, Xmax: x}, none, nil
		default:
			next = successor{t.CTID(), x}
		}
	}
	own := w.tx.Identity()
	h := w.t.s.rows.conflict(rowKey{w.t.file, tid}, mode, own)
	if h == 0 {
		h = w.t.s.rows.wholeConflict(w.t.Desc.OID, mode, own)
	}
	if h != 0 {
		return Result{Outcome: WouldBlock, Xmax: h}, none, nil
	}
	w.lockInMemory(tid, xid, mode)
	return Result{}, next, nil
}
