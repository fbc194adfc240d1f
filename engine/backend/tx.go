package backend

import (
	"fmt"
	"time"

	"manifold/engine/activity"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// begin makes sure that a transaction runs, unless a failed block waits for its end.
func (b *Backend) begin(now time.Time) {
	s := b.s
	if s.Proc.Tx().Running() || s.Status == session.Failed {
		return
	}
	h := s.Hot()
	s.Proc.Begin()
	s.Tx = session.TxState{Start: now, Isolation: h.Isolation, ReadOnly: h.ReadOnly, Deferrable: h.Deferrable,
		Savepoints: s.Tx.Savepoints[:0], Implicit: s.Tx.Implicit}
}

// snapshot gives the statement its snapshot; release gives it back. A DEFERRABLE transaction waits for a safe one first.
func (b *Backend) snapshot(snap *mvcc.Snapshot) error {
	t := &b.s.Tx
	if t.Deferrable && t.ReadOnly && t.Isolation == session.Serializable && !t.HaveSnap {
		if err := b.safeSnapshot(); err != nil {
			return err
		}
	}
	b.snapshotNow(snap)
	return nil
}

// safeSnapshot gives the transaction a snapshot beside which nothing can become dangerous, waiting as long as it takes.
func (b *Backend) safeSnapshot() error {
	t := &b.s.Tx
	tx := b.s.Proc.Tx()
	for {
		tx.SerializableSnapshot(&t.Snapshot, true)
		x := tx.Serial()
		if x == nil {
			break
		}
		err := b.s.Task.Wait(activity.EventSafeSnapshot, x.Decided(), 0)
		safe := err == nil && x.Safe()
		tx.Untrack()
		t.Snapshot.Serial = nil
		if safe {
			break
		}
		tx.Release(&t.Snapshot)
		if err != nil {
			return err
		}
	}
	t.HaveSnap = true
	return nil
}

// snapshotNow is snapshot without a wait.
func (b *Backend) snapshotNow(snap *mvcc.Snapshot) {
	t := &b.s.Tx
	t.Queried = true
	tx := b.s.Proc.Tx()
	if t.Isolation == session.ReadCommitted || b.latest {
		tx.Snapshot(snap)
		return
	}
	if !t.HaveSnap {
		if t.Isolation == session.Serializable {
			tx.SerializableSnapshot(&t.Snapshot, t.ReadOnly)
		} else {
			tx.Snapshot(&t.Snapshot)
		}
		t.HaveSnap = true
	}
	tx.CopySnapshot(snap, &t.Snapshot)
}

// commit ends the transaction; an error means that it was rolled back.
func (b *Backend) commit() error {
	s := b.s
	if err := b.fireAll(); err != nil {
		b.abort()
		return err
	}
	if err := b.holdCursors(); err != nil {
		return err
	}
	b.closePortals(true)
	if err := b.onCommit(); err != nil {
		return err
	}
	if err := b.announce(); err != nil {
		b.abort()
		return err
	}
	_, err := s.Proc.Tx().Commit(s.Task, s.Hot().Level)
	b.announced(err == nil)
	s.EndSettings(err == nil)
	b.count(err == nil)
	b.ended()
	return err
}

// abort rolls the transaction back. It cannot fail.
func (b *Backend) abort() {
	counts := b.s.Proc.Tx().Running() || b.s.Tx.Block && b.s.Status != session.Failed // else it was counted when it failed
	b.closePortals(false)
	b.s.Proc.Tx().Abort(b.s.Task)
	b.announced(false)
	b.s.EndSettings(false)
	if counts {
		b.count(false)
	}
	b.ended()
}

func (b *Backend) ended() {
	s := b.s
	s.Tx.Block, s.Tx.Implicit, s.Tx.HaveSnap = false, false, false
	s.Tx.Savepoints = s.Tx.Savepoints[:0]
	s.After.Reset()
	s.Status = session.Idle
	s.Catalog = session.Overlay{}
	b.view.UseCache(b.cache())
	b.pathOK = false
}

// finish ends a statement: alone it commits, within a block the next statement sees what it did.
func (b *Backend) finish() error {
	if !b.s.Proc.Tx().Running() {
		return nil
	}
	if err := b.fire(); err != nil {
		return err
	}
	if !b.s.Tx.Block && !b.s.Tx.Implicit {
		return b.commit()
	}
	return b.s.Proc.Tx().NextCommand()
}

// Fail ends a failed statement: a lone one is rolled back, a block waits for ROLLBACK.
func (b *Backend) Fail(s *session.Session, e *pgerror.Error) {
	b.attach(s)
	defer b.part()
	if e != nil && e.Code == pgerror.TRDeadlockDetected {
		b.figures().Deadlocks.Add(1)
	}
	s.Told = true
	tx := s.Proc.Tx()
	switch {
	case !tx.Running():
		if s.Tx.Block {
			s.Status = session.Failed
		}
	case !s.Tx.Block:
		b.abort()
	case s.Status == session.Failed:
	case tx.Depth() > 0:
		// The savepoint is rolled back at once, and stands again for ROLLBACK TO.
		b.rollbackSub(tx.Depth())
		s.Status = session.Failed
	default:
		savepoints := s.Tx.Savepoints
		b.abort()
		s.Tx.Block, s.Tx.Savepoints = true, savepoints[:0]
		s.Status = session.Failed
	}
}

// rollbackSub rolls back to the savepoint at a depth and sets it anew.
func (b *Backend) rollbackSub(depth int) {
	s := b.s
	tx := s.Proc.Tx()
	b.closePortalsFrom(depth)
	for tx.Depth() >= depth {
		tx.AbortSub()
		s.After.Rollback()
		s.Pending.Rollback()
	}
	s.EndSubSettings(depth, false)
	s.Tx.Savepoints = s.Tx.Savepoints[:depth]
	s.Tx.ReadOnly = !s.Tx.ReadWrite[depth-1]
	tx.BeginSub(s.Tx.Savepoints[depth-1])
	s.After.Begin()
	s.Pending.Begin()
	if s.Catalog.Cache != nil {
		s.Catalog.Shared = b.svc.Caches(s.Database.OID).Generation()
		s.Catalog.Cache = b.newOverlay()
		b.view.UseCache(s.Catalog.Cache)
	}
	b.pathOK = false
}

func errFailed() error {
	return pgerror.New(pgerror.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// beginBlock is BEGIN.
func (b *Backend) beginBlock(iso *session.Isolation, readOnly, deferrable *bool) error {
	s := b.s
	if s.Tx.Block {
		s.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.ActiveSQLTransaction, "there is already a transaction in progress"))
		return b.transactionModes(iso, readOnly, deferrable)
	}
	b.begin(s.StatementTime)
	s.Tx.Block, s.Tx.Implicit = true, false
	s.Status = session.InTx
	return b.transactionModes(iso, readOnly, deferrable)
}

func (b *Backend) transactionModes(iso *session.Isolation, readOnly, deferrable *bool) error {
	t := &b.s.Tx
	sub := b.s.Proc.Tx().Depth() > 0
	if iso != nil {
		switch {
		case t.Isolation == *iso:
		case t.Queried:
			return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
		case sub:
			return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction")
		}
		t.Isolation = *iso
	}
	if readOnly != nil {
		switch {
		case *readOnly || !t.ReadOnly:
		case sub:
			return pgerror.New(pgerror.ActiveSQLTransaction, "cannot set transaction read-write mode inside a read-only transaction")
		case t.Queried:
			return pgerror.New(pgerror.ActiveSQLTransaction, "transaction read-write mode must be set before any query")
		}
		t.ReadOnly = *readOnly
	}
	if deferrable != nil {
		switch {
		case sub:
			return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction")
		case t.Queried:
			return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION [NOT] DEFERRABLE must be called before any query")
		}
		t.Deferrable = *deferrable
	}
	return nil
}

// importSnapshot is SET TRANSACTION SNAPSHOT.
func (b *Backend) importSnapshot(id string) error {
	t := &b.s.Tx
	switch {
	case !t.Block && !t.Implicit:
		b.s.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks"))
		fallthrough
	case t.Isolation == session.ReadCommitted && !t.Queried && b.s.Proc.Tx().Depth() == 0:
		return pgerror.New(pgerror.FeatureNotSupported,
			"a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ")
	case t.Queried || b.s.Proc.Tx().Depth() > 0:
		return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION SNAPSHOT must be called before any query")
	case t.Isolation == session.Serializable:
		return pgerror.Unsupported("SET TRANSACTION SNAPSHOT at the level SERIALIZABLE")
	}
	if err := b.s.Proc.Tx().Import(id, b.s.Database.OID, &t.Snapshot); err != nil {
		return err
	}
	t.HaveSnap, t.Queried = true, true
	return nil
}

// commitBlock is COMMIT: a failed block is rolled back. It gives the command tag.
func (b *Backend) commitBlock() (string, error) {
	s := b.s
	if s.Status == session.Failed {
		return "ROLLBACK", b.rollbackBlock()
	}
	if !s.Tx.Block {
		s.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.NoActiveSQLTransaction, "there is no transaction in progress"))
	}
	if s.Proc.Tx().Running() {
		return "COMMIT", b.commit()
	}
	b.count(true)
	b.ended()
	return "COMMIT", nil
}

// rollbackBlock is ROLLBACK.
func (b *Backend) rollbackBlock() error {
	s := b.s
	if !s.Tx.Block {
		s.Notice(pgerror.Notice(pgerror.SeverityWarning, pgerror.NoActiveSQLTransaction, "there is no transaction in progress"))
	}
	b.abort()
	return nil
}

// savepoint is SAVEPOINT.
func (b *Backend) savepoint(name string) error {
	if !b.s.Tx.Block {
		return noBlock("SAVEPOINT")
	}
	b.s.Proc.Tx().BeginSub(name)
	b.s.After.Begin()
	b.s.Pending.Begin()
	t := &b.s.Tx
	t.ReadWrite = append(t.ReadWrite[:len(t.Savepoints)], !t.ReadOnly)
	t.Savepoints = append(t.Savepoints, name)
	return nil
}

func noBlock(what string) error {
	return pgerror.Newf(pgerror.NoActiveSQLTransaction, "%s can only be used in transaction blocks", what)
}

func (b *Backend) findSavepoint(name, what string) (int, error) {
	if !b.s.Tx.Block {
		return 0, noBlock(what)
	}
	for i := len(b.s.Tx.Savepoints) - 1; i >= 0; i-- {
		if b.s.Tx.Savepoints[i] == name {
			return i + 1, nil
		}
	}
	return 0, pgerror.Newf(pgerror.SEInvalidSpecification, "savepoint \"%s\" does not exist", name)
}

// release is RELEASE SAVEPOINT.
func (b *Backend) release(name string) error {
	depth, err := b.findSavepoint(name, "RELEASE SAVEPOINT")
	if err != nil {
		return err
	}
	tx := b.s.Proc.Tx()
	for tx.Depth() >= depth {
		b.s.EndSubSettings(tx.Depth(), true)
		tx.ReleaseSub()
		b.s.After.Release()
		b.s.Pending.Release()
	}
	for _, p := range b.s.Portals {
		p.Depth = min(p.Depth, depth-1)
	}
	b.s.Tx.Savepoints = b.s.Tx.Savepoints[:depth-1]
	b.s.Tx.ReadOnly = !b.s.Tx.ReadWrite[depth-1]
	return nil
}

// rollbackTo is ROLLBACK TO SAVEPOINT.
func (b *Backend) rollbackTo(name string) error {
	depth, err := b.findSavepoint(name, "ROLLBACK TO SAVEPOINT")
	if err != nil {
		return err
	}
	b.rollbackSub(depth)
	b.s.Status = session.InTx
	return nil
}

// Sync ends the implicit transaction of a pipeline.
func (b *Backend) Sync(s *session.Session) error {
	b.attach(s)
	defer b.part()
	if s.Tx.Block || !s.Proc.Tx().Running() {
		return nil
	}
	return b.commit()
}

// Release ends a session: what it has open is rolled back and everything it holds is given up.
func (b *Backend) Release(s *session.Session) {
	b.attach(s)
	defer b.part()
	b.closePortals(false)
	if s.Proc.Tx().Running() || s.Tx.Block { // a failed block too, or nothing could begin any more
		b.abort()
	}
	for name := range s.Portals {
		b.dropPortal(name)
	}
	if err := b.dropTemp(); err != nil {
		b.svc.Log(pgerror.From(err), fmt.Sprintf("temporary tables of session %d", s.ID))
	}
	if s.Listener != nil {
		s.Listener.Close()
	}
	clear(s.Statements)
}
