package command

import (
	"path/filepath"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/types"
)

// spaceNamed finds a tablespace by name; zero when it is missing and may be.
func (c *Context) spaceNamed(name string, missingOK bool) (oid, owner base.OID, err error) {
	r, err := c.View.Row(bootstrap.RelTablespace, bootstrap.IdxTablespaceSpcnameIndex, types.Text(name))
	if err != nil {
		return 0, 0, err
	}
	if r == nil {
		if missingOK {
			return 0, 0, nil
		}
		return 0, 0, pgerror.Newf(pgerror.UndefinedObject, "tablespace \"%s\" does not exist", name)
	}
	return r.OID(bootstrap.ColTablespaceOid), r.OID(bootstrap.ColTablespaceSpcowner), nil
}

// spaceFor gives what pg_class.reltablespace keeps for a relation to be made: of the clause, else of default_tablespace or
// temp_tablespaces. Zero is the database's own.
func (c *Context) spaceFor(clause string, persistence byte) (base.OID, error) {
	name := clause
	if name == "" {
		name = c.Session.Settings.Get("default_tablespace").Str
		if persistence == relation.Temporary {
			list := c.Session.Settings.Get("temp_tablespaces").Str
			name, _, _ = strings.Cut(list, ",")
			name = strings.Trim(strings.TrimSpace(name), "\"")
		}
		if name == "" {
			return 0, nil
		}
	}
	oid, owner, err := c.spaceNamed(name, clause == "")
	if err != nil || oid == 0 || oid == c.View.Home() {
		return 0, err
	}
	if oid == base.GlobalTablespace {
		return 0, pgerror.New(pgerror.InvalidParameterValue, "only shared relations can be placed in pg_global tablespace")
	}
	return oid, c.useSpace(name, oid, owner)
}

// useSpace checks that the role may put something into a tablespace, and keeps that from going.
func (c *Context) useSpace(name string, oid, owner base.OID) error {
	owns, err := c.View.MemberOf(c.Session.Role, owner)
	if err != nil {
		return err
	}
	if !owns {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for tablespace %s", name)
	}
	return c.lockObject(bootstrap.RelTablespace, oid, lock.AccessShare)
}

func createTablespace(c *Context, node *pg_query.Node) (string, error) {
	const tag = "CREATE TABLESPACE"
	s := node.GetCreateTableSpaceStmt()
	if err := c.topLevel(tag); err != nil {
		return "", err
	}
	super, err := c.superuser()
	if err != nil {
		return "", err
	}
	if !super {
		return "", pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to create tablespace \"%s\"", s.Tablespacename).
			WithHint("Must be superuser to create a tablespace.")
	}
	owner := c.Session.Role
	if s.Owner != nil {
		if owner, err = c.role(s.Owner); err != nil {
			return "", err
		}
	}
	location := filepath.Clean(s.Location)
	switch {
	case strings.Contains(s.Location, "'"):
		return "", pgerror.New(pgerror.InvalidName, "tablespace location cannot contain single quotes")
	case !filepath.IsAbs(s.Location):
		return "", pgerror.New(pgerror.InvalidObjectDefinition, "tablespace location must be an absolute path")
	case strings.HasPrefix(s.Tablespacename, "pg_"):
		return "", pgerror.Newf(pgerror.ReservedName, "unacceptable tablespace name \"%s\"", s.Tablespacename).WithDetail(
			"The prefix \"pg_\" is reserved for system tablespaces.")
	}
	if have, _, err := c.spaceNamed(s.Tablespacename, true); err != nil {
		return "", err
	} else if have != 0 {
		return "", pgerror.Newf(pgerror.DuplicateObject, "tablespace \"%s\" already exists", s.Tablespacename)
	}
	options, err := relOptions(s.Options, spaceOptions())
	if err != nil {
		return "", err
	}
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return "", err
	}
	r := c.Editor.NewRow(bootstrap.RelTablespace)
	r.SetOID(bootstrap.ColTablespaceOid, oid)
	r.SetText(bootstrap.ColTablespaceSpcname, s.Tablespacename)
	r.SetOID(bootstrap.ColTablespaceSpcowner, owner)
	if len(options) > 0 {
		r.Set(bootstrap.ColTablespaceSpcoptions, textArray(options))
	}
	if _, err := c.Editor.Insert(bootstrap.RelTablespace, r); err != nil {
		return "", err
	}
	if err := c.dependOwner(object{bootstrap.RelTablespace, oid, 0}, owner); err != nil {
		return "", err
	}
	return tag, c.Tx.CreateSpace(c.Task, oid, location)
}

func spaceOptions() map[string]option {
	return map[string]option{"random_page_cost": {'r', -1, 1e10}, "seq_page_cost": {'r', -1, 1e10},
		"effective_io_concurrency": {'i', -1, 1000}, "maintenance_io_concurrency": {'i', -1, 1000}}
}

// ownedSpace finds a tablespace that the role owns.
func (c *Context) ownedSpace(name string) (base.OID, error) {
	oid, owner, err := c.spaceNamed(name, false)
	if err != nil {
		return 0, err
	}
	owns, err := c.View.MemberOf(c.Session.Role, owner)
	if err == nil && !owns {
		err = pgerror.Newf(pgerror.InsufficientPrivilege, "must be owner of tablespace %s", name)
	}
	return oid, err
}

func dropTablespace(c *Context, node *pg_query.Node) (string, error) {
	const tag = "DROP TABLESPACE"
	s := node.GetDropTableSpaceStmt()
	if err := c.topLevel(tag); err != nil {
		return "", err
	}
	if oid, _, err := c.spaceNamed(s.Tablespacename, s.MissingOk); err != nil || oid == 0 {
		if err == nil {
			c.notice(pgerror.UndefinedObject, "tablespace \"%s\" does not exist, skipping", s.Tablespacename)
		}
		return tag, err
	}
	oid, err := c.ownedSpace(s.Tablespacename)
	if err != nil {
		return "", err
	}
	if oid < base.FirstNormalOID {
		return "", pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied for tablespace %s", s.Tablespacename)
	}
	if err := c.lockObject(bootstrap.RelTablespace, oid, lock.AccessExclusive); err != nil {
		return "", err
	}
	o := object{bootstrap.RelTablespace, oid, 0}
	if err := c.sharedComment(o, ""); err != nil {
		return "", err
	}
	if err := c.forgetShared(o, 0); err != nil {
		return "", err
	}
	if err := c.Editor.DeleteAll(bootstrap.RelTablespace, bootstrap.IdxTablespaceOidIndex, []types.Datum{oidKey(oid)}, nil); err != nil {
		return "", err
	}
	gone, err := c.Tx.DropSpace(c.Task, oid)
	if err == nil && !gone { // files of dropped relations wait for a checkpoint
		if err = c.Host.Checkpoint(c.Task); err == nil {
			gone, err = c.Tx.DropSpace(c.Task, oid)
		}
	}
	if err == nil && !gone {
		err = pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "tablespace \"%s\" is not empty", s.Tablespacename)
	}
	return tag, err
}

func alterTablespace(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterTableSpaceOptionsStmt()
	oid, err := c.ownedSpace(s.Tablespacename)
	if err != nil {
		return "", err
	}
	var set []string
	if s.IsReset {
		for _, n := range s.Options {
			if _, ok := spaceOptions()[n.GetDefElem().Defname]; !ok {
				return "", pgerror.Newf(pgerror.InvalidParameterValue, "unrecognized parameter \"%s\"", n.GetDefElem().Defname)
			}
		}
	} else if set, err = relOptions(s.Options, spaceOptions()); err != nil {
		return "", err
	}
	return "ALTER TABLESPACE", c.editRow(bootstrap.RelTablespace, bootstrap.IdxTablespaceOidIndex, func(r catalog.Row) {
		keep := []string{}
		for _, o := range r.Texts(bootstrap.ColTablespaceSpcoptions) {
			name, _, _ := strings.Cut(o, "=")
			named := false
			for _, n := range s.Options {
				named = named || n.GetDefElem().Defname == name
			}
			if !named {
				keep = append(keep, o)
			}
		}
		if keep = append(keep, set...); len(keep) > 0 {
			r.Set(bootstrap.ColTablespaceSpcoptions, textArray(keep))
		} else {
			r.Set(bootstrap.ColTablespaceSpcoptions, types.Null)
		}
	}, oidKey(oid))
}

func (c *Context) renameTablespace(from, to string) error {
	oid, err := c.ownedSpace(from)
	if err != nil {
		return err
	}
	if strings.HasPrefix(to, "pg_") {
		return pgerror.Newf(pgerror.ReservedName, "unacceptable tablespace name \"%s\"", to).WithDetail(
			"The prefix \"pg_\" is reserved for system tablespaces.")
	}
	if have, _, err := c.spaceNamed(to, true); err != nil {
		return err
	} else if have != 0 {
		return pgerror.Newf(pgerror.DuplicateObject, "tablespace \"%s\" already exists", to)
	}
	return c.editRow(bootstrap.RelTablespace, bootstrap.IdxTablespaceOidIndex,
		func(r catalog.Row) { r.SetText(bootstrap.ColTablespaceSpcname, to) }, oidKey(oid))
}

// setSpace is SET TABLESPACE of a table or an index: its files are made anew there.
func (c *Context) setSpace(d *relation.Desc, name string) error {
	space, err := c.spaceFor(name, d.Persistence)
	if err != nil {
		return err
	}
	if c.spaceOf(d) == space {
		return nil
	}
	set := func(r catalog.Row) { r.SetOID(bootstrap.ColClassReltablespace, space) }
	c.Tx.DropOnCommit(d.File)
	if err := c.editClass(d.OID, set); err != nil {
		return err
	}
	if d.Kind == relation.KindIndex {
		table := d.Index.Table
		number, err := c.Tx.Manager().NewOID()
		if err != nil {
			return err
		}
		if err := c.editClass(d.OID, func(r catalog.Row) { r.SetOID(bootstrap.ColClassRelfilenode, number) }); err != nil {
			return err
		}
		t, err := c.reread(table)
		if err != nil {
			return err
		}
		return c.indexVersions(t, findIndex(t, d.OID))
	}
	h := c.Tx.Manager().RefreshHorizon()
	if d.ToastRel != nil {
		c.Tx.DropOnCommit(d.ToastRel.File)
		c.Tx.DropOnCommit(d.ToastRel.Indexes[0].File)
		for _, oid := range []base.OID{d.Toast, d.ToastRel.Indexes[0].OID} {
			if err := c.editClass(oid, set); err != nil {
				return err
			}
		}
		if _, err := c.copyVersions(d.ToastRel, nil, h); err != nil {
			return err
		}
	}
	if _, err := c.reread(d.OID); err != nil {
		return err
	}
	_, err = c.copyVersions(d, nil, h)
	return err
}
