package buffer

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/storage"
)

// Log is what the pool needs of the write-ahead log.
type Log interface {
	// Flush makes the log durable up to lsn.
	Flush(lsn base.LSN) error
	// LogImage logs an image of a page held at least shared; zero when none is needed.
	LogImage(tag base.PageTag, p page.Page) (base.LSN, error)
}

// Options of a Pool.
type Options struct {
	Frames int // pages in memory: at least 16
}

// Pool is the shared buffers.
type Pool struct{}

// New makes a pool. log may be nil until SetLog (recovery pins before the log is open for writing; hints then dirty
// nothing and dirty pages are written without flushing).
func New(store *storage.Manager, log Log, o Options) (*Pool, error) { panic("api") }

// SetLog joins the pool to the log.
func (p *Pool) SetLog(log Log) { panic("api") }

// Storage gives the files below.
func (p *Pool) Storage() *storage.Manager { panic("api") }

// Buffer is a pinned page: a small value, to be released exactly once by the task that pinned it. The zero Buffer is
// none. task may be nil everywhere.
type Buffer struct {
	pool  *Pool
	task  *activity.Task
	frame int32
}

// Pin finds or reads a page and pins it. A page whose bytes are wrong is XX001; a page beyond the end is too.
func (p *Pool) Pin(task *activity.Task, tag base.PageTag) (Buffer, error) { panic("api") }

// Hint remembers where a page was found, so that PinHint of the same page skips the hash table. Its zero value is no
// hint; it may be shared by goroutines.
type Hint struct{}

// PinHint is Pin with a hint: for roots and other pages pinned by every statement.
func (p *Pool) PinHint(task *activity.Task, tag base.PageTag, h *Hint) (Buffer, error) { panic("api") }

// PinZero gives a page pinned, exclusively latched and all zero, without reading it; the fork is extended to hold it.
// It is for redo and for maps that heal themselves.
func (p *Pool) PinZero(task *activity.Task, tag base.PageTag) (Buffer, error) { panic("api") }

// PinOrZero is Pin, but a page with wrong bytes comes back as zeros (maps that heal themselves).
func (p *Pool) PinOrZero(task *activity.Task, tag base.PageTag) (Buffer, error) { panic("api") }

// Extend appends a page to a fork and gives it pinned, exclusively latched and all zero.
func (p *Pool) Extend(task *activity.Task, f base.RelFile, fork base.Fork) (Buffer, error) {
	panic("api")
}

// Blocks gives the size of a fork in pages.
func (p *Pool) Blocks(f base.RelFile, fork base.Fork) (base.BlockNumber, error) { panic("api") }

// DropRelation forgets all pages of a relation, dirty ones unwritten; nobody may have one pinned. DropDatabase does so
// for a database. Truncate forgets the pages from n on and cuts the fork.
func (p *Pool) DropRelation(f base.RelFile)                                       { panic("api") }
func (p *Pool) DropDatabase(db base.OID)                                          { panic("api") }
func (p *Pool) Truncate(f base.RelFile, fork base.Fork, n base.BlockNumber) error { panic("api") }

// FlushRelation and FlushDatabase write all dirty pages, not yet durable.
func (p *Pool) FlushRelation(f base.RelFile) error { panic("api") }
func (p *Pool) FlushDatabase(db base.OID) error    { panic("api") }

// Valid tells whether the Buffer is one.
func (b Buffer) Valid() bool { return b.pool != nil }

// Page gives the bytes, valid while pinned; read them under a latch.
func (b Buffer) Page() page.Page { panic("api") }

// Tag gives the page's name.
func (b Buffer) Tag() base.PageTag { panic("api") }

// Lock and RLock latch the content; the T forms do not wait. Latches are short: no wait, no I/O on others' behalf.
func (b Buffer) Lock()          { panic("api") }
func (b Buffer) TryLock() bool  { panic("api") }
func (b Buffer) Unlock()        { panic("api") }
func (b Buffer) RLock()         { panic("api") }
func (b Buffer) TryRLock() bool { panic("api") }
func (b Buffer) RUnlock()       { panic("api") }

// LockForCleanup latches exclusively once nobody else has the page pinned; TryLockForCleanup does not wait.
func (b Buffer) LockForCleanup() error   { panic("api") }
func (b Buffer) TryLockForCleanup() bool { panic("api") }

// MarkDirty says that the page is changed under the exclusive latch: call it before the record is inserted, so that a
// checkpoint that takes its redo pointer after the record cannot miss the page.
func (b Buffer) MarkDirty() { panic("api") }

// SetLSN records the log position of the change (exclusive latch).
func (b Buffer) SetLSN(lsn base.LSN) { panic("api") }

// MarkDirtyHint says that hint bits were set (by atomic OR, under any latch). It may log an image first (rule 9) and
// may decide to leave the page clean; it never blocks on I/O.
func (b Buffer) MarkDirtyHint() error { panic("api") }

// Release unpins; UnlockRelease and RUnlockRelease also unlatch.
func (b Buffer) Release()        { panic("api") }
func (b Buffer) UnlockRelease()  { panic("api") }
func (b Buffer) RUnlockRelease() { panic("api") }

// Repin pins the same page once more.
func (b Buffer) Repin() Buffer { panic("api") }

// CleanBuffers writes at most max dirty pages ahead of the clock hand: the background writer's round. It gives how many
// it wrote.
func (p *Pool) CleanBuffers(max int) (int, error) { panic("api") }

// CheckpointWrite writes every page that is dirty at the call, in file order. pace is called after each write with
// what is done and the total; its error ends the work.
func (p *Pool) CheckpointWrite(pace func(done, total int) error) (int, error) { panic("api") }
