package command

import (
	"slices"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/storage"
	"manifold/engine/txn"
	"manifold/engine/vector"
	"manifold/engine/wal"
)

// newHome finds the tablespace for a new database: the one named, or the template's.
func (c *Context) newHome(name string, template *catalog.Database) (base.OID, error) {
	if name == "" {
		return template.Tablespace, nil
	}
	home, err := c.homeNamed(name)
	if err != nil || home == template.Tablespace {
		return home, err
	}
	files, err := c.databaseFiles(template)
	if err != nil {
		return 0, err
	}
	if anyIn(files, home) {
		return 0, pgerror.Newf(pgerror.FeatureNotSupported, "cannot assign new default tablespace \"%s\"", name).
			WithDetail("There is a conflict because database \"%s\" already has some tables in this tablespace.", template.Name)
	}
	return home, nil
}

func anyIn(files []base.RelFile, space base.OID) bool {
	return slices.ContainsFunc(files, func(f base.RelFile) bool { return f.Space == space })
}

// homeNamed finds a tablespace that the role may give to a database.
func (c *Context) homeNamed(name string) (base.OID, error) {
	oid, owner, err := c.spaceNamed(name, false)
	if err != nil {
		return 0, err
	}
	if oid == base.GlobalTablespace {
		return 0, pgerror.New(pgerror.InvalidParameterValue, "pg_global cannot be used as default tablespace")
	}
	return oid, c.useSpace(name, oid, owner)
}

// moveDatabase is ALTER DATABASE SET TABLESPACE: files of relations that name no tablespace are copied, and with the commit the
// old ones go and pg_database tells of the new place.
func (c *Context) moveDatabase(d *catalog.Database, name string) error {
	if d.OID == c.database() {
		return pgerror.New(pgerror.ObjectInUse, "cannot change the tablespace of the currently open database")
	}
	if err := c.lockObject(bootstrap.RelDatabase, d.OID, lock.AccessExclusive); err != nil {
		return err
	}
	home, err := c.homeNamed(name)
	if err != nil || home == d.Tablespace {
		return err
	}
	if err := c.unused(d, "database"); err != nil {
		return err
	}
	files, err := c.databaseFiles(d)
	if err != nil {
		return err
	}
	if anyIn(files, home) {
		return pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "some relations of database \"%s\" are already in tablespace \"%s\"", d.Name, name).
			WithHint("You must move them back to the database's default tablespace before using this command.")
	}
	if err := c.clearPlace(home, d.OID); err != nil {
		return err
	}
	if err := c.Tx.Manager().Pool().Storage().CreateDatabase(home, d.OID); err != nil {
		return err
	}
	for _, f := range files {
		if f.Space != 0 {
			continue
		}
		src, dst := f, f
		src.Space, dst.Space = d.Tablespace, home
		c.Tx.DropOnCommit(src)
		if err := c.copyRelation(src, dst); err != nil {
			return err
		}
	}
	c.Tx.AddCleaner(&movedDatabase{c.Host, d.OID})
	return c.editRow(bootstrap.RelDatabase, bootstrap.IdxDatabaseOidIndex,
		func(r catalog.Row) { r.SetOID(bootstrap.ColDatabaseDattablespace, home) }, oidKey(d.OID))
}

// clearPlace removes the files of a database from a tablespace where it has no relations: those that an earlier move from there
// has emptied, until a checkpoint, and what a crash left of one to there.
func (c *Context) clearPlace(space, db base.OID) error {
	pool := c.Tx.Manager().Pool()
	var files []base.RelFile
	err := pool.Storage().Each(func(f storage.File) error {
		if f.Space == space && f.Database == db {
			files = append(files, f.RelFile)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		pool.DropRelation(f)
		if err := pool.Storage().Unlink(f); err != nil {
			return err
		}
	}
	return c.Host.Checkpoint(c.Task)
}

// movedDatabase has a database's place read again once the transaction that moved it has ended.
type movedDatabase struct {
	host Host
	db   base.OID
}

// TransactionEnded implements txn.Cleaner.
func (m *movedDatabase) TransactionEnded(*txn.Tx) { m.host.ForgetDatabase(m.db) }

// databaseFiles lists the files of a database's relations, but temporary ones. Those of the database's own tablespace have zero for
// their space.
func (c *Context) databaseFiles(db *catalog.Database) ([]base.RelFile, error) {
	class, ok := bootstrap.Relation(bootstrap.RelClass)
	if !ok {
		return nil, pgerror.New(pgerror.InternalError, "pg_class has no descriptor")
	}
	if _, err := c.Tx.Manager().Locks().Acquire(c.Task, c.Session.Proc.Owner(), lock.Request{Mode: lock.AccessShare,
		Tag: lock.Relation(db.OID, bootstrap.RelClass), Timeout: c.Wait.Timeout, DeadlockTimeout: c.Wait.DeadlockTimeout}); err != nil {
		return nil, err
	}
	x, where := c.NewExec(), c.Tx.Map(db.OID)
	scan, err := c.Opened.Table(bootstrap.In(class, db.OID, db.Tablespace, where)).NewScan(mvcc.NewView(x.Snapshot, c.Tx.Manager(), c.Task))
	if err != nil {
		return nil, err
	}
	cols := []int{bootstrap.ColClassRelfilenode - 1, bootstrap.ColClassRelisshared - 1, bootstrap.ColClassRelpersistence - 1,
		bootstrap.ColClassReltablespace - 1}
	b := vector.Batch{Cols: make([]vector.Vector, len(cols))}
	var files []base.RelFile
	for _, d := range bootstrap.Relations() {
		if !d.Shared {
			files = append(files, base.RelFile{Database: db.OID, Number: where.Number(d.OID)})
		}
	}
	for {
		n, err := scan.Next(vector.BatchSize, &b, cols)
		if err != nil || n == 0 {
			return files, err
		}
		for i := range n {
			number, shared, persistence := b.Cols[0].Get(i).I, b.Cols[1].Get(i).True(), byte(b.Cols[2].Get(i).I)
			if number != 0 && !shared && persistence != relation.Temporary {
				files = append(files, base.RelFile{Space: base.OID(uint32(b.Cols[3].Get(i).I)), Database: db.OID, Number: base.OID(uint32(number))})
			}
		}
	}
}

// copyDatabase copies every relation of a database to another, whose own tablespace is home, page by page through shared buffers,
// each page logged.
func (c *Context) copyDatabase(from *catalog.Database, to, home base.OID) error {
	if err := c.Tx.Manager().Pool().Storage().CreateDatabase(home, to); err != nil {
		return err
	}
	files, err := c.databaseFiles(from)
	if err != nil {
		return err
	}
	if err := c.Tx.SetMap(c.Task, to, c.Tx.Map(from.OID)); err != nil { // the numbers stay
		return err
	}
	made := map[base.OID]bool{home: true}
	for _, src := range files {
		dst := src
		dst.Database = to
		if src.Space == 0 {
			src.Space, dst.Space = from.Tablespace, home
		}
		if !made[dst.Space] {
			made[dst.Space] = true
			if err := c.Tx.Manager().Pool().Storage().CreateDatabase(dst.Space, to); err != nil {
				return err
			}
		}
		if err := c.copyRelation(src, dst); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) copyRelation(src, dst base.RelFile) error {
	for _, fork := range []base.Fork{base.MainFork, base.VMFork, base.InitFork} { // the free space map is made anew by vacuum
		if err := c.copyFork(src, dst, fork); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) copyFork(src, dst base.RelFile, fork base.Fork) error {
	m := c.Tx.Manager()
	pool := m.Pool()
	if ok, err := pool.Storage().Exists(src, fork); err != nil || !ok {
		return err
	}
	if err := c.Tx.CreateFork(c.Task, dst, fork, true); err != nil {
		return err
	}
	n, err := pool.Blocks(src, fork)
	if err != nil {
		return err
	}
	for b := base.BlockNumber(0); b < n; b++ {
		if err := c.Task.Breathe(); err != nil {
			return err
		}
		if err := c.copyPage(base.PageTag{File: src, Fork: fork, Block: b}, dst); err != nil {
			return err
		}
	}
	return nil
}

// copyPage appends a copy of a page to the fork of another relation.
func (c *Context) copyPage(from base.PageTag, dst base.RelFile) error {
	m := c.Tx.Manager()
	in, err := m.Pool().Pin(c.Task, from)
	if err != nil {
		return err
	}
	in.RLock()
	data := append([]byte(nil), in.Page()...)
	in.RUnlockRelease()
	out, err := m.Pool().Extend(c.Task, dst, from.Fork)
	if err != nil {
		return err
	}
	defer out.UnlockRelease()
	out.MarkDirty()
	copy(out.Page(), data)
	b := m.Builder(c.Task)
	defer m.Done(b)
	b.Begin(wal.RMgrXLOG, wal.InfoImage, base.InvalidXID)
	b.Block(0, out.Tag(), out.Page(), wal.ForceImage)
	lsn, err := m.Log().Insert(b)
	if err == nil {
		out.SetLSN(lsn)
	}
	return err
}
