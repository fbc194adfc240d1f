package btree

import (
	"bytes"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/rmgr"
	"manifold/engine/wal"
)

// put adds an item to a latched node, splitting it when it is full, and releases the node. child, when valid, is the latched
// left half whose split the item completes; it is released too.
func (w *Writer) put(buf buffer.Buffer, a addition, child buffer.Buffer) error {
	n := node{buf.Page()}
	if n.free() < len(a.item)+slotSize {
		return w.split(buf, a, child)
	}
	defer buf.UnlockRelease()
	if child.Valid() {
		defer child.UnlockRelease()
		child.MarkDirty()
		clearIncomplete(child.Page())
	}
	buf.MarkDirty()
	if !n.add(a) {
		return w.ix.corrupt(buf.Tag().Block, badList)
	}
	if !w.ix.logged {
		return nil
	}
	b := w.ix.txns.Builder(w.task)
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoInsert, base.InvalidXID)
	var d [2 + tidSize]byte
	le.PutUint16(d[:], uint16(a.slot))
	b.Data(a.appendInto(d[:2]))
	b.Block(0, buf.Tag(), buf.Page(), 0)
	b.BlockData(0, a.item)
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
func (w *Writer) split(buf buffer.Buffer, a addition, child buffer.Buffer) error {
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
	rb, err := w.ix.newPage(w.task)
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
	buf.MarkDirty()
	rb.MarkDirty()
	if a.into != 0 && !n.exchange(a.slot-1, a.into, itemTID(a.item)) {
		return fail(w.ix.corrupt(buf.Tag().Block, badList), rb, nb)
	}
	n.divide(&w.d, a.slot, a.item, buf.Tag().Block, rb.Tag().Block)
	if n.level() == 0 {
		w.ix.txns.Serializable().PageSplit(w.ix.target(buf.Tag().Block), w.ix.target(rb.Tag().Block))
	}
	wasRoot := n.flags()&flagRoot != 0
	w.left = w.d.splitData(w.left[:0], a.slot, a.item)
	copy(buf.Page(), w.d.left)
	copy(rb.Page(), w.d.right)
	err = w.logSplit(a, buf, rb, nb, child)
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
func (w *Writer) logSplit(a addition, left, right, next, child buffer.Buffer) error {
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
	b := w.ix.txns.Builder(w.task)
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoSplit, base.InvalidXID)
	var d [4 + 2*tidSize]byte
	le.PutUint32(d[:], uint32(right.Tag().Block))
	data := a.appendInto(d[:4])
	if a.into != 0 {
		data = appendTID(data, itemTID(a.item))
	}
	b.Data(data)
	bufs := []buffer.Buffer{left, right}
	b.Block(0, left.Tag(), left.Page(), 0)
	b.BlockData(0, w.left)
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
	rb, err := w.ix.newPage(w.task)
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
			((node{buf.Page()}).deleted() || (node{buf.Page()}).beyond(t)) {
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
	return w.put(buf, addition{slot: i + 1, item: appendInner(nil, key, tid, right)}, left)
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
