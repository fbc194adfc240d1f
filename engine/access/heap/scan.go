package heap

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
	"manifold/engine/vector"
)

// Scan reads a heap, or a range of its pages, from front to back. It holds no pin between calls of Next and belongs to
// one goroutine.
type Scan struct {
	t    *Table
	v    mvcc.View
	next base.BlockNumber
	end  base.BlockNumber
	off  base.OffsetNumber // the line pointer to go on with; zero at the start of a page

	rows    [MaxLines]tuple.Tuple
	at      [MaxLines]base.TID
	tids    [vector.BatchSize]base.TID
	wide    int // bytes of values out of line in the batch
	most    int // values of more bytes stay in their stored form; zero: all are fetched
	keep    bool
	root    bool
	kept    bool // see KeepVersions
	horizon base.LSN
	slow    bool // between two pages others may run: see GiveWay
	pr      pruner
	ring    *buffer.Ring // of a large table
}

// NewScan prepares a scan of the whole table as it is now. The snapshot must stay registered.
func (t *Table) NewScan(v mvcc.View) (*Scan, error) {
	s := &Scan{}
	return s, s.Reset(t, v)
}

// Reset begins anew, perhaps on another table.
func (s *Scan) Reset(t *Table, v mvcc.View) error {
	s.t, s.v = t, v
	t.readWhole(&s.v)
	n, err := t.Blocks()
	s.ring = t.s.pool.NewReadRing(n)
	s.SetRange(0, n)
	return err
}

// SetRange restricts the scan to the pages from first up to, not including, end, and rewinds it.
func (s *Scan) SetRange(first, end base.BlockNumber) { s.next, s.end, s.off = first, end, 0 }

// Look makes what is read from now on be judged by another snapshot, which must stay registered.
func (s *Scan) Look(v mvcc.View) {
	s.v = v
	s.t.readWhole(&s.v)
}

// LeaveWide makes Next leave values of more than most bytes in their stored form: vector.Stored tells of them.
func (s *Scan) LeaveWide(most int) { s.most = most }

// GiveWay makes Next let others run between two pages, where it finds nothing for long: the caller holds no pin, latch or mutex.
func (s *Scan) GiveWay() { s.slow = true }

// KeepTIDs makes Next keep the addresses of rows for TIDs.
func (s *Scan) KeepTIDs() { s.keep = true }

// KeepRoots is KeepTIDs with the addresses that index entries need: of the beginning of each row's chain of versions on
// its page. ColCTID still gives the version's own.
func (s *Scan) KeepRoots() { s.keep, s.root = true, true }

// TIDs gives the addresses of the rows of the last batch.
func (s *Scan) TIDs(n int) []base.TID { return s.tids[:n] }

// Next fills the batch with up to want visible rows, at most vector.BatchSize, and gives how many; zero at the end.
// cols lists columns from zero, or system columns; column k goes to b.Cols[k].
func (s *Scan) Next(want int, b *vector.Batch, cols []int) (int, error) {
	want = min(want, vector.BatchSize)
	s.t.resetColumns(b, cols, want)
	n := 0
	for s.wide = 0; n < want && s.next < s.end && s.wide < maxBatchValues; {
		if err := s.pause(); err != nil {
			return 0, err
		}
		k, err := s.readPage(want-n, b, n, cols)
		if err != nil {
			return 0, err
		}
		n += k
	}
	TrimColumns(b, cols, n)
	if s.t.toast != nil {
		return n, s.t.detoast(s.v.Task, b, cols, s.most)
	}
	return n, nil
}

func (s *Scan) pause() error {
	if s.slow {
		return s.v.Task.Breathe()
	}
	return s.v.Task.Interrupted()
}

// readPage copies up to room visible rows of the current page and moves on when it is done.
func (s *Scan) readPage(room int, b *vector.Batch, lane int, cols []int) (int, error) {
	buf, err := s.t.s.pool.PinRing(s.v.Task, s.t.tag(s.next), s.ring)
	if err != nil {
		return 0, err
	}
	s.v.Refresh()
	buf.RLock()
	if s.off == 0 && s.worthPruning(buf.Page()) {
		buf.RUnlock()
		if err := s.pruneNow(buf); err != nil {
			buf.Release()
			return 0, err
		}
		buf.RLock()
	}
	p := buf.Page()
	if k := p.Kind(); k != page.KindHeap && !p.IsNew() {
		buf.RUnlockRelease()
		return 0, pgerror.Corrupt("page %d of relation %s is a %s page, not a heap page", s.next, s.t.file, k)
	}
	seen, hinted, err := s.collect(p, room)
	if err != nil {
		buf.RUnlockRelease()
		return 0, err
	}
	n := seen
	if s.t.toast != nil {
		size := 0
		if n, size = s.t.affordable(s.rows[:n], cols, maxBatchValues-s.wide, s.most); n < seen {
			s.next, s.off = s.at[n].Block, s.at[n].Offset
		}
		s.wide += size
	}
	s.t.decode(b, lane, s.rows[:n], s.at[:n], cols)
	if s.keep {
		copy(s.tids[lane:], s.at[:n])
		if s.root {
			rootsOf(p, s.tids[lane:lane+n])
		}
	}
	clear(s.rows[:seen])
	if hinted {
		err = s.t.hinted(buf)
	}
	buf.RUnlockRelease()
	return n, err
}

// KeepVersions makes a scan under a snapshot that sees everything leave out what nobody sees at horizon h: what is left is reached
// from the beginning of its row's chain.
func (s *Scan) KeepVersions(h base.LSN) { s.kept, s.horizon = true, h }

// collect lists up to room visible rows of the page and sets the place to go on.
func (s *Scan) collect(p page.Page, room int) (n int, hinted bool, err error) {
	lines := p.Lines()
	all := p.Flags()&page.FlagAllVisible != 0 && !s.v.Snap.Any
	i := max(int(s.off), 1)
	room = min(room, MaxLines)
	serial := s.t.serial(&s.v)
	for ; i <= lines && n < room; i++ {
		tup := tuple.Tuple(p.Item(base.OffsetNumber(i)))
		if len(tup) < tuple.HeaderSize {
			continue
		}
		if !all {
			ok, hints := s.v.Visible(tup)
			if hints != 0 {
				tup.OrMask(hints)
				hinted = true
			}
			if serial != nil {
				if err := s.t.met(serial, &s.v, tup, base.TID{}, ok, false); err != nil {
					return 0, hinted, err
				}
			}
			if !ok {
				continue
			}
		}
		if s.kept {
			if removal, _, _ := mvcc.Removable(s.t.s.txns, s.horizon, tup); removal == mvcc.Remove {
				continue
			}
		}
		s.rows[n] = tup
		s.at[n] = base.TID{Block: s.next, Offset: base.OffsetNumber(i)}
		n++
	}
	if i > lines {
		s.next++
		s.off = 0
	} else {
		s.off = base.OffsetNumber(i)
	}
	return n, hinted, nil
}

// worthPruning tells whether a page is nearly full of what nobody sees.
func (s *Scan) worthPruning(p page.Page) bool {
	return p.PruneXID() != 0 && p.Kind() == page.KindHeap && p.HeapFreeSpace(MaxLines) <= page.Size/10+s.t.reserve &&
		s.t.prunable(p)
}

// pruneNow prunes a page unless somebody has it latched.
func (s *Scan) pruneNow(buf buffer.Buffer) error {
	if !buf.TryLock() {
		return nil
	}
	defer buf.Unlock()
	_, err := s.pr.prune(s.t, buf, s.t.s.txns.Horizon())
	return err
}

// rootsOf replaces the addresses of heap-only versions by those of the line pointers that their chains begin at.
func rootsOf(p page.Page, tids []base.TID) {
	var root [MaxLines + 1]base.OffsetNumber
	for i := 1; i <= min(p.Lines(), MaxLines); i++ {
		var c chainWalk
		for tup := c.start(p, base.OffsetNumber(i)); tup != nil; tup = c.next(p, tup) {
			root[c.at] = base.OffsetNumber(i)
		}
	}
	for i := range tids {
		if r := root[tids[i].Offset]; r != 0 {
			tids[i].Offset = r
		}
	}
}
