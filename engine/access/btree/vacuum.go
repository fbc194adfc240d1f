package btree

import (
	"bytes"

	"manifold/engine/base"
)

// BulkDelete removes every entry whose row is dead, in the order of the leaves: a split moves entries only to the right,
// so none is missed. Leaves that are empty then are taken out of the tree and kept for reuse. It gives how many entries went
// and how many stay. delay, if any, is called after each leaf with nothing latched.
func (w *Writer) BulkDelete(dead func(base.TID) bool, delay func() error) (removed, kept int64, err error) {
	if err := w.ix.listFree(w.task, delay); err != nil {
		return 0, 0, err
	}
	buf, err := w.ix.descend(w.task, target{}, 0, true, nil)
	for err == nil {
		n := node{buf.Page()}
		w.slots = w.slots[:0]
		for i := range n.count() {
			if dead(base.UnpackTID(n.tid(i))) {
				w.slots = append(w.slots, uint16(i))
			}
		}
		removed += int64(len(w.slots))
		kept += int64(n.count() - len(w.slots))
		err = w.removeSlots(buf)
		block, next := buf.Tag().Block, n.right()
		key, tid, bounded := n.high()
		empty := bounded && n.count() == 0 && n.flags() == 0
		key = bytes.Clone(key)
		buf.UnlockRelease()
		if err == nil && empty {
			_, err = w.unlink(block, key, tid)
		}
		if err != nil || next == base.InvalidBlock {
			return removed, kept, err
		}
		if err = w.task.Interrupted(); err == nil && delay != nil {
			err = delay()
		}
		if err == nil {
			buf, err = w.ix.pin(w.task, next, true)
		}
	}
	return removed, kept, err
}

// Blocks gives the size of the index in pages.
func (ix *Index) Blocks() (base.BlockNumber, error) { return ix.pool.Blocks(ix.file, base.MainFork) }
