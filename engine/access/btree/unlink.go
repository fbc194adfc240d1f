package btree

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/rmgr"
	"manifold/engine/wal"
)

// maxUnlink bounds the levels that one record takes pages out of.
const maxUnlink = 8

// The blocks of a record of kind unlink: 0 is the parent, then three for each level, the leaves first. The left neighbour may be
// missing.
const (
	unlinkLeft  = 1
	unlinkNode  = 2
	unlinkRight = 3
	unlinkSize  = 12
)

// grip is a node that goes and its neighbours, latched; left is not valid when there is none.
type grip struct{ left, node, right buffer.Buffer }

// unlinking is what goes at once: an empty leaf and, as far as it is the only child, the nodes above; parent is the first node
// that stays. Latches are taken from the leaves up and on each level from left to right, as splits take them.
type unlinking struct {
	w      *Writer
	at     target // a place in the range of the leaf
	levels []grip
	parent buffer.Buffer
	slot   int // of the child that goes
}

// unlink takes an empty leaf whose range ends at (key, tid) out of the tree; its range becomes that of its right neighbour. It
// gives false when the leaf must stay for now: it is not empty any more, a split beside it is not complete, or it is the last
// of several children.
func (w *Writer) unlink(leaf base.BlockNumber, key []byte, tid uint64) (bool, error) {
	u := &unlinking{w: w, at: target{key: key, tid: tid, below: true}}
	buf, err := w.ix.descend(w.task, u.at, 0, false, &w.stack)
	if err != nil {
		return false, err
	}
	found := buf.Tag().Block
	buf.RUnlockRelease()
	if found != leaf {
		return false, nil
	}
	defer u.release()
	if ok, err := u.climb(leaf); err != nil || !ok {
		return false, err
	}
	return true, u.do()
}

// climb latches what goes and the parent that stays.
func (u *unlinking) climb(block base.BlockNumber) (bool, error) {
	for level := 0; level < maxUnlink; level++ {
		ok, err := u.take(block, level)
		if err != nil || !ok || len(u.w.stack) == 0 {
			return false, err
		}
		if ok, err = u.findParent(level + 1); err != nil || !ok {
			return false, err
		}
		p := node{u.parent.Page()}
		u.slot = p.childFor(u.at)
		if p.child(u.slot) != block {
			return false, nil
		}
		if u.slot+1 < p.count() {
			return p.child(u.slot+1) == u.levels[level].right.Tag().Block, nil
		}
		if p.count() > 1 || p.flags()&flagRoot != 0 {
			return false, nil
		}
		block = u.parent.Tag().Block
		u.parent.UnlockRelease()
		u.parent = buffer.Buffer{}
	}
	return false, nil
}

// take latches a node that is to go, and its neighbours; false when it must stay.
func (u *unlinking) take(block base.BlockNumber, level int) (bool, error) {
	ix, task := u.w.ix, u.w.task
	buf, err := ix.pin(task, block, false)
	if err != nil {
		return false, err
	}
	left := node{buf.Page()}.left()
	buf.RUnlockRelease()
	u.levels = append(u.levels, grip{})
	g := &u.levels[level]
	if left != base.InvalidBlock {
		if err := u.latch(&g.left, left); err != nil {
			return false, err
		}
		if l := (node{g.left.Page()}); l.deleted() || l.right() != block || l.flags()&flagIncomplete != 0 {
			return false, nil // it has been split meanwhile
		}
	}
	if err := u.latch(&g.node, block); err != nil {
		return false, err
	}
	n := node{g.node.Page()}
	if n.level() != level || n.left() != left || n.right() == base.InvalidBlock || n.flags() != 0 {
		return false, nil
	}
	if level == 0 && n.count() > 0 || level > 0 && (n.count() != 1 || n.child(0) != u.levels[level-1].node.Tag().Block) {
		return false, nil
	}
	if err := u.latch(&g.right, n.right()); err != nil {
		return false, err
	}
	r := node{g.right.Page()}
	if r.level() != level || r.left() != block {
		return false, ix.corrupt(g.right.Tag().Block, "is not the right neighbour of its left neighbour")
	}
	return level == 0 || r.child(0) == u.levels[level-1].right.Tag().Block, nil
}

// latch pins and latches a node into dst, which stays not valid after an error.
func (u *unlinking) latch(dst *buffer.Buffer, b base.BlockNumber) error {
	buf, err := u.w.ix.pin(u.w.task, b, true)
	if err == nil {
		*dst = buf
	}
	return err
}

// findParent latches the node of a level whose range has the place, from the block that the descent came by.
func (u *unlinking) findParent(level int) (bool, error) {
	k := len(u.w.stack) - 1
	block := u.w.stack[k]
	u.w.stack = u.w.stack[:k]
	for range maxSteps {
		buf, err := u.w.ix.pin(u.w.task, block, true)
		if err != nil {
			return false, err
		}
		n := node{buf.Page()}
		if n.level() == level && !n.deleted() && !n.beyond(u.at) {
			u.parent = buf
			return true, nil
		}
		block = n.right()
		ok := n.level() == level && block != base.InvalidBlock
		buf.UnlockRelease()
		if !ok {
			break
		}
	}
	return false, nil
}

func (u *unlinking) release() {
	for _, g := range u.levels {
		for _, b := range [...]buffer.Buffer{g.left, g.node, g.right} {
			if b.Valid() {
				b.UnlockRelease()
			}
		}
	}
	if u.parent.Valid() {
		u.parent.UnlockRelease()
	}
}

// do changes the pages and logs all of it in one record, so that nothing is ever half done.
func (u *unlinking) do() error {
	w := u.w
	next := w.ix.txns.NextXID()
	leaf := u.levels[0]
	w.ix.txns.Serializable().PageSplit(w.ix.target(leaf.node.Tag().Block), w.ix.target(leaf.right.Tag().Block))
	u.parent.MarkDirty()
	bufs := []buffer.Buffer{u.parent}
	node{u.parent.Page()}.adopt(u.slot, u.levels[len(u.levels)-1].right.Tag().Block, w.scratch())
	for _, g := range u.levels {
		g.node.MarkDirty()
		g.right.MarkDirty()
		left, right := base.InvalidBlock, g.right.Tag().Block
		if g.left.Valid() {
			g.left.MarkDirty()
			left = g.left.Tag().Block
			node{g.left.Page()}.setRight(right)
			bufs = append(bufs, g.left)
		}
		node{g.right.Page()}.setLeft(left)
		node{g.node.Page()}.setDeleted(left, right, next)
		bufs = append(bufs, g.node, g.right)
	}
	if err := u.log(next, bufs); err != nil {
		return err
	}
	for _, g := range u.levels {
		w.ix.free.unlinked(freePage{g.node.Tag().Block, g.node.Page().LSN(), next})
	}
	return nil
}

func (u *unlinking) log(next base.XID, bufs []buffer.Buffer) error {
	ix := u.w.ix
	if !ix.logged {
		for _, g := range u.levels { // nobody may use the page again before the horizon has passed this
			g.node.SetLSN(ix.log.InsertLSN())
		}
		return nil
	}
	b := ix.txns.Builder(u.w.task)
	defer ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoUnlink, base.InvalidXID)
	var d [unlinkSize]byte
	le.PutUint16(d[:], uint16(u.slot))
	le.PutUint16(d[2:], uint16(len(u.levels)))
	le.PutUint64(d[4:], uint64(next))
	b.Data(d[:])
	b.Block(0, u.parent.Tag(), u.parent.Page(), 0)
	for k, g := range u.levels {
		id := uint8(3 * k)
		if g.left.Valid() {
			b.Block(id+unlinkLeft, g.left.Tag(), g.left.Page(), 0)
		}
		b.Block(id+unlinkNode, g.node.Tag(), g.node.Page(), wal.WillInit)
		b.Block(id+unlinkRight, g.right.Tag(), g.right.Page(), 0)
	}
	return ix.insertLog(b, bufs...)
}

func redoUnlink(c *rmgr.RedoContext, r *wal.Record) error {
	if len(r.Data) != unlinkSize {
		return malformed(r)
	}
	slot, levels, next := int(le.Uint16(r.Data)), int(le.Uint16(r.Data[2:])), base.XID(le.Uint64(r.Data[4:]))
	if levels < 1 || levels > maxUnlink {
		return malformed(r)
	}
	for k := range levels {
		if err := redoUnlinkLevel(c, r, k, next); err != nil {
			return err
		}
	}
	top := r.Block(uint8(3*(levels-1)) + unlinkRight).Tag.Block
	return redoBlock(c, r, 0, func(n node) bool { return n.adopt(slot, top, page.Page(c.Scratch()[:page.Size])) })
}

func redoUnlinkLevel(c *rmgr.RedoContext, r *wal.Record, level int, next base.XID) error {
	id := uint8(3 * level)
	rb := r.Block(id + unlinkRight)
	if rb == nil || r.Block(id+unlinkNode) == nil {
		return malformed(r)
	}
	left, right := base.InvalidBlock, rb.Tag.Block
	if lb := r.Block(id + unlinkLeft); lb != nil {
		left = lb.Tag.Block
		if err := redoBlock(c, r, id+unlinkLeft, func(n node) bool { n.setRight(right); return true }); err != nil {
			return err
		}
	}
	if err := redoBlock(c, r, id+unlinkRight, func(n node) bool { n.setLeft(left); return true }); err != nil {
		return err
	}
	buf, action, err := c.ReadForRedo(r, id+unlinkNode)
	if err != nil || action == rmgr.NotFound {
		return err
	}
	n := node{buf.Page()}
	n.init(level, 0, left, right)
	n.setDeleted(left, right, next)
	c.Finish(buf, r)
	return nil
}
