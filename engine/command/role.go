package command

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
)

const scramIterations = 4096

// verifier makes the stored form of a password: that of SCRAM-SHA-256 (RFC 5802 and 7677), unless it is one already.
func verifier(password string) (string, error) {
	if strings.HasPrefix(password, "SCRAM-SHA-256$") || strings.HasPrefix(password, "md5") && len(password) == 35 {
		return password, nil
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", pgerror.Internal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", pgerror.Internal(err)
	}
	sign := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt), b64(stored[:]), b64(sign("Server Key"))), nil
}

// mayCreateRoles fails unless the current role has CREATEROLE, or is a superuser where super asks for one.
func (c *Context) mayCreateRoles(what string, super bool) error {
	me, err := c.View.RoleByOID(c.Session.Role)
	if err != nil {
		return err
	}
	if me != nil && (me.Super || me.CreateRole && !super) {
		return nil
	}
	if super {
		return pgerror.Newf(pgerror.InsufficientPrivilege, "must be superuser to %s superusers", what)
	}
	return pgerror.Newf(pgerror.InsufficientPrivilege, "permission denied to %s role", what)
}

// roleOptions applies the options of CREATE ROLE and ALTER ROLE to a row, and gives those about memberships.
func (c *Context) roleOptions(list []*pg_query.Node, r catalog.Row, what string) (map[string]*pg_query.DefElem, error) {
	members := map[string]*pg_query.DefElem{}
	seen := map[string]bool{}
	flags := map[string]int{"superuser": bootstrap.ColAuthidRolsuper, "inherit": bootstrap.ColAuthidRolinherit,
		"createrole": bootstrap.ColAuthidRolcreaterole, "createdb": bootstrap.ColAuthidRolcreatedb,
		"canlogin": bootstrap.ColAuthidRolcanlogin, "isreplication": bootstrap.ColAuthidRolreplication,
		"bypassrls": bootstrap.ColAuthidRolbypassrls}
	for _, n := range list {
		e := n.GetDefElem()
		if seen[e.Defname] {
			return nil, c.at(pgerror.New(pgerror.SyntaxError, "conflicting or redundant options"), e.Location)
		}
		seen[e.Defname] = true
		if col, ok := flags[e.Defname]; ok {
			v, err := defBool(e)
			if err != nil {
				return nil, err
			}
			if (e.Defname == "superuser" || e.Defname == "isreplication" || e.Defname == "bypassrls") && v {
				if err := c.mayCreateRoles(what, true); err != nil {
					return nil, err
				}
			}
			r.SetBool(col, v)
			continue
		}
		switch e.Defname {
		case "connectionlimit":
			v, err := defInt(e)
			if err != nil {
				return nil, err
			}
			if v < -1 {
				return nil, pgerror.Newf(pgerror.InvalidParameterValue, "invalid connection limit: %d", v)
			}
			r.SetInt(bootstrap.ColAuthidRolconnlimit, v)
		case "password":
			r.Set(bootstrap.ColAuthidRolpassword, types.Null)
			if e.Arg != nil && defText(e) != "" {
				v, err := verifier(defText(e))
				if err != nil {
					return nil, err
				}
				r.SetText(bootstrap.ColAuthidRolpassword, v)
			} else if e.Arg != nil {
				c.notice(pgerror.SuccessfulCompletion, "empty string is not a valid password, clearing password")
			}
		case "validUntil":
			d, err := types.In(types.OIDTimestampTZ, -1, defText(e), c.Env)
			if err != nil {
				return nil, err
			}
			r.Set(bootstrap.ColAuthidRolvaliduntil, d)
		case "sysid":
			c.notice(pgerror.SuccessfulCompletion, "SYSID can no longer be specified")
		default:
			members[e.Defname] = e
		}
	}
	return members, nil
}

func createRole(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetCreateRoleStmt()
	if err := c.mayCreateRoles("create", false); err != nil {
		return "", err
	}
	if err := c.freeRoleName(s.Role); err != nil {
		return "", err
	}
	oid, err := c.Tx.Manager().NewOID()
	if err != nil {
		return "", err
	}
	r := c.Editor.NewRow(bootstrap.RelAuthid)
	r.SetOID(bootstrap.ColAuthidOid, oid)
	r.SetText(bootstrap.ColAuthidRolname, s.Role)
	for _, col := range []int{bootstrap.ColAuthidRolsuper, bootstrap.ColAuthidRolcreaterole, bootstrap.ColAuthidRolcreatedb,
		bootstrap.ColAuthidRolcanlogin, bootstrap.ColAuthidRolreplication, bootstrap.ColAuthidRolbypassrls} {
		r.SetBool(col, false)
	}
	r.SetBool(bootstrap.ColAuthidRolinherit, true)
	r.SetBool(bootstrap.ColAuthidRolcanlogin, s.StmtType == pg_query.RoleStmtType_ROLESTMT_USER)
	r.SetInt(bootstrap.ColAuthidRolconnlimit, -1)
	members, err := c.roleOptions(s.Options, r, "create")
	if err != nil {
		return "", err
	}
	if _, err := c.Editor.Insert(bootstrap.RelAuthid, r); err != nil {
		return "", err
	}
	return "CREATE ROLE", c.initialMembers(oid, members)
}

// freeRoleName fails when a name is taken or reserved.
func (c *Context) freeRoleName(name string) error {
	if strings.HasPrefix(name, "pg_") {
		return pgerror.Newf(pgerror.ReservedName, "role name \"%s\" is reserved", name).WithDetail("Role names starting with \"pg_\" are reserved.")
	}
	if name == "public" || name == "none" {
		return pgerror.Newf(pgerror.ReservedName, "role name \"%s\" is reserved", name)
	}
	have, err := c.View.RoleByName(name)
	if err == nil && have != nil {
		err = pgerror.Newf(pgerror.DuplicateObject, "role \"%s\" already exists", name)
	}
	return err
}

// initialMembers applies IN ROLE, ROLE and ADMIN.
func (c *Context) initialMembers(oid base.OID, members map[string]*pg_query.DefElem) error {
	for name, e := range members {
		for _, n := range e.Arg.GetList().GetItems() {
			other, err := c.role(n.GetRoleSpec())
			if err != nil {
				return err
			}
			if name == "addroleto" {
				err = c.addMember(other, oid, false)
			} else {
				err = c.addMember(oid, other, name == "adminmembers")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Context) addMember(group, member base.OID, admin bool) error {
	if cycle, err := c.roleIn(group, member); err != nil {
		return err
	} else if cycle {
		g, m := c.roleText(group), c.roleText(member)
		return pgerror.Newf(pgerror.InvalidGrantOperation, "role \"%s\" is a member of role \"%s\"", g, m)
	}
	keys := []types.Datum{oidKey(group), oidKey(member)}
	have, tid, err := c.Editor.One(bootstrap.RelAuthMembers, bootstrap.IdxAuthMembersRoleMemberIndex, keys...)
	if err != nil {
		return err
	}
	if have != nil {
		if !admin || have.Bool(bootstrap.ColAuthMembersAdminOption) {
			c.notice(pgerror.SuccessfulCompletion, "role \"%s\" is already a member of role \"%s\"", c.roleText(member), c.roleText(group))
			return nil
		}
		have.SetBool(bootstrap.ColAuthMembersAdminOption, true)
		return c.Editor.Update(bootstrap.RelAuthMembers, tid, have)
	}
	r := c.Editor.NewRow(bootstrap.RelAuthMembers)
	r.SetOID(bootstrap.ColAuthMembersRoleid, group)
	r.SetOID(bootstrap.ColAuthMembersMember, member)
	r.SetOID(bootstrap.ColAuthMembersGrantor, c.Session.Role)
	r.SetBool(bootstrap.ColAuthMembersAdminOption, admin)
	_, err = c.Editor.Insert(bootstrap.RelAuthMembers, r)
	return err
}

// roleIn tells whether role is member, or a member of it, whatever superusers may do.
func (c *Context) roleIn(role, member base.OID) (bool, error) {
	if role == member {
		return true, nil
	}
	found := false
	var groups []base.OID
	err := c.View.Scan(bootstrap.RelAuthMembers, bootstrap.IdxAuthMembersMemberRoleIndex, []types.Datum{oidKey(role)},
		func(_ base.TID, r catalog.Row) error {
			groups = append(groups, r.OID(bootstrap.ColAuthMembersRoleid))
			return nil
		})
	for _, g := range groups {
		if err == nil && !found {
			found, err = c.roleIn(g, member)
		}
	}
	return found, err
}

func (c *Context) roleText(oid base.OID) string {
	r, err := c.View.RoleByOID(oid)
	if err != nil || r == nil {
		return itoa(int(oid))
	}
	return r.Name
}

func alterRole(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetAlterRoleStmt()
	oid, err := c.role(s.Role)
	if err != nil {
		return "", err
	}
	target, err := c.View.RoleByOID(oid)
	if err != nil {
		return "", err
	}
	onlyPassword := len(s.Options) == 1 && s.Options[0].GetDefElem().GetDefname() == "password"
	if !(onlyPassword && oid == c.Session.Role) {
		if err := c.mayCreateRoles("alter", target.Super); err != nil {
			return "", err
		}
	}
	r, tid, err := c.Editor.One(bootstrap.RelAuthid, bootstrap.IdxAuthidOidIndex, oidKey(oid))
	if err != nil || r == nil {
		return "", err
	}
	members, err := c.roleOptions(s.Options, r, "alter")
	if err != nil {
		return "", err
	}
	if err := c.Editor.Update(bootstrap.RelAuthid, tid, r); err != nil {
		return "", err
	}
	for _, e := range members {
		for _, n := range e.Arg.GetList().GetItems() {
			m, err := c.role(n.GetRoleSpec())
			if err == nil && s.Action > 0 {
				err = c.addMember(oid, m, false)
			} else if err == nil {
				err = c.dropMember(oid, m, false)
			}
			if err != nil {
				return "", err
			}
		}
	}
	return "ALTER ROLE", nil
}

func (c *Context) dropMember(group, member base.OID, adminOnly bool) error {
	keys := []types.Datum{oidKey(group), oidKey(member)}
	have, tid, err := c.Editor.One(bootstrap.RelAuthMembers, bootstrap.IdxAuthMembersRoleMemberIndex, keys...)
	if err != nil {
		return err
	}
	if have == nil {
		c.warning(pgerror.Warning, "role \"%s\" is not a member of role \"%s\"", c.roleText(member), c.roleText(group))
		return nil
	}
	if adminOnly {
		have.SetBool(bootstrap.ColAuthMembersAdminOption, false)
		return c.Editor.Update(bootstrap.RelAuthMembers, tid, have)
	}
	return c.Editor.Delete(bootstrap.RelAuthMembers, tid, have)
}

func grantRole(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetGrantRoleStmt()
	tag := "GRANT ROLE"
	if !s.IsGrant {
		tag = "REVOKE ROLE"
	}
	admin := false
	for _, n := range s.Opt {
		if e := n.GetDefElem(); e.Defname == "admin" {
			admin = true
		} else {
			return "", pgerror.Newf(pgerror.SyntaxError, "unrecognized role option \"%s\"", e.Defname)
		}
	}
	for _, g := range s.GrantedRoles {
		group, err := c.roleByName(g.GetAccessPriv().GetPrivName())
		if err != nil {
			return "", err
		}
		if err := c.mayGrantRole(group); err != nil {
			return "", err
		}
		for _, n := range s.GranteeRoles {
			m, err := c.role(n.GetRoleSpec())
			if err == nil && s.IsGrant {
				err = c.addMember(group, m, admin)
			} else if err == nil {
				err = c.dropMember(group, m, admin)
			}
			if err != nil {
				return "", err
			}
		}
	}
	return tag, nil
}

func (c *Context) mayGrantRole(group base.OID) error {
	g, err := c.View.RoleByOID(group)
	if err != nil {
		return err
	}
	me, err := c.View.RoleByOID(c.Session.Role)
	if err != nil || me != nil && (me.Super || me.CreateRole && !g.Super) {
		return err
	}
	have, err := c.View.Row(bootstrap.RelAuthMembers, bootstrap.IdxAuthMembersRoleMemberIndex, oidKey(group), oidKey(c.Session.Role))
	if err != nil || have != nil && have.Bool(bootstrap.ColAuthMembersAdminOption) {
		return err
	}
	return pgerror.Newf(pgerror.InsufficientPrivilege, "must have admin option on role \"%s\"", g.Name)
}

func dropRole(c *Context, node *pg_query.Node) (string, error) {
	s := node.GetDropRoleStmt()
	if err := c.mayCreateRoles("drop", false); err != nil {
		return "", err
	}
	for _, n := range s.Roles {
		name := n.GetRoleSpec().GetRolename()
		r, err := c.View.RoleByName(name)
		if err != nil {
			return "", err
		}
		if r == nil {
			if !s.MissingOk {
				return "", pgerror.Newf(pgerror.UndefinedObject, "role \"%s\" does not exist", name)
			}
			c.notice(pgerror.SuccessfulCompletion, "role \"%s\" does not exist, skipping", name)
			continue
		}
		if err := c.removeRole(r); err != nil {
			return "", err
		}
	}
	return "DROP ROLE", nil
}

func (c *Context) removeRole(r *catalog.Role) error {
	switch {
	case r.OID == c.Session.Role:
		return pgerror.New(pgerror.ObjectInUse, "current user cannot be dropped")
	case r.OID == c.Session.User.OID:
		return pgerror.New(pgerror.ObjectInUse, "session user cannot be dropped")
	case r.OID < firstUnpinned:
		return pgerror.Newf(pgerror.DependentObjectsStillExist, "cannot drop role %s because it is required by the database system", r.Name)
	}
	if r.Super {
		if err := c.mayCreateRoles("drop", true); err != nil {
			return err
		}
	}
	if err := c.lockObject(bootstrap.RelAuthid, r.OID, lock.AccessExclusive); err != nil {
		return err
	}
	if err := c.unusedRole(r); err != nil {
		return err
	}
	for _, k := range []struct{ table, index base.OID }{
		{bootstrap.RelAuthMembers, bootstrap.IdxAuthMembersRoleMemberIndex},
		{bootstrap.RelAuthMembers, bootstrap.IdxAuthMembersMemberRoleIndex},
		{bootstrap.RelAuthid, bootstrap.IdxAuthidOidIndex},
	} {
		if err := c.Editor.DeleteAll(k.table, k.index, []types.Datum{oidKey(r.OID)}, nil); err != nil {
			return err
		}
	}
	if err := c.sharedComment(object{bootstrap.RelAuthid, r.OID, 0}, ""); err != nil {
		return err
	}
	return c.Editor.DeleteAll(bootstrap.RelDbRoleSetting, 0, nil, func(x catalog.Row) bool {
		return x.OID(bootstrap.ColDbRoleSettingSetrole) == r.OID
	})
}

// unusedRole fails when objects depend on a role.
func (c *Context) unusedRole(r *catalog.Role) error {
	var lines []string
	err := c.View.Scan(bootstrap.RelShdepend, bootstrap.IdxShdependReferenceIndex, []types.Datum{oidKey(bootstrap.RelAuthid), oidKey(r.OID)},
		func(_ base.TID, x catalog.Row) error {
			db := x.OID(bootstrap.ColShdependDbid)
			if db != 0 && db != c.database() {
				d, err := c.View.DatabaseByOID(db)
				if err == nil && d != nil {
					lines = append(lines, fmt.Sprintf("1 object in database %s", d.Name))
				}
				return err
			}
			what, err := sysfuncs.Describe(c.names(), x.OID(bootstrap.ColShdependClassid), x.OID(bootstrap.ColShdependObjid),
				int(x.Int(bootstrap.ColShdependObjsubid)))
			word := "owner of "
			if x.Byte(bootstrap.ColShdependDeptype) == 'a' {
				word = "privileges for "
			}
			lines = append(lines, word+what)
			return err
		})
	if err == nil && len(lines) > 0 {
		err = pgerror.Newf(pgerror.DependentObjectsStillExist, "role \"%s\" cannot be dropped because some objects depend on it", r.Name).
			WithDetail("%s", detail(lines))
	}
	return err
}

// renameRole gives a role another name. Access control lists keep names, so a role that appears in one stays as it is.
func (c *Context) renameRole(from, to string) error {
	oid, err := c.roleByName(from)
	if err != nil {
		return err
	}
	r, err := c.View.RoleByOID(oid)
	if err != nil {
		return err
	}
	if oid == c.Session.Role || oid == c.Session.User.OID {
		return pgerror.New(pgerror.FeatureNotSupported, "session user cannot be renamed")
	}
	if err := c.freeRoleName(to); err != nil {
		return err
	}
	if err := c.mayCreateRoles("rename", r.Super); err != nil {
		return err
	}
	if r.OID < firstUnpinned {
		return pgerror.Newf(pgerror.ReservedName, "role name \"%s\" is reserved", from)
	}
	if used, err := c.roleInLists(oid); err != nil {
		return err
	} else if used {
		return pgerror.Unsupported("ALTER ROLE RENAME of a role that has been granted privileges")
	}
	return c.editRow(bootstrap.RelAuthid, bootstrap.IdxAuthidOidIndex,
		func(r catalog.Row) { r.SetText(bootstrap.ColAuthidRolname, to) }, oidKey(oid))
}

// roleInLists tells whether a role owns or is granted anything.
func (c *Context) roleInLists(oid base.OID) (bool, error) {
	used := false
	err := c.View.Scan(bootstrap.RelShdepend, bootstrap.IdxShdependReferenceIndex, []types.Datum{oidKey(bootstrap.RelAuthid), oidKey(oid)},
		func(base.TID, catalog.Row) error { used = true; return nil })
	return used, err
}
