package predicate

import (
	"sort"

	"manifold/engine/base"
)

// Commit checks that the transaction may commit, has insert put its commit into the log, and gives it its place in the
// order, in one. insert must not wait for other transactions. An error is 40001, or that of insert; either way the
// transaction is still to be aborted.
func (x *Xact) Commit(insert func() error) error {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if !x.isPrepared() && !x.safe {
		if err := x.checkLocked(); err != nil {
			return err
		}
	}
	if err := insert(); err != nil {
		return err
	}
	if !x.safe {
		x.committedLocked()
	}
	return nil
}

// Prepare is the check of Commit for a transaction that will be committed later, come what may.
func (x *Xact) Prepare(insert func() error) error {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := x.checkLocked(); err != nil {
		return err
	}
	if err := insert(); err != nil {
		return err
	}
	m.seq++
	x.prepared = m.seq
	return nil
}

// Targets gives what the transaction has read, for the record of its PREPARE.
func (x *Xact) Targets() []Target { // the mutex is held by Prepare
	out := make([]Target, 0, len(x.locks))
	for t := range x.locks {
		out = append(out, t)
	}
	return out
}

// Restore tracks a transaction that was prepared before the server started. What conflicts it had is not known, so it is
// taken to have had them in both directions.
func (m *Manager) Restore(top base.XID, reads []Target) *Xact {
	x := m.Begin(false, func() {})
	m.mu.Lock()
	defer m.mu.Unlock()
	x.top = top
	m.byXID[top] = x
	for _, t := range reads {
		x.lockLocked(t)
	}
	x.wrote, x.oldIn, x.oldOut = true, true, true
	m.seq++
	x.prepared = m.seq
	return x
}

// checkLocked dooms the running transactions that committing this one would make pivots of.
func (x *Xact) checkLocked() error {
	if x.doomed {
		return failure("Canceled on identification as a pivot, during commit attempt.")
	}
	for near := range x.in {
		if near.isCommitted() || near.doomed {
			continue
		}
		for far := range near.in {
			if far != x && (far.isCommitted() || far.readOnly || far.doomed) {
				continue
			}
			if near.isPrepared() {
				return failure("Canceled on commit attempt with conflict in from prepared pivot.")
			}
			near.doomed = true
			break
		}
	}
	return nil
}

func (x *Xact) committedLocked() {
	m := x.m
	m.seq++
	x.committed = m.seq
	if !x.isPrepared() {
		x.prepared = x.committed
	}
	x.readOnly = x.readOnly || !x.wrote
	for w := range x.out {
		if w.isCommitted() {
			if !x.readOnly {
				x.earliestOut = min(x.earliestOut, w.prepared)
			}
			x.unlinkLocked(w)
		}
	}
	for r := range x.in {
		if r.isCommitted() || r.readOnly {
			r.unlinkLocked(x)
		}
	}
	m.finished = append(m.finished, x)
	m.endLocked(x)
}

// Abort forgets a transaction that rolled back.
func (x *Xact) Abort() {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.ended || x.safe {
		return
	}
	x.doomed = true
	m.endLocked(x)
	m.forgetLocked(x)
	m.trackLocked()
}

// unlinkLocked removes the conflict from x to w.
func (x *Xact) unlinkLocked(w *Xact) {
	delete(x.out, w)
	delete(w.in, x)
}

// endLocked does what the end of a transaction, either way, means to others.
func (m *Manager) endLocked(x *Xact) {
	x.ended = true
	if x.declared {
		for w := range x.writers {
			delete(w.readers, x)
		}
		x.writers = nil
	} else {
		m.writable--
		for r := range x.readers {
			delete(r.writers, x)
			if x.isCommitted() && x.wrote && x.earliestOut <= r.snap && x.earliestOut != never {
				r.decideLocked(false)
			} else if len(r.writers) == 0 && !r.unsafe {
				r.decideLocked(true)
			}
		}
		x.readers = nil
	}
	m.clearLocked()
}

// decideLocked settles whether the snapshot of a READ ONLY transaction is safe.
func (x *Xact) decideLocked(safe bool) {
	if x.safe || x.unsafe {
		return
	}
	x.safe, x.unsafe = safe, !safe
	close(x.wait)
	if safe {
		x.ended = true
		x.m.forgetLocked(x)
	}
}

// forgetLocked removes every trace of a transaction.
func (m *Manager) forgetLocked(x *Xact) {
	x.dropAllLocked()
	for w := range x.out {
		delete(w.in, x)
	}
	for r := range x.in {
		delete(r.out, x)
	}
	for w := range x.writers {
		delete(w.readers, x)
	}
	clear(x.in)
	clear(x.out)
	delete(m.xacts, x)
	if x.top != 0 {
		delete(m.byXID, x.top)
	}
}

// clearLocked forgets the committed transactions beside which none that still runs ran, and summarises the oldest when
// there are too many of the others.
func (m *Manager) clearLocked() {
	oldest := m.seq
	for x := range m.xacts {
		if !x.ended {
			oldest = min(oldest, x.snap)
		}
	}
	n := sort.Search(len(m.finished), func(i int) bool { return m.finished[i].committed > oldest })
	for _, x := range m.finished[:n] {
		m.forgetLocked(x)
	}
	more := max(len(m.finished)-m.limits.Finished, n)
	for _, x := range m.finished[n:more] {
		m.summariseLocked(x)
	}
	m.finished = append(m.finished[:0], m.finished[more:]...)
	if len(m.oldOut)+len(m.oldLocks) > 0 {
		for t, s := range m.oldLocks {
			if s <= oldest {
				delete(m.oldLocks, t)
			}
		}
		for id, s := range m.oldOut {
			if s.commit <= oldest {
				delete(m.oldOut, id)
			}
		}
	}
	m.trackLocked()
}

// summariseLocked replaces a committed transaction by what its locks and its writes mean to those that still run.
func (m *Manager) summariseLocked(x *Xact) {
	if x.top != 0 && x.wrote {
		m.oldOut[x.top] = summary{commit: x.committed, out: x.earliestOut}
	}
	for t := range x.locks {
		m.oldLocks[t] = max(m.oldLocks[t], x.committed)
	}
	for w := range x.out {
		w.oldIn = true
	}
	for r := range x.in {
		r.oldOut = true
	}
	m.forgetLocked(x)
}
