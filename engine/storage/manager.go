package storage

import (
	"manifold/engine/base"
	"manifold/engine/vfs"
)

// Options of a Manager. Zero values take the defaults.
type Options struct {
	MaxOpenFiles  int  // 1000 when zero
	SegmentBlocks int  // pages a segment; 131072 (1 GiB) when zero
	NoSync        bool // fsync = off
}

// Manager is the files of all relations of a cluster. All methods may be called concurrently.
type Manager struct{}

// New makes a manager for the data directory that fs is rooted at.
func New(fs vfs.FS, o Options) *Manager { panic("api") }

// CreateDatabase makes the directory of a database in a tablespace; RemoveDatabase removes it with all files.
func (m *Manager) CreateDatabase(space, db base.OID) error { panic("api") }
func (m *Manager) RemoveDatabase(space, db base.OID) error { panic("api") }

// Create makes the file of a fork; it fails with 58P02 when it exists, unless redo is set.
func (m *Manager) Create(f base.RelFile, fork base.Fork, redo bool) error { panic("api") }

// Exists tells whether a fork has a file.
func (m *Manager) Exists(f base.RelFile, fork base.Fork) (bool, error) { panic("api") }

// Unlink forgets a relation: its files are truncated at once and removed after the next checkpoint. A relation that is
// not there is no error.
func (m *Manager) Unlink(f base.RelFile) error { panic("api") }

// Blocks gives the size of a fork in pages (cached); zero for one without a file.
func (m *Manager) Blocks(f base.RelFile, fork base.Fork) (base.BlockNumber, error) { panic("api") }

// Read fills p with a page; a page beyond the end is XX001.
func (m *Manager) Read(tag base.PageTag, p []byte) error { panic("api") }

// Write writes a page within the fork (not yet durable: the next Sync makes it so).
func (m *Manager) Write(tag base.PageTag, p []byte) error { panic("api") }

// Extend appends n zero pages and gives the first of them. Extenders of one fork exclude each other here.
func (m *Manager) Extend(f base.RelFile, fork base.Fork, n int) (base.BlockNumber, error) {
	panic("api")
}

// ExtendTo makes a fork at least n pages long, creating it when missing: for redo.
func (m *Manager) ExtendTo(f base.RelFile, fork base.Fork, n base.BlockNumber) error { panic("api") }

// Truncate cuts a fork to n pages. The pool must have dropped the pages beyond.
func (m *Manager) Truncate(f base.RelFile, fork base.Fork, n base.BlockNumber) error { panic("api") }

// SyncRelation makes a relation's fork durable now (a bulk build that logged nothing).
func (m *Manager) SyncRelation(f base.RelFile, fork base.Fork) error { panic("api") }

// Sync makes every write before the call durable: the fsyncs that a checkpoint owes.
func (m *Manager) Sync() error { panic("api") }

// BeginUnlinks marks the unlinks pending now; FinishUnlinks, after the checkpoint, removes their files.
func (m *Manager) BeginUnlinks()        { panic("api") }
func (m *Manager) FinishUnlinks() error { panic("api") }

// Close closes all files.
func (m *Manager) Close() error { panic("api") }
