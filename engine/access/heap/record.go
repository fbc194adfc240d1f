package heap

import (
	"encoding/binary"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/tuple"
	"manifold/engine/wal"
)

// The records of resource manager Heap; README.md draws their data.
const (
	infoInsert uint8 = 1 + iota
	infoMultiInsert
	infoDelete
	infoUpdate
	infoLock
)

// The records of resource manager Heap2.
const (
	infoPrune uint8 = 1 + iota
	infoVisible
	infoSettle
)

// Flags of records: the change took the all-visible mark from block 0, from block 1; block 0 is made anew.
const (
	flagCleared      uint8 = 1 << 0
	flagClearedOther uint8 = 1 << 1
	flagFresh        uint8 = 1 << 2
)

var le = binary.LittleEndian

// finishLog inserts the record and sets the LSN of the pages.
func (t *Table) finishLog(b *wal.Builder, bufs ...buffer.Buffer) error {
	lsn, err := t.s.log.Insert(b)
	if err != nil {
		return err
	}
	for _, buf := range bufs {
		buf.SetLSN(lsn)
	}
	return nil
}

func (w *Writer) logInsert(buf buffer.Buffer, xid base.XID, off base.OffsetNumber, flags uint8, fresh bool) error {
	if !w.t.logged {
		return nil
	}
	b := w.t.s.txns.Builder(w.task)
	defer w.t.s.txns.Done(b)
	b.Begin(rmgr.Heap, infoInsert, xid)
	var bf wal.BlockFlags
	if fresh {
		flags |= flagFresh
		bf = wal.WillInit
	}
	var d [3]byte
	le.PutUint16(d[:], uint16(off))
	d[2] = flags
	b.Data(d[:])
	b.Block(0, buf.Tag(), buf.Page(), bf)
	b.BlockData(0, buf.Page().Item(off))
	return w.t.finishLog(b, buf)
}

func (w *Writer) logMultiInsert(buf buffer.Buffer, xid base.XID, tids []base.TID, flags uint8, fresh bool) error {
	if !w.t.logged {
		return nil
	}
	b := w.t.s.txns.Builder(w.task)
	defer w.t.s.txns.Done(b)
	b.Begin(rmgr.Heap, infoMultiInsert, xid)
	var bf wal.BlockFlags
	if fresh {
		flags |= flagFresh
		bf = wal.WillInit
	}
	b.Data([]byte{flags})
	b.Block(0, buf.Tag(), buf.Page(), bf)
	var d [4]byte
	for _, tid := range tids {
		it := buf.Page().Item(tid.Offset)
		le.PutUint16(d[:], uint16(tid.Offset))
		le.PutUint16(d[2:], uint16(len(it)))
		b.BlockData(0, d[:])
		b.BlockData(0, it)
	}
	return w.t.finishLog(b, buf)
}

func (w *Writer) logDelete(buf buffer.Buffer, xid base.XID, off base.OffsetNumber, t tuple.Tuple, flags uint8) error {
	return w.logEnd(infoDelete, buf, xid, off, t, flags)
}

func (w *Writer) logLock(buf buffer.Buffer, xid base.XID, off base.OffsetNumber, t tuple.Tuple) error {
	return w.logEnd(infoLock, buf, xid, off, t, 0)
}

// logEnd logs a new xmax without a new version.
func (w *Writer) logEnd(info uint8, buf buffer.Buffer, xid base.XID, off base.OffsetNumber, t tuple.Tuple, flags uint8) error {
	if !w.t.logged {
		return nil
	}
	b := w.t.s.txns.Builder(w.task)
	defer w.t.s.txns.Done(b)
	b.Begin(rmgr.Heap, info, xid)
	var d [11]byte
	le.PutUint16(d[:], uint16(off))
	d[2] = flags
	le.PutUint32(d[3:], t.Mask())
	le.PutUint32(d[7:], uint32(t.Cmax()))
	b.Data(d[:])
	b.Block(0, buf.Tag(), buf.Page(), 0)
	return w.t.finishLog(b, buf)
}

// updateHead is the main data of an update: old and new line pointer (2+2), flags (1), the old version's mask and cmax
// (4+4), bytes of the body that equal the old one's at both ends (2+2), the new version's mask and cmin (4+4), natts (2).
const updateHead = 27

// logUpdate logs a new version. On the same page only the bytes that differ from the old version's body are logged.
func (w *Writer) logUpdate(ob, nb buffer.Buffer, xid base.XID, off, to base.OffsetNumber, old tuple.Tuple, flags uint8) error {
	if !w.t.logged {
		return nil
	}
	b := w.t.s.txns.Builder(w.task)
	defer w.t.s.txns.Done(b)
	n := tuple.Tuple(nb.Page().Item(to))
	body := n.Body()
	prefix, suffix := 0, 0
	same := ob == nb
	if same {
		prefix, suffix = common(old.Body(), body)
	}
	b.Begin(rmgr.Heap, infoUpdate, xid)
	var d [updateHead]byte
	le.PutUint16(d[:], uint16(off))
	le.PutUint16(d[2:], uint16(to))
	d[4] = flags
	le.PutUint32(d[5:], old.Mask())
	le.PutUint32(d[9:], uint32(old.Cmax()))
	le.PutUint16(d[13:], uint16(prefix))
	le.PutUint16(d[15:], uint16(suffix))
	le.PutUint32(d[17:], n.Mask())
	le.PutUint32(d[21:], uint32(n.Cmin()))
	le.PutUint16(d[25:], uint16(n.Natts()))
	b.Data(d[:])
	b.Block(0, nb.Tag(), nb.Page(), 0)
	b.BlockData(0, body[prefix:len(body)-suffix])
	if same {
		return w.t.finishLog(b, nb)
	}
	b.Block(1, ob.Tag(), ob.Page(), 0)
	return w.t.finishLog(b, nb, ob)
}

// common gives the bytes that two rows share at the start and, beyond those, at the end.
func common(a, b []byte) (prefix, suffix int) {
	n := min(len(a), len(b))
	for prefix < n && a[prefix] == b[prefix] {
		prefix++
	}
	for suffix < n-prefix && a[len(a)-1-suffix] == b[len(b)-1-suffix] {
		suffix++
	}
	return prefix, suffix
}

// Managers gives the resource managers of heap records.
func Managers() []rmgr.Manager {
	return []rmgr.Manager{
		{ID: rmgr.Heap, Name: "Heap", Redo: redoHeap, Describe: describeHeap, Mask: mask},
		{ID: rmgr.Heap2, Name: "Heap2", Redo: redoHeap2, Describe: describeHeap2, Mask: mask},
	}
}

// hintBits are the bits of a row that change without a record.
const hintBits = tuple.HintBits | tuple.Speculative

// mask clears what redo does not repeat: hints, and the gaps behind rows whose length is no multiple of eight.
func mask(p page.Page) {
	p.MaskHints()
	if p.Kind() != page.KindHeap {
		return
	}
	for i := 1; i <= p.Lines(); i++ {
		l := p.Line(base.OffsetNumber(i))
		if l.State() != page.LineNormal || l.Length() < tuple.HeaderSize {
			continue
		}
		t := tuple.Tuple(p.Item(base.OffsetNumber(i)))
		t.SetMask(t.Mask() &^ hintBits)
		end := l.Offset() + l.Length()
		clear(p[end:min((end+7)&^7, page.Size)])
	}
}

func malformed(r *wal.Record) error {
	return pgerror.Corrupt("heap record at %s is malformed or does not fit its page", r.Start)
}

func redoHeap(c *rmgr.RedoContext, r *wal.Record) error {
	flagAt, need := 2, 3
	switch r.Info {
	case infoInsert:
	case infoMultiInsert:
		flagAt, need = 0, 1
	case infoDelete, infoLock:
		need = 11
	case infoUpdate:
		flagAt, need = 4, updateHead
	default:
		return pgerror.Corrupt("heap record at %s has unknown kind %d", r.Start, r.Info)
	}
	if len(r.Data) < need || r.Block(0) == nil {
		return malformed(r)
	}
	flags := r.Data[flagAt]
	b0, b1 := r.Block(0), r.Block(1)
	ob := b0
	if b1 != nil {
		ob = b1
		if flags&flagClearedOther != 0 {
			if err := setVisible(c.Pool, nil, b0.Tag, false, 0); err != nil {
				return err
			}
		}
	}
	if flags&flagCleared != 0 {
		if err := setVisible(c.Pool, nil, ob.Tag, false, 0); err != nil {
			return err
		}
	}
	if r.Info == infoUpdate {
		return redoUpdate(c, r, flags)
	}
	return redoBlock(c, r, 0, func(p page.Page) bool {
		if flags&flagFresh != 0 {
			p.Init(page.KindHeap, 0)
		}
		if flags&flagCleared != 0 {
			p.SetFlags(p.Flags() &^ page.FlagAllVisible)
		}
		switch r.Info {
		case infoInsert:
			off := base.OffsetNumber(le.Uint16(r.Data))
			return p.AddItemAt(off, b0.Data) && setSelf(p, b0.Tag.Block, off)
		case infoMultiInsert:
			return redoMulti(p, b0)
		}
		off := base.OffsetNumber(le.Uint16(r.Data))
		t := tuple.Tuple(p.Item(off))
		if len(t) < tuple.HeaderSize {
			return false
		}
		t.SetXmax(r.XID, base.CommandID(le.Uint32(r.Data[7:])))
		t.SetMask(le.Uint32(r.Data[3:]))
		t.SetCTID(base.TID{Block: b0.Tag.Block, Offset: off})
		if r.Info == infoDelete {
			notePrunable(p, r.XID)
		}
		return true
	})
}

func setSelf(p page.Page, b base.BlockNumber, off base.OffsetNumber) bool {
	t := tuple.Tuple(p.Item(off))
	if len(t) < tuple.HeaderSize {
		return false
	}
	t.SetCTID(base.TID{Block: b, Offset: off})
	return true
}

func redoMulti(p page.Page, b *wal.BlockRef) bool {
	for d := b.Data; len(d) > 0; {
		if len(d) < 4 {
			return false
		}
		off, n := base.OffsetNumber(le.Uint16(d)), int(le.Uint16(d[2:]))
		if d = d[4:]; n > len(d) || !p.AddItemAt(off, d[:n]) || !setSelf(p, b.Tag.Block, off) {
			return false
		}
		d = d[n:]
	}
	return true
}

// redoBlock applies a change to a block unless it has it already.
func redoBlock(c *rmgr.RedoContext, r *wal.Record, id uint8, apply func(page.Page) bool) error {
	buf, action, err := c.ReadForRedo(r, id)
	if err != nil || action == rmgr.NotFound {
		return err
	}
	if action != rmgr.NeedsRedo {
		buf.UnlockRelease()
		return nil
	}
	ok := apply(buf.Page())
	c.Finish(buf, r)
	if !ok {
		return malformed(r)
	}
	return nil
}

func redoUpdate(c *rmgr.RedoContext, r *wal.Record, flags uint8) error {
	d := r.Data
	off, to := base.OffsetNumber(le.Uint16(d)), base.OffsetNumber(le.Uint16(d[2:]))
	b0, b1 := r.Block(0), r.Block(1)
	tid := base.TID{Block: b0.Tag.Block, Offset: to}
	formed := c.Scratch()
	addNew := func(p page.Page) bool {
		prefix, suffix := int(le.Uint16(d[13:])), int(le.Uint16(d[15:]))
		var oldBody []byte
		if prefix+suffix > 0 {
			old := tuple.Tuple(p.Item(off))
			if len(old) < tuple.HeaderSize+max(prefix, suffix) {
				return false
			}
			oldBody = old.Body()
		}
		n := tuple.HeaderSize + prefix + len(b0.Data) + suffix
		if n > page.Size {
			return false
		}
		t := tuple.Tuple(formed[:n])
		t.SetXmin(r.XID, base.CommandID(le.Uint32(d[21:])))
		t.SetXmax(0, 0)
		t.SetMask(le.Uint32(d[17:]))
		t.SetCTID(tid)
		t.SetNatts(int(le.Uint16(d[25:])))
		body := t.Body()
		copy(body, oldBody[:prefix])
		copy(body[prefix:], b0.Data)
		copy(body[prefix+len(b0.Data):], oldBody[len(oldBody)-suffix:])
		return p.AddItemAt(to, t)
	}
	endOld := func(p page.Page) bool {
		t := tuple.Tuple(p.Item(off))
		if len(t) < tuple.HeaderSize {
			return false
		}
		t.SetXmax(r.XID, base.CommandID(le.Uint32(d[9:])))
		t.SetMask(le.Uint32(d[5:]))
		t.SetCTID(tid)
		notePrunable(p, r.XID)
		if flags&flagCleared != 0 {
			p.SetFlags(p.Flags() &^ page.FlagAllVisible)
		}
		return true
	}
	if b1 == nil {
		return redoBlock(c, r, 0, func(p page.Page) bool { return addNew(p) && endOld(p) })
	}
	if err := redoBlock(c, r, 1, endOld); err != nil {
		return err
	}
	return redoBlock(c, r, 0, func(p page.Page) bool {
		if flags&flagClearedOther != 0 {
			p.SetFlags(p.Flags() &^ page.FlagAllVisible)
		}
		return addNew(p)
	})
}

func redoHeap2(c *rmgr.RedoContext, r *wal.Record) error {
	switch r.Info {
	case infoPrune:
		var plan prunePlan
		if !plan.decode(r.Data) {
			return malformed(r)
		}
		return redoBlock(c, r, 0, plan.apply)
	case infoVisible:
		b := r.Block(0)
		if b == nil {
			return malformed(r)
		}
		if err := redoBlock(c, r, 0, redoVisible); err != nil {
			return err
		}
		return setVisible(c.Pool, nil, b.Tag, true, r.End)
	case infoSettle:
		b := r.Block(0)
		if b == nil {
			return malformed(r)
		}
		return redoBlock(c, r, 0, func(p page.Page) bool { return redoSettle(p, b.Data) })
	}
	return pgerror.Corrupt("heap record at %s has unknown kind %d", r.Start, r.Info)
}
