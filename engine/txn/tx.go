package txn

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/clog"
	"manifold/engine/invariant"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/predicate"
	"manifold/engine/rmgr"
)

// Level is a synchronous_commit level: what the answer to a commit waits for.
type Level uint8

// The levels. Without synchronous standbys all but LevelOff wait for the local log.
const (
	LevelOn Level = iota
	LevelOff
	LevelLocal
	LevelRemoteWrite
	LevelRemoteApply
)

// MaxCommands is the most commands of a transaction.
const MaxCommands = 1<<32 - 2

// Tx is a transaction. It belongs to its session's goroutine.
type Tx struct {
	p        *Proc
	running  bool
	ident    mvcc.Identity
	levels   []int32 // levels[i]: the savepoint level that owns ident.Subs[i] now
	command  base.CommandID
	used     bool // the current command wrote, so the next statement needs a new one
	subs     []sub
	drops    []drop
	moves    []move
	maps     []merged // of moves; made as they are asked for
	moved    error    // what became of moves
	cleanup  []Cleaner
	rowLocks []RowLock
	prepared *prepared // what it is, when it is prepared
	exported []string
	serial   *predicate.Xact // while SERIALIZABLE and tracked, else nil

	witness Witness // of the commit, or nil

	level  Level    // of the commit under way
	commit base.LSN // set in the commit section
}

// Cleaner is told when a transaction has ended, to forget what it kept for it. Sub-ends are not told: ask Status.
type Cleaner interface{ TransactionEnded(tx *Tx) }

// Witness is told of a commit's position inside the commit section: witnesses are called one after the other, in the order of
// the log. It must be short and take no lock that is held while waiting.
type Witness interface{ Committed(lsn base.LSN) }

// sub is an open savepoint.
type sub struct {
	xid     base.XID
	mark    int // of the lock owner
	name    string
	command base.CommandID
}

// drop is a relation whose files go when the transaction ends one way, or both.
type drop struct {
	file              base.RelFile
	onCommit, onAbort bool
	level             int32 // of the savepoint that asked for it
}

func (d *drop) at(committed bool) bool { return committed && d.onCommit || !committed && d.onAbort }

// Begin starts the transaction of a session. It allocates nothing and touches nothing shared.
func (p *Proc) Begin() *Tx {
	t := &p.tx
	invariant.Must(!t.running, "transaction begun twice")
	p.local.Store(p.local.Load() + 1)
	t.running = true
	t.command = 0
	t.used = false
	t.commit = 0
	t.moved = nil
	return t
}

// Running tells whether the transaction has begun and not ended.
func (t *Tx) Running() bool { return t.running }

// Proc gives the session's place.
func (t *Tx) Proc() *Proc { return t.p }

// Manager gives the transactions of the cluster.
func (t *Tx) Manager() *Manager { return t.p.m }

// Identity gives the ids that are the transaction's own; it changes in place.
func (t *Tx) Identity() *mvcc.Identity { return &t.ident }

// TopXID gives the top-level id, zero when none was needed yet.
func (t *Tx) TopXID() base.XID { return t.ident.Top }

// Snapshot fills s with a new registered snapshot of the moment, at the current command. Release it.
func (t *Tx) Snapshot(s *mvcc.Snapshot) {
	s.S = t.p.register()
	s.Own = &t.ident
	s.Command = t.command
	s.Serial = nil
	s.Any = false
}

// SerializableSnapshot fills s with the snapshot of a SERIALIZABLE transaction and has its reads and writes tracked from
// then on. Release it.
func (t *Tx) SerializableSnapshot(s *mvcc.Snapshot, readOnly bool) {
	t.serial = t.p.m.ssi.Begin(readOnly, func() { t.Snapshot(s) })
	s.Serial = t.serial
	if t.serial != nil && t.ident.Top != 0 {
		t.serial.Assigned(t.ident.Top)
	}
}

// Serial gives what tracks the transaction, nil when nothing does.
func (t *Tx) Serial() *predicate.Xact { return t.serial }

// Untrack ends the tracking of a READ ONLY transaction: its snapshot is safe, or is given up.
func (t *Tx) Untrack() {
	t.serial.Abort()
	t.serial = nil
}

// CopySnapshot registers s once more as dst, at the current command: what a later statement of a REPEATABLE READ
// transaction sees. Release both.
func (t *Tx) CopySnapshot(dst, s *mvcc.Snapshot) {
	*dst = *s
	dst.Command = t.command
	t.p.regs = append(t.p.regs, s.S)
	t.p.announceOldest()
}

// Release unregisters a snapshot.
func (t *Tx) Release(s *mvcc.Snapshot) { t.p.unregister(s.S) }

// Command gives the number of the current command: what its changes are stamped with.
func (t *Tx) Command() base.CommandID {
	t.used = true
	return t.command
}

// PeekCommand gives the number of the current command without using it.
func (t *Tx) PeekCommand() base.CommandID { return t.command }

// NextCommand makes what the commands before did visible to the snapshots taken from now on.
func (t *Tx) NextCommand() error {
	if !t.used {
		return nil
	}
	if t.command >= MaxCommands {
		return pgerror.New(pgerror.ProgramLimitExceeded, "cannot have more than 2^32-2 commands in a transaction")
	}
	t.command++
	t.used = false
	return nil
}

// XID gives the id of the innermost savepoint, or of the transaction, assigning it and those around it on first use.
func (t *Tx) XID(task *activity.Task) (base.XID, error) {
	if n := len(t.subs); n > 0 {
		if x := t.subs[n-1].xid; x != 0 {
			return x, nil
		}
	} else if t.ident.Top != 0 {
		return t.ident.Top, nil
	}
	return t.assign(task)
}

func (t *Tx) assign(task *activity.Task) (base.XID, error) {
	invariant.Must(t.running, "transaction id asked for outside a transaction")
	m := t.p.m
	if t.ident.Top == 0 {
		x := m.assign(0)
		if err := t.lockXID(task, x); err != nil {
			m.abandon(x)
			return 0, err
		}
		t.ident.Top = x
		t.p.xid.Store(uint64(x))
		if t.serial != nil {
			t.serial.Assigned(x)
		}
	}
	x := t.ident.Top
	for i := range t.subs {
		s := &t.subs[i]
		if s.xid == 0 {
			c := m.assign(x)
			if err := t.lockXID(task, c); err != nil {
				m.abandon(c)
				return 0, err
			}
			s.xid = c
			t.ident.Subs = append(t.ident.Subs, c)
			t.levels = append(t.levels, int32(i+1))
		}
		x = s.xid
	}
	if t.p.tick() {
		m.RefreshHorizon()
	}
	return x, nil
}

// lockXID takes the lock that others wait on for the end of x. It is of session scope, so that rolling back a savepoint
// inside which an outer id was assigned does not release it.
func (t *Tx) lockXID(task *activity.Task, x base.XID) error {
	_, err := t.p.m.locks.Acquire(task, t.p.owner, lock.Request{Tag: lock.Transaction(x), Mode: lock.Exclusive, Session: true})
	return err
}

// LockToken takes the token of a speculative insertion by the transaction's present id. UnlockToken gives it back, or the end of
// the transaction or savepoint.
func (t *Tx) LockToken(task *activity.Task) (base.XID, error) {
	xid, err := t.XID(task)
	if err == nil {
		_, err = t.p.m.locks.Acquire(task, t.p.owner, lock.Request{Tag: lock.SpecToken(xid), Mode: lock.Exclusive})
	}
	return xid, err
}

// UnlockToken gives back what LockToken took under an id.
func (t *Tx) UnlockToken(xid base.XID) {
	t.p.m.locks.Release(t.p.owner, lock.SpecToken(xid), lock.Exclusive, false)
}

func (t *Tx) unlockXID(x base.XID) {
	t.p.m.locks.Release(t.p.owner, lock.Transaction(x), lock.Exclusive, true)
}

// abandon ends an id that nobody has seen.
func (m *Manager) abandon(x base.XID) {
	m.ring.slot(x).Store(slotAborted)
	m.clog.Set(x, clog.Aborted)
}

// AddCleaner has c told of the transaction's end, once.
func (t *Tx) AddCleaner(c Cleaner) {
	for _, have := range t.cleanup {
		if have == c {
			return
		}
	}
	t.cleanup = append(t.cleanup, c)
}

// SetWitness has w told of the transaction's commit, which has an id. It is forgotten at the end.
func (t *Tx) SetWitness(w Witness) { t.witness = w }

// Commit ends the transaction. The LSN is that of its record, zero when it had nothing to log; whether the client's
// answer must wait for it has been noted on the task (see Manager.AwaitAnswer). Once the record is in the log nothing can
// undo the commit; an error means that the transaction was rolled back instead, or that the log has failed.
func (t *Tx) Commit(task *activity.Task, level Level) (base.LSN, error) {
	invariant.Must(t.running, "commit outside a transaction")
	for len(t.subs) > 0 {
		t.ReleaseSub()
	}
	var lsn base.LSN
	var err error
	if len(t.moves) > 0 {
		lsn, err = t.commitMoving(level)
	} else {
		lsn, err = t.commitPoint(level)
	}
	if err == nil && t.ident.Top == 0 {
		t.finish(task, true, 0)
		return 0, nil
	}
	if err != nil {
		t.Abort(task)
		return 0, err
	}
	if level != LevelOff {
		task.NoteDep(lsn)
	}
	if t.moved != nil {
		t.finish(task, true, lsn)
		return lsn, t.moved
	}
	if t.hasDrops(true) { // files may go only when nothing can bring the rows back
		if err := t.p.m.log.WaitFlushed(task, lsn); err != nil {
			t.finish(task, true, lsn)
			return lsn, err
		}
	}
	err = t.doDrops(true)
	t.finish(task, true, lsn)
	return lsn, err
}

// commitPoint commits what there is to commit. A SERIALIZABLE transaction is checked in one with it.
func (t *Tx) commitPoint(level Level) (lsn base.LSN, err error) {
	if t.serial != nil {
		return t.commitSerial(level)
	}
	if t.ident.Top == 0 {
		return 0, nil
	}
	return t.logCommit(level)
}

func (t *Tx) commitSerial(level Level) (lsn base.LSN, err error) {
	err = t.serial.Commit(func() error {
		if t.ident.Top == 0 {
			return nil
		}
		lsn, err = t.logCommit(level)
		return err
	})
	return lsn, err
}

// logCommit inserts the record; the commit section sets the ring, the commit log and the clocks.
func (t *Tx) logCommit(level Level) (base.LSN, error) {
	m := t.p.m
	b := m.Builder(nil)
	defer m.Done(b)
	b.Begin(rmgr.Transaction, infoCommit, t.ident.Top)
	t.buildEnd(b, time.Now(), true)
	t.level = level
	if len(t.ident.Subs) > 0 {
		m.commitSubs.RLock()
		defer m.commitSubs.RUnlock()
	}
	if t.prepared != nil {
		t.prepared.mu.Lock()
		defer t.prepared.mu.Unlock()
		t.prepared.ended = true
	}
	lsn, err := m.log.InsertWith(b, t.p.onCommit)
	if err != nil {
		return 0, err
	}
	for _, x := range t.ident.Subs {
		m.clog.Set(x, clog.Committed)
	}
	return lsn, nil
}

// committedAt runs in the commit section (rule 1). The ring comes before the clock, so that no snapshot at or behind
// lsn can miss it; the commit log too, so that it can answer as soon as the ring forgets.
func (t *Tx) committedAt(lsn base.LSN) {
	m := t.p.m
	m.ring.slot(t.ident.Top).Store(uint64(lsn))
	m.clog.Set(t.ident.Top, clog.Committed)
	if t.level != LevelOff {
		m.cs.Store(uint64(lsn))
	}
	m.c.Store(uint64(lsn))
	t.commit = lsn
	if t.witness != nil {
		t.witness.Committed(lsn)
	}
}

// Abort rolls the transaction back. It cannot fail; files it cannot remove are left for the next start.
func (t *Tx) Abort(task *activity.Task) {
	if !t.running {
		return
	}
	m := t.p.m
	if top := t.ident.Top; top != 0 {
		b := m.Builder(nil)
		b.Begin(rmgr.Transaction, infoAbort, top)
		t.buildEnd(b, time.Now(), false)
		if t.prepared != nil {
			t.prepared.mu.Lock()
			t.prepared.ended = true
		}
		lsn, err := m.log.Insert(b) // recovery takes a transaction without a record for aborted anyway
		if t.prepared != nil {
			t.prepared.mu.Unlock()
		}
		m.Done(b)
		if err == nil && t.hasDrops(false) {
			_ = m.log.Flush(lsn) // or redo would miss the pages of files that are gone
		}
		for _, x := range t.ident.Subs {
			m.abandon(x)
		}
		m.abandon(top)
	}
	_ = t.doDrops(false)
	t.finish(task, false, 0)
}

// finish lets go of everything once the end is visible.
func (t *Tx) finish(task *activity.Task, committed bool, lsn base.LSN) {
	p := t.p
	if t.serial != nil {
		t.serial.Abort() // nothing after a commit
		t.serial = nil
	}
	if p.AfterEnd != nil {
		p.AfterEnd(t, committed, lsn)
	}
	for _, c := range t.cleanup {
		c.TransactionEnded(t)
	}
	clear(t.cleanup)
	t.cleanup = t.cleanup[:0]
	if task != nil {
		crowd := 0
		if committed && p.owner.Wanted() {
			crowd = p.m.locks.Waiting()
		}
		task.NoteCrowd(crowd)
	}
	if t.ident.Top != 0 {
		for i := range t.ident.Subs {
			t.unlockXID(t.ident.Subs[i])
		}
		t.unlockXID(t.ident.Top)
		p.xid.Store(0)
	}
	p.owner.ReleaseTransaction()
	t.withdraw()
	if len(p.regs) > 0 {
		p.regs = p.regs[:0]
	}
	p.oldest.Store(0)
	t.witness = nil
	t.ident.Top = 0
	t.ident.Subs = t.ident.Subs[:0]
	t.levels = t.levels[:0]
	t.drops = t.drops[:0]
	t.moves, t.maps = t.moves[:0], nil
	t.rowLocks = t.rowLocks[:0]
	clear(t.subs)
	t.subs = t.subs[:0]
	t.running = false
}
