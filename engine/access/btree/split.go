package btree

import (
	"bytes"

	"manifold/engine/base"
	"manifold/engine/page"
)

// divided is the outcome of a split: the bytes of both halves and the separator for the parent.
type divided struct {
	left, right page.Page
	key         []byte
	tid         uint64
	at          int // the first slot of the right half
}

// divide splits n with the item it put at slot i into left and right, which are scratch pages. It decides, the caller
// does: nothing of n changes. rightBlock becomes left's right link; self is n's own block.
func (n node) divide(d *divided, i int, it []byte, self, rightBlock base.BlockNumber) {
	cnt := n.count() + 1
	get := func(k int) []byte {
		switch {
		case k < i:
			return n.item(k)
		case k == i:
			return it
		}
		return n.item(k - 1)
	}
	level := n.level()
	at := n.splitPoint(cnt, i, get)
	first := get(at)
	key := itemKey(first, level)
	tid := itemTID(first)
	if level == 0 {
		before := itemKey(get(at-1), level)
		if !bytes.Equal(before, key) {
			key, tid = key[:commonPrefix(before, key)+1], 0
		}
	}
	d.key = append(d.key[:0], key...)
	d.tid, d.at = tid, at
	r := node{d.right}
	r.init(level, n.flags()&flagIncomplete, self, n.right())
	if hk, ht, ok := n.high(); ok {
		r.setHigh(hk, ht)
	}
	n.keepLeft(node{d.left}, at, i, it, d.key, d.tid, rightBlock)
	for k := at; k < cnt; k++ {
		item := get(k)
		if k == at && level > 0 { // the first child of an inner node has no lower bound of its own
			item = appendInner(nil, nil, 0, base.BlockNumber(leUint32(item[itemHead:])))
		}
		r.insertAt(r.count(), item)
		if k != i && n.dead(oldSlot(k, i)) {
			r.kill(r.count() - 1)
		}
	}
}

// keepLeft makes l the left half of n split before slot at, counted with the new item it at slot i (which the right half
// gets when i is not below at).
func (n node) keepLeft(l node, at, i int, it, key []byte, tid uint64, right base.BlockNumber) bool {
	l.init(n.level(), n.flags()|flagIncomplete, n.left(), right)
	l.Page.SetLSN(n.LSN())
	ok := l.setHigh(key, tid)
	for k := range at {
		item := it
		if k != i {
			item = n.item(oldSlot(k, i))
		}
		ok = l.insertAt(k, item) && ok
		if k != i && n.dead(oldSlot(k, i)) {
			l.kill(k)
		}
	}
	return ok
}

// splitData is what redo needs to make the left half: first slot of the right half (2), slot of the new item (2), length
// of the separator's key (2), its address (8), the key, and the new item when it is on the left.
func (d *divided) splitData(dst []byte, i int, it []byte) []byte {
	dst = le.AppendUint16(dst, uint16(d.at))
	dst = le.AppendUint16(dst, uint16(i))
	dst = le.AppendUint16(dst, uint16(len(d.key)))
	dst = le.AppendUint64(dst, d.tid)
	dst = append(dst, d.key...)
	if i < d.at {
		dst = append(dst, it...)
	}
	return dst
}

// redoLeft makes the left half of a split from its splitData. into and out are what the list before the new item took and
// gave up, if any (see addition).
func (n node) redoLeft(data []byte, right base.BlockNumber, into, out uint64) bool {
	const head = 14
	if len(data) < head {
		return false
	}
	at, i, size := int(le.Uint16(data)), int(le.Uint16(data[2:])), int(le.Uint16(data[4:]))
	tid := le.Uint64(data[6:])
	if data = data[head:]; len(data) < size || at < 1 || at > n.count() || i > n.count() {
		return false
	}
	key, it := data[:size], data[size:]
	if i < at && !n.isItem(it) {
		return false
	}
	l := node{make(page.Page, page.Size)}
	if into != 0 && !n.exchange(i-1, into, out) || !n.keepLeft(l, at, i, it, key, tid, right) {
		return false
	}
	copy(n.Page, l.Page)
	return true
}

func oldSlot(k, i int) int {
	if k > i {
		return k - 1
	}
	return k
}

func leUint32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// splitPoint gives the first slot of the right half among cnt items: halves of about equal size, between two keys if possible;
// nine tenths on the left when the new item is the last of the rightmost node, as ascending keys make it; and all before the
// new item on the left when that is the last of a key that fills half of the leaf, as rows that are added one behind the other
// make it.
func (n node) splitPoint(cnt, i int, get func(int) []byte) int {
	total, before := 0, 0
	for k := range cnt {
		if k == i {
			before = total
		}
		total += len(get(k)) + slotSize
	}
	want, near := total/2, total/4
	_, _, bounded := n.high()
	if !bounded && i == cnt-1 {
		want, near = total*9/10, total/20
	}
	if n.level() == 0 && n.endsRun(cnt, i, total/2, get) {
		want, near = min(before, total*24/25), 0
	}
	sum, highOld := 0, 0
	if hk, _, ok := n.high(); ok {
		highOld = itemHead + len(hk)
	}
	best, bestGap, edge, edgeGap := 1, -1, 0, near+1
	for k := 1; k < cnt; k++ {
		sum += len(get(k-1)) + slotSize
		key := itemKey(get(k), n.level())
		if sum+itemHead+len(key) > capacity || total-sum+highOld > capacity {
			continue
		}
		gap := max(sum-want, want-sum)
		if bestGap < 0 || gap < bestGap {
			best, bestGap = k, gap
		}
		if gap < edgeGap && n.level() == 0 && !bytes.Equal(key, itemKey(get(k-1), 0)) {
			edge, edgeGap = k, gap
		}
	}
	if edge > 0 {
		return edge
	}
	return best
}

// endsRun tells whether the new item of a leaf is the last of its key, and those of the key before it have some bytes.
func (n node) endsRun(cnt, i, size int, get func(int) []byte) bool {
	key := itemKey(get(i), 0)
	if i+1 < cnt && bytes.Equal(itemKey(get(i+1), 0), key) {
		return false
	}
	for k := i - 1; k >= 0 && size > 0 && bytes.Equal(itemKey(get(k), 0), key); k-- {
		size -= len(get(k)) + slotSize
	}
	return size <= 0
}
