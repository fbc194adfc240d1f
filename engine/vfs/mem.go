package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sort"
	"strings"
	"sync"
	"time"
)

// SectorSize is the unit that a power cut keeps or loses as a whole.
const SectorSize = 512

// ErrPowerCut is what every call fails with after the power was cut.
var ErrPowerCut = errors.New("power cut")

// Op is a kind of call, for faults.
type Op uint8

// The kinds of calls. OpAny stands for all that change something.
const (
	OpAny Op = iota
	OpRead
	OpWrite
	OpSync
	OpTruncate
	OpOpen
	OpRemove
	OpRename
	OpSyncDir
)

// Fault makes a call fail: the Nth (from one) of its kind whose name contains Match, counted from Inject on. With
// Sticky all later ones fail too. A failed write of ErrPowerCut stops the file system.
type Fault struct {
	Op     Op
	Match  string
	Nth    int
	Err    error
	Sticky bool
}

// Mem is a file system in memory that remembers what is durable. Writes are durable per sector after Sync of the file,
// directory entries after SyncDir (directories themselves at once). Crash gives what a power cut may leave.
type Mem struct {
	mu      sync.Mutex
	files   map[string]*inode // as running programs see them
	durable map[string]*inode // directory entries as the disk has them
	dirs    map[string]bool
	pending []entryOp // changes of directories not yet durable, in order
	locks   map[string]bool
	faults  []*Fault
	cut     bool
	changes int
}

// entryOp is one atomic change of directory entries.
type entryOp struct {
	remove, set string // names; either may be empty
	node        *inode
}

type inode struct {
	data    []byte
	disk    []byte         // durable contents and size
	dirty   map[int64]bool // sectors that differ from disk
	resized bool
}

// NewMem gives an empty file system.
func NewMem() *Mem {
	return &Mem{files: map[string]*inode{}, durable: map[string]*inode{}, dirs: map[string]bool{".": true},
		locks: map[string]bool{}}
}

// Inject adds a fault.
func (m *Mem) Inject(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, &f)
}

// Heal takes all faults away.
func (m *Mem) Heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// Down tells whether the power was cut.
func (m *Mem) Down() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cut
}

// Clone gives a copy of what running programs see, all of it durable.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := NewMem()
	for d := range m.dirs {
		out.dirs[d] = true
	}
	for n, node := range m.files {
		data := append([]byte(nil), node.data...)
		c := &inode{data: data, disk: append([]byte(nil), data...), dirty: map[int64]bool{}}
		out.files[n], out.durable[n] = c, c
	}
	return out
}

// Changes counts the calls so far that changed something: the points where the power may be cut.
func (m *Mem) Changes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// Crash gives a new file system as a power cut at this moment may leave it: any subset of unsynced sectors, sizes and
// directory changes survived, chosen by seed. The old one fails every call from then on.
func (m *Mem) Crash(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = true
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	odds := r.IntN(5) // from losing everything unsynced to keeping all
	keep := func() bool { return r.IntN(4) < odds }
	entries := map[string]*inode{}
	for k, v := range m.durable {
		entries[k] = v
	}
	for _, op := range m.pending {
		if keep() {
			op.apply(entries)
		}
	}
	out := NewMem()
	for d := range m.dirs {
		out.dirs[d] = true
	}
	names := make([]string, 0, len(entries))
	for n := range entries {
		names = append(names, n)
	}
	sort.Strings(names)
	done := map[*inode]*inode{}
	for _, n := range names {
		node := entries[n]
		if done[node] == nil {
			done[node] = node.crash(keep)
		}
		out.files[n], out.durable[n] = done[node], done[node]
	}
	return out
}

func (op entryOp) apply(e map[string]*inode) {
	if op.remove != "" {
		delete(e, op.remove)
	}
	if op.set != "" {
		e[op.set] = op.node
	}
}

func (n *inode) crash(keep func() bool) *inode {
	data := append([]byte(nil), n.disk...)
	if n.resized && keep() {
		data = resize(data, len(n.data))
	}
	sectors := make([]int64, 0, len(n.dirty))
	for s := range n.dirty {
		sectors = append(sectors, s)
	}
	sort.Slice(sectors, func(i, j int) bool { return sectors[i] < sectors[j] })
	for _, s := range sectors {
		lo := int(s) * SectorSize
		if lo >= len(n.data) || !keep() {
			continue
		}
		hi := min(lo+SectorSize, len(n.data))
		if hi > len(data) {
			data = resize(data, hi)
		}
		copy(data[lo:hi], n.data[lo:hi])
	}
	return &inode{data: data, disk: append([]byte(nil), data...), dirty: map[int64]bool{}}
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}

// check counts a call and gives the fault it meets.
func (m *Mem) check(op Op, name string) error {
	if m.cut {
		return ErrPowerCut
	}
	if op != OpRead && op != OpOpen {
		m.changes++
	}
	for _, f := range m.faults {
		if f.Op != op && (f.Op != OpAny || op == OpRead || op == OpOpen) || !strings.Contains(name, f.Match) {
			continue
		}
		f.Nth--
		if f.Nth == 0 || f.Nth < 0 && f.Sticky {
			m.cut = m.cut || f.Err == ErrPowerCut
			return &fs.PathError{Op: "fault", Path: name, Err: f.Err}
		}
	}
	return nil
}

// Open implements Files.
func (m *Mem) Open(name string, mode Mode) (File, error) {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(OpOpen, name); err != nil {
		return nil, err
	}
	n := m.files[name]
	switch {
	case n == nil && mode&Create == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n == nil:
		if !m.dirs[path.Dir(name)] {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		n = &inode{dirty: map[int64]bool{}}
		m.files[name] = n
		m.pending = append(m.pending, entryOp{set: name, node: n})
	case mode&Exclusive != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	}
	return &memFile{m, n, name, mode&ReadOnly != 0}, nil
}

// Remove implements Files.
func (m *Mem) Remove(name string) error {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(OpRemove, name); err != nil {
		return err
	}
	if m.files[name] == nil {
		if m.dirs[name] {
			delete(m.dirs, name)
			return nil
		}
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.files, name)
	m.pending = append(m.pending, entryOp{remove: name})
	return nil
}

// Rename implements Files.
func (m *Mem) Rename(from, to string) error {
	from, to = path.Clean(from), path.Clean(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(OpRename, from); err != nil {
		return err
	}
	n := m.files[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	op := entryOp{remove: from, set: to, node: n}
	op.apply(m.files)
	m.pending = append(m.pending, op)
	return nil
}

// Stat implements Files.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.files[name]; n != nil {
		return memInfo{path.Base(name), int64(len(n.data)), false}, nil
	}
	if m.dirs[name] {
		return memInfo{path.Base(name), 0, true}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// MkdirAll implements Dirs.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return ErrPowerCut
	}
	for d := path.Clean(name); d != "." && d != "/"; d = path.Dir(d) {
		m.dirs[d] = true
	}
	return nil
}

// ReadDir implements Dirs.
func (m *Mem) ReadDir(name string) ([]string, error) {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return nil, ErrPowerCut
	}
	if !m.dirs[name] {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	var out []string
	for f := range m.files {
		if path.Dir(f) == name {
			out = append(out, path.Base(f))
		}
	}
	for d := range m.dirs {
		if d != name && path.Dir(d) == name {
			out = append(out, path.Base(d))
		}
	}
	sort.Strings(out)
	return out, nil
}

// SyncDir implements Dirs.
func (m *Mem) SyncDir(name string) error {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(OpSyncDir, name); err != nil {
		return err
	}
	rest := m.pending[:0]
	for _, op := range m.pending {
		if op.remove != "" && path.Dir(op.remove) == name || op.set != "" && path.Dir(op.set) == name {
			op.apply(m.durable)
			continue
		}
		rest = append(rest, op)
	}
	m.pending = rest
	return nil
}

// Lock implements Locker.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, ErrLocked
	}
	m.locks[name] = true
	return memLock{m, name}, nil
}

type memLock struct {
	m    *Mem
	name string
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.name)
	return nil
}

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

// memFile is an open file of Mem.
type memFile struct {
	m        *Mem
	n        *inode
	name     string
	readOnly bool
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.check(OpRead, f.name); err != nil {
		return 0, err
	}
	if off < 0 || off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.readOnly {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrPermission}
	}
	down := f.m.cut
	err := f.m.check(OpWrite, f.name)
	if err != nil && (down || !f.m.cut) {
		return 0, err // else this write is the one that meets the power cut: any of its sectors may survive
	}
	end := off + int64(len(p))
	if end > int64(len(f.n.data)) {
		f.n.data = resize(f.n.data, int(end))
		f.n.resized = true
	}
	copy(f.n.data[off:], p)
	for s := off / SectorSize; s*SectorSize < end; s++ {
		f.n.dirty[s] = true
	}
	return len(p), err
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.check(OpSync, f.name); err != nil {
		return err
	}
	f.n.disk = resize(f.n.disk, len(f.n.data))
	if f.n.resized {
		copy(f.n.disk, f.n.data)
	} else {
		for s := range f.n.dirty {
			lo := min(int(s)*SectorSize, len(f.n.data))
			copy(f.n.disk[lo:], f.n.data[lo:min(lo+SectorSize, len(f.n.data))])
		}
	}
	clear(f.n.dirty)
	f.n.resized = false
	return nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.check(OpTruncate, f.name); err != nil {
		return err
	}
	old := len(f.n.data)
	f.n.data = resize(f.n.data[:min(old, int(size)):min(old, int(size))], int(size))
	f.n.resized = true
	for s := size / SectorSize; s*SectorSize < int64(max(old, int(size))); s++ {
		f.n.dirty[s] = true
	}
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Close() error { return nil }
