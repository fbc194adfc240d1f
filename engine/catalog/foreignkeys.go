package catalog

import (
	"sort"

	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// addForeignKeys reads the foreign keys of a table and those that refer to it. pg_constraint has no index for the latter:
// their triggers lead there.
func (v *View) addForeignKeys(d *relation.Desc) error {
	fires := map[base.OID]*[relation.FKEvents]byte{}
	var list []base.OID
	err := v.Scan(bootstrap.RelTrigger, bootstrap.IdxTriggerTgrelidTgnameIndex, []types.Datum{oidKey(d.OID)}, func(_ base.TID, r Row) error {
		c := r.OID(bootstrap.ColTriggerTgconstraint)
		if c == 0 {
			return nil
		}
		if fires[c] == nil {
			fires[c] = &[relation.FKEvents]byte{}
			list = append(list, c)
		}
		if e, ok := keyEvent(r.OID(bootstrap.ColTriggerTgfoid), r.Int(bootstrap.ColTriggerTgtype)); ok {
			fires[c][e] = r.Byte(bootstrap.ColTriggerTgenabled)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, oid := range list {
		r, err := v.Row(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, oidKey(oid))
		if err != nil {
			return err
		}
		if r == nil || r.Byte(bootstrap.ColConstraintContype) != 'f' {
			continue
		}
		k := foreignKeyFromRow(r)
		k.Fires = *fires[oid]
		if k.Table == d.OID {
			d.ForeignKeys = append(d.ForeignKeys, k)
		}
		if k.Target == d.OID {
			d.Referrers = append(d.Referrers, k)
		}
	}
	for _, l := range [][]*relation.ForeignKey{d.ForeignKeys, d.Referrers} {
		sort.Slice(l, func(i, j int) bool { return l[i].OID < l[j].OID })
	}
	return nil
}

// The functions of the triggers of foreign keys: RI_FKey_check_ins, RI_FKey_check_upd, and from RI_FKey_cascade_del to
// RI_FKey_noaction_upd.
const (
	ProcCheckInsert base.OID = 1644
	ProcCheckUpdate base.OID = 1645
	procActionFirst base.OID = 1646
	procActionLast  base.OID = 1655
)

// triggerOnDelete is the bit of tgtype.
const triggerOnDelete = 8

// keyEvent gives the event that a trigger of a foreign key is for.
func keyEvent(function base.OID, tgtype int64) (relation.FKEvent, bool) {
	switch {
	case function == ProcCheckInsert:
		return relation.FKInserted, true
	case function == ProcCheckUpdate:
		return relation.FKUpdated, true
	case function < procActionFirst || function > procActionLast:
		return 0, false
	case tgtype&triggerOnDelete != 0:
		return relation.FKKeyDeleted, true
	}
	return relation.FKKeyUpdated, true
}

func foreignKeyFromRow(r Row) *relation.ForeignKey {
	k := &relation.ForeignKey{
		OID: r.OID(bootstrap.ColConstraintOid), Name: r.Text(bootstrap.ColConstraintConname),
		Table: r.OID(bootstrap.ColConstraintConrelid), Target: r.OID(bootstrap.ColConstraintConfrelid),
		Index: r.OID(bootstrap.ColConstraintConindid), Columns: r.Ints(bootstrap.ColConstraintConkey),
		Keys: r.Ints(bootstrap.ColConstraintConfkey), Match: r.Byte(bootstrap.ColConstraintConfmatchtype),
		OnUpdate:   relation.FKAction(r.Byte(bootstrap.ColConstraintConfupdtype)),
		OnDelete:   relation.FKAction(r.Byte(bootstrap.ColConstraintConfdeltype)),
		Deferrable: r.Bool(bootstrap.ColConstraintCondeferrable), Deferred: r.Bool(bootstrap.ColConstraintCondeferred),
		Validated: r.Bool(bootstrap.ColConstraintConvalidated),
	}
	if !r.Null(bootstrap.ColConstraintConfdelsetcols) {
		k.SetColumns = r.Ints(bootstrap.ColConstraintConfdelsetcols)
	}
	return k
}

// ForeignKey gives the foreign key of an OID; nil when there is none.
func (v *View) ForeignKey(oid base.OID) (*relation.ForeignKey, error) {
	r, err := v.Row(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, oidKey(oid))
	if err != nil || r == nil || r.Byte(bootstrap.ColConstraintContype) != 'f' {
		return nil, err
	}
	return foreignKeyFromRow(r), nil
}
