package btree

import (
	"bytes"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/rmgr"
)

// Entry is one entry of a batch.
type Entry struct {
	Key, Payload []byte
	TID          base.TID
	Unique       bool // no other live row may have the key
}

// place is the room that an entry of a batch gets on a leaf, or several of one key.
type place struct {
	slot  int
	count int
	start int // of its item in the batch's scratch bytes
	end   int
}

// InsertMany adds entries, which ascend by key and address, leaf by leaf: those that fall on one leaf share one descent,
// one latch and one log record. It gives how many it added: all of them, or those before the one whose conflict it tells.
func (w *Writer) InsertMany(entries []Entry, unique Prober) (int, Conflict, error) {
	done := 0
	for done < len(entries) {
		n, c, err := w.insertRun(entries[done:], unique)
		done += n
		if err != nil || c.Found {
			return done, c, err
		}
		if n > 0 {
			continue
		}
		e := &entries[done] // the leaf is full, or the entry cannot be inserted at all
		p := unique
		if !e.Unique {
			p = nil
		}
		if c, err = w.Insert(e.Key, e.TID, e.Payload, p); err != nil || c.Found {
			return done, c, err
		}
		done++
	}
	return done, Conflict{}, nil
}

// insertRun adds the first entries as far as they belong on one leaf and fit there; none when already the first needs
// more than that.
func (w *Writer) insertRun(entries []Entry, unique Prober) (int, Conflict, error) {
	buf, err := w.leaf(entries[0].check())
	if err != nil {
		return 0, Conflict{}, err
	}
	c, err := w.planRun(buf, entries, unique)
	if err != nil || len(w.run) == 0 {
		buf.UnlockRelease()
		return 0, c, err
	}
	n := node{buf.Page()}
	w.right, w.last = n.right() == base.InvalidBlock, buf.Tag().Block
	defer buf.UnlockRelease()
	buf.MarkDirty()
	done := 0
	for _, p := range w.run {
		n.insertAt(p.slot, w.item[p.start:p.end])
		done += p.count
	}
	return done, c, w.logRun(buf)
}

// check gives the place where looking for the entry's key begins.
func (e *Entry) check() target {
	t := target{key: e.Key, tid: e.TID.Pack()}
	if e.Unique {
		t.tid = 0
	}
	return t
}

// planRun decides, before anything is changed, which of the entries go where on the leaf. What ends the run is told when
// it is a conflict.
func (w *Writer) planRun(buf buffer.Buffer, entries []Entry, unique Prober) (Conflict, error) {
	n := node{buf.Page()}
	w.run, w.item = w.run[:0], w.item[:0]
	free := n.free()
	for i := range entries {
		e := &entries[i]
		t := target{key: e.Key, tid: e.TID.Pack()}
		if len(e.Key)+len(e.Payload) > MaxEntry || n.beyond(t) {
			break
		}
		if e.Unique {
			first := e.check()
			if i > 0 && bytes.Equal(entries[i-1].Key, e.Key) || n.beyond(first) {
				break // the entry before is looked at once it is there
			}
			if c, err := w.checkUnique(buf, first, unique); err != nil || c.Found {
				return c, err
			}
		}
		slot := n.search(t)
		if n.within(slot, t) {
			break // a list gives an address up for it: Insert does that
		}
		if i > 0 && w.joins(n, slot, e, entries[i-1].Unique) {
			if free -= tidSize; free < 0 {
				break
			}
			p := &w.run[len(w.run)-1]
			w.item = append(w.item[:p.start], appendEntry(w.item[p.start:], t.tid)...)
			p.end, p.count = len(w.item), p.count+1
			continue
		}
		start := len(w.item)
		w.item = appendLeaf(w.item, e.Key, t.tid, e.Payload)
		free -= len(w.item) - start + slotSize
		if free < 0 {
			break
		}
		w.run = append(w.run, place{slot + len(w.run), 1, start, len(w.item)})
	}
	return Conflict{}, nil
}

// joins tells whether an entry of a batch that belongs before a slot of the leaf can share the item of the one before it.
func (w *Writer) joins(n node, slot int, e *Entry, unique bool) bool {
	k := len(w.run) - 1
	p := w.run[k]
	it := w.item[p.start:p.end]
	return w.ix.dedup && p.slot == slot+k && !unique && !e.Unique && len(e.Payload) == 0 && isBare(it) &&
		len(it)+tidSize <= maxList && bytes.Equal(itemKey(it, 0), e.Key) && lastTID(it) < e.TID.Pack()
}

// logRun logs the entries just added: for each its slot (2), the length of its item (2) and the item.
func (w *Writer) logRun(buf buffer.Buffer) error {
	if !w.ix.logged {
		return nil
	}
	b := w.ix.txns.Builder(w.task)
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoInsertMany, base.InvalidXID)
	b.Block(0, buf.Tag(), buf.Page(), 0)
	var h [4]byte
	for _, p := range w.run {
		le.PutUint16(h[:], uint16(p.slot))
		le.PutUint16(h[2:], uint16(p.end-p.start))
		b.BlockData(0, h[:])
		b.BlockData(0, w.item[p.start:p.end])
	}
	return w.ix.insertLog(b, buf)
}

// redoRun adds the entries of a record of logRun.
func (n node) redoRun(data []byte) bool {
	for len(data) >= 4 {
		slot, size := int(le.Uint16(data)), int(le.Uint16(data[2:]))
		data = data[4:]
		if size > len(data) || !n.isItem(data[:size]) || !n.insertAt(slot, data[:size]) {
			return false
		}
		data = data[size:]
	}
	return len(data) == 0
}
