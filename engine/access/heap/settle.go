package heap

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/rmgr"
	"manifold/engine/tuple"
)

// settling is what a vacuum does about hints of old transactions. The commit log below a table's oldest transaction may go, and
// what it does not know counts as aborted. So whoever committed must be known by a hint, and the hint must survive a crash.
type settling struct {
	from  base.XID // hints of transactions below are durable since an earlier vacuum
	below base.XID // all below have ended for every snapshot; hints of theirs are made durable. Zero: nothing is
	data  []byte
}

// SetSettling has Page make the hints of transactions from and below durable: see PageReport.Oldest.
func (v *Vacuumer) SetSettling(from, below base.XID) { v.settling = settling{from: from, below: below} }

// settleSize is the part of a record for one row: line pointer 2, hints 1.
const settleSize = 3

// settle makes the hints of old transactions on a page, latched exclusively, durable and gives the oldest transaction that the
// commit log must know for this page; zero when there is none. A page marked all-visible is settled by that record.
func (v *Vacuumer) settle(buf buffer.Buffer) (oldest base.XID, err error) {
	p := buf.Page()
	if v.settling.below == 0 || p.Flags()&page.FlagAllVisible != 0 {
		return 0, nil
	}
	v.settling.data = v.settling.data[:0]
	need := func(x base.XID) {
		if oldest == 0 || x < oldest {
			oldest = x
		}
	}
	for i := 1; i <= p.Lines(); i++ {
		t := tuple.Tuple(p.Item(base.OffsetNumber(i)))
		if len(t) < tuple.HeaderSize {
			continue
		}
		var bits uint32
		mask := t.Mask()
		if x := t.Xmin(); mask&tuple.XminInvalid == 0 {
			bits |= v.settleOne(x, mask&tuple.XminCommitted, need)
		}
		if x := t.Xmax(); x != 0 && mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) == 0 {
			bits |= v.settleOne(x, mask&tuple.XmaxCommitted, need)
		}
		if bits != 0 {
			v.settling.data = le.AppendUint16(v.settling.data, uint16(i))
			v.settling.data = append(v.settling.data, byte(bits))
		}
	}
	if len(v.settling.data) == 0 {
		return oldest, nil
	}
	buf.MarkDirty()
	if !v.t.logged { // nothing of it survives a crash
		return oldest, nil
	}
	b := v.t.s.txns.Builder(v.task)
	defer v.t.s.txns.Done(b)
	b.Begin(rmgr.Heap2, infoSettle, base.InvalidXID)
	b.Block(0, buf.Tag(), p, 0)
	b.BlockData(0, v.settling.data)
	return oldest, v.t.finishLog(b, buf)
}

// settleOne gives the hint of one transaction when it is to be logged, or tells that the commit log must know the transaction.
func (v *Vacuumer) settleOne(x base.XID, hint uint32, need func(base.XID)) uint32 {
	s := &v.settling
	if hint != 0 && x < s.below {
		if x < s.from {
			return 0
		}
		return hint
	}
	if hint == 0 {
		if st, _ := v.t.s.txns.Status(x); st == mvcc.Aborted {
			return 0
		}
	}
	need(x)
	return 0
}

// redoSettle sets the hints of a record.
func redoSettle(p page.Page, data []byte) bool {
	for ; len(data) >= settleSize; data = data[settleSize:] {
		t := tuple.Tuple(p.Item(base.OffsetNumber(le.Uint16(data))))
		if len(t) < tuple.HeaderSize {
			return false
		}
		t.SetMask(t.Mask() | uint32(data[2])&(tuple.XminCommitted|tuple.XmaxCommitted))
	}
	return len(data) == 0
}

// redoVisible marks a page all-visible: everybody who made a row on it has committed, which needs no commit log from then on.
func redoVisible(p page.Page) bool {
	p.SetFlags(p.Flags() | page.FlagAllVisible)
	for i := 1; i <= p.Lines(); i++ {
		if t := tuple.Tuple(p.Item(base.OffsetNumber(i))); len(t) >= tuple.HeaderSize {
			t.SetMask(t.Mask() | tuple.XminCommitted)
		}
	}
	return true
}

// unsettled gives the transaction below oldest that a row needs the commit log for, zero for none.
func (t *Table) unsettled(tup tuple.Tuple, oldest base.XID) base.XID {
	needs := func(x base.XID) bool {
		st, _ := t.s.txns.Status(x)
		return x >= base.FirstXID && x < oldest && st != mvcc.Aborted
	}
	mask := tup.Mask()
	if x := tup.Xmin(); mask&(tuple.XminCommitted|tuple.XminInvalid) == 0 && needs(x) {
		return x
	}
	if x := tup.Xmax(); mask&(tuple.XmaxCommitted|tuple.XmaxInvalid|tuple.XmaxLockOnly) == 0 && needs(x) {
		return x
	}
	return 0
}
