package backend

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/notify"
	"manifold/engine/session"
	"manifold/engine/trigger"
	"manifold/engine/txn"
)

// maxStandings is how many standings a backend keeps for sessions to come.
const maxStandings = 16

// standing is what a session needs while it is in a transaction or holds locks, and not while it is idle: its place among the
// transactions, its lock owner, the queue of its events, what it does with notifications, and the memory of its portals. A
// backend lends it, so that 10,000 idle sessions cost none of it, and the few that run share what is warm in the processor's
// caches.
type standing struct {
	s       *session.Session // whose it is now
	proc    *txn.Proc
	after   *trigger.Queue
	portals map[string]*session.Portal
	pending notify.Pending
	looked  activity.BufferCounts // of the session's task, as far as they have been counted for the database
}

func (b *Backend) newStanding() *standing {
	st := &standing{after: trigger.New(b.svc.Temp), portals: map[string]*session.Portal{}}
	owner := b.svc.Cluster.Locks.NewOwner(0)
	owner.SetStatement(func() string { return st.s.Info().Query })
	st.proc = b.svc.Cluster.Txns.NewProc(owner)
	st.proc.AfterEnd = func(_ *txn.Tx, committed bool, _ base.LSN) { b.svc.changed(st.s, committed) }
	return st
}

// changed invalidates caches between the end of a transaction and the release of its locks.
func (v *Services) changed(s *session.Session, committed bool) {
	if committed && !s.Catalog.Changes.Empty() {
		v.Invalidate(s.Database.OID, &s.Catalog.Changes)
	}
	if s.Catalog.Cache != nil {
		s.Catalog = session.Overlay{}
	}
}

func (st *standing) close() {
	owner := st.proc.Owner()
	st.proc.Close()
	owner.Close()
}

// lend gives the session a standing, unless it has one.
func (b *Backend) lend(s *session.Session) {
	if s.Proc != nil {
		return
	}
	var st *standing
	if n := len(b.spare); n > 0 {
		st = b.spare[n-1]
		b.spare = b.spare[:n-1]
	} else {
		st = b.newStanding()
	}
	st.s, st.looked = s, s.Task.Buffers
	s.Standing, s.Proc, s.After, s.Portals, s.Pending = st, st.proc, st.after, st.portals, &st.pending
	owner := st.proc.Owner()
	owner.SetPID(s.ID)
	st.proc.SetLocal(s.Local)
	if s.Worker != nil {
		owner.SetYield(s.Worker.Yield)
	}
}

// part takes the standing of a session back once it is idle and holds nothing.
func (b *Backend) part() {
	s := b.s
	st, _ := s.Standing.(*standing)
	if st == nil || s.Status != session.Idle || s.Tx.Block || s.Tx.Implicit || s.Proc.Tx().Running() ||
		s.Proc.Owner().HoldsSession() || !unused(s.Portals) {
		return
	}
	s.Local = st.proc.Local()
	st.proc.Owner().SetPID(0)
	st.s, s.Standing, s.Proc, s.After, s.Portals, s.Pending = nil, nil, nil, nil, nil, nil
	if s.Worker != nil {
		st.proc.Owner().SetYield(nil)
	}
	if len(b.spare) == maxStandings {
		st.close()
		return
	}
	b.spare = append(b.spare, st)
}

// unused tells whether portals are none, or the memory of the unnamed one.
func unused(portals map[string]*session.Portal) bool {
	if len(portals) == 0 {
		return true
	}
	po := portals[""]
	return len(portals) == 1 && po != nil && po.Statement == nil
}
