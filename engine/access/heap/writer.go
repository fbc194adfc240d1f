package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Writer changes one table on behalf of one transaction. It remembers the page it inserted into last, and its buffers;
// reuse it by Reset. It belongs to one goroutine.
type Writer struct {
	t    *Table
	task *activity.Task
	tx   *txn.Tx
	wait txn.Wait

	target base.BlockNumber
	next   base.BlockNumber // pages that this writer added and has not used yet, up to end
	end    base.BlockNumber
	form   []byte // the row being written
	old    []byte // the version it replaces, when that has values out of line
	ends   []int  // of the rows of a MultiInsert in form
	scan   pruner
	snap   mvcc.Snapshot // of judge: only whose transaction it is
	view   mvcc.View

	queue     *rowQueue // that the writer stands in, nil for none
	queueMode LockMode
	member    bool     // of judge: who must wait holds the row already, if weakly
	newer     base.TID // of judge: the version that who has the row is making, or this one
	heir      bool     // it holds the lock of the queue
}

// NewWriter makes a writer; wait holds the session's lock timeouts.
func (t *Table) NewWriter(task *activity.Task, tx *txn.Tx, wait txn.Wait) *Writer {
	w := &Writer{}
	w.Reset(t, task, tx, wait)
	return w
}

// Reset turns the writer to another table or transaction, keeping its memory.
func (w *Writer) Reset(t *Table, task *activity.Task, tx *txn.Tx, wait txn.Wait) {
	w.leave(0)
	if w.t != t {
		w.target, w.next, w.end = base.InvalidBlock, 0, 0
	}
	w.t, w.task, w.tx, w.wait = t, task, tx, wait
}

// Insert adds a row. The values are in the order of the descriptor's columns.
func (w *Writer) Insert(values []types.Datum) (base.TID, error) { return w.insert(values, 0) }

// InsertSpeculative adds a row that Undo may take back: until Confirm or Undo a unique check of others waits not for the
// transaction but for its token (txn.Tx.LockToken), which the caller holds.
func (w *Writer) InsertSpeculative(values []types.Datum) (base.TID, error) {
	return w.insert(values, tuple.Speculative)
}

func (w *Writer) insert(values []types.Datum, mask uint32) (base.TID, error) {
	xid, err := w.tx.XID(w.task)
	if err != nil {
		return base.TID{}, err
	}
	w.form, err = w.formRow(w.form[:0], nil, values)
	if err != nil {
		return base.TID{}, err
	}
	w.stampNew(tuple.Tuple(w.form), xid, mask)
	buf, fresh, err := w.pageFor(len(w.form), w.t.reserve, 0)
	if err != nil {
		return base.TID{}, err
	}
	p := buf.Page()
	if err := w.checkInsert(); err != nil {
		buf.UnlockRelease()
		return base.TID{}, err
	}
	flags, err := w.clearAllVisible(buf)
	if err != nil {
		buf.UnlockRelease()
		return base.TID{}, err
	}
	buf.MarkDirty()
	off := p.AddItem(w.form)
	tid := base.TID{Block: buf.Tag().Block, Offset: off}
	tuple.Tuple(p.Item(off)).SetCTID(tid)
	err = w.logInsert(buf, xid, off, flags, fresh)
	buf.UnlockRelease()
	return tid, err
}

// stampNew fills in the header of a new version.
func (w *Writer) stampNew(t tuple.Tuple, xid base.XID, mask uint32) {
	t.SetXmin(xid, w.tx.Command())
	t.SetXmax(0, 0)
	t.SetMask(t.Mask()&tuple.FormBits | tuple.XmaxInvalid | mask)
}

// MultiInsert adds rows, many to a log record, and gives their addresses in tids, which must be as long.
func (w *Writer) MultiInsert(rows [][]types.Datum, tids []base.TID) error {
	xid, err := w.tx.XID(w.task)
	if err != nil {
		return err
	}
	w.form, w.ends = w.form[:0], w.ends[:0]
	for _, values := range rows {
		for len(w.form)&7 != 0 { // the mask must be aligned
			w.form = append(w.form, 0)
		}
		start := len(w.form)
		if w.form, err = w.formRow(w.form, nil, values); err != nil {
			return err
		}
		w.stampNew(tuple.Tuple(w.form[start:]), xid, 0)
		w.ends = append(w.ends, start, len(w.form))
	}
	for done := 0; done < len(rows); {
		n, err := w.insertSome(xid, done, tids)
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// insertSome puts as many of the formed rows from the first-th on as fit on one page.
func (w *Writer) insertSome(xid base.XID, first int, tids []base.TID) (int, error) {
	row := func(i int) []byte { return w.form[w.ends[2*i]:w.ends[2*i+1]] }
	buf, fresh, err := w.pageFor(len(row(first)), w.t.reserve, len(w.form)-w.ends[2*first])
	if err != nil {
		return 0, err
	}
	defer buf.UnlockRelease()
	if err := w.checkInsert(); err != nil {
		return 0, err
	}
	p := buf.Page()
	flags, err := w.clearAllVisible(buf)
	if err != nil {
		return 0, err
	}
	buf.MarkDirty()
	n := 0
	for first+n < len(w.ends)/2 {
		it := row(first + n)
		if n > 0 && p.HeapFreeSpace(MaxLines) < len(it)+w.t.reserve {
			break
		}
		off := p.AddItem(it)
		if off == 0 {
			break
		}
		tid := base.TID{Block: buf.Tag().Block, Offset: off}
		tuple.Tuple(p.Item(off)).SetCTID(tid)
		tids[first+n] = tid
		n++
	}
	return n, w.logMultiInsert(buf, xid, tids[first:first+n], flags, fresh)
}

// judge decides under the exclusive latch whether the version t at tid may be changed or locked with mode. OK may leave
// a live, compatible holder in xmax: see vacateXmax.
func (w *Writer) judge(t tuple.Tuple, tid base.TID, mode LockMode) (Result, base.XID) {
	own := w.tx.Identity()
	w.snap.Own = own
	w.view = mvcc.NewView(&w.snap, w.t.s.txns, w.task)
	v := &w.view
	mask := t.Mask()
	cmd := w.tx.PeekCommand()
	if mask&tuple.XminCommitted == 0 {
		x := t.Xmin()
		if own.Has(x) {
			if t.Cmin() >= cmd {
				return Result{Outcome: Invisible}, 0
			}
		} else if st, _ := v.Status(x); mask&tuple.XminInvalid != 0 || st != mvcc.Committed {
			return Result{Outcome: Invisible}, 0
		}
	}
	x := t.Xmax()
	if x != 0 && mask&tuple.XmaxInvalid == 0 {
		if res, holder := w.judgeXmax(v, t, tid, mask, mode); res.Outcome != OK {
			w.member = res.Outcome == WouldBlock && w.holds(t, tid)
			w.newer = t.CTID()
			return res, holder
		}
	}
	if h := w.t.s.rows.conflict(rowKey{w.t.file, tid}, mode, own); h != 0 {
		w.member, w.newer = w.holds(t, tid), tid
		return Result{Outcome: WouldBlock, Xmax: h}, h
	}
	w.newer = tid
	if h := w.t.s.rows.wholeConflict(w.t.Desc.OID, mode, own); h != 0 {
		w.member = w.holds(t, tid)
		return Result{Outcome: WouldBlock, Xmax: h}, h
	}
	return Result{}, 0
}

// holds tells whether the transaction holds the row in any mode.
func (w *Writer) holds(t tuple.Tuple, tid base.TID) bool {
	own := w.tx.Identity()
	return t.Mask()&tuple.XmaxInvalid == 0 && own.Has(t.Xmax()) || w.t.s.rows.holds(rowKey{w.t.file, tid}, w.t.Desc.OID, ForKeyShare, own)
}

func (w *Writer) judgeXmax(v *mvcc.View, t tuple.Tuple, tid base.TID, mask uint32, mode LockMode) (Result, base.XID) {
	x := t.Xmax()
	lockOnly := mask&tuple.XmaxLockOnly != 0
	ended := Result{Outcome: Deleted, Xmax: x, CTID: t.CTID()}
	if ended.CTID != tid {
		ended.Outcome = Updated
	}
	if mask&tuple.XmaxCommitted != 0 {
		return ended, 0
	}
	if w.tx.Identity().Has(x) {
		if lockOnly {
			return Result{}, 0
		}
		if t.Cmax() >= w.tx.PeekCommand() {
			return Result{Outcome: SelfModified, Xmax: x, Cmax: t.Cmax(), CTID: ended.CTID}, 0
		}
		return Result{Outcome: Invisible, Xmax: x}, 0
	}
	st, _ := v.Status(x)
	switch {
	case st == mvcc.Aborted:
		return Result{}, 0
	case st == mvcc.InProgress:
		if modeOf(mask).conflicts(mode) {
			return Result{Outcome: WouldBlock, Xmax: x}, x
		}
		return Result{}, 0
	case lockOnly:
		return Result{}, 0
	}
	return ended, 0
}

// latch pins and exclusively latches the page of tid and gives the row.
func (w *Writer) latch(tid base.TID) (buffer.Buffer, tuple.Tuple, error) {
	buf, err := w.t.s.pool.Pin(w.task, w.t.tag(tid.Block))
	if err != nil {
		return buf, nil, err
	}
	buf.Lock()
	it, err := w.t.item(buf.Page(), tid)
	if err != nil {
		buf.UnlockRelease()
		return buffer.Buffer{}, nil, err
	}
	return buf, it, nil
}

// item gives the row at an address that a scan of this statement gave, so that it must be there.
func (t *Table) item(p page.Page, tid base.TID) (tuple.Tuple, error) {
	if p.Kind() == page.KindHeap {
		if it := p.Item(tid.Offset); len(it) >= tuple.HeaderSize {
			return tuple.Tuple(it), nil
		}
	}
	return nil, pgerror.Newf(pgerror.InternalError, "attempted to change or lock invisible tuple %s of relation \"%s\"", tid, t.Desc.Name)
}

// vacateXmax moves a live lock in xmax, be it another transaction's or an outer level's of this one, to the table in
// memory before xid takes its place. It gives the lock bits that xid already has there and must keep.
func (w *Writer) vacateXmax(t tuple.Tuple, tid base.TID, xid base.XID) (keep uint32) {
	mask, x := t.Mask(), t.Xmax()
	if x == 0 || mask&(tuple.XmaxInvalid|tuple.XmaxCommitted) != 0 {
		return 0
	}
	if x == xid {
		return mask & tuple.LockBits
	}
	if st, _ := w.t.s.txns.Status(x); st == mvcc.InProgress {
		w.lockInMemory(tid, x, modeOf(mask))
	}
	return 0
}

func (w *Writer) lockInMemory(tid base.TID, x base.XID, mode LockMode) {
	w.tx.AddCleaner(&w.t.s.rows)
	w.t.s.rows.add(rowKey{w.t.file, tid}, w.t.Desc.OID, x, mode)
}

// strongest reduces lock bits to the greatest, so that a weaker new claim does not hide an older one of the same
// transaction.
func strongest(bits uint32) uint32 {
	if bits == 0 {
		return 0
	}
	return modeOf(bits).bit()
}
