package txn

import (
	"sync/atomic"
	"time"

	"manifold/engine/base"
	"manifold/engine/compression"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
)

// Wait says how a lock is waited for: the session's settings.
type Wait struct {
	NoWait          bool
	Timeout         time.Duration // lock_timeout
	DeadlockTimeout time.Duration
	Compress        compression.Method // default_toast_compression
}

// Proc is a session's place among the transactions: its registered snapshots and its one transaction.
type Proc struct {
	m     *Manager
	owner *lock.Owner

	oldest atomic.Uint64 // the oldest registered snapshot, zero for none; read by refreshes of the horizon
	xid    atomic.Uint64 // the running top-level id, zero for none; read by observers
	local  atomic.Uint64 // the transactions begun; read by observers

	regs  []base.LSN // registered snapshots, in the order of registration
	ticks uint32     // since the last refresh of the horizon
	place int32      // in the table of sessions
	tx    Tx

	onCommit func(base.LSN) // bound once, so that a commit allocates nothing

	// AfterEnd, when set, runs after a transaction's end is visible and before its locks are released: the place to
	// invalidate caches. committed is false after a rollback.
	AfterEnd func(tx *Tx, committed bool, lsn base.LSN)
}

// NewProc registers a session. owner holds its locks.
func (m *Manager) NewProc(owner *lock.Owner) *Proc {
	p := &Proc{m: m, owner: owner}
	p.tx.p = p
	p.onCommit = p.tx.committedAt
	m.procs.add(p)
	p.ticks = uint32(p.place) % m.refreshEvery() // or all would refresh at the same time
	return p
}

// Close unregisters the session; its transaction must have ended.
func (p *Proc) Close() { p.m.procs.remove(p) }

// refreshEvery gives the number of ticks between a session's refreshes of the horizon.
func (m *Manager) refreshEvery() uint32 { return horizonEvery + uint32(m.procs.n.Load())/horizonShare }

// tick counts a snapshot or an id; true when it is time to refresh the horizon.
func (p *Proc) tick() bool {
	if p.ticks++; p.ticks < p.m.refreshEvery() {
		return false
	}
	p.ticks = 0
	return true
}

// Owner gives the session's lock owner; Manager what it is registered with.
func (p *Proc) Owner() *lock.Owner { return p.owner }
func (p *Proc) Manager() *Manager  { return p.m }

// Local gives the number of the session's newest transaction, and SetLocal begins with that of another session.
func (p *Proc) Local() uint64     { return p.local.Load() }
func (p *Proc) SetLocal(n uint64) { p.local.Store(n) }

// Place is a session among the transactions as others see it.
type Place struct {
	XID   base.XID // the running top-level id, zero for none
	Local uint64   // the number of its newest transaction
}

// Places gives the sessions by the numbers of their lock owners; those whose number is zero are nobody's.
func (m *Manager) Places() map[uint32]Place {
	out := map[uint32]Place{}
	m.procs.each(func(p *Proc) {
		if pid := p.owner.PID(); pid != 0 {
			out[pid] = Place{XID: base.XID(p.xid.Load()), Local: p.local.Load()}
		}
	})
	return out
}

// Tx gives the session's transaction, whether it runs or not.
func (p *Proc) Tx() *Tx { return &p.tx }

// register takes a snapshot position and protects what it sees from the horizon (rule 7).
func (p *Proc) register() base.LSN {
	m := p.m
	s := m.c.Load()
	if len(p.regs) == 0 {
		for {
			p.oldest.Store(s)
			if m.announced.Load() <= s {
				break
			}
			s = m.c.Load()
		}
	}
	p.regs = append(p.regs, base.LSN(s))
	if p.tick() && m.horizon.Load() < s {
		m.RefreshHorizon()
	}
	return base.LSN(s)
}

func (p *Proc) unregister(s base.LSN) {
	for i := len(p.regs) - 1; i >= 0; i-- {
		if p.regs[i] == s {
			p.regs = append(p.regs[:i], p.regs[i+1:]...)
			break
		}
	}
	p.announceOldest()
}

func (p *Proc) announceOldest() {
	oldest := base.LSN(0)
	for i, s := range p.regs {
		if i == 0 || s < oldest {
			oldest = s
		}
	}
	p.oldest.Store(uint64(oldest))
}

// Horizon gives a position at or below every registered snapshot and min(F, Q); it never falls. It may lag: see
// RefreshHorizon.
func (m *Manager) Horizon() base.LSN { return base.LSN(m.horizon.Load()) }

// RefreshHorizon computes the horizon anew from the registered snapshots and gives it.
func (m *Manager) RefreshHorizon() base.LSN {
	h := uint64(min(m.Durable(), m.Now()))
	raise(&m.announced, h)
	m.procs.each(func(p *Proc) {
		if s := p.oldest.Load(); s != 0 && s < h {
			h = s
		}
	})
	raise(&m.horizon, h)
	return m.Horizon()
}

func raise(a *atomic.Uint64, v uint64) {
	for {
		old := a.Load()
		if old >= v || a.CompareAndSwap(old, v) {
			return
		}
	}
}

// Running gives the ids of the top-level transactions that run now, in no order, and the next id.
func (m *Manager) Running(dst []base.XID) ([]base.XID, base.XID) {
	next := m.NextXID()
	m.procs.each(func(p *Proc) {
		if x := p.xid.Load(); x != 0 {
			dst = append(dst, base.XID(x))
		}
	})
	return dst, next
}

// OldestRunning gives the oldest running top-level id, or the next id.
func (m *Manager) OldestRunning() base.XID {
	oldest := m.NextXID()
	m.procs.each(func(p *Proc) {
		if x := p.xid.Load(); x != 0 && base.XID(x) < oldest {
			oldest = base.XID(x)
		}
	})
	return oldest
}

// AtLeast tells whether n transactions that have written run now.
func (m *Manager) AtLeast(n int) bool {
	m.procs.each(func(p *Proc) {
		if p.xid.Load() != 0 {
			n--
		}
	})
	return n <= 0
}

var _ mvcc.Commits = (*Manager)(nil)
