package storage

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// Options of a Manager. Zero values take the defaults.
type Options struct {
	MaxOpenFiles  int  // 1000 when zero
	SegmentBlocks int  // pages a segment; 131072 (1 GiB) when zero
	NoSync        bool // fsync = off
}

// Manager is the files of all relations of a cluster. All methods may be called concurrently.
type Manager struct {
	fs    vfs.FS
	o     Options
	files *fileCache
	pend  pending
	zeros []byte
	maps  relMaps

	shards [64]shard
}

type shard struct {
	mu   sync.RWMutex // guards forks
	open map[forkKey]*fork
}

type forkKey struct {
	file base.RelFile
	fork base.Fork
}

// fork is what is known of one fork: its size, and the segments' names, made once.
type fork struct {
	key    forkKey
	blocks atomic.Int64 // pages, -1 when not known
	names  atomic.Pointer[[]string]
	mu     sync.Mutex // serialises changes of the size; held over the I/O that makes them
}

const unknown = -1

// New makes a manager for the data directory that fs is rooted at.
func New(fsys vfs.FS, o Options) *Manager {
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = 1000
	}
	if o.SegmentBlocks == 0 {
		o.SegmentBlocks = 1 << 30 / page.Size
	}
	m := &Manager{fs: fsys, o: o, files: newFileCache(fsys, o.MaxOpenFiles), zeros: make([]byte, 16*page.Size)}
	m.pend.files, m.pend.dirs = map[string]bool{}, map[string]bool{}
	for i := range m.shards {
		m.shards[i].open = map[forkKey]*fork{}
	}
	return m
}

func (m *Manager) shard(k forkKey) *shard {
	h := uint32(k.file.Number)*0x9e3779b1 ^ uint32(k.file.Database)*0x85ebca6b ^ uint32(k.fork)
	return &m.shards[h>>26]
}

func (m *Manager) fork(f base.RelFile, fk base.Fork) *fork {
	k := forkKey{f, fk}
	s := m.shard(k)
	s.mu.RLock()
	r := s.open[k]
	s.mu.RUnlock()
	if r != nil {
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r = s.open[k]; r == nil {
		r = &fork{key: k}
		r.blocks.Store(unknown)
		s.open[k] = r
	}
	return r
}

func (m *Manager) forgetFork(k forkKey) {
	s := m.shard(k)
	s.mu.Lock()
	delete(s.open, k)
	s.mu.Unlock()
}

// segment gives the name of a segment without formatting it each time.
func (r *fork) segment(seg int) string {
	if p := r.names.Load(); p != nil && seg < len(*p) {
		return (*p)[seg]
	}
	names := make([]string, seg+1)
	for i := range names {
		names[i] = segmentPath(r.key.file, r.key.fork, i)
	}
	r.names.Store(&names)
	return names[seg]
}

// CreateDatabase makes the directory of a database in a tablespace.
func (m *Manager) CreateDatabase(space, db base.OID) error {
	dir := DatabasePath(space, db)
	if err := m.fs.MkdirAll(dir); err != nil {
		return pgerror.IO(err, "could not create directory \"%s\"", dir)
	}
	return nil
}

// RemoveDatabase removes a database's directory with all files. The pool must have dropped its pages.
func (m *Manager) RemoveDatabase(space, db base.OID) error {
	dir := DatabasePath(space, db)
	m.files.forget(hasPrefix(dir + "/"))
	m.pend.forget(hasPrefix(dir + "/"))
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for k := range s.open {
			if DatabasePath(k.file.Space, k.file.Database) == dir {
				delete(s.open, k)
			}
		}
		s.mu.Unlock()
	}
	names, err := m.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return pgerror.IO(err, "could not read directory \"%s\"", dir)
	}
	for _, n := range names {
		if err := m.fs.Remove(dir + "/" + n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fileError(err, "remove", dir+"/"+n)
		}
	}
	if err := m.fs.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pgerror.IO(err, "could not remove directory \"%s\"", dir)
	}
	return nil
}

// Create makes the file of a fork; it fails with 58P02 when it exists, unless redo is set.
func (m *Manager) Create(f base.RelFile, fk base.Fork, redo bool) error {
	r := m.fork(f, fk)
	r.mu.Lock()
	defer r.mu.Unlock()
	mode := vfs.Create | vfs.Exclusive
	if redo {
		mode = vfs.Create
	}
	h, err := m.files.acquire(r.segment(0), mode)
	if (redo || f.Space > base.GlobalTablespace) && errors.Is(err, fs.ErrNotExist) {
		// The directory: redo meets relations of databases dropped later; in a tablespace it is made at need.
		if err = m.CreateDatabase(f.Space, f.Database); err == nil {
			h, err = m.files.acquire(r.segment(0), mode)
		}
	}
	if err != nil {
		return fileError(err, "create", r.segment(0))
	}
	m.files.release(h)
	if !redo {
		r.blocks.Store(0)
	}
	m.noteCreated(r, 0)
	return nil
}

func (m *Manager) noteCreated(r *fork, seg int) {
	if r.key.file.Temp != 0 {
		return
	}
	m.pend.noteFile(r.segment(seg))
	m.pend.noteDir(DatabasePath(r.key.file.Space, r.key.file.Database))
}

// Exists tells whether a fork has a file.
func (m *Manager) Exists(f base.RelFile, fk base.Fork) (bool, error) {
	r := m.fork(f, fk)
	if r.blocks.Load() > 0 {
		return true, nil
	}
	ok, err := vfs.Exists(m.fs, r.segment(0))
	if err != nil {
		return false, fileError(err, "stat", r.segment(0))
	}
	return ok, nil
}

// Blocks gives the size of a fork in pages (cached); zero for one without a file.
func (m *Manager) Blocks(f base.RelFile, fk base.Fork) (base.BlockNumber, error) {
	r := m.fork(f, fk)
	if n := r.blocks.Load(); n != unknown {
		return base.BlockNumber(n), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.blocksLocked(r)
}

func (m *Manager) blocksLocked(r *fork) (base.BlockNumber, error) {
	if n := r.blocks.Load(); n != unknown {
		return base.BlockNumber(n), nil
	}
	var total int64
	for seg := 0; ; seg++ {
		h, err := m.files.acquire(r.segment(seg), 0)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, fileError(err, "open", r.segment(seg))
		}
		size, err := h.file.Size()
		m.files.release(h)
		if err != nil {
			return 0, fileError(err, "stat", r.segment(seg))
		}
		n := size / page.Size
		total += n
		if n < int64(m.o.SegmentBlocks) {
			break
		}
	}
	r.blocks.Store(total)
	return base.BlockNumber(total), nil
}

func (m *Manager) locate(b base.BlockNumber) (seg int, off int64) {
	return int(b) / m.o.SegmentBlocks, int64(int(b)%m.o.SegmentBlocks) * page.Size
}

// Read fills p with a page; a page beyond the end is XX001.
func (m *Manager) Read(tag base.PageTag, p []byte) error {
	r := m.fork(tag.File, tag.Fork)
	seg, off := m.locate(tag.Block)
	h, err := m.files.acquire(r.segment(seg), 0)
	if err != nil {
		return fileError(err, "open", r.segment(seg))
	}
	n, err := h.file.ReadAt(p[:page.Size], off)
	m.files.release(h)
	if n == page.Size {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return pgerror.Corrupt("could not read block %d in file \"%s\": read only %d of %d bytes", tag.Block, h.name, n, page.Size)
	}
	return pgerror.IO(err, "could not read block %d in file \"%s\"", tag.Block, h.name)
}

// WillNeed has the operating system read a page ahead of Read. What goes wrong is left to Read.
func (m *Manager) WillNeed(tag base.PageTag) {
	r := m.fork(tag.File, tag.Fork)
	seg, off := m.locate(tag.Block)
	if h, err := m.files.acquire(r.segment(seg), 0); err == nil {
		vfs.WillNeed(h.file, off, page.Size)
		m.files.release(h)
	}
}

// Write writes a page within the fork (not yet durable: the next Sync makes it so).
func (m *Manager) Write(tag base.PageTag, p []byte) error {
	r := m.fork(tag.File, tag.Fork)
	seg, off := m.locate(tag.Block)
	h, err := m.files.acquire(r.segment(seg), 0)
	if err != nil {
		return fileError(err, "open", r.segment(seg))
	}
	defer m.files.release(h)
	if _, err = h.file.WriteAt(p[:page.Size], off); err != nil {
		return fileError(err, "write", h.name)
	}
	if tag.File.Temp == 0 {
		m.pend.noteFile(h.name)
	}
	return nil
}

// Close closes all files.
func (m *Manager) Close() error {
	m.files.forget(func(string) bool { return true })
	return nil
}
