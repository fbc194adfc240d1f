package heap

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
	"manifold/engine/types"
)

// Delete ends a row that a snapshot of this statement saw. It waits for whoever has the row. After the outcome Updated, as
// with Update and Lock, it may still stand in the queue of the row, for another try at the newer version: see LeaveQueue.
func (w *Writer) Delete(tid base.TID) (Result, error) {
	xid, err := w.tx.XID(w.task)
	if err != nil {
		return Result{}, err
	}
	for {
		buf, t, err := w.latch(tid)
		if err != nil {
			return Result{}, err
		}
		res, holder := w.judge(t, tid, ForUpdate)
		if res.Outcome == OK && w.mustQueue(t, tid, ForUpdate) {
			res.Outcome = WouldBlock
		}
		switch res.Outcome {
		case OK:
			err := w.deleteLatched(buf, t, tid, xid)
			old := w.keepOld(t)
			buf.UnlockRelease()
			if err == nil {
				err = w.replaced(old, nil, false)
			}
			w.leave(taken(xid, err))
			return res, err
		case WouldBlock:
			buf.UnlockRelease()
			if err := w.waitFor(tid, holder, ForUpdate, "deleting"); err != nil {
				return Result{}, err
			}
		default:
			buf.UnlockRelease()
			return res, nil
		}
	}
}

func (w *Writer) deleteLatched(buf buffer.Buffer, t tuple.Tuple, tid base.TID, xid base.XID) error {
	return w.endLatched(buf, t, tid, xid, 0)
}

// endLatched ends a version without a next one; bits join its mask.
func (w *Writer) endLatched(buf buffer.Buffer, t tuple.Tuple, tid base.TID, xid base.XID, bits uint32) error {
	if err := w.checkChange(tid); err != nil {
		return err
	}
	w.vacateXmax(t, tid, xid)
	flags, err := w.clearAllVisible(buf)
	if err != nil {
		return err
	}
	buf.MarkDirty()
	endVersion(t, xid, w.tx.Command(), tuple.LockUpdate|tuple.KeysUpdated|bits, tid)
	notePrunable(buf.Page(), xid)
	return w.logDelete(buf, xid, tid.Offset, t, flags)
}

// Undo takes back a row that InsertSpeculative put in, since a unique index refused it. It is dead to everyone at once, however
// the transaction ends: its xmin is marked invalid, and its xmax equals its xmin.
func (w *Writer) Undo(tid base.TID) error {
	xid, err := w.tx.XID(w.task)
	if err != nil {
		return err
	}
	buf, t, err := w.latch(tid)
	if err != nil {
		return err
	}
	if t.Xmin() != xid {
		buf.UnlockRelease()
		return pgerror.Newf(pgerror.InternalError, "tuple %s of relation \"%s\" is not this transaction's", tid, w.t.Desc.Name)
	}
	err = w.endLatched(buf, t, tid, xid, tuple.XminInvalid)
	old := w.keepOld(t)
	buf.UnlockRelease()
	if err == nil {
		err = w.replaced(old, nil, true)
	}
	return err
}

// Confirm makes a row that InsertSpeculative put in an ordinary one. As a hint it may be lost: the mark matters only while the
// transaction runs, and then only to those who have not waited for its token.
func (w *Writer) Confirm(tid base.TID) error {
	buf, t, err := w.latch(tid)
	if err != nil {
		return err
	}
	t.SetMask(t.Mask() &^ tuple.Speculative)
	err = w.t.hinted(buf)
	buf.UnlockRelease()
	return err
}

// endVersion writes the end of a version: who, with which bits, and where the next one is.
func endVersion(t tuple.Tuple, xid base.XID, cid base.CommandID, bits uint32, next base.TID) {
	t.SetXmax(xid, cid)
	t.SetMask(t.Mask()&^(tuple.XmaxBits|tuple.HotUpdated) | bits)
	t.SetCTID(next)
}

// Update replaces a row that a snapshot of this statement saw. It waits for whoever has the row. With Result.HOT no index
// needs an entry for the new version. Values that have not changed may be in the form that the old version stores.
func (w *Writer) Update(tid base.TID, values []types.Datum) (Result, error) {
	xid, err := w.tx.XID(w.task)
	if err != nil {
		return Result{}, err
	}
	old, err := w.formUpdate(tid, values)
	if err != nil {
		return Result{}, err
	}
	for {
		buf, t, err := w.latch(tid)
		if err != nil {
			return Result{}, err
		}
		keys, indexed := w.changed(t)
		mode := ForNoKeyUpdate
		if keys {
			mode = ForUpdate
		}
		res, holder := w.judge(t, tid, mode)
		if res.Outcome == OK && w.mustQueue(t, tid, mode) {
			res.Outcome = WouldBlock
		}
		switch res.Outcome {
		case OK:
			if old == nil && w.t.toast != nil && t.Mask()&tuple.Toasted != 0 {
				old = w.keepOld(t)
				buf.UnlockRelease()
				if w.form, err = w.formRow(w.form[:0], old, values); err != nil {
					return Result{}, err
				}
				continue
			}
			res, retry, err := w.updateLatched(buf, t, tid, xid, keys, indexed)
			if err == nil && !retry {
				err = w.replaced(old, w.form, false)
			}
			if err != nil || !retry {
				w.leave(taken(xid, err))
				return res, err
			}
		case WouldBlock:
			buf.UnlockRelease()
			if err := w.waitFor(tid, holder, mode, "updating"); err != nil {
				return Result{}, err
			}
		default:
			buf.UnlockRelease()
			return res, nil
		}
	}
}

// formUpdate makes the new version of the row at tid. It gives the old one when it had to look at it: a wide row may share
// values out of line with it.
func (w *Writer) formUpdate(tid base.TID, values []types.Datum) (tuple.Tuple, error) {
	var old tuple.Tuple
	if w.t.toast != nil && w.t.Layout.Size(values) > ToastThreshold {
		buf, t, err := w.latch(tid)
		if err != nil {
			return nil, err
		}
		old = w.keepOld(t)
		buf.UnlockRelease()
	}
	var err error
	w.form, err = w.formRow(w.form[:0], old, values)
	return old, err
}

// changed compares the old row with the new one: does a key column differ, does any indexed one.
func (w *Writer) changed(t tuple.Tuple) (keys, indexed bool) {
	tb := w.t
	if tb.all {
		indexed = true
	}
	for i, ix := range tb.indexed {
		if ix && !tb.Layout.Equal(t, w.form, i) {
			indexed = true
			if tb.keys[i] {
				return true, true
			}
		}
	}
	return false, indexed
}

// updateLatched puts the new version on the old one's page or, when there is no room, on another; buf is released. With
// retry the latches had to be let go and everything is to be judged again.
func (w *Writer) updateLatched(buf buffer.Buffer, t tuple.Tuple, tid base.TID, xid base.XID, keys, indexed bool) (Result, bool, error) {
	p := buf.Page()
	if p.HeapFreeSpace(MaxLines) < len(w.form) && w.t.prunableNow(p) {
		if _, err := w.scan.prune(w.t, buf, w.t.s.txns.Horizon()); err != nil {
			buf.UnlockRelease()
			return Result{}, false, err
		}
		t = p.Item(tid.Offset) // pruning moves rows within the page
	}
	if p.HeapFreeSpace(MaxLines) >= len(w.form) {
		res, err := w.place(buf, buf, t, tid, xid, keys, indexed)
		buf.UnlockRelease()
		return res, false, err
	}
	if old := w.target; old == tid.Block {
		w.target = base.InvalidBlock
	}
	free := p.HeapFreeSpace(MaxLines)
	buf.Unlock() // the pin stays
	w.t.recordFree(w.task, tid.Block, free)
	other, _, err := w.pageFor(len(w.form), 0, 0)
	if err != nil {
		buf.Release()
		return Result{}, false, err
	}
	ob := other.Tag().Block
	if ob == tid.Block { // room appeared meanwhile
		other.UnlockRelease()
		buf.Release()
		return Result{}, true, nil
	}
	if ob > tid.Block { // latch in ascending order
		other.Unlock()
		buf.Lock()
		other.Lock()
	} else {
		buf.Lock()
	}
	defer buf.UnlockRelease()
	defer other.UnlockRelease()
	t, err = w.t.item(p, tid)
	if err != nil {
		return Result{}, false, err
	}
	mode := ForNoKeyUpdate
	if keys {
		mode = ForUpdate
	}
	if res, _ := w.judge(t, tid, mode); res.Outcome != OK || other.Page().HeapFreeSpace(MaxLines) < len(w.form) {
		return Result{}, true, nil
	}
	res, err := w.place(buf, other, t, tid, xid, keys, true)
	return res, false, err
}

// place writes the new version to the page of nb and ends the old one on ob; both are latched and nb has room.
func (w *Writer) place(ob, nb buffer.Buffer, t tuple.Tuple, tid base.TID, xid base.XID, keys, indexed bool) (Result, error) {
	if err := w.checkChange(tid); err != nil {
		return Result{}, err
	}
	keep := w.vacateXmax(t, tid, xid)
	same := ob == nb
	flags, err := w.clearAllVisible(ob)
	if err != nil {
		return Result{}, err
	}
	if !same {
		f, err := w.clearAllVisible(nb)
		if err != nil {
			return Result{}, err
		}
		flags |= f << 1
	}
	hot := same && !indexed
	mask := tuple.Updated
	if hot {
		mask |= tuple.HeapOnly
	}
	w.stampNew(tuple.Tuple(w.form), xid, mask)
	ob.MarkDirty()
	nb.MarkDirty()
	np := nb.Page()
	off := np.AddItem(w.form)
	to := base.TID{Block: nb.Tag().Block, Offset: off}
	tuple.Tuple(np.Item(off)).SetCTID(to)
	w.t.s.rows.inherit(rowKey{w.t.file, tid}, rowKey{w.t.file, to}, w.t.Desc.OID)
	w.rowMoved(rowKey{w.t.file, tid}, rowKey{w.t.file, to}, !w.tx.Identity().Has(t.Xmin()))
	bits := tuple.LockNoKey
	if keys {
		bits = tuple.LockUpdate | tuple.KeysUpdated
	}
	bits = bits&^tuple.LockBits | strongest(bits&tuple.LockBits|keep)
	if hot {
		bits |= tuple.HotUpdated
	}
	endVersion(t, xid, w.tx.Command(), bits, to)
	notePrunable(ob.Page(), xid)
	err = w.logUpdate(ob, nb, xid, tid.Offset, off, t, flags)
	return Result{TID: to, HOT: hot, KeyLock: keys, CTID: to}, err
}

// Lock locks a row that a snapshot of this statement saw, without changing it. With OK the row's bytes replace
// those of row, when that is not nil.
func (w *Writer) Lock(tid base.TID, mode LockMode, policy WaitPolicy, row *[]byte) (Result, error) {
	xid, err := w.tx.XID(w.task)
	if err != nil {
		return Result{}, err
	}
	for {
		buf, t, err := w.latch(tid)
		if err != nil {
			return Result{}, err
		}
		res, holder := w.judge(t, tid, mode)
		if res.Outcome == OK && policy == Block && w.mustQueue(t, tid, mode) {
			res.Outcome = WouldBlock
		}
		if res.Outcome == OK || sameKey(t, res, mode) {
			if row != nil {
				*row = appendTuple((*row)[:0], t)
			}
			w.tx.NoteRowLock(w.t.Desc.OID, uint8(mode))
			newer := res.CTID
			if res.Outcome == OK {
				newer, err = w.lockLatched(buf, t, tid, xid, mode)
			}
			updater := t.Xmax()
			buf.UnlockRelease()
			if err == nil && newer.Valid() {
				res, err = w.lockNewer(newer, updater, xid, mode, policy)
			}
			w.leave(taken(xid, err))
			return res, err
		}
		buf.UnlockRelease()
		if res.Outcome != WouldBlock || policy == Skip {
			return res, nil
		}
		if policy == NoWait {
			return Result{}, w.t.errNotAvailable()
		}
		if err := w.waitFor(tid, holder, mode, "locking"); err != nil {
			return Result{}, err
		}
	}
}

// lockLatched records the lock: in xmax when that is free, else in memory. When a running transaction is updating the
// row (compatibly), it gives the address of the newer version, which must be locked too.
func (w *Writer) lockLatched(buf buffer.Buffer, t tuple.Tuple, tid base.TID, xid base.XID, mode LockMode) (chain base.TID, err error) {
	own := w.tx.Identity()
	mask, x := t.Mask(), t.Xmax()
	busy := x != 0 && mask&(tuple.XmaxInvalid|tuple.XmaxCommitted) == 0
	if busy {
		st, _ := w.t.s.txns.Status(x)
		busy = st == 0
	}
	if busy && own.Has(x) && modeOf(mask) >= mode || w.t.s.rows.holds(rowKey{w.t.file, tid}, w.t.Desc.OID, mode, own) {
		return base.TID{}, nil
	}
	if busy && !(x == xid && mask&tuple.XmaxLockOnly != 0) {
		if mask&tuple.XmaxLockOnly == 0 && t.CTID() != tid {
			chain = t.CTID()
		}
		w.lockInMemory(tid, xid, mode)
		return chain, nil
	}
	buf.MarkDirty()
	t.SetXmax(xid, w.tx.Command())
	t.SetMask(t.Mask()&^(tuple.XmaxBits|tuple.HotUpdated) | tuple.XmaxLockOnly | mode.bit())
	t.SetCTID(tid)
	return base.TID{}, w.logLock(buf, xid, tid.Offset, t)
}
