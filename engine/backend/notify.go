package backend

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/notify"
)

// listener gives the session's end of the queue of notifications.
func (b *Backend) listener() *notify.Listener {
	s := b.s
	if s.Listener == nil {
		var wake func()
		if s.Client != nil {
			wake = s.Client.Wake
		}
		s.Listener = b.svc.Notify.NewListener(s.Database.OID, s.ID, wake)
	}
	return s.Listener
}

// announce prepares the commit of a transaction that listens or notifies. An error forbids the commit.
func (b *Backend) announce() error {
	s := b.s
	if s.Pending.Empty() {
		return nil
	}
	tx := s.Proc.Tx()
	if s.Pending.Speaks() {
		if _, err := tx.XID(s.Task); err != nil {
			return err
		}
	}
	m, err := s.Pending.Prepare(b.listener(), tx.Manager().Now())
	if m != nil {
		tx.SetWitness(m)
	}
	return err
}

// announced ends what announce began, and the transaction's wishes.
func (b *Backend) announced(committed bool) {
	s := b.s
	if s.Pending.Clean() {
		return
	}
	if own := s.Pending.End(b.listener(), committed); own != 0 {
		s.Heard = own
	}
}

// unlisten is UNLISTEN.
func (b *Backend) unlisten(n *pg_query.UnlistenStmt) {
	if n.Conditionname == "" {
		b.s.Pending.UnlistenAll()
		return
	}
	b.s.Pending.Unlisten(n.Conditionname)
}
