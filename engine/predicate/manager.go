package predicate

import (
	"sync"
	"sync/atomic"

	"manifold/engine/base"
)

// Limits bound the memory of the manager; reaching one costs precision, never an error.
type Limits struct {
	Locks       int // SIREAD locks in all; beyond, a transaction locks whole relations
	Finished    int // committed transactions kept one by one; beyond, the oldest are summarised
	PerRelation int // locks on parts of a relation before the relation is locked instead
	PerPage     int // locks on rows of a page before the page is locked instead
}

// DefaultLimits are those of PostgreSQL's defaults: max_pred_locks_per_transaction 64, _per_relation -2, _per_page 2.
func DefaultLimits() Limits {
	return Limits{Locks: 64 * 1100, Finished: 1000, PerRelation: 31, PerPage: 2}
}

// seq numbers the commits of serializable transactions.
type seq uint64

const never = seq(1<<64 - 1)

// Manager is the serializable transactions of a cluster. All methods may be called concurrently.
type Manager struct {
	limits  Limits
	tracked atomic.Int32 // len(xacts) and summaries; read without the mutex

	mu       sync.Mutex
	seq      seq // of the last commit
	xacts    map[*Xact]struct{}
	byXID    map[base.XID]*Xact
	finished []*Xact // the committed ones, oldest first
	writable int     // running transactions that are not declared READ ONLY
	locks    map[Target]map[*Xact]struct{}
	held     int // entries of locks

	oldLocks map[Target]seq       // what summarised transactions read: the last commit of those
	oldOut   map[base.XID]summary // summarised transactions that wrote
}

// summary is what is left of a transaction that wrote: when it committed, and the earliest commit of those it has a
// conflict out to, never when there is none.
type summary struct{ commit, out seq }

// New makes a manager.
func New(l Limits) *Manager {
	return &Manager{limits: l, xacts: map[*Xact]struct{}{}, byXID: map[base.XID]*Xact{}, locks: map[Target]map[*Xact]struct{}{},
		oldLocks: map[Target]seq{}, oldOut: map[base.XID]summary{}}
}

// Xact is a serializable transaction. Its exported methods belong to the session's goroutine; the fields are guarded by
// the mutex of the manager.
type Xact struct {
	m         *Manager
	top       base.XID // zero until the first write
	snap      seq      // the last commit before the snapshot
	prepared  seq      // never until PREPARE TRANSACTION or COMMIT
	committed seq      // never until COMMIT
	readOnly  bool
	declared  bool // READ ONLY from the beginning
	wrote     bool
	doomed    bool
	ended     bool
	safe      bool // READ ONLY and no conflict can concern it: nothing is tracked any more
	unsafe    bool // READ ONLY, and a transaction it ran beside makes its snapshot unsafe
	wait      chan struct{}

	in, out     map[*Xact]struct{} // rw-conflicts: who read what this wrote; whose writes this did not see
	oldIn       bool               // with a summarised reader
	oldOut      bool               // with a summarised writer
	earliestOut seq                // the earliest commit of those it had a conflict out to
	writers     map[*Xact]struct{} // READ ONLY: running writers that decide whether the snapshot is safe
	readers     map[*Xact]struct{} // the READ ONLY transactions that wait for this one so

	locks map[Target]struct{}
	parts map[Target]int // by page or relation: locks on its parts
}

// Begin takes a snapshot by calling take, which must register it, and tracks the transaction from then on. It is nil when
// nothing can concern a READ ONLY transaction because no writer runs.
func (m *Manager) Begin(readOnly bool, take func()) *Xact {
	m.mu.Lock()
	defer m.mu.Unlock()
	take()
	if readOnly && m.writable == 0 {
		return nil
	}
	x := &Xact{m: m, snap: m.seq, prepared: never, committed: never, readOnly: readOnly, declared: readOnly, earliestOut: never,
		in: map[*Xact]struct{}{}, out: map[*Xact]struct{}{}, locks: map[Target]struct{}{}, parts: map[Target]int{}}
	if readOnly {
		x.writers = map[*Xact]struct{}{}
		x.wait = make(chan struct{})
		for w := range m.xacts {
			if !w.ended && !w.readOnly && !w.doomed {
				x.writers[w] = struct{}{}
				w.readers[x] = struct{}{}
			}
		}
		if len(x.writers) == 0 {
			return nil
		}
	} else {
		x.readers = map[*Xact]struct{}{}
		m.writable++
	}
	m.xacts[x] = struct{}{}
	m.trackLocked()
	return x
}

func (m *Manager) trackLocked() {
	m.tracked.Store(int32(len(m.xacts) + len(m.oldLocks) + len(m.oldOut)))
}

// Decided gives a channel that is closed once it is known whether the snapshot of a READ ONLY transaction is safe.
func (x *Xact) Decided() <-chan struct{} { return x.wait }

// Safe tells whether the snapshot has turned out safe; then the transaction needs no End.
func (x *Xact) Safe() bool {
	x.m.mu.Lock()
	defer x.m.mu.Unlock()
	return x.safe
}

// Unsafe tells whether the snapshot has turned out unsafe.
func (x *Xact) Unsafe() bool {
	x.m.mu.Lock()
	defer x.m.mu.Unlock()
	return x.unsafe
}

// Assigned tells the id that the transaction got.
func (x *Xact) Assigned(top base.XID) {
	x.m.mu.Lock()
	defer x.m.mu.Unlock()
	x.top = top
	x.m.byXID[top] = x
}

// Tracked gives the number of transactions, locks' summaries and writers' summaries kept, for tests and checks.
func (m *Manager) Tracked() int { return int(m.tracked.Load()) }

// Lock is a row of pg_locks.
type Lock struct {
	Target Target
	Top    base.XID
	Owner  *Xact
}

// Locks lists the SIREAD locks of transactions kept one by one.
func (m *Manager) Locks() []Lock {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Lock
	for t, holders := range m.locks {
		for x := range holders {
			out = append(out, Lock{t, x.top, x})
		}
	}
	return out
}
