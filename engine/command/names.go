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
	"manifold/engine/sql/parse"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

const maxName = 63 // bytes of an identifier

func oidKey(oid base.OID) types.Datum { return types.Int(int64(oid)) }

// at puts the position of a byte offset on an error.
func (c *Context) at(e *pgerror.Error, loc int32) error {
	return e.WithPosition(parse.Position(c.Text, int(loc)))
}

// names gives the translator of OIDs to names under the session's search path.
func (c *Context) names() *catalog.Names {
	return &catalog.Names{View: c.View, SearchPath: c.SearchPath}
}

// strs takes the strings of a list of String nodes.
func strs(list []*pg_query.Node) []string {
	out := make([]string, 0, len(list))
	for _, n := range list {
		if s := n.GetString_(); s != nil {
			out = append(out, s.Sval)
		}
	}
	return out
}

// rangeVar makes a RangeVar of a qualified name.
func rangeVar(parts []string) *pg_query.RangeVar {
	rv := &pg_query.RangeVar{Inh: true, Location: -1, Relname: parts[len(parts)-1]}
	if len(parts) > 1 {
		rv.Schemaname = parts[len(parts)-2]
	}
	if len(parts) > 2 {
		rv.Catalogname = parts[len(parts)-3]
	}
	return rv
}

func shown(rv *pg_query.RangeVar) string {
	if rv.Schemaname != "" {
		return rv.Schemaname + "." + rv.Relname
	}
	return rv.Relname
}

// schemaOID finds a schema by name; pg_temp is the session's temporary one.
func (c *Context) schemaOID(name string) (base.OID, error) {
	if name == "pg_temp" {
		return c.Session.Temp.Namespace, nil
	}
	ns, err := c.View.NamespaceByName(name)
	if err != nil || ns == nil {
		return 0, err
	}
	return ns.OID, nil
}

// findRelation gives the OID of a relation by name; zero when there is none.
func (c *Context) findRelation(rv *pg_query.RangeVar) (base.OID, error) {
	if rv.Catalogname != "" && rv.Catalogname != c.Session.Database.Name {
		return 0, pgerror.Newf(pgerror.FeatureNotSupported, "cross-database references are not implemented: \"%s.%s.%s\"",
			rv.Catalogname, rv.Schemaname, rv.Relname)
	}
	if rv.Schemaname != "" {
		ns, err := c.schemaOID(rv.Schemaname)
		if err != nil || ns == 0 {
			return 0, err
		}
		return c.View.RelationByName(ns, rv.Relname)
	}
	for _, ns := range c.SearchPath {
		if oid, err := c.View.RelationByName(ns, rv.Relname); oid != 0 || err != nil {
			return oid, err
		}
	}
	return 0, nil
}

// lockRelation takes a relation's lock and forgets what a private cache held of it before.
func (c *Context) lockRelation(oid base.OID, mode lock.Mode, name string, noWait bool) error {
	db := c.database()
	if d, ok := bootstrap.Relation(oid); ok && d.Shared {
		db = 0
	}
	already, err := c.Tx.Manager().Locks().Acquire(c.Task, c.Session.Proc.Owner(), lock.Request{Tag: lock.Relation(db, oid),
		Mode: mode, NoWait: noWait || c.Wait.NoWait, Timeout: c.Wait.Timeout, DeadlockTimeout: c.Wait.DeadlockTimeout})
	if err == lock.ErrNotAvailable {
		return pgerror.Newf(pgerror.LockNotAvailable, "could not obtain lock on relation \"%s\"", name)
	}
	if err == nil && !already {
		c.refresh(oid)
	}
	return err
}

// lockObject takes the lock of an object that is no relation.
func (c *Context) lockObject(class, oid base.OID, mode lock.Mode) error {
	db := c.database()
	if d, ok := bootstrap.Relation(class); ok && d.Shared {
		db = 0
	}
	_, err := c.Tx.Manager().Locks().Acquire(c.Task, c.Session.Proc.Owner(), lock.Request{Tag: lock.Object(db, class, oid, 0),
		Mode: mode, Timeout: c.Wait.Timeout, DeadlockTimeout: c.Wait.DeadlockTimeout})
	return err
}

// refresh makes a cache that the session fills for itself read a relation anew.
func (c *Context) refresh(oid base.OID) {
	if own := c.Session.Catalog.Cache; own != nil && own == c.View.Cache() {
		inv := &catalog.Invalidation{Relations: []base.OID{oid}}
		inv.Groups[catalog.GroupRelations] = true
		own.Invalidate(inv)
	}
}

// open finds, locks and reads a relation; nil when it is missing and may be. A name that means another relation once the
// lock is held is looked up again.
func (c *Context) open(rv *pg_query.RangeVar, mode lock.Mode, missingOK bool) (*relation.Desc, error) {
	last := base.OID(0)
	for {
		oid, err := c.findRelation(rv)
		if err != nil {
			return nil, err
		}
		if oid == 0 {
			if missingOK {
				return nil, nil
			}
			if rv.Schemaname != "" {
				if ns, err := c.schemaOID(rv.Schemaname); err != nil || ns == 0 {
					return nil, c.at(pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", rv.Schemaname), rv.Location)
				}
			}
			return nil, pgerror.Newf(pgerror.UndefinedTable, "relation \"%s\" does not exist", shown(rv))
		}
		if oid == last {
			d, err := c.View.Relation(oid)
			if err != nil || d != nil {
				return d, err
			}
			last = 0
			continue
		}
		if err := c.lockRelation(oid, mode, rv.Relname, false); err != nil {
			return nil, err
		}
		last = oid
	}
}

// relation reads a relation that must exist.
func (c *Context) relation(oid base.OID) (*relation.Desc, error) {
	d, err := c.View.Relation(oid)
	if err == nil && d == nil {
		err = pgerror.Newf(pgerror.InternalError, "could not open relation with OID %d", oid)
	}
	return d, err
}

// kindName names a relation's kind as messages do.
func kindName(kind byte) string {
	switch kind {
	case relation.KindIndex:
		return "index"
	case relation.KindSequence:
		return "sequence"
	case relation.KindView:
		return "view"
	}
	return "table"
}

// article is kindName with its article.
func article(kind byte) string {
	if kind == relation.KindIndex {
		return "an index"
	}
	return "a " + kindName(kind)
}

// mustOwn fails with 42501 unless the current role owns a relation that is not a catalog.
func (c *Context) mustOwn(d *relation.Desc) error {
	if err := c.mayRewrite(d); err != nil {
		return err
	}
	if d.System && d.OID < base.FirstNormalOID {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system catalog", d.Name)
	}
	return nil
}

// notPending refuses to change a table whose changed rows wait for the end of the transaction.
func (c *Context) notPending(d *relation.Desc, what string) error {
	if c.Session.After == nil || !c.Session.After.Pending(d.OID) {
		return nil
	}
	return pgerror.Newf(pgerror.ObjectInUse, "cannot %s \"%s\" because it has pending trigger events", what, d.Name)
}

// superuser tells whether the current role is one.
func (c *Context) superuser() (bool, error) {
	r, err := c.View.RoleByOID(c.Session.Role)
	return r != nil && r.Super, err
}

// creationSchema gives the schema a new relation goes to, and its persistence.
func (c *Context) creationSchema(rv *pg_query.RangeVar) (ns base.OID, persistence byte, err error) {
	if rv.Relpersistence == "t" || rv.Schemaname == "pg_temp" {
		if rv.Relpersistence == "u" {
			return 0, relation.Unlogged, c.at(pgerror.New(pgerror.InvalidTableDefinition, "only temporary relations may be created in temporary schemas"), rv.Location)
		}
		if rv.Schemaname != "" && rv.Schemaname != "pg_temp" {
			return 0, relation.Permanent, c.at(pgerror.New(pgerror.InvalidTableDefinition, "cannot create temporary relation in non-temporary schema"), rv.Location)
		}
		ns, err = c.tempSchema()
		return ns, relation.Temporary, err
	}
	persistence = relation.Permanent
	if rv.Relpersistence == "u" {
		persistence = relation.Unlogged
	}
	if rv.Schemaname != "" {
		if ns, err = c.schemaOID(rv.Schemaname); err != nil {
			return 0, relation.Permanent, err
		}
		if ns == 0 {
			return 0, relation.Permanent, c.at(pgerror.Newf(pgerror.UndefinedSchema, "schema \"%s\" does not exist", rv.Schemaname), rv.Location)
		}
	} else {
		explicit, _, err := sysfuncs.Path(c.View, c.Session)
		if err != nil {
			return 0, relation.Permanent, err
		}
		for _, o := range explicit {
			if o != c.Session.Temp.Namespace {
				ns = o
				break
			}
		}
		if ns == 0 {
			return 0, relation.Permanent, c.at(pgerror.New(pgerror.UndefinedSchema, "no schema has been selected to create in"), rv.Location)
		}
	}
	if ns == c.Session.Temp.Namespace {
		if persistence == relation.Unlogged {
			return 0, persistence, c.at(pgerror.New(pgerror.InvalidTableDefinition, "only temporary relations may be created in temporary schemas"), rv.Location)
		}
		persistence = relation.Temporary
	}
	return ns, persistence, c.mayCreateIn(ns)
}

// mayCreateIn fails with 42501 unless the current role may create objects in a schema.
func (c *Context) mayCreateIn(ns base.OID) error {
	ok, err := sysfuncs.SchemaAllows(c.View, c.Session.Role, ns, sysfuncs.PrivCreate)
	if err != nil {
		return err
	}
	n, err := c.View.NamespaceByOID(ns)
	if err == nil && !ok && n != nil {
		err = pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for schema %s", n.Name)
	}
	return err
}

// role gives the OID of a role specification.
func (c *Context) role(r *pg_query.RoleSpec) (base.OID, error) {
	switch r.GetRoletype() {
	case pg_query.RoleSpecType_ROLESPEC_CURRENT_ROLE, pg_query.RoleSpecType_ROLESPEC_CURRENT_USER:
		return c.Session.Role, nil
	case pg_query.RoleSpecType_ROLESPEC_SESSION_USER:
		return c.Session.User.OID, nil
	case pg_query.RoleSpecType_ROLESPEC_PUBLIC:
		return 0, pgerror.New(pgerror.UndefinedObject, "role \"public\" does not exist")
	}
	return c.roleByName(r.GetRolename())
}

func (c *Context) roleByName(name string) (base.OID, error) {
	x, err := c.View.RoleByName(name)
	if err == nil && x == nil {
		err = pgerror.Newf(pgerror.UndefinedObject, "role \"%s\" does not exist", name)
	}
	if err != nil {
		return 0, err
	}
	return x.OID, nil
}

// cut shortens a name to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// objectName joins two names and a label by underscores within the length of an identifier; the longer name is shortened
// first.
func objectName(name1, name2, label string) string {
	over := 0
	if name2 != "" {
		over++
	}
	if label != "" {
		over += len(label) + 1
	}
	n1, n2 := len(name1), len(name2)
	for n1+n2 > maxName-over {
		if n1 > n2 {
			n1--
		} else {
			n2--
		}
	}
	out := cut(name1, n1)
	if name2 != "" {
		out += "_" + cut(name2, n2)
	}
	if label != "" {
		out += "_" + label
	}
	return out
}

// chooseRelationName makes a name that no relation of the schema has.
func (c *Context) chooseRelationName(name1, name2, label string, ns base.OID) (string, error) {
	for pass := 0; ; pass++ {
		l := label
		if pass > 0 {
			l = label + itoa(pass)
		}
		name := objectName(name1, name2, l)
		oid, err := c.View.RelationByName(ns, name)
		if err != nil || oid == 0 {
			return name, err
		}
	}
}

// chooseConstraintName makes a name that no constraint of the schema has, nor any of taken.
func (c *Context) chooseConstraintName(name1, name2, label string, ns base.OID, taken map[string]bool) (string, error) {
	for pass := 0; ; pass++ {
		l := label
		if pass > 0 {
			l = label + itoa(pass)
		}
		name := objectName(name1, name2, l)
		used := taken[name]
		err := c.View.Scan(bootstrap.RelConstraint, bootstrap.IdxConstraintConnameNspIndex,
			[]types.Datum{types.Text(name), oidKey(ns)}, func(base.TID, catalog.Row) error { used = true; return nil })
		if err != nil || !used {
			return name, err
		}
	}
}

// column gives the attribute number of a column that must exist.
func column(d *relation.Desc, name string) (int, error) {
	if attr := d.ColumnByName(name); attr > 0 {
		return attr, nil
	}
	return 0, pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, d.Name)
}

func qualified(parts []string) string { return strings.Join(parts, ".") }
