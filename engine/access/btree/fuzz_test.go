package btree

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/page"
)

// FuzzRedo applies the data of records to a leaf: whatever they hold, it is refused or leaves a page that can be searched.
func FuzzRedo(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1, 0, 'a'})
	f.Add(uint8(1), []byte{5, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'k'})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		n := node{make(page.Page, page.Size)}
		n.init(0, 0, base.InvalidBlock, base.InvalidBlock)
		for i := range 20 {
			n.insertAt(i, appendLeaf(nil, []byte{'k', byte(i)}, uint64(i)<<16|1, nil))
		}
		ok := false
		switch kind % 3 {
		case 0:
			ok = n.redoRun(data)
		case 1:
			ok = n.redoLeft(data, 7, 0, 0)
		case 2:
			ok = n.isItem(data) && n.insertAt(3, data)
		}
		if ok && !n.sound() {
			t.Fatal("a page that is not sound was accepted")
		}
	})
}
