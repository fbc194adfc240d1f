package wal

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/page"
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

// Log is the write-ahead log of a running server. All methods may be called concurrently.
type Log struct{}

// FirstPosition is where the log of a new cluster starts.
func FirstPosition(o Options) Position { panic("api") }

// Open continues a log at a position that a Reader found to be its end (or FirstPosition).
func Open(fs vfs.FS, o Options, at Position) (*Log, error) { panic("api") }

// Insert puts a record into the log and gives its LSN. It is not durable before FlushedLSN has reached that. The caller
// holds the registered pages exclusively and then sets their LSN.
func (l *Log) Insert(b *Builder) (base.LSN, error) { panic("api") }

// InsertWith is Insert with a callback that runs in the insertion critical section, in log order, once the record cannot
// fail any more. It must be short, must not block and must not use the log.
func (l *Log) InsertWith(b *Builder, inOrder func(end base.LSN)) (base.LSN, error) { panic("api") }

// BeginCheckpoint sets the redo pointer to the insert position and runs the callback in the same critical section.
func (l *Log) BeginCheckpoint(inOrder func(redo base.LSN)) base.LSN { panic("api") }

// LogImage logs an image of a page for an unlogged change of it (a hint); the caller holds it at least shared. It gives
// zero when the page has had an image since the redo pointer.
func (l *Log) LogImage(tag base.PageTag, p page.Page) (base.LSN, error) { panic("api") }

// RedoLSN, InsertLSN and FlushedLSN give the redo pointer, the end of the last record inserted and the end of what is
// durable.
func (l *Log) RedoLSN() base.LSN    { panic("api") }
func (l *Log) InsertLSN() base.LSN  { panic("api") }
func (l *Log) FlushedLSN() base.LSN { panic("api") }

// Flush makes the log durable up to lsn, blocking the calling goroutine (pins and latches may be held).
func (l *Log) Flush(lsn base.LSN) error { panic("api") }

// WaitFlushed is Flush for a statement: it gives up the slot while it waits or flushes. Interrupts do not end it.
func (l *Log) WaitFlushed(task *activity.Task, lsn base.LSN) error { panic("api") }

// Notify sends to ch (without blocking) once the log is durable up to lsn or has failed. It flushes nothing itself. It
// tells false, without sending, when that is so already.
func (l *Log) Notify(lsn base.LSN, ch chan<- struct{}) bool { panic("api") }

// Failed is closed when the log is poisoned by a failed write or fsync; Err then gives the reason (58030).
func (l *Log) Failed() <-chan struct{} { panic("api") }
func (l *Log) Err() error              { panic("api") }

// Recycle gives segments that end at or before keep back: some are renamed for future use, the rest removed.
func (l *Log) Recycle(keep base.LSN, spare int) error { panic("api") }

// Close flushes everything and closes the files.
func (l *Log) Close() error { panic("api") }

// ReaderOptions say what is read; the log must exist up to MustReach, else its end is corruption.
type ReaderOptions struct {
	Dir         string
	SegmentSize int64
	SystemID    uint64
	Timeline    uint32
	Incarnation uint32   // the greatest that may occur; zero for any
	MustReach   base.LSN // zero for no bound
}

// Reader iterates over records.
type Reader struct{}

// NewReader starts at the record at from (a redo pointer or a record's start).
func NewReader(fs vfs.FS, o ReaderOptions, from base.LSN) *Reader { panic("api") }

// Next gives the next record, io.EOF at the end of the log, or a corruption error. The record lives until the next call.
func (r *Reader) Next() (*Record, error) { panic("api") }

// Position gives where a log that ended (io.EOF) is to be continued.
func (r *Reader) Position() Position { panic("api") }

// Close closes the open segment.
func (r *Reader) Close() error { panic("api") }
