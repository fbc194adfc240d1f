package engine

import (
	"strings"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
)

// clearLeftovers removes what a crash left behind: files that no catalog knows, of transactions that were open, and
// temporary schemas with what was in them. A fault costs disk space only, so it is told and does not keep the cluster down.
func (e *Engine) clearLeftovers() {
	keep := false // catalog rows of a prepared transaction, which nobody sees yet, may know the files
	for _, p := range e.cluster.Txns.Prepared() {
		keep = keep || p.Catalog
	}
	task := activity.NewTask(0, nil)
	var dbs []*catalog.Database
	err := e.read(task, bootstrap.DatabaseTemplate1, func(v *catalog.View) error {
		var err error
		dbs, err = v.Databases()
		return err
	})
	if err != nil {
		e.cfg.Log(pgerror.From(err), "looking for what the crash left")
		return
	}
	var files map[base.OID][]base.RelFile
	if !keep {
		if err := e.clearDirectories(dbs); err != nil {
			e.cfg.Log(pgerror.From(err), "looking for what the crash left")
		}
		if files, err = e.filesByDatabase(); err != nil {
			e.cfg.Log(pgerror.From(err), "looking for what the crash left")
			return
		}
	}
	if err := e.clearFiles(e.catalogFiles(0, base.GlobalTablespace), files[0]); err != nil {
		e.cfg.Log(pgerror.From(err), "looking for what the crash left")
	}
	for _, db := range dbs {
		if err := e.clearDatabase(task, db, files[db.OID]); err != nil {
			e.cfg.Log(pgerror.From(err), "looking for what the crash left in database \""+db.Name+"\"")
		}
	}
}

// clearDirectories removes the files of databases that are gone, or were never finished.
func (e *Engine) clearDirectories(dbs []*catalog.Database) error {
	known := map[base.OID]bool{}
	for _, db := range dbs {
		known[db.OID] = true
	}
	have, err := e.cluster.Store.Databases()
	if err != nil {
		return err
	}
	for _, db := range have {
		if !known[db] {
			e.cluster.Pool.DropDatabase(db)
			if err := e.cluster.Store.DropDatabase(db); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) filesByDatabase() (map[base.OID][]base.RelFile, error) {
	out := map[base.OID][]base.RelFile{}
	seen := map[base.RelFile]bool{} // any fork counts: a crash may have left only the map of free space
	err := e.cluster.Store.Each(func(f storage.File) error {
		if f.Temp == 0 && !seen[f.RelFile] {
			seen[f.RelFile] = true
			out[f.Database] = append(out[f.Database], f.RelFile)
		}
		return nil
	})
	return out, err
}

func (e *Engine) clearDatabase(task *activity.Task, db *catalog.Database, files []base.RelFile) error {
	if e.cluster.Store.Map(db.OID) == nil {
		return noMap(db.OID)
	}
	known := e.catalogFiles(db.OID, db.Tablespace)
	var schemas []string
	err := e.read(task, db.OID, func(v *catalog.View) error {
		err := v.Scan(bootstrap.RelClass, 0, nil, func(_ base.TID, r catalog.Row) error {
			f := base.RelFile{Space: r.OID(bootstrap.ColClassReltablespace), Database: db.OID, Number: r.OID(bootstrap.ColClassRelfilenode)}
			if f.Space == 0 {
				f.Space = db.Tablespace
			}
			known[f] = true
			return nil
		})
		if err != nil {
			return err
		}
		return v.Scan(bootstrap.RelNamespace, 0, nil, func(_ base.TID, r catalog.Row) error {
			name := r.Text(bootstrap.ColNamespaceNspname)
			if strings.HasPrefix(name, "pg_temp_") || strings.HasPrefix(name, "pg_toast_temp_") {
				schemas = append(schemas, name)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := e.clearFiles(known, files); err != nil {
		return err
	}
	if len(schemas) == 0 {
		return nil
	}
	return e.internal(task, db.OID, "DROP SCHEMA "+strings.Join(schemas, ", ")+" CASCADE")
}

// catalogFiles gives the files of the catalogs of a database, zero for those of the cluster.
func (e *Engine) catalogFiles(db, space base.OID) map[base.RelFile]bool {
	files := map[base.RelFile]bool{}
	where := e.cluster.Store.Map(db)
	for _, d := range bootstrap.Relations() {
		if d.Shared == (db == 0) {
			files[base.RelFile{Space: space, Database: db, Number: where.Number(d.OID)}] = true
		}
	}
	return files
}

// clearFiles removes the files that are not known.
func (e *Engine) clearFiles(known map[base.RelFile]bool, files []base.RelFile) error {
	for _, f := range files {
		if known[f] {
			continue
		}
		e.cluster.Pool.DropRelation(f)
		if err := e.cluster.Store.Unlink(f); err != nil {
			return err
		}
	}
	return nil
}

// noMap is the fault of a database whose relation map is lost.
func noMap(db base.OID) error {
	return pgerror.Corrupt("could not open file \"%s\": it is missing", storage.RelMapPath(db))
}
