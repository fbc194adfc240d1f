package wal

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// Options say how a log is kept. Zero sizes take the defaults.
type Options struct {
	Dir         string // "pg_wal" when empty
	SegmentSize int64  // a power of two from 64 KiB to 1 GiB; 16 MiB when zero
	BufferSize  int    // bytes of memory for records not yet written, a power of two; 16 MiB when zero
	SystemID    uint64
	Timeline    uint32
	Incarnation uint32 // greater than that of every record in the log; already durable in the control file
	NoSync      bool   // fsync = off: for tests only
}

// Position is where a log is continued: after the last record, its start, and the redo pointer of the last checkpoint.
type Position struct {
	End, Prev, Redo base.LSN
}

// RMgrXLOG is the number of the log's own resource manager (the same as rmgr.XLOG), whose records follow.
const RMgrXLOG uint8 = 0

// The kinds of records of RMgrXLOG.
const (
	InfoCheckpointShutdown uint8 = 0x00
	InfoCheckpointOnline   uint8 = 0x10
	InfoNextOID            uint8 = 0x30
	InfoImageForHint       uint8 = 0xA0
	InfoImage              uint8 = 0xB0
)

// insertSlots is how many insertions may be between reservation and the end of their copy, plus those completed since
// the last flush looked.
const insertSlots = 1024

// slot tracks one insertion. done holds its number plus one when the copy is complete; end is written before.
type slot struct {
	done atomic.Uint64
	end  base.LSN
	_    [48]byte
}

// Log is the write-ahead log of a running server. All methods may be called concurrently.
type Log struct {
	geometry
	fs   vfs.FS
	o    Options
	id   identity
	buf  []byte
	bufs sync.Pool // *imageBuilder, for LogImage

	mu   sync.Mutex // the insertion mutex: guards next, prev, head, and stores of redo and inserted
	next base.LSN   // the end of the last record
	prev base.LSN   // its start
	head uint64     // insertions so far
	made Counts     // guarded by mu: Records, Images and Bytes

	tuning   atomic.Pointer[tuning]
	redo     atomic.Uint64
	inserted atomic.Uint64
	written  atomic.Uint64 // bytes below are in the files; moved by the leader only
	flushed  atomic.Uint64

	slots    [insertSlots]slot
	doneMu   sync.Mutex // guards tail and complete
	tail     atomic.Uint64
	complete base.LSN // every insertion below has been copied

	flush   flusher
	filling chan struct{}
}

// FirstPosition is where the log of a new cluster starts.
func FirstPosition(o Options) Position {
	size := o.SegmentSize
	if size == 0 {
		size = 16 << 20
	}
	return Position{End: base.LSN(size), Redo: base.LSN(size + segmentHeader)}
}

// Open continues a log at a position that a Reader found to be its end (or FirstPosition).
func Open(fs vfs.FS, o Options, at Position) (*Log, error) {
	g, err := makeGeometry(o.Dir, o.SegmentSize, o.SystemID, o.Timeline)
	if err != nil {
		return nil, err
	}
	if o.BufferSize == 0 {
		o.BufferSize = 16 << 20
	}
	if o.BufferSize < 64<<10 || bits.OnesCount(uint(o.BufferSize)) != 1 {
		return nil, pgerror.Newf(pgerror.InvalidParameterValue, "invalid WAL buffer size %d", o.BufferSize)
	}
	if at.End%recordAlign != 0 || at.End < base.LSN(g.size) {
		return nil, pgerror.Corrupt("WAL cannot continue at %s", at.End)
	}
	if err := fs.MkdirAll(g.dir); err != nil {
		return nil, pgerror.IO(err, "could not create directory \"%s\"", g.dir)
	}
	l := &Log{geometry: g, fs: fs, o: o, id: identity{o.Timeline, o.Incarnation}, buf: make([]byte, o.BufferSize),
		next: at.End, prev: at.Prev, complete: at.End}
	l.redo.Store(uint64(at.Redo))
	l.tuning.Store(&tuning{})
	for _, p := range []*atomic.Uint64{&l.inserted, &l.written, &l.flushed} {
		p.Store(uint64(at.End))
	}
	l.bufs.New = func() any { return &imageBuilder{page: make(page.Page, page.Size)} }
	l.flush.failed = make(chan struct{})
	l.filling = make(chan struct{}, 1)
	return l, nil
}

// Insert puts a record into the log and gives its LSN. It is not durable before FlushedLSN has reached that. The caller
// holds the registered pages exclusively and then sets their LSN.
func (l *Log) Insert(b *Builder) (base.LSN, error) { return l.InsertWith(b, nil) }

// InsertWith is Insert with a callback that runs in the insertion critical section, in log order, once the record cannot
// fail any more. It must be short, must not block and must not use the log.
func (l *Log) InsertWith(b *Builder, inOrder func(end base.LSN)) (base.LSN, error) {
	_, end, err := l.insertRecord(b, inOrder)
	return end, err
}

// InsertAt is Insert for a caller that needs the record's start: where a Reader finds it.
func (l *Log) InsertAt(b *Builder) (start, end base.LSN, err error) { return l.insertRecord(b, nil) }

func (l *Log) insertRecord(b *Builder, inOrder func(end base.LSN)) (start, end base.LSN, err error) {
	for {
		redo := l.imagesBelow()
		t := l.tuningOf(b.tuning)
		n, err := b.assemble(redo, t.Checks, packing(t.Packing))
		if err != nil {
			return 0, 0, err
		}
		if align(n) > len(l.buf)/2 {
			return 0, 0, pgerror.Newf(pgerror.ProgramLimitExceeded, "WAL record of %d bytes exceeds half of the WAL buffers", n)
		}
		body := b.bodyCRC()
		start, end, again, err := l.insert(b, align(n), redo, body, inOrder)
		if err != nil || !again {
			return start, end, err
		}
	}
}

// insert reserves space, runs the callback and copies. It gives again when an image has become necessary.
func (l *Log) insert(b *Builder, n int, redo base.LSN, body uint32, inOrder func(base.LSN)) (start, end base.LSN, again bool, err error) {
	for {
		if err := l.Err(); err != nil {
			return 0, 0, false, err
		}
		l.mu.Lock()
		if now := l.imagesBelow(); now != redo && b.needsImages(now) {
			l.mu.Unlock()
			return 0, 0, true, nil
		}
		start = l.normalize(l.next)
		end = l.advance(start, n)
		if uint64(end)-l.written.Load() <= uint64(len(l.buf)) && l.head-l.tail.Load() < insertSlots {
			break
		}
		l.mu.Unlock()
		if err := l.makeRoom(end); err != nil {
			return 0, 0, false, err
		}
	}
	from, prev, k := l.next, l.prev, l.head
	l.made.Records++
	l.made.Images += int64(b.images)
	l.made.Bytes += int64(n)
	s := &l.slots[k%insertSlots]
	s.end = end
	l.next, l.prev, l.head = end, start, k+1
	l.inserted.Store(uint64(end))
	if inOrder != nil {
		inOrder(end)
	}
	l.mu.Unlock()
	if uint64(end)-l.written.Load() > uint64(len(l.buf)/4) {
		select {
		case l.filling <- struct{}{}:
		default:
		}
	}
	b.seal(body, l.id, start, prev, l.lag(start))
	l.copyRecord(b, from, start, end)
	s.done.Store(k + 1)
	return start, end, false, nil
}

// lag gives how far behind a record's start the durable log is, in units of 8 bytes: a later reader that finds the log
// broken before start minus lag knows that durable bytes were lost.
func (l *Log) lag(start base.LSN) uint32 {
	f := l.FlushedLSN()
	if l.o.NoSync || f > start {
		if f > start {
			return 0
		}
		return math.MaxUint32
	}
	return uint32(min(uint64(start-f)/recordAlign, math.MaxUint32))
}

// copyRecord puts a sealed record, and the headers of segments that begin in it, into the ring.
func (l *Log) copyRecord(b *Builder, from, start, end base.LSN) {
	pos := from
	if from != start {
		pos = l.putHeader(from)
	}
	pos = l.put(pos, b.head)
	for _, p := range b.parts {
		pos = l.put(pos, p)
	}
	var pad [recordAlign]byte
	pos = l.put(pos, pad[:uint64(-int64(pos))%recordAlign])
	invariant.Assert(pos == end, "WAL record copied to %s instead of %s", pos, end)
}

func (l *Log) putHeader(p base.LSN) base.LSN {
	h := l.header(l.segment(p), l.id.incarnation)
	l.ring(p, h[:])
	return p + segmentHeader
}

// put copies bytes into the ring from a position on, across segment boundaries.
func (l *Log) put(p base.LSN, b []byte) base.LSN {
	for len(b) > 0 {
		if l.offset(p) == 0 {
			p = l.putHeader(p)
		}
		n := min(int64(len(b)), l.left(p))
		l.ring(p, b[:n])
		b, p = b[n:], p+base.LSN(n)
	}
	return p
}

func (l *Log) ring(p base.LSN, b []byte) {
	at := int(uint64(p) & uint64(len(l.buf)-1))
	n := copy(l.buf[at:], b)
	copy(l.buf, b[n:])
}

// makeRoom frees space in the ring or a slot.
func (l *Log) makeRoom(end base.LSN) error {
	l.completeTo(0)
	if uint64(end)-l.written.Load() <= uint64(len(l.buf)) {
		return nil
	}
	l.flush.full.Add(1)
	return l.await(nil, end-base.LSN(len(l.buf)), inFile)
}

// Filling receives when a good part of the ring waits to be written: for the WAL writer.
func (l *Log) Filling() <-chan struct{} { return l.filling }

// BeginCheckpoint sets the redo pointer to the insert position and runs the callback in the same critical section.
func (l *Log) BeginCheckpoint(inOrder func(redo base.LSN)) base.LSN {
	l.mu.Lock()
	defer l.mu.Unlock()
	redo := l.normalize(l.next)
	l.redo.Store(uint64(redo))
	if inOrder != nil {
		inOrder(redo)
	}
	return redo
}

// RedoLSN gives the redo pointer: pages not changed since need an image.
func (l *Log) RedoLSN() base.LSN { return base.LSN(l.redo.Load()) }

// imagesBelow gives the LSN up to which a page needs an image when it is changed: with full_page_writes off that of pages whose
// changes were never logged.
func (l *Log) imagesBelow() base.LSN {
	if l.tuning.Load().NoImages {
		return 0
	}
	return l.RedoLSN()
}

// InsertLSN gives the end of the last record inserted.
func (l *Log) InsertLSN() base.LSN { return base.LSN(l.inserted.Load()) }

// FlushedLSN gives the end of what is durable.
func (l *Log) FlushedLSN() base.LSN { return base.LSN(l.flushed.Load()) }

// imageBuilder is what LogImage works with.
type imageBuilder struct {
	b    Builder
	page page.Page
}

// LogImage logs an image of a page for an unlogged change of it (a hint); the caller holds it at least shared. t is the
// tuning of the task that does it, if any. It gives zero when the page needs none.
func (l *Log) LogImage(t *activity.LogTuning, tag base.PageTag, p page.Page) (base.LSN, error) {
	if p.LSN() > l.imagesBelow() {
		return 0, nil
	}
	w := l.bufs.Get().(*imageBuilder)
	defer l.bufs.Put(w)
	p.CopyShared(w.page)
	w.b.Tune(t)
	w.b.Begin(RMgrXLOG, InfoImageForHint, base.InvalidXID)
	w.b.Block(0, tag, w.page, ForceImage)
	return l.Insert(&w.b)
}
