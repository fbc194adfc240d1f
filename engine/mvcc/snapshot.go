package mvcc

import (
	"slices"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/predicate"
	"manifold/engine/tuple"
)

// Status is the fate of a transaction.
type Status uint8

// The fates.
const (
	InProgress Status = iota
	Committed
	Aborted
)

// Commits knows the fate of every transaction. Implementations are safe for concurrent use, lock-free and do not
// allocate.
type Commits interface {
	// Status gives the fate of x and, when committed, its commit position; zero stands for "before every snapshot". A
	// subtransaction has the fate of its parent unless it aborted by itself.
	Status(x base.XID) (Status, base.LSN)
	// Durable gives min(F, Q): what a reader sees up to there can be answered at once.
	Durable() base.LSN
	// Horizon gives a position at or below every registered snapshot and Durable.
	Horizon() base.LSN
}

// Identity is the transaction ids that a transaction owns now: its own and those of its live subtransactions. The owner
// changes it, so only its goroutine and the workers that it waits for may look.
type Identity struct {
	Top  base.XID   // zero before the first write
	Subs []base.XID // of live subtransactions, ascending
}

// Has tells whether x is one of the transaction's own and not rolled back.
func (id *Identity) Has(x base.XID) bool {
	if id == nil || id.Top == 0 || x < id.Top {
		return false
	}
	if x == id.Top {
		return true
	}
	if len(id.Subs) == 0 {
		return false
	}
	_, ok := slices.BinarySearch(id.Subs, x)
	return ok
}

// Snapshot is what a statement may see: commits up to S, and what its own transaction did before Command. The zero S sees
// only what is visible to all. Everything commits before Any.
type Snapshot struct {
	S       base.LSN
	Own     *Identity
	Command base.CommandID
	Serial  *predicate.Xact // of a SERIALIZABLE transaction whose reads are tracked, else nil
	Any     bool            // see every version, whatever became of it
}

// View is a snapshot joined with what its look-ups need. It belongs to one goroutine.
type View struct {
	Snap    *Snapshot
	Commits Commits
	Task    *activity.Task

	durable base.LSN
	horizon base.LSN

	lastXID    base.XID
	lastStatus Status
	lastLSN    base.LSN
}

// NewView joins a snapshot with the fates of transactions and the task whose answer depends on them.
func NewView(snap *Snapshot, commits Commits, task *activity.Task) View {
	v := View{Snap: snap, Commits: commits, Task: task}
	v.Refresh()
	return v
}

// Refresh reads the clocks again; call it once a page. Stale clocks are safe, only less generous.
func (v *View) Refresh() {
	v.durable = v.Commits.Durable()
	v.horizon = v.Commits.Horizon()
}

// HorizonLSN gives the horizon as of the last Refresh.
func (v *View) HorizonLSN() base.LSN { return v.horizon }

// status is a look-up that may answer from memory; only for decisions against S.
func (v *View) status(x base.XID) (Status, base.LSN) {
	if x == v.lastXID {
		return v.lastStatus, v.lastLSN
	}
	st, l := v.Commits.Status(x)
	v.lastXID, v.lastStatus, v.lastLSN = x, st, l
	return st, l
}

// Status looks x up now and notes the dependency of the answer on its commit.
func (v *View) Status(x base.XID) (Status, base.LSN) {
	st, l := v.Commits.Status(x)
	v.rely(st, l)
	return st, l
}

func (v *View) rely(st Status, l base.LSN) {
	if st == Committed && l > v.durable && v.Task != nil {
		v.Task.NoteDep(l)
	}
}

// Visible tells whether the snapshot sees the tuple, and which hint bits may be set on it.
func (v *View) Visible(t tuple.Tuple) (visible bool, hints uint32) {
	mask := t.Mask()
	s := v.Snap
	if s.Any {
		return true, 0
	}
	if mask&tuple.XminCommitted == 0 {
		if mask&tuple.XminInvalid != 0 {
			return false, 0
		}
		x := t.Xmin()
		if s.Own.Has(x) {
			return t.Cmin() < s.Command && v.ownStillThere(t, mask), 0
		}
		st, l := v.status(x)
		switch {
		case st == Aborted:
			return false, tuple.XminInvalid
		case st == InProgress || l > s.S:
			return false, 0
		}
		v.rely(st, l)
		if l <= v.horizon {
			hints = tuple.XminCommitted
		}
	}
	if mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) != 0 {
		return true, hints
	}
	x := t.Xmax()
	if x == 0 {
		return true, hints
	}
	if mask&tuple.XmaxCommitted != 0 {
		return false, hints
	}
	if s.Own.Has(x) {
		return t.Cmax() >= s.Command, hints
	}
	st, l := v.status(x)
	switch {
	case st == Aborted:
		return true, hints | tuple.XmaxInvalid
	case st == InProgress || l > s.S:
		return true, hints
	}
	v.rely(st, l)
	if l <= v.horizon {
		hints |= tuple.XmaxCommitted
	}
	return false, hints
}

// ownStillThere decides for a row that the reader's own transaction inserted.
func (v *View) ownStillThere(t tuple.Tuple, mask uint32) bool {
	if mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) != 0 {
		return true
	}
	x := t.Xmax()
	if x == 0 || !v.Snap.Own.Has(x) { // not own: a subtransaction of ours that rolled back
		return true
	}
	return t.Cmax() >= v.Snap.Command
}

// Concurrent gives the transaction, other than the reader's own, that made a version it does not see or is ending one it
// sees; zero when none did so beside it.
func (v *View) Concurrent(t tuple.Tuple, visible bool) base.XID {
	mask := t.Mask()
	x := t.Xmin()
	if visible {
		x = t.Xmax()
		if x == 0 || mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly|tuple.XmaxCommitted) != 0 {
			return 0
		}
	} else if mask&(tuple.XminCommitted|tuple.XminInvalid) != 0 {
		return 0
	}
	if v.Snap.Own.Has(x) {
		return 0
	}
	if st, l := v.status(x); st == Aborted || st == Committed && l <= v.Snap.S {
		return 0
	}
	return x
}

// Liveness is what a unique or foreign-key check learns of a row at the clock of the moment.
type Liveness uint8

// The kinds of liveness.
const (
	Dead        Liveness = iota // ended or never there
	Live                        // there for everyone from now on
	Inserting                   // another transaction inserted it and has not ended
	Deleting                    // there, but another running transaction may have ended it
	AllDead                     // dead to every snapshot: index entries may be dropped
	SelfInsert                  // inserted by the own transaction and live
	Speculating                 // another transaction is inserting it and may take it back before it ends
)

// Dirty tells whether the tuple is there at this moment, counting the own transaction's changes as done, and for
// Inserting, Speculating and Deleting which transaction to wait for.
func (v *View) Dirty(t tuple.Tuple) (Liveness, base.XID) {
	mask := t.Mask()
	own := v.Snap.Own
	self := false
	if mask&tuple.XminCommitted == 0 {
		if mask&tuple.XminInvalid != 0 {
			return AllDead, 0
		}
		x := t.Xmin()
		if self = own.Has(x); !self {
			st, _ := v.Status(x)
			switch st {
			case Aborted:
				return AllDead, 0
			case InProgress:
				if mask&tuple.Speculative != 0 {
					return Speculating, x
				}
				return Inserting, x
			}
		}
	}
	live := Live
	if self {
		live = SelfInsert
	}
	if mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) != 0 || t.Xmax() == 0 {
		return live, 0
	}
	if mask&tuple.XmaxCommitted != 0 {
		return AllDead, 0
	}
	x := t.Xmax()
	if own.Has(x) {
		return Dead, 0
	}
	st, l := v.Status(x)
	switch st {
	case Aborted:
		return live, 0
	case InProgress:
		if self {
			return live, 0 // a subtransaction of ours that is being rolled back
		}
		return Deleting, x
	}
	if l <= v.horizon {
		return AllDead, 0
	}
	return Dead, 0
}

// Removal is what pruning and vacuum learn of a row.
type Removal uint8

// The kinds of removal.
const (
	Keep         Removal = iota // live for some snapshot, or its fate is open
	KeepDead                    // ended, but some snapshot still sees it
	Remove                      // dead to every snapshot
	KeepInserted                // its inserter is still running
	KeepEnding                  // its deleter is still running
)

// Removable decides whether the tuple can be removed at horizon h, and which hints may be set. aborted tells that the
// inserter itself rolled back. Nothing is noted on the task: removing what nobody sees is no answer.
func Removable(c Commits, h base.LSN, t tuple.Tuple) (r Removal, hints uint32, aborted bool) {
	mask := t.Mask()
	if mask&tuple.XminCommitted == 0 {
		if mask&tuple.XminInvalid != 0 {
			return Remove, 0, true
		}
		st, l := c.Status(t.Xmin())
		switch {
		case st == Aborted:
			return Remove, tuple.XminInvalid, true
		case st == InProgress:
			return KeepInserted, 0, false
		case l <= h:
			hints = tuple.XminCommitted
		default:
			r = KeepInserted
		}
	}
	x := t.Xmax()
	if mask&(tuple.XmaxInvalid|tuple.XmaxLockOnly) != 0 || x == 0 {
		return r, hints, false
	}
	if mask&tuple.XmaxCommitted != 0 {
		return Remove, hints, false
	}
	st, l := c.Status(x)
	switch {
	case st == Aborted:
		return r, hints | tuple.XmaxInvalid, false
	case st == InProgress:
		return KeepEnding, hints, false
	case l <= h:
		return Remove, hints | tuple.XmaxCommitted, false
	}
	return KeepDead, hints, false
}
