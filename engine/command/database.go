package command

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/setting"
	"manifold/engine/types"
)

// databaseOptions are those of CREATE DATABASE.
type databaseOptions struct {
	template  string
	owner     base.OID
	connLimit int64
	allow     bool
	isTempl   bool
	home      string // TABLESPACE; empty for none
}

func createDatabase(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetCreatedbStmt()
	if err := c.topLevel("CREATE DATABASE"); err != nil {
		return "", err
	}
	me, err := c.View.RoleByOID(c.Session.Role)
	if err != nil {
		return "", err
	}
	if me == nil || !me.Super && !me.CreateDB {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied to create database")
	}
	o := databaseOptions{template: "template1", owner: c.Session.Role, connLimit: -1, allow: true}
	if err := o.read(c, s.Options); err != nil {
		return "", err
	}
	if have, err := c.View.DatabaseByName(s.Dbname); err != nil {
		return "", err
	} else if have != nil {
		return "", pgerror.Newf(pgerror.DuplicateDatabase, "database \"%s\" already exists", s.Dbname)
	}
	t, err := c.View.DatabaseByName(o.template)
	if err != nil {
		return "", err
	}
	if t == nil {
		return "", pgerror.Newf(pgerror.UndefinedDatabase, "template database \"%s\" does not exist", o.template)
	}
	owns, err := c.View.MemberOf(c.Session.Role, t.Owner)
	if err != nil {
		return "", err
	}
	if !t.Template && !owns {
		return "", pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to copy database \"%s\"", t.Name)
	}
	if err := c.lockObject(bootstrap.RelDatabase, t.OID, lock.Share); err != nil {
		return "", err
	}
	if err := c.unused(t, "source database"); err != nil {
		return "", err
	}
	home, err := c.newHome(o.home, t)
	if err != nil {
		return "", err
	}
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return "", err
	}
	if err := c.copyDatabase(t, oid, home); err != nil {
		c.Tx.Manager().Pool().DropDatabase(oid)
		_ = c.Tx.Manager().Pool().Storage().DropDatabase(oid) // the first failure counts
		return "", err
	}
	row, err := c.View.Row(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex, oidKey(t.OID))
	if err != nil {
		return "", err
	}
	row = row.Clone()
	row.SetOID(bootstrap.ColDatabaseOid, oid)
	row.SetText(bootstrap.ColDatabaseDatname, s.Dbname)
	row.SetOID(bootstrap.ColDatabaseDatdba, o.owner)
	row.SetOID(bootstrap.ColDatabaseDattablespace, home)
	row.SetBool(bootstrap.ColDatabaseDatistemplate, o.isTempl)
	row.SetBool(bootstrap.ColDatabaseDatallowconn, o.allow)
	row.SetInt(bootstrap.ColDatabaseDatconnlimit, o.connLimit)
	row.Set(bootstrap.ColDatabaseDatacl, types.Null)
	if _, err := c.Editor.Insert(bootstrap.RelDatabase, row); err != nil {
		return "", err
	}
	return "CREATE DATABASE", c.dependOwner(object{bootstrap.RelDatabase, oid, 0}, o.owner)
}

// unused fails while others are in a database, or prepared transactions have to do with it.
func (c *Context) unused(d *catalog.Database, what string) error {
	sessions, prepared := c.Host.Sessions(d.OID, c.Session), c.preparedIn(d.OID)
	e := pgerror.Newf(pgerror.ObjectInUse, "%s \"%s\" is being accessed by other users", what, d.Name)
	switch {
	case sessions == 0 && prepared == 0:
		return nil
	case sessions > 0 && prepared > 0:
		return e.WithDetail("There are %d other session(s) and %d prepared transaction(s) using the database.", sessions, prepared)
	case sessions == 1:
		return e.WithDetail("There is 1 other session using the database.")
	case sessions > 1:
		return e.WithDetail("There are %d other sessions using the database.", sessions)
	}
	return e.WithDetail("%s", thereArePrepared(prepared))
}

// preparedIn counts the prepared transactions of a database.
func (c *Context) preparedIn(db base.OID) int {
	n := 0
	for _, p := range c.Tx.Manager().Prepared() {
		if p.Database == db {
			n++
		}
	}
	return n
}

func thereArePrepared(n int) string {
	if n == 1 {
		return "There is 1 prepared transaction using the database."
	}
	return "There are " + itoa(n) + " prepared transactions using the database."
}

func (o *databaseOptions) read(c *Context, list []*pg_query.Node) error {
	for _, n := range list {
		e := n.GetDefElem()
		var err error
		switch e.Defname {
		case "template":
			if t := defText(e); t != "" && !strings.EqualFold(t, "default") {
				o.template = t
			}
		case "owner":
			if e.Arg != nil {
				if o.owner, err = c.roleByName(defText(e)); err == nil {
					err = c.mayGive(o.owner)
				}
			}
		case "connection_limit":
			o.connLimit, err = defInt(e)
		case "allow_connections":
			o.allow, err = defBool(e)
		case "is_template":
			o.isTempl, err = defBool(e)
		case "encoding":
			if v := strings.ToUpper(strings.ReplaceAll(defText(e), "-", "")); e.Arg != nil && v != "UTF8" && v != "UNICODE" && v != "6" {
				err = pgerror.Unsupported("encoding \"%s\"", defText(e))
			}
		case "lc_collate", "lc_ctype", "locale", "collation_version", "locale_provider":
			switch v := strings.ToLower(defText(e)); v {
			case "", "c", "c.utf-8", "c.utf8", "posix", "libc":
			default:
				err = pgerror.Unsupported("locale \"%s\"", defText(e))
			}
		case "tablespace":
			if e.Arg != nil && defText(e) != "default" {
				o.home = defText(e)
			}
		case "strategy", "oid":
		default:
			err = c.at(pgerror.Newf(pgerror.SyntaxError, "option \"%s\" not recognized", e.Defname), e.Location)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func dropDatabase(c *Context, node *pg_query.Node) (string, error) {
	const tag = "DROP DATABASE"
	s := node.GetDropdbStmt()
	if err := c.topLevel(tag); err != nil {
		return "", err
	}
	force := false
	for _, n := range s.Options {
		force = force || n.GetDefElem().GetDefname() == "force"
	}
	d, err := c.View.DatabaseByName(s.Dbname)
	if err != nil {
		return "", err
	}
	if d == nil {
		if !s.MissingOk {
			return "", pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", s.Dbname)
		}
		c.notice(pgerror.SuccessfulCompletion, "database \"%s\" does not exist, skipping", s.Dbname)
		return tag, nil
	}
	if d, err = c.databaseNamed(s.Dbname); err != nil {
		return "", err
	}
	if d.Template {
		return "", pgerror.New(pgerror.WrongObjectType, "cannot drop a template database")
	}
	if d.OID == c.database() {
		return "", pgerror.New(pgerror.ObjectInUse, "cannot drop the currently open database")
	}
	if err := c.lockObject(bootstrap.RelDatabase, d.OID, lock.AccessExclusive); err != nil {
		return "", err
	}
	if force {
		if n := c.preparedIn(d.OID); n > 0 {
			return "", pgerror.Newf(pgerror.ObjectInUse, "database \"%s\" is being used by prepared transactions", d.Name).
				WithDetail("%s", thereArePrepared(n))
		}
		if err := c.Host.Disconnect(d.OID, c.Session); err != nil {
			return "", err
		}
	}
	if err := c.unused(d, "database"); err != nil {
		return "", err
	}
	o := object{bootstrap.RelDatabase, d.OID, 0}
	if err := c.sharedComment(o, ""); err != nil {
		return "", err
	}
	if err := c.Editor.DeleteAll(bootstrap.RelDbRoleSetting, bootstrap.IdxDbRoleSettingDatabaseidRolIndex, []types.Datum{oidKey(d.OID)}, nil); err != nil {
		return "", err
	}
	if err := c.forgetShared(o, 0); err != nil {
		return "", err
	}
	if err := c.Editor.DeleteAll(bootstrap.RelShdepend, bootstrap.IdxShdependDependerIndex, []types.Datum{oidKey(d.OID)}, nil); err != nil {
		return "", err
	}
	if err := c.Editor.DeleteAll(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex, []types.Datum{oidKey(d.OID)}, nil); err != nil {
		return "", err
	}
	if err := c.Restart(); err != nil { // a crash from here on leaves files without a database, which the next start removes
		return "", err
	}
	return tag, c.Host.DropDatabase(c.Task, d.OID)
}

func (c *Context) renameDatabase(from, to string) error {
	d, err := c.databaseNamed(from)
	if err != nil {
		return err
	}
	if have, err := c.View.DatabaseByName(to); err != nil {
		return err
	} else if have != nil {
		return pgerror.Newf(pgerror.DuplicateDatabase, "database \"%s\" already exists", to)
	}
	if d.OID == c.database() {
		return pgerror.New(pgerror.FeatureNotSupported, "current database cannot be renamed")
	}
	if err := c.unused(d, "database"); err != nil {
		return err
	}
	return c.editRow(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex,
		func(r catalog.Row) { r.SetText(bootstrap.ColDatabaseDatname, to) }, oidKey(d.OID))
}

func alterDatabase(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterDatabaseStmt()
	d, err := c.databaseNamed(s.Dbname)
	if err != nil {
		return "", err
	}
	for _, n := range s.Options {
		e := n.GetDefElem()
		if e.Defname != "tablespace" {
			continue
		}
		if len(s.Options) > 1 {
			return "", c.at(pgerror.New(pgerror.FeatureNotSupported, "option \"tablespace\" cannot be specified with other options"), e.Location)
		}
		if err := c.topLevel("ALTER DATABASE SET TABLESPACE"); err != nil {
			return "", err
		}
		return "ALTER DATABASE", c.moveDatabase(d, defText(e))
	}
	var o databaseOptions
	for _, n := range s.Options {
		e := n.GetDefElem()
		if err := o.read(c, []*pg_query.Node{n}); err != nil {
			return "", err
		}
		err := c.editRow(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex, func(r catalog.Row) {
			switch e.Defname {
			case "connection_limit":
				r.SetInt(bootstrap.ColDatabaseDatconnlimit, o.connLimit)
			case "allow_connections":
				r.SetBool(bootstrap.ColDatabaseDatallowconn, o.allow)
			case "is_template":
				r.SetBool(bootstrap.ColDatabaseDatistemplate, o.isTempl)
			}
		}, oidKey(d.OID))
		if err != nil {
			return "", err
		}
	}
	return "ALTER DATABASE", nil
}

func alterDatabaseSet(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterDatabaseSetStmt()
	d, err := c.databaseNamed(s.Dbname)
	if err != nil {
		return "", err
	}
	return "ALTER DATABASE", c.keepSetting(d.OID, 0, s.Setstmt)
}

func alterRoleSet(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterRoleSetStmt()
	var role, db base.OID
	var err error
	if s.Role != nil {
		if role, err = c.role(s.Role); err != nil {
			return "", err
		}
	}
	if s.Database != "" {
		d, err := c.View.DatabaseByName(s.Database)
		if err != nil {
			return "", err
		}
		if d == nil {
			return "", pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", s.Database)
		}
		db = d.OID
	}
	if role != c.Session.Role {
		if err := c.mayCreateRoles("alter", false); err != nil {
			return "", err
		}
	}
	return "ALTER ROLE", c.keepSetting(db, role, s.Setstmt)
}

// keepSetting stores a default value of a parameter for a database, a role or both in pg_db_role_setting.
func (c *Context) keepSetting(db, role base.OID, s *pg_query.VariableSetStmt) error {
	r, tid, err := c.Editor.One(bootstrap.RelDbRoleSetting, bootstrap.IdxDbRoleSettingDatabaseidRolIndex, oidKey(db), oidKey(role))
	if err != nil {
		return err
	}
	var list []string
	if r != nil {
		list = r.Texts(bootstrap.ColDbRoleSettingSetconfig)
	}
	kept := list[:0:0]
	for _, e := range list {
		name, _, _ := strings.Cut(e, "=")
		if s.Kind != pg_query.VariableSetKind_VAR_RESET_ALL && !strings.EqualFold(name, s.Name) {
			kept = append(kept, e)
		}
	}
	switch s.Kind {
	case pg_query.VariableSetKind_VAR_SET_VALUE, pg_query.VariableSetKind_VAR_SET_CURRENT:
		value, err := c.settingValue(s)
		if err != nil {
			return err
		}
		kept = append(kept, value)
	}
	switch {
	case r == nil && len(kept) == 0:
		return nil
	case len(kept) == 0:
		return c.Editor.Delete(bootstrap.RelDbRoleSetting, tid, r)
	case r == nil:
		r = c.Editor.NewRow(bootstrap.RelDbRoleSetting)
		r.SetOID(bootstrap.ColDbRoleSettingSetdatabase, db)
		r.SetOID(bootstrap.ColDbRoleSettingSetrole, role)
		r.Set(bootstrap.ColDbRoleSettingSetconfig, textArray(kept))
		_, err = c.Editor.Insert(bootstrap.RelDbRoleSetting, r)
		return err
	}
	r.Set(bootstrap.ColDbRoleSettingSetconfig, textArray(kept))
	return c.Editor.Update(bootstrap.RelDbRoleSetting, tid, r)
}

// settingValue gives "name=value" of a SET clause, checked.
func (c *Context) settingValue(s *pg_query.VariableSetStmt) (string, error) {
	p, ok := setting.Lookup(s.Name)
	if !ok {
		if strings.Contains(s.Name, ".") {
			return s.Name + "=" + constList(s.Args, false), nil
		}
		return "", pgerror.Newf(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", s.Name)
	}
	if p.Context < setting.SuperuserBackend {
		return "", pgerror.Newf(pgerror.CantChangeRuntimeParam, "parameter \"%s\" cannot be changed now", p.Name)
	}
	if s.Kind == pg_query.VariableSetKind_VAR_SET_CURRENT {
		_, text, err := c.Session.Settings.Show(p.Name)
		return p.Name + "=" + text, err
	}
	text := constList(s.Args, p.Has(setting.ListQuote))
	_, err := p.Parse(text)
	return p.Name + "=" + text, err
}

// constList joins the constants of a SET clause.
func constList(args []*pg_query.Node, quoteEach bool) string {
	var out []string
	for _, n := range args {
		v := ""
		switch x := n.GetAConst().GetVal().(type) {
		case *pg_query.A_Const_Sval:
			if v = x.Sval.Sval; quoteEach {
				v = catalog.QuoteIdent(v)
			}
		case *pg_query.A_Const_Ival:
			v = itoa(int(x.Ival.Ival))
		case *pg_query.A_Const_Fval:
			v = x.Fval.Fval
		case *pg_query.A_Const_Boolval:
			if v = "off"; x.Boolval.Boolval {
				v = "on"
			}
		}
		out = append(out, v)
	}
	return strings.Join(out, ", ")
}
