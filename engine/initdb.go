package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"strings"

	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/pgerror"

	"manifold/engine/recovery"
	"manifold/engine/relation"
	"manifold/engine/session"
	"manifold/engine/sysfuncs"
	"manifold/engine/txn"
	"manifold/engine/vfs"
)

// segmentSize is the usual size of log segments of new clusters.
const segmentSize = 16 << 20

// IsEmpty tells whether a directory holds no cluster and nothing else.
func IsEmpty(fs vfs.FS) (bool, error) {
	names, err := fs.ReadDir(".")
	if err != nil {
		return false, err
	}
	return len(names) == 0, nil
}

// InitDB makes a new cluster in an empty directory: the catalogs with PostgreSQL's built-in rows and the system views, in the
// databases template1, template0 and postgres.
func InitDB(cfg Config) error {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	if cfg.WALSegment == 0 {
		cfg.WALSegment = segmentSize
	}
	if err := recovery.Create(cfg.FS, binary.LittleEndian.Uint64(id[:]), cfg.WALSegment, cfg.options()); err != nil {
		return err
	}
	e, err := Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	if err := e.bootstrap(); err != nil {
		_ = e.Abandon() // the first error tells more
		return err
	}
	return e.Shutdown()
}

func (e *Engine) bootstrap() error {
	task := activity.NewTask(0, nil)
	for i, db := range []base.OID{bootstrap.DatabaseTemplate1, bootstrap.DatabaseTemplate0, bootstrap.DatabasePostgres} {
		if err := e.cluster.Store.CreateDatabase(base.DefaultTablespace, db); err != nil {
			return err
		}
		if err := e.cluster.Store.SetMap(db, nil); err != nil {
			return err
		}
		e.mu.Lock()
		e.caches[db] = catalog.NewCache(db, base.DefaultTablespace)
		e.mu.Unlock()
		if err := e.bootstrapDatabase(task, db, i == 0); err != nil {
			return err
		}
		if err := e.createViews(task, db); err != nil {
			return err
		}
	}
	return nil
}

// bootstrapDatabase makes the catalogs of a database, with the first one also those of the cluster.
func (e *Engine) bootstrapDatabase(task *activity.Task, db base.OID, shared bool) error {
	owner := e.cluster.Locks.NewOwner(0)
	p := e.cluster.Txns.NewProc(owner)
	defer owner.Close()
	defer p.Close()
	tx := p.Begin()
	src := &catalog.HeapSource{Opened: e.opened, Task: task, Tx: tx}
	view := catalog.NewView(src, e.Cache(db))
	ed := &catalog.Editor{Opened: e.opened, Task: task, Tx: tx, View: view}
	for _, d := range bootstrap.Relations() {
		if d.Shared && !shared || d.Kind != relation.KindTable {
			continue
		}
		if err := e.createCatalog(task, tx, view, d.OID); err != nil {
			return err
		}
	}
	for _, d := range bootstrap.Relations() {
		if d.Shared && !shared || d.Kind != relation.KindTable {
			continue
		}
		rows, err := bootstrap.Rows(d)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := ed.Insert(d.OID, r); err != nil {
				return err
			}
		}
	}
	_, err := tx.Commit(task, txn.LevelOn)
	all := &catalog.Invalidation{AllRelations: true}
	for g := range all.Groups {
		all.Groups[g] = true
	}
	e.Cache(db).Invalidate(all)
	return err
}

func (e *Engine) createCatalog(task *activity.Task, tx *txn.Tx, view *catalog.View, oid base.OID) error {
	d := view.Catalog(oid)
	t := e.opened.Table(d)
	if err := heap.Create(t.NewWriter(task, tx, txn.Wait{}), d); err != nil {
		return err
	}
	for _, ix := range d.Indexes {
		if err := e.opened.Tree(ix, true).Create(task, tx); err != nil {
			return err
		}
	}
	return nil
}

// createViews runs the definitions of the system views, and with the first database sets the superuser's password.
func (e *Engine) createViews(task *activity.Task, db base.OID) error {
	s := e.NewSession(task)
	defer e.Unregister(s)
	login := Login{}
	err := e.read(task, db, func(v *catalog.View) error {
		var err error
		if login.Role, err = v.RoleByOID(bootstrap.RolePostgres); err != nil {
			return err
		}
		login.Database, err = v.DatabaseByOID(db)
		return err
	})
	if err != nil {
		return err
	}
	if login.Role == nil || login.Database == nil {
		return pgerror.New(pgerror.InternalError, "the catalogs just made are not readable")
	}
	if err := e.StartSession(s, login, map[string]string{"allow_system_table_mods": "on", "search_path": "pg_catalog"}); err != nil {
		return err
	}
	b := e.NewBackend()
	defer b.Close()
	if db == bootstrap.DatabaseTemplate1 && e.cfg.Password != "" {
		if err := run(b, s, "ALTER ROLE postgres PASSWORD '"+strings.ReplaceAll(e.cfg.Password, "'", "''")+"'"); err != nil {
			return err
		}
	}
	for _, v := range sysfuncs.Views() {
		if err := run(b, s, v.SQL); err != nil {
			return pgerror.From(err).WithWhere("system view %s.%s", v.Schema, v.Name)
		}
	}
	return nil
}

// run runs SQL whose answers nobody needs.
func run(b *backend.Backend, s *session.Session, sql string) error {
	if err := b.Simple(s, sql, backend.Discard{}); err != nil {
		b.Fail(s, pgerror.From(err))
		return err
	}
	return s.AwaitAnswer()
}
