package btree

import (
	"io"
	"slices"
	"testing"

	"manifold/engine/base"
	"manifold/engine/page"
)

// sampleLeaf is a leaf with plain items of 20 keys and, of two more, lists.
func sampleLeaf() node {
	n := node{make(page.Page, page.Size)}
	n.init(0, 0, base.InvalidBlock, base.InvalidBlock)
	for i := range 20 {
		n.insertAt(i, appendLeaf(nil, []byte{'k', byte(i)}, uint64(i)<<16|1, nil))
	}
	for i := range 2 {
		it := appendLeaf(nil, []byte{'l', byte(i)}, 1<<16|1, nil)
		for k := range uint64(40) {
			it = appendEntry(it, (k+2)<<16|1)
		}
		n.insertAt(20+i, it)
	}
	return n
}

// FuzzRedo applies the data of records to a leaf: whatever they hold, it is refused and leaves the page as it was, or leaves
// one without faults.
func FuzzRedo(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1, 0, 'a'})
	f.Add(uint8(1), []byte{5, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'k'})
	f.Add(uint8(2), []byte{1, 0, 0, 0, 1, 0, 1, 0x80, 'k', 1, 0, 0, 0, 2, 0})
	f.Add(uint8(3), []byte{20, 0, 2, 0, 3, 0, 9, 0})
	f.Add(uint8(4), []byte{3, 0, 2, 0})
	f.Add(uint8(5), []byte{20, 2, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		n := sampleLeaf()
		before := slices.Clone(n.Page)
		scratch := make(page.Page, page.Size)
		ok, whole := false, true
		switch kind % 6 {
		case 0:
			ok, whole = n.redoRun(data), false // it may have added some
		case 1:
			ok = n.redoLeft(data, 7, 0, 0)
		case 2:
			ok = n.isItem(data) && n.insertAt(3, data)
		case 3:
			ok = n.remove([]uint16{3, 21}, data, scratch)
		case 4:
			ok = n.merge(data, scratch)
		case 5:
			if len(data) >= 1+tidSize {
				ok = n.exchange(int(data[0]), itemTID(data[1:]), 41<<16|1)
			}
		}
		if !ok && whole && !slices.Equal(n.Page, before) {
			t.Fatal("what was refused has changed the page")
		}
		if f := n.fault(); f != "" {
			t.Fatalf("accepted %v: the page %s", ok, f)
		}
		Describe(io.Discard, n.Page)
	})
}

// FuzzPage puts any bytes on a page: it is refused, or all of it can be read.
func FuzzPage(f *testing.F) {
	n := sampleLeaf()
	n.kill(3)
	f.Add(uint16(0), []byte(n.Page[:64]), []byte(n.Page[page.Size-200:]))
	f.Add(uint16(page.HeaderSize+20*slotSize+4), []byte{0xff, 0xff, 0xff, 0xff}, []byte{})
	f.Add(uint16(n.Upper()+7), []byte{0x81}, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, at uint16, bytes, tail []byte) {
		n := sampleLeaf()
		copy(n.Page[int(at)%page.Size:], bytes)
		copy(n.Page[page.Size-min(len(tail), page.Size):], tail)
		Describe(io.Discard, n.Page)
		if n.fault() != "" {
			return
		}
		c := &checker{ix: &Index{}}
		c.entries(1, n, nil, 0)
		for i := range n.count() {
			n.key(i)
		}
		n.search(target{key: []byte{'l', 0}, tid: 5})
		if n.level() == 0 {
			n.planMerge(nil)
			n.within(n.count(), target{key: []byte{'l'}})
		}
	})
}
