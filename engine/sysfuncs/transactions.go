package sysfuncs

import (
	"slices"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerTransactions(r registry) {
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		if _, err := s.Tx.XID(s.Task); err != nil {
			return types.Null, err
		}
		return types.Int(int64(s.Tx.TopXID())), nil
	}, "pg_current_xact_id")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		if x := s.Tx.TopXID(); x != 0 {
			return types.Int(int64(x)), nil
		}
		return types.Null, nil
	}, "pg_current_xact_id_if_assigned")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return types.Int(int64(s.Tx.Manager().Log().InsertLSN())), nil
	}, "pg_current_wal_lsn", "pg_current_wal_insert_lsn")
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		return types.Int(int64(s.Tx.Manager().Durable())), nil
	}, "pg_current_wal_flush_lsn")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		name, _ := s.Tx.Manager().Log().FileName(base.LSN(a[0].I))
		return types.Text(name), nil
	}, "pg_walfile_name")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		name, offset := s.Tx.Manager().Log().FileName(base.LSN(a[0].I))
		return record([]base.OID{types.OIDText, types.OIDInt4}, types.Text(name), types.Int(offset)), nil
	}, "pg_walfile_name_offset")
	r.add(transactionStatus, "pg_xact_status")
	r.add(currentSnapshot, "pg_current_snapshot")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		xmin, _, _ := types.OpenSnapshot(a[0])
		return types.Int(int64(xmin)), nil
	}, "pg_snapshot_xmin")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		_, xmax, _ := types.OpenSnapshot(a[0])
		return types.Int(int64(xmax)), nil
	}, "pg_snapshot_xmax")
	r.addSet(func(_ *Scope, _ *builtins.Context, a []types.Datum) (out []types.Datum, err error) {
		_, _, unseen := types.OpenSnapshot(a[0])
		for _, x := range unseen {
			out = append(out, types.Int(int64(x)))
		}
		return out, nil
	}, "pg_snapshot_xip")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		x := uint64(a[0].I)
		xmin, xmax, unseen := types.OpenSnapshot(a[1])
		_, found := slices.BinarySearch(unseen, x)
		return types.Bool(x < xmin || x < xmax && !found), nil
	}, "pg_visible_in_snapshot")
	r.add(transactionAge, "xid_age")
	r.add(multixactAge, "mxid_age")
}

// currentSnapshot is pg_current_snapshot: what the statement sees, in ids. Of one snapshot the same is told each time, for each row or
// statement, whoever has rolled back since.
func currentSnapshot(s *Scope, c *builtins.Context, _ []types.Datum) (types.Datum, error) {
	t := &s.Session.Tx
	if t.OutlineOf == c.Seen && c.Seen != 0 {
		return t.Outline, nil
	}
	xmin, xmax, unseen := s.Tx.Manager().Outline(c.Seen, s.Tx.TopXID())
	ids := make([]uint64, len(unseen))
	for i, x := range unseen {
		ids[i] = uint64(x)
	}
	t.Outline, t.OutlineOf = types.MakeSnapshot(uint64(xmin), uint64(xmax), ids), c.Seen
	return t.Outline, nil
}

// transactionStatus is pg_xact_status and txid_status.
func transactionStatus(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	x := base.XID(a[0].I)
	if x >= s.Tx.Manager().NextXID() {
		return types.Null, pgerror.Newf(pgerror.InvalidParameterValue, "transaction ID %d is in the future", x)
	}
	if x == 0 || x >= base.FirstXID && x < s.Tx.Manager().OldestXID() { // nobody knows any more
		return types.Null, nil
	}
	switch st, _ := s.Tx.Manager().Status(x); st {
	case mvcc.Committed:
		return types.Text("committed"), nil
	case mvcc.Aborted:
		return types.Text("aborted"), nil
	}
	return types.Text("in progress"), nil
}

// transactionAge is age(xid): how many transactions ago it was. Ids below the first are always there, as old as can be.
func transactionAge(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	x := base.XID(uint32(a[0].I))
	if x < base.FirstXID {
		return types.Int(1<<31 - 1), nil
	}
	now := s.Tx.TopXID()
	if now == 0 {
		now = s.Tx.Manager().NextXID()
	}
	return types.Int(int64(int32(uint32(now) - uint32(x)))), nil
}

// multixactAge is mxid_age(xid): there are no multixacts, so the next one is the first for ever.
func multixactAge(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	if a[0].I == 0 {
		return types.Int(1<<31 - 1), nil
	}
	return types.Int(int64(int32(1 - uint32(a[0].I)))), nil
}
