package heap

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
)

// pageFor gives a page with room for a row, pinned and exclusively latched; reserve bytes are left free on pages that
// have rows. fresh tells that the page is new to the log. It looks at the writer's last page, the table's last page, the
// free space map, and then extends the heap; more is how many bytes are to be written in all, so that the pages for them
// are added at once.
func (w *Writer) pageFor(size, reserve, more int) (buf buffer.Buffer, fresh bool, err error) {
	t := w.t
	tried := base.InvalidBlock
	if w.target == base.InvalidBlock {
		if b := t.target.Load(); b != 0 {
			w.target = base.BlockNumber(b - 1)
		} else if n, err := t.Blocks(); err != nil {
			return buf, false, err
		} else if n > 0 {
			w.target = n - 1
		}
	}
	for range 8 {
		b := w.target
		if b == base.InvalidBlock || b == tried {
			break
		}
		tried = b
		buf, fresh, ok, err := w.tryPage(b, size, reserve)
		if err != nil || ok {
			return buf, fresh, err
		}
		if w.next < w.end {
			w.target, w.next = w.next, w.next+1
		} else if w.target, err = t.findFree(w.task, size+reserve); err != nil {
			return buf, false, err
		}
	}
	for {
		var n int
		buf, n, err = t.s.pool.ExtendMany(w.task, t.file, base.MainFork, more/(page.Size-page.HeaderSize-reserve))
		if err != nil {
			return buf, false, err
		}
		w.next = buf.Tag().Block + 1
		w.end = w.next + base.BlockNumber(n-1)
		p := buf.Page()
		w.setTarget(buf.Tag().Block)
		if p.IsNew() {
			p.Init(page.KindHeap, 0)
			return buf, true, nil
		}
		if p.HeapFreeSpace(MaxLines) >= size { // another session found the page before we had it latched
			return buf, false, nil
		}
		buf.UnlockRelease()
	}
}

func (w *Writer) setTarget(b base.BlockNumber) {
	w.target = b
	w.t.target.Store(uint32(b) + 1)
}

// tryPage latches a page and keeps it when it has room, after pruning if that may help.
func (w *Writer) tryPage(b base.BlockNumber, size, reserve int) (buf buffer.Buffer, fresh, ok bool, err error) {
	t := w.t
	n, err := t.Blocks()
	if err != nil || b >= n { // truncated meanwhile
		return buf, false, false, err
	}
	if buf, err = t.s.pool.Pin(w.task, t.tag(b)); err != nil {
		return buf, false, false, err
	}
	buf.Lock()
	p := buf.Page()
	if p.IsNew() {
		p.Init(page.KindHeap, 0)
		w.setTarget(b)
		return buf, true, true, nil
	}
	free := p.HeapFreeSpace(MaxLines)
	if free < size+reserve && t.prunable(p) {
		if _, err = w.scan.prune(t, buf, t.s.txns.Horizon()); err != nil {
			buf.UnlockRelease()
			return buf, false, false, err
		}
		free = p.HeapFreeSpace(MaxLines)
	}
	if free >= size+reserve || free >= size && p.Lines() == 0 {
		w.setTarget(b)
		return buf, false, true, nil
	}
	buf.UnlockRelease()
	t.recordFree(w.task, b, free)
	return buffer.Buffer{}, false, false, nil
}

// The free space map is the FSM fork: a byte for every heap page, its free bytes in units of freeUnit, rounded down. It is
// not logged; wrong entries are corrected when met. A page's prune field is an upper bound of the entries on it.
const (
	freeUnit   = 32
	fsmEntries = page.Size - page.HeaderSize
)

func (t *Table) fsmTag(b base.BlockNumber) base.PageTag {
	return base.PageTag{File: t.file, Fork: base.FSMFork, Block: b}
}

// recordFree notes how much room a page has. The map is a hint: failures to reach it are ignored.
func (t *Table) recordFree(task *activity.Task, b base.BlockNumber, free int) {
	buf, err := t.mapPage(task, t.fsmTag(b/fsmEntries))
	if err != nil {
		return
	}
	buf.Lock()
	p := buf.Page()
	if p.Kind() != page.KindFSM {
		p.Init(page.KindFSM, 0)
	}
	v := byte(min(free/freeUnit, 255))
	at := page.HeaderSize + int(b%fsmEntries)
	if p[at] != v {
		p[at] = v
		if uint64(p.PruneXID()) < uint64(v) {
			p.SetPruneXID(base.XID(v))
		}
		buf.MarkDirty()
	}
	buf.UnlockRelease()
}

// findFree gives a page that should have size free bytes, InvalidBlock when none is known.
func (t *Table) findFree(task *activity.Task, size int) (base.BlockNumber, error) {
	n, err := t.s.pool.Blocks(t.file, base.FSMFork)
	if err != nil || n == 0 {
		return base.InvalidBlock, err
	}
	blocks, err := t.Blocks()
	if err != nil {
		return base.InvalidBlock, err
	}
	need := byte(min((size+freeUnit-1)/freeUnit, 255))
	start := base.BlockNumber(t.fsmPage.Load()) % n
	for i := range n {
		at := (start + i) % n
		b, err := t.searchMap(task, at, need)
		if err != nil {
			return base.InvalidBlock, err
		}
		if b != base.InvalidBlock && b < blocks {
			t.fsmPage.Store(uint32(at))
			return b, nil
		}
	}
	return base.InvalidBlock, nil
}

func (t *Table) searchMap(task *activity.Task, at base.BlockNumber, need byte) (base.BlockNumber, error) {
	buf, err := t.s.pool.PinOrZero(task, t.fsmTag(at))
	if err != nil {
		return base.InvalidBlock, err
	}
	buf.Lock()
	defer buf.UnlockRelease()
	p := buf.Page()
	if p.Kind() != page.KindFSM || uint64(p.PruneXID()) < uint64(need) {
		return base.InvalidBlock, nil
	}
	best := byte(0)
	for i, v := range p[page.HeaderSize:] {
		if v >= need {
			return at*fsmEntries + base.BlockNumber(i), nil
		}
		best = max(best, v)
	}
	p.SetPruneXID(base.XID(best))
	return base.InvalidBlock, nil
}

// mapPage pins a page of a map, making the fork that long when it is not.
func (t *Table) mapPage(task *activity.Task, tag base.PageTag) (buffer.Buffer, error) {
	return pinMap(t.s.pool, task, tag)
}

func pinMap(pool *buffer.Pool, task *activity.Task, tag base.PageTag) (buffer.Buffer, error) {
	n, err := pool.Blocks(tag.File, tag.Fork)
	if err == nil && tag.Block >= n {
		err = pool.Storage().ExtendTo(tag.File, tag.Fork, tag.Block+1)
	}
	if err != nil {
		return buffer.Buffer{}, err
	}
	return pool.PinOrZero(task, tag)
}

// The visibility map is the VM fork: a bit for every heap page, set when every row on it is visible to all. Setting a bit
// is logged (record Visible) and its page carries that record's LSN, so that the bit is on disk only with the record;
// clearing one is part of the redo of whatever changes the page.
const vmBits = (page.Size - page.HeaderSize) * 8

func vmPlace(b base.BlockNumber) (base.BlockNumber, int, byte) {
	i := int(b % vmBits)
	return b / vmBits, page.HeaderSize + i/8, 1 << (i % 8)
}

// clearAllVisible takes the page's mark and its bit away before a change; the page is latched exclusively. It gives the
// flag of the record.
func (w *Writer) clearAllVisible(buf buffer.Buffer) (uint8, error) {
	p := buf.Page()
	if p.Flags()&page.FlagAllVisible == 0 {
		return 0, nil
	}
	if err := setVisible(w.t.s.pool, w.task, buf.Tag(), false, 0); err != nil {
		return 0, err
	}
	p.SetFlags(p.Flags() &^ page.FlagAllVisible)
	return flagCleared, nil
}

// vmTag names the page of the map that has the bit of a heap page.
func vmTag(heapPage base.PageTag) base.PageTag {
	b, _, _ := vmPlace(heapPage.Block)
	return base.PageTag{File: heapPage.File, Fork: base.VMFork, Block: b}
}

// setVisible sets or clears the bit of a heap page. Beyond the end of the map every bit is clear, so that clearing one takes no room
// on a disk that is full.
func setVisible(pool *buffer.Pool, task *activity.Task, heapPage base.PageTag, on bool, lsn base.LSN) error {
	tag := vmTag(heapPage)
	if !on {
		if n, err := pool.Blocks(tag.File, tag.Fork); err != nil || tag.Block >= n {
			return err
		}
	}
	vm, err := pinMap(pool, task, tag)
	if err != nil {
		return err
	}
	setBit(vm, heapPage.Block, on, lsn)
	return nil
}

// setBit sets or clears the bit of a heap page in its page of the map and unpins that.
func setBit(vm buffer.Buffer, heapPage base.BlockNumber, on bool, lsn base.LSN) {
	_, at, bit := vmPlace(heapPage)
	vm.Lock()
	p := vm.Page()
	if p.Kind() != page.KindVM {
		p.Init(page.KindVM, 0)
	}
	if on {
		p[at] |= bit
		vm.MarkDirty()
		if lsn > p.LSN() {
			vm.SetLSN(lsn)
		}
	} else if p[at]&bit != 0 {
		p[at] &^= bit
		vm.MarkDirty()
	}
	vm.UnlockRelease()
}

// AllVisible tells whether every row of a page is visible to all, so that an index-only scan need not look. cache keeps a
// page of the map pinned between calls with the same cache; release it with Release.
func (t *Table) AllVisible(task *activity.Task, b base.BlockNumber, cache *VMCache) (bool, error) {
	mb, at, bit := vmPlace(b)
	if !cache.buf.Valid() || cache.block != mb {
		cache.Release()
		n, err := t.s.pool.Blocks(t.file, base.VMFork)
		if err != nil || mb >= n {
			return false, err
		}
		if cache.buf, err = t.s.pool.PinOrZero(task, base.PageTag{File: t.file, Fork: base.VMFork, Block: mb}); err != nil {
			return false, err
		}
		cache.block = mb
	}
	cache.buf.RLock()
	p := cache.buf.Page()
	on := p.Kind() == page.KindVM && p[at]&bit != 0
	cache.buf.RUnlock()
	return on, nil
}

// VMCache is a pinned page of the visibility map; it must be released before the task waits.
type VMCache struct {
	buf   buffer.Buffer
	block base.BlockNumber
}

// Release unpins the page.
func (c *VMCache) Release() {
	if c.buf.Valid() {
		c.buf.Release()
		c.buf = buffer.Buffer{}
	}
}

// MapReader asks the visibility map for an index-only scan, which must not wait while it asks: one page of the map is pinned
// before, and of heap pages beyond it nothing is known.
type MapReader struct {
	table *Table
	cache VMCache
	want  base.BlockNumber // the page of the map that the next Prepare pins
	last  base.BlockNumber
	all   bool // what the map said of page last since Prepare
}

// NewMapReader makes a reader of the table's map.
func (t *Table) NewMapReader() *MapReader { return &MapReader{table: t, last: base.InvalidBlock} }

// Prepare pins a page of the map: that which was missed last. Release follows before the task waits.
func (r *MapReader) Prepare(task *activity.Task) error {
	r.last = base.InvalidBlock
	_, err := r.table.AllVisible(task, r.want*vmBits, &r.cache)
	return err
}

// Release unpins it.
func (r *MapReader) Release() { r.cache.Release() }

// Visible tells whether all rows of a heap page are known to be visible to everybody.
func (r *MapReader) Visible(b base.BlockNumber) bool {
	if b == r.last {
		return r.all
	}
	mb, at, bit := vmPlace(b)
	if !r.cache.buf.Valid() || r.cache.block != mb {
		r.want = mb
		return false
	}
	r.cache.buf.RLock()
	p := r.cache.buf.Page()
	r.last, r.all = b, p.Kind() == page.KindVM && p[at]&bit != 0
	r.cache.buf.RUnlock()
	return r.all
}
