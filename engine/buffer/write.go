package buffer

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"sync"

	"manifold/engine/base"
	"manifold/engine/page"
)

// copies lends private pages to writers.
type copies struct{ pool sync.Pool }

func (c *copies) get() page.Page {
	if p, ok := c.pool.Get().(*page.Page); ok {
		return *p
	}
	return make(page.Page, page.Size)
}

func (c *copies) put(p page.Page) { c.pool.Put(&p) }

// writeFrame writes a pinned page if it is dirty, once the log covers it. After an error the page is dirty as before.
func (p *Pool) writeFrame(i int32) error {
	f := &p.frames[i]
	f.io.Lock()
	defer f.io.Unlock()
	f.latch.RLock()
	return p.writeLatched(i)
}

// tryWriteFrame is writeFrame for an evictor, who may hold latches that the holder of this page's latch waits for: it
// gives up instead of waiting.
func (p *Pool) tryWriteFrame(i int32) (bool, error) {
	f := &p.frames[i]
	if !f.io.TryLock() {
		return false, nil
	}
	defer f.io.Unlock()
	if !f.latch.TryRLock() {
		return false, nil
	}
	return true, p.writeLatched(i)
}

// writeLatched copies a page latched shared (which it ends) and writes the copy; io is held.
func (p *Pool) writeLatched(i int32) error {
	f := &p.frames[i]
	if f.state.Load()&flagDirty == 0 {
		f.latch.RUnlock()
		return nil
	}
	private := p.copies.get()
	defer p.copies.put(private)
	f.set(flagWrite)
	f.drop(flagDirty)
	p.page(i).CopyShared(private)
	f.latch.RUnlock()
	err := p.writeCopy(f.key().tag(), private)
	if err != nil {
		f.set(flagDirty)
	}
	f.drop(flagWrite)
	return err
}

func (p *Pool) writeCopy(tag base.PageTag, private page.Page) error {
	if log := p.log.Load(); log != nil && tag.File.Temp == 0 && tag.Fork != base.FSMFork {
		if err := (*log).Flush(private.LSN()); err != nil {
			return err
		}
	}
	private.SetChecksum(tag)
	return p.store.Write(tag, private)
}

// CleanBuffers walks ahead of the clock hand over the next pages that can be evicted, as many as ahead, and writes at most
// max of them that are dirty: the background writer's round. It gives how many it wrote.
func (p *Pool) CleanBuffers(ahead, max int) (int, error) {
	n := uint64(len(p.frames))
	hand := p.hand.Load()
	written := 0
	for k := uint64(1); k <= n && written < max && ahead > 0; k++ {
		i := int32((hand + k) % n)
		f := &p.frames[i]
		s := f.state.Load()
		if s&(pinMask|usageMask) != 0 {
			continue
		}
		ahead--
		if s&flagDirty == 0 || !f.state.CompareAndSwap(s, s+pinOne) {
			continue
		}
		err := p.writeFrame(i)
		f.unpin()
		if err != nil {
			return written, err
		}
		written++
	}
	p.cleanWrites.Add(int64(written))
	if written == max {
		p.cleanStops.Add(1)
	}
	return written, nil
}

// CheckpointWrite writes every page that is dirty at the call, in file order. pace is called after each write with
// what is done and the total; its error ends the work.
func (p *Pool) CheckpointWrite(pace func(done, total int) error) (int, error) {
	return p.writeAll(func(k key) bool { return k.tag().File.Temp == 0 }, pace)
}

// FlushRelation writes all dirty pages of a relation, not yet durable.
func (p *Pool) FlushRelation(r base.RelFile) error {
	_, err := p.writeAll(func(k key) bool { return k.tag().File == r }, nil)
	return err
}

// FlushDatabase writes all dirty pages of a database, not yet durable.
func (p *Pool) FlushDatabase(db base.OID) error {
	_, err := p.writeAll(func(k key) bool { return base.OID(uint32(k[0])) == db }, nil)
	return err
}

type dirtyFrame struct {
	k key
	i int32
}

func (p *Pool) writeAll(match func(key) bool, pace func(done, total int) error) (int, error) {
	var todo []dirtyFrame
	for i := range p.frames {
		f := &p.frames[i]
		if f.state.Load()&(flagDirty|flagWrite) == 0 {
			continue
		}
		if k := f.key(); match(k) {
			todo = append(todo, dirtyFrame{k, int32(i)})
		}
	}
	slices.SortFunc(todo, func(a, b dirtyFrame) int {
		for _, w := range [...]int{0, 2} {
			if c := cmp.Compare(a.k[w], b.k[w]); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.k[1], b.k[1])
	})
	done := 0
	for _, d := range todo {
		f := &p.frames[d.i]
		if !f.pin() {
			continue // evicted, hence written
		}
		var err error
		if f.is(d.k) {
			err = p.writeFrame(d.i) // also waits for a write on its way, whose failure leaves the page dirty
		}
		f.unpin()
		if err != nil {
			return done, err
		}
		done++
		if pace != nil {
			if err := pace(done, len(todo)); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// DropRelation forgets all pages of a relation, dirty ones unwritten; nobody may use them any more.
func (p *Pool) DropRelation(r base.RelFile) {
	for fork := base.MainFork; fork <= base.InitFork; fork++ {
		if !p.dropFew(r, fork, 0) {
			p.dropAll(func(k key) bool { return k.tag().File == r })
			return
		}
	}
}

// dropShare is the share of the frames up to which the pages of a fork are looked up one by one rather than by a walk over
// all frames.
const dropShare = 32

// dropFew forgets the pages of a fork from a block on by looking each up; it gives false, having done nothing, when they are
// too many for that.
func (p *Pool) dropFew(r base.RelFile, fork base.Fork, from base.BlockNumber) bool {
	n, err := p.store.Blocks(r, fork)
	if err != nil || n > from && int64(n-from) > int64(len(p.frames)/dropShare) {
		return false
	}
	for b := from; b < n; b++ {
		k := makeKey(base.PageTag{File: r, Fork: fork, Block: b})
		h := k.hash()
		mu := p.table.part(h)
		mu.Lock()
		i := p.table.findLocked(p.frames, k, h)
		mu.Unlock()
		if i >= 0 {
			p.dropFrame(i, func(other key) bool { return other == k })
		}
	}
	return true
}

// DropDatabase forgets all pages of a database.
func (p *Pool) DropDatabase(db base.OID) {
	p.dropAll(func(k key) bool { return base.OID(uint32(k[0])) == db })
}

// Truncate forgets the pages of a fork from n on and cuts its file.
func (p *Pool) Truncate(r base.RelFile, fork base.Fork, n base.BlockNumber) error {
	if !p.dropFew(r, fork, n) {
		p.dropAll(func(k key) bool {
			t := k.tag()
			return t.File == r && t.Fork == fork && t.Block >= n
		})
	}
	return p.store.Truncate(r, fork, n)
}

// dropAll drops the frames of all pages that match.
func (p *Pool) dropAll(match func(key) bool) {
	for i := range p.frames {
		p.dropFrame(int32(i), match)
	}
}

// dropFrame takes a frame's page out of the pool as long as it matches, waiting out those who have it pinned for a moment: the
// writers of the pool and sweeps.
func (p *Pool) dropFrame(i int32, match func(key) bool) {
	f := &p.frames[i]
	for f.state.Load()&flagTagged != 0 {
		k := f.key()
		if !match(k) || !f.pin() {
			return
		}
		if f.is(k) {
			f.io.Lock() // no write is on its way
			f.drop(flagDirty)
			f.io.Unlock()
			if p.claim(i) {
				f.unpin()
				return
			}
		}
		f.unpin()
		runtime.Gosched()
	}
}

// Stats are counters since the start.
type Stats struct{ BackendWrites, CleanWrites, CleanStops, Allocated int64 }

// Stats gives the pool's counters: pages written by those who needed a frame, and by the background writer; rounds that the
// latter ended at its limit; frames taken for pages.
func (p *Pool) Stats() Stats {
	return Stats{p.backendWrites.Load(), p.cleanWrites.Load(), p.cleanStops.Load(), p.allocated.Load()}
}

// Pinned lists the pages that have pins, for leak checks in tests.
func (p *Pool) Pinned() []base.PageTag {
	var out []base.PageTag
	for i := range p.frames {
		if p.frames[i].state.Load()&pinMask != 0 {
			out = append(out, p.frames[i].key().tag())
		}
	}
	slices.SortFunc(out, func(a, b base.PageTag) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	return out
}
