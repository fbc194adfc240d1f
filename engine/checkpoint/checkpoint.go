package checkpoint

import (
	"sync/atomic"
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
	// CheckpointWrite writes and syncs the commit log; the log is durable past every commit copied.
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

	counts struct{ timed, requested, pages, write, sync atomic.Int64 } // durations in nanoseconds
}

// Counts are what checkpoints have done since the start.
type Counts struct {
	Timed, Requested, Pages int64
	Write, Sync             time.Duration
}

// Counts gives the counters.
func (m *Mechanism) Counts() Counts {
	c := &m.counts
	return Counts{Timed: c.timed.Load(), Requested: c.requested.Load(), Pages: c.pages.Load(),
		Write: time.Duration(c.write.Load()), Sync: time.Duration(c.sync.Load())}
}

// Request says which kind of checkpoint is made.
type Request struct {
	Timed    bool                         // checkpoint_timeout is the cause
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

// Run makes a checkpoint. Only one runs at a time; the caller sees to it. After an error nothing has changed but what
// was written: the checkpoint before counts. An error of Sync or of the log is final (PANIC).
func (m *Mechanism) Run(r Request) (Result, error) {
	began := time.Now()
	var res Result
	c := control.Checkpoint{Time: began.UnixMicro()}
	old := m.Control.Get()
	c.Timeline = old.Checkpoint.Timeline
	c.NextXID, c.NextOID, c.OldestXID = old.Checkpoint.NextXID, old.Checkpoint.NextOID, old.Checkpoint.OldestXID
	m.Store.BeginUnlinks()

	// What is in the log before the redo pointer is in shared buffers and in the copy of the ring from here on.
	c.Redo = m.Log.BeginCheckpoint(func(redo base.LSN) {
		if m.Txns != nil {
			s := m.Txns.CheckpointBegin(redo)
			c.NextXID, c.NextOID, c.OldestXID = s.NextXID, s.NextOID, s.OldestXID
		}
	})
	res.Redo = c.Redo
	if err := m.writeOut(r, &res); err != nil {
		return res, err
	}
	m.count(r, &res)
	record, err := m.logRecord(c, r.Shutdown)
	if err != nil {
		return res, err
	}
	res.Record = record
	err = m.Control.Update(func(f *control.File) {
		f.CheckpointLSN, f.Checkpoint = record, c
		f.State = control.StateProduction
		if r.Shutdown {
			f.State = control.StateShutdown
		}
	})
	if err != nil {
		return res, err
	}
	err = m.cleanUp(r, c.Redo)
	res.Total = time.Since(began)
	return res, err
}

func (m *Mechanism) count(r Request, res *Result) {
	c := &m.counts
	if r.Timed {
		c.timed.Add(1)
	} else {
		c.requested.Add(1)
	}
	c.pages.Add(int64(res.Pages))
	c.write.Add(int64(res.Write))
	c.sync.Add(int64(res.Sync))
}

// writeOut brings everything before the redo pointer to disk.
func (m *Mechanism) writeOut(r Request, res *Result) error {
	began := time.Now()
	if m.Txns != nil {
		if err := m.Log.Flush(m.Log.InsertLSN()); err != nil { // past every commit copied
			return err
		}
		if err := m.Txns.CheckpointWrite(); err != nil {
			return err
		}
	}
	var err error
	if res.Pages, err = m.Pool.CheckpointWrite(r.Pace); err != nil {
		return err
	}
	res.Write = time.Since(began)
	err = m.Store.Sync()
	res.Sync = time.Since(began) - res.Write
	if err != nil {
		m.Log.Poison(err) // the kernel may have dropped the pages: only redo from the checkpoint before brings them back
	}
	return err
}

// logRecord makes the checkpoint record durable and gives its start.
func (m *Mechanism) logRecord(c control.Checkpoint, shutdown bool) (base.LSN, error) {
	info := wal.InfoCheckpointOnline
	if shutdown {
		info = wal.InfoCheckpointShutdown
	}
	var b wal.Builder
	b.Begin(wal.RMgrXLOG, info, base.InvalidXID)
	b.Data(encode(c))
	start, end, err := m.Log.InsertAt(&b)
	if err != nil {
		return 0, err
	}
	return start, m.Log.Flush(end)
}

// cleanUp removes what only an older checkpoint needed.
func (m *Mechanism) cleanUp(r Request, redo base.LSN) error {
	if err := m.Store.FinishUnlinks(); err != nil {
		return err
	}
	if m.Txns != nil {
		if err := m.Txns.CheckpointDone(redo); err != nil {
			return err
		}
	}
	keep := redo
	if r.Keep != nil {
		keep = min(keep, r.Keep(redo))
	}
	return m.Log.Recycle(keep, r.Spare)
}
