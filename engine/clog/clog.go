package clog

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// Status is two bits of the commit log.
type Status uint8

// The states of a transaction.
const (
	InProgress Status = iota
	Committed
	Aborted
	SubCommitted
)

// Dir is the directory of the commit log's files.
const Dir = "pg_xact"

const (
	segmentShift = 20
	segmentXIDs  = 1 << segmentShift
	segmentBytes = segmentXIDs / 4
	segmentWords = segmentBytes / 4
	blockBytes   = 8192
	blockWords   = blockBytes / 4
)

type segment struct {
	dirty atomic.Uint32 // bit per block that the file lacks
	words [segmentWords]atomic.Uint32
}

// Log is the commit log of a cluster.
type Log struct {
	fs   vfs.FS
	segs atomic.Pointer[[]*segment] // by number; replaced, never changed

	mu      sync.Mutex   // serialises growth, loading, Flush, Evict and Truncate
	removed uint64       // segments below are gone
	onDisk  map[int]bool // files that exist
}

// Open reads the commit log from pg_xact, which is made when missing.
func Open(fs vfs.FS) (*Log, error) {
	if err := fs.MkdirAll(Dir); err != nil {
		return nil, pgerror.IO(err, "could not create directory \"%s\"", Dir)
	}
	l := &Log{fs: fs, onDisk: map[int]bool{}}
	l.segs.Store(&[]*segment{})
	names, err := fs.ReadDir(Dir)
	if err != nil {
		return nil, pgerror.IO(err, "could not open directory \"%s\"", Dir)
	}
	for _, name := range names {
		n, err := strconv.ParseUint(name, 16, 40)
		if err != nil || name != fmt.Sprintf("%012X", n) {
			continue
		}
		l.onDisk[int(n)] = true // read when somebody asks
	}
	return l, nil
}

func fileName(n int) string { return fmt.Sprintf("%s/%012X", Dir, n) }

func (l *Log) load(n int) error {
	f, err := l.fs.Open(fileName(n), vfs.ReadOnly)
	if err != nil {
		return pgerror.IO(err, "could not open file \"%s\"", fileName(n))
	}
	defer f.Close()
	buf := make([]byte, segmentBytes)
	got, err := f.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return pgerror.IO(err, "could not read file \"%s\"", fileName(n))
	}
	clear(buf[got:])
	s := &segment{}
	for i := range s.words {
		s.words[i].Store(binary.LittleEndian.Uint32(buf[4*i:]))
	}
	l.install(n, s)
	return nil
}

// install makes a segment known. The caller holds mu.
func (l *Log) install(n int, s *segment) {
	old := *l.segs.Load()
	segs := make([]*segment, max(n+1, len(old)))
	copy(segs, old)
	segs[n] = s
	l.segs.Store(&segs)
}

// grow gives segment n in memory, read from its file or made.
func (l *Log) grow(n int) (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.segment(uint64(n)); s != nil {
		return s, nil
	}
	if l.onDisk[n] {
		if err := l.load(n); err != nil {
			return nil, err
		}
		return l.segment(uint64(n)), nil
	}
	s := &segment{}
	l.install(n, s)
	return s, nil
}

// find gives segment n, read back when it had left memory; nil when there is none. A commit log that cannot be read is the
// end of the server: no answer would be right.
func (l *Log) find(n uint64) *segment {
	if s := l.segment(n); s != nil {
		return s
	}
	l.mu.Lock()
	known := l.onDisk[int(n)]
	l.mu.Unlock()
	if !known {
		return l.segment(n)
	}
	s, err := l.grow(int(n))
	invariant.Must(err == nil, "commit log: %v", err)
	return s
}

func (l *Log) segment(n uint64) *segment {
	segs := *l.segs.Load()
	if n >= uint64(len(segs)) {
		return nil
	}
	return segs[n]
}

// Reserve makes room for x, so that Set for it cannot fail. It is cheap when there is room.
func (l *Log) Reserve(x base.XID) error {
	n := uint64(x) >> segmentShift
	if l.segment(n) != nil {
		return nil
	}
	_, err := l.grow(int(n))
	return err
}

// Set records the end of x, which must have been reserved.
func (l *Log) Set(x base.XID, st Status) {
	s := l.find(uint64(x) >> segmentShift)
	at := uint64(x) % segmentXIDs
	w := &s.words[at/16]
	shift := 2 * (at % 16)
	for {
		old := w.Load()
		if w.CompareAndSwap(old, old&^(3<<shift)|uint32(st)<<shift) {
			break
		}
	}
	s.dirty.Or(1 << (at / 16 / blockWords))
}

// Get gives the state of x; in progress for an id that never ended.
func (l *Log) Get(x base.XID) Status {
	s := l.find(uint64(x) >> segmentShift)
	if s == nil {
		return InProgress
	}
	at := uint64(x) % segmentXIDs
	return Status(s.words[at/16].Load() >> (2 * (at % 16)) & 3)
}

// copied is the image of some blocks of a segment.
type copied struct {
	n     int
	dirty uint32
	data  []byte
}

// Flush makes every bit set before the call durable. Between copying the bits and writing them it calls flushLog, which
// must make the log durable past every commit whose bit may have been copied. After an error the bits are marked again.
func (l *Log) Flush(flushLog func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var todo []copied
	for n, s := range *l.segs.Load() {
		if s == nil || s.dirty.Load() == 0 {
			continue
		}
		c := copied{n: n, dirty: s.dirty.Swap(0)}
		for m := c.dirty; m != 0; m &= m - 1 {
			first := bits.TrailingZeros32(m) * blockWords
			for i := first; i < first+blockWords; i++ {
				c.data = binary.LittleEndian.AppendUint32(c.data, s.words[i].Load())
			}
		}
		todo = append(todo, c)
	}
	if len(todo) == 0 {
		return nil
	}
	err := flushLog()
	for i := 0; i < len(todo) && err == nil; i++ {
		err = l.write(todo[i])
	}
	if err != nil {
		for _, c := range todo {
			(*l.segs.Load())[c.n].dirty.Or(c.dirty)
		}
	}
	return err
}

func (l *Log) write(c copied) error {
	name := fileName(c.n)
	f, err := l.fs.Open(name, vfs.Create)
	if err != nil {
		return pgerror.IO(err, "could not open file \"%s\"", name)
	}
	defer f.Close()
	data := c.data
	for m := c.dirty; m != 0; m &= m - 1 {
		at := int64(bits.TrailingZeros32(m)) * blockBytes
		if _, err := f.WriteAt(data[:blockBytes], at); err != nil {
			return pgerror.IO(err, "could not write to file \"%s\"", name)
		}
		data = data[blockBytes:]
	}
	if err := f.Sync(); err != nil {
		return pgerror.IO(err, "could not fsync file \"%s\"", name)
	}
	if !l.onDisk[c.n] {
		if err := l.fs.SyncDir(Dir); err != nil {
			return pgerror.IO(err, "could not fsync file \"%s\"", Dir)
		}
		l.onDisk[c.n] = true
	}
	return nil
}

// Evict takes segments out of memory that the files have whole, all but the newest keep of them that hold only transactions
// below finished, which have all ended. They are read back when somebody asks.
func (l *Log) Evict(finished base.XID, keep int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := *l.segs.Load()
	segs := append([]*segment(nil), old...)
	last := min(uint64(finished)>>segmentShift, uint64(max(0, len(segs)-keep)))
	for n := range last {
		if s := segs[n]; s != nil && s.dirty.Load() == 0 && l.onDisk[int(n)] {
			segs[n] = nil
		}
	}
	l.segs.Store(&segs)
}

// Truncate removes the segments that hold only transactions below oldest. Nobody may ask for those any more.
func (l *Log) Truncate(oldest base.XID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := uint64(oldest) >> segmentShift
	old := *l.segs.Load()
	segs := append([]*segment(nil), old...)
	for n := l.removed; n < keep && n < uint64(max(len(segs), 1)); n++ {
		if n < uint64(len(segs)) {
			segs[n] = nil
		}
		if l.onDisk[int(n)] {
			if err := l.fs.Remove(fileName(int(n))); err != nil {
				return pgerror.IO(err, "could not remove file \"%s\"", fileName(int(n)))
			}
			delete(l.onDisk, int(n))
		}
	}
	l.segs.Store(&segs)
	l.removed = max(l.removed, keep)
	return nil
}
