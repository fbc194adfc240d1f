package exec

import (
	"bytes"

	"manifold/engine/access/btree"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/tuple"
	"manifold/engine/types"
)

// After takes note of changed rows that constraints look at once the statement is over, or at commit.
type After interface {
	Note(c *RowChange) error
}

// RowChange is a changed row and the constraint it matters to. The descriptors live as long as the transaction.
type RowChange struct {
	Kind  ChangeKind
	Rel   *relation.Desc // the table that changed
	Key   *relation.ForeignKey
	Index *relation.Index // of Recheck
	Old   base.TID        // the version that was replaced or deleted
	New   base.TID        // the version that is there now
}

// Acts tells whether the constraint does something about the change; replica is of session_replication_role.
func (c *RowChange) Acts(replica bool) bool {
	switch {
	case c.Kind == Recheck:
		return true
	case c.Kind == KeyDeleted:
		return c.Key.Acts(relation.FKKeyDeleted, replica)
	case c.Kind == KeyUpdated:
		return c.Key.Acts(relation.FKKeyUpdated, replica)
	case c.Old == base.TID{}:
		return c.Key.Acts(relation.FKInserted, replica)
	}
	return c.Key.Acts(relation.FKUpdated, replica)
}

// ChangeKind says what is to be done about a changed row.
type ChangeKind uint8

// The kinds.
const (
	Refers     ChangeKind = iota // a row of the referring table is new, or its foreign key changed
	KeyDeleted                   // a row of the referenced table is gone
	KeyUpdated                   // its key changed
	Recheck                      // a deferrable unique or exclusion constraint met a row of the same key
)

// follows tells whether changes of the table's rows concern foreign keys.
func (t *Target) follows() bool { return len(t.rel.ForeignKeys)+len(t.rel.Referrers) > 0 }

// keyColumns tells which columns foreign keys of or to the table have.
func (t *Target) keyColumns() []bool {
	cols := make([]bool, len(t.rel.Columns))
	for _, k := range t.rel.ForeignKeys {
		for _, a := range k.Columns {
			cols[a-1] = true
		}
	}
	for _, k := range t.rel.Referrers {
		for _, a := range k.Keys {
			cols[a-1] = true
		}
	}
	return cols
}

// inserted notes a new row.
func (t *Target) inserted(x *Context, values []types.Datum, tid base.TID) error {
	for _, k := range t.rel.ForeignKeys {
		if exempt(k, values) {
			continue
		}
		if err := x.After.Note(&RowChange{Kind: Refers, Rel: t.rel, Key: k, New: tid}); err != nil {
			return err
		}
	}
	return nil
}

// updated notes that a row has a new version.
func (t *Target) updated(x *Context, old tuple.Tuple, at base.TID, values []types.Datum, tid base.TID) error {
	var err error
	if t.old, err = t.Table.DeformSome(x.Task, t.old[:0], old, t.keys); err != nil {
		return err
	}
	for _, k := range t.rel.Referrers {
		if hasNull(t.old, k.Keys) || same(t.old, values, k.Keys) {
			continue
		}
		if err := x.After.Note(&RowChange{Kind: KeyUpdated, Rel: t.rel, Key: k, Old: at, New: tid}); err != nil {
			return err
		}
	}
	for _, k := range t.rel.ForeignKeys {
		// A row of this transaction may have a check waiting that will find its version gone: the new one is checked even if
		// its key is the old one's.
		if exempt(k, values) || same(t.old, values, k.Columns) && !x.Tx.Identity().Has(old.Xmin()) {
			continue
		}
		if err := x.After.Note(&RowChange{Kind: Refers, Rel: t.rel, Key: k, Old: at, New: tid}); err != nil {
			return err
		}
	}
	return nil
}

// removed notes that a row is gone.
func (t *Target) removed(x *Context, at base.TID) error {
	for _, k := range t.rel.Referrers {
		if err := x.After.Note(&RowChange{Kind: KeyDeleted, Rel: t.rel, Key: k, Old: at}); err != nil {
			return err
		}
	}
	return nil
}

// exempt tells whether nulls free a row from a foreign key: one is enough with MATCH SIMPLE, MATCH FULL wants all.
func exempt(k *relation.ForeignKey, values []types.Datum) bool {
	if k.Match != 'f' {
		return hasNull(values, k.Columns)
	}
	for _, a := range k.Columns {
		if !values[a-1].Null {
			return false
		}
	}
	return true
}

func hasNull(values []types.Datum, attrs []int16) bool {
	for _, a := range attrs {
		if values[a-1].Null {
			return true
		}
	}
	return false
}

// same tells whether columns have the same bytes in two rows.
func same(a, b []types.Datum, attrs []int16) bool {
	for _, n := range attrs {
		x, y := &a[n-1], &b[n-1]
		if x.Null != y.Null || !x.Null && (x.I != y.I || !bytes.Equal(x.B, y.B)) {
			return false
		}
	}
	return true
}

// witness lets an entry in whatever others there are, as a deferrable constraint does, and remembers whether one is in its
// way.
type witness struct {
	btree.Prober
	met bool
}

// Probe implements btree.Prober.
func (w *witness) Probe(tid base.TID) (mvcc.Liveness, base.XID, error) {
	st, x, err := w.Prober.Probe(tid)
	switch st {
	case mvcc.Live, mvcc.SelfInsert, mvcc.Inserting, mvcc.Speculating, mvcc.Deleting:
		w.met = true
		return mvcc.Dead, 0, err
	}
	return st, x, err
}

// others answers for every entry but one row's own.
type others struct {
	btree.Prober
	self base.TID
}

// Probe implements btree.Prober.
func (o *others) Probe(tid base.TID) (mvcc.Liveness, base.XID, error) {
	if tid == o.self {
		return mvcc.Dead, 0, nil
	}
	return o.Prober.Probe(tid)
}

// Recheck fails when the row that was written at tid is still there and another one has its key in a deferrable index.
func (t *Target) Recheck(x *Context, index base.OID, tid base.TID) error {
	st, _, at, err := t.Table.Probe(&t.view, tid)
	if err != nil || st != mvcc.SelfInsert && st != mvcc.Live {
		return err
	}
	row, err := t.Table.FetchVersion(x.Task, at, &t.buf)
	if err != nil || row == nil {
		return err
	}
	if t.old, err = t.Table.Deform(x.Task, t.old[:0], row); err != nil {
		return err
	}
	for _, ix := range t.indexes {
		if ix.desc.OID != index {
			continue
		}
		key, ok, err := ix.keys.of(x.Eval, t.old)
		if err != nil || !ok {
			return err
		}
		rest := &others{&t.prober, tid}
		var w waiter
		for {
			c, err := ix.writer.FindConflict(key, rest)
			if err != nil || !c.Found {
				return err
			}
			if c.Wait == 0 {
				return t.refuse(x, ix, t.old, c)
			}
			if err := w.await(x, c); err != nil {
				return err
			}
		}
	}
	return nil
}
