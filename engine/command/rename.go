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
	"manifold/engine/types"
)

func rename(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetRenameStmt()
	switch s.RenameType {
	case pg_query.ObjectType_OBJECT_SCHEMA:
		return "ALTER SCHEMA", c.renameSchema(s.Subname, s.Newname)
	case pg_query.ObjectType_OBJECT_ROLE:
		return "ALTER ROLE", c.renameRole(s.Subname, s.Newname)
	case pg_query.ObjectType_OBJECT_DATABASE:
		return "ALTER DATABASE", c.renameDatabase(s.Subname, s.Newname)
	case pg_query.ObjectType_OBJECT_TABLESPACE:
		return "ALTER TABLESPACE", c.renameTablespace(s.Subname, s.Newname)
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_INDEX, pg_query.ObjectType_OBJECT_SEQUENCE,
		pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_TABCONSTRAINT:
	default:
		return "", pgerror.Unsupported("ALTER %s RENAME", objectWords(s.RenameType))
	}
	tag := "ALTER " + objectWords(s.RenameType)
	if s.RenameType == pg_query.ObjectType_OBJECT_COLUMN {
		tag = "ALTER " + objectWords(s.RelationType)
	}
	if s.RenameType == pg_query.ObjectType_OBJECT_TABCONSTRAINT {
		tag = "ALTER TABLE"
	}
	d, err := c.open(s.Relation, lock.AccessExclusive, s.MissingOk)
	if err != nil {
		return "", err
	}
	if d == nil {
		c.notice(pgerror.SuccessfulCompletion, "relation \"%s\" does not exist, skipping", s.Relation.Relname)
		return tag, nil
	}
	if err := c.mustOwn(d); err != nil {
		return "", err
	}
	switch s.RenameType {
	case pg_query.ObjectType_OBJECT_COLUMN:
		return tag, c.renameColumn(d, s.Subname, s.Newname)
	case pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		return tag, c.renameConstraint(d, s.Subname, s.Newname)
	}
	if k, ok := dropKinds(s.RenameType); ok && k.kind != d.Kind && s.RenameType != pg_query.ObjectType_OBJECT_TABLE {
		return "", pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not %s", d.Name, article(k.kind))
	}
	return tag, c.renameRelation(d, s.Newname)
}

// renameRelation gives a relation another name, and what is named after it: its row type, or an index's constraint.
func (c *Context) renameRelation(d *relation.Desc, to string) error {
	if oid, err := c.View.RelationByName(d.Namespace, to); err != nil {
		return err
	} else if oid != 0 {
		return pgerror.Newf(pgerror.DuplicateTable, "relation \"%s\" already exists", to)
	}
	if err := c.editClass(d.OID, func(r catalog.Row) { r.SetText(bootstrap.ColClassRelname, to) }); err != nil {
		return err
	}
	if d.RowType != 0 {
		if err := c.renameRowType(d, to); err != nil {
			return err
		}
	}
	if d.Kind != relation.KindIndex || d.Index == nil {
		return nil
	}
	con, err := c.constraintOn(d.Index.Table, d.Name)
	if err != nil {
		return err
	}
	if con != 0 {
		if err := c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex,
			func(r catalog.Row) { r.SetText(bootstrap.ColConstraintConname, to) }, oidKey(con)); err != nil {
			return err
		}
	}
	_, err = c.reread(d.Index.Table)
	return err
}

func (c *Context) renameRowType(d *relation.Desc, to string) error {
	if err := c.freeTypeName(d.Namespace, to); err != nil {
		return err
	}
	t, err := c.View.MustType(d.RowType)
	if err != nil {
		return err
	}
	set := func(oid base.OID, name string) error {
		return c.editRow(bootstrap.RelType, bootstrap.IdxTypeOidIndex,
			func(r catalog.Row) { r.SetText(bootstrap.ColTypeTypname, name) }, oidKey(oid))
	}
	if err := set(t.OID, to); err != nil || t.Array == 0 {
		return err
	}
	name, err := c.arrayTypeName(d.Namespace, to)
	if err != nil {
		return err
	}
	return set(t.Array, name)
}

func (c *Context) renameColumn(d *relation.Desc, from, to string) error {
	attr := d.ColumnByName(from)
	if attr == 0 {
		return pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" does not exist", from)
	}
	if d.ColumnByName(to) != 0 {
		return pgerror.Newf(pgerror.DuplicateColumn, "column \"%s\" of relation \"%s\" already exists", to, d.Name)
	}
	if isSystemColumn(to) {
		return pgerror.Newf(pgerror.DuplicateColumn, "column name \"%s\" conflicts with a system column name", to)
	}
	set := func(rel base.OID, attr int) error {
		return c.editAttribute(rel, attr, func(r catalog.Row) { r.SetText(bootstrap.ColAttributeAttname, to) })
	}
	if err := set(d.OID, attr); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		for i, k := range ix.Keys {
			if int(k.Attr) == attr && ix.Desc.Columns[i].Name == from {
				if err := set(ix.OID, i+1); err != nil {
					return err
				}
			}
		}
	}
	_, err := c.reread(d.OID)
	return err
}

func (c *Context) renameConstraint(d *relation.Desc, from, to string) error {
	oid, err := c.constraintOn(d.OID, from)
	if err != nil {
		return err
	}
	if oid == 0 {
		return pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", from, d.Name)
	}
	if err := c.freeConstraintName(d, to); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if ix.Constraint == from {
			return c.renameRelation(ix.Desc, to)
		}
	}
	return c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex,
		func(r catalog.Row) { r.SetText(bootstrap.ColConstraintConname, to) }, oidKey(oid))
}

func alterOwner(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterOwnerStmt()
	tag := "ALTER " + objectWords(s.ObjectType)
	to, err := c.role(s.Newowner)
	if err != nil {
		return "", err
	}
	name := s.Object.GetString_().GetSval()
	switch s.ObjectType {
	case pg_query.ObjectType_OBJECT_SCHEMA:
		ns, err := c.schemaNamed(name)
		if err == nil {
			err = c.ownsSchema(ns)
		}
		if err == nil {
			err = c.mayGive(to)
		}
		if err != nil {
			return "", err
		}
		return tag, c.giveRow(object{bootstrap.RelNamespace, ns.OID, 0}, bootstrap.IdxNamespaceOidIndex, bootstrap.ColNamespaceNspowner,
			bootstrap.ColNamespaceNspacl, to)
	case pg_query.ObjectType_OBJECT_TABLESPACE:
		oid, err := c.ownedSpace(name)
		if err == nil {
			err = c.mayGive(to)
		}
		if err != nil {
			return "", err
		}
		return tag, c.giveRow(object{bootstrap.RelTablespace, oid, 0}, bootstrap.IdxTablespaceOidIndex, bootstrap.ColTablespaceSpcowner,
			bootstrap.ColTablespaceSpcacl, to)
	case pg_query.ObjectType_OBJECT_DATABASE:
		d, err := c.databaseNamed(name)
		if err == nil {
			err = c.mayGive(to)
		}
		if err != nil {
			return "", err
		}
		return tag, c.giveRow(object{bootstrap.RelDatabase, d.OID, 0}, bootstrap.IdxDatabaseOidIndex, bootstrap.ColDatabaseDatdba,
			bootstrap.ColDatabaseDatacl, to)
	}
	return "", pgerror.Unsupported("ALTER %s OWNER", objectWords(s.ObjectType))
}

// mayGive fails unless the current role is a member of the new owner.
func (c *Context) mayGive(to base.OID) error {
	ok, err := c.View.MemberOf(c.Session.Role, to)
	if err != nil || ok {
		return err
	}
	r, err := c.View.RoleByOID(to)
	if err == nil {
		err = pgerror.Newf(pgerror.InsufficientPrivilege, "must be member of role \"%s\"", r.Name)
	}
	return err
}

// giveRow changes the owner in a catalog's row and in its access control list.
func (c *Context) giveRow(o object, index base.OID, owner, acl int, to base.OID) error {
	var failure error
	err := c.editRow(o.class, index, func(r catalog.Row) {
		from := r.OID(owner)
		r.SetOID(owner, to)
		if acl > 0 && !r.Null(acl) {
			var d types.Datum
			if d, failure = c.giveACL(r[acl-1], from, to); failure == nil {
				r.Set(acl, d)
			}
		}
	}, oidKey(o.oid))
	if err == nil {
		err = failure
	}
	if err != nil {
		return err
	}
	if err := c.forgetShared(o, 'o'); err != nil {
		return err
	}
	return c.dependOwner(o, to)
}

// giveACL puts the new owner in the place of the old one in an access control list.
func (c *Context) giveACL(acl types.Datum, from, to base.OID) (types.Datum, error) {
	items, err := sysfuncs.ParseACL(acl)
	if err != nil {
		return acl, err
	}
	a, err := c.View.RoleByOID(from)
	if err != nil || a == nil {
		return acl, err
	}
	b, err := c.View.RoleByOID(to)
	if err != nil || b == nil {
		return acl, err
	}
	for i := range items {
		if items[i].Grantee == a.Name {
			items[i].Grantee = b.Name
		}
		if items[i].Grantor == a.Name {
			items[i].Grantor = b.Name
		}
	}
	return sysfuncs.FormatACL(mergeACL(items)), nil
}

// giveRelation changes the owner of a relation with its indexes, row type and owned sequences.
func (c *Context) giveRelation(oid, to base.OID) error {
	d, err := c.relation(oid)
	if err != nil {
		return err
	}
	if d.Owner == to {
		return nil
	}
	if err := c.giveRow(relObject(oid), bootstrap.IdxClassOidIndex, bootstrap.ColClassRelowner, bootstrap.ColClassRelacl, to); err != nil {
		return err
	}
	if err := c.eachRowType(d, func(r catalog.Row) { r.SetOID(bootstrap.ColTypeTypowner, to) }); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if err := c.editClass(ix.OID, func(r catalog.Row) { r.SetOID(bootstrap.ColClassRelowner, to) }); err != nil {
			return err
		}
	}
	if d.Toast != 0 {
		if err := c.giveRelation(d.Toast, to); err != nil {
			return err
		}
	}
	seqs, err := c.ownedSequences(oid)
	if err != nil {
		return err
	}
	for _, s := range seqs {
		if err := c.giveRelation(s, to); err != nil {
			return err
		}
	}
	return nil
}

// eachRowType changes the rows of a relation's row type and its array type.
func (c *Context) eachRowType(d *relation.Desc, f func(r catalog.Row)) error {
	if d.RowType == 0 {
		return nil
	}
	t, err := c.View.MustType(d.RowType)
	if err != nil {
		return err
	}
	for _, oid := range []base.OID{t.OID, t.Array} {
		if oid == 0 {
			continue
		}
		if err := c.editRow(bootstrap.RelType, bootstrap.IdxTypeOidIndex, f, oidKey(oid)); err != nil {
			return err
		}
	}
	return nil
}

func alterSchema(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterObjectSchemaStmt()
	tag := "ALTER " + objectWords(s.ObjectType)
	if s.Relation == nil {
		return "", pgerror.Unsupported("ALTER %s SET SCHEMA", objectWords(s.ObjectType))
	}
	d, err := c.open(s.Relation, lock.AccessExclusive, s.MissingOk)
	if err != nil {
		return "", err
	}
	if d == nil {
		c.notice(pgerror.SuccessfulCompletion, "relation \"%s\" does not exist, skipping", s.Relation.Relname)
		return tag, nil
	}
	if err := c.mustOwn(d); err != nil {
		return "", err
	}
	ns, err := c.schemaNamed(s.Newschema)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(ns.Name, "pg_temp") || d.Persistence == relation.Temporary {
		return "", pgerror.New(pgerror.FeatureNotSupported, "cannot move objects into or out of temporary schemas")
	}
	if err := c.mayCreateIn(ns.OID); err != nil {
		return "", err
	}
	if ns.OID == d.Namespace {
		return tag, nil
	}
	return tag, c.moveRelation(d.OID, ns)
}

// moveRelation puts a relation into another schema with everything that belongs to it.
func (c *Context) moveRelation(oid base.OID, ns *catalog.Namespace) error {
	d, err := c.relation(oid)
	if err != nil {
		return err
	}
	if used, err := c.View.RelationByName(ns.OID, d.Name); err != nil {
		return err
	} else if used != 0 {
		return pgerror.Newf(pgerror.DuplicateTable, "relation \"%s\" already exists in schema \"%s\"", d.Name, ns.Name)
	}
	seqs, err := c.ownedSequences(oid)
	if err != nil {
		return err
	}
	move := func(r catalog.Row) { r.SetOID(bootstrap.ColClassRelnamespace, ns.OID) }
	if err := c.editClass(oid, move); err != nil {
		return err
	}
	if err := c.eachRowType(d, func(r catalog.Row) { r.SetOID(bootstrap.ColTypeTypnamespace, ns.OID) }); err != nil {
		return err
	}
	if err := c.forget(relObject(oid), bootstrap.RelNamespace, 0); err != nil {
		return err
	}
	if err := c.depend(relObject(oid), object{bootstrap.RelNamespace, ns.OID, 0}, depNormal); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if err := c.editClass(ix.OID, move); err != nil {
			return err
		}
	}
	var cons []base.OID
	err = c.View.Scan(bootstrap.RelConstraint, bootstrap.IdxConstraintConrelidContypidConnameIndex, []types.Datum{oidKey(oid)},
		func(_ base.TID, r catalog.Row) error {
			cons = append(cons, r.OID(bootstrap.ColConstraintOid))
			return nil
		})
	if err != nil {
		return err
	}
	for _, k := range cons {
		if err := c.editRow(bootstrap.RelConstraint, bootstrap.IdxConstraintOidIndex,
			func(r catalog.Row) { r.SetOID(bootstrap.ColConstraintConnamespace, ns.OID) }, oidKey(k)); err != nil {
			return err
		}
	}
	for _, s := range seqs {
		if err := c.moveRelation(s, ns); err != nil {
			return err
		}
	}
	_, err = c.reread(oid)
	return err
}
