package predicate

import "manifold/engine/base"

// Target is what a SIREAD lock covers: a relation, a page of it when Block is valid, a row when Offset is not zero too.
type Target struct {
	Database, Relation base.OID
	Block              base.BlockNumber
	Offset             base.OffsetNumber
}

// Relation, Page and Row name targets.
func Relation(db, rel base.OID) Target {
	return Target{Database: db, Relation: rel, Block: base.InvalidBlock}
}

// Page names a page of a relation.
func Page(db, rel base.OID, b base.BlockNumber) Target {
	return Target{Database: db, Relation: rel, Block: b}
}

// Row names a row version of a relation.
func Row(db, rel base.OID, tid base.TID) Target {
	return Target{Database: db, Relation: rel, Block: tid.Block, Offset: tid.Offset}
}

// parent gives the next larger target; false for a relation.
func (t Target) parent() (Target, bool) {
	switch {
	case t.Offset != 0:
		t.Offset = 0
		return t, true
	case t.Block != base.InvalidBlock:
		t.Block = base.InvalidBlock
		return t, true
	}
	return t, false
}

// covers tells whether o is a part of t.
func (t Target) covers(o Target) bool {
	for {
		p, ok := o.parent()
		if !ok {
			return false
		}
		if p == t {
			return true
		}
		o = p
	}
}

// Read locks what the transaction is about to read.
func (x *Xact) Read(t Target) {
	m := x.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.safe || x.ended {
		return
	}
	if m.held >= m.limits.Locks {
		t = Relation(t.Database, t.Relation)
	}
	x.lockLocked(t)
}

func (x *Xact) lockLocked(t Target) {
	for p, ok := t, true; ok; p, ok = p.parent() {
		if _, have := x.locks[p]; have {
			return
		}
	}
	x.putLocked(t)
	for p, ok := t.parent(); ok; p, ok = p.parent() {
		x.parts[p]++
	}
	limit := x.m.limits.PerPage
	coarse, promote := t, false
	for p, ok := t.parent(); ok; p, ok = p.parent() {
		if p.Block == base.InvalidBlock {
			limit = x.m.limits.PerRelation
		}
		if x.parts[p] > limit {
			coarse, promote = p, true
		}
	}
	if promote {
		x.promoteLocked(coarse)
	} else if t.Offset == 0 {
		x.dropPartsLocked(t)
	}
}

// promoteLocked locks a page or relation in place of its parts.
func (x *Xact) promoteLocked(t Target) {
	x.dropPartsLocked(t)
	x.putLocked(t)
	for p, ok := t.parent(); ok; p, ok = p.parent() {
		x.parts[p]++
	}
}

func (x *Xact) dropPartsLocked(t Target) {
	if x.parts[t] == 0 {
		return
	}
	for part := range x.locks {
		if t.covers(part) {
			x.dropLocked(part)
		}
	}
}

func (x *Xact) putLocked(t Target) {
	x.locks[t] = struct{}{}
	holders := x.m.locks[t]
	if holders == nil {
		holders = map[*Xact]struct{}{}
		x.m.locks[t] = holders
	}
	holders[x] = struct{}{}
	x.m.held++
}

func (x *Xact) dropLocked(t Target) {
	delete(x.locks, t)
	for p, ok := t.parent(); ok; p, ok = p.parent() {
		if x.parts[p]--; x.parts[p] == 0 {
			delete(x.parts, p)
		}
	}
	holders := x.m.locks[t]
	delete(holders, x)
	if len(holders) == 0 {
		delete(x.m.locks, t)
	}
	x.m.held--
}

func (x *Xact) dropAllLocked() {
	for t := range x.locks {
		x.dropLocked(t)
	}
}

// PageSplit copies the locks on a page of an index to the page that takes a part of its entries, in either direction. It
// is called with the old page latched.
func (m *Manager) PageSplit(from, to Target) {
	if m.tracked.Load() == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	holders := make([]*Xact, 0, len(m.locks[from]))
	for x := range m.locks[from] {
		holders = append(holders, x)
	}
	for _, x := range holders {
		x.lockLocked(to)
	}
	if s, ok := m.oldLocks[from]; ok {
		m.oldLocks[to] = max(s, m.oldLocks[to])
	}
}

// MoveToRelation turns all locks on parts of a relation, whose rows get new addresses or which goes, into locks on the
// whole of another: of itself when it is rewritten, of the table when an index goes.
func (m *Manager) MoveToRelation(db, from, to base.OID) {
	if m.tracked.Load() == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	whole := Relation(db, to)
	for x := range m.xacts {
		moved := false
		for t := range x.locks {
			if t.Database == db && t.Relation == from && t != whole {
				x.dropLocked(t)
				moved = true
			}
		}
		if moved {
			x.lockLocked(whole)
		}
	}
	for t, s := range m.oldLocks {
		if t.Database == db && t.Relation == from && t != whole {
			delete(m.oldLocks, t)
			m.oldLocks[whole] = max(s, m.oldLocks[whole])
		}
	}
}
