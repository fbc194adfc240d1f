package txn

import (
	"sort"
	"sync"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
)

const maxGID = 200

// PreparedInfo is what is known of a prepared transaction: a row of pg_prepared_xacts.
type PreparedInfo struct {
	GID      string
	XID      base.XID
	Time     time.Time
	Owner    base.OID
	Database base.OID
	Catalog  bool // it has changed catalogs
}

// prepared is a transaction between PREPARE TRANSACTION and its end. It has a place and a lock owner of its own.
type prepared struct {
	PreparedInfo
	proc  *Proc
	state []byte // main data of its record

	ready bool // guarded by preparedSet.mu; its record is in the log and nobody is ending it

	mu    sync.Mutex // held while its record, or that of its end, goes into the log
	ended bool       // guarded by mu: a checkpoint need not log it again
}

// preparedSet is the prepared transactions of a cluster.
type preparedSet struct {
	mu    sync.Mutex // guards byGID
	byGID map[string]*prepared

	changed func(database base.OID) // invalidates the caches of a database
}

// OnPreparedEnd sets what is told of the commit of a prepared transaction that has changed catalogs, before its locks go.
// It is called before sessions are let in.
func (m *Manager) OnPreparedEnd(changed func(database base.OID)) { m.prepared.changed = changed }

// Prepared lists the prepared transactions by identifier.
func (m *Manager) Prepared() []PreparedInfo {
	s := &m.prepared
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []PreparedInfo
	for _, p := range s.byGID {
		if p.proc != nil {
			out = append(out, p.PreparedInfo)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].GID < out[j].GID })
	return out
}

// Prepare is the first half of a two-phase commit: the transaction leaves the session, with its locks, and outlives it and
// the server. limit is max_prepared_transactions. After an error the transaction is still to be aborted.
func (t *Tx) Prepare(task *activity.Task, info PreparedInfo, limit int) error {
	m := t.p.m
	for len(t.subs) > 0 {
		t.ReleaseSub()
	}
	var err error
	if info.XID, err = t.XID(task); err != nil {
		return err
	}
	locks, err := t.p.owner.Prepared()
	if err != nil {
		return err
	}
	p := &prepared{PreparedInfo: info}
	if err := m.prepared.reserve(p, limit); err != nil {
		return err
	}
	insert := func() error {
		p.state = encodePrepared(t, info, locks)
		lsn, err := p.log(m)
		task.NoteLogDep(lsn)
		return err
	}
	if t.serial != nil {
		err = t.serial.Prepare(insert)
	} else {
		err = insert()
	}
	if err != nil {
		m.prepared.forget(p)
		return err
	}
	m.handOver(t, p)
	t.finish(task, false, 0)
	m.prepared.release(p)
	return nil
}

// handOver gives what the transaction has to a place of its own.
func (m *Manager) handOver(t *Tx, p *prepared) {
	owner := m.locks.NewOwner(0)
	proc := m.NewProc(owner)
	to := &proc.tx
	to.running = true
	to.ident.Top = t.ident.Top
	to.ident.Subs = append(to.ident.Subs, t.ident.Subs...)
	to.drops = append(to.drops, t.drops...)
	to.cleanup = append(to.cleanup, t.cleanup...)
	to.serial = t.serial
	proc.xid.Store(uint64(t.ident.Top))
	t.p.owner.MoveTo(owner)
	t.ident.Top, t.ident.Subs = 0, t.ident.Subs[:0]
	t.drops, t.cleanup, t.serial = t.drops[:0], t.cleanup[:0], nil
	t.p.xid.Store(0)
	m.own(p, proc)
}

// own joins a prepared transaction to its place.
func (m *Manager) own(p *prepared, proc *Proc) {
	proc.tx.prepared = p
	proc.AfterEnd = func(_ *Tx, committed bool, _ base.LSN) {
		if committed && p.Catalog && m.prepared.changed != nil {
			m.prepared.changed(p.Database)
		}
	}
	m.prepared.mu.Lock()
	p.proc = proc
	m.prepared.mu.Unlock()
}

// EndPrepared is COMMIT PREPARED or ROLLBACK PREPARED by a user connected to a database.
func (m *Manager) EndPrepared(task *activity.Task, gid string, commit bool, user base.OID, super bool, database base.OID, level Level) error {
	p, err := m.prepared.claim(gid, user, super, database)
	if err != nil {
		return err
	}
	tx := &p.proc.tx
	if commit {
		if _, err = tx.Commit(task, level); err != nil && tx.running {
			m.prepared.release(p)
			return err
		}
	} else {
		tx.Abort(task)
	}
	p.proc.Close()
	p.proc.owner.Close()
	m.prepared.forget(p)
	if err == nil { // whatever synchronous_commit says: else the identifier may come back after its end was answered
		err = m.log.WaitFlushed(task, m.log.InsertLSN())
	}
	return err
}

func (s *preparedSet) reserve(p *prepared, limit int) error {
	if len(p.GID) >= maxGID {
		return pgerror.Newf(pgerror.InvalidParameterValue, "transaction identifier \"%s\" is too long", p.GID)
	}
	if limit == 0 {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "prepared transactions are disabled").
			WithHint("Set max_prepared_transactions to a nonzero value.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byGID[p.GID] != nil {
		return pgerror.Newf(pgerror.DuplicateObject, "transaction identifier \"%s\" is already in use", p.GID)
	}
	if len(s.byGID) >= limit {
		return pgerror.New(pgerror.OutOfMemory, "maximum number of prepared transactions reached").
			WithHint("Increase max_prepared_transactions (currently %d).", limit)
	}
	if s.byGID == nil {
		s.byGID = map[string]*prepared{}
	}
	s.byGID[p.GID] = p
	return nil
}

func (s *preparedSet) forget(p *prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byGID, p.GID)
}

func (s *preparedSet) release(p *prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.ready = true
}

// claim finds a prepared transaction for the one who ends it.
func (s *preparedSet) claim(gid string, user base.OID, super bool, database base.OID) (*prepared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byGID[gid]
	switch {
	case p == nil || p.proc == nil:
		return nil, pgerror.Newf(pgerror.UndefinedObject, "prepared transaction with identifier \"%s\" does not exist", gid)
	case !p.ready:
		return nil, pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "prepared transaction with identifier \"%s\" is busy", gid)
	case user != p.Owner && !super:
		return nil, pgerror.New(pgerror.InsufficientPrivilege, "permission denied to finish prepared transaction").
			WithHint("Must be superuser or the user that prepared the transaction.")
	case database != p.Database:
		return nil, pgerror.New(pgerror.FeatureNotSupported, "prepared transaction belongs to another database").
			WithHint("Connect to the database where the transaction was prepared to finish it.")
	}
	p.ready = false
	return p, nil
}

// log inserts the record that says that p is prepared.
func (p *prepared) log(m *Manager) (base.LSN, error) {
	b := m.Builder(nil)
	defer m.Done(b)
	b.Begin(rmgr.Transaction, infoPrepare, p.XID)
	b.Data(p.state)
	return m.log.Insert(b)
}

// logPrepared logs behind the redo pointer of a checkpoint what is still prepared, so that redo finds it. An end that is
// under way has its record in the log before the checkpoint goes on.
func (m *Manager) logPrepared() error {
	s := &m.prepared
	s.mu.Lock()
	var list []*prepared
	for _, p := range s.byGID {
		if p.proc != nil {
			list = append(list, p)
		}
	}
	s.mu.Unlock()
	for _, p := range list {
		p.mu.Lock()
		if !p.ended {
			if _, err := p.log(m); err != nil {
				p.mu.Unlock()
				return err
			}
		}
		p.mu.Unlock()
	}
	return nil
}

// restore makes a prepared transaction out of its record, with its locks, before sessions are let in.
func (m *Manager) restore(r *PreparedState) error {
	owner := m.locks.NewOwner(0)
	proc := m.NewProc(owner)
	t := &proc.tx
	task := activity.NewTask(0, nil)
	t.running = true
	t.ident.Top = r.XID
	t.ident.Subs = append(t.ident.Subs, r.Subs...)
	t.drops = r.drops
	proc.xid.Store(uint64(r.XID))
	for _, x := range append([]base.XID{r.XID}, r.Subs...) {
		if err := t.lockXID(task, x); err != nil {
			return err
		}
	}
	for _, l := range r.Locks {
		if _, err := m.locks.Acquire(task, owner, lock.Request{Tag: l.Tag, Mode: l.Mode, NoWait: true}); err != nil {
			return err
		}
	}
	if r.Serial {
		t.serial = m.ssi.Restore(r.XID, r.Reads)
	}
	p := &prepared{PreparedInfo: r.PreparedInfo, state: r.data, ready: true}
	m.own(p, proc)
	if m.prepared.byGID == nil {
		m.prepared.byGID = map[string]*prepared{}
	}
	m.prepared.byGID[p.GID] = p
	return nil
}

// RowLock says that a transaction has locked rows of a relation.
type RowLock struct {
	Relation base.OID
	Mode     uint8 // as heap numbers them; the strongest
}

// NoteRowLock notes that rows of a relation are locked, for PREPARE TRANSACTION.
func (t *Tx) NoteRowLock(rel base.OID, mode uint8) {
	for i := range t.rowLocks {
		if l := &t.rowLocks[i]; l.Relation == rel {
			l.Mode = max(l.Mode, mode)
			return
		}
	}
	t.rowLocks = append(t.rowLocks, RowLock{rel, mode})
}

// RestoredRowLocks gives the row locks of the transactions that were prepared when the server started.
func (m *Manager) RestoredRowLocks(f func(x base.XID, l RowLock)) {
	for _, r := range m.restored {
		for _, l := range r.RowLocks {
			f(r.XID, l)
		}
	}
}
