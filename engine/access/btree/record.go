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
	infoInsert     uint8 = 1 + iota // slot (2), the address that the list before takes (6, if so); block 0 the node, its data the item; block 1 a child whose split it completes
	infoDelete                      // slots (2 each); block 0 the leaf, its data what lists lose, see appendCut
	infoSplit                       // right half's block (4), what the list before the item takes and gives up (6 each, if so); block 0 the left half, see splitData; 1 an image; 2 the right neighbour; 3 a child as above
	infoImages                      // all blocks are images
	infoInsertMany                  // block 0 the leaf, its data slot (2), length (2) and item of each entry
	infoUnlink                      // slot (2), levels (2), next transaction (8); block 0 the parent; for each level the left neighbour, the node, the right neighbour
	infoDedup                       // block 0 the leaf, its data the runs of items that become lists, see planMerge
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
		if len(r.Data) != 2 && len(r.Data) != 2+tidSize || b == nil {
			return malformed(r)
		}
		a := addition{slot: int(le.Uint16(r.Data)), item: b.Data}
		if len(r.Data) > 2 {
			a.into = itemTID(r.Data[2:])
		}
		err := redoBlock(c, r, 0, func(n node) bool { return n.isItem(b.Data) && n.add(a) })
		if err != nil || r.Block(1) == nil {
			return err
		}
		return redoBlock(c, r, 1, func(n node) bool { clearIncomplete(n.Page); return true })
	case infoDelete:
		var slots []uint16
		for d := r.Data; len(d) >= 2; d = d[2:] {
			slots = append(slots, le.Uint16(d))
		}
		b := r.Block(0)
		if b == nil {
			return malformed(r)
		}
		return redoBlock(c, r, 0, func(n node) bool { return n.remove(slots, b.Data, page.Page(c.Scratch()[:page.Size])) })
	case infoDedup:
		b := r.Block(0)
		if b == nil {
			return malformed(r)
		}
		return redoBlock(c, r, 0, func(n node) bool { return n.merge(b.Data, page.Page(c.Scratch()[:page.Size])) })
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
	if len(r.Data) != 4 && len(r.Data) != 4+2*tidSize {
		return malformed(r)
	}
	right := base.BlockNumber(le.Uint32(r.Data))
	var into, out uint64
	if len(r.Data) > 4 {
		into, out = itemTID(r.Data[4:]), itemTID(r.Data[4+tidSize:])
	}
	for id := uint8(0); id < 4; id++ {
		if r.Block(id) == nil {
			continue
		}
		err := redoBlock(c, r, id, func(n node) bool {
			switch id {
			case 0:
				return n.redoLeft(r.Block(0).Data, right, into, out)
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
		if len(r.Data) == 2+tidSize {
			return fmt.Sprintf("INSERT off %d, %s into the list before", le.Uint16(r.Data), base.UnpackTID(itemTID(r.Data[2:])))
		}
	case infoDelete:
		if b := r.Block(0); b != nil && len(b.Data) > 0 {
			return fmt.Sprintf("DELETE %d items, and from lists", len(r.Data)/2)
		}
		return fmt.Sprintf("DELETE %d items", len(r.Data)/2)
	case infoDedup:
		if b := r.Block(0); b != nil {
			return fmt.Sprintf("DEDUP %d lists", len(b.Data)/4)
		}
	case infoSplit:
		if len(r.Data) >= 4 {
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
