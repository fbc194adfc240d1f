package sysfuncs

import (
	"strings"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

// asked is what a has_*_privilege function asks about: a role, an object by name or OID, and a list of privileges of
// which one suffices.
type asked struct {
	role  base.OID
	rest  []types.Datum
	privs []Priv
}

// ask reads the arguments of a has_*_privilege function, whose name says what they are: "name" or "id" for the role, when
// it is there, and for the object.
func ask(s *Scope, a []types.Datum, roleForm string, all Priv) (*asked, error) {
	q := &asked{role: s.Session.Role, rest: a}
	switch roleForm {
	case "name":
		name := text(a[0])
		q.rest = a[1:]
		if name == "public" {
			q.role = 0
			break
		}
		r, err := s.View.RoleByName(name)
		if err == nil && r == nil {
			err = pgerror.Newf(pgerror.UndefinedObject, "role \"%s\" does not exist", name)
		}
		if err != nil {
			return nil, err
		}
		q.role = r.OID
	case "id":
		q.role, q.rest = oidArg(a[0]), a[1:]
	}
	for _, w := range strings.Split(text(q.rest[len(q.rest)-1]), ",") {
		w = strings.TrimSpace(w)
		name := strings.TrimSuffix(strings.ToUpper(w), " WITH GRANT OPTION")
		p := PrivByName(name)
		if p == 0 || p&all == 0 {
			return nil, pgerror.Newf(pgerror.InvalidParameterValue, "unrecognized privilege type: \"%s\"", w)
		}
		q.privs = append(q.privs, p)
	}
	return q, nil
}

// answer tells whether one of the privileges is there.
func (q *asked) answer(allows func(p Priv) (bool, error)) (types.Datum, error) {
	for _, p := range q.privs {
		ok, err := allows(p)
		if err != nil || ok {
			return types.Bool(ok), err
		}
	}
	return types.Bool(false), nil
}

func registerPrivileges(r registry) {
	object := func(what string, all Priv, find func(s *Scope, d types.Datum, byName bool) (base.OID, error),
		allows func(s *Scope, role, oid base.OID, p Priv) (found, ok bool, err error)) {
		for _, form := range [][2]string{{"name", "name"}, {"name", "id"}, {"id", "name"}, {"id", "id"}, {"", "name"}, {"", "id"}} {
			name := "has_" + what + "_privilege_" + strings.TrimPrefix(form[0]+"_"+form[1], "_")
			r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
				q, err := ask(s, a, form[0], all)
				if err != nil {
					return types.Null, err
				}
				oid, err := find(s, q.rest[0], form[1] == "name")
				if err != nil {
					return types.Null, err
				}
				missing := false
				d, err := q.answer(func(p Priv) (bool, error) {
					found, ok, err := allows(s, q.role, oid, p)
					missing = missing || !found
					return ok, err
				})
				if missing {
					return types.Null, err
				}
				return d, err
			}, name)
		}
	}
	object("table", AllTable, findRelation, tableAllows)
	object("any_column", AllColumn, findRelation, tableAllows)
	object("sequence", AllSequence, findRelation, tableAllows)
	object("schema", AllSchema, findBy(types.RegNamespace), func(s *Scope, role, oid base.OID, p Priv) (bool, bool, error) {
		ns, err := s.View.NamespaceByOID(oid)
		if err != nil || ns == nil {
			return false, false, err
		}
		ok, err := aclAllows(s.View, role, ns.ACL, ns.Owner, schemaDefault, p)
		return true, ok, err
	})
	object("database", AllDatabase, findDatabase, func(s *Scope, role, oid base.OID, p Priv) (bool, bool, error) {
		d, err := s.View.DatabaseByOID(oid)
		if err != nil || d == nil {
			return false, false, err
		}
		ok, err := DatabaseAllows(s.View, role, oid, p)
		return true, ok, err
	})
	object("function", AllFunction, findBy(types.RegProcedure), procAllows)
	always := func(*Scope, base.OID, base.OID, Priv) (bool, bool, error) { return true, true, nil }
	object("type", PrivUsage, findBy(types.RegType), always)
	object("language", PrivUsage, func(*Scope, types.Datum, bool) (base.OID, error) { return 0, nil }, always)
	object("tablespace", PrivCreate, func(*Scope, types.Datum, bool) (base.OID, error) { return 0, nil },
		func(s *Scope, role, _ base.OID, _ Priv) (bool, bool, error) {
			x, err := s.View.RoleByOID(role)
			return true, x != nil && x.Super, err
		})
	registerColumnPrivileges(r)
	registerRoleMembership(r)
}

func findRelation(s *Scope, d types.Datum, byName bool) (base.OID, error) {
	if !byName {
		return oidArg(d), nil
	}
	return s.Names.OIDOf(types.RegClass, text(d))
}

func findBy(kind types.RegKind) func(s *Scope, d types.Datum, byName bool) (base.OID, error) {
	return func(s *Scope, d types.Datum, byName bool) (base.OID, error) {
		if !byName {
			return oidArg(d), nil
		}
		return s.Names.OIDOf(kind, text(d))
	}
}

func findDatabase(s *Scope, d types.Datum, byName bool) (base.OID, error) {
	if !byName {
		return oidArg(d), nil
	}
	x, err := s.View.DatabaseByName(text(d))
	if err == nil && x == nil {
		err = pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", d.B)
	}
	if err != nil {
		return 0, err
	}
	return x.OID, nil
}

func tableAllows(s *Scope, role, oid base.OID, p Priv) (bool, bool, error) {
	row, err := s.View.Row(bootstrap.RelClass, bootstrap.IdxClassOidIndex, oidOf(oid))
	if err != nil || row == nil {
		return false, false, err
	}
	ok, err := relationAllows(s.View, role, row, p)
	return true, ok, err
}

func procAllows(s *Scope, role, oid base.OID, p Priv) (bool, bool, error) {
	row, err := s.View.Row(bootstrap.RelProc, bootstrap.IdxProcOidIndex, oidOf(oid))
	if err != nil || row == nil {
		return false, false, err
	}
	ok, err := aclAllows(s.View, role, row[bootstrap.ColProcProacl-1], row.OID(bootstrap.ColProcProowner), functionDefault, p)
	return true, ok, err
}

func registerColumnPrivileges(r registry) {
	for _, role := range []string{"name", "id", ""} {
		for _, table := range []string{"name", "id"} {
			for _, col := range []string{"name", "attnum"} {
				name := "has_column_privilege_" + strings.TrimPrefix(role+"_"+table+"_"+col, "_")
				r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
					q, err := ask(s, a, role, AllColumn)
					if err != nil {
						return types.Null, err
					}
					oid, err := findRelation(s, q.rest[0], table == "name")
					if err != nil {
						return types.Null, err
					}
					d, err := s.View.Relation(oid)
					if err != nil || d == nil {
						return types.Null, err
					}
					attr := int(q.rest[1].I)
					if col == "name" {
						if attr = d.ColumnByName(text(q.rest[1])); attr == 0 {
							return types.Null, pgerror.Newf(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", q.rest[1].B, d.Name)
						}
					}
					return q.answer(func(p Priv) (bool, error) {
						if _, ok, err := tableAllows(s, q.role, oid, p); ok || err != nil {
							return ok, err
						}
						return columnAllows(s.View, q.role, oid, attr, p)
					})
				}, name)
			}
		}
	}
}

// registerRoleMembership adds pg_has_role: MEMBER, USAGE and SET are all membership here.
func registerRoleMembership(r registry) {
	for _, form := range [][2]string{{"name", "name"}, {"name", "id"}, {"id", "name"}, {"id", "id"}, {"", "name"}, {"", "id"}} {
		name := "pg_has_role_" + strings.TrimPrefix(form[0]+"_"+form[1], "_")
		r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			role, rest := s.Session.Role, a
			var err error
			if form[0] != "" {
				if role, err = findBy(types.RegRole)(s, quoted(a[0], form[0]), form[0] == "name"); err != nil {
					return types.Null, err
				}
				rest = a[1:]
			}
			group, err := findBy(types.RegRole)(s, quoted(rest[0], form[1]), form[1] == "name")
			if err != nil {
				return types.Null, err
			}
			ok, err := s.View.MemberOf(role, group)
			return types.Bool(ok), err
		}, name)
	}
	r.addSet(aclExplode, "aclexplode")
	r.add(aclDefault, "acldefault_sql")
	r.addSet(optionsToTable, "pg_options_to_table")
}

// quoted makes a role's plain name one that the input of regrole reads as it is.
func quoted(d types.Datum, form string) types.Datum {
	if form != "name" {
		return d
	}
	return types.Text(catalog.QuoteIdent(text(d)))
}

func aclExplode(s *Scope, _ *builtins.Context, a []types.Datum) ([]types.Datum, error) {
	items, err := ParseACL(a[0])
	if err != nil {
		return nil, err
	}
	var out []types.Datum
	find := func(name string) (types.Datum, error) {
		if name == "" {
			return oidOf(0), nil
		}
		r, err := s.View.RoleByName(name)
		if err != nil || r == nil {
			return oidOf(0), err
		}
		return oidOf(r.OID), nil
	}
	for _, it := range items {
		grantor, err := find(it.Grantor)
		if err != nil {
			return nil, err
		}
		grantee, err := find(it.Grantee)
		if err != nil {
			return nil, err
		}
		for i, n := range privNames() {
			if it.Priv&(1<<i) != 0 {
				out = append(out, record([]base.OID{types.OIDOID, types.OIDOID, types.OIDText, types.OIDBool}, grantor, grantee,
					types.Text(n), types.Bool(it.Grant&(1<<i) != 0)))
			}
		}
	}
	return out, nil
}

func optionsToTable(_ *Scope, _ *builtins.Context, a []types.Datum) ([]types.Datum, error) {
	if a[0].Null {
		return nil, nil
	}
	list := types.OpenArray(a[0])
	var out []types.Datum
	for i := range list.Len() {
		name, value, ok := strings.Cut(text(list.At(i)), "=")
		v := types.Null
		if ok {
			v = types.Text(value)
		}
		out = append(out, record([]base.OID{types.OIDText, types.OIDText}, types.Text(name), v))
	}
	return out, nil
}

// aclDefault gives the list that an object without one behaves as if it had.
func aclDefault(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	var all, public Priv
	switch byte(a[0].I) {
	case 'c':
	case 'r':
		all = AllTable
	case 's':
		all = AllSequence
	case 'd':
		all, public = AllDatabase, databaseDefault
	case 'f':
		all, public = AllFunction, functionDefault
	case 'l', 'T':
		all, public = PrivUsage, PrivUsage
	case 'n':
		all = AllSchema
	case 't':
		all = PrivCreate
	case 'F', 'S':
		all = PrivUsage
	default:
		return types.Null, pgerror.Newf(pgerror.InternalError, "unrecognized object type abbreviation: %c", byte(a[0].I))
	}
	owner, err := roleName(s, oidArg(a[1]))
	if err != nil {
		return types.Null, err
	}
	var items []ACLItem
	if public != 0 {
		items = append(items, ACLItem{Grantor: text(owner), Priv: public})
	}
	if all != 0 {
		items = append(items, ACLItem{Grantee: text(owner), Grantor: text(owner), Priv: all})
	}
	return FormatACL(items), nil
}
