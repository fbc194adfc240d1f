package heap

import (
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/page"
	"manifold/engine/rmgr"
	"manifold/engine/tuple"
)

// prunePlan is what pruning does to a page, decided before anything changes: pairs of line pointers to redirect, line
// pointers that become dead (an index may point there) and unused.
type prunePlan struct {
	redirect []uint16
	dead     []uint16
	unused   []uint16
}

func (pl *prunePlan) reset() {
	pl.redirect, pl.dead, pl.unused = pl.redirect[:0], pl.dead[:0], pl.unused[:0]
}

func (pl *prunePlan) empty() bool { return len(pl.redirect)+len(pl.dead)+len(pl.unused) == 0 }

// encode appends the record's main data: three counts, then the lists, all uint16.
func (pl *prunePlan) encode(dst []byte) []byte {
	dst = le.AppendUint16(dst, uint16(len(pl.redirect)))
	dst = le.AppendUint16(dst, uint16(len(pl.dead)))
	dst = le.AppendUint16(dst, uint16(len(pl.unused)))
	for _, list := range [][]uint16{pl.redirect, pl.dead, pl.unused} {
		for _, v := range list {
			dst = le.AppendUint16(dst, v)
		}
	}
	return dst
}

func (pl *prunePlan) decode(d []byte) bool {
	pl.reset()
	if len(d) < 6 {
		return false
	}
	r, de, u := int(le.Uint16(d)), int(le.Uint16(d[2:])), int(le.Uint16(d[4:]))
	if d = d[6:]; len(d) != 2*(r+de+u) || r%2 != 0 {
		return false
	}
	for i := 0; i < r+de+u; i++ {
		v := le.Uint16(d[2*i:])
		switch {
		case i < r:
			pl.redirect = append(pl.redirect, v)
		case i < r+de:
			pl.dead = append(pl.dead, v)
		default:
			pl.unused = append(pl.unused, v)
		}
	}
	return true
}

// apply does it; false when the plan does not fit the page.
func (pl *prunePlan) apply(p page.Page) bool {
	n := uint16(p.Lines())
	for _, list := range [][]uint16{pl.redirect, pl.dead, pl.unused} {
		for _, v := range list {
			if v == 0 || v > n {
				return false
			}
		}
	}
	for i := 0; i < len(pl.redirect); i += 2 {
		p.SetRedirect(base.OffsetNumber(pl.redirect[i]), base.OffsetNumber(pl.redirect[i+1]))
	}
	for _, v := range pl.dead {
		p.SetDead(base.OffsetNumber(v))
	}
	for _, v := range pl.unused {
		p.SetUnused(base.OffsetNumber(v))
	}
	p.Compact()
	return true
}

// rowKind says what a line pointer has.
type rowKind uint8

const (
	noRow rowKind = iota
	rootRow
	heapOnlyRow
)

// pruner decides what can go from a page. It is reused.
type pruner struct {
	plan  prunePlan
	fate  [MaxLines + 1]mvcc.Removal
	kind  [MaxLines + 1]rowKind
	seen  [MaxLines + 1]bool // reached by a chain that is followed
	chain []base.OffsetNumber
	data  []byte

	live, dying int      // normal rows that stay: for everyone or for some
	allVisible  bool     // every row that stays is visible to all
	next        base.XID // whose end makes pruning worthwhile again
	hinted      bool
}

// prunable tells whether pruning the page may free room: a quick look under any latch.
func (t *Table) prunable(p page.Page) bool {
	x := p.PruneXID()
	if x == 0 {
		return false
	}
	st, l := t.s.txns.Status(x)
	return st == mvcc.Aborted || st == mvcc.Committed && l <= t.s.txns.Horizon()
}

// prunableNow is prunable with a horizon that is as new as it can be, if the last one does not do.
func (t *Table) prunableNow(p page.Page) bool {
	if p.PruneXID() == 0 || t.prunable(p) {
		return p.PruneXID() != 0
	}
	t.s.txns.RefreshHorizon()
	return t.prunable(p)
}

// notePrunable remembers the oldest transaction whose end will make pruning worthwhile.
func notePrunable(p page.Page, x base.XID) {
	if old := p.PruneXID(); old == 0 || x < old {
		p.SetPruneXID(x)
	}
}

// prune removes from a page, latched exclusively, what no snapshot at or behind h sees, and compacts it. It gives how
// many rows went.
func (pr *pruner) prune(t *Table, buf buffer.Buffer, h base.LSN) (removed int, err error) {
	p := buf.Page()
	if p.Kind() != page.KindHeap {
		return 0, nil
	}
	removed = pr.decide(t, p, h)
	p.SetPruneXID(pr.next)
	if pr.plan.empty() {
		if pr.hinted {
			return 0, t.hinted(buf)
		}
		return 0, nil
	}
	buf.MarkDirty()
	pr.plan.apply(p)
	return removed, pr.log(t, buf)
}

func (pr *pruner) log(t *Table, buf buffer.Buffer) error {
	if !t.logged {
		return nil
	}
	b := t.s.txns.Builder(buf.Task())
	defer t.s.txns.Done(b)
	b.Begin(rmgr.Heap2, infoPrune, base.InvalidXID)
	pr.data = pr.plan.encode(pr.data[:0])
	b.Data(pr.data)
	b.Block(0, buf.Tag(), buf.Page(), 0)
	return t.finishLog(b, buf)
}

// decide fills the plan and the counts. Hints on the page may stem from a newer horizon than h. It is read again under
// the exclusive latch, so that it is at least theirs: judged by an older one, a version could go whose predecessor stays.
func (pr *pruner) decide(t *Table, p page.Page, h base.LSN) (removed int) {
	h = max(h, t.s.txns.Horizon())
	pr.plan.reset()
	pr.live, pr.dying, pr.allVisible, pr.next, pr.hinted = 0, 0, true, 0, false
	n := min(p.Lines(), MaxLines)
	orphans := 0 // heap-only versions that are dead
	for i := 1; i <= n; i++ {
		pr.seen[i] = false
		pr.kind[i] = noRow
		tup := tuple.Tuple(p.Item(base.OffsetNumber(i)))
		if len(tup) < tuple.HeaderSize {
			continue
		}
		fate, hints, _ := mvcc.Removable(t.s.txns, h, tup)
		pr.fate[i] = fate
		if hints != 0 {
			tup.OrMask(hints)
			pr.hinted = true
		}
		pr.kind[i] = rootRow
		if tup.Mask()&tuple.HeapOnly != 0 {
			pr.kind[i] = heapOnlyRow
		}
		pr.count(fate, tup)
		if fate == mvcc.Remove {
			removed++
			if pr.kind[i] == heapOnlyRow {
				orphans++
			}
		}
	}
	for i := 1; i <= n; i++ {
		off := base.OffsetNumber(i)
		switch pr.kind[i] {
		case rootRow: // a chain whose first version stays, stays
			if pr.fate[i] == mvcc.Remove {
				pr.follow(p, off, off, n)
			}
			continue
		case heapOnlyRow:
			continue
		}
		switch l := p.Line(off); l.State() {
		case page.LineRedirect:
			if to := l.Redirect(); int(to) > n || pr.kind[to] != heapOnlyRow || pr.fate[to] == mvcc.Remove {
				pr.follow(p, off, to, n)
			}
		case page.LineDead:
			pr.allVisible = false // an index entry still leads here
		}
	}
	for i := 1; i <= n && orphans > 0; i++ {
		if pr.kind[i] == heapOnlyRow && !pr.seen[i] && pr.fate[i] == mvcc.Remove {
			pr.plan.unused = append(pr.plan.unused, uint16(i)) // a version whose update rolled back
		}
	}
	return removed
}

func (pr *pruner) count(fate mvcc.Removal, tup tuple.Tuple) {
	switch fate {
	case mvcc.Remove:
		return
	case mvcc.Keep:
		pr.live++
		if tup.Mask()&tuple.XminCommitted == 0 {
			pr.allVisible = false
		}
		return
	case mvcc.KeepInserted:
		pr.live++
	default:
		pr.dying++
		if x := tup.Xmax(); pr.next == 0 || x < pr.next {
			pr.next = x
		}
	}
	pr.allVisible = false
}

// follow walks the chain of versions that root leads to and plans the removal of its dead beginning.
func (pr *pruner) follow(p page.Page, root, first base.OffsetNumber, n int) {
	pr.chain = pr.chain[:0]
	prev := base.XID(0)
	dead := 0
	for at := first; at != 0 && int(at) <= n && !pr.seen[at]; {
		tup := tuple.Tuple(p.Item(at))
		if len(tup) < tuple.HeaderSize {
			break
		}
		mask := tup.Mask()
		if prev != 0 && (tup.Xmin() != prev || mask&tuple.HeapOnly == 0) {
			break
		}
		pr.seen[at] = true
		pr.chain = append(pr.chain, at)
		if pr.fate[at] == mvcc.Remove && dead == len(pr.chain)-1 {
			dead++
		}
		if mask&tuple.HotUpdated == 0 || mask&tuple.XmaxInvalid != 0 {
			break
		}
		prev = tup.Xmax()
		at = tup.CTID().Offset
	}
	if len(pr.chain) == 0 {
		if root != first { // a redirect that leads nowhere
			pr.plan.dead = append(pr.plan.dead, uint16(root))
		}
		return
	}
	if dead == 0 {
		return
	}
	for _, at := range pr.chain[:dead] {
		if at != root {
			pr.plan.unused = append(pr.plan.unused, uint16(at))
		}
	}
	if dead == len(pr.chain) {
		pr.plan.dead = append(pr.plan.dead, uint16(root))
		pr.allVisible = false
		return
	}
	pr.plan.redirect = append(pr.plan.redirect, uint16(root), uint16(pr.chain[dead]))
}
