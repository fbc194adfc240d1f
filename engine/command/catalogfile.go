package command

import (
	"bytes"
	"slices"

	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/storage"
)

// isCatalog tells whether a relation is a catalog or an index of one: its file is found by the relation map.
func isCatalog(oid base.OID) bool {
	_, ok := bootstrap.Relation(oid)
	return ok
}

// lockRewrite has one transaction at a time rewrite catalogs: two that hold one each may need the other's. It is taken before the
// catalog's own lock.
func (c *Context) lockRewrite(noWait bool) error {
	_, err := c.Tx.Manager().Locks().Acquire(c.Task, c.Session.Proc.Owner(), lock.Request{Mode: lock.Exclusive,
		Tag: lock.Object(0, bootstrap.RelClass, 0, 0), NoWait: noWait || c.Wait.NoWait, Timeout: c.Wait.Timeout,
		DeadlockTimeout: c.Wait.DeadlockTimeout})
	if err == lock.ErrNotAvailable {
		return pgerror.New(pgerror.LockNotAvailable, "could not obtain lock on the system catalogs")
	}
	return err
}

// mayRewrite fails with 42501 unless the current role owns a relation, a catalog too.
func (c *Context) mayRewrite(d *relation.Desc) error {
	if ok, err := c.View.MemberOf(c.Session.Role, d.Owner); ok || err != nil {
		return err
	}
	return pgerror.Newf(pgerror.InsufficientPrivilege, "must be owner of %s %s", kindName(d.Kind), d.Name)
}

// catalogMove is the way of a catalog, or of some of its indexes, to new files.
type catalogMove struct {
	from, to *relation.Desc
	moves    []storage.Move
}

// catalogMove gives new numbers to the files of relations that belong to a catalog. Nobody knows of them before finish.
func (c *Context) catalogMove(d *relation.Desc, rels []base.OID) (*catalogMove, error) {
	m := &catalogMove{from: d}
	db := c.database()
	if d.Shared {
		db = 0
	}
	for _, oid := range rels {
		if c.Tx.Depth() > 0 && (d.Shared || slices.Contains(mappedBefore, d.OID)) {
			return nil, pgerror.New(pgerror.InternalError, "cannot change relation mapping within subtransaction")
		}
		number, err := c.Tx.Manager().NewOID()
		if err != nil {
			return nil, err
		}
		m.moves = append(m.moves, storage.Move{Database: db, Relation: oid, Number: number})
	}
	static, _ := bootstrap.Relation(d.OID)
	m.to = bootstrap.In(static, c.database(), c.View.Home(), c.Tx.Map(db).With(m.moves...))
	return m, nil
}

// mappedBefore is the catalogs of a database that PostgreSQL maps: only of these it refuses a move within a subtransaction.
var mappedBefore = []base.OID{bootstrap.RelClass, bootstrap.RelAttribute, bootstrap.RelProc, bootstrap.RelType}

// finish has the new files, which are complete, take the place of the old ones.
func (m *catalogMove) finish(c *Context) {
	ssi := c.Tx.Manager().Serializable() // places that were read mean nothing any more
	files := map[base.OID]base.RelFile{m.from.OID: m.from.File}
	for _, ix := range m.from.Indexes {
		files[ix.OID] = ix.File
	}
	for _, v := range m.moves {
		c.Tx.DropOnCommit(files[v.Relation])
		c.Tx.MoveFile(v)
		ssi.MoveToRelation(v.Database, v.Relation, m.from.OID)
	}
	inv := &catalog.Invalidation{Relations: []base.OID{m.from.OID}}
	inv.Groups[catalog.GroupRelations] = true
	inv.Groups[catalog.GroupNames] = m.from.Shared // that all databases notice
	c.Editor.Changed(inv)
}

// rebuildCatalog is rebuild for a catalog: everything is read from the old files until the new ones are complete. The caller holds
// it exclusively.
func (c *Context) rebuildCatalog(old *relation.Desc, order *relation.Index) (n rebuilt, err error) {
	rels := []base.OID{old.OID}
	for _, ix := range old.Indexes {
		rels = append(rels, ix.OID)
	}
	m, err := c.catalogMove(old, rels)
	if err != nil {
		return n, err
	}
	from := c.Opened.Table(old)
	if n.pages, err = from.Blocks(); err != nil {
		return n, err
	}
	if err := c.makeHeap(m.to); err != nil {
		return n, err
	}
	r, err := c.copyHeap(m.to, from, order, c.Tx.Manager().RefreshHorizon())
	if err != nil {
		return n, err
	}
	n.removed, n.kept, n.dying = r.Removed, r.Live+r.Dying, r.Dying
	var entries []int
	for _, ix := range m.to.Indexes {
		k, err := c.indexEntries(m.to, ix)
		if err != nil {
			return n, err
		}
		entries = append(entries, k)
	}
	c.progress.Set(clusterPhase, clusterCleanup)
	pages, err := c.Opened.Table(m.to).Blocks()
	if err != nil {
		return n, err
	}
	m.finish(c)
	for i, ix := range m.to.Indexes {
		if err := c.keepIndexSize(m.to, ix, entries[i]); err != nil {
			return n, err
		}
	}
	return n, c.keepRebuilt(old.OID, pages, r.Live)
}

// reindexCatalog builds one index of a catalog anew, over all versions of rows that somebody may see.
func (c *Context) reindexCatalog(d *relation.Desc, ix *relation.Index) error {
	m, err := c.catalogMove(d, []base.OID{ix.OID})
	if err != nil {
		return err
	}
	to := findIndex(m.to, ix.OID)
	set := &entrySet{}
	if to.Unique { // of what is visible now, no two rows have one key
		s, err := c.scanTable(d, true)
		if err == nil {
			err = c.collect(d, to, s, set)
		}
		if err == nil {
			err = c.checkUnique(d, to, set, s)
		}
		if err != nil {
			return err
		}
	}
	s, err := c.scanKept(d)
	if err != nil {
		return err
	}
	set = &entrySet{}
	if err := c.collect(d, to, s, set); err != nil {
		return err
	}
	set.compact()
	if err := c.writeTree(m.to, to, set); err != nil {
		return err
	}
	m.finish(c)
	return c.keepIndexSize(m.to, to, len(set.list))
}

// compact drops repeated entries of a sorted set: versions of a row that are reached from one place.
func (s *entrySet) compact() {
	s.list = slices.CompactFunc(s.list, func(a, b indexEntry) bool {
		return a.tid == b.tid && a.head == b.head && bytes.Equal(s.key(&a), s.key(&b))
	})
}
