package sysfuncs

import (
	"fmt"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/page"
	"manifold/engine/relation"
	"manifold/engine/storage"
	"manifold/engine/types"
)

func registerSizes(r registry) {
	r.add(relationSize, "oid:2325", "pg_relation_size")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		return sizeOf(s, oidArg(a[0]), func(d *relation.Desc) (int64, error) { return tableSize(s, d) })
	}, "pg_table_size")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		return sizeOf(s, oidArg(a[0]), func(d *relation.Desc) (int64, error) { return indexesSize(s, d) })
	}, "pg_indexes_size")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		return sizeOf(s, oidArg(a[0]), func(d *relation.Desc) (int64, error) {
			n, err := tableSize(s, d)
			if err != nil {
				return 0, err
			}
			m, err := indexesSize(s, d)
			return n + m, err
		})
	}, "pg_total_relation_size")
	r.add(func(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		return types.Text(prettySize(a[0].I)), nil
	}, "pg_size_pretty")
	r.add(databaseSize, "pg_database_size_oid", "pg_database_size_name")
	registerSpaces(r)
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		d, err := s.View.Relation(oidArg(a[0]))
		if err != nil || d == nil || d.File.Number == 0 {
			return types.Null, err
		}
		return oidOf(d.File.Number), nil
	}, "pg_relation_filenode")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		d, err := s.View.Relation(oidArg(a[0]))
		if err != nil || d == nil || d.File.Number == 0 {
			return types.Null, err
		}
		if d.Shared {
			return types.Text(fmt.Sprintf("global/%d", d.File.Number)), nil
		}
		return types.Text(storage.RelationPath(d.File, base.MainFork)), nil
	}, "pg_relation_filepath")
	r.add(filenodeRelation, "pg_filenode_relation")
	r.add(func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Bool(false), nil }, "pg_relation_is_publishable")
}

// filenodeRelation finds the relation that has a file in a tablespace; zero is that of the database.
func filenodeRelation(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	space, number := oidArg(a[0]), oidArg(a[1])
	if number == 0 {
		return types.Null, nil
	}
	if space == s.View.Home() {
		space = 0
	}
	for _, d := range bootstrap.Relations() {
		if d.Shared == (space == base.GlobalTablespace) && (d.Shared || space == 0) && s.View.Catalog(d.OID).File.Number == number {
			return oidOf(d.OID), nil
		}
	}
	r, err := s.View.Row(bootstrap.RelClass, bootstrap.IdxClassTblspcRelfilenodeIndex, types.Int(int64(space)), types.Int(int64(number)))
	if err != nil || r == nil {
		return types.Null, err
	}
	return oidOf(r.OID(bootstrap.ColClassOid)), nil
}

// sizeOf computes a size in bytes of a relation; null when it is gone.
func sizeOf(s *Scope, oid base.OID, f func(d *relation.Desc) (int64, error)) (types.Datum, error) {
	d, err := s.View.Relation(oid)
	if err != nil || d == nil {
		return types.Null, err
	}
	n, err := f(d)
	return types.Int(n), err
}

// forkSize gives the bytes of a fork; zero when it has no file.
func forkSize(s *Scope, f base.RelFile, fork base.Fork) (int64, error) {
	pool := s.Tx.Manager().Pool()
	if fork != base.MainFork {
		if ok, err := pool.Storage().Exists(f, fork); err != nil || !ok {
			return 0, err
		}
	}
	n, err := pool.Blocks(f, fork)
	return int64(n) * page.Size, err
}

func relationSize(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	fork := base.MainFork
	if len(a) > 1 {
		switch text(a[1]) {
		case "main":
		case "fsm":
			fork = base.FSMFork
		case "vm":
			fork = base.VMFork
		default:
			return types.Int(0), nil
		}
	}
	return sizeOf(s, oidArg(a[0]), func(d *relation.Desc) (int64, error) {
		if d.Kind == relation.KindView {
			return 0, nil
		}
		return forkSize(s, d.File, fork)
	})
}

func tableSize(s *Scope, d *relation.Desc) (int64, error) {
	if d.Kind == relation.KindView {
		return 0, nil
	}
	total := int64(0)
	for _, fork := range []base.Fork{base.MainFork, base.FSMFork, base.VMFork} {
		n, err := forkSize(s, d.File, fork)
		if err != nil {
			return 0, err
		}
		total += n
	}
	if d.ToastRel == nil {
		return total, nil
	}
	n, err := tableSize(s, d.ToastRel)
	if err != nil {
		return 0, err
	}
	m, err := indexesSize(s, d.ToastRel)
	return total + n + m, err
}

func indexesSize(s *Scope, d *relation.Desc) (int64, error) {
	total := int64(0)
	for _, ix := range d.Indexes {
		n, err := forkSize(s, ix.File, base.MainFork)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// databaseSize adds up the relations of the session's own database; of others only the catalogs that all have are known,
// so they are not told.
func databaseSize(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	oid := oidArg(a[0])
	if a[0].B != nil {
		var err error
		if oid, err = findDatabase(s, a[0], true); err != nil {
			return types.Null, err
		}
	}
	if oid != s.Session.Database.OID {
		return types.Null, nil
	}
	total := int64(0)
	for _, d := range bootstrap.Relations() {
		if d.Shared {
			continue
		}
		n, err := forkSize(s, s.View.Catalog(d.OID).File, base.MainFork)
		if err != nil {
			return types.Null, err
		}
		total += n
	}
	err := s.View.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
		if r.Bool(bootstrap.ColClassRelisshared) || r.OID(bootstrap.ColClassRelfilenode) == 0 ||
			r.Byte(bootstrap.ColClassRelpersistence) == relation.Temporary {
			return nil
		}
		space := r.OID(bootstrap.ColClassReltablespace)
		if space == 0 {
			space = s.View.Home()
		}
		f := base.RelFile{Space: space, Database: oid, Number: r.OID(bootstrap.ColClassRelfilenode)}
		n, err := forkSize(s, f, base.MainFork)
		total += n
		return err
	})
	return types.Int(total), err
}

// prettySize prints a number of bytes in the unit that keeps it below 10240, rounding halves away from zero.
func prettySize(n int64) string {
	abs := func(v int64) uint64 {
		if v < 0 {
			return uint64(-v)
		}
		return uint64(v)
	}
	const limit = 10 * 1024
	if abs(n) < limit {
		return fmt.Sprintf("%d bytes", n)
	}
	for i, unit := range []string{"kB", "MB", "GB", "TB"} {
		if half := n >> (9 + 10*i); abs(half) < 2*limit-1 {
			return fmt.Sprintf("%d %s", roundHalf(half), unit)
		}
	}
	return fmt.Sprintf("%d PB", roundHalf(n>>49))
}

// roundHalf turns a number of halves into wholes.
func roundHalf(half int64) int64 {
	if half < 0 {
		return half / 2
	}
	return (half + 1) / 2
}
