package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
)

// PageReport is what vacuum learned of a page.
type PageReport struct {
	Removed int // rows that went
	Live    int // rows that stay
	Dying   int // rows that are ended, but some snapshot sees them
	Dead    int // line pointers that wait for the indexes
	Empty   bool
	Oldest  base.XID // the oldest transaction that the commit log must know for the page's sake; zero: none (see SetSettling)
}

// Vacuumer works through the pages of one table. It belongs to one goroutine.
type Vacuumer struct {
	t    *Table
	task *activity.Task
	pr   pruner
	ring *buffer.Ring

	settling settling
}

// NewVacuumer makes it.
func (t *Table) NewVacuumer(task *activity.Task) *Vacuumer {
	return &Vacuumer{t: t, task: task, ring: t.s.pool.NewVacuumRing()}
}

// Page prunes a page at horizon h and appends the dead line pointers to dead; without indexes these are freed at once.
// It records the page's room and marks it all-visible when it is.
func (v *Vacuumer) Page(b base.BlockNumber, h base.LSN, indexes bool, dead []base.TID) (PageReport, []base.TID, error) {
	var r PageReport
	buf, err := v.t.s.pool.PinRing(v.task, v.t.tag(b), v.ring)
	if err != nil {
		return r, dead, err
	}
	buf.Lock()
	p := buf.Page()
	if p.Kind() != page.KindHeap {
		buf.UnlockRelease()
		v.t.recordFree(v.task, b, MaxTuple)
		r.Empty = true
		return r, dead, nil
	}
	r.Removed, err = v.pr.prune(v.t, buf, h)
	start := len(dead)
	for i := 1; i <= p.Lines() && err == nil; i++ {
		if p.Line(base.OffsetNumber(i)).State() == page.LineDead {
			dead = append(dead, base.TID{Block: b, Offset: base.OffsetNumber(i)})
		}
	}
	if err == nil && !indexes && len(dead) > start {
		err = v.free(buf, dead[start:])
		dead = dead[:start]
	}
	r.Live, r.Dying, r.Dead = v.pr.live, v.pr.dying, len(dead)-start
	r.Empty = p.Lines() == 0
	if err == nil && r.Dead == 0 && !r.Empty {
		err = v.markVisible(buf, h)
	}
	if err == nil {
		r.Oldest, err = v.settle(buf)
	}
	free := p.HeapFreeSpace(MaxLines)
	buf.UnlockRelease()
	if err == nil {
		v.t.recordFree(v.task, b, free)
	}
	return r, dead, err
}

// Free makes the dead line pointers of one page reusable, once no index leads to them.
func (v *Vacuumer) Free(dead []base.TID, h base.LSN) error {
	buf, err := v.t.s.pool.PinRing(v.task, v.t.tag(dead[0].Block), v.ring)
	if err != nil {
		return err
	}
	buf.Lock()
	if err = v.free(buf, dead); err == nil && buf.Page().Lines() > 0 {
		err = v.markVisible(buf, h)
	}
	free := buf.Page().HeapFreeSpace(MaxLines)
	buf.UnlockRelease()
	if err == nil {
		v.t.recordFree(v.task, dead[0].Block, free)
	}
	return err
}

func (v *Vacuumer) free(buf buffer.Buffer, dead []base.TID) error {
	p := buf.Page()
	v.pr.plan.reset()
	for _, tid := range dead {
		if int(tid.Offset) <= p.Lines() && p.Line(tid.Offset).State() == page.LineDead {
			v.pr.plan.unused = append(v.pr.plan.unused, uint16(tid.Offset))
		}
	}
	if v.pr.plan.empty() {
		return nil
	}
	buf.MarkDirty()
	v.pr.plan.apply(p)
	return v.pr.log(v.t, buf)
}

// markVisible marks a page all-visible, and in the map, when every row on it is.
func (v *Vacuumer) markVisible(buf buffer.Buffer, h base.LSN) error {
	p := buf.Page()
	if p.Flags()&page.FlagAllVisible != 0 || !v.t.logged {
		return nil
	}
	v.pr.decide(v.t, p, h)
	if !v.pr.allVisible || !v.pr.plan.empty() {
		return nil
	}
	vm, err := pinMap(v.t.s.pool, v.task, vmTag(buf.Tag()))
	switch {
	case pgerror.Code(err) == pgerror.DiskFull:
		return nil // the map saves work only, and who vacuums may do it to get room
	case err != nil:
		return err
	}
	buf.MarkDirty()
	p.SetFlags(p.Flags() | page.FlagAllVisible)
	b := v.t.s.txns.Builder(v.task)
	defer v.t.s.txns.Done(b)
	b.Begin(rmgr.Heap2, infoVisible, base.InvalidXID)
	b.Block(0, buf.Tag(), p, 0)
	lsn, err := v.t.s.log.Insert(b)
	if err != nil {
		vm.Release()
		return err
	}
	buf.SetLSN(lsn)
	setBit(vm, buf.Tag().Block, true, lsn)
	return nil
}

// TruncateTail gives empty pages at the end of the heap back to the file system. The caller holds the table so that
// nobody else uses it. It gives how many pages went.
func (t *Table) TruncateTail(task *activity.Task) (base.BlockNumber, error) {
	n, err := t.Blocks()
	if err != nil {
		return 0, err
	}
	keep := n
	for keep > 0 {
		buf, err := t.s.pool.Pin(task, t.tag(keep-1))
		if err != nil {
			return 0, err
		}
		buf.RLock()
		empty := buf.Page().IsNew() || buf.Page().Lines() == 0
		buf.RUnlockRelease()
		if !empty {
			break
		}
		keep--
	}
	if keep == n {
		return 0, nil
	}
	t.target.Store(0)
	return n - keep, t.s.txns.Truncate(t.file, base.MainFork, keep, t.logged)
}
