package sysfuncs

import (
	"errors"
	"slices"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
)

// CheckRelation fails with 42501 unless a role has the privileges (bits of package analyze) on a relation as a whole.
func CheckRelation(v *catalog.View, role, rel base.OID, bits uint32) error {
	return checkRelation(v, role, rel, bits, func(Priv) (bool, error) { return false, nil })
}

// CheckPlan fails with 42501 unless a role has the privileges that a plan needs on relations as a whole, or on each of the
// columns that are read or written; where no column is touched, one on any column is enough.
func CheckPlan(v *catalog.View, role base.OID, needs []plan.Privilege) error {
	for i := range needs {
		as := role
		if c := needs[i].CheckAs; c != 0 {
			as = c
		}
		if err := checkNeed(v, as, &needs[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkNeed(v *catalog.View, role base.OID, p *plan.Privilege) error {
	return checkRelation(v, role, p.Relation, p.Bits, func(want Priv) (bool, error) {
		switch want {
		case PrivSelect:
			return columnsAllow(v, role, p.Relation, p.Selected, want)
		case PrivInsert:
			return columnsAllow(v, role, p.Relation, p.Inserted, want)
		case PrivUpdate:
			return columnsAllow(v, role, p.Relation, p.Updated, want)
		}
		return false, nil
	})
}

// CheckColumns fails with 42501 unless a role has a privilege on a relation as a whole or on each of the columns.
func CheckColumns(v *catalog.View, role, rel base.OID, want Priv, cols []int) error {
	return checkRelation(v, role, rel, uint32(want), func(Priv) (bool, error) {
		return columnsAllow(v, role, rel, cols, want)
	})
}

// MayRead tells whether a role may select a column of a relation, by a grant on either; zero asks for the relation as a whole.
func MayRead(v *catalog.View, role, rel base.OID, attr int16) (bool, error) {
	err := CheckRelation(v, role, rel, uint32(PrivSelect))
	if err != nil && attr != 0 {
		err = CheckColumns(v, role, rel, PrivSelect, []int{int(attr)})
	}
	if e := (*pgerror.Error)(nil); errors.As(err, &e) && e.Code == pgerror.InsufficientPrivilege {
		return false, nil
	}
	return err == nil, err
}

// checkRelation looks at each privilege, at first on the relation as a whole.
func checkRelation(v *catalog.View, role, rel base.OID, bits uint32, onColumns func(want Priv) (bool, error)) error {
	if r, err := v.RoleByOID(role); err != nil || r != nil && r.Super {
		return err
	}
	class, err := v.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, types.Int(int64(rel)))
	if err != nil || class == nil {
		return err
	}
	for want := PrivInsert; want <= PrivTrigger; want <<= 1 {
		if Priv(bits)&want == 0 {
			continue
		}
		ok, err := relationAllows(v, role, class, want)
		if err == nil && !ok {
			ok, err = onColumns(want)
		}
		if err != nil {
			return err
		}
		if !ok {
			return denied(class)
		}
	}
	return nil
}

// columnsAllow tells whether a role has a privilege on each of the columns by grants on them; attribute zero is all of the
// relation's, and no columns are any one.
func columnsAllow(v *catalog.View, role, rel base.OID, cols []int, want Priv) (bool, error) {
	whole := len(cols) == 0 || slices.Contains(cols, 0)
	if !whole {
		for _, attr := range cols {
			if ok, err := columnAllows(v, role, rel, attr, want); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	}
	d, err := v.Relation(rel)
	if err != nil || d == nil {
		return false, err
	}
	for i := range d.Columns {
		if d.Columns[i].Dropped {
			continue
		}
		// One refusal decides for all of them, one grant for any.
		if ok, err := columnAllows(v, role, rel, i+1, want); err != nil || ok == (len(cols) == 0) {
			return ok, err
		}
	}
	return len(cols) > 0, nil
}
