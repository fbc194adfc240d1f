package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sql/query"
)

// addConstraint is ADD CONSTRAINT: checks are tested with the rest at the end, keys get their index at once unless the
// table is about to be rewritten.
func (a *alteration) addConstraint(d *relation.Desc, k *pg_query.Constraint) error {
	c := a.c
	if d.Kind != relation.KindTable {
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a table", d.Name)
	}
	switch k.Contype {
	case pg_query.ConstrType_CONSTR_CHECK:
		added, err := c.addChecks(d, []*newCheck{{node: k, name: k.Conname}})
		a.checks = append(a.checks, added...)
		return err
	case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE, pg_query.ConstrType_CONSTR_EXCLUSION:
		if k.Indexname != "" {
			return a.addKeyUsing(d, k)
		}
		if err := a.flush(); err != nil {
			return err
		}
		spec, err := c.keySpec(k)
		if err != nil {
			return err
		}
		if d, err = c.relation(d.OID); err != nil {
			return err
		}
		_, err = c.createIndex(d, spec)
		return err
	case pg_query.ConstrType_CONSTR_FOREIGN:
		f, err := c.addForeignKey(d, k)
		if err == nil && f.Validated {
			a.foreign = append(a.foreign, &f.ForeignKey)
		}
		return err
	}
	return pgerror.Unsupported("constraint type %s", k.Contype)
}

// addKeyUsing makes an index that exists the index of a key constraint.
func (a *alteration) addKeyUsing(d *relation.Desc, k *pg_query.Constraint) error {
	c := a.c
	var ix *relation.Index
	for _, x := range d.Indexes {
		if x.Name == k.Indexname {
			ix = x
		}
	}
	if ix == nil {
		return c.at(pgerror.Newf(pgerror.UndefinedObject, "index \"%s\" does not exist", k.Indexname), k.Location)
	}
	if err := usableForKey(ix); err != nil {
		return c.at(err, k.Location)
	}
	primary := k.Contype == pg_query.ConstrType_CONSTR_PRIMARY
	var cols []int
	for i := range ix.Keys {
		cols = append(cols, int(ix.Keys[i].Attr))
	}
	if primary {
		if err := c.primaryKey(d, cols); err != nil {
			return err
		}
	}
	name := k.Conname
	if name == "" {
		name = ix.Name
	}
	if name != ix.Name {
		c.notice(pgerror.SuccessfulCompletion, "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"%s\" to \"%s\"", ix.Name, name)
		if err := c.lockRelation(ix.OID, lock.AccessExclusive, ix.Name, false); err != nil {
			return err
		}
		if err := c.renameRelation(ix.Desc, name); err != nil {
			return err
		}
	}
	if err := c.forget(relObject(ix.OID), bootstrap.RelClass, depAuto); err != nil {
		return err
	}
	kind := byte('u')
	if primary {
		kind = 'p'
		err := c.editRow(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex,
			func(r catalog.Row) { r.SetBool(bootstrap.ColIndexIndisprimary, true) }, oidKey(ix.OID))
		if err != nil {
			return err
		}
	}
	con, err := c.insertConstraint(d, &constraintRow{name: name, kind: kind, columns: cols, index: ix.OID, validated: true,
		deferrable: k.Deferrable, deferred: k.Initdeferred})
	if err != nil {
		return err
	}
	if k.Deferrable {
		err := c.editRow(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex,
			func(r catalog.Row) { r.SetBool(bootstrap.ColIndexIndimmediate, false) }, oidKey(ix.OID))
		if err != nil {
			return err
		}
		if err := c.recheckTrigger(d, con, ix.OID, primary, k.Initdeferred); err != nil {
			return err
		}
	}
	own := object{bootstrap.RelConstraint, con, 0}
	if err := c.dependConstraint(own, d, cols); err != nil {
		return err
	}
	return c.depend(relObject(ix.OID), own, depInternal)
}

// usableForKey tells why an index cannot stand for a key constraint.
func usableForKey(ix *relation.Index) *pgerror.Error {
	what := "create a primary key or unique constraint using such an index"
	switch {
	case ix.Constraint != "":
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "index \"%s\" is already associated with a constraint", ix.Name)
	case !ix.Unique:
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a unique index", ix.Name).WithDetail("Cannot %s.", what)
	case len(ix.Exprs) > 0:
		return pgerror.Newf(pgerror.WrongObjectType, "index \"%s\" contains expressions", ix.Name).WithDetail("Cannot %s.", what)
	case ix.Predicate != "":
		return pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is a partial index", ix.Name).WithDetail("Cannot %s.", what)
	}
	return nil
}

// dropConstraint is DROP CONSTRAINT.
func (a *alteration) dropConstraint(d *relation.Desc, cmd *pg_query.AlterTableCmd) error {
	c := a.c
	oid, err := c.constraintOn(d.OID, cmd.Name)
	if err != nil {
		return err
	}
	if oid == 0 {
		if cmd.MissingOk {
			c.notice(pgerror.SuccessfulCompletion, "constraint \"%s\" of relation \"%s\" does not exist, skipping", cmd.Name, d.Name)
			return nil
		}
		return pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" of relation \"%s\" does not exist", cmd.Name, d.Name)
	}
	return c.drop([]object{{bootstrap.RelConstraint, oid, 0}}, dropOptions{cascade: cmd.Behavior == pg_query.DropBehavior_DROP_CASCADE})
}

// validateConstraint is VALIDATE CONSTRAINT of a check.
func (a *alteration) validateConstraint(d *relation.Desc, name string) error {
	c := a.c
	for _, k := range d.Checks {
		if k.Name != name || k.Validated {
			continue
		}
		e, err := query.Unmarshal(k.Expr)
		if err != nil {
			return err
		}
		a.checks = append(a.checks, addedCheck{name: name, expr: e})
		return c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex,
			func(r catalog.Row) { r.SetBool(bootstrap.ColConstraintConvalidated, true) }, oidKey(k.OID))
	}
	for _, k := range d.ForeignKeys {
		if k.Name != name {
			continue
		}
		if k.Validated {
			return nil
		}
		a.foreign = append(a.foreign, k)
		return c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex,
			func(r catalog.Row) { r.SetBool(bootstrap.ColConstraintConvalidated, true) }, oidKey(k.OID))
	}
	oid, err := c.constraintOn(d.OID, name)
	if err != nil {
		return err
	}
	if oid == 0 {
		return pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" of relation \"%s\" does not exist", name, d.Name)
	}
	for _, k := range d.Checks {
		if k.Name == name {
			return nil
		}
	}
	return pgerror.Newf(pgerror.WrongObjectType, "constraint \"%s\" of relation \"%s\" is not a foreign key or check constraint", name, d.Name)
}

// finish does what the sub-commands left for the end.
func (a *alteration) finish() error { return a.flush() }

// flush rewrites the table when values changed, tests the constraints that wait for that and builds the keys of new columns.
func (a *alteration) flush() error {
	c := a.c
	if err := c.giveToast(a.oid); err != nil {
		return err
	}
	if a.old != nil {
		if err := a.rewrite(); err != nil {
			return err
		}
		a.old = nil
		clear(a.values)
	}
	d, err := c.relation(a.oid)
	if err != nil {
		return err
	}
	checks, notNull, keys, foreign := a.checks, a.notNull, a.keys, a.foreign
	a.checks, a.notNull, a.keys, a.foreign = nil, nil, nil, nil
	if err := c.validate(d, checks, notNull); err != nil {
		return err
	}
	for _, k := range keys {
		if d, err = c.relation(a.oid); err != nil {
			return err
		}
		if _, err := c.createIndex(d, k); err != nil {
			return err
		}
	}
	for _, k := range a.rekeyed {
		if err := c.retypeForeignKey(k); err != nil {
			return err
		}
		if k.Validated {
			foreign = append(foreign, k)
		}
	}
	a.rekeyed = nil
	for _, k := range foreign {
		if err := c.checkForeignKey(k); err != nil {
			return err
		}
	}
	return nil
}
