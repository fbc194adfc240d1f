package txn

import (
	"slices"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/rmgr"
	"manifold/engine/storage"
)

// move is a catalog whose file is another one once the transaction has committed.
type move struct {
	storage.Move
	level int32 // of the savepoint that asked for it
}

// merged is a relation map with the moves of a running transaction.
type merged struct {
	db    base.OID
	under *storage.RelMap // what it was made from
	m     *storage.RelMap
}

// MoveFile gives a catalog, or an index of one, another file: for this transaction now, for others from its commit on. The caller
// holds the catalog exclusively, makes the file and has the one before dropped.
func (t *Tx) MoveFile(v storage.Move) {
	t.moves = append(t.moves, move{v, int32(len(t.subs))})
	t.maps = nil
}

// Map gives the relation map of a database as the transaction sees it. Maps are compared by address.
func (t *Tx) Map(db base.OID) *storage.RelMap {
	m := t.p.m.pool.Storage().Map(db)
	if len(t.moves) == 0 {
		return m
	}
	for _, c := range t.maps {
		if c.db == db && c.under == m {
			return c.m
		}
	}
	c := merged{db, m, m}
	for i := range t.moves {
		if t.moves[i].Database == db {
			c.m = c.m.With(t.moves[i].Move)
		}
	}
	t.maps = append(slices.DeleteFunc(t.maps, func(old merged) bool { return old.db == db }), c)
	return c.m
}

// MovedFiles tells whether the transaction has changed a relation map.
func (t *Tx) MovedFiles() bool { return len(t.moves) > 0 }

// abortMoves forgets what a savepoint has moved; releaseMoves makes it part of what surrounds it.
func (t *Tx) abortMoves(level int32) {
	t.moves = slices.DeleteFunc(t.moves, func(v move) bool { return v.level >= level })
	t.maps = nil
}

func (t *Tx) releaseMoves(level int32) {
	for i := range t.moves {
		t.moves[i].level = min(t.moves[i].level, level-1)
	}
}

// commitMoving is commitPoint for a transaction that has changed relation maps. The record tells redo of it; no checkpoint whose
// redo pointer is behind the record ends before the maps are on disk, and they are not there before the record is.
func (t *Tx) commitMoving(level Level) (base.LSN, error) {
	m := t.p.m
	invariant.Must(t.ident.Top != 0, "a file moved by a transaction without an id")
	m.cuts.RLock()
	defer m.cuts.RUnlock()
	lsn, err := t.commitPoint(level)
	if err != nil {
		return lsn, err
	}
	moves := make([]storage.Move, len(t.moves))
	for i := range t.moves {
		moves[i] = t.moves[i].Move
	}
	err = m.log.Flush(lsn)
	if err == nil {
		if err = m.pool.Storage().MoveFiles(moves); err != nil {
			m.log.Poison(err) // nothing may go on from a map that is not durable: redo writes it again
		}
	}
	t.moved = err
	return lsn, nil
}

// SetMap logs the relation map of a database that is being made, and writes it.
func (t *Tx) SetMap(task *activity.Task, db base.OID, r *storage.RelMap) error {
	xid, err := t.XID(task)
	if err != nil {
		return err
	}
	m := t.p.m
	m.cuts.RLock() // as in commitMoving
	defer m.cuts.RUnlock()
	b := m.Builder(nil)
	lsn, err := rmgr.LogMap(m.log, b, xid, db, r)
	m.Done(b)
	if err == nil {
		err = m.log.Flush(lsn)
	}
	if err == nil {
		err = m.pool.Storage().SetMap(db, r)
	}
	return err
}
