package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

// granted is an object whose access control list GRANT changes: where the list is, and what a missing one means.
type granted struct {
	object
	index      base.OID
	keys       []types.Datum
	owner, acl int // columns; owner zero: ownerOID
	ownerOID   base.OID
	all        sysfuncs.Priv
	public     sysfuncs.Priv
	noun, name string
	table      string             // of a column
	over       []sysfuncs.ACLItem // of the table of a column
}

// title names the object in messages.
func (g *granted) title() string {
	if g.table != "" {
		return fmt.Sprintf("column \"%s\" of relation \"%s\"", g.name, g.table)
	}
	return "\"" + g.name + "\""
}

func grant(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetGrantStmt()
	tag := "GRANT"
	if !s.IsGrant {
		tag = "REVOKE"
	}
	if s.Targtype == pg_query.GrantTargetType_ACL_TARGET_DEFAULTS {
		return "", pgerror.Unsupported("ALTER DEFAULT PRIVILEGES")
	}
	objects, err := c.grantObjects(s)
	if err != nil {
		return "", err
	}
	var grantees []string
	for _, n := range s.Grantees {
		r := n.GetRoleSpec()
		if r.Roletype == pg_query.RoleSpecType_ROLESPEC_PUBLIC {
			if s.IsGrant && s.GrantOption {
				return "", pgerror.New(pgerror.InvalidGrantOperation, "grant options can only be granted to roles")
			}
			grantees = append(grantees, "")
			continue
		}
		oid, err := c.role(r)
		if err != nil {
			return "", err
		}
		grantees = append(grantees, c.roleText(oid))
	}
	for _, g := range objects {
		if err := c.grantOn(s, g, grantees); err != nil {
			return "", err
		}
	}
	return tag, nil
}

// grantOn applies the statement's privileges to one object and its columns.
func (c *Context) grantOn(s *pg_query.GrantStmt, g *granted, grantees []string) error {
	whole := sysfuncs.Priv(0)
	if len(s.Privileges) == 0 {
		whole = g.all
	}
	columns := map[string]sysfuncs.Priv{}
	for _, n := range s.Privileges {
		a := n.GetAccessPriv()
		p := sysfuncs.PrivByName(a.PrivName)
		if a.PrivName == "" {
			p = g.all
			if len(a.Cols) > 0 {
				p = sysfuncs.AllColumn
			}
		} else if p == 0 {
			return pgerror.Newf(pgerror.SyntaxError, "unrecognized privilege type \"%s\"", a.PrivName)
		}
		if len(a.Cols) == 0 {
			if p&^g.all != 0 {
				return pgerror.Newf(pgerror.InvalidGrantOperation, "invalid privilege type %s for %s", strings.ToUpper(a.PrivName), g.noun)
			}
			whole |= p
			continue
		}
		if g.class != bootstrap.RelClass || p&^sysfuncs.AllColumn != 0 {
			return pgerror.Newf(pgerror.InvalidGrantOperation, "invalid privilege type %s for column", strings.ToUpper(a.PrivName))
		}
		for _, name := range strs(a.Cols) {
			columns[name] |= p
		}
	}
	if whole != 0 {
		if err := c.changeACL(s, g, whole, grantees); err != nil {
			return err
		}
	}
	if g.class != bootstrap.RelClass {
		return nil
	}
	if !s.IsGrant {
		d, err := c.relation(g.oid)
		if err != nil {
			return err
		}
		for i := range d.Columns { // what is taken away from the table is from its columns
			if name := d.Columns[i].Name; !d.Columns[i].Dropped && whole&sysfuncs.AllColumn != 0 {
				columns[name] |= whole & sysfuncs.AllColumn
			}
		}
	}
	return c.grantOnColumns(s, g, columns, grantees)
}

// grantOnColumns applies privileges to columns of a table.
func (c *Context) grantOnColumns(s *pg_query.GrantStmt, g *granted, columns map[string]sysfuncs.Priv, grantees []string) error {
	if len(columns) == 0 {
		return nil
	}
	d, err := c.relation(g.oid)
	if err != nil {
		return err
	}
	class, err := c.View.Row(g.class, g.index, g.keys...)
	if err != nil {
		return err
	}
	over, err := sysfuncs.ParseACL(class[g.acl-1])
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		attr, err := column(d, name)
		if err != nil {
			return err
		}
		k := &granted{object: colObject(g.oid, attr), index: bootstrap.IdxAttributeRelidAttnumIndex,
			keys: []types.Datum{oidKey(g.oid), types.Int(int64(attr))}, ownerOID: d.Owner, acl: bootstrap.ColAttributeAttacl,
			all: sysfuncs.AllColumn, noun: "column", name: name, table: d.Name, over: over}
		if err := c.changeColumnACL(s, k, columns[name], grantees); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) changeColumnACL(s *pg_query.GrantStmt, g *granted, p sysfuncs.Priv, grantees []string) error {
	g.class = bootstrap.RelAttribute
	err := c.changeACL(s, g, p, grantees)
	g.class = bootstrap.RelClass
	return err
}

// changeACL rewrites one access control list.
func (c *Context) changeACL(s *pg_query.GrantStmt, g *granted, p sysfuncs.Priv, grantees []string) error {
	r, tid, err := c.Editor.One(g.class, g.index, g.keys...)
	if err != nil {
		return err
	}
	if r == nil {
		return pgerror.Newf(pgerror.InternalError, "cache lookup failed for %s \"%s\"", g.noun, g.name)
	}
	owner := g.ownerOID
	if g.owner > 0 {
		owner = r.OID(g.owner)
	}
	items, err := sysfuncs.ParseACL(r[g.acl-1])
	if err != nil {
		return err
	}
	ownerName := c.roleText(owner)
	if r.Null(g.acl) && g.sub == 0 {
		if g.public != 0 {
			items = append(items, sysfuncs.ACLItem{Grantor: ownerName, Priv: g.public})
		}
		items = append(items, sysfuncs.ACLItem{Grantee: ownerName, Grantor: ownerName, Priv: g.all})
	}
	grantor, p, err := c.grantor(g, slices.Concat(g.over, items), owner, p, s.IsGrant)
	if err != nil || p == 0 || !s.IsGrant && g.sub != 0 && r.Null(g.acl) {
		return err
	}
	change := &aclChange{c: c, items: items, owner: ownerName, cascade: s.Behavior == pg_query.DropBehavior_DROP_CASCADE}
	for _, to := range grantees {
		if s.IsGrant {
			err = change.give(to, grantor, p, s.GrantOption)
		} else {
			err = change.take(to, grantor, p, s.GrantOption)
		}
		if err != nil {
			return err
		}
	}
	items = change.items
	if len(items) == 0 && g.sub != 0 {
		r.Set(g.acl, types.Null)
	} else {
		r.Set(g.acl, sysfuncs.FormatACL(items))
	}
	if err := c.Editor.Update(g.class, tid, r); err != nil {
		return err
	}
	return c.dependACL(g, items, ownerName)
}

// grantor gives the role in whose name privileges are given: the owner, for the owner and superusers, else the current
// role as far as it has grant options.
func (c *Context) grantor(g *granted, items []sysfuncs.ACLItem, owner base.OID, p sysfuncs.Priv,
	isGrant bool) (string, sysfuncs.Priv, error) {
	owns, err := c.View.MemberOf(c.Session.Role, owner)
	if err != nil || owns {
		return c.roleText(owner), p, err
	}
	me := c.roleText(c.Session.Role)
	var may, any sysfuncs.Priv
	for _, it := range items {
		if it.Grantee == me {
			may |= it.Grant
		}
		if it.Grantee == me || it.Grantee == "" {
			any |= it.Priv
		}
	}
	code, done := pgerror.WarningPrivilegeNotGranted, "were granted"
	if !isGrant {
		code, done = pgerror.WarningPrivilegeNotRevoked, "could be revoked"
	}
	if may&p == 0 {
		if any == 0 {
			title := g.noun + " " + g.name
			if g.table != "" {
				title = g.title()
			}
			return "", 0, pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for %s", title)
		}
		c.warning(code, "no privileges %s for %s", done, g.title())
		return "", 0, nil
	}
	if may&p != p {
		c.warning(code, "not all privileges %s for %s", done, g.title())
	}
	return me, may & p, nil
}

// dependACL records the roles that a list names, beside the owner.
func (c *Context) dependACL(g *granted, items []sysfuncs.ACLItem, owner string) error {
	o := g.object
	if o.class == bootstrap.RelAttribute {
		o.class = bootstrap.RelClass
	}
	if err := c.forgetShared(o, 'a'); err != nil {
		return err
	}
	seen := map[string]bool{owner: true, "": true}
	for _, it := range items {
		for _, name := range []string{it.Grantee, it.Grantor} {
			if seen[name] {
				continue
			}
			seen[name] = true
			oid, err := c.roleByName(name)
			if err != nil {
				return err
			}
			if err := c.sharedDepend(o, oid, 'a'); err != nil {
				return err
			}
		}
	}
	return nil
}

// grantObjects finds the objects of a GRANT.
func (c *Context) grantObjects(s *pg_query.GrantStmt) ([]*granted, error) {
	var out []*granted
	if s.Targtype == pg_query.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA {
		return c.allInSchemas(s)
	}
	for _, n := range s.Objects {
		var g *granted
		var err error
		switch s.Objtype {
		case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_SEQUENCE:
			g, err = c.grantRelation(n.GetRangeVar(), s.Objtype)
		case pg_query.ObjectType_OBJECT_SCHEMA:
			var ns *catalog.Namespace
			if ns, err = c.schemaNamed(n.GetString_().GetSval()); err == nil {
				g = &granted{object: object{bootstrap.RelNamespace, ns.OID, 0}, index: bootstrap.IdxNamespaceOidIndex,
					owner: bootstrap.ColNamespaceNspowner, acl: bootstrap.ColNamespaceNspacl, all: sysfuncs.AllSchema,
					noun: "schema", name: ns.Name}
			}
		case pg_query.ObjectType_OBJECT_DATABASE:
			var d *catalog.Database
			name := n.GetString_().GetSval()
			if d, err = c.View.DatabaseByName(name); err == nil && d == nil {
				err = pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", name)
			}
			if err == nil {
				g = &granted{object: object{bootstrap.RelDatabase, d.OID, 0}, index: bootstrap.IdxDatabaseOidIndex,
					owner: bootstrap.ColDatabaseDatdba, acl: bootstrap.ColDatabaseDatacl, all: sysfuncs.AllDatabase,
					public: sysfuncs.PrivTemporary | sysfuncs.PrivConnect, noun: "database", name: name}
			}
		case pg_query.ObjectType_OBJECT_FUNCTION, pg_query.ObjectType_OBJECT_PROCEDURE, pg_query.ObjectType_OBJECT_ROUTINE:
			g, err = c.grantFunction(n.GetObjectWithArgs())
		default:
			err = pgerror.Unsupported("GRANT ON %s", objectWords(s.Objtype))
		}
		if err != nil {
			return nil, err
		}
		g.keys = []types.Datum{oidKey(g.oid)}
		out = append(out, g)
	}
	return out, nil
}

func (c *Context) grantRelation(rv *pg_query.RangeVar, t pg_query.ObjectType) (*granted, error) {
	oid, err := c.findRelation(rv)
	if err == nil && oid == 0 {
		err = pgerror.Newf(pgerror.UndefinedTable, "relation \"%s\" does not exist", shown(rv))
	}
	if err != nil {
		return nil, err
	}
	d, err := c.relation(oid)
	if err != nil {
		return nil, err
	}
	if d.Kind == relation.KindIndex {
		return nil, pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is an index", d.Name)
	}
	if t == pg_query.ObjectType_OBJECT_SEQUENCE && d.Kind != relation.KindSequence {
		return nil, pgerror.Newf(pgerror.WrongObjectType, "\"%s\" is not a sequence", d.Name)
	}
	g := &granted{object: relObject(oid), index: bootstrap.IdxClassOidIndex, owner: bootstrap.ColClassRelowner,
		acl: bootstrap.ColClassRelacl, all: sysfuncs.AllTable, noun: kindName(d.Kind), name: d.Name}
	if d.Kind == relation.KindSequence {
		g.all = sysfuncs.AllSequence
	}
	return g, nil
}

func (c *Context) grantFunction(f *pg_query.ObjectWithArgs) (*granted, error) {
	name := strs(f.Objname)
	procs, err := c.View.ProcsByName(name[len(name)-1])
	if err != nil {
		return nil, err
	}
	var found []*catalog.Proc
	for _, p := range procs {
		if f.ArgsUnspecified || len(p.Args) == len(f.Objargs) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, pgerror.Newf(pgerror.UndefinedFunction, "function %s does not exist", qualified(name))
	}
	if len(found) > 1 {
		return nil, pgerror.Newf(pgerror.AmbiguousFunction, "function name \"%s\" is not unique", qualified(name))
	}
	return &granted{object: object{bootstrap.RelProc, found[0].OID, 0}, index: bootstrap.IdxProcOidIndex,
		owner: bootstrap.ColProcProowner, acl: bootstrap.ColProcProacl, all: sysfuncs.AllFunction, public: sysfuncs.PrivExecute,
		noun: "function", name: found[0].Name}, nil
}

func (c *Context) allInSchemas(s *pg_query.GrantStmt) ([]*granted, error) {
	var out []*granted
	for _, n := range s.Objects {
		ns, err := c.schemaNamed(n.GetString_().GetSval())
		if err != nil {
			return nil, err
		}
		wanted := map[byte]bool{relation.KindTable: true, relation.KindView: true}
		if s.Objtype == pg_query.ObjectType_OBJECT_SEQUENCE {
			wanted = map[byte]bool{relation.KindSequence: true}
		} else if s.Objtype != pg_query.ObjectType_OBJECT_TABLE {
			continue // no functions of users yet
		}
		err = c.View.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
			kind := r.Byte(bootstrap.ColClassRelkind)
			if r.OID(bootstrap.ColClassRelnamespace) != ns.OID || !wanted[kind] {
				return nil
			}
			g := &granted{object: relObject(r.OID(bootstrap.ColClassOid)), index: bootstrap.IdxClassOidIndex,
				owner: bootstrap.ColClassRelowner, acl: bootstrap.ColClassRelacl, all: sysfuncs.AllTable,
				noun: kindName(kind), name: r.Text(bootstrap.ColClassRelname)}
			if kind == relation.KindSequence {
				g.all = sysfuncs.AllSequence
			}
			g.keys = []types.Datum{oidKey(g.oid)}
			out = append(out, g)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
