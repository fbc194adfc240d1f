package sysfuncs

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/types"
)

func registerSpaces(r registry) {
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		oid := oidArg(a[0])
		if oid == base.DefaultTablespace || oid == base.GlobalTablespace {
			return types.Text(""), nil
		}
		where, err := s.Tx.Manager().Pool().Storage().SpaceLocation(oid)
		return types.Text(where), err
	}, "pg_tablespace_location")
	r.add(spaceSize, "pg_tablespace_size_oid", "pg_tablespace_size_name")
	r.addSet(func(s *Scope, _ *builtins.Context, a []types.Datum) ([]types.Datum, error) {
		list, err := s.Tx.Manager().Pool().Storage().SpaceDatabases(oidArg(a[0]))
		var out []types.Datum
		for _, db := range list {
			out = append(out, oidOf(db))
		}
		return out, err
	}, "pg_tablespace_databases")
}

// spaceSize adds up the files of a tablespace.
func spaceSize(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	oid := oidArg(a[0])
	if a[0].B != nil {
		r, err := s.View.Row(bootstrap.RelTablespace, bootstrap.IdxTablespaceSpcnameIndex, types.Text(text(a[0])))
		if err != nil {
			return types.Null, err
		}
		if r == nil {
			return types.Null, pgerror.Newf(pgerror.UndefinedObject, "tablespace \"%s\" does not exist", text(a[0]))
		}
		oid = r.OID(bootstrap.ColTablespaceOid)
	}
	pool := s.Tx.Manager().Pool()
	total := int64(0)
	err := pool.Storage().Each(func(f storage.File) error {
		if f.Space != oid {
			return nil
		}
		n, err := pool.Blocks(f.RelFile, f.Fork)
		total += int64(n) * page.Size
		return err
	})
	return types.Int(total), err
}
