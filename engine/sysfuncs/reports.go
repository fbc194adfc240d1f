package sysfuncs

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/types"
)

func registerReports(r registry) {
	for _, kind := range Reports() {
		r.addSet(func(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) { return report(s, kind) }, "manifold_"+kind)
	}
}

// Predefined roles that see what others do, and how the server is configured.
const (
	roleReadAllSettings = 3374
	roleReadAllStats    = 3375
)

// shownOfOthers is how many columns of a client everybody may see: its number, database and user.
const shownOfOthers = 3

// report gives the rows of a view of schema manifold.
func report(s *Scope, kind string) ([]types.Datum, error) {
	if s.Host == nil {
		return nil, nil
	}
	if kind == "configuration" {
		if err := mustBe(s, roleReadAllSettings); err != nil {
			return nil, err
		}
	}
	cols, rows, err := s.Host.Report(s.Task, kind)
	if err != nil {
		return nil, err
	}
	out := make([]types.Datum, 0, len(rows))
	for _, row := range rows {
		if kind == "clients" {
			if err := hideClient(s, row); err != nil {
				return nil, err
			}
		}
		out = append(out, record(cols, row...))
	}
	return out, nil
}

// mustBe fails unless the caller is a superuser or a member of a role.
func mustBe(s *Scope, role base.OID) error {
	ok, err := s.View.MemberOf(s.Session.Role, role)
	if err == nil && !ok {
		err = pgerror.New(pgerror.InsufficientPrivilege, "permission denied for function manifold_configuration")
	}
	return err
}

// hideClient takes out of a row what the caller may not see of another role's session.
func hideClient(s *Scope, row []types.Datum) error {
	owner, err := s.View.RoleByName(text(row[shownOfOthers-1]))
	if err != nil {
		return err
	}
	ok := false
	if owner != nil {
		if ok, err = s.View.MemberOf(s.Session.Role, owner.OID); err != nil {
			return err
		}
	}
	if !ok {
		if ok, err = s.View.MemberOf(s.Session.Role, roleReadAllStats); err != nil {
			return err
		}
	}
	for i := shownOfOthers; !ok && i < len(row); i++ {
		row[i] = types.Null
	}
	return nil
}

// Reports lists the views of schema manifold, each over a function manifold_NAME of its own.
func Reports() []string {
	return []string{"pools", "users", "backends", "clients", "databases", "stats", "histograms", "errors", "configuration"}
}

// manifoldSchema gives the schema with the server's own views. It is an extension's, with an OID of the system's, so that
// dumps leave it out: every cluster has it.
func manifoldSchema() []View {
	const s = "manifold"
	out := []View{{Schema: s, SQL: "CREATE SCHEMA " + s + "; GRANT USAGE ON SCHEMA " + s + " TO PUBLIC"}}
	for _, r := range Reports() {
		name := s + "." + r
		out = append(out, View{s, r, "CREATE VIEW " + name + " AS SELECT * FROM pg_catalog.manifold_" + r + "()"},
			View{s, r, "GRANT SELECT ON " + name + " TO PUBLIC"})
	}
	return append(out, View{s, "pg_extension", `INSERT INTO pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
			SELECT 9991, 'manifold', 10, oid, false, '1.0' FROM pg_catalog.pg_namespace WHERE nspname = 'manifold'`},
		View{s, "pg_depend", `INSERT INTO pg_catalog.pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
			SELECT 'pg_catalog.pg_namespace'::regclass, oid, 0, 'pg_catalog.pg_extension'::regclass, 9991, 0, 'e'::"char"
			FROM pg_catalog.pg_namespace WHERE nspname = 'manifold'
			UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid, 0, 'pg_catalog.pg_extension'::regclass, 9991, 0, 'e'::"char"
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'manifold'`})
}
