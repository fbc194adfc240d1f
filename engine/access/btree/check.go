package btree

import (
	"bytes"
	"fmt"

	"manifold/engine/activity"
	"manifold/engine/base"
)

// Check verifies the tree and gives every fault found: order and bounds of entries, common prefixes, links, levels, and
// the agreement of parents with children. visit, when not nil, sees every live entry, so that the caller can look for
// its row. Others may use the index meanwhile only if they do not change it.
func (ix *Index) Check(task *activity.Task, visit func(key []byte, tid base.TID)) []error {
	c := &checker{ix: ix, task: task, visit: visit, linked: map[base.BlockNumber]bool{metaBlock: true}}
	root, err := ix.readMeta(task)
	if err != nil {
		return []error{err}
	}
	first := root
	for level := -1; first != base.InvalidBlock && len(c.faults) < 100; {
		first, level = c.level(first, level)
	}
	if len(c.faults) == 0 {
		c.others()
	}
	return c.faults
}

type checker struct {
	ix     *Index
	task   *activity.Task
	visit  func([]byte, base.TID)
	faults []error
	linked map[base.BlockNumber]bool
	want   []base.BlockNumber // the children that the level above lists, in order
}

func (c *checker) fault(b base.BlockNumber, format string, args ...any) {
	c.faults = append(c.faults, c.ix.corrupt(b, fmt.Sprintf(format, args...)))
}

// level walks one level from its leftmost node and gives the leftmost node of the next.
func (c *checker) level(b base.BlockNumber, above int) (base.BlockNumber, int) {
	left, down := base.InvalidBlock, base.InvalidBlock
	level := -1
	var children []base.BlockNumber
	var low []byte
	var lowTID uint64
	incomplete := false
	for i := 0; b != base.InvalidBlock; i++ {
		buf, err := c.ix.pin(c.task, b, false)
		if err != nil {
			c.faults = append(c.faults, err)
			break
		}
		n := node{buf.Page()}
		if n.deleted() {
			c.fault(b, "is out of the tree but linked")
		}
		if c.linked[b] {
			c.fault(b, "is linked twice")
			buf.RUnlockRelease()
			break
		}
		c.linked[b] = true
		if level < 0 {
			level = n.level()
			if above >= 0 && level != above-1 {
				c.fault(b, "has level %d below level %d", level, above)
			}
		}
		if n.level() != level || n.left() != left {
			c.fault(b, "has level %d and left link %d, expected %d and %d", n.level(), n.left(), level, left)
		}
		if c.want != nil && !incomplete {
			if len(c.want) == 0 || c.want[0] != b {
				c.fault(b, "is not the child that its parent lists")
			} else {
				c.want = c.want[1:]
			}
		}
		incomplete = n.flags()&flagIncomplete != 0
		if f := n.fault(); f != "" { // what is not in its place cannot be looked at
			c.fault(b, "%s", f)
			buf.RUnlockRelease()
			break
		}
		c.entries(b, n, low, lowTID)
		if hk, ht, ok := n.high(); ok {
			low, lowTID = bytes.Clone(hk), ht
		} else if n.right() != base.InvalidBlock {
			c.fault(b, "has a right neighbour but no high key")
		}
		if level > 0 {
			for k := range n.count() {
				children = append(children, n.child(k))
			}
		}
		left, b = b, n.right()
		buf.RUnlockRelease()
	}
	if len(c.want) > 0 {
		c.fault(c.want[0], "is listed by its parent but not linked")
	}
	c.want = nil
	if level > 0 && len(children) > 0 {
		c.want, down = children, children[0]
	}
	return down, level
}

// others looks at the pages that the tree does not lead to: they must be new or deleted.
func (c *checker) others() {
	blocks, err := c.ix.Blocks()
	if err != nil {
		c.faults = append(c.faults, err)
		return
	}
	for b := metaBlock; b < blocks && len(c.faults) < 100; b++ {
		if c.linked[b] {
			continue
		}
		buf, err := c.ix.pool.Pin(c.task, c.ix.tag(b))
		if err != nil {
			c.faults = append(c.faults, err)
			continue
		}
		buf.RLock()
		n := node{buf.Page()}
		lost := !n.IsNew() && !(n.sound() && n.deleted() && n.count() == 0)
		buf.RUnlockRelease()
		if lost {
			c.fault(b, "is neither linked nor deleted")
		}
	}
}

// entries checks one node whose lower bound is (low, lowTID).
func (c *checker) entries(b base.BlockNumber, n node, low []byte, lowTID uint64) {
	hk, ht, bounded := n.high()
	first := n.first()
	for i := first; i < n.count(); i++ {
		k, tid := n.key(i), n.tid(i)
		if i > first {
			prev := n.tid(i - 1)
			if n.level() == 0 {
				prev = lastTID(n.item(i - 1))
			}
			if cmp := bytes.Compare(n.key(i-1), k); cmp > 0 || cmp == 0 && prev >= tid {
				c.fault(b, "has entries %d and %d out of order", i-1, i)
			}
			if len(k) < n.skip() || !bytes.Equal(k[:n.skip()], n.key(first)[:n.skip()]) {
				c.fault(b, "has entry %d without the common prefix", i)
			}
		}
		if n.skip() <= len(k) && n.head(i) != headOf(k[n.skip():], 0) {
			c.fault(b, "has a wrong head at entry %d", i)
		}
		if cmp := bytes.Compare(k, low); cmp < 0 || cmp == 0 && tid < lowTID {
			c.fault(b, "has entry %d below its lower bound", i)
		}
		last := tid
		if n.level() == 0 {
			last = lastTID(n.item(i))
		}
		if cmp := bytes.Compare(k, hk); bounded && (cmp > 0 || cmp == 0 && last >= ht) {
			c.fault(b, "has entry %d at or above its high key", i)
		}
		if n.level() == 0 && c.visit != nil && !n.dead(i) {
			for j := range entries(n.item(i)) {
				c.visit(k, base.UnpackTID(entryTID(n.item(i), j)))
			}
		}
	}
}
