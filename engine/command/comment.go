package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

func comment(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetCommentStmt()
	o, shared, err := c.commented(s)
	if err != nil {
		return "", err
	}
	if shared {
		return "COMMENT", c.sharedComment(o, s.Comment)
	}
	if err := c.removeExactComment(o); err != nil || s.Comment == "" {
		return "COMMENT", err
	}
	r := c.Editor.NewRow(bootstrap.RelDescription)
	r.SetOID(bootstrap.ColDescriptionObjoid, o.oid)
	r.SetOID(bootstrap.ColDescriptionClassoid, o.class)
	r.SetInt(bootstrap.ColDescriptionObjsubid, int64(o.sub))
	r.SetText(bootstrap.ColDescriptionDescription, s.Comment)
	_, err = c.Editor.Insert(bootstrap.RelDescription, r)
	return "COMMENT", err
}

func (c *Context) removeExactComment(o object) error {
	return c.Editor.DeleteAll(bootstrap.RelDescription, bootstrap.IdxDescriptionOCOIndex,
		[]types.Datum{oidKey(o.oid), oidKey(o.class), types.Int(int64(o.sub))}, nil)
}

func (c *Context) sharedComment(o object, text string) error {
	if err := c.Editor.DeleteAll(bootstrap.RelShdescription, bootstrap.IdxShdescriptionOCIndex,
		[]types.Datum{oidKey(o.oid), oidKey(o.class)}, nil); err != nil || text == "" {
		return err
	}
	r := c.Editor.NewRow(bootstrap.RelShdescription)
	r.SetOID(bootstrap.ColShdescriptionObjoid, o.oid)
	r.SetOID(bootstrap.ColShdescriptionClassoid, o.class)
	r.SetText(bootstrap.ColShdescriptionDescription, text)
	_, err := c.Editor.Insert(bootstrap.RelShdescription, r)
	return err
}

// commented finds what COMMENT ON is about, and checks that the role owns it.
func (c *Context) commented(s *pg_query.CommentStmt) (o object, shared bool, err error) {
	name := strs(s.Object.GetList().GetItems())
	plain := s.Object.GetString_().GetSval()
	switch s.Objtype {
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_INDEX,
		pg_query.ObjectType_OBJECT_SEQUENCE:
		d, err := c.ownedRelation(rangeVar(name), s.Objtype)
		if err != nil {
			return o, false, err
		}
		return relObject(d.OID), false, nil
	case pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		if len(name) < 2 {
			return o, false, pgerror.New(pgerror.SyntaxError, "column name must be qualified")
		}
		d, err := c.open(rangeVar(name[:len(name)-1]), lock.ShareUpdateExclusive, false)
		if err != nil {
			return o, false, err
		}
		if err := c.mustOwn(d); err != nil {
			return o, false, err
		}
		last := name[len(name)-1]
		if s.Objtype == pg_query.ObjectType_OBJECT_COLUMN {
			attr, err := column(d, last)
			return colObject(d.OID, attr), false, err
		}
		con, err := c.constraintOn(d.OID, last)
		if err == nil && con == 0 {
			err = pgerror.Newf(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", last, d.Name)
		}
		return object{bootstrap.RelConstraint, con, 0}, false, err
	case pg_query.ObjectType_OBJECT_SCHEMA:
		ns, err := c.schemaNamed(plain)
		if err == nil {
			err = c.ownsSchema(ns)
		}
		if err != nil {
			return o, false, err
		}
		return object{bootstrap.RelNamespace, ns.OID, 0}, false, nil
	case pg_query.ObjectType_OBJECT_DATABASE:
		d, err := c.databaseNamed(plain)
		if err != nil {
			return o, false, err
		}
		return object{bootstrap.RelDatabase, d.OID, 0}, true, nil
	case pg_query.ObjectType_OBJECT_ROLE:
		oid, err := c.roleByName(plain)
		return object{bootstrap.RelAuthid, oid, 0}, true, err
	}
	return o, false, pgerror.Unsupported("COMMENT ON %s", objectWords(s.Objtype))
}

// ownedRelation finds a relation of a kind that the role owns.
func (c *Context) ownedRelation(rv *pg_query.RangeVar, t pg_query.ObjectType) (*relation.Desc, error) {
	d, err := c.open(rv, lock.ShareUpdateExclusive, false)
	if err != nil {
		return nil, err
	}
	if k, ok := dropKinds(t); ok && d.Kind != k.kind {
		return nil, pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not %s", d.Name, article(k.kind))
	}
	return d, c.mustOwn(d)
}

// databaseNamed finds a database that must exist and that the role owns.
func (c *Context) databaseNamed(name string) (*catalog.Database, error) {
	d, err := c.View.DatabaseByName(name)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", name)
	}
	ok, err := c.View.MemberOf(c.Session.Role, d.Owner)
	if err == nil && !ok {
		err = pgerror.Newf(pgerror.InsufficientPrivilege, "must be owner of database %s", name)
	}
	return d, err
}
