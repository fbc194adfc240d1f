package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// attributes gives the DEFERRABLE and INITIALLY clauses in a column's list of constraints to the constraints they follow.
func (c *Context) attributes(list []*pg_query.Node) error {
	var last *pg_query.Constraint
	var sawDeferrable, sawInitially bool
	for _, n := range list {
		k := n.GetConstraint()
		switch k.GetContype() {
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE, pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE:
			on := k.Contype == pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE
			word := "DEFERRABLE"
			if !on {
				word = "NOT DEFERRABLE"
			}
			switch {
			case !mayDefer(last):
				return c.at(pgerror.Newf(pgerror.SyntaxError, "misplaced %s clause", word), k.Location)
			case sawDeferrable:
				return c.at(pgerror.New(pgerror.SyntaxError, "multiple DEFERRABLE/NOT DEFERRABLE clauses not allowed"), k.Location)
			case !on && sawInitially && last.Initdeferred:
				return c.at(pgerror.New(pgerror.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"), k.Location)
			}
			sawDeferrable, last.Deferrable = true, on
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRED, pg_query.ConstrType_CONSTR_ATTR_IMMEDIATE:
			on := k.Contype == pg_query.ConstrType_CONSTR_ATTR_DEFERRED
			word := "INITIALLY DEFERRED"
			if !on {
				word = "INITIALLY IMMEDIATE"
			}
			switch {
			case !mayDefer(last):
				return c.at(pgerror.Newf(pgerror.SyntaxError, "misplaced %s clause", word), k.Location)
			case sawInitially:
				return c.at(pgerror.New(pgerror.SyntaxError, "multiple INITIALLY IMMEDIATE/DEFERRED clauses not allowed"), k.Location)
			case on && sawDeferrable && !last.Deferrable:
				return c.at(pgerror.New(pgerror.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"), k.Location)
			}
			sawInitially, last.Initdeferred = true, on
			last.Deferrable = last.Deferrable || on
		default:
			last, sawDeferrable, sawInitially = k, false, false
		}
	}
	return nil
}

// mayDefer tells whether a constraint can be DEFERRABLE.
func mayDefer(k *pg_query.Constraint) bool {
	switch k.GetContype() {
	case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE, pg_query.ConstrType_CONSTR_EXCLUSION,
		pg_query.ConstrType_CONSTR_FOREIGN:
		return k != nil
	}
	return false
}

// procRecheck is unique_key_recheck, which pg_trigger names for deferrable keys.
const procRecheck base.OID = 1250

// recheckTrigger writes the row of pg_trigger that a deferrable key has.
func (c *Context) recheckTrigger(d *relation.Desc, con, index base.OID, primary, deferred bool) error {
	t := &triggerRow{table: d.OID, proc: procRecheck, constraint: con, index: index, prefix: "Unique_ConstraintTrigger", events: 4 | 16,
		deferrable: true, deferred: deferred}
	if primary {
		t.prefix = "PK_ConstraintTrigger"
	}
	if err := c.insertTrigger(t); err != nil {
		return err
	}
	return c.editClass(d.OID, func(r catalog.Row) { r.SetBool(bootstrap.ColClassRelhastriggers, true) })
}

// setConstraints is SET CONSTRAINTS.
func setConstraints(c *Context, node *pg_query.Node) (string, error) {
	const tag = "SET CONSTRAINTS"
	s := node.GetConstraintsSetStmt()
	if c.Top {
		c.warning(pgerror.NoActiveSQLTransaction, "SET CONSTRAINTS can only be used in transaction blocks")
	}
	var list []base.OID
	for _, n := range s.Constraints {
		found, err := c.deferrables(n.GetRangeVar(), s.Deferred)
		if err != nil {
			return "", err
		}
		list = append(list, found...)
	}
	if len(s.Constraints) > 0 && list == nil {
		list = []base.OID{}
	}
	c.Session.After.Set(list, s.Deferred)
	if s.Deferred {
		return tag, nil
	}
	return tag, c.Fire()
}

// deferrables finds the deferrable constraints of a name, in the first schema of the search path that has any of it.
func (c *Context) deferrables(rv *pg_query.RangeVar, deferred bool) ([]base.OID, error) {
	if rv.Catalogname != "" && rv.Catalogname != c.Session.Database.Name {
		return nil, pgerror.Newf(pgerror.FeatureNotSupported, "cross-database references are not implemented: \"%s.%s.%s\"",
			rv.Catalogname, rv.Schemaname, rv.Relname)
	}
	schemas := c.SearchPath
	if rv.Schemaname != "" {
		ns, err := c.schemaOID(rv.Schemaname)
		if err != nil {
			return nil, err
		}
		if ns == 0 {
			return nil, pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", rv.Schemaname)
		}
		schemas = []base.OID{ns}
	}
	var out []base.OID
	for _, ns := range schemas {
		found := false
		err := c.View.Scan(bootstrap.RelConstraint, bootstrap.IdxConstraintConnameNspIndex, []types.Datum{types.Text(rv.Relname), oidKey(ns)},
			func(_ base.TID, r catalog.Row) error {
				found = true
				if r.Bool(bootstrap.ColConstraintCondeferrable) {
					out = append(out, r.OID(bootstrap.ColConstraintOid))
				} else if deferred {
					return pgerror.Newf(pgerror.WrongObjectType, "constraint \"%s\" is not deferrable", rv.Relname)
				}
				return nil
			})
		if err != nil || found {
			return out, err
		}
	}
	return nil, pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" does not exist", rv.Relname)
}

// alterConstraint is ALTER CONSTRAINT of a foreign key.
func (a *alteration) alterConstraint(d *relation.Desc, k *pg_query.Constraint) error {
	c := a.c
	oid, err := c.constraintOn(d.OID, k.Conname)
	if err != nil {
		return err
	}
	if oid == 0 {
		return pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" of relation \"%s\" does not exist", k.Conname, d.Name)
	}
	f, err := c.View.ForeignKey(oid)
	if err != nil {
		return err
	}
	if f == nil {
		return pgerror.Newf(pgerror.WrongObjectType, "constraint \"%s\" of relation \"%s\" is not a foreign key constraint", k.Conname, d.Name)
	}
	if f.Deferrable == k.Deferrable && f.Deferred == k.Initdeferred {
		return nil
	}
	err = c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, func(r catalog.Row) {
		r.SetBool(bootstrap.ColConstraintCondeferrable, k.Deferrable)
		r.SetBool(bootstrap.ColConstraintCondeferred, k.Initdeferred)
	}, oidKey(oid))
	if err != nil {
		return err
	}
	var triggers []base.OID
	err = c.View.Scan(bootstrap.RelTrigger, bootstrap.IdxTriggerTgconstraintIndex, []types.Datum{oidKey(oid)},
		func(_ base.TID, r catalog.Row) error {
			switch r.OID(bootstrap.ColTriggerTgfoid) {
			case procOf(relation.NoAction, true), procOf(relation.NoAction, false), catalog.ProcCheckInsert, catalog.ProcCheckUpdate:
				triggers = append(triggers, r.OID(bootstrap.ColTriggerOid))
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, t := range triggers {
		err := c.editRow(bootstrap.RelTrigger, bootstrap.IdxTriggerOidIndex, func(r catalog.Row) {
			r.SetBool(bootstrap.ColTriggerTgdeferrable, k.Deferrable)
			r.SetBool(bootstrap.ColTriggerTginitdeferred, k.Initdeferred)
		}, oidKey(t))
		if err != nil {
			return err
		}
	}
	_, err = c.reread(f.Target)
	return err
}
