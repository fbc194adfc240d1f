package checkpoint

import (
	"time"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/control"
	"manifold/engine/storage"
	"manifold/engine/wal"
)

// State is what transactions tell a checkpoint.
type State struct {
	NextXID   base.XID
	NextOID   base.OID
	OldestXID base.XID
}

// Transactions is the part of a checkpoint that belongs to engine/txn and engine/clog.
type Transactions interface {
	// CheckpointBegin runs in the insertion critical section at the redo pointer: it copies what must be written (the
	// commit ring), without I/O or blocking, and gives the counters of the moment.
	CheckpointBegin(redo base.LSN) State
	// CheckpointWrite writes and syncs the commit log, after the log is durable past every commit copied.
	CheckpointWrite() error
	// CheckpointDone runs when the control file names the checkpoint: older commit log may go.
	CheckpointDone(redo base.LSN) error
}

// Mechanism is what a checkpoint works on.
type Mechanism struct {
	Log     *wal.Log
	Pool    *buffer.Pool
	Store   *storage.Manager
	Control *control.Store
	Txns    Transactions // may be nil
}

// Request says which kind of checkpoint is made.
type Request struct {
	Shutdown bool                         // no writers are left; the control file says shut down
	Pace     func(done, total int) error  // nil writes as fast as possible
	Keep     func(redo base.LSN) base.LSN // the oldest log still needed (slots, wal_keep_size); nil: redo
	Spare    int                          // segments kept ready for the future
}

// Result tells what was done.
type Result struct {
	Redo, Record       base.LSN
	Pages              int
	Write, Sync, Total time.Duration
}

// Run makes a checkpoint. Only one runs at a time; the caller sees to it.
func (m *Mechanism) Run(r Request) (Result, error) { panic("api") }
