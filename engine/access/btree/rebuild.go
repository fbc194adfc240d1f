package btree

import (
	"bytes"

	"manifold/engine/page"
)

// hollow makes to a node like n without items.
func (n node) hollow(to node) {
	to.init(n.level(), n.flags(), n.left(), n.right())
	to.Page.SetLSN(n.LSN())
	if key, tid, ok := n.high(); ok {
		to.setHigh(key, tid)
	}
}

// take appends an item, made from that at slot i of another node, with its mark.
func (n node) take(from node, i int, it []byte) bool {
	k := n.count()
	if !n.insertAt(k, it) {
		return false
	}
	if from.dead(i) {
		n.kill(k)
	}
	return true
}

// remove drops the items at the slots, which ascend, takes addresses out of lists (cuts: see appendCut), and closes the gaps;
// scratch is space of a page's size. It gives false, with the node as it was, when the cuts do not fit it.
func (n node) remove(slots []uint16, cuts []byte, scratch page.Page) bool {
	to := node{scratch}
	n.hollow(to)
	var list [itemHead + MaxEntry]byte
	k := 0
	for i := range n.count() {
		if k < len(slots) && int(slots[k]) == i {
			k++
			continue
		}
		it := n.item(i)
		gone, rest, ok := cutFor(cuts, i)
		if cuts = rest; ok && len(gone) > 0 {
			it, ok = without(list[:0], it, gone)
		}
		if !ok || !to.take(n, i, it) {
			return false
		}
	}
	if len(cuts) > 0 {
		return false
	}
	copy(n.Page, scratch)
	return true
}

// merge makes lists of the runs that planMerge gave; false, with the node as it was, when they do not fit it.
func (n node) merge(runs []byte, scratch page.Page) bool {
	if n.level() > 0 || len(runs)%4 != 0 {
		return false
	}
	to := node{scratch}
	n.hollow(to)
	var list [itemHead + MaxEntry]byte
	for i := 0; i < n.count(); {
		if len(runs) == 0 || int(le.Uint16(runs)) != i {
			if !to.take(n, i, n.item(i)) {
				return false
			}
			i++
			continue
		}
		end := i + int(le.Uint16(runs[2:]))
		runs = runs[4:]
		if end < i+2 || end > n.count() {
			return false
		}
		it, ok := n.joined(list[:0], i, end)
		if !ok || !to.insertAt(to.count(), it) {
			return false
		}
		i = end
	}
	if len(runs) > 0 {
		return false
	}
	copy(n.Page, scratch)
	return true
}

// joined appends a list of the entries from slot i to end.
func (n node) joined(dst []byte, i, end int) ([]byte, bool) {
	first := n.item(i)
	if len(first) > cap(dst) {
		return dst, false
	}
	dst = append(dst, first...)
	for k := i; k < end; k++ {
		it := n.item(k)
		if !isBare(it) || !bytes.Equal(itemKey(it, 0), itemKey(first, 0)) {
			return dst, false
		}
		if k == i {
			continue
		}
		if len(dst)+entries(it)*tidSize > cap(dst) || itemTID(it) <= lastTID(dst) {
			return dst, false
		}
		for j := range entries(it) {
			dst = appendEntry(dst, entryTID(it, j))
		}
	}
	return dst, true
}

// appendCut appends to dst what takes addresses out of the list at a slot: slot (2), number (2), and their places (2 each),
// which ascend. Not all of a list's addresses go so.
func appendCut(dst []byte, slot int, gone []uint16) []byte {
	dst = le.AppendUint16(le.AppendUint16(dst, uint16(slot)), uint16(len(gone)))
	for _, k := range gone {
		dst = le.AppendUint16(dst, k)
	}
	return dst
}

// cutFor gives the places to take out of the list at a slot when the next of the cuts is for it, and the cuts behind.
func cutFor(cuts []byte, slot int) (gone, rest []byte, ok bool) {
	if len(cuts) == 0 || len(cuts) >= 4 && int(le.Uint16(cuts)) != slot {
		return nil, cuts, true
	}
	if len(cuts) < 4 {
		return nil, nil, false
	}
	end := 4 + 2*int(le.Uint16(cuts[2:]))
	if end > len(cuts) || end == 4 {
		return nil, nil, false
	}
	return cuts[4:end], cuts[end:], true
}

// without appends a list without the addresses at places gone; the last one left is a plain item.
func without(dst, it, gone []byte) ([]byte, bool) {
	size := entries(it)
	if len(gone)/2 >= size || !isList(it) || len(it) > cap(dst) {
		return dst, false
	}
	begun := false
	for k := range size {
		if len(gone) > 0 && int(le.Uint16(gone)) == k {
			gone = gone[2:]
			continue
		}
		if begun {
			dst = appendEntry(dst, entryTID(it, k))
		} else {
			dst, begun = appendLeaf(dst, itemKey(it, 0), entryTID(it, k), nil), true
		}
	}
	return dst, len(gone) == 0
}
