package recovery

import (
	"errors"
	"io"
	"syscall"
	"time"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/checkpoint"
	"manifold/engine/clog"
	"manifold/engine/control"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/sequence"
	"manifold/engine/stats"
	"manifold/engine/storage"
	"manifold/engine/txn"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// Options of a start.
type Options struct {
	WAL     wal.Options // segment size, identity, timeline and incarnation come from the control file
	Storage storage.Options
	Buffers buffer.Options
	Locks   lock.Options
	Ahead   Ahead
	Say     func(*pgerror.Error) // takes what the server's log tells of a recovery; nil: nobody does
}

// Ahead says how the log is read ahead of redo.
type Ahead struct {
	Buffer      int  // bytes of log (wal_decode_buffer_size); zero is 512 kB
	Concurrency int  // pages prefetched at a time (maintenance_io_concurrency); zero: none
	InTurn      bool // the reader works only while redo waits for it, so that what fails by a count of calls fails again
}

// batch gives the size of a batch.
func (a Ahead) batch() int {
	if a.Buffer == 0 {
		return 512 << 10 / aheadBatches
	}
	return max(a.Buffer/aheadBatches, 1)
}

// Cluster is the lower half of a running engine. Its parts are closed by Close, after a shutdown checkpoint.
type Cluster struct {
	Control *control.Store
	Store   *storage.Manager
	Pool    *buffer.Pool
	Log     *wal.Log
	Clog    *clog.Log
	Locks   *lock.Manager
	Txns    *txn.Manager
	Heaps   *heap.Store
	Check   *checkpoint.Mechanism

	Crashed    bool     // there was no shutdown checkpoint
	Replayed   int      // records
	Compared   int      // pages compared with images after redo (wal_consistency_checking)
	RedoStart  base.LSN // where replay began
	RedoEnd    base.LSN // where the log ended
	Prefetched stats.Prefetch
	Aborted    int // transactions that were running when the cluster stopped
}

// Managers gives every resource manager by number: the one table of them.
func Managers(replay *txn.Replay) map[uint8]rmgr.Manager {
	all := []rmgr.Manager{
		checkpoint.Manager(replay.NoteOID),
		replay.Manager(),
		rmgr.StorageManager(),
		btree.Manager(),
		sequence.Manager(),
	}
	table := map[uint8]rmgr.Manager{}
	for _, m := range append(all, heap.Managers()...) {
		table[m.ID] = m
	}
	return table
}

// Describe renders a record for waldump.
func Describe(r *wal.Record) string {
	m, ok := Managers(txn.NewReplay(nil, 0, 0))[r.RMgr]
	if !ok {
		return "unknown resource manager"
	}
	return m.Name + ": " + m.Describe(r)
}

// Create makes the files of a new cluster in an empty directory: control file, log, default directories. The cluster is
// started by Start.
func Create(fs vfs.FS, system uint64, segment int64, o Options) error {
	o.WAL.SystemID, o.WAL.SegmentSize, o.WAL.Timeline, o.WAL.Incarnation = system, segment, 1, 1
	at := wal.FirstPosition(o.WAL)
	store, err := control.OpenNew(fs, control.File{
		SystemID: system, Format: control.FormatVersion, State: control.StateNew, Incarnation: 1, SegmentSize: segment,
		Checkpoint: control.Checkpoint{Redo: at.Redo, Timeline: 1, NextXID: base.FirstXID, NextOID: base.FirstNormalOID,
			OldestXID: base.FirstXID},
	})
	if err != nil {
		return err
	}
	files := storage.New(fs, o.Storage)
	return errors.Join(files.CreateDatabase(base.GlobalTablespace, 0), files.SetMap(0, nil), files.Sync(), files.Close(), store.Close())
}

// Start opens a cluster: recovery, then a checkpoint, then it is ready for writes.
func Start(fs vfs.FS, o Options) (*Cluster, error) {
	c := &Cluster{}
	err := c.start(fs, o)
	if err != nil {
		c.abandon()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(fs vfs.FS, o Options) error {
	var f control.File
	var err error
	if c.Control, f, err = control.Open(fs); err != nil {
		return err
	}
	c.Store = storage.New(fs, o.Storage)
	if err = c.Store.LoadMaps(); err != nil {
		return err
	}
	if c.Pool, err = buffer.New(c.Store, nil, o.Buffers); err != nil {
		return err
	}
	if c.Clog, err = clog.Open(fs); err != nil {
		return err
	}
	replay := txn.NewReplay(c.Clog, f.Checkpoint.NextXID, f.Checkpoint.NextOID)
	c.Crashed = f.State != control.StateShutdown && f.State != control.StateNew
	if c.Crashed {
		if err = c.Control.Update(func(f *control.File) { f.State = control.StateCrashRecovery }); err != nil {
			return err
		}
	}
	o.WAL.SystemID, o.WAL.SegmentSize, o.WAL.Timeline = f.SystemID, f.SegmentSize, f.Checkpoint.Timeline
	prefaulted := c.Pool.Prefault()
	at, err := c.redo(fs, f, o, replay)
	prefaulted()
	if err != nil {
		return err
	}
	// The incarnation is durable before the first record of this start (rule 12).
	if err = c.Control.Update(func(f *control.File) { f.Incarnation++ }); err != nil {
		return err
	}
	o.WAL.Incarnation = c.Control.Get().Incarnation
	if c.Log, err = wal.Open(fs, o.WAL, at); err != nil {
		return err
	}
	c.Pool.SetLog(c.Log)
	if err = c.reset(c.Crashed); err != nil {
		return err
	}
	if err = c.noteFiles(replay); err != nil {
		return err
	}
	if err = c.abortUnfinished(replay); err != nil {
		return err
	}
	c.Locks = lock.New(o.Locks)
	if c.Txns, err = txn.New(txn.Config{Log: c.Log, Clog: c.Clog, Locks: c.Locks, Pool: c.Pool,
		NextXID: replay.NextXID(), NextOID: replay.NextOID(), Prepared: replay.Prepared()}); err != nil {
		return err
	}
	c.Txns.SetOldestXID(f.Checkpoint.OldestXID)
	c.Heaps = heap.New(c.Txns)
	c.Check = &checkpoint.Mechanism{Log: c.Log, Pool: c.Pool, Store: c.Store, Control: c.Control, Txns: transactions{c.Txns}}
	_, err = c.Check.Run(checkpoint.Request{Spare: 1})
	return err
}

// redo replays the log and tells of it after a crash.
func (c *Cluster) redo(fs vfs.FS, f control.File, o Options, replay *txn.Replay) (wal.Position, error) {
	say := func(format string, args ...any) {
		if o.Say != nil && c.Crashed {
			o.Say(pgerror.Notice(pgerror.SeverityLog, pgerror.SuccessfulCompletion, format, args...))
		}
	}
	say("database system was not properly shut down; automatic recovery in progress")
	say("redo starts at %s", f.Checkpoint.Redo)
	began, user, system := usage()
	at, err := c.replay(fs, f, o, replay)
	if err == nil {
		now, u, s := usage()
		say("redo done at %s system usage: CPU: user: %.2f s, system: %.2f s, elapsed: %.2f s", at.Prev, (u - user).Seconds(),
			(s - system).Seconds(), now.Sub(began).Seconds())
	}
	return at, err
}

// usage gives the time and how much of it the process has used.
func usage() (now time.Time, user, system time.Duration) {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails only for other arguments
	return time.Now(), time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano())
}

// replay is the redo loop. It gives where the log is to be continued.
func (c *Cluster) replay(fs vfs.FS, f control.File, o Options, replay *txn.Replay) (wal.Position, error) {
	var table [256]*rmgr.Manager
	for id, m := range Managers(replay) {
		table[id] = &m
	}
	w := o.WAL
	c.RedoStart = f.Checkpoint.Redo
	r := wal.NewReader(fs, wal.ReaderOptions{Dir: w.Dir, SegmentSize: w.SegmentSize, SystemID: w.SystemID, Timeline: w.Timeline,
		Incarnation: f.Incarnation, MustReach: max(f.CheckpointLSN, f.MinRecovery), Sync: true}, f.Checkpoint.Redo)
	defer r.Close()
	a := &ahead{log: r, size: o.Ahead.batch(), inTurn: o.Ahead.InTurn, moves: func(r *wal.Record) ([]base.RelFile, bool) {
		if m := table[r.RMgr]; m != nil && m.Moves != nil {
			return m.Moves(r)
		}
		return nil, false
	}}
	if o.Ahead.Concurrency > 0 {
		a.pages = newPrefetcher(c.Pool, o.Ahead.Concurrency)
	}
	a.start()
	ctx := rmgr.NewRedoContext(c.Pool)
	err := c.replayBatches(a, ctx, table[:], replay)
	a.close()
	if a.pages != nil {
		c.Prefetched = a.pages.counts
	}
	if err != io.EOF {
		return wal.Position{}, err
	}
	at := r.Position()
	if at.Prev == 0 {
		at = wal.FirstPosition(w)
	}
	at.Redo = f.Checkpoint.Redo
	c.RedoEnd = at.End
	c.Compared = ctx.Compared
	return at, ctx.CheckMissing()
}

// replayBatches replays what the reader hands over until the log ends with io.EOF, or something fails.
func (c *Cluster) replayBatches(a *ahead, ctx *rmgr.RedoContext, table []*rmgr.Manager, replay *txn.Replay) error {
	for {
		b := a.next()
		for i := range b.Records {
			if err := c.replayRecord(&b.Records[i], ctx, table, replay); err != nil {
				return err
			}
		}
		if b.err != nil {
			return b.err
		}
		a.release(b)
	}
}

func (c *Cluster) replayRecord(rec *wal.Record, ctx *rmgr.RedoContext, table []*rmgr.Manager, replay *txn.Replay) error {
	m := table[rec.RMgr]
	if m == nil {
		return pgerror.Corrupt("WAL record at %s has unknown resource manager %d", rec.Start, rec.RMgr)
	}
	replay.Note(rec)
	if checkpoint.IsCheckpoint(rec) {
		cp, err := checkpoint.Decode(rec)
		if err != nil {
			return err
		}
		replay.NoteCounters(cp.NextXID, cp.NextOID)
	}
	if err := m.Redo(ctx, rec); err != nil {
		return err
	}
	if err := ctx.Compare(rec, m); err != nil {
		return err
	}
	c.Replayed++
	return nil
}

// abortUnfinished ends the transactions that were running when the log ended.
func (c *Cluster) abortUnfinished(replay *txn.Replay) error {
	var b wal.Builder
	for _, x := range replay.Unfinished() {
		txn.BuildAbort(&b, x, time.Now())
		if _, err := c.Log.Insert(&b); err != nil {
			return err
		}
		if err := replay.Abort(x); err != nil {
			return err
		}
		c.Aborted++
	}
	return nil
}

// Shutdown makes the last checkpoint and closes everything; no transaction may be running.
func (c *Cluster) Shutdown() error {
	_, err := c.Check.Run(checkpoint.Request{Shutdown: true})
	return errors.Join(err, c.Close())
}

// Close closes the files without a checkpoint: the next start replays the log.
func (c *Cluster) Close() error {
	return errors.Join(c.Log.Close(), c.Store.Close(), c.Control.Close())
}

// abandon closes what a failed start opened.
func (c *Cluster) abandon() {
	if c.Log != nil {
		_ = c.Log.Close()
	}
	if c.Store != nil {
		_ = c.Store.Close()
	}
	if c.Control != nil {
		_ = c.Control.Close()
	}
}

// transactions fits txn.Manager to what a checkpoint asks for.
type transactions struct{ *txn.Manager }

// CheckpointBegin gives the counters.
func (t transactions) CheckpointBegin(redo base.LSN) checkpoint.State {
	return checkpoint.State(t.Manager.CheckpointBegin(redo))
}
