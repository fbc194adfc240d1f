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
		b := m.Builder()
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
		lsn, err := t.p.m.log.LogImage(buf.Tag(), buf.Page())
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

// Truncate cuts the fork of a relation to n pages, for good: the caller holds it so that nobody reads the pages beyond.
func (m *Manager) Truncate(f base.RelFile, fork base.Fork, n base.BlockNumber, logged bool) error {
	if logged {
		b := m.Builder()
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
