package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// The header of a segment: magic, segment size, system identifier, timeline, incarnation, start, CRC; see README.md.
const (
	segmentHeader = 64
	segmentMagic  = 0x31304c4157464d // "MFWAL01"
	segmentCRC    = 40
)

// geometry is how positions map to segments.
type geometry struct {
	size     int64
	dir      string
	systemID uint64
	timeline uint32
}

func makeGeometry(dir string, size int64, systemID uint64, timeline uint32) (geometry, error) {
	if dir == "" {
		dir = "pg_wal"
	}
	if size == 0 {
		size = 16 << 20
	}
	if size < 64<<10 || size > 1<<30 || size&(size-1) != 0 {
		return geometry{}, pgerror.Newf(pgerror.InvalidParameterValue, "invalid WAL segment size %d", size)
	}
	return geometry{size, dir, systemID, timeline}, nil
}

func (g geometry) segment(p base.LSN) uint64 { return uint64(p) / uint64(g.size) }
func (g geometry) offset(p base.LSN) int64   { return int64(uint64(p) & uint64(g.size-1)) }
func (g geometry) start(seg uint64) base.LSN { return base.LSN(seg * uint64(g.size)) }
func (g geometry) path(seg uint64) string    { return g.dir + "/" + g.name(seg) }
func (g geometry) left(p base.LSN) int64     { return g.size - g.offset(p) }
func (g geometry) atHeader(p base.LSN) bool  { return g.offset(p) < segmentHeader }
func align(n int) int                        { return (n + recordAlign - 1) &^ (recordAlign - 1) }

// name gives the file name of a segment, as PostgreSQL composes it.
func (g geometry) name(seg uint64) string {
	per := uint64(1<<32) / uint64(g.size)
	return fmt.Sprintf("%08X%08X%08X", g.timeline, seg/per, seg%per)
}

// FileName gives the name of the log file that ends at or holds a position, as pg_walfile_name does, and the position's place in its
// own file.
func (g geometry) FileName(p base.LSN) (name string, offset int64) {
	return g.name(g.segment(p - 1)), g.offset(p)
}

// parse is the inverse of name; false for other files and other timelines.
func (g geometry) parse(name string) (uint64, bool) {
	if len(name) != 24 || strings.ToUpper(name) != name {
		return 0, false
	}
	tl, e1 := strconv.ParseUint(name[:8], 16, 32)
	hi, e2 := strconv.ParseUint(name[8:16], 16, 32)
	lo, e3 := strconv.ParseUint(name[16:], 16, 32)
	per := uint64(1<<32) / uint64(g.size)
	if e1 != nil || e2 != nil || e3 != nil || uint32(tl) != g.timeline || lo >= per {
		return 0, false
	}
	return hi*per + lo, true
}

// normalize moves a position out of a segment's header: where the next record starts.
func (g geometry) normalize(p base.LSN) base.LSN {
	if o := g.offset(p); o < segmentHeader {
		return p + base.LSN(segmentHeader-o)
	}
	return p
}

// advance gives the end of n bytes of records that start at a normalised position.
func (g geometry) advance(p base.LSN, n int) base.LSN {
	for {
		left := g.left(p)
		if int64(n) <= left {
			return p + base.LSN(n)
		}
		n -= int(left)
		p += base.LSN(left + segmentHeader)
	}
}

func (g geometry) header(seg uint64, incarnation uint32) (h [segmentHeader]byte) {
	le := binary.LittleEndian
	le.PutUint64(h[0:], segmentMagic)
	le.PutUint64(h[8:], uint64(g.size))
	le.PutUint64(h[16:], g.systemID)
	le.PutUint32(h[24:], g.timeline)
	le.PutUint32(h[28:], incarnation)
	le.PutUint64(h[32:], uint64(g.start(seg)))
	le.PutUint32(h[segmentCRC:], crc32.Checksum(h[:segmentCRC], castagnoli))
	return h
}

// checkHeader tells whether a header is that of the segment: neither garbage, recycled nor another cluster's.
func (g geometry) checkHeader(h []byte, seg uint64) bool {
	le := binary.LittleEndian
	return le.Uint32(h[segmentCRC:]) == crc32.Checksum(h[:segmentCRC], castagnoli) &&
		le.Uint64(h) == segmentMagic && le.Uint64(h[8:]) == uint64(g.size) && le.Uint64(h[16:]) == g.systemID &&
		le.Uint32(h[24:]) == g.timeline && le.Uint64(h[32:]) == uint64(g.start(seg))
}

// create makes a zeroed segment under its name, durable, so that later flushes change neither size nor directory.
func (g geometry) create(fs vfs.FS, seg uint64, sync bool) error {
	tmp := g.dir + "/xlogtemp." + g.name(seg)
	if ok, _ := vfs.Exists(fs, tmp); ok {
		if err := fs.Remove(tmp); err != nil {
			return pgerror.IO(err, "could not remove file \"%s\"", tmp)
		}
	}
	f, err := fs.Open(tmp, vfs.Create|vfs.Exclusive)
	if err != nil {
		return pgerror.IO(err, "could not create file \"%s\"", tmp)
	}
	zeros := make([]byte, min(g.size, 1<<20))
	for off := int64(0); err == nil && off < g.size; off += int64(len(zeros)) {
		_, err = f.WriteAt(zeros, off)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = fs.Remove(tmp) // what matters is the first error
		return pgerror.IO(err, "could not write to file \"%s\"", tmp)
	}
	if err := fs.Rename(tmp, g.path(seg)); err != nil {
		return pgerror.IO(err, "could not rename file \"%s\" to \"%s\"", tmp, g.path(seg))
	}
	if err := g.syncDir(fs, sync); err != nil {
		_ = fs.Remove(g.path(seg)) // nobody may write to a file whose name may be lost
		return err
	}
	return nil
}

func (g geometry) syncDir(fs vfs.FS, sync bool) error {
	if !sync {
		return nil
	}
	if err := fs.SyncDir(g.dir); err != nil {
		return pgerror.IO(err, "could not fsync directory \"%s\"", g.dir)
	}
	return nil
}
