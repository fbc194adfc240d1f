package btree

import (
	"encoding/binary"
	"fmt"

	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/wal"
)

// The records of resource manager Btree; README.md draws their data.
const (
	infoInsert     uint8 = 1 + iota // slot (2); block 0 the node, its data the item; block 1 a child whose split it completes
	infoDelete                      // slots (2 each); block 0 the leaf
	infoSplit                       // right half's block (4); block 0 the left half, see splitData; 1 an image; 2 the right neighbour; 3 a child as above
	infoImages                      // all blocks are images
	infoInsertMany                  // block 0 the leaf, its data slot (2), length (2) and item of each entry
	infoUnlink                      // slot (2), levels (2), next transaction (8); block 0 the parent; for each level the left neighbour, the node, the right neighbour
)

var le = binary.LittleEndian

// Manager gives the resource manager of index records.
func Manager() rmgr.Manager {
	return rmgr.Manager{ID: rmgr.BTree, Name: "Btree", Redo: redo, Describe: describe, Mask: mask}
}

// mask clears what redo does not repeat: the marks of dead entries are hints.
func mask(p page.Page) {
	p.MaskHints()
	n := node{p}
	if p.Kind() != page.KindBTree || !n.sound() {
		return
	}
	for i := range n.count() {
		*n.word(i) &^= slotDead
	}
}

func redo(c *rmgr.RedoContext, r *wal.Record) error {
	switch r.Info {
	case infoImages:
		return c.RestoreImages(r)
	case infoInsert:
		b := r.Block(0)
		if len(r.Data) != 2 || b == nil {
			return malformed(r)
		}
		slot := int(le.Uint16(r.Data))
		err := redoBlock(c, r, 0, func(n node) bool {
			return n.isItem(b.Data) && n.insertAt(slot, b.Data)
		})
		if err != nil || r.Block(1) == nil {
			return err
		}
		return redoBlock(c, r, 1, func(n node) bool { clearIncomplete(n.Page); return true })
	case infoDelete:
		var slots []uint16
		for d := r.Data; len(d) >= 2; d = d[2:] {
			slots = append(slots, le.Uint16(d))
		}
		return redoBlock(c, r, 0, func(n node) bool {
			n.remove(slots, page.Page(c.Scratch()[:page.Size]))
			return true
		})
	case infoSplit:
		return redoSplit(c, r)
	case infoInsertMany:
		b := r.Block(0)
		if b == nil {
			return malformed(r)
		}
		return redoBlock(c, r, 0, func(n node) bool { return n.redoRun(b.Data) })
	}
	if r.Info == infoUnlink {
		return redoUnlink(c, r)
	}
	return pgerror.Corrupt("btree record at %s has unknown kind %d", r.Start, r.Info)
}

func redoSplit(c *rmgr.RedoContext, r *wal.Record) error {
	if len(r.Data) != 4 {
		return malformed(r)
	}
	right := base.BlockNumber(le.Uint32(r.Data))
	for id := uint8(0); id < 4; id++ {
		if r.Block(id) == nil {
			continue
		}
		err := redoBlock(c, r, id, func(n node) bool {
			switch id {
			case 0:
				return n.redoLeft(r.Block(0).Data, right)
			case 2:
				n.setLeft(right)
			case 3:
				clearIncomplete(n.Page)
			}
			return id >= 2
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func redoBlock(c *rmgr.RedoContext, r *wal.Record, id uint8, apply func(node) bool) error {
	buf, action, err := c.ReadForRedo(r, id)
	if err != nil || action == rmgr.NotFound {
		return err
	}
	if action != rmgr.NeedsRedo {
		buf.UnlockRelease()
		return nil
	}
	n := node{buf.Page()}
	ok := n.sound() && apply(n)
	c.Finish(buf, r)
	if !ok {
		return malformed(r)
	}
	return nil
}

func malformed(r *wal.Record) error {
	return pgerror.Corrupt("btree record at %s is malformed or does not fit its page", r.Start)
}

func describe(r *wal.Record) string {
	switch r.Info {
	case infoInsert:
		if len(r.Data) == 2 {
			return fmt.Sprintf("INSERT off %d", le.Uint16(r.Data))
		}
	case infoDelete:
		return fmt.Sprintf("DELETE %d entries", len(r.Data)/2)
	case infoSplit:
		if len(r.Data) == 4 {
			return fmt.Sprintf("SPLIT right block %d", le.Uint32(r.Data))
		}
	case infoInsertMany:
		return "INSERT_MANY"
	case infoUnlink:
		if b := r.Block(unlinkNode); b != nil && len(r.Data) == unlinkSize {
			return fmt.Sprintf("UNLINK block %d levels %d", b.Tag.Block, le.Uint16(r.Data[2:]))
		}
	case infoImages:
		return fmt.Sprintf("IMAGES %d blocks", len(r.Blocks))
	}
	return fmt.Sprintf("unknown %d", r.Info)
}
