package btree

import (
	"bytes"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/txn"
)

// Builder makes a tree from entries in order. The index must have been made by NewBuilder in the same transaction.
type Builder struct {
	ix     *Index
	task   *activity.Task
	levels []*building
	fill   int // bytes that nodes leave free
	count  int64
	item   []byte // the last entries, of one key, which are not on a page yet
	last   uint64 // address of item
	limit  int    // bytes that item may have
}

// building is the rightmost node of a level.
type building struct {
	p     page.Page
	block base.BlockNumber
}

// NewBuilder makes the files of an index for a bulk load; fillfactor is in percent, 90 when zero.
func (ix *Index) NewBuilder(task *activity.Task, tx *txn.Tx, fillfactor int) (*Builder, error) {
	if err := ix.createFiles(task, tx); err != nil {
		return nil, err
	}
	if fillfactor <= 0 || fillfactor > 100 {
		fillfactor = 90
	}
	b := &Builder{ix: ix, task: task, fill: capacity * (100 - fillfactor) / 100}
	if _, err := b.allocate(); err != nil { // the meta page
		return nil, err
	}
	return b, b.addLevel()
}

func (b *Builder) allocate() (base.BlockNumber, error) {
	buf, err := b.ix.pool.Extend(b.task, b.ix.file, base.MainFork)
	if err != nil {
		return 0, err
	}
	block := buf.Tag().Block
	buf.UnlockRelease()
	return block, nil
}

func (b *Builder) addLevel() error {
	block, err := b.allocate()
	if err != nil {
		return err
	}
	l := &building{p: make(page.Page, page.Size), block: block}
	node{l.p}.init(len(b.levels), 0, base.InvalidBlock, base.InvalidBlock)
	b.levels = append(b.levels, l)
	return nil
}

// Add appends an entry, which must sort behind all before it.
func (b *Builder) Add(key []byte, tid base.TID, payload []byte) error {
	if len(key)+len(payload) > MaxEntry {
		return pgerror.Newf(pgerror.ProgramLimitExceeded,
			"index row size %d exceeds btree version 4 maximum %d for index \"%s\"", len(key)+len(payload), MaxEntry, b.ix.name)
	}
	if len(b.item) > 0 {
		cmp := bytes.Compare(itemKey(b.item, 0), key)
		if cmp > 0 || cmp == 0 && b.last >= tid.Pack() {
			return pgerror.Newf(pgerror.InternalError, "entries of index \"%s\" are not in order", b.ix.name)
		}
		if cmp == 0 && b.ix.dedup && len(payload) == 0 && isBare(b.item) && len(b.item)+tidSize <= b.limit {
			b.item, b.last = appendEntry(b.item, tid.Pack()), tid.Pack()
			b.count++
			return nil
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
	b.count++
	b.item, b.last = appendLeaf(b.item[:0], key, tid.Pack(), payload), tid.Pack()
	b.limit = maxList
	n := node{b.levels[0].p} // a list ends where the page has enough, unless only a few addresses fit there
	if room := n.free() - b.fill - overhead(key); room >= len(b.item)+minRest {
		b.limit = min(b.limit, room)
	}
	return nil
}

// minRest is the fewest bytes of addresses for which a list is begun at the end of a page.
const minRest = 16 * tidSize

// overhead is what an item of a key needs on a page beside its own bytes: the slot, and room for a high key.
func overhead(key []byte) int { return slotSize + itemHead + len(key) + 1 }

// flush puts the entries at hand on a page.
func (b *Builder) flush() error {
	if len(b.item) == 0 {
		return nil
	}
	return b.add(0, b.item, itemKey(b.item, 0), itemTID(b.item))
}

// add appends an item to a level, beginning a new node when the last is full.
func (b *Builder) add(level int, it, key []byte, tid uint64) error {
	n := node{b.levels[level].p}
	need := len(it) + overhead(key)
	if n.count() > n.first() && n.free() < need+b.fill || n.free() < need {
		if err := b.advance(level, key, tid); err != nil {
			return err
		}
		n = node{b.levels[level].p}
		if level > 0 && n.count() == 0 {
			it = appendInner(nil, nil, 0, base.BlockNumber(leUint32(it[itemHead:])))
		}
	}
	if !n.insertAt(n.count(), it) {
		return pgerror.Newf(pgerror.InternalError, "index \"%s\": entry does not fit an empty page", b.ix.name)
	}
	return nil
}

// advance ends the node of a level before the key and starts its right neighbour. When the high key does not fit, the
// node's last item moves over.
func (b *Builder) advance(level int, key []byte, tid uint64) error {
	l := b.levels[level]
	n := node{l.p}
	var moved []byte
	sepKey, sepTID := key, tid
	if last := n.key(n.count() - 1); level == 0 && !bytes.Equal(last, key) {
		sepKey, sepTID = key[:commonPrefix(last, key)+1], 0
	}
	if n.free() < itemHead+len(sepKey) {
		c := n.count() - 1
		moved = bytes.Clone(n.item(c))
		sepKey, sepTID = itemKey(moved, level), itemTID(moved)
		n.remove([]uint16{uint16(c)}, nil, make(page.Page, page.Size))
	}
	n.setHigh(sepKey, sepTID)
	sepKey = bytes.Clone(sepKey)
	block, err := b.allocate()
	if err != nil {
		return err
	}
	n.setRight(block)
	if err := b.write(l); err != nil {
		return err
	}
	left := l.block
	l.block = block
	n.init(level, 0, left, base.InvalidBlock)
	if moved != nil {
		if level > 0 {
			moved = appendInner(nil, nil, 0, base.BlockNumber(leUint32(moved[itemHead:])))
		}
		n.insertAt(0, moved)
	}
	if level+1 == len(b.levels) {
		if err := b.addLevel(); err != nil {
			return err
		}
		node{b.levels[level+1].p}.insertAt(0, appendInner(nil, nil, 0, left))
	}
	return b.add(level+1, appendInner(nil, sepKey, sepTID, block), sepKey, sepTID)
}

func (b *Builder) write(l *building) error {
	buf, err := b.ix.pool.PinZero(b.task, b.ix.tag(l.block))
	if err != nil {
		return err
	}
	defer buf.UnlockRelease()
	copy(buf.Page(), l.p)
	return b.ix.logImages(buf)
}

// Finish writes what is left and gives the number of entries.
func (b *Builder) Finish() (int64, error) {
	if err := b.flush(); err != nil {
		return 0, err
	}
	top := len(b.levels) - 1
	node{b.levels[top].p}.setFlags(flagRoot)
	for _, l := range b.levels {
		if err := b.write(l); err != nil {
			return 0, err
		}
	}
	meta, err := b.ix.pool.PinZero(b.task, b.ix.tag(metaBlock))
	if err != nil {
		return 0, err
	}
	defer meta.UnlockRelease()
	initMeta(meta.Page(), b.levels[top].block, top)
	return b.count, b.ix.logImages(meta)
}
