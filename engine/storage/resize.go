package storage

import (
	"errors"
	"io/fs"
	"maps"
	"slices"

	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// Extend appends n zero pages and gives the first of them. Extenders of one fork exclude each other here. place, when not
// nil, is called before anybody can learn of the pages by the fork's size; it must not wait.
func (m *Manager) Extend(f base.RelFile, fk base.Fork, n int, place func(first base.BlockNumber)) (base.BlockNumber, error) {
	r := m.fork(f, fk)
	r.mu.Lock()
	defer r.mu.Unlock()
	cur, err := m.blocksLocked(r)
	if err != nil {
		return 0, err
	}
	if uint64(cur)+uint64(n) >= uint64(base.InvalidBlock) {
		return 0, pgerror.Newf(pgerror.ProgramLimitExceeded, "cannot extend file \"%s\" beyond %d blocks", r.segment(0),
			base.InvalidBlock)
	}
	return cur, m.extendLocked(r, cur, n, place)
}

// ExtendTo makes a fork at least n pages long, creating it when missing: for redo.
func (m *Manager) ExtendTo(f base.RelFile, fk base.Fork, n base.BlockNumber) error {
	r := m.fork(f, fk)
	r.mu.Lock()
	cur, err := m.blocksLocked(r)
	if err == nil && cur < n && cur > 0 {
		err = m.extendLocked(r, cur, int(n-cur), nil)
	}
	r.mu.Unlock()
	if err != nil || cur >= n || cur > 0 {
		return err
	}
	if err := m.Create(f, fk, true); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks.Store(unknown)
	if cur, err = m.blocksLocked(r); err == nil && cur < n {
		err = m.extendLocked(r, cur, int(n-cur), nil)
	}
	return err
}

// extendLocked adds zeros whose space is taken now, so that a full disk shows now and not when the pages are written. After
// a failure the part that was written is cut off again, so far as that can be done.
func (m *Manager) extendLocked(r *fork, from base.BlockNumber, n int, place func(base.BlockNumber)) error {
	for done := 0; done < n; {
		seg, off := m.locate(from + base.BlockNumber(done))
		chunk := min(n-done, m.o.SegmentBlocks-int(off/page.Size))
		var mode vfs.Mode
		if off == 0 && seg > 0 {
			mode = vfs.Create
		}
		h, err := m.files.acquire(r.segment(seg), mode)
		if err != nil {
			return fileError(err, "open", r.segment(seg))
		}
		err = m.addZeros(h.file, off, chunk)
		if err != nil {
			_ = h.file.Truncate(off) // best effort: the size in memory counts, and redo extends again
		}
		m.files.release(h)
		if err != nil {
			return fileError(err, "extend", h.name)
		}
		if mode != 0 {
			m.noteCreated(r, seg)
		} else if r.key.file.Temp == 0 {
			m.pend.noteFile(h.name)
		}
		done += chunk
	}
	if place != nil {
		place(from)
	}
	r.blocks.Store(int64(from) + int64(n))
	return nil
}

// allocateFrom is the number of pages from which reserving space is cheaper than writing zeros, which then are written
// once more.
const allocateFrom = 8

func (m *Manager) addZeros(f vfs.File, off int64, pages int) error {
	if pages >= allocateFrom {
		if ok, err := vfs.Allocate(f, off, int64(pages)*page.Size); ok || err != nil {
			return err
		}
	}
	for pages > 0 {
		n := min(pages, len(m.zeros)/page.Size)
		if _, err := f.WriteAt(m.zeros[:n*page.Size], off); err != nil {
			return err
		}
		off, pages = off+int64(n)*page.Size, pages-n
	}
	return nil
}

// Truncate cuts a fork to n pages. The pool must have dropped the pages beyond.
func (m *Manager) Truncate(f base.RelFile, fk base.Fork, n base.BlockNumber) error {
	r := m.fork(f, fk)
	r.mu.Lock()
	defer r.mu.Unlock()
	cur, err := m.blocksLocked(r)
	if err != nil || cur <= n {
		return err
	}
	last, _ := m.locate(cur - 1)
	keep, off := m.locate(n)
	for seg := last; seg >= keep; seg-- { // the end first: a crash between leaves no hole
		size := int64(0)
		if seg == keep {
			size = off
		}
		h, err := m.files.acquire(r.segment(seg), 0)
		if err != nil {
			return fileError(err, "open", r.segment(seg))
		}
		err = h.file.Truncate(size)
		m.files.release(h)
		if err != nil {
			r.blocks.Store(unknown)
			return fileError(err, "truncate", h.name)
		}
		if f.Temp == 0 {
			m.pend.noteFile(h.name)
		}
	}
	r.blocks.Store(int64(n))
	return nil
}

// Unlink forgets a relation: its files are truncated at once and removed after the next checkpoint, so that the file's
// number is not used again before. A relation that is not there is no error. The pool must have dropped its pages.
func (m *Manager) Unlink(f base.RelFile) error {
	for fk := base.MainFork; fk <= base.InitFork; fk++ {
		if err := m.unlinkFork(f, fk); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) unlinkFork(f base.RelFile, fk base.Fork) error {
	r := m.fork(f, fk)
	defer m.forgetFork(r.key)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks.Store(unknown)
	first := r.segment(0)
	isOurs := func(n string) bool { return n == first || len(n) > len(first) && n[:len(first)+1] == first+"." }
	m.files.forget(isOurs)
	m.pend.forget(isOurs)
	for seg := 1; ; seg++ {
		err := m.fs.Remove(r.segment(seg))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return fileError(err, "remove", r.segment(seg))
		}
	}
	h, err := m.fs.Open(first, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fileError(err, "open", first)
	}
	err = h.Truncate(0)
	_ = h.Close()
	if err != nil {
		return fileError(err, "truncate", first)
	}
	if f.Temp != 0 || fk != base.MainFork {
		if err := m.fs.Remove(first); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fileError(err, "remove", first)
		}
		return nil
	}
	m.pend.mu.Lock()
	m.pend.unlinks = append(m.pend.unlinks, first)
	m.pend.mu.Unlock()
	return nil
}

// BeginUnlinks marks the unlinks pending now: those that the checkpoint that begins will make safe.
func (m *Manager) BeginUnlinks() {
	m.pend.mu.Lock()
	m.pend.marked = len(m.pend.unlinks)
	m.pend.mu.Unlock()
}

// FinishUnlinks removes the marked files, after the checkpoint.
func (m *Manager) FinishUnlinks() error {
	m.pend.mu.Lock()
	names := m.pend.unlinks[:m.pend.marked]
	m.pend.unlinks, m.pend.marked = append([]string(nil), m.pend.unlinks[m.pend.marked:]...), 0
	m.pend.mu.Unlock()
	for _, n := range names {
		if err := m.fs.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fileError(err, "remove", n)
		}
	}
	return nil
}

// SyncRelation makes a relation's fork durable now (a bulk build that logged nothing).
func (m *Manager) SyncRelation(f base.RelFile, fk base.Fork) error {
	n, err := m.Blocks(f, fk)
	if err != nil {
		return err
	}
	r := m.fork(f, fk)
	last, _ := m.locate(max(n, 1) - 1)
	for seg := 0; seg <= last; seg++ {
		if err := m.syncFile(r.segment(seg)); err != nil {
			return err
		}
	}
	dir := DatabasePath(f.Space, f.Database)
	if err := m.syncDir(dir); err != nil {
		return err
	}
	return nil
}

// Sync makes every write before the call durable: the fsyncs that a checkpoint owes. A failure is final: the kernel may
// have dropped what it could not write, so the caller must not try again but stop the server.
func (m *Manager) Sync() error {
	files, dirs := m.pend.take()
	for _, n := range slices.Sorted(maps.Keys(files)) {
		if err := m.syncFile(n); err != nil {
			return err
		}
	}
	for _, d := range slices.Sorted(maps.Keys(dirs)) {
		if err := m.syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) syncFile(name string) error {
	if m.o.NoSync {
		return nil
	}
	h, err := m.files.acquire(name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // dropped meanwhile
	}
	if err != nil {
		return fileError(err, "open", name)
	}
	defer m.files.release(h)
	if err := h.file.Sync(); err != nil {
		return fileError(err, "fsync", name)
	}
	return nil
}

func (m *Manager) syncDir(dir string) error {
	if m.o.NoSync {
		return nil
	}
	if err := m.fs.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(err, "fsync", dir)
	}
	return nil
}
