package txn

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/rmgr"
)

// CreateFork logs that the file of a fork is made, makes it, and has it removed when the transaction rolls back.
func (t *Tx) CreateFork(task *activity.Task, f base.RelFile, fork base.Fork, logged bool) error {
	m := t.p.m
	if logged {
		xid, err := t.XID(task)
		if err != nil {
			return err
		}
		b := m.Builder(nil)
		_, err = rmgr.LogCreate(m.log, b, xid, f, fork)
		m.Done(b)
		if err != nil {
			return err
		}
	}
	if err := m.pool.Storage().Create(f, fork, false); err != nil {
		return err
	}
	if fork == base.MainFork {
		t.DropOnAbort(f)
	}
	return nil
}

// CreateInit makes the init fork of an unlogged relation: n pages that build fills, logged whole. The relation begins anew
// with a copy of them after a crash.
func (t *Tx) CreateInit(task *activity.Task, f base.RelFile, n int, build func(i base.BlockNumber, p page.Page)) error {
	if err := t.CreateFork(task, f, base.InitFork, true); err != nil {
		return err
	}
	for range n {
		buf, err := t.p.m.pool.Extend(task, f, base.InitFork)
		if err != nil {
			return err
		}
		build(buf.Tag().Block, buf.Page())
		buf.MarkDirty()
		lsn, err := t.p.m.log.LogImage(task.LogTuning(), buf.Tag(), buf.Page())
		if err == nil {
			buf.SetLSN(lsn)
		}
		buf.UnlockRelease()
		if err != nil {
			return err
		}
	}
	return nil
}

// CreateSpace logs and makes a tablespace of a directory.
func (t *Tx) CreateSpace(task *activity.Task, space base.OID, location string) error {
	xid, err := t.XID(task)
	if err != nil {
		return err
	}
	m := t.p.m
	if err := m.pool.Storage().CreateSpace(space, location, false); err != nil {
		return err
	}
	b := m.Builder(nil)
	defer m.Done(b)
	_, err = rmgr.LogCreateSpace(m.log, b, xid, space, location)
	return err
}

// DropSpace logs and removes a tablespace. It gives false when files are in it.
func (t *Tx) DropSpace(task *activity.Task, space base.OID) (bool, error) {
	xid, err := t.XID(task)
	if err != nil {
		return false, err
	}
	m := t.p.m
	gone, err := m.pool.Storage().DropSpace(space)
	if err != nil || !gone {
		return gone, err
	}
	b := m.Builder(nil)
	defer m.Done(b)
	_, err = rmgr.LogDropSpace(m.log, b, xid, space)
	return true, err
}

// DropDatabase logs that the files of a database go, and removes them. Its catalog row must be gone for good.
func (m *Manager) DropDatabase(db base.OID) error {
	b := m.Builder(nil)
	lsn, err := rmgr.LogDropDatabase(m.log, b, db)
	m.Done(b)
	if err == nil {
		err = m.log.Flush(lsn)
	}
	if err != nil {
		return err
	}
	m.pool.DropDatabase(db)
	return m.pool.Storage().DropDatabase(db)
}

// Truncate cuts the fork of a relation to n pages, for good: the caller holds it so that nobody reads the pages beyond.
func (m *Manager) Truncate(f base.RelFile, fork base.Fork, n base.BlockNumber, logged bool) error {
	m.cuts.RLock() // a checkpoint whose redo pointer is behind the record ends behind the cut
	defer m.cuts.RUnlock()
	if logged {
		b := m.Builder(nil)
		lsn, err := rmgr.LogTruncate(m.log, b, base.InvalidXID, f, fork, n)
		m.Done(b)
		if err == nil {
			err = m.log.Flush(lsn) // the file must not be shorter than the log knows
		}
		if err != nil {
			return err
		}
	}
	return m.pool.Truncate(f, fork, n)
}
