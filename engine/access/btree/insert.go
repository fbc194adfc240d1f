package btree

import (
	"bytes"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/predicate"
	"manifold/engine/rmgr"
)

// Prober tells whether the row that an entry leads to is there at this moment. It is called with a leaf latched, must not
// wait, and must not come back to the index.
type Prober interface {
	Probe(tid base.TID) (mvcc.Liveness, base.XID, error)
}

// Conflict is why a unique entry was not inserted. The zero value is none.
type Conflict struct {
	Found bool
	TID   base.TID // the entry in the way
	Wait  base.XID // the transaction that decides; zero when the row is live
	// Speculative tells that it may decide before it ends: its token is what to wait for.
	Speculative bool
}

// Writer inserts into one index. It keeps scratch pages between calls and belongs to one goroutine.
type Writer struct {
	ix    *Index
	task  *activity.Task
	stack []base.BlockNumber
	item  []byte
	slots []uint16 // of items to remove, and
	cuts  []byte   // what to take out of lists
	gone  []uint16 // of one list
	runs  []byte   // of items to merge
	d     divided
	run   []place
	left  []byte // how redo makes the left half of a split
	spare page.Page
	right bool             // the last entry went to the rightmost leaf
	last  base.BlockNumber // which was this

	serial *predicate.Xact
	probe  Prober // for looking at the rows of a full leaf; may be nil
}

// NewWriter makes a writer.
func (ix *Index) NewWriter(task *activity.Task) *Writer {
	w := &Writer{}
	w.Reset(ix, task)
	return w
}

// Reset turns the writer to another index or task, keeping its memory.
func (w *Writer) Reset(ix *Index, task *activity.Task) {
	if w.ix != ix {
		w.right = false
	}
	w.ix, w.task, w.serial, w.probe = ix, task, nil, nil
}

// SetSerial has the leaves that the writer changes checked against what other SERIALIZABLE transactions have read.
func (w *Writer) SetSerial(x *predicate.Xact) { w.serial = x }

// SetProber has the writer look, before it splits a leaf, whether rows of it are dead: entries of one key are often the versions
// of one row, which updates of other columns have made.
func (w *Writer) SetProber(p Prober) { w.probe = p }

// checkSerial looks, under the latch of a leaf, who has read it.
func (w *Writer) checkSerial(buf buffer.Buffer) error {
	if w.serial == nil || w.ix.oid < base.FirstNormalOID || w.ix.file.Temp != 0 {
		return nil
	}
	return w.serial.Write(w.ix.target(buf.Tag().Block))
}

// Insert adds an entry; payload is stored beside the key and not compared. With a prober no other live row may have the
// key: a conflict is told and nothing inserted; the caller waits for Wait, when set, and tries again.
func (w *Writer) Insert(key []byte, tid base.TID, payload []byte, unique Prober) (Conflict, error) {
	if len(key)+len(payload) > MaxEntry {
		return Conflict{}, pgerror.Newf(pgerror.ProgramLimitExceeded,
			"index row size %d exceeds btree version 4 maximum %d for index \"%s\"", len(key)+len(payload), MaxEntry, w.ix.name).
			WithHint("Values larger than 1/3 of a buffer page cannot be indexed.\nConsider a function index of an MD5 hash of the value, or use full text indexing.")
	}
	t := target{key: key, tid: tid.Pack()}
	first := t
	if unique != nil {
		first.tid = 0
	}
	buf, err := w.leaf(first)
	if err != nil {
		return Conflict{}, err
	}
	if unique != nil {
		c, err := w.checkUnique(buf, first, unique)
		if err == nil && c.Found && c.Wait == 0 { // a dependency tells more than the violation that it led to
			err = w.checkSerial(buf)
		}
		if err != nil || c.Found {
			buf.UnlockRelease()
			return c, err
		}
	}
	if buf, err = w.moveRight(buf, t); err != nil {
		return Conflict{}, err
	}
	if err := w.checkSerial(buf); err != nil {
		buf.UnlockRelease()
		return Conflict{}, err
	}
	w.item = appendLeaf(w.item[:0], key, t.tid, payload)
	n := node{buf.Page()}
	w.right, w.last = n.right() == base.InvalidBlock, buf.Tag().Block
	if need := len(w.item) + slotSize; n.free() < need {
		if err := w.makeRoom(buf, t, need); err != nil {
			buf.UnlockRelease()
			return Conflict{}, err
		}
	}
	a, ok := n.place(t, w.item)
	if !ok {
		defer buf.UnlockRelease()
		return Conflict{}, w.ix.corrupt(buf.Tag().Block, badList)
	}
	return Conflict{}, w.put(buf, a, buffer.Buffer{})
}

// FindConflict tells what would keep an entry with the key out of a unique index at this moment, inserting nothing.
func (w *Writer) FindConflict(key []byte, unique Prober) (Conflict, error) {
	t := target{key: key}
	buf, err := w.leaf(t)
	if err != nil {
		return Conflict{}, err
	}
	defer buf.UnlockRelease()
	return w.checkUnique(buf, t, unique)
}

// leaf gives the leaf for the target, exclusively latched: the rightmost one at once when ascending keys go there.
func (w *Writer) leaf(t target) (buffer.Buffer, error) {
	if w.right {
		buf, err := w.ix.pool.Pin(w.task, w.ix.tag(w.last))
		if err != nil {
			return buf, err
		}
		if buf.TryLock() {
			n := node{buf.Page()}
			if n.sound() && n.level() == 0 && n.right() == base.InvalidBlock && n.count() > 0 &&
				n.flags()&flagIncomplete == 0 && t.behind(n.key(0), n.tid(0)) {
				w.stack = w.stack[:0]
				return buf, nil
			}
			buf.Unlock()
		}
		buf.Release()
		w.right = false
	}
	buf, err := w.ix.descend(w.task, t, 0, true, &w.stack)
	if err != nil {
		return buf, err
	}
	return w.finishSplit(buf, t)
}

// finishSplit completes a split that a crash cut short, and gives the node for the target again.
func (w *Writer) finishSplit(buf buffer.Buffer, t target) (buffer.Buffer, error) {
	for (node{buf.Page()}).flags()&flagIncomplete != 0 {
		n := node{buf.Page()}
		level := n.level()
		key, tid, _ := n.high()
		stack := append([]base.BlockNumber(nil), w.stack...)
		if err := w.tellParent(buf, bytes.Clone(key), tid, n.right()); err != nil {
			return buffer.Buffer{}, err
		}
		var err error
		w.stack = stack
		if buf, err = w.ix.descend(w.task, t, level, true, &w.stack); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// moveRight goes on to the leaf that has the target's place; the latch of the next is taken before that of the last is
// given up, so that another writer of the same key stays behind.
func (w *Writer) moveRight(buf buffer.Buffer, t target) (buffer.Buffer, error) {
	for (node{buf.Page()}).beyond(t) {
		next, err := w.ix.pin(w.task, node{buf.Page()}.right(), true)
		buf.UnlockRelease()
		if err != nil {
			return next, err
		}
		w.stack = w.stack[:0] // the parent is found anew if need be
		if buf, err = w.finishSplit(next, t); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// checkUnique looks at every entry of the key, from the first leaf that may have one, which stays latched.
func (w *Writer) checkUnique(first buffer.Buffer, t target, unique Prober) (Conflict, error) {
	buf := first
	defer func() {
		if buf != first {
			buf.RUnlockRelease()
		}
	}()
	behind := target{key: t.key, after: true}
	for {
		n := node{buf.Page()}
		killed := false
		i := n.search(t)
		for ; i < n.count(); i++ {
			if !bytes.Equal(n.key(i), t.key) {
				break
			}
			if n.dead(i) {
				continue
			}
			c, dead, err := probeItem(n.item(i), unique)
			if err != nil || c.Found {
				return c, err
			}
			if dead {
				n.kill(i)
				killed = true
			}
		}
		if killed {
			if err := w.ix.hinted(buf); err != nil {
				return Conflict{}, err
			}
		}
		if i < n.count() || !n.beyond(behind) {
			return Conflict{}, nil
		}
		next, err := w.ix.pin(w.task, n.right(), false)
		if err != nil {
			return Conflict{}, err
		}
		if buf != first {
			buf.RUnlockRelease()
		}
		buf = next
	}
}

// probeItem looks at the rows of an item: one that is in the way, or whether all are dead to everybody.
func probeItem(it []byte, unique Prober) (c Conflict, dead bool, err error) {
	dead = true
	for k := range entries(it) {
		tid := base.UnpackTID(entryTID(it, k))
		st, xid, err := unique.Probe(tid)
		if err != nil {
			return Conflict{}, false, err
		}
		switch st {
		case mvcc.Live, mvcc.SelfInsert:
			return Conflict{Found: true, TID: tid}, false, nil
		case mvcc.Inserting, mvcc.Speculating, mvcc.Deleting:
			return Conflict{Found: true, TID: tid, Wait: xid, Speculative: st == mvcc.Speculating}, false, nil
		}
		dead = dead && st == mvcc.AllDead
	}
	return Conflict{}, dead, nil
}

// removeDead drops the killed items of a leaf, and what w.cuts says.
func (w *Writer) removeDead(buf buffer.Buffer) error {
	n := node{buf.Page()}
	w.slots = w.slots[:0]
	for i := range n.count() {
		if n.dead(i) {
			w.slots = append(w.slots, uint16(i))
		}
	}
	return w.removeSlots(buf)
}

// removeSlots drops from a leaf the items at w.slots and takes addresses out of lists as w.cuts says.
func (w *Writer) removeSlots(buf buffer.Buffer) error {
	if len(w.slots) == 0 && len(w.cuts) == 0 {
		return nil
	}
	return w.ix.remove(buf, w.slots, w.cuts, w.scratch())
}

// remove drops items of an exclusively latched leaf and takes addresses out of its lists (see node.remove).
func (ix *Index) remove(buf buffer.Buffer, slots []uint16, cuts []byte, scratch page.Page) error {
	buf.MarkDirty()
	if !(node{buf.Page()}).remove(slots, cuts, scratch) {
		return ix.corrupt(buf.Tag().Block, badList)
	}
	if !ix.logged {
		return nil
	}
	b := ix.txns.Builder(buf.Task())
	defer ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoDelete, base.InvalidXID)
	var d [2]byte
	for _, s := range slots {
		le.PutUint16(d[:], s)
		b.Data(d[:])
	}
	b.Block(0, buf.Tag(), buf.Page(), 0)
	b.BlockData(0, cuts)
	return ix.insertLog(b, buf)
}

// scratch gives space of a page's size.
func (w *Writer) scratch() page.Page {
	if w.spare == nil {
		w.spare = make(page.Page, page.Size)
	}
	return w.spare
}
