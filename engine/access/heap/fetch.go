package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/tuple"
	"manifold/engine/vector"
)

// appendTuple appends a copy of a row that may gain hints while it is copied.
func appendTuple(dst []byte, t tuple.Tuple) []byte {
	start := len(dst)
	dst = append(dst, t[:tuple.MaskOffset]...)
	dst = le.AppendUint32(dst, t.Mask())
	dst = append(dst, t[tuple.MaskOffset+4:]...)
	return dst[:start+len(t)]
}

// Fetched says what Fetch found.
type Fetched struct {
	Row tuple.Tuple // the visible version, in the caller's buffer; nil when there is none
	TID base.TID    // its address
}

// Fetch finds the version of the row at an index entry's address that the view sees, following the chain of versions on
// the page, and copies it over buf's bytes. buf keeps its memory between calls; the row lives there.
func (t *Table) Fetch(v *mvcc.View, tid base.TID, buf *[]byte) (f Fetched, err error) {
	b, err := t.s.pool.Pin(v.Task, t.tag(tid.Block))
	if err != nil {
		return f, err
	}
	v.Refresh()
	b.RLock()
	p := b.Page()
	hinted := false
	serial := t.serial(v)
	var c chainWalk
	for tup := c.start(p, tid.Offset); tup != nil; tup = c.next(p, tup) {
		ok, hints := v.Visible(tup)
		if hints != 0 {
			tup.OrMask(hints)
			hinted = true
		}
		if serial != nil {
			if err := t.met(serial, v, tup, base.TID{Block: tid.Block, Offset: c.at}, ok, true); err != nil {
				b.RUnlockRelease()
				return f, err
			}
		}
		if ok {
			*buf = appendTuple((*buf)[:0], tup)
			f.Row, f.TID = *buf, base.TID{Block: tid.Block, Offset: c.at}
			break
		}
	}
	if hinted {
		err = t.hinted(b)
	}
	b.RUnlockRelease()
	return f, err
}

// AllDead tells whether no version of the row at an index entry's address is visible to anyone, so that the entry may be killed.
func (t *Table) AllDead(v *mvcc.View, tid base.TID) (bool, error) {
	b, err := t.s.pool.Pin(v.Task, t.tag(tid.Block))
	if err != nil {
		return false, err
	}
	v.Refresh()
	b.RLock()
	defer b.RUnlockRelease()
	p := b.Page()
	var c chainWalk
	for tup := c.start(p, tid.Offset); tup != nil; tup = c.next(p, tup) {
		if r, _, _ := mvcc.Removable(t.s.txns, v.HorizonLSN(), tup); r != mvcc.Remove {
			return false, nil
		}
	}
	return true, nil
}

// FetchVersion copies the row version at exactly tid over buf's bytes, whoever sees it; nil when there is none.
func (t *Table) FetchVersion(task *activity.Task, tid base.TID, buf *[]byte) (tuple.Tuple, error) {
	b, err := t.s.pool.Pin(task, t.tag(tid.Block))
	if err != nil {
		return nil, err
	}
	b.RLock()
	defer b.RUnlockRelease()
	if p := b.Page(); p.Kind() == page.KindHeap {
		if it := tuple.Tuple(p.Item(tid.Offset)); len(it) >= tuple.HeaderSize {
			*buf = appendTuple((*buf)[:0], it)
			return *buf, nil
		}
	}
	return nil, nil
}

// Sees tells whether the view sees the row version at exactly tid, or its transaction has made it.
func (t *Table) Sees(v *mvcc.View, tid base.TID) (bool, error) {
	b, err := t.s.pool.Pin(v.Task, t.tag(tid.Block))
	if err != nil {
		return false, err
	}
	v.Refresh()
	b.RLock()
	defer b.RUnlockRelease()
	c := chainWalk{exact: true}
	tup := c.start(b.Page(), tid.Offset)
	if tup == nil {
		return false, nil
	}
	seen, _ := v.Visible(tup)
	return seen || v.Snap.Own.Has(tup.Xmin()), nil
}

// Probe tells for a unique or exclusion check whether a row that an index entry leads to is there at this moment:
// whether any version of its chain is live, dead to all, or in the hands of a running transaction, whose id it gives.
// tid becomes the address of that version.
func (t *Table) Probe(v *mvcc.View, tid base.TID) (state mvcc.Liveness, holder base.XID, at base.TID, err error) {
	b, err := t.s.pool.Pin(v.Task, t.tag(tid.Block))
	if err != nil {
		return mvcc.Dead, 0, tid, err
	}
	v.Refresh()
	b.RLock()
	defer b.RUnlockRelease()
	state = mvcc.AllDead
	p := b.Page()
	var c chainWalk
	for tup := c.start(p, tid.Offset); tup != nil; tup = c.next(p, tup) {
		st, x := v.Dirty(tup)
		switch st {
		case mvcc.Dead:
			state = mvcc.Dead
		case mvcc.AllDead:
		default:
			return st, x, base.TID{Block: tid.Block, Offset: c.at}, nil
		}
	}
	return state, 0, tid, nil
}

// chainWalk follows the versions of a row on a page.
type chainWalk struct {
	at    base.OffsetNumber
	left  int  // steps that remain: a damaged chain ends
	exact bool // one version by its own address, in a chain or not
}

func (c *chainWalk) start(p page.Page, off base.OffsetNumber) tuple.Tuple {
	if p.Kind() != page.KindHeap || off == 0 || int(off) > p.Lines() {
		return nil
	}
	c.left = MaxLines
	if c.exact {
		c.left = 0
	} else if l := p.Line(off); l.State() == page.LineRedirect {
		if off = l.Redirect(); int(off) > p.Lines() {
			return nil
		}
	} else if tup := tuple.Tuple(p.Item(off)); len(tup) >= tuple.HeaderSize && tup.Mask()&tuple.HeapOnly != 0 {
		return nil // the entry's row is gone and its place reused
	}
	c.at = off
	if tup := tuple.Tuple(p.Item(off)); len(tup) >= tuple.HeaderSize {
		return tup
	}
	return nil
}

func (c *chainWalk) next(p page.Page, tup tuple.Tuple) tuple.Tuple {
	mask := tup.Mask()
	if c.left--; c.left <= 0 || mask&tuple.HotUpdated == 0 || mask&tuple.XmaxInvalid != 0 {
		return nil
	}
	off := tup.CTID().Offset
	n := tuple.Tuple(p.Item(off))
	if len(n) < tuple.HeaderSize || n.Mask()&tuple.HeapOnly == 0 || n.Xmin() != tup.Xmax() {
		return nil
	}
	c.at = off
	return n
}

// System columns in the lists of columns that scans take; real ones count from zero.
const (
	ColCTID     = -1 // base.TID.Pack
	ColXmin     = -2
	ColCmin     = -3
	ColXmax     = -4
	ColCmax     = -5
	ColTableOID = -6
)

// decode writes the columns of rows to the lanes of the batch from lane on.
func (t *Table) decode(b *vector.Batch, lane int, rows []tuple.Tuple, tids []base.TID, cols []int) {
	for k, col := range cols {
		v := &b.Cols[k]
		if col >= 0 {
			t.Layout.DecodeColumn(v, lane, rows, col)
			continue
		}
		for i, row := range rows {
			v.Fixed[lane+i] = t.System(row, tids[i], col)
		}
	}
}

// System gives a system column of a row version, in the bits of a Datum.
func (t *Table) System(row tuple.Tuple, tid base.TID, col int) int64 {
	switch col {
	case ColCTID:
		return int64(tid.Pack())
	case ColXmin:
		return int64(row.Xmin())
	case ColCmin:
		return int64(row.Cmin())
	case ColXmax:
		if row.Mask()&tuple.XmaxInvalid != 0 {
			return 0
		}
		return int64(row.Xmax())
	case ColCmax:
		return int64(row.Cmax())
	}
	return int64(t.Desc.OID)
}

// resetColumns prepares the batch for up to n rows of the columns.
func (t *Table) resetColumns(b *vector.Batch, cols []int, n int) {
	for len(b.Cols) < len(cols) {
		b.Cols = append(b.Cols, vector.Vector{})
	}
	b.Sel = nil
	for k, col := range cols {
		b.Cols[k].Reset(col >= 0 && t.Layout.Variable(col), n)
	}
}

// TrimColumns cuts the columns of a batch to the n rows that were written.
func TrimColumns(b *vector.Batch, cols []int, n int) {
	b.N = n
	for k := range cols {
		v := &b.Cols[k]
		if v.Var {
			v.Spans = v.Spans[:n]
		} else {
			v.Fixed = v.Fixed[:n]
		}
	}
}

// FetchBatch fetches the rows at the addresses that the view sees into the batch, in order, and gives for each row the
// index of its address in from (which must have room for all) and its own address over tids' bytes.
func (t *Table) FetchBatch(v *mvcc.View, tids []base.TID, b *vector.Batch, cols []int, from []int32, at []base.TID) (int, error) {
	return t.fetchBatch(v, tids, b, cols, from, at, false)
}

// FetchVersions is FetchBatch for addresses of row versions: those exactly there, where the view sees them.
func (t *Table) FetchVersions(v *mvcc.View, tids []base.TID, b *vector.Batch, cols []int, from []int32, at []base.TID) (int, error) {
	return t.fetchBatch(v, tids, b, cols, from, at, true)
}

func (t *Table) fetchBatch(v *mvcc.View, tids []base.TID, b *vector.Batch, cols []int, from []int32, at []base.TID, exact bool) (int, error) {
	t.resetColumns(b, cols, len(tids))
	n := 0
	for i := 0; i < len(tids); {
		blk := tids[i].Block
		buf, err := t.s.pool.Pin(v.Task, t.tag(blk))
		if err != nil {
			return 0, err
		}
		v.Refresh()
		buf.RLock()
		p := buf.Page()
		hinted := false
		serial := t.serial(v)
		for ; i < len(tids) && tids[i].Block == blk; i++ {
			c := chainWalk{exact: exact}
			for tup := c.start(p, tids[i].Offset); tup != nil; tup = c.next(p, tup) {
				ok, hints := v.Visible(tup)
				if hints != 0 {
					tup.OrMask(hints)
					hinted = true
				}
				if serial != nil {
					if err := t.met(serial, v, tup, base.TID{Block: blk, Offset: c.at}, ok, true); err != nil {
						buf.RUnlockRelease()
						return 0, err
					}
				}
				if !ok {
					continue
				}
				at[n] = base.TID{Block: blk, Offset: c.at}
				from[n] = int32(i)
				t.decode(b, n, []tuple.Tuple{tup}, at[n:n+1], cols)
				n++
				break
			}
		}
		if hinted {
			err = t.hinted(buf)
		}
		buf.RUnlockRelease()
		if err != nil {
			return 0, err
		}
	}
	TrimColumns(b, cols, n)
	if t.toast != nil {
		return n, t.detoast(v.Task, b, cols, 0)
	}
	return n, nil
}

// Prober answers a unique check's questions about the rows of a table at the clock of the moment.
type Prober struct {
	Table *Table
	View  *mvcc.View
}

// Probe tells whether a version of the row that an index entry leads to is there.
func (p *Prober) Probe(tid base.TID) (mvcc.Liveness, base.XID, error) {
	st, x, _, err := p.Table.Probe(p.View, tid)
	return st, x, err
}

// Follow gives the newest version of the row whose version at tid was replaced: the first one that no committed transaction
// has ended. alive is false when the row was deleted. The snapshot of the view keeps the chain from being pruned.
func (t *Table) Follow(v *mvcc.View, tid base.TID) (newest base.TID, alive bool, err error) {
	for {
		b, err := t.s.pool.Pin(v.Task, t.tag(tid.Block))
		if err != nil {
			return tid, false, err
		}
		b.RLock()
		next, ended, gone := t.followOn(v, b.Page(), tid)
		b.RUnlockRelease()
		if gone || !ended {
			return next, !gone, nil
		}
		tid = next
	}
}

// followOn follows a chain as far as it stays on a page. ended tells that it goes on at next, on another page; gone that the
// row was deleted.
func (t *Table) followOn(v *mvcc.View, p page.Page, tid base.TID) (next base.TID, ended, gone bool) {
	for range MaxLines {
		tup := tuple.Tuple(p.Item(tid.Offset))
		if p.Kind() != page.KindHeap || len(tup) < tuple.HeaderSize {
			return tid, false, true
		}
		mask := tup.Mask()
		x := tup.Xmax()
		if x == 0 || mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) != 0 {
			return tid, false, false
		}
		if mask&tuple.XmaxCommitted == 0 {
			if st, _ := v.Status(x); st != mvcc.Committed {
				return tid, false, false
			}
		}
		to := tup.CTID()
		switch {
		case to == tid:
			return tid, false, true
		case to.Block != tid.Block:
			return to, true, false
		}
		tid = to
	}
	return tid, true, false
}
