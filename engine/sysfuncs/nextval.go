package sysfuncs

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/types"
)

func registerSequences(r registry) {
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		v, err := nextValue(s, oidArg(a[0]), true)
		return types.Int(v), err
	}, "nextval_oid")
	r.add(currval, "currval_oid")
	r.add(lastval, "lastval")
	r.add(setval, "setval_oid", "setval3_oid")
	r.add(lastValue, "pg_sequence_last_value")
	r.add(sequenceParameters, "pg_sequence_parameters")
	r.add(serialSequence, "pg_get_serial_sequence")
}

// NextValue takes the next value of an identity column's sequence, whoever owns it.
func NextValue(s *Scope, seq base.OID) (int64, error) { return nextValue(s, seq, false) }

// openSequence locks a sequence and reads its descriptor and definition.
func openSequence(s *Scope, oid base.OID, mode lock.Mode) (*relation.Desc, sequence.Params, error) {
	var p sequence.Params
	_, err := s.Locks.Acquire(s.Task, s.Session.Proc.Owner(), lock.Request{Tag: lock.Relation(s.Session.Database.OID, oid), Mode: mode,
		Timeout: s.Wait.Timeout, DeadlockTimeout: s.Wait.DeadlockTimeout})
	if err != nil {
		return nil, p, err
	}
	d, err := s.View.Relation(oid)
	if err != nil {
		return nil, p, err
	}
	if d == nil {
		return nil, p, pgerror.Newf(pgerror.UndefinedTable, "could not open relation with OID %d", oid)
	}
	if d.Kind != relation.KindSequence {
		return nil, p, pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a sequence", d.Name)
	}
	r, err := s.View.Row(bootstrap.RelSequence, bootstrap.IdxSequenceSeqrelidIndex, oidOf(oid))
	if err != nil {
		return nil, p, err
	}
	if r == nil {
		return nil, p, pgerror.Newf(pgerror.InternalError, "cache lookup failed for sequence %d", oid)
	}
	p = sequence.Params{Start: r.Int(bootstrap.ColSequenceSeqstart), Increment: r.Int(bootstrap.ColSequenceSeqincrement),
		Min: r.Int(bootstrap.ColSequenceSeqmin), Max: r.Int(bootstrap.ColSequenceSeqmax), Cache: r.Int(bootstrap.ColSequenceSeqcache),
		Cycle: r.Bool(bootstrap.ColSequenceSeqcycle)}
	return d, p, nil
}

// sequenceAllows fails with 42501 unless the current role has one of the privileges on a sequence.
func sequenceAllows(s *Scope, d *relation.Desc, anyOf ...Priv) error {
	r, err := s.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidOf(d.OID))
	if err != nil || r == nil {
		return err
	}
	for _, p := range anyOf {
		if ok, err := relationAllows(s.View, s.Session.Role, r, p); err != nil || ok {
			return err
		}
	}
	return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for sequence %s", d.Name)
}

// nextValue is nextval. A session keeps no values back, whatever CACHE says: fetching one costs a page latch only.
func nextValue(s *Scope, oid base.OID, check bool) (int64, error) {
	d, p, err := openSequence(s, oid, lock.RowExclusive)
	if err != nil {
		return 0, err
	}
	if check {
		if err := sequenceAllows(s, d, PrivUsage, PrivUpdate); err != nil {
			return 0, err
		}
	}
	if s.Session.Tx.ReadOnly && d.Persistence != relation.Temporary {
		return 0, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute nextval() in a read-only transaction")
	}
	p.Cache = 1
	v, _, err := s.Sequences.Next(s.Task, d, p)
	if err != nil {
		return 0, err
	}
	s.Session.SetCurrval(oid, v)
	s.Session.LastSeq = oid
	return v, nil
}

func currval(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	oid := oidArg(a[0])
	d, _, err := openSequence(s, oid, lock.AccessShare)
	if err != nil {
		return types.Null, err
	}
	if err := sequenceAllows(s, d, PrivSelect, PrivUsage); err != nil {
		return types.Null, err
	}
	v, ok := s.Session.Sequences[oid]
	if !ok {
		return types.Null, pgerror.Newf(pgerror.ObjectNotInPrerequisiteState,
			"currval of sequence \"%s\" is not yet defined in this session", d.Name)
	}
	return types.Int(v), nil
}

func lastval(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
	v, ok := s.Session.Sequences[s.Session.LastSeq]
	if s.Session.LastSeq == 0 || !ok {
		return types.Null, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "lastval is not yet defined in this session")
	}
	return types.Int(v), nil
}

func setval(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	oid := oidArg(a[0])
	d, p, err := openSequence(s, oid, lock.RowExclusive)
	if err != nil {
		return types.Null, err
	}
	if err := sequenceAllows(s, d, PrivUpdate); err != nil {
		return types.Null, err
	}
	if s.Session.Tx.ReadOnly && d.Persistence != relation.Temporary {
		return types.Null, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute setval() in a read-only transaction")
	}
	called := len(a) < 3 || a[2].True()
	if err := s.Sequences.Set(s.Task, d, p, a[1].I, called); err != nil {
		return types.Null, err
	}
	if called {
		s.Session.SetCurrval(oid, a[1].I)
	}
	return a[1], nil
}

func lastValue(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	d, _, err := openSequence(s, oidArg(a[0]), lock.AccessShare)
	if err != nil {
		return types.Null, err
	}
	if sequenceAllows(s, d, PrivSelect, PrivUsage) != nil {
		return types.Null, nil
	}
	st, err := s.Sequences.Read(s.Task, d)
	if err != nil || !st.Called {
		return types.Null, err
	}
	return types.Int(st.Last), nil
}

func sequenceParameters(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	d, p, err := openSequence(s, oidArg(a[0]), lock.AccessShare)
	if err != nil {
		return types.Null, err
	}
	if err := sequenceAllows(s, d, PrivSelect, PrivUpdate, PrivUsage); err != nil {
		return types.Null, err
	}
	r, err := s.View.Row(bootstrap.RelSequence, bootstrap.IdxSequenceSeqrelidIndex, oidOf(d.OID))
	if err != nil || r == nil {
		return types.Null, err
	}
	i := types.OIDInt8
	return record([]base.OID{i, i, i, i, types.OIDBool, i, types.OIDOID}, types.Int(p.Start), types.Int(p.Min), types.Int(p.Max),
		types.Int(p.Increment), types.Bool(p.Cycle), types.Int(p.Cache), oidOf(r.OID(bootstrap.ColSequenceSeqtypid))), nil
}

// serialSequence finds the sequence that a column owns.
func serialSequence(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	table, err := s.Names.OIDOf(types.RegClass, text(a[0]))
	if err != nil {
		return types.Null, err
	}
	d, err := s.View.Relation(table)
	if err != nil || d == nil {
		return types.Null, err
	}
	attr := d.ColumnByName(text(a[1]))
	if attr == 0 {
		return types.Null, pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", text(a[1]), d.Name)
	}
	seq := base.OID(0)
	keys := []types.Datum{oidOf(bootstrap.RelClass), oidOf(table), types.Int(int64(attr))}
	err = s.View.Scan(bootstrap.RelDepend, bootstrap.IdxDependReferenceIndex, keys, func(_ base.TID, r catalog.Row) error {
		if k := r.Byte(bootstrap.ColDependDeptype); r.OID(bootstrap.ColDependClassid) == bootstrap.RelClass && (k == 'a' || k == 'i') {
			if x, err := s.View.Relation(r.OID(bootstrap.ColDependObjid)); err == nil && x != nil && x.Kind == relation.KindSequence {
				seq = x.OID
			}
		}
		return nil
	})
	if err != nil || seq == 0 {
		return types.Null, err
	}
	x, err := s.View.Relation(seq)
	if err != nil || x == nil {
		return types.Null, err
	}
	return types.Text(catalog.QuoteIdent(x.Schema) + "." + catalog.QuoteIdent(x.Name)), nil
}
