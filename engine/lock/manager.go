package lock

import (
	"time"

	"manifold/engine/activity"
)

// Options of a Manager. Zero durations take PostgreSQL's defaults.
type Options struct {
	MaxLocks int // locks in the shared table; 53200 beyond. 64 per 100 sessions as PostgreSQL when zero: 1,000,000
}

// Manager is the lock table of the server. All methods may be called concurrently, those of one Owner by its session.
type Manager struct{}

// Owner holds locks for one session.
type Owner struct{}

// New makes an empty lock table.
func New(o Options) *Manager { panic("api") }

// NewOwner registers a session; pid is what pg_locks shows. Close releases everything and unregisters.
func (m *Manager) NewOwner(pid uint32) *Owner { panic("api") }
func (o *Owner) Close()                       { panic("api") }

// Request says how a lock is asked for.
type Request struct {
	Tag     Tag
	Mode    Mode
	Session bool          // held until released or the session ends, not the transaction
	NoWait  bool          // fail with ErrNotAvailable instead of waiting
	Timeout time.Duration // lock_timeout; zero for none: 55P03
	// DeadlockTimeout is how long to wait before looking for a deadlock; 1 s when zero.
	DeadlockTimeout time.Duration
}

// Acquire takes a lock, waiting (activity.Task.Wait) as needed. Taking a mode again only counts. The result tells
// whether the owner held exactly this before.
func (m *Manager) Acquire(task *activity.Task, o *Owner, r Request) (already bool, err error) {
	panic("api")
}

// Release gives one count of a lock back; false when the owner does not hold it so.
func (m *Manager) Release(o *Owner, tag Tag, mode Mode, session bool) bool { panic("api") }

// ReleaseTransaction releases all locks of the transaction; ReleaseSession all session-level locks of a kind
// (pg_advisory_unlock_all).
func (o *Owner) ReleaseTransaction()      { panic("api") }
func (o *Owner) ReleaseSession(kind Kind) { panic("api") }

// Mark gives the point that RollbackTo returns to: locks taken by the transaction since are released (savepoints).
func (o *Owner) Mark() int        { panic("api") }
func (o *Owner) RollbackTo(m int) { panic("api") }

// Holds tells whether the owner holds a lock of at least the mode on a tag.
func (o *Owner) Holds(tag Tag, mode Mode) bool { panic("api") }

// HoldsSession tells whether any session-level lock is held.
func (o *Owner) HoldsSession() bool { panic("api") }

// Conflicting gives the pids that hold a lock in conflict with a mode on a tag.
func (m *Manager) Conflicting(tag Tag, mode Mode) []uint32 { panic("api") }

// Info is a row of pg_locks.
type Info struct {
	Tag      Tag
	Mode     Mode
	PID      uint32
	Granted  bool
	FastPath bool
	Since    time.Time // of the wait
}

// Snapshot gives all locks held and awaited.
func (m *Manager) Snapshot() []Info { panic("api") }

// BlockedBy gives the pids that keep a session from its lock (pg_blocking_pids).
func (m *Manager) BlockedBy(pid uint32) []uint32 { panic("api") }
