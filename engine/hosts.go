package engine

import (
	"strconv"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/checkpoint"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/setting"
	"manifold/engine/types"
)

func oidDatum(oid base.OID) types.Datum { return types.Int(int64(oid)) }

// builtinName gives the name of a built-in function.
func builtinName(oid base.OID) (string, bool) {
	if e, ok := builtins.Lookup(oid); ok {
		return e.Name, true
	}
	facts := bootstrap.Load("pg_proc")
	id, name := facts.Column("oid"), facts.Column("proname")
	for _, r := range facts.Rows {
		if r[id] == strconv.Itoa(int(oid)) {
			return r[name], true
		}
	}
	return "", false
}

// Checkpoint makes a checkpoint; timed says that the time for it has come, not the log or a command. pace is told how far it is and may wait; nil writes as fast as it can.
func (e *Engine) Checkpoint(timed bool, pace func(done, total int) error) (checkpoint.Result, error) {
	e.checkpointMu.Lock()
	defer e.checkpointMu.Unlock()
	return e.cluster.Check.Run(checkpoint.Request{Timed: timed, Pace: pace, Spare: e.spareSegments()})
}

// spareSegments gives how many old segments of the log are kept for reuse: for the log that the next checkpoint's interval will
// probably need, within min_wal_size and max_wal_size. A rise is followed at once, a fall slowly.
func (e *Engine) spareSegments() int {
	if !e.setting("wal_recycle").Bool {
		return 0
	}
	distance := float64(e.RedoDistance())
	e.logPerCheckpoint = max(distance, 0.9*e.logPerCheckpoint+0.1*distance)
	segment := float64(e.cluster.Control.Get().SegmentSize)
	least, most := float64(e.setting("min_wal_size").Int<<20), float64(e.setting("max_wal_size").Int<<20)
	return max(segmentsAhead, int(min(max(1.1*e.logPerCheckpoint, least), most)/segment))
}

// setting gives the configuration's value of a parameter that must exist.
func (e *Engine) setting(name string) setting.Value {
	p, ok := setting.Lookup(name)
	if !ok {
		return setting.Value{}
	}
	if text, ok := e.configured.Load().values[p.Name]; ok {
		if v, err := p.Parse(text); err == nil {
			return v
		}
	}
	return p.Default()
}

// CleanBuffers writes up to max dirty pages among the next ones that the clock can evict, and gives how many it wrote.
func (e *Engine) CleanBuffers(ahead, max int) (int, error) {
	return e.cluster.Pool.CleanBuffers(ahead, max)
}

// Buffers gives the size of the shared buffers in pages, and how many pages have been brought into them.
func (e *Engine) Buffers() (size int, allocated int64) {
	return e.cluster.Pool.Frames(), e.cluster.Pool.Stats().Allocated
}

// FlushLog makes durable what asynchronous commits have written.
func (e *Engine) FlushLog() error { return e.cluster.Log.Flush(e.cluster.Log.InsertLSN()) }

// segmentsAhead is how many log segments are kept ready for use.
const segmentsAhead = 4

// LogFilling receives when the buffers of the log fill.
func (e *Engine) LogFilling() <-chan struct{} { return e.cluster.Log.Filling() }

// PrepareLog makes the next segments of the log.
func (e *Engine) PrepareLog() error { return e.cluster.Log.Preallocate(segmentsAhead) }

// LogWritten gives the number of bytes of log written since the cluster was made, for max_wal_size.
func (e *Engine) LogWritten() int64 { return int64(e.cluster.Log.InsertLSN()) }

// RedoDistance gives the bytes of log that a crash now would have to redo.
func (e *Engine) RedoDistance() int64 {
	return int64(e.cluster.Log.InsertLSN() - e.cluster.Log.RedoLSN())
}

// RefreshHorizon lets vacuum and hints go as far as the running transactions allow.
func (e *Engine) RefreshHorizon() {
	e.cluster.Txns.RefreshHorizon()
	e.cluster.Txns.TrimRing()
}

// commandHost is what utility statements ask of the server.
type commandHost Engine

// Checkpoint implements command.Host.
func (h *commandHost) Checkpoint(task *activity.Task) error {
	_, err := (*Engine)(h).Checkpoint(false, nil)
	return err
}

// Sessions implements command.Host.
func (h *commandHost) Sessions(db base.OID, self *session.Session) int {
	n := 0
	for _, s := range (*Engine)(h).Sessions() {
		if s != self && s.Database != nil && s.Database.OID == db {
			n++
		}
	}
	return n
}

// disconnectWait bounds how long DROP DATABASE (FORCE) waits for the sessions it ends.
const disconnectWait = 5 * time.Second

// Disconnect implements command.Host.
func (h *commandHost) Disconnect(db base.OID, self *session.Session) error {
	e := (*Engine)(h)
	for _, s := range e.Sessions() {
		if s != self && s.Database != nil && s.Database.OID == db {
			err := pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command")
			err.Severity = pgerror.SeverityFatal
			s.Task.Terminate(err)
		}
	}
	gone := make(chan struct{})
	for deadline := time.Now().Add(disconnectWait); h.Sessions(db, self) > 0 && time.Now().Before(deadline); {
		if err := self.Task.Wait(activity.EventLockObject, gone, 10*time.Millisecond); err != nil && err != error(activity.ErrTimeout) {
			return err
		}
	}
	return nil
}

// ForgetDatabase implements command.Host.
func (h *commandHost) ForgetDatabase(db base.OID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.caches, db)
	delete(h.plans, db)
}

// DropDatabase implements command.Host.
func (h *commandHost) DropDatabase(_ *activity.Task, db base.OID) error {
	e := (*Engine)(h)
	h.ForgetDatabase(db)
	if e.cfg.Dropped != nil {
		e.cfg.Dropped(db)
	}
	e.stats.DropDatabase(db)
	return e.cluster.Txns.DropDatabase(db)
}
