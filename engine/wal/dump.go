package wal

import (
	"encoding/binary"
	"fmt"
	"io"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// Inspect reads the header of a segment and gives what a Reader of it needs, and where the segment starts: for tools
// that have no control file.
func Inspect(fs vfs.Files, dir, name string) (ReaderOptions, base.LSN, error) {
	f, err := fs.Open(dir+"/"+name, vfs.ReadOnly)
	if err != nil {
		return ReaderOptions{}, 0, pgerror.IO(err, "could not open file \"%s\"", dir+"/"+name)
	}
	defer f.Close()
	var h [segmentHeader]byte
	if n, err := f.ReadAt(h[:], 0); n < segmentHeader {
		return ReaderOptions{}, 0, pgerror.IO(err, "could not read file \"%s\"", dir+"/"+name)
	}
	le := binary.LittleEndian
	o := ReaderOptions{Dir: dir, SegmentSize: int64(le.Uint64(h[8:])), SystemID: le.Uint64(h[16:]), Timeline: le.Uint32(h[24:])}
	start := base.LSN(le.Uint64(h[32:]))
	g, err := makeGeometry(dir, o.SegmentSize, o.SystemID, o.Timeline)
	if err != nil || g.offset(start) != 0 || !g.checkHeader(h[:], g.segment(start)) {
		return ReaderOptions{}, 0, pgerror.Corrupt("invalid header in WAL segment \"%s\"", name)
	}
	return o, start, nil
}

// FindFirst gives the start of the first sound record at or after a position: where to read a segment that begins in
// the middle of a record. io.EOF when the rest of the segment has none.
func FindFirst(fs vfs.FS, o ReaderOptions, from base.LSN) (base.LSN, error) {
	r := NewReader(fs, o, from)
	defer r.Close()
	if r.err != nil {
		return 0, r.err
	}
	p := r.normalize((from + recordAlign - 1) &^ (recordAlign - 1))
	for seg := r.segment(p); r.segment(p) == seg; p += recordAlign {
		_, err := r.readRecord(p, 0)
		if err == nil {
			return p, nil
		}
		if err != errEnd {
			return 0, err
		}
	}
	return 0, io.EOF
}

// Dump writes one line a record from a position to the end of the log: waldump. describe renders a record's own part
// and may be nil.
func Dump(fs vfs.FS, o ReaderOptions, from base.LSN, w io.Writer, describe func(*Record) string) error {
	r := NewReader(fs, o, from)
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			_, err = fmt.Fprintf(w, "end of log at %s\n", r.Position().End)
			return err
		}
		if err != nil {
			return err
		}
		if err := rec.dump(w, describe); err != nil {
			return err
		}
	}
}

func (r *Record) dump(w io.Writer, describe func(*Record) string) error {
	line := fmt.Appendf(nil, "lsn %s, prev %s, end %s, inc %d, tx %d, rmgr %d, info %02X, len %d", r.Start, r.Prev, r.End,
		r.Incarnation, r.XID, r.RMgr, r.Info, r.Length)
	if describe != nil {
		line = fmt.Appendf(line, ", %s", describe(r))
	}
	for i := range r.Blocks {
		b := &r.Blocks[i]
		line = fmt.Appendf(line, ", blkref #%d: %s", b.ID, b.Tag)
		switch {
		case b.HasImage:
			line = fmt.Appendf(line, " FPW %d", len(b.image))
		case b.HasCheck:
			line = fmt.Appendf(line, " FPW for WAL verification %d", len(b.image))
		}
	}
	_, err := w.Write(append(line, '\n'))
	return err
}
