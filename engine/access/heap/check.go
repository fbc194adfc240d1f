package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
)

// Check verifies every page of the heap and gives the faults found: line pointers, the form of rows, chains of versions,
// and the visibility map's agreement with the pages, and that no row needs the commit log for a transaction below oldest. Others may use the table meanwhile only if they do not change it.
func (t *Table) Check(task *activity.Task, oldest base.XID) []error {
	n, err := t.Blocks()
	if err != nil {
		return []error{err}
	}
	c := &heapChecker{t: t, oldest: oldest}
	var cache VMCache
	defer func() { cache.Release() }()
	for b := base.BlockNumber(0); b < n && len(c.faults) < 100; b++ {
		mapped, err := t.AllVisible(task, b, &cache)
		if err != nil {
			return append(c.faults, err)
		}
		buf, err := t.s.pool.Pin(task, t.tag(b))
		if err != nil {
			c.faults = append(c.faults, err)
			continue
		}
		buf.RLock()
		c.page(b, buf.Page(), mapped)
		buf.RUnlockRelease()
	}
	return c.faults
}

type heapChecker struct {
	t      *Table
	oldest base.XID // transactions below need no commit log
	faults []error
}

func (c *heapChecker) fault(b base.BlockNumber, off int, what string) {
	c.faults = append(c.faults, pgerror.Corrupt("row (%d,%d) of relation %s %s", b, off, c.t.file, what))
}

func (c *heapChecker) page(b base.BlockNumber, p page.Page, mapped bool) {
	if p.IsNew() {
		if mapped {
			c.fault(b, 0, "is on a new page that the visibility map has")
		}
		return
	}
	if p.Kind() != page.KindHeap {
		c.fault(b, 0, "is not on a heap page")
		return
	}
	if mapped && p.Flags()&page.FlagAllVisible == 0 {
		c.fault(b, 0, "is on a page that only the visibility map calls all-visible")
	}
	for i := 1; i <= p.Lines(); i++ {
		off := base.OffsetNumber(i)
		switch l := p.Line(off); l.State() {
		case page.LineRedirect:
			to := tuple.Tuple(p.Item(l.Redirect()))
			if len(to) < tuple.HeaderSize || to.Mask()&tuple.HeapOnly == 0 {
				c.fault(b, i, "is redirected to what is not a heap-only row")
			}
		case page.LineNormal:
			c.row(b, p, off)
		}
	}
}

func (c *heapChecker) row(b base.BlockNumber, p page.Page, off base.OffsetNumber) {
	t := tuple.Tuple(p.Item(off))
	if len(t) < tuple.HeaderSize {
		c.fault(b, int(off), "has no whole header")
		return
	}
	// A row whose inserter did not commit may have columns that nobody else has heard of.
	if x := c.t.unsettled(t, c.oldest); x != 0 {
		c.fault(b, int(off), "needs the commit log for a transaction that is older than its table's relfrozenxid")
	}
	if st, _ := c.t.s.txns.Status(t.Xmin()); st == mvcc.Committed || t.Mask()&tuple.XminCommitted != 0 {
		if err := c.t.Layout.Check(t, c.t.tag(b), off); err != nil {
			c.faults = append(c.faults, err)
			return
		}
	}
	next := c.t.s.txns.NextXID()
	if t.Xmin() == 0 || t.Xmin() >= next || t.Xmax() >= next {
		c.fault(b, int(off), "has a transaction that never was")
	}
	mask := t.Mask()
	if mask&tuple.XminCommitted != 0 && mask&tuple.XminInvalid != 0 {
		c.fault(b, int(off), "has hints that contradict each other")
	}
	for _, h := range []struct {
		bit  uint32
		xid  base.XID
		want mvcc.Status
	}{{tuple.XminCommitted, t.Xmin(), mvcc.Committed}, {tuple.XminInvalid, t.Xmin(), mvcc.Aborted},
		{tuple.XmaxCommitted, t.Xmax(), mvcc.Committed}} {
		if mask&h.bit == 0 || h.xid < c.t.s.txns.OldestXID() { // nobody knows any more
			continue
		}
		if h.bit == tuple.XminInvalid && t.Xmin() == t.Xmax() { // taken back by the transaction that inserted it
			continue
		}
		if st, _ := c.t.s.txns.Status(h.xid); st != h.want {
			c.fault(b, int(off), "has a hint that its transaction contradicts")
		}
	}
	if mask&tuple.HotUpdated != 0 && mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) == 0 && t.CTID().Block != b {
		c.fault(b, int(off), "has its heap-only version on another page")
	}
	if p.Flags()&page.FlagAllVisible != 0 {
		if r, _, _ := mvcc.Removable(c.t.s.txns, c.t.s.txns.Horizon(), t); r != mvcc.Keep {
			c.fault(b, int(off), "is not visible to all although its page says so")
		}
	}
}
