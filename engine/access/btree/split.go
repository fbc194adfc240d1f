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
	d.tid = tid
	l, r := node{d.left}, node{d.right}
	r.init(level, n.flags()&flagIncomplete, self, n.right())
	if hk, ht, ok := n.high(); ok {
		r.setHigh(hk, ht)
	}
	l.init(level, flagIncomplete, n.left(), rightBlock)
	l.setHigh(d.key, d.tid)
	for k := range cnt {
		item, to := get(k), l
		if k >= at {
			to = r
		}
		if k == at && level > 0 { // the first child of an inner node has no lower bound of its own
			item = appendInner(nil, nil, 0, base.BlockNumber(leUint32(item[itemHead:])))
		}
		to.insertAt(to.count(), item)
		if k != i && n.dead(oldSlot(k, i)) {
			to.kill(to.count() - 1)
		}
	}
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

// splitPoint gives the first slot of the right half among cnt items: halves of equal size, or nine tenths on the left
// when the new item is the last of the rightmost node, as ascending keys make it.
func (n node) splitPoint(cnt, i int, get func(int) []byte) int {
	total := 0
	for k := range cnt {
		total += len(get(k)) + slotSize
	}
	want := total / 2
	_, _, bounded := n.high()
	if !bounded && i == cnt-1 {
		want = total * 9 / 10
	}
	sum, best, bestGap := 0, 1, -1
	highOld := 0
	if hk, _, ok := n.high(); ok {
		highOld = itemHead + len(hk)
	}
	for k := 1; k < cnt; k++ {
		sum += len(get(k-1)) + slotSize
		sep := itemHead + len(itemKey(get(k), n.level()))
		if sum+sep > capacity || total-sum+highOld > capacity {
			continue
		}
		gap := max(sum-want, want-sum)
		if bestGap < 0 || gap < bestGap {
			best, bestGap = k, gap
		}
	}
	return best
}
