package storage

import (
	"container/list"
	"io/fs"
	"strings"
	"sync"

	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// handle is an open file of the cache.
type handle struct {
	name string
	file vfs.File
	refs int
	elem *list.Element
	gone bool // forgotten: the last user closes it
}

// fileCache keeps at most max files open, closing those used longest ago.
type fileCache struct {
	fs  vfs.FS
	max int

	mu   sync.Mutex // guards the rest; files are opened and closed without it
	open map[string]*handle
	lru  *list.List // of *handle, the most recently used in front
}

func newFileCache(fsys vfs.FS, max int) *fileCache {
	return &fileCache{fs: fsys, max: max, open: map[string]*handle{}, lru: list.New()}
}

// acquire gives an open file; release must follow.
func (c *fileCache) acquire(name string, mode vfs.Mode) (*handle, error) {
	c.mu.Lock()
	if h := c.open[name]; h != nil {
		if mode&vfs.Exclusive != 0 {
			c.mu.Unlock()
			return nil, fs.ErrExist
		}
		h.refs++
		c.lru.MoveToFront(h.elem)
		c.mu.Unlock()
		return h, nil
	}
	c.mu.Unlock()
	f, err := c.fs.Open(name, mode)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if h := c.open[name]; h != nil {
		h.refs++
		c.mu.Unlock()
		_ = f.Close() // another opened it meanwhile; ours has written nothing
		return h, nil
	}
	h := &handle{name: name, file: f, refs: 1}
	h.elem = c.lru.PushFront(h)
	c.open[name] = h
	victim := c.victimLocked()
	c.mu.Unlock()
	if victim != nil {
		_ = victim.file.Close() // its writes are in the kernel; a failure shows at fsync
	}
	return h, nil
}

func (c *fileCache) victimLocked() *handle {
	if len(c.open) <= c.max {
		return nil
	}
	for e := c.lru.Back(); e != nil; e = e.Prev() {
		if h := e.Value.(*handle); h.refs == 0 {
			c.lru.Remove(e)
			delete(c.open, h.name)
			return h
		}
	}
	return nil
}

func (c *fileCache) release(h *handle) {
	c.mu.Lock()
	h.refs--
	closeIt := h.gone && h.refs == 0
	c.mu.Unlock()
	if closeIt {
		_ = h.file.Close()
	}
}

// forget closes the files whose names have a prefix (or are exactly it), once unused.
func (c *fileCache) forget(match func(name string) bool) {
	var idle []*handle
	c.mu.Lock()
	for n, h := range c.open {
		if !match(n) {
			continue
		}
		delete(c.open, n)
		c.lru.Remove(h.elem)
		if h.gone = true; h.refs == 0 {
			idle = append(idle, h)
		}
	}
	c.mu.Unlock()
	for _, h := range idle {
		_ = h.file.Close()
	}
}

// pending is the work that a checkpoint owes.
type pending struct {
	mu      sync.Mutex // guards the rest
	files   map[string]bool
	dirs    map[string]bool
	unlinks []string // files of dropped relations, to be removed after the next checkpoint
	marked  int      // how many of them were there when the running checkpoint began
}

func (p *pending) noteFile(name string) {
	p.mu.Lock()
	if !p.files[name] {
		p.files[name] = true
	}
	p.mu.Unlock()
}

func (p *pending) noteDir(name string) {
	p.mu.Lock()
	p.dirs[name] = true
	p.mu.Unlock()
}

func (p *pending) forget(match func(string) bool) {
	p.mu.Lock()
	for n := range p.files {
		if match(n) {
			delete(p.files, n)
		}
	}
	p.mu.Unlock()
}

// take empties the set of files or directories; put returns what a failure left.
func (p *pending) take() (files, dirs map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	files, dirs = p.files, p.dirs
	p.files, p.dirs = map[string]bool{}, map[string]bool{}
	return files, dirs
}

// fileError wraps a failed call.
func fileError(err error, what, name string) *pgerror.Error {
	e := pgerror.IO(err, "could not %s file \"%s\"", what, name)
	if e.Code == pgerror.DiskFull {
		return e.WithHint("Check free disk space.")
	}
	return e
}

func hasPrefix(prefix string) func(string) bool {
	return func(n string) bool { return strings.HasPrefix(n, prefix) }
}
