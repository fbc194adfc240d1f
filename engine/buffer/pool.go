package buffer

import (
	"runtime"
	"sync/atomic"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
)

// Log is what the pool needs of the write-ahead log.
type Log interface {
	// Flush makes the log durable up to lsn.
	Flush(lsn base.LSN) error
	// FlushedLSN gives the end of what is durable.
	FlushedLSN() base.LSN
	// LogImage logs an image of a page held at least shared, as the tuning has it; zero when none is needed.
	LogImage(t *activity.LogTuning, tag base.PageTag, p page.Page) (base.LSN, error)
}

// Options of a Pool.
type Options struct {
	Frames int // pages in memory: at least 16
}

// Pool is the shared buffers. All methods may be called concurrently.
type Pool struct {
	store  *storage.Manager
	log    atomic.Pointer[Log]
	mem    []byte
	frames []frame
	table  table
	hand   atomic.Uint64
	copies copies
	unmap  runtime.Cleanup // gives mem back when a pool is let go without Close, as an immediate shutdown does

	backendWrites atomic.Int64
	cleanWrites   atomic.Int64
	cleanStops    atomic.Int64
	allocated     atomic.Int64
}

// New makes a pool. log may be nil until SetLog (recovery pins before the log is open for writing; hints then dirty
// nothing and dirty pages are written without flushing).
func New(store *storage.Manager, log Log, o Options) (*Pool, error) {
	if o.Frames < 16 || o.Frames > 1<<30 {
		return nil, pgerror.Newf(pgerror.InvalidParameterValue, "invalid number of shared buffers: %d", o.Frames)
	}
	mem, err := allocate(o.Frames * page.Size)
	if err != nil {
		return nil, err
	}
	p := &Pool{store: store, mem: mem, frames: make([]frame, o.Frames)}
	p.unmap = runtime.AddCleanup(p, func(mem []byte) { _ = free(mem) }, mem) // nobody is left to tell
	for i := range p.frames {
		p.frames[i].next.Store(-1)
	}
	p.table.init(o.Frames)
	if log != nil {
		p.SetLog(log)
	}
	return p, nil
}

// SetLog joins the pool to the log.
func (p *Pool) SetLog(log Log) { p.log.Store(&log) }

// Close gives the memory back. No page may be in use.
func (p *Pool) Close() error {
	p.unmap.Stop()
	if err := free(p.mem); err != nil {
		return pgerror.Internal(err)
	}
	p.mem, p.frames = nil, nil
	return nil
}

// Storage gives the files below.
func (p *Pool) Storage() *storage.Manager { return p.store }

// Frames gives the size of the pool in pages.
func (p *Pool) Frames() int { return len(p.frames) }

func (p *Pool) page(i int32) page.Page {
	o := int(i) * page.Size
	return page.Page(p.mem[o : o+page.Size : o+page.Size])
}

// Pin finds or reads a page and pins it. A page whose bytes are wrong is XX001; a page beyond the end is too.
func (p *Pool) Pin(task *activity.Task, tag base.PageTag) (Buffer, error) {
	k := makeKey(tag)
	h := k.hash()
	if i := p.table.find(p.frames, k, h); i >= 0 {
		f := &p.frames[i]
		if f.pin() {
			if f.is(k) && f.state.Load()&flagValid != 0 {
				return p.hit(task, i), nil
			}
			f.unpin()
		}
	}
	return p.pinSlow(task, tag, k, h, readPage, nil)
}

// Hint remembers where a page was found, so that PinHint of the same page skips the hash table. Its zero value is no
// hint; it may be shared by goroutines.
type Hint struct{ frame atomic.Int32 }

// PinHint is Pin with a hint: for roots and other pages pinned by every statement.
func (p *Pool) PinHint(task *activity.Task, tag base.PageTag, h *Hint) (Buffer, error) {
	if i := h.frame.Load() - 1; i >= 0 && int(i) < len(p.frames) {
		f, k := &p.frames[i], makeKey(tag)
		if f.is(k) && f.pin() {
			if f.is(k) && f.state.Load()&flagValid != 0 {
				return p.hit(task, i), nil
			}
			f.unpin()
		}
	}
	b, err := p.Pin(task, tag)
	if err == nil {
		h.frame.Store(b.frame + 1)
	}
	return b, err
}

func (p *Pool) hit(task *activity.Task, i int32) Buffer {
	if task != nil {
		task.Buffers.Hit++
		task.Hold()
	}
	return Buffer{p, task, i}
}

// PinZero gives a page pinned, exclusively latched and all zero, without reading it; the fork is extended to hold it.
// It is for redo and for maps that heal themselves.
func (p *Pool) PinZero(task *activity.Task, tag base.PageTag) (Buffer, error) {
	if err := p.store.ExtendTo(tag.File, tag.Fork, tag.Block+1); err != nil {
		return Buffer{}, err
	}
	k := makeKey(tag)
	b, err := p.pinSlow(task, tag, k, k.hash(), zeroPage, nil)
	if err != nil {
		return b, err
	}
	clear(b.Page())
	return b, nil
}

// PinOrZero is Pin, but a page with wrong bytes comes back as zeros (maps that heal themselves).
func (p *Pool) PinOrZero(task *activity.Task, tag base.PageTag) (Buffer, error) {
	k := makeKey(tag)
	return p.pinSlow(task, tag, k, k.hash(), readOrZero, nil)
}

// Blocks gives the size of a fork in pages.
func (p *Pool) Blocks(f base.RelFile, fork base.Fork) (base.BlockNumber, error) {
	return p.store.Blocks(f, fork)
}

// fill says how a page that is not in memory comes about.
type fill uint8

const (
	readPage   fill = iota
	readOrZero      // wrong bytes become zeros
	zeroPage        // not read; comes back exclusively latched, found or not
)

// pinSlow is everything beyond a plain hit: waiting for a page that is being read, or reading it.
func (p *Pool) pinSlow(task *activity.Task, tag base.PageTag, k key, h uint64, how fill, r *Ring) (Buffer, error) {
	for {
		mu := p.table.part(h)
		mu.Lock()
		i := p.table.findLocked(p.frames, k, h)
		found := i >= 0 && p.frames[i].pinFor(r)
		mu.Unlock()
		if found {
			f := &p.frames[i]
			if f.state.Load()&flagValid == 0 {
				f.read.Lock() // until the page is there
				f.read.Unlock()
			}
			if f.state.Load()&flagValid == 0 {
				f.unpin() // the read failed; try it ourselves
				continue
			}
			if how == zeroPage {
				f.latch.Lock()
			}
			return p.hit(task, i), nil
		}
		b, again, err := p.load(task, tag, k, h, how, r)
		if err != nil || !again {
			return b, err
		}
	}
}

// load brings a page into a frame of its own. It gives again when another did so first.
func (p *Pool) load(task *activity.Task, tag base.PageTag, k key, h uint64, how fill, r *Ring) (Buffer, bool, error) {
	p.allocated.Add(1)
	i, err := p.frameFor(task, r)
	if err != nil {
		return Buffer{}, false, err
	}
	f := &p.frames[i] // untagged and pinned once: ours alone
	mu := p.table.part(h)
	mu.Lock()
	if p.table.findLocked(p.frames, k, h) >= 0 {
		mu.Unlock()
		f.unpin()
		return Buffer{}, true, nil
	}
	f.read.Lock()
	defer f.read.Unlock()
	if how == zeroPage {
		f.latch.Lock()
	}
	f.setKey(k)
	p.table.insertLocked(p.frames, i, h)
	f.set(flagTagged | usageOne) // usage is zero before
	mu.Unlock()

	if how == zeroPage {
		clear(p.page(i))
	} else if err := p.readMarked(task, i, tag, how); err != nil {
		p.untag(i, k, h)
		f.unpin()
		return Buffer{}, false, err
	}
	f.set(flagValid)
	if task != nil {
		task.Buffers.Read++
		task.Hold()
	}
	return Buffer{p, task, i}, false, nil
}

// readMarked is read with the wait event set; the slot is kept.
func (p *Pool) readMarked(task *activity.Task, i int32, tag base.PageTag, how fill) error {
	if task == nil {
		return p.read(i, tag, how)
	}
	task.Mark(activity.EventBufferIO)
	err := p.read(i, tag, how)
	task.Mark(activity.EventNone)
	return err
}

func (p *Pool) read(i int32, tag base.PageTag, how fill) error {
	pg := p.page(i)
	if err := p.store.Read(tag, pg); err != nil {
		return err
	}
	if pg.Verify(tag) {
		return nil
	}
	if how == readOrZero {
		clear(pg)
		return nil
	}
	return pgerror.Corrupt("invalid page in block %d of relation %s", tag.Block, storage.RelationPath(tag.File, tag.Fork))
}

// untag takes a frame out of the table; pins stay.
func (p *Pool) untag(i int32, k key, h uint64) {
	mu := p.table.part(h)
	mu.Lock()
	p.table.removeLocked(p.frames, i, h)
	p.frames[i].drop(flagTagged | flagValid | flagDirty | usageMask)
	mu.Unlock()
}

// victim sweeps for a frame that nobody uses and gives it untagged with our pin. A dirty one is written first.
func (p *Pool) victim(task *activity.Task) (int32, error) {
	n := uint64(len(p.frames))
	for tries := uint64(0); tries < 8*n+64; tries++ {
		if tries > n && tries%n == 0 {
			runtime.Gosched()
		}
		i := int32(p.hand.Add(1) % n)
		f := &p.frames[i]
		s := f.state.Load()
		if s&pinMask != 0 {
			continue
		}
		if s&usageMask != 0 {
			f.state.CompareAndSwap(s, s-usageOne)
			continue
		}
		if !f.state.CompareAndSwap(s, s+pinOne) {
			continue
		}
		if s&flagTagged == 0 {
			return i, nil
		}
		if s&flagDirty != 0 {
			if wrote, err := p.tryWriteFrame(i); err != nil || !wrote {
				f.unpin()
				if err != nil {
					return 0, err
				}
				continue
			}
			p.backendWrites.Add(1)
			if task != nil {
				task.Buffers.Written++
			}
		}
		if p.claim(i) {
			return i, nil
		}
		f.unpin()
	}
	return 0, pgerror.New(pgerror.InsufficientResources, "no unpinned buffers available")
}

// claim takes a tagged frame that only we have pinned, and that is clean, out of the table.
func (p *Pool) claim(i int32) bool {
	f := &p.frames[i]
	k := f.key()
	h := k.hash()
	mu := p.table.part(h)
	mu.Lock()
	defer mu.Unlock()
	for {
		s := f.state.Load()
		if s&pinMask != 1 || s&flagDirty != 0 || s&flagTagged == 0 {
			return false
		}
		if f.state.CompareAndSwap(s, s&^(flagTagged|flagValid|usageMask)) {
			break
		}
	}
	p.table.removeLocked(p.frames, i, h)
	return true
}
