package catalog

import (
	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
)

type nameTable struct {
	namespaces       map[base.OID]*Namespace
	namespacesByName map[string]*Namespace
	roles            map[base.OID]*Role
	rolesByName      map[string]*Role
	memberships      map[base.OID][]base.OID // the groups of a role
	databases        map[base.OID]*Database
	databasesByName  map[string]*Database
}

func (v *View) nameTable() (*nameTable, error) {
	return install(v.cache, GroupNames, &v.cache.names, func() (*nameTable, error) {
		t := &nameTable{
			namespaces: map[base.OID]*Namespace{}, namespacesByName: map[string]*Namespace{}, roles: map[base.OID]*Role{},
			rolesByName: map[string]*Role{}, memberships: map[base.OID][]base.OID{}, databases: map[base.OID]*Database{},
			databasesByName: map[string]*Database{},
		}
		for _, load := range []func(*nameTable) error{v.loadNamespaces, v.loadRoles, v.loadDatabases} {
			if err := load(t); err != nil {
				return nil, err
			}
		}
		return t, nil
	})
}

func (v *View) loadNamespaces(t *nameTable) error {
	return v.Scan(bootstrap.RelNamespace, 0, nil, func(_ base.TID, r Row) error {
		n := &Namespace{
			OID: r.OID(bootstrap.ColNamespaceOid), Name: r.Text(bootstrap.ColNamespaceNspname),
			Owner: r.OID(bootstrap.ColNamespaceNspowner), ACL: r[bootstrap.ColNamespaceNspacl-1].Clone(),
		}
		t.namespaces[n.OID], t.namespacesByName[n.Name] = n, n
		return nil
	})
}

func (v *View) loadRoles(t *nameTable) error {
	err := v.Scan(bootstrap.RelAuthid, 0, nil, func(_ base.TID, r Row) error {
		x := &Role{
			OID: r.OID(bootstrap.ColAuthidOid), Name: r.Text(bootstrap.ColAuthidRolname), Super: r.Bool(bootstrap.ColAuthidRolsuper),
			Inherit: r.Bool(bootstrap.ColAuthidRolinherit), CreateRole: r.Bool(bootstrap.ColAuthidRolcreaterole),
			CreateDB: r.Bool(bootstrap.ColAuthidRolcreatedb), CanLogin: r.Bool(bootstrap.ColAuthidRolcanlogin),
			Replication: r.Bool(bootstrap.ColAuthidRolreplication), BypassRLS: r.Bool(bootstrap.ColAuthidRolbypassrls),
			ConnLimit: int32(r.Int(bootstrap.ColAuthidRolconnlimit)), Password: r.Text(bootstrap.ColAuthidRolpassword),
			HasPassword: !r.Null(bootstrap.ColAuthidRolpassword),
		}
		t.roles[x.OID], t.rolesByName[x.Name] = x, x
		return nil
	})
	if err != nil {
		return err
	}
	return v.Scan(bootstrap.RelAuthMembers, 0, nil, func(_ base.TID, r Row) error {
		m := r.OID(bootstrap.ColAuthMembersMember)
		t.memberships[m] = append(t.memberships[m], r.OID(bootstrap.ColAuthMembersRoleid))
		return nil
	})
}

func (v *View) loadDatabases(t *nameTable) error {
	return v.Scan(bootstrap.RelDatabase, 0, nil, func(_ base.TID, r Row) error {
		d := &Database{
			OID: r.OID(bootstrap.ColDatabaseOid), Name: r.Text(bootstrap.ColDatabaseDatname),
			Owner: r.OID(bootstrap.ColDatabaseDatdba), Template: r.Bool(bootstrap.ColDatabaseDatistemplate),
			AllowConn: r.Bool(bootstrap.ColDatabaseDatallowconn), ConnLimit: int32(r.Int(bootstrap.ColDatabaseDatconnlimit)),
			Tablespace: r.OID(bootstrap.ColDatabaseDattablespace),
		}
		t.databases[d.OID], t.databasesByName[d.Name] = d, d
		return nil
	})
}
