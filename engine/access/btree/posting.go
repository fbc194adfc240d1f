package btree

import (
	"bytes"
	"encoding/binary"
)

const (
	// listFlag in the key length of a leaf's item says that more addresses follow the key, ascending: the entries of one key.
	listFlag = 1 << 15
	// maxList is the most bytes of an item that becomes a list: small enough that a split finds a middle. The format bounds
	// lists as it bounds entries.
	maxList = MaxEntry / 2
	// minGain is the fewest bytes for which a leaf's entries are merged: less puts a split off by too little.
	minGain = capacity / 32

	badList = "has a list of addresses that cannot be"
)

// isList tells whether a leaf's item is a list of addresses.
func isList(it []byte) bool { return it[tidSize+1]&(listFlag>>8) != 0 }

// isBare tells whether an item of a leaf has no payload, so that entries of its key can share it.
func isBare(it []byte) bool { return isList(it) || len(it) == itemHead+keyLen(it) }

func keyLen(it []byte) int { return int(binary.LittleEndian.Uint16(it[tidSize:]) &^ listFlag) }

// entries gives how many addresses an item of a leaf has.
func entries(it []byte) int {
	if !isList(it) {
		return 1
	}
	return 1 + (len(it)-itemHead-keyLen(it))/tidSize
}

// entryTID gives address k of an item of a leaf.
func entryTID(it []byte, k int) uint64 {
	if k == 0 {
		return itemTID(it)
	}
	return itemTID(it[itemHead+keyLen(it)+(k-1)*tidSize:])
}

func lastTID(it []byte) uint64 { return entryTID(it, entries(it)-1) }

func appendTID(dst []byte, tid uint64) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(tid))
	return binary.LittleEndian.AppendUint16(dst, uint16(tid>>32))
}

func putTID(b []byte, tid uint64) {
	binary.LittleEndian.PutUint32(b, uint32(tid))
	binary.LittleEndian.PutUint16(b[4:], uint16(tid>>32))
}

// appendEntry adds an address to an item without payload; it is above those that the item has.
func appendEntry(it []byte, tid uint64) []byte {
	it[tidSize+1] |= listFlag >> 8
	return appendTID(it, tid)
}

// ascends tells whether the addresses of an item are in order, without doubles.
func ascends(it []byte) bool {
	for k := 1; k < entries(it); k++ {
		if entryTID(it, k-1) >= entryTID(it, k) {
			return false
		}
	}
	return true
}

// addition is an item that comes to a slot. When its address falls between those of the list in the slot before, the list
// takes it and gives up its greatest, which the item gets: so the list keeps its size, and one plain item is added as ever.
type addition struct {
	slot int
	item []byte
	into uint64 // the address that the list takes; zero for none
}

// place finds the slot of a leaf's item for its target. It changes the item's address when a list gives up another; false
// when the entry cannot be where it belongs.
func (n node) place(t target, item []byte) (addition, bool) {
	a := addition{slot: n.search(t), item: item}
	if !n.within(a.slot, t) {
		return a, true
	}
	prev := n.item(a.slot - 1)
	a.into = t.tid
	putTID(item, lastTID(prev))
	return a, isBare(item) && !holds(prev, t.tid)
}

// within tells whether a target that belongs before a slot of a leaf falls between the addresses of the list before that.
func (n node) within(slot int, t target) bool {
	if skip := n.skip(); slot == 0 || len(t.key) < skip || n.head(slot-1) != headOf(t.key[skip:], 0) {
		return false // as a rule, and without a look at the item
	}
	prev := n.item(slot - 1)
	return isList(prev) && lastTID(prev) >= t.tid && bytes.Equal(itemKey(prev, 0), t.key)
}

// holds tells whether an item of a leaf has the address.
func holds(it []byte, tid uint64) bool {
	k := above(it, tid)
	return k > 0 && entryTID(it, k-1) == tid
}

// above gives the first address of an item that is greater.
func above(it []byte, tid uint64) int {
	lo, hi := 0, entries(it)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if entryTID(it, m) <= tid {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// exchange has the list at a slot take the address into and give up its greatest, which must be out.
func (n node) exchange(i int, into, out uint64) bool {
	if n.level() > 0 || i < 0 || i >= n.count() {
		return false
	}
	it := n.item(i)
	k := above(it, into)
	if !isList(it) || k == 0 || k == entries(it) || lastTID(it) != out || entryTID(it, k-1) == into {
		return false
	}
	at := itemHead + keyLen(it) + (k-1)*tidSize
	copy(it[at+tidSize:], it[at:])
	putTID(it[at:], into)
	n.revive(i)
	return true
}

// add puts an addition on the node; false when it does not fit.
func (n node) add(a addition) bool {
	if n.free() < len(a.item)+slotSize || a.into != 0 && !n.exchange(a.slot-1, a.into, itemTID(a.item)) {
		return false
	}
	return n.insertAt(a.slot, a.item)
}

// appendInto appends the address that a list takes, if one does, for a log record.
func (a addition) appendInto(dst []byte) []byte {
	if a.into == 0 {
		return dst
	}
	return appendTID(dst, a.into)
}

// planMerge appends to dst which items of a leaf become lists: first slot (2) and number (2) of each run of items. It gives
// how many bytes that frees.
func (n node) planMerge(dst []byte) ([]byte, int) {
	gain := 0
	cnt := n.count()
	for i := 0; i+1 < cnt; {
		if n.head(i) != n.head(i+1) {
			i++
			continue
		}
		it := n.item(i)
		size, last := len(it), lastTID(it)
		k, sum := i+1, len(it)
		if isBare(it) {
			for ; k < cnt && n.head(k) == n.head(i); k++ {
				next := n.item(k)
				more := entries(next) * tidSize
				if size+more > maxList || itemTID(next) <= last || !isBare(next) || !bytes.Equal(itemKey(it, 0), itemKey(next, 0)) {
					break
				}
				size, last, sum = size+more, lastTID(next), sum+len(next)
			}
		}
		if k-i > 1 {
			dst = le.AppendUint16(le.AppendUint16(dst, uint16(i)), uint16(k-i))
			gain += sum - size + (k-i-1)*slotSize
		}
		i = k
	}
	return dst, gain
}
