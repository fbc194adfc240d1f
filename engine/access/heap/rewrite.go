package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
)

// Rewriter copies the versions of rows that some snapshot may see to a new heap, as they are: who made and ended them stays,
// so snapshots older than the copy read the same. Chains of versions are cut: each stands for itself and needs index entries.
// The caller holds the table so that nobody else uses it.
type Rewriter struct {
	Removed int64 // versions left behind
	Live    int64
	Dying   int64 // ended, but some snapshot sees them

	Progress func(pages base.BlockNumber) // called after each page that All has read, and with zero after rows; may be nil

	w    *Writer // to the new heap
	from *Table
	task *activity.Task
	h    base.LSN
	xid  base.XID
	tids []base.TID
}

// rewriteBytes is how much is copied before it is written.
const rewriteBytes = 256 << 10

// NewRewriter prepares a copy of from by w, leaving what nobody sees at horizon h behind.
func NewRewriter(w *Writer, from *Table, h base.LSN) (*Rewriter, error) {
	xid, err := w.tx.XID(w.task)
	w.form, w.ends = w.form[:0], w.ends[:0]
	return &Rewriter{w: w, from: from, task: w.task, h: h, xid: xid}, err
}

// All copies the heap from front to back.
func (r *Rewriter) All() error {
	n, err := r.from.Blocks()
	if err != nil {
		return err
	}
	for b := range n {
		if err := r.task.Breathe(); err != nil {
			return err
		}
		if err := r.page(b); err != nil {
			return err
		}
		r.tell(b + 1)
	}
	return r.Flush()
}

func (r *Rewriter) page(b base.BlockNumber) error {
	buf, err := r.from.s.pool.Pin(r.task, r.from.tag(b))
	if err != nil {
		return err
	}
	buf.RLock()
	p := buf.Page()
	if k := p.Kind(); k != page.KindHeap && !p.IsNew() {
		buf.RUnlockRelease()
		return pgerror.Corrupt("page %d of relation %s is a %s page, not a heap page", b, r.from.file, k)
	}
	for i := 1; i <= p.Lines(); i++ {
		if t := tuple.Tuple(p.Item(base.OffsetNumber(i))); len(t) >= tuple.HeaderSize {
			r.version(t)
		}
	}
	buf.RUnlockRelease()
	return r.flushFull()
}

// Row copies the versions of the row that an index entry leads to.
func (r *Rewriter) Row(tid base.TID) error {
	buf, err := r.from.s.pool.Pin(r.task, r.from.tag(tid.Block))
	if err != nil {
		return err
	}
	buf.RLock()
	p := buf.Page()
	var c chainWalk
	for t := c.start(p, tid.Offset); t != nil; t = c.next(p, t) {
		r.version(t)
	}
	buf.RUnlockRelease()
	r.tell(0)
	return r.flushFull()
}

func (r *Rewriter) tell(pages base.BlockNumber) {
	if r.Progress != nil {
		r.Progress(pages)
	}
}

// version keeps a copy of a version that somebody may see.
func (r *Rewriter) version(t tuple.Tuple) {
	removal, _, _ := mvcc.Removable(r.from.s.txns, r.h, t)
	switch removal {
	case mvcc.Remove:
		r.Removed++
		return
	case mvcc.KeepDead, mvcc.KeepEnding:
		r.Dying++
	default:
		r.Live++
	}
	w := r.w
	for len(w.form)&7 != 0 { // the mask must be aligned
		w.form = append(w.form, 0)
	}
	start := len(w.form)
	w.form = appendTuple(w.form, t)
	c := tuple.Tuple(w.form[start:])
	c.SetMask(c.Mask() &^ (tuple.HotUpdated | tuple.HeapOnly))
	w.ends = append(w.ends, start, len(w.form))
}

func (r *Rewriter) flushFull() error {
	if len(r.w.form) < rewriteBytes {
		return nil
	}
	return r.Flush()
}

// Flush writes what was copied.
func (r *Rewriter) Flush() error {
	w := r.w
	n := len(w.ends) / 2
	if cap(r.tids) < n {
		r.tids = make([]base.TID, n)
	}
	for done := 0; done < n; {
		k, err := w.insertSome(r.xid, done, r.tids[:n])
		if err != nil {
			return err
		}
		done += k
	}
	w.form, w.ends = w.form[:0], w.ends[:0]
	return nil
}
