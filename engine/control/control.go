package control

import (
	"manifold/engine/base"
	"manifold/engine/vfs"
)

// State is the state of the cluster as the last writer left it.
type State uint8

// The states, in the order a start goes through them.
const (
	StateNew State = iota
	StateShutdown
	StateShutdowning
	StateCrashRecovery
	StateArchiveRecovery
	StateProduction
	stateCount
)

// FormatVersion is the version of everything on disk.
const FormatVersion = 1

// Checkpoint is what a checkpoint record and the control file both hold.
type Checkpoint struct {
	Redo      base.LSN
	Timeline  uint32
	NextXID   base.XID
	NextOID   base.OID
	OldestXID base.XID // clog below it is gone
	Time      int64    // microseconds since 1970
}

// File is the content of the control file.
type File struct {
	SystemID      uint64
	Format        uint32
	State         State
	Incarnation   uint32   // rule 12: durable before the first record of a start
	CheckpointLSN base.LSN // start of the checkpoint record
	Checkpoint    Checkpoint
	MinRecovery   base.LSN // a restored backup is consistent only from here
	SegmentSize   int64    // of the log
	DefaultLocale uint32   // reserved
	Time          int64    // of this write, microseconds since 1970
}

// Store reads and writes the control file.
type Store struct{}

// Open opens the control file of a cluster; OpenNew makes it.
func Open(fs vfs.FS) (*Store, File, error)      { panic("api") }
func OpenNew(fs vfs.FS, f File) (*Store, error) { panic("api") }

// Get gives the content last written.
func (s *Store) Get() File { panic("api") }

// Update changes the content and makes it durable before it returns.
func (s *Store) Update(change func(*File)) error { panic("api") }

// Close closes the file.
func (s *Store) Close() error { panic("api") }
