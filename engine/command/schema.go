package command

import (
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

func createSchema(c *Context, node *pg_query.Node) (string, error) {
	const tag = "CREATE SCHEMA"
	s := node.GetCreateSchemaStmt()
	owner := c.Session.Role
	var err error
	if s.Authrole != nil {
		if owner, err = c.role(s.Authrole); err != nil {
			return "", err
		}
	}
	name := s.Schemaname
	if name == "" {
		r, err := c.View.RoleByOID(owner)
		if err != nil {
			return "", err
		}
		name = r.Name
	}
	ok, err := sysfuncs.DatabaseAllows(c.View, c.Session.Role, c.database(), sysfuncs.PrivCreate)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for database %s", c.Session.Database.Name)
	}
	if strings.HasPrefix(name, "pg_") {
		return "", pgerror.Newf(pgerror.ReservedName, "unacceptable schema name \"%s\"", name).WithDetail(
			"The prefix \"pg_\" is reserved for system schemas.")
	}
	if have, err := c.View.NamespaceByName(name); err != nil {
		return "", err
	} else if have != nil {
		if s.IfNotExists {
			c.notice(pgerror.DuplicateSchema, "schema \"%s\" already exists, skipping", name)
			return tag, nil
		}
		return "", pgerror.Newf(pgerror.DuplicateSchema, "schema \"%s\" already exists", name)
	}
	oid, err := c.insertSchema(name, owner)
	if err != nil {
		return "", err
	}
	return tag, c.schemaElements(s.SchemaElts, name, oid)
}

// schemaElements runs the statements inside CREATE SCHEMA with the new schema as the place of creation.
func (c *Context) schemaElements(list []*pg_query.Node, name string, oid base.OID) error {
	if len(list) == 0 {
		return nil
	}
	inner := *c
	inner.SearchPath = append([]base.OID{oid}, c.SearchPath...)
	for _, n := range list {
		for _, rv := range elementNames(n) {
			if rv != nil && rv.Schemaname == "" {
				rv.Schemaname = name
			}
		}
		if _, err := Run(&inner, n); err != nil {
			return err
		}
	}
	return nil
}

// elementNames gives the names that a schema element creates or is about.
func elementNames(n *pg_query.Node) []*pg_query.RangeVar {
	switch x := n.Node.(type) {
	case *pg_query.Node_CreateStmt:
		return []*pg_query.RangeVar{x.CreateStmt.Relation}
	case *pg_query.Node_ViewStmt:
		return []*pg_query.RangeVar{x.ViewStmt.View}
	case *pg_query.Node_IndexStmt:
		return []*pg_query.RangeVar{x.IndexStmt.Relation}
	case *pg_query.Node_CreateSeqStmt:
		return []*pg_query.RangeVar{x.CreateSeqStmt.Sequence}
	}
	return nil
}

func (c *Context) insertSchema(name string, owner base.OID) (base.OID, error) {
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return 0, err
	}
	r := c.Editor.NewRow(bootstrap.RelNamespace)
	r.SetOID(bootstrap.ColNamespaceOid, oid)
	r.SetText(bootstrap.ColNamespaceNspname, name)
	r.SetOID(bootstrap.ColNamespaceNspowner, owner)
	if _, err := c.Editor.Insert(bootstrap.RelNamespace, r); err != nil {
		return 0, err
	}
	return oid, c.dependOwner(object{bootstrap.RelNamespace, oid, 0}, owner)
}

// tempSchema gives the session's temporary schema, made when it is first needed. Schemas are reused by the session
// number they are named after.
func (c *Context) tempSchema() (base.OID, error) {
	if ns := c.Session.Temp.Namespace; ns != 0 {
		if have, err := c.View.NamespaceByOID(ns); err != nil || have != nil {
			return ns, err
		}
	}
	ok, err := sysfuncs.DatabaseAllows(c.View, c.Session.Role, c.database(), sysfuncs.PrivTemporary)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to create temporary tables in database \"%s\"",
			c.Session.Database.Name)
	}
	name := "pg_temp_" + strconv.FormatUint(uint64(c.Session.ID), 10)
	have, err := c.View.NamespaceByName(name)
	if err != nil {
		return 0, err
	}
	if have != nil {
		c.Session.Temp.Namespace = have.OID
		return have.OID, c.dropSchemaContents(have.OID) // what a session of the number left when the server crashed
	}
	oid, err := c.insertSchema(name, bootstrap.RolePostgres)
	c.Session.Temp.Namespace = oid
	return oid, err
}

// tempToastSchema gives the schema of the TOAST relations of the session's temporary tables, which it makes at need. What is
// in it goes with the tables.
func (c *Context) tempToastSchema() (base.OID, error) {
	name := "pg_toast_temp_" + strconv.FormatUint(uint64(c.Session.ID), 10)
	have, err := c.View.NamespaceByName(name)
	if err != nil {
		return 0, err
	}
	if have == nil {
		c.Session.Temp.Toast, err = c.insertSchema(name, bootstrap.RolePostgres)
		return c.Session.Temp.Toast, err
	}
	c.Session.Temp.Toast = have.OID
	return have.OID, nil
}

// DropTemp drops everything in the session's temporary schema; the schema itself stays for the next session of the
// number. It runs in a transaction of its own when the session ends, and for DISCARD TEMP.
func DropTemp(c *Context) error {
	ns := c.Session.Temp.Namespace
	if ns == 0 {
		return nil
	}
	have, err := c.View.NamespaceByOID(ns)
	if err != nil || have == nil {
		return err
	}
	return c.dropSchemaContents(ns)
}

// dropSchemaContents drops what depends on a schema, without notices.
func (c *Context) dropSchemaContents(ns base.OID) error {
	deps, err := c.dependents(object{bootstrap.RelNamespace, ns, 0})
	if err != nil {
		return err
	}
	var list []object
	for _, d := range deps {
		if d.kind == depNormal {
			list = append(list, d.object)
		}
	}
	return c.drop(list, dropOptions{cascade: true, quiet: true})
}

// schemaNamed finds a schema that must exist.
func (c *Context) schemaNamed(name string) (*catalog.Namespace, error) {
	ns, err := c.View.NamespaceByName(name)
	if err == nil && ns == nil {
		err = pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", name)
	}
	return ns, err
}

func (c *Context) ownsSchema(ns *catalog.Namespace) error {
	ok, err := c.View.MemberOf(c.Session.Role, ns.Owner)
	if err == nil && !ok {
		err = pgerror.Newf(pgerror.InsufficientPrivilege, "must be owner of schema %s", ns.Name)
	}
	return err
}

func (c *Context) renameSchema(name, to string) error {
	ns, err := c.schemaNamed(name)
	if err != nil {
		return err
	}
	if have, err := c.View.NamespaceByName(to); err != nil {
		return err
	} else if have != nil {
		return pgerror.Newf(pgerror.DuplicateSchema, "schema \"%s\" already exists", to)
	}
	if err := c.ownsSchema(ns); err != nil {
		return err
	}
	if strings.HasPrefix(to, "pg_") {
		return pgerror.Newf(pgerror.ReservedName, "unacceptable schema name \"%s\"", to).WithDetail(
			"The prefix \"pg_\" is reserved for system schemas.")
	}
	inv := &catalog.Invalidation{AllRelations: true}
	inv.Groups[catalog.GroupRelations] = true
	if c.Editor.Changed != nil {
		c.Editor.Changed(inv) // descriptors carry the schema's name
	}
	return c.editRow(bootstrap.RelNamespace, bootstrap.IdxNamespaceOidIndex,
		func(r catalog.Row) { r.SetText(bootstrap.ColNamespaceNspname, to) }, types.Int(int64(ns.OID)))
}
