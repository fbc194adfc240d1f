package predicate

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func failure(format string, args ...any) error {
	return pgerror.New(pgerror.TRSerializationFailure, "could not serialize access due to read/write dependencies among transactions").
		WithDetail("Reason code: %s", fmt.Sprintf(format, args...)).WithHint("The transaction might succeed if retried.")
}

func (x *Xact) isPrepared() bool  { return x.prepared != never }
func (x *Xact) isCommitted() bool { return x.committed != never }

// Unseen tells that the transaction met a row version that the transaction writer made or ended beside it, and whose
// effect it does not see.
func (x *Xact) Unseen(writer base.XID) error {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.safe || x.ended {
		return nil
	}
	if x.doomed {
		return failure("Canceled on identification as a pivot, during conflict out checking.")
	}
	w := m.byXID[writer]
	if w == nil {
		return x.unseenOldLocked(writer)
	}
	switch {
	case w == x || w.doomed:
		return nil
	case w.oldOut:
		if !w.isPrepared() {
			w.doomed = true
			return nil
		}
		return failure("Canceled on conflict out to old pivot.")
	case w.isCommitted() && w.committed <= x.snap:
		return nil
	case x.readOnly && w.isCommitted() && !w.oldOut && (w.earliestOut == never || x.snap < w.earliestOut):
		return nil
	}
	if _, known := x.out[w]; known {
		return nil
	}
	return m.flagLocked(x, w, x)
}

// unseenOldLocked is Unseen for a writer that is not tracked: of another level, or summarised.
func (x *Xact) unseenOldLocked(writer base.XID) error {
	old, ok := x.m.oldOut[writer]
	if !ok || old.commit <= x.snap {
		return nil
	}
	if old.out != never && (!x.readOnly || old.out <= x.snap) {
		return failure("Canceled on conflict out to old pivot %d.", writer)
	}
	if x.oldIn || len(x.in) > 0 {
		return failure("Canceled on identification as a pivot, with conflict out to old committed transaction %d.", writer)
	}
	x.oldOut = true
	return nil
}

// Write checks a change of a row, or of an index page or of a whole relation, against what others have read.
func (x *Xact) Write(t Target) error {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.doomed {
		return failure("Canceled on identification as a pivot, during conflict in checking.")
	}
	x.wrote = true
	for ok := true; ok; t, ok = t.parent() {
		if err := x.writeLocked(t); err != nil {
			return err
		}
	}
	return nil
}

// WriteAll checks a change of all of a relation, down to its every row.
func (x *Xact) WriteAll(db, rel base.OID) error {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.doomed {
		return failure("Canceled on identification as a pivot, during conflict in checking.")
	}
	x.wrote = true
	for t := range m.locks {
		if t.Database == db && t.Relation == rel {
			if err := x.writeLocked(t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *Xact) writeLocked(t Target) error {
	m := x.m
	for r := range m.locks[t] {
		if r == x || r.doomed || r.isCommitted() && r.committed <= x.snap {
			continue
		}
		if _, known := r.out[x]; known {
			continue
		}
		if err := m.flagLocked(r, x, x); err != nil {
			return err
		}
	}
	if s, ok := m.oldLocks[t]; ok && s > x.snap && !x.oldIn {
		if err := m.dangerousLocked(nil, x, x); err != nil {
			return err
		}
		x.oldIn = true
	}
	return nil
}

// flagLocked notes the conflict from a reader to a writer, one of which is me, unless that makes a dangerous structure.
func (m *Manager) flagLocked(r, w, me *Xact) error {
	if err := m.dangerousLocked(r, w, me); err != nil {
		return err
	}
	r.out[w] = struct{}{}
	w.in[r] = struct{}{}
	return nil
}

// dangerousLocked looks whether the conflict from r to w completes two conflicts in a row of which the last transaction
// commits first. Then one of them is doomed, or the caller's transaction fails. A nil r is a summarised reader.
func (m *Manager) dangerousLocked(r, w, me *Xact) error {
	if !m.pivotWriter(r, w) && !m.pivotReader(r, w) {
		return nil
	}
	switch {
	case me == w:
		return failure("Canceled on identification as a pivot, during write.")
	case w.isPrepared():
		return failure("Canceled on conflict out to pivot %d, during read.", w.top)
	}
	w.doomed = true
	return nil
}

// pivotWriter: r -> w -> t2, with t2 the first to commit.
func (m *Manager) pivotWriter(r, w *Xact) bool {
	if w.isCommitted() && (w.earliestOut != never || w.oldOut) {
		return true
	}
	if w.oldOut {
		return true
	}
	for t2 := range w.out {
		if !t2.isPrepared() {
			continue
		}
		if r != nil && (r.isCommitted() && t2.prepared > r.committed || r.readOnly && t2.prepared > r.snap) {
			continue
		}
		if w.isCommitted() && t2.prepared > w.committed {
			continue
		}
		return true
	}
	return false
}

// pivotReader: t0 -> r -> w, with w the first to commit.
func (m *Manager) pivotReader(r, w *Xact) bool {
	if r == nil || !w.isPrepared() || r.readOnly {
		return false
	}
	if r.oldIn {
		return true
	}
	for t0 := range r.in {
		if t0.doomed || t0.isCommitted() && t0.committed < w.prepared || t0.readOnly && t0.snap < w.prepared {
			continue
		}
		return true
	}
	return false
}
