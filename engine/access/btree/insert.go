package btree

import (
	"bytes"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/wal"
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
}

// Writer inserts into one index. It keeps scratch pages between calls and belongs to one goroutine.
type Writer struct {
	ix    *Index
	task  *activity.Task
	stack []base.BlockNumber
	item  []byte
	slots []uint16
	d     divided
	spare page.Page
	right bool             // the last entry went to the rightmost leaf
	last  base.BlockNumber // which was this
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
	w.ix, w.task = ix, task
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
		if err != nil || c.Found {
			buf.UnlockRelease()
			return c, err
		}
	}
	if buf, err = w.moveRight(buf, t); err != nil {
		return Conflict{}, err
	}
	w.item = appendLeaf(w.item[:0], key, t.tid, payload)
	n := node{buf.Page()}
	w.right, w.last = n.right() == base.InvalidBlock, buf.Tag().Block
	if n.free() < len(w.item)+slotSize {
		if err := w.removeDead(buf); err != nil {
			buf.UnlockRelease()
			return Conflict{}, err
		}
	}
	return Conflict{}, w.put(buf, n.search(t), w.item, buffer.Buffer{})
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
				n.flags()&flagIncomplete == 0 && bytes.Compare(t.key, n.key(0)) > 0 {
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
			tid := base.UnpackTID(n.tid(i))
			st, xid, err := unique.Probe(tid)
			if err != nil {
				return Conflict{}, err
			}
			switch st {
			case mvcc.Live, mvcc.SelfInsert:
				return Conflict{Found: true, TID: tid}, nil
			case mvcc.Inserting, mvcc.Deleting:
				return Conflict{Found: true, TID: tid, Wait: xid}, nil
			case mvcc.AllDead:
				n.kill(i)
				killed = true
			}
		}
		if killed {
			if err := buf.MarkDirtyHint(); err != nil {
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

// removeDead drops the killed entries of a leaf.
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

func (w *Writer) removeSlots(buf buffer.Buffer) error {
	if len(w.slots) == 0 {
		return nil
	}
	if w.spare == nil {
		w.spare = make(page.Page, page.Size)
	}
	buf.MarkDirty()
	node{buf.Page()}.remove(w.slots, w.spare)
	if !w.ix.logged {
		return nil
	}
	b := w.ix.txns.Builder()
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoDelete, base.InvalidXID)
	var d [2]byte
	for _, s := range w.slots {
		le.PutUint16(d[:], s)
		b.Data(d[:])
	}
	b.Block(0, buf.Tag(), buf.Page(), 0)
	return w.ix.insertLog(b, buf)
}

// put inserts an item at slot i of a latched node, splitting it when it is full, and releases the node. child, when
// valid, is the latched left half whose split the item completes; it is released too.
func (w *Writer) put(buf buffer.Buffer, i int, it []byte, child buffer.Buffer) error {
	n := node{buf.Page()}
	if n.free() < len(it)+slotSize {
		return w.split(buf, i, it, child)
	}
	defer buf.UnlockRelease()
	if child.Valid() {
		defer child.UnlockRelease()
		child.MarkDirty()
		clearIncomplete(child.Page())
	}
	buf.MarkDirty()
	n.insertAt(i, it)
	if !w.ix.logged {
		return nil
	}
	b := w.ix.txns.Builder()
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoInsert, base.InvalidXID)
	var d [2]byte
	le.PutUint16(d[:], uint16(i))
	b.Data(d[:])
	b.Block(0, buf.Tag(), buf.Page(), 0)
	b.BlockData(0, it)
	if child.Valid() {
		b.Block(1, child.Tag(), child.Page(), 0)
		return w.ix.insertLog(b, buf, child)
	}
	return w.ix.insertLog(b, buf)
}

func clearIncomplete(p page.Page) {
	n := node{p}
	n.setFlags(n.flags() &^ flagIncomplete)
}

// split divides a full node and tells its parent. The left half stays latched until the parent knows.
func (w *Writer) split(buf buffer.Buffer, i int, it []byte, child buffer.Buffer) error {
	if w.d.left == nil {
		w.d.left, w.d.right = make(page.Page, page.Size), make(page.Page, page.Size)
	}
	fail := func(err error, more ...buffer.Buffer) error {
		for _, b := range append(more, child, buf) {
			if b.Valid() {
				b.UnlockRelease()
			}
		}
		return err
	}
	rb, err := w.ix.pool.Extend(w.task, w.ix.file, base.MainFork)
	if err != nil {
		return fail(err)
	}
	n := node{buf.Page()}
	oldRight := n.right()
	var nb buffer.Buffer
	if oldRight != base.InvalidBlock {
		if nb, err = w.ix.pin(w.task, oldRight, true); err != nil {
			return fail(err, rb)
		}
	}
	n.divide(&w.d, i, it, buf.Tag().Block, rb.Tag().Block)
	wasRoot := n.flags()&flagRoot != 0
	node{w.d.left}.setFlags(n.flags() | flagIncomplete)
	node{w.d.left}.Page.SetLSN(n.LSN())
	buf.MarkDirty()
	rb.MarkDirty()
	copy(buf.Page(), w.d.left)
	copy(rb.Page(), w.d.right)
	err = w.logSplit(buf, rb, nb, child)
	if nb.Valid() {
		nb.UnlockRelease()
	}
	if child.Valid() {
		child.UnlockRelease()
	}
	right := rb.Tag().Block
	rb.UnlockRelease()
	if err != nil {
		buf.UnlockRelease()
		return err
	}
	key := bytes.Clone(w.d.key)
	if wasRoot {
		return w.newRoot(buf, key, w.d.tid, right)
	}
	return w.tellParent(buf, key, w.d.tid, right)
}

// logSplit also changes the neighbour's left link and the child's flag.
func (w *Writer) logSplit(left, right, next, child buffer.Buffer) error {
	if next.Valid() {
		next.MarkDirty()
		node{next.Page()}.setLeft(right.Tag().Block)
	}
	if child.Valid() {
		child.MarkDirty()
		clearIncomplete(child.Page())
	}
	if !w.ix.logged {
		return nil
	}
	b := w.ix.txns.Builder()
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoSplit, base.InvalidXID)
	var d [4]byte
	le.PutUint32(d[:], uint32(right.Tag().Block))
	b.Data(d[:])
	bufs := []buffer.Buffer{left, right}
	b.Block(0, left.Tag(), left.Page(), wal.ForceImage)
	b.Block(1, right.Tag(), right.Page(), wal.ForceImage)
	if next.Valid() {
		b.Block(2, next.Tag(), next.Page(), 0)
		bufs = append(bufs, next)
	}
	if child.Valid() {
		b.Block(3, child.Tag(), child.Page(), 0)
		bufs = append(bufs, child)
	}
	return w.ix.insertLog(b, bufs...)
}

// newRoot puts a root above the two halves of the old one. The left half is latched and is released.
func (w *Writer) newRoot(left buffer.Buffer, key []byte, tid uint64, right base.BlockNumber) error {
	defer left.UnlockRelease()
	rb, err := w.ix.pool.Extend(w.task, w.ix.file, base.MainFork)
	if err != nil {
		return err
	}
	defer rb.UnlockRelease()
	meta, err := w.ix.pool.Pin(w.task, w.ix.tag(metaBlock))
	if err != nil {
		return err
	}
	meta.Lock()
	defer meta.UnlockRelease()
	l := node{left.Page()}
	level := l.level() + 1
	root := node{rb.Page()}
	root.init(level, flagRoot, base.InvalidBlock, base.InvalidBlock)
	root.insertAt(0, appendInner(nil, nil, 0, left.Tag().Block))
	root.insertAt(1, appendInner(nil, key, tid, right))
	l.setFlags(l.flags() &^ (flagRoot | flagIncomplete))
	setMeta(meta.Page(), rb.Tag().Block, level)
	err = w.ix.logImages(left, rb, meta)
	w.ix.root.Store(uint32(rb.Tag().Block))
	return err
}

// tellParent inserts the separator and the right half of a split into the node above; left is latched and is released.
func (w *Writer) tellParent(left buffer.Buffer, key []byte, tid uint64, right base.BlockNumber) error {
	n := node{left.Page()}
	level := n.level() + 1
	if n.flags()&flagRoot != 0 { // a crash came between split and new root
		return w.newRoot(left, key, tid, right)
	}
	t := target{key: key, tid: tid}
	var buf buffer.Buffer
	var err error
	if k := len(w.stack); k > 0 {
		b := w.stack[k-1]
		w.stack = w.stack[:k-1]
		buf, err = w.ix.pin(w.task, b, true)
		for err == nil && (node{buf.Page()}).level() == level && (node{buf.Page()}).flags()&flagIncomplete == 0 &&
			(node{buf.Page()}).beyond(t) {
			next := node{buf.Page()}.right()
			buf.UnlockRelease()
			buf, err = w.ix.pin(w.task, next, true)
		}
		if err == nil && (node{buf.Page()}).level() != level {
			err = w.ix.corrupt(b, "has a wrong level")
			buf.UnlockRelease()
		}
	} else if err = w.finishRoot(level); err == nil {
		buf, err = w.ix.descend(w.task, t, level, true, &w.stack)
	}
	if err == nil && (node{buf.Page()}).flags()&flagIncomplete != 0 {
		buf, err = w.finishSplit(buf, t)
	}
	if err != nil {
		left.UnlockRelease()
		return err
	}
	p := node{buf.Page()}
	i := p.childFor(t)
	if p.child(i) == right { // it was told already
		buf.UnlockRelease()
		left.MarkDirty()
		clearIncomplete(left.Page())
		err := w.ix.logImages(left)
		left.UnlockRelease()
		return err
	}
	if p.child(i) != left.Tag().Block {
		err := w.ix.corrupt(buf.Tag().Block, "does not lead to a child that was split")
		buf.UnlockRelease()
		left.UnlockRelease()
		return err
	}
	return w.put(buf, i+1, appendInner(nil, key, tid, right), left)
}

// finishRoot puts a root above one whose split a crash cut short, when a node of the level is needed. Nobody who has an
// incomplete root latched waits for what lies right of it, so taking its latch from there is safe.
func (w *Writer) finishRoot(level int) error {
	root, err := w.ix.readMeta(w.task)
	if err != nil {
		return err
	}
	buf, err := w.ix.pin(w.task, root, true)
	if err != nil {
		return err
	}
	n := node{buf.Page()}
	if n.level() >= level || n.flags()&flagRoot == 0 || n.flags()&flagIncomplete == 0 {
		buf.UnlockRelease()
		return nil
	}
	key, tid, _ := n.high()
	return w.newRoot(buf, bytes.Clone(key), tid, n.right())
}
