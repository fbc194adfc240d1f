package sysfuncs

import (
	"fmt"
	"time"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerLocks(r registry) {
	r.addSet(lockStatus, "pg_lock_status")
	r.add(blockingPIDs, "pg_blocking_pids")
	r.addSet(preparedTransactions, "pg_prepared_xact")
	r.add(exportSnapshot, "pg_export_snapshot")
}

// exportSnapshot is pg_export_snapshot: of the whole transaction from REPEATABLE READ on, else of the moment.
func exportSnapshot(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
	if s.Tx.Depth() > 0 {
		return types.Null, pgerror.New(pgerror.ActiveSQLTransaction, "cannot export a snapshot from a subtransaction")
	}
	snap := s.Session.Tx.Snapshot
	if !s.Session.Tx.HaveSnap {
		s.Tx.Snapshot(&snap)
		defer s.Tx.Release(&snap)
	}
	return types.Text(s.Tx.Export(&snap, s.Session.Database.OID)), nil
}

// blockingPIDs is pg_blocking_pids: who keeps a session from the lock that it waits for.
func blockingPIDs(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	var out []types.Datum
	for _, pid := range s.Locks.BlockedBy(uint32(a[0].I)) {
		out = append(out, types.Int(int64(pid)))
	}
	return types.MakeArray(types.OIDInt4, out), nil
}

// lockStatus gives the rows of pg_locks: heavyweight locks, what SERIALIZABLE transactions have read, and each running
// transaction's lock of its own virtual id, which nobody waits for and so is not really taken.
func lockStatus(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
	virtual := map[uint32]string{}
	var out []types.Datum
	if s.Host != nil {
		places := s.Tx.Manager().Places()
		for _, x := range s.Host.Sessions() {
			p, ok := places[x.ID]
			if !ok {
				continue
			}
			virtual[x.ID] = fmt.Sprintf("%d/%d", x.ID, p.Local)
			if in := x.Info(); in.State != "idle" && in.State != "" {
				out = append(out, lockRow(lock.VirtualXID(x.ID, p.Local), virtual, x.ID, lock.Exclusive.String(), true, true, time.Time{}))
			}
		}
	}
	pids := map[base.XID]uint32{}
	for _, l := range s.Locks.Snapshot() {
		out = append(out, lockRow(l.Tag, virtual, l.PID, l.Mode.String(), l.Granted, l.FastPath, l.Since))
		if l.Tag.Kind == lock.KindTransaction && l.Granted && l.Mode == lock.Exclusive {
			pids[base.XID(l.Tag.A)] = l.PID
		}
	}
	for _, l := range s.Tx.Manager().Serializable().Locks() {
		t := l.Target
		tag := lock.Relation(t.Database, t.Relation)
		switch {
		case t.Offset != 0:
			tag = lock.Tuple(t.Database, t.Relation, base.TID{Block: t.Block, Offset: t.Offset})
		case t.Block != base.InvalidBlock:
			tag = lock.Page(t.Database, t.Relation, t.Block)
		}
		out = append(out, lockRow(tag, virtual, pids[l.Top], "SIReadLock", true, false, time.Time{}))
	}
	return out, nil
}

// preparedTransactions gives the rows behind pg_prepared_xacts.
func preparedTransactions(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
	cols := []base.OID{types.OIDXID, types.OIDText, types.OIDTimestampTZ, types.OIDOID, types.OIDOID}
	var out []types.Datum
	for _, p := range s.Tx.Manager().Prepared() {
		out = append(out, record(cols, types.Int(int64(p.XID)), types.Text(p.GID), timestamp(p.Time), oidOf(p.Owner), oidOf(p.Database)))
	}
	return out, nil
}

// lockRow makes a row of pg_locks. virtual gives the virtual transactions by session.
func lockRow(tag lock.Tag, virtual map[uint32]string, pid uint32, mode string, granted, fast bool, since time.Time) types.Datum {
	o, t, i4, i2, b := types.OIDOID, types.OIDText, types.OIDInt4, types.OIDInt2, types.OIDBool
	cols := []base.OID{t, o, o, i4, i2, t, types.OIDXID, o, o, i2, t, i4, t, b, b, types.OIDTimestampTZ}
	row := make([]types.Datum, len(cols))
	for k := range row {
		row[k] = types.Null
	}
	row[0] = types.Text(tag.Kind.String())
	if tag.Kind != lock.KindTransaction && tag.Kind != lock.KindVirtualXID {
		row[1] = oidOf(tag.Database)
	}
	a, c := types.Int(int64(tag.A)), types.Int(int64(tag.B))
	switch tag.Kind {
	case lock.KindRelation, lock.KindExtend:
		row[2] = a
	case lock.KindPage:
		row[2], row[3] = a, c
	case lock.KindTuple:
		tid := base.UnpackTID(tag.B)
		row[2], row[3], row[4] = a, types.Int(int64(tid.Block)), types.Int(int64(tid.Offset))
	case lock.KindTransaction:
		row[6] = a
	case lock.KindSpecToken:
		row[1], row[7], row[8], row[9] = a, c, types.Int(0), types.Int(0) // as PostgreSQL 15 does, whose next version names the transaction
	case lock.KindVirtualXID:
		row[5] = types.Text(fmt.Sprintf("%d/%d", tag.A, tag.B))
	case lock.KindAdvisory, lock.KindObject:
		row[7], row[8], row[9] = a, c, types.Int(int64(tag.Sub))
	}
	row[10] = types.Text("-1/0")
	if v, ok := virtual[pid]; ok {
		row[10] = types.Text(v)
	}
	if pid != 0 {
		row[11] = types.Int(int64(pid))
	}
	row[12] = types.Text(mode)
	row[13], row[14], row[15] = types.Bool(granted), types.Bool(fast), timestamp(since)
	return record(cols, row...)
}
