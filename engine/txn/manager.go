package txn

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/clog"
	"manifold/engine/invariant"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/predicate"
	"manifold/engine/wal"
)

// OIDBatch is how many OIDs one log record covers.
const OIDBatch = 8192

// horizonEvery is how many snapshots or ids of a session pass between its refreshes of the horizon; with many sessions, which
// a refresh has to look at one by one, one more for each horizonShare of them.
const (
	horizonEvery = 32
	horizonShare = 4
)

// Config is what a manager works on, and the counters that recovery found.
type Config struct {
	Log     *wal.Log
	Clog    *clog.Log
	Locks   *lock.Manager
	Pool    *buffer.Pool
	NextXID base.XID
	NextOID base.OID

	Prepared []*PreparedState // that have not ended
}

// Manager is the transactions of a cluster. All methods may be called concurrently.
type Manager struct {
	log   *wal.Log
	clog  *clog.Log
	locks *lock.Manager
	pool  *buffer.Pool
	ssi   *predicate.Manager

	ring    ring
	nextXID atomic.Uint64
	_       [48]byte

	c  atomic.Uint64 // the newest commit in the log buffer
	cs atomic.Uint64 // the newest of those whose level is not off
	q  atomic.Uint64 // confirmed by the synchronous standbys; all ones without any
	_  [40]byte

	announced atomic.Uint64 // what some refresh of the horizon started from
	horizon   atomic.Uint64
	oldestXID atomic.Uint64
	cutXID    atomic.Uint64 // oldestXID as of the redo pointer of the last checkpoint begun
	_         [32]byte

	xidMu      sync.Mutex   // guards replacement of ring.dir
	commitSubs sync.RWMutex // see doc.go
	cuts       sync.RWMutex // held shared from the record of a cut of a file to the cut: see Truncate

	oidMu     sync.Mutex // guards nextOID and the growth of oidLogged
	nextOID   base.OID
	oidLogged atomic.Uint32 // OIDs below are covered by a log record; set in the commit section

	procs procTable

	exports  exports
	prepared preparedSet
	restored []*PreparedState // at the start
	builders sync.Pool
}

// New makes the manager after recovery: every transaction below NextXID has ended and the commit log knows how.
func New(c Config) (*Manager, error) {
	m := &Manager{log: c.Log, clog: c.Clog, locks: c.Locks, pool: c.Pool, ssi: predicate.New(predicate.DefaultLimits())}
	m.builders.New = func() any { return new(wal.Builder) }
	next := max(c.NextXID, base.FirstXID)
	m.nextXID.Store(uint64(next))
	m.oldestXID.Store(uint64(base.FirstXID))
	m.nextOID = max(c.NextOID, base.FirstNormalOID)
	m.oidLogged.Store(uint32(m.nextOID))
	m.q.Store(math.MaxUint64)
	start := max(c.Log.InsertLSN(), base.LSN(slotOld))
	m.c.Store(uint64(start))
	m.cs.Store(uint64(min(start, c.Log.FlushedLSN())))
	first := next
	for _, p := range c.Prepared {
		first = min(first, p.XID)
	}
	m.ring.dir.Store(&ringDir{first: uint64(first) >> ringShift})
	m.ring.grow(next)
	if err := c.Clog.Reserve(next); err != nil {
		return nil, err
	}
	for x := first &^ ringMask; x < next; x++ {
		v := slotAborted
		if c.Clog.Get(x) == clog.Committed || x < base.FirstXID {
			v = slotOld
		}
		m.ring.slot(x).Store(v)
	}
	m.restored = c.Prepared
	for _, p := range c.Prepared {
		m.ring.slot(p.XID).Store(slotRunning)
		for _, x := range p.Subs {
			m.ring.slot(x).Store(slotSub | uint64(p.XID))
		}
		if err := m.restore(p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Locks gives the lock table that transactions wait in.
func (m *Manager) Locks() *lock.Manager { return m.locks }

// Serializable gives what tracks SERIALIZABLE transactions.
func (m *Manager) Serializable() *predicate.Manager { return m.ssi }

// Log gives the write-ahead log; Pool the buffers.
func (m *Manager) Log() *wal.Log      { return m.log }
func (m *Manager) Pool() *buffer.Pool { return m.pool }

// Builder lends a record builder; give it back with Done after the insertion. Images are made as the task wants them; records
// without pages need none.
func (m *Manager) Builder(task *activity.Task) *wal.Builder {
	b := m.builders.Get().(*wal.Builder)
	b.Tune(task.LogTuning())
	return b
}

// Done takes a builder back.
func (m *Manager) Done(b *wal.Builder) { m.builders.Put(b) }

// Now gives C, the newest commit.
func (m *Manager) Now() base.LSN { return base.LSN(m.c.Load()) }

// Durable gives min(F, Q).
func (m *Manager) Durable() base.LSN {
	return min(m.log.FlushedLSN(), base.LSN(m.q.Load()))
}

// NextXID gives the id that will be assigned next.
func (m *Manager) NextXID() base.XID { return base.XID(m.nextXID.Load()) }

// Status gives the fate of x and its commit position (zero for "before every snapshot"). It implements mvcc.Commits.
func (m *Manager) Status(x base.XID) (mvcc.Status, base.LSN) {
	for {
		if x < base.FirstXID {
			return mvcc.Committed, 0
		}
		d := m.ring.dir.Load()
		n := uint64(x) >> ringShift
		if n < d.first {
			if m.clog.Get(x) == clog.Committed {
				return mvcc.Committed, 0
			}
			return mvcc.Aborted, 0
		}
		if n-d.first >= uint64(len(d.segs)) {
			return mvcc.InProgress, 0
		}
		v := d.segs[n-d.first][uint64(x)&ringMask].Load()
		switch {
		case v == slotRunning:
			return mvcc.InProgress, 0
		case v == slotAborted:
			return mvcc.Aborted, 0
		case v == slotOld:
			return mvcc.Committed, 0
		case v&slotSub != 0:
			x = base.XID(v &^ slotSub)
			continue
		}
		return mvcc.Committed, base.LSN(v)
	}
}

// Top gives the transaction that x is part of; x itself when it is none's subtransaction or ended long ago.
func (m *Manager) Top(x base.XID) base.XID {
	for {
		s := m.ring.slot(x)
		if s == nil {
			return x
		}
		v := s.Load()
		if v&slotSub == 0 {
			return x
		}
		x = base.XID(v &^ slotSub)
	}
}

// assign takes the next id and makes room for it; parent is zero for a top-level transaction.
func (m *Manager) assign(parent base.XID) base.XID {
	x := base.XID(m.nextXID.Add(1) - 1)
	if !m.ring.has(x) {
		m.xidMu.Lock()
		if !m.ring.has(x) {
			m.ring.grow(x)
		}
		m.xidMu.Unlock()
	}
	err := m.clog.Reserve(x)
	invariant.Must(err == nil, "commit log: %v", err)
	if parent != 0 {
		m.ring.slot(x).Store(slotSub | uint64(parent))
	}
	return x
}

// NewOID gives an OID that no earlier call gave, until the 32 bits wrap; then they start again at the first normal one.
func (m *Manager) NewOID() (base.OID, error) {
	m.oidMu.Lock()
	defer m.oidMu.Unlock()
	if m.nextOID < base.FirstNormalOID {
		m.nextOID = base.FirstNormalOID
		m.oidLogged.Store(uint32(base.FirstNormalOID))
	}
	if uint32(m.nextOID) >= m.oidLogged.Load() {
		upTo := m.nextOID + OIDBatch
		if upTo < m.nextOID {
			upTo = math.MaxUint32
		}
		b := m.Builder(nil)
		defer m.Done(b)
		b.Begin(wal.RMgrXLOG, wal.InfoNextOID, base.InvalidXID)
		b.Data(binary.LittleEndian.AppendUint32(nil, uint32(upTo)))
		covered := func(base.LSN) { m.oidLogged.Store(uint32(upTo)) }
		if _, err := m.log.InsertWith(b, covered); err != nil {
			return 0, err
		}
	}
	oid := m.nextOID
	m.nextOID++
	return oid, nil
}

// AwaitAnswer returns when an answer may leave whose statement depends on commits up to dep and on the log up to logDep:
// min(F, Q) >= min(dep, Cs) and F >= logDep (rule 4). It gives the slot up when it has to wait.
func (m *Manager) AwaitAnswer(task *activity.Task, dep, logDep base.LSN) error {
	if dep != 0 {
		logDep = max(logDep, min(dep, base.LSN(m.cs.Load())))
	}
	if logDep == 0 || logDep <= m.log.FlushedLSN() {
		return nil
	}
	return m.log.WaitFlushed(task, logDep)
}

// NeedsWait tells whether AwaitAnswer would block.
func (m *Manager) NeedsWait(dep, logDep base.LSN) bool {
	return max(logDep, min(dep, base.LSN(m.cs.Load()))) > m.log.FlushedLSN()
}

// WaitForToken waits until transaction x, which was met while it inserted a row speculatively, has kept the row or taken it
// back, or has ended. What became of the row is for the caller to see. The task holds no latch or pin.
func (m *Manager) WaitForToken(task *activity.Task, p *Proc, x base.XID, w Wait) error {
	tag := lock.SpecToken(x)
	req := lock.Request{Tag: tag, Mode: lock.Share, Session: true, NoWait: w.NoWait, Timeout: w.Timeout,
		DeadlockTimeout: w.DeadlockTimeout}
	if _, err := m.locks.Acquire(task, p.owner, req); err != nil {
		return err
	}
	m.locks.Release(p.owner, tag, lock.Share, true)
	return nil
}

// WaitFor waits until transaction x has ended, be it a subtransaction that rolled back. The task holds no latch or pin.
func (m *Manager) WaitFor(task *activity.Task, p *Proc, x base.XID, w Wait) error {
	for {
		if st, _ := m.Status(x); st != mvcc.InProgress {
			return nil
		}
		tag := lock.Transaction(x)
		req := lock.Request{Tag: tag, Mode: lock.Share, Session: true, NoWait: w.NoWait, Timeout: w.Timeout,
			DeadlockTimeout: w.DeadlockTimeout}
		if _, err := m.locks.Acquire(task, p.owner, req); err != nil {
			return err
		}
		m.locks.Release(p.owner, tag, lock.Share, true)
		if st, _ := m.Status(x); st != mvcc.InProgress {
			return nil
		}
		top := m.Top(x)
		if top == x {
			return pgerror.Newf(pgerror.InternalError, "transaction %d runs without its lock", x)
		}
		x = top
	}
}
