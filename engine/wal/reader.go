package wal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// ReaderOptions say what is read.
type ReaderOptions struct {
	Dir         string
	SegmentSize int64
	SystemID    uint64
	Timeline    uint32
	Incarnation uint32 // the greatest that may occur; zero for any
	// MustReach is the start of a record that must be there (that of the checkpoint); zero for none.
	MustReach base.LSN
	// Sync makes each segment durable before its records are given out: recovery must not replay what a power cut could
	// still take back.
	Sync bool
}

// errEnd says that no sound record stands at a position.
var errEnd = errors.New("no WAL record")

const chunkSize = 256 << 10

// scanWindow is how far beyond a broken record proofs of lost bytes are looked for: what the largest ring may hold
// unflushed plus a record.
const scanWindow = 32 << 20

// Reader iterates over records.
type Reader struct {
	geometry
	fs   vfs.FS
	o    ReaderOptions
	err  error
	pos  base.LSN // the end of the last record
	prev base.LSN // its start, zero before the first
	inc  uint32
	rec  Record
	raw  []byte
	seed [16]byte

	file  vfs.File
	seg   uint64
	chunk []byte
	from  base.LSN // of chunk
}

// NewReader starts at the record at from (a redo pointer or a record's start).
func NewReader(fs vfs.FS, o ReaderOptions, from base.LSN) *Reader {
	g, err := makeGeometry(o.Dir, o.SegmentSize, o.SystemID, o.Timeline)
	return &Reader{geometry: g, fs: fs, o: o, err: err, pos: from, seg: math.MaxUint64}
}

// Next gives the next record, io.EOF at the end of the log, or a corruption error. The record lives until the next call.
func (r *Reader) Next() (*Record, error) {
	if err := r.next(&r.rec); err != nil {
		return nil, err
	}
	return &r.rec, nil
}

// next reads the next record into raw and rec.
func (r *Reader) next(rec *Record) error {
	if r.err != nil {
		return r.err
	}
	start := r.normalize(r.pos)
	end, err := r.readRecord(start, r.inc)
	if err == errEnd || err == nil && r.prev != 0 && base.LSN(binary.LittleEndian.Uint64(r.raw[hPrev:])) != r.prev {
		err = r.endOfLog(start)
	}
	if err == nil {
		err = rec.decode(r.raw)
	}
	if err != nil {
		r.err = err
		return err
	}
	rec.Start, rec.End = start, end
	r.pos, r.prev, r.inc = end, start, rec.Incarnation
	return nil
}

// readRecord reads the record at start into raw and verifies it: length, incarnation from least on, CRC.
func (r *Reader) readRecord(start base.LSN, least uint32) (base.LSN, error) {
	if start%recordAlign != 0 {
		return 0, errEnd
	}
	if cap(r.raw) < headerSize {
		r.raw = make([]byte, headerSize, 16<<10)
	}
	h := r.raw[:headerSize]
	if _, err := r.read(start, h); err != nil {
		return 0, err
	}
	n := int(binary.LittleEndian.Uint32(h[hLength:]))
	inc := binary.LittleEndian.Uint32(h[hIncarnation:])
	if n < headerSize || n > MaxRecordSize || inc < least || r.o.Incarnation != 0 && inc > r.o.Incarnation {
		return 0, errEnd
	}
	if cap(r.raw) < align(n) {
		r.raw = append(make([]byte, 0, align(n)+align(n)/2), h...)
	}
	r.raw = r.raw[:align(n)]
	end, err := r.read(start, r.raw)
	if err != nil {
		return 0, err
	}
	r.raw = r.raw[:n]
	id := identity{r.timeline, inc}
	body := crc32.Checksum(r.raw[headerSize:], castagnoli)
	if id.crc(&r.seed, body, r.raw[:headerSize], start) != binary.LittleEndian.Uint32(r.raw[hCRC:]) {
		return 0, errEnd
	}
	return end, nil
}

// read fills b with record bytes from a position on, skipping segment headers, and gives the position after them.
func (r *Reader) read(p base.LSN, b []byte) (base.LSN, error) {
	for len(b) > 0 {
		if r.atHeader(p) {
			p = r.normalize(p)
		}
		if err := r.load(p); err != nil {
			return 0, err
		}
		n := copy(b, r.chunk[p-r.from:])
		b, p = b[n:], p+base.LSN(n)
	}
	return p, nil
}

// load makes chunk hold the byte at p.
func (r *Reader) load(p base.LSN) error {
	if p >= r.from && p < r.from+base.LSN(len(r.chunk)) {
		return nil
	}
	if seg := r.segment(p); seg != r.seg || r.file == nil {
		if err := r.openSegment(seg); err != nil {
			return err
		}
	}
	if r.chunk == nil {
		r.chunk = make([]byte, 0, chunkSize)
	}
	off := r.offset(p) &^ (chunkSize - 1)
	r.chunk = r.chunk[:min(chunkSize, r.size-off)]
	r.from = r.start(r.seg) + base.LSN(off)
	n, err := r.file.ReadAt(r.chunk, off)
	r.chunk = r.chunk[:n]
	if err != nil && !errors.Is(err, io.EOF) {
		return pgerror.IO(err, "could not read from log segment \"%s\"", r.name(r.seg))
	}
	if p >= r.from+base.LSN(n) {
		return errEnd
	}
	return nil
}

func (r *Reader) openSegment(seg uint64) error {
	if err := r.Close(); err != nil {
		return err
	}
	mode := vfs.ReadOnly
	if r.o.Sync {
		mode = 0
	}
	f, err := r.fs.Open(r.path(seg), mode)
	if errors.Is(err, fs.ErrNotExist) {
		return errEnd
	}
	if err != nil {
		return pgerror.IO(err, "could not open file \"%s\"", r.path(seg))
	}
	r.file, r.seg, r.chunk = f, seg, r.chunk[:0]
	if r.o.Sync {
		if err := f.Sync(); err != nil {
			return pgerror.IO(err, "could not fsync file \"%s\"", r.path(seg))
		}
	}
	var h [segmentHeader]byte
	if n, err := f.ReadAt(h[:], 0); n < segmentHeader && err != nil && !errors.Is(err, io.EOF) {
		return pgerror.IO(err, "could not read from log segment \"%s\"", r.name(seg))
	}
	if !r.checkHeader(h[:], seg) {
		if e := r.Close(); e != nil {
			return e
		}
		return errEnd
	}
	return nil
}

// endOfLog decides what a position without a sound record is: io.EOF, or corruption when the log must go on or a later
// record proves that this one was durable once.
func (r *Reader) endOfLog(at base.LSN) error {
	if r.o.MustReach != 0 && at <= r.o.MustReach {
		return pgerror.Corrupt("invalid WAL record at %s in segment \"%s\": the log must reach %s", at, r.name(r.segment(at)), r.o.MustReach)
	}
	r.raw = r.raw[:0]
	for p := at + recordAlign; p < at+scanWindow; p += recordAlign {
		if r.atHeader(p) {
			p = r.normalize(p)
		}
		var h [headerSize]byte
		if _, err := r.read(p, h[:]); err == errEnd {
			break
		} else if err != nil {
			return err
		}
		prev := base.LSN(binary.LittleEndian.Uint64(h[hPrev:]))
		lag := binary.LittleEndian.Uint32(h[hLag:])
		if prev >= p || p-prev > MaxRecordSize+base.LSN(r.size) || lag == math.MaxUint32 {
			continue
		}
		if inc := binary.LittleEndian.Uint32(h[hIncarnation:]); inc < max(r.inc, 1) {
			continue
		}
		if durable := p - base.LSN(lag)*recordAlign; durable <= at || durable > p {
			continue
		}
		if _, err := r.readRecord(p, r.inc); err == nil {
			return pgerror.Corrupt("invalid WAL record at %s in segment \"%s\": the record at %s proves that the log was durable beyond",
				at, r.name(r.segment(at)), p)
		} else if err != errEnd {
			return err
		}
	}
	return io.EOF
}

// Position gives where a log that ended (io.EOF) is to be continued; Redo is the caller's to fill in.
func (r *Reader) Position() Position { return Position{End: r.pos, Prev: r.prev} }

// Close closes the open segment.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file, r.seg, r.chunk = nil, math.MaxUint64, r.chunk[:0]
	if err != nil {
		return pgerror.IO(err, "could not close WAL segment")
	}
	return nil
}
