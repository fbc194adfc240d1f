package btree

import (
	"sync"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
)

// FreePages is the pages of an index that are out of the tree, oldest first. The pages themselves say so durably; the list is
// filled by the vacuums that take them out, and by the first vacuum after a start, which looks at every page. It outlives the
// Index, whose descriptor changes often: see ShareFree.
type FreePages struct {
	mu     sync.Mutex // guards all below
	list   []freePage
	listed bool  // every page has been looked at
	went   int64 // pages taken out of the tree so far
}

// freePage is a page that may be used again once the horizon has passed lsn and no transaction below next runs: nobody can
// still be on the way to it then.
type freePage struct {
	block base.BlockNumber
	lsn   base.LSN
	next  base.XID
}

// ShareFree makes the index use a list that others have for the same file.
func (ix *Index) ShareFree(f *FreePages) { ix.free = f }

// Pages is what is known of the pages that an index does not use.
type Pages struct {
	Went     int64 // taken out of the tree since the start
	Free     int64 // not used again yet
	Reusable int64 // of those
}

// Pages gives the counts.
func (ix *Index) Pages() Pages {
	ix.free.mu.Lock()
	defer ix.free.mu.Unlock()
	p := Pages{Went: ix.free.went, Free: int64(len(ix.free.list))}
	for _, f := range ix.free.list {
		if ix.settled(f.lsn, f.next) {
			p.Reusable++
		}
	}
	return p
}

// unlinked adds a page that has just gone.
func (f *FreePages) unlinked(p freePage) {
	f.add(p)
	f.mu.Lock()
	f.went++
	f.mu.Unlock()
}

func (f *FreePages) add(p freePage) {
	f.mu.Lock()
	f.list = append(f.list, p)
	f.mu.Unlock()
}

// takeFree gives the oldest page when it may be used again.
func (ix *Index) takeFree() (base.BlockNumber, bool) {
	f := ix.free
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 || !ix.settled(f.list[0].lsn, f.list[0].next) {
		return 0, false
	}
	b := f.list[0].block
	f.list = f.list[1:]
	return b, true
}

// settled tells whether nobody can be on the way to a page that went at lsn, before transaction next began.
func (ix *Index) settled(lsn base.LSN, next base.XID) bool {
	return lsn < ix.txns.Horizon() && next <= ix.txns.OldestRunning()
}

// newPage gives a page for a node, latched: one that is free, or one at the end of the file. Whoever has a latch on a free page
// may wait for one of the caller's, so this does not wait for it.
func (ix *Index) newPage(task *activity.Task) (buffer.Buffer, error) {
	for {
		b, ok := ix.takeFree()
		if !ok {
			return ix.pool.Extend(task, ix.file, base.MainFork)
		}
		if n, err := ix.Blocks(); err != nil || b >= n { // it was emptied
			if err != nil {
				return buffer.Buffer{}, err
			}
			continue
		}
		buf, err := ix.pool.Pin(task, ix.tag(b))
		if err != nil {
			return buf, err
		}
		if buf.TryLock() {
			if ix.reusable(buf) {
				return buf, nil
			}
			buf.Unlock()
		}
		buf.Release()
	}
}

// reusable tells whether a latched page belongs to nobody: it was never used, or is out of the tree for long enough.
func (ix *Index) reusable(buf buffer.Buffer) bool {
	n := node{buf.Page()}
	if n.IsNew() {
		return true
	}
	return n.sound() && n.deleted() && ix.settled(n.LSN(), n.PruneXID())
}

// listFree looks at every page once and lists those that are free. Two lists may have the same page: newPage looks again.
func (ix *Index) listFree(task *activity.Task, delay func() error) error {
	ix.free.mu.Lock()
	done := ix.free.listed
	ix.free.listed = true
	known := map[base.BlockNumber]bool{}
	for _, p := range ix.free.list {
		known[p.block] = true
	}
	ix.free.mu.Unlock()
	if done {
		return nil
	}
	err := ix.eachFree(task, delay, func(p freePage) {
		if !known[p.block] {
			ix.free.add(p)
		}
	})
	if err != nil {
		ix.free.mu.Lock()
		ix.free.listed = false
		ix.free.mu.Unlock()
	}
	return err
}

// eachFree looks at every page.
func (ix *Index) eachFree(task *activity.Task, delay func() error, add func(freePage)) error {
	blocks, err := ix.Blocks()
	if err != nil {
		return err
	}
	ring := ix.pool.NewVacuumRing()
	for b := metaBlock + 1; b < blocks; b++ {
		if err := task.Breathe(); err != nil {
			return err
		}
		buf, err := ix.pool.PinRing(task, ix.tag(b), ring)
		if err != nil {
			return err
		}
		buf.RLock()
		n := node{buf.Page()}
		if n.IsNew() || n.sound() && n.deleted() {
			add(freePage{b, n.LSN(), n.PruneXID()})
		}
		buf.RUnlockRelease()
		if delay != nil {
			if err := delay(); err != nil {
				return err
			}
		}
	}
	return nil
}
