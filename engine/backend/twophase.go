package backend

import (
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/session"
	"manifold/engine/txn"
)

// twoPhase is PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED. It gives the command tag.
func (b *Backend) twoPhase(t *pg_query.TransactionStmt) (string, error) {
	switch t.Kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
		return b.prepareTransaction(t.Gid)
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		return "COMMIT PREPARED", b.endPrepared(t.Gid, true, "COMMIT PREPARED")
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		return "ROLLBACK PREPARED", b.endPrepared(t.Gid, false, "ROLLBACK PREPARED")
	}
	return "", pgerror.Unsupported("transaction statement %s", t.Kind)
}

// prepareTransaction ends the block: prepared, or rolled back when it had failed or was none.
func (b *Backend) prepareTransaction(gid string) (string, error) {
	s := b.s
	if !s.Tx.Block || s.Status == session.Failed {
		return "ROLLBACK", b.rollbackBlock()
	}
	err := b.fireAll()
	if err == nil {
		err = b.mayPrepare()
	}
	if err == nil {
		b.closePortals(true)
		limit := s.Settings.Get("max_prepared_transactions").Int
		err = s.Proc.Tx().Prepare(s.Task, txn.PreparedInfo{GID: gid, Time: time.Now(), Owner: s.User.OID, Database: s.Database.OID,
			Catalog: !s.Catalog.Changes.Empty()}, int(limit))
	}
	if err != nil {
		b.abort()
		return "", err
	}
	b.announced(false) // savepoints
	s.EndSettings(true)
	b.count(true)
	b.ended()
	return "PREPARE TRANSACTION", nil
}

// mayPrepare refuses what a prepared transaction cannot take along.
func (b *Backend) mayPrepare() error {
	refuse := func(what string) error {
		return pgerror.Newf(pgerror.FeatureNotSupported, "cannot PREPARE a transaction that has %s", what)
	}
	if b.s.Proc.Tx().MovedFiles() {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot PREPARE a transaction that modified relation mapping")
	}
	if !b.s.Pending.Empty() {
		return refuse("executed LISTEN, UNLISTEN, or NOTIFY")
	}
	for _, p := range b.s.Portals {
		if p.Hold && !p.Held {
			return refuse("created a cursor WITH HOLD")
		}
	}
	temporary, err := b.usedTemporary()
	if err != nil {
		return err
	}
	if temporary {
		return refuse("operated on temporary objects")
	}
	if b.s.Proc.Tx().Exported() {
		return refuse("exported snapshots")
	}
	return nil
}

// usedTemporary tells whether the transaction has locked or made a temporary relation.
func (b *Backend) usedTemporary() (bool, error) {
	if b.s.Temp.Namespace == 0 {
		return false, nil
	}
	if b.s.Proc.Tx().MadeTemporary() {
		return true, nil
	}
	locks, err := b.s.Proc.Owner().Prepared()
	if err != nil {
		return false, err
	}
	for _, l := range locks {
		if l.Tag.Kind != lock.KindRelation {
			continue
		}
		if d, err := b.view.Relation(base.OID(l.Tag.A)); err != nil || d != nil && d.Persistence == relation.Temporary {
			return true, err
		}
	}
	return false, nil
}

func (b *Backend) endPrepared(gid string, commit bool, what string) error {
	s := b.s
	if s.Tx.Block || s.Tx.Implicit {
		return pgerror.Newf(pgerror.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
	}
	b.begin(s.StatementTime)
	super := b.superuser()
	b.abort()
	return b.svc.Cluster.Txns.EndPrepared(s.Task, gid, commit, s.User.OID, super, s.Database.OID, s.Hot().Level)
}
