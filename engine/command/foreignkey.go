package command

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sysfuncs"
	"manifold/engine/trigger"
	"manifold/engine/types"
)

const maxKeys = 32 // columns of an index or a foreign key

// foreignKey is a FOREIGN KEY constraint under way, with everything looked up.
type foreignKey struct {
	relation.ForeignKey
	node                   *pg_query.Constraint
	pkEqual, ppEqual, fkEq []base.OID
}

// addForeignKey adds a FOREIGN KEY constraint to a table and gives it for the check of the rows that are there.
func (c *Context) addForeignKey(d *relation.Desc, k *pg_query.Constraint) (*foreignKey, error) {
	if k.Conname != "" {
		if err := c.freeConstraintName(d, k.Conname); err != nil {
			return nil, err
		}
	}
	target, err := c.open(k.Pktable, lock.ShareRowExclusive, false)
	if err != nil {
		return nil, err
	}
	if d, err = c.relation(d.OID); err != nil {
		return nil, err
	}
	if err := mayReferTo(d, target); err != nil {
		return nil, err
	}
	f := &foreignKey{node: k, ForeignKey: relation.ForeignKey{Name: k.Conname, Table: d.OID, Target: target.OID, Match: 's',
		OnUpdate: relation.NoAction, OnDelete: relation.NoAction, Deferrable: k.Deferrable, Deferred: k.Initdeferred,
		Validated: !k.SkipValidation}}
	if k.FkMatchtype != "" {
		f.Match = k.FkMatchtype[0]
	}
	if k.FkUpdAction != "" {
		f.OnUpdate = relation.FKAction(k.FkUpdAction[0])
	}
	if k.FkDelAction != "" {
		f.OnDelete = relation.FKAction(k.FkDelAction[0])
	}
	if f.Columns, err = keyColumns(d, strs(k.FkAttrs)); err != nil {
		return nil, err
	}
	if err := f.setColumns(d, strs(k.FkDelSetCols)); err != nil {
		return nil, err
	}
	if err := c.findKey(f, target, strs(k.PkAttrs)); err != nil {
		return nil, err
	}
	if err := c.mayRefer(f, target); err != nil {
		return nil, err
	}
	if err := f.checkGenerated(d); err != nil {
		return nil, err
	}
	if len(f.Columns) != len(f.Keys) {
		return nil, pgerror.New(pgerror.InvalidForeignKey, "number of referencing and referenced columns for foreign key disagree")
	}
	if f.Name, err = c.foreignKeyName(d, f); err != nil {
		return nil, err
	}
	if err := c.keyOperators(f, d, target); err != nil {
		return nil, err
	}
	return f, c.storeForeignKey(d, target, f)
}

// mayReferTo refuses kinds of tables that a foreign key cannot join.
func mayReferTo(d, target *relation.Desc) error {
	if target.Kind != relation.KindTable {
		return pgerror.Newf(pgerror.WrongObjectType, "referenced relation \"%s\" is not a table", target.Name)
	}
	if target.System && target.OID < base.FirstNormalOID {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system catalog", target.Name)
	}
	switch {
	case d.Persistence == relation.Permanent && target.Persistence != relation.Permanent:
		return pgerror.New(pgerror.InvalidTableDefinition, "constraints on permanent tables may reference only permanent tables")
	case d.Persistence == relation.Unlogged && target.Persistence == relation.Temporary:
		return pgerror.New(pgerror.InvalidTableDefinition, "constraints on unlogged tables may reference only permanent or unlogged tables")
	case d.Persistence == relation.Temporary && target.Persistence != relation.Temporary:
		return pgerror.New(pgerror.InvalidTableDefinition, "constraints on temporary tables may reference only temporary tables")
	}
	return nil
}

// keyColumns looks up the columns of a foreign key.
func keyColumns(d *relation.Desc, names []string) ([]int16, error) {
	var out []int16
	for _, name := range names {
		if isSystemColumn(name) {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "system columns cannot be used in foreign keys")
		}
		attr := d.ColumnByName(name)
		if attr == 0 {
			return nil, pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" referenced in foreign key constraint does not exist", name)
		}
		if len(out) >= maxKeys {
			return nil, pgerror.Newf(pgerror.TooManyColumns, "cannot have more than %d keys in a foreign key", maxKeys)
		}
		out = append(out, int16(attr))
	}
	return out, nil
}

// setColumns reads the column list of ON DELETE SET NULL and SET DEFAULT.
func (f *foreignKey) setColumns(d *relation.Desc, names []string) error {
	list, err := keyColumns(d, names)
	if err != nil {
		return err
	}
	for i, a := range list {
		if !has(f.Columns, a) {
			return pgerror.Newf(pgerror.InvalidColumnReference, "column \"%s\" referenced in ON DELETE SET action must be part of foreign key", names[i])
		}
		if !has(f.SetColumns, a) {
			f.SetColumns = append(f.SetColumns, a)
		}
	}
	return nil
}

func has(list []int16, a int16) bool {
	for _, x := range list {
		if x == a {
			return true
		}
	}
	return false
}

// findKey finds the unique index behind the referenced columns: the primary key when none are named.
func (c *Context) findKey(f *foreignKey, target *relation.Desc, names []string) error {
	if len(names) == 0 {
		for _, ix := range target.Indexes {
			if !ix.Primary || !ix.Valid {
				continue
			}
			if !ix.Immediate {
				return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "cannot use a deferrable primary key for referenced table \"%s\"", target.Name)
			}
			f.Index = ix.OID
			for _, k := range ix.Keys {
				f.Keys = append(f.Keys, k.Attr)
			}
			return nil
		}
		return pgerror.Newf(pgerror.UndefinedObject, "there is no primary key for referenced table \"%s\"", target.Name)
	}
	var err error
	if f.Keys, err = keyColumns(target, names); err != nil {
		return err
	}
	for i, a := range f.Keys {
		if has(f.Keys[:i], a) {
			return pgerror.New(pgerror.InvalidForeignKey, "foreign key referenced-columns list must not contain duplicates")
		}
	}
	deferrable := false
	for _, ix := range target.Indexes {
		if !ix.Unique || !ix.Valid || ix.Predicate != "" || len(ix.Exprs) > 0 || len(ix.Keys) != len(f.Keys) || !covers(ix, f.Keys) {
			continue
		}
		if ix.Immediate {
			f.Index = ix.OID
			return nil
		}
		deferrable = true
	}
	if deferrable {
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "cannot use a deferrable unique constraint for referenced table \"%s\"", target.Name)
	}
	return pgerror.Newf(pgerror.InvalidForeignKey, "there is no unique constraint matching given keys for referenced table \"%s\"", target.Name)
}

func covers(ix *relation.Index, attrs []int16) bool {
	for _, k := range ix.Keys {
		if !has(attrs, k.Attr) {
			return false
		}
	}
	return true
}

// mayRefer checks the privilege REFERENCES.
func (c *Context) mayRefer(f *foreignKey, target *relation.Desc) error {
	var cols []int
	for _, a := range f.Keys {
		cols = append(cols, int(a))
	}
	return sysfuncs.CheckColumns(c.View, c.Session.Role, target.OID, sysfuncs.PrivReferences, cols)
}

// checkGenerated refuses actions that would write generated columns.
func (f *foreignKey) checkGenerated(d *relation.Desc) error {
	for _, a := range f.Columns {
		if d.Columns[a-1].Generated == 0 {
			continue
		}
		switch f.OnUpdate {
		case relation.SetNull, relation.SetDefault, relation.Cascade:
			return pgerror.New(pgerror.SyntaxError, "invalid ON UPDATE action for foreign key constraint containing generated column")
		}
		switch f.OnDelete {
		case relation.SetNull, relation.SetDefault:
			return pgerror.New(pgerror.SyntaxError, "invalid ON DELETE action for foreign key constraint containing generated column")
		}
	}
	return nil
}

// foreignKeyName gives the constraint's name, or chooses one.
func (c *Context) foreignKeyName(d *relation.Desc, f *foreignKey) (string, error) {
	if f.Name != "" {
		return f.Name, nil
	}
	var names []string
	for _, a := range f.Columns {
		names = append(names, d.Columns[a-1].Name)
	}
	return c.chooseConstraintName(d.Name, cut(strings.Join(names, "_"), maxName), "fkey", d.Namespace, nil)
}

// keyOperators finds the equality operators between the columns.
func (c *Context) keyOperators(f *foreignKey, d, target *relation.Desc) error {
	var index *relation.Index
	for _, ix := range target.Indexes {
		if ix.OID == f.Index {
			index = ix
		}
	}
	for i, a := range f.Keys {
		var class *catalog.Opclass
		for _, k := range index.Keys {
			if k.Attr == a {
				var err error
				if class, err = c.View.OpclassByOID(k.Opclass); err != nil || class == nil {
					return err
				}
			}
		}
		pk, fk := target.Columns[a-1].Type, d.Columns[f.Columns[i]-1].Type
		fkBase, err := c.baseType(fk)
		if err != nil {
			return err
		}
		pp, err := c.View.FamilyOperator(class.Family, class.Input, class.Input, 3)
		if err != nil {
			return err
		}
		pf, err := c.View.FamilyOperator(class.Family, class.Input, fkBase, 3)
		if err != nil {
			return err
		}
		ff, err := c.View.FamilyOperator(class.Family, fkBase, fkBase, 3)
		if err != nil {
			return err
		}
		if pf == 0 || ff == 0 {
			fits, err := c.keyFits(class, pk, fkBase)
			if err != nil {
				return err
			}
			if !fits {
				return pgerror.Newf(pgerror.DatatypeMismatch, "foreign key constraint \"%s\" cannot be implemented", f.Name).WithDetail(
					"Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.", d.Columns[f.Columns[i]-1].Name,
					target.Columns[a-1].Name, c.typeName(fk), c.typeName(pk))
			}
			pf, ff = pp, pp
		}
		f.pkEqual, f.ppEqual, f.fkEq = append(f.pkEqual, pf), append(f.ppEqual, pp), append(f.fkEq, ff)
	}
	return nil
}

func (c *Context) baseType(t base.OID) (base.OID, error) {
	for {
		x, err := c.View.MustType(t)
		if err != nil || x.Kind != 'd' {
			return t, err
		}
		t = x.Base
	}
}

// keyFits tells whether a referring type can be compared by the index's operator class: it is or becomes its type.
func (c *Context) keyFits(class *catalog.Opclass, pk, fk base.OID) (bool, error) {
	pkBase, err := c.baseType(pk)
	if err != nil {
		return false, err
	}
	if class.Input == types.OIDAnyArray || class.Input == types.OIDAnyEnum || class.Input == types.OIDRecord ||
		class.Input == types.OIDAnyRange || class.Input == types.OIDAnyMultirange {
		return pkBase == fk, nil
	}
	if fk == class.Input {
		return true, nil
	}
	k, err := c.View.CastBetween(fk, class.Input)
	return k != nil && k.Context == 'i', err
}

// storeForeignKey writes the constraint, what it depends on and its triggers.
func (c *Context) storeForeignKey(d, target *relation.Desc, f *foreignKey) error {
	con, err := c.insertConstraint(d, &constraintRow{name: f.Name, kind: 'f', index: f.Index, validated: f.Validated,
		deferrable: f.Deferrable, deferred: f.Deferred, foreign: f})
	if err != nil {
		return err
	}
	f.OID = con
	own := object{bootstrap.RelConstraint, con, 0}
	var mine, theirs []object
	for _, a := range f.Columns {
		mine = append(mine, colObject(d.OID, int(a)))
	}
	for _, a := range f.Keys {
		theirs = append(theirs, colObject(target.OID, int(a)))
	}
	if err := c.dependAll(own, mine, depAuto); err != nil {
		return err
	}
	if err := c.dependAll(own, append(theirs, relObject(f.Index)), depNormal); err != nil {
		return err
	}
	if err := c.foreignKeyTriggers(f); err != nil {
		return err
	}
	for _, rel := range []base.OID{d.OID, target.OID} {
		if err := c.editClass(rel, func(r catalog.Row) { r.SetBool(bootstrap.ColClassRelhastriggers, true) }); err != nil {
			return err
		}
	}
	return nil
}

// foreignKeyTriggers writes the rows of pg_trigger that stand for a foreign key.
func (c *Context) foreignKeyTriggers(f *foreignKey) error {
	onDelete, onUpdate := procOf(f.OnDelete, true), procOf(f.OnUpdate, false)
	waits := func(a relation.FKAction) bool { return a == relation.NoAction }
	for _, t := range []triggerRow{
		{table: f.Target, other: f.Table, letter: "a", proc: onDelete, events: 8, waits: waits(f.OnDelete)},
		{table: f.Target, other: f.Table, letter: "a", proc: onUpdate, events: 16, waits: waits(f.OnUpdate)},
		{table: f.Table, other: f.Target, letter: "c", proc: catalog.ProcCheckInsert, events: 4, waits: true},
		{table: f.Table, other: f.Target, letter: "c", proc: catalog.ProcCheckUpdate, events: 16, waits: true},
	} {
		t.prefix, t.constraint, t.index = "RI_ConstraintTrigger_"+t.letter, f.OID, f.Index
		t.deferrable, t.deferred = t.waits && f.Deferrable, t.waits && f.Deferred
		if err := c.insertTrigger(&t); err != nil {
			return err
		}
	}
	return nil
}

// procOf gives the function that pg_trigger names for an action.
func procOf(a relation.FKAction, onDelete bool) base.OID {
	n := map[relation.FKAction]base.OID{relation.Cascade: 1646, relation.Restrict: 1648, relation.SetNull: 1650,
		relation.SetDefault: 1652, relation.NoAction: 1654}[a]
	if !onDelete {
		n++
	}
	return n
}

// triggerRow is what differs between the rows of pg_trigger that constraints have.
type triggerRow struct {
	table, other, proc, constraint, index base.OID
	prefix, letter                        string
	events                                int64
	waits, deferrable, deferred           bool
}

// insertTrigger writes the row of a constraint's trigger; it goes with the constraint.
func (c *Context) insertTrigger(t *triggerRow) error {
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return err
	}
	r := c.Editor.NewRow(bootstrap.RelTrigger)
	r.SetOID(bootstrap.ColTriggerOid, oid)
	r.SetOID(bootstrap.ColTriggerTgrelid, t.table)
	r.SetOID(bootstrap.ColTriggerTgparentid, 0)
	r.SetText(bootstrap.ColTriggerTgname, t.prefix+"_"+itoa(int(oid)))
	r.SetOID(bootstrap.ColTriggerTgfoid, t.proc)
	r.SetInt(bootstrap.ColTriggerTgtype, 1|t.events)
	r.SetByte(bootstrap.ColTriggerTgenabled, 'O')
	r.SetBool(bootstrap.ColTriggerTgisinternal, true)
	r.SetOID(bootstrap.ColTriggerTgconstrrelid, t.other)
	r.SetOID(bootstrap.ColTriggerTgconstrindid, t.index)
	r.SetOID(bootstrap.ColTriggerTgconstraint, t.constraint)
	r.SetBool(bootstrap.ColTriggerTgdeferrable, t.deferrable)
	r.SetBool(bootstrap.ColTriggerTginitdeferred, t.deferred)
	r.SetInt(bootstrap.ColTriggerTgnargs, 0)
	r.Set(bootstrap.ColTriggerTgattr, intVector(types.OIDInt2, nil))
	r.Set(bootstrap.ColTriggerTgargs, types.Text(""))
	if _, err := c.Editor.Insert(bootstrap.RelTrigger, r); err != nil {
		return err
	}
	return c.depend(object{bootstrap.RelTrigger, oid, 0}, object{bootstrap.RelConstraint, t.constraint, 0}, depInternal)
}

// checkForeignKey looks for rows of a table that break a foreign key.
func (c *Context) checkForeignKey(f *relation.ForeignKey) error {
	d, err := c.relation(f.Table)
	if err != nil {
		return err
	}
	target, err := c.relation(f.Target)
	if err != nil {
		return err
	}
	return c.CheckKey(trigger.NewValidation(f, d, target))
}

// rekey remembers the foreign keys of a column whose type changes, and locks the tables at their other ends.
func (a *alteration) rekey(d *relation.Desc, attr int) error {
	add := func(k *relation.ForeignKey) {
		for _, x := range a.rekeyed {
			if x.OID == k.OID {
				return
			}
		}
		a.rekeyed = append(a.rekeyed, k)
	}
	for _, k := range d.ForeignKeys {
		if has(k.Columns, int16(attr)) {
			add(k)
		}
	}
	for _, k := range d.Referrers {
		if has(k.Keys, int16(attr)) {
			add(k)
		}
	}
	for _, k := range a.rekeyed {
		for _, rel := range []base.OID{k.Table, k.Target} {
			if err := a.c.lockRelation(rel, lock.AccessExclusive, k.Name, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// retypeForeignKey finds the operators of a foreign key anew.
func (c *Context) retypeForeignKey(k *relation.ForeignKey) error {
	d, err := c.relation(k.Table)
	if err != nil {
		return err
	}
	target, err := c.relation(k.Target)
	if err != nil {
		return err
	}
	f := &foreignKey{ForeignKey: *k}
	if err := c.keyOperators(f, d, target); err != nil {
		return err
	}
	if err := c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex, f.fill, oidKey(k.OID)); err != nil {
		return err
	}
	_, err = c.reread(k.Target)
	return err
}
