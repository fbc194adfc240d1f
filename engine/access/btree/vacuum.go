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
		gone, stay := w.findDead(n, dead)
		removed += gone
		kept += stay
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
		if err = w.task.Breathe(); err == nil && delay != nil {
			err = delay()
		}
		if err == nil {
			buf, err = w.ix.pin(w.task, next, true)
		}
	}
	return removed, kept, err
}

// findDead lists what is to go from a leaf, for removeSlots.
func (w *Writer) findDead(n node, dead func(base.TID) bool) (gone, stay int64) {
	w.slots, w.cuts = w.slots[:0], w.cuts[:0]
	for i := range n.count() {
		it := n.item(i)
		size := entries(it)
		w.gone = w.gone[:0]
		for k := range size {
			if dead(base.UnpackTID(entryTID(it, k))) {
				w.gone = append(w.gone, uint16(k))
			}
		}
		switch len(w.gone) {
		case 0:
		case size:
			w.slots = append(w.slots, uint16(i))
		default:
			w.cuts = appendCut(w.cuts, i, w.gone)
		}
		gone += int64(len(w.gone))
		stay += int64(size - len(w.gone))
	}
	return gone, stay
}

// Blocks gives the size of the index in pages.
func (ix *Index) Blocks() (base.BlockNumber, error) { return ix.pool.Blocks(ix.file, base.MainFork) }
