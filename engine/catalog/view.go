package catalog

import (
	"sync"
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/relation"
	"manifold/engine/storage"
	"manifold/engine/types"
)

// Source reads catalog rows as one statement sees them.
type Source interface {
	// Scan calls f with every visible row of a catalog whose leading index columns equal keys; without keys, with every
	// row. The row lives until f returns.
	Scan(table *relation.Desc, index *relation.Index, keys []types.Datum, f func(tid base.TID, row Row) error) error
	// Map gives the relation map of a database, zero for that of the cluster.
	Map(database base.OID) *storage.RelMap
	// Hold keeps a catalog of a database, zero for one of the cluster, in its file until LetGo.
	Hold(database, catalog base.OID) error
	LetGo(database, catalog base.OID)
}

// Group is a set of catalogs that are cached, and invalidated, together.
type Group uint8

// The groups.
const (
	GroupTypes Group = iota
	GroupProcs
	GroupOperators
	GroupNames
	GroupRelations
	groupCount
)

// GroupOf gives the group a catalog belongs to; false when nothing of it is cached.
func GroupOf(catalog base.OID) (Group, bool) {
	switch catalog {
	case bootstrap.RelType, bootstrap.RelEnum, bootstrap.RelRange:
		return GroupTypes, true
	case bootstrap.RelProc, bootstrap.RelAggregate:
		return GroupProcs, true
	case bootstrap.RelOperator, bootstrap.RelOpclass, bootstrap.RelOpfamily, bootstrap.RelAmop, bootstrap.RelAmproc,
		bootstrap.RelCast:
		return GroupOperators, true
	case bootstrap.RelNamespace, bootstrap.RelAuthid, bootstrap.RelDatabase, bootstrap.RelAuthMembers,
		bootstrap.RelTablespace, bootstrap.RelDbRoleSetting:
		return GroupNames, true
	case bootstrap.RelClass, bootstrap.RelAttribute, bootstrap.RelIndex, bootstrap.RelAttrdef, bootstrap.RelConstraint,
		bootstrap.RelStatistic, bootstrap.RelRewrite, bootstrap.RelSequence, bootstrap.RelInherits,
		bootstrap.RelTrigger:
		return GroupRelations, true
	}
	return 0, false
}

// Invalidation says what a committed transaction changed: whole groups, and of relations only those listed unless
// AllRelations is set.
type Invalidation struct {
	Groups       [groupCount]bool
	AllRelations bool
	Relations    []base.OID
}

// Empty tells whether nothing is invalidated.
func (i *Invalidation) Empty() bool { return i.Groups == [groupCount]bool{} }

// Cache holds the decoded catalogs of one database. All methods are safe for concurrent use.
type Cache struct {
	Database base.OID
	Home     base.OID // the tablespace of all relations that name none

	gen        [groupCount]atomic.Uint64
	generation atomic.Uint64 // moves with every invalidation
	types      atomic.Pointer[typeTable]
	procs      atomic.Pointer[procTable]
	operators  atomic.Pointer[operatorTable]
	names      atomic.Pointer[nameTable]

	mu       sync.RWMutex // guards the fields below
	catalogs map[base.OID]located
	rels     map[base.OID]*relation.Desc
	parts    map[base.OID]base.OID // by index or TOAST relation: whose descriptor in rels holds its facts
	relNames map[relName]base.OID
	stats    map[base.OID]*Statistics
}

// located is the descriptor of a catalog, and the relation map that it was last seen to fit.
type located struct {
	d     *relation.Desc
	files *storage.RelMap
}

type relName struct {
	namespace base.OID
	name      string
}

// NewCache makes an empty cache of a database whose own tablespace is home.
func NewCache(database, home base.OID) *Cache {
	return &Cache{Database: database, Home: home, catalogs: map[base.OID]located{}, rels: map[base.OID]*relation.Desc{}, parts: map[base.OID]base.OID{},
		relNames: map[relName]base.OID{}, stats: map[base.OID]*Statistics{}}
}

// NewOverlay makes an empty cache of the same database for a session that changes catalogs. Its generation differs from those of
// the overlays before it.
func (c *Cache) NewOverlay() *Cache {
	o := NewCache(c.Database, c.Home)
	o.generation.Store(c.Generation() << overlayShift)
	return o
}

// overlayShift leaves room for the changes that a transaction makes between two of others.
const overlayShift = 24

// Generation moves whenever anything of the cache was invalidated; plans made before are checked against it.
func (c *Cache) Generation() uint64 { return c.generation.Load() }

// Invalidate drops what a committed transaction changed.
func (c *Cache) Invalidate(inv *Invalidation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := range inv.Groups {
		if !inv.Groups[g] {
			continue
		}
		c.gen[g].Add(1)
		switch Group(g) {
		case GroupTypes:
			c.types.Store(nil)
		case GroupProcs:
			c.procs.Store(nil)
		case GroupOperators:
			c.operators.Store(nil)
		case GroupNames:
			c.names.Store(nil)
		case GroupRelations:
			c.dropRelationsLocked(inv)
		}
	}
	c.generation.Add(1)
}

func (c *Cache) dropRelationsLocked(inv *Invalidation) {
	clear(c.relNames)
	if inv.AllRelations {
		clear(c.rels)
		clear(c.parts)
		clear(c.stats)
		return
	}
	for _, oid := range inv.Relations {
		for oid != 0 {
			whole := c.parts[oid]
			c.dropRelationLocked(oid)
			oid = whole
		}
	}
}

func (c *Cache) dropRelationLocked(oid base.OID) {
	delete(c.stats, oid)
	d := c.rels[oid]
	if d == nil {
		return
	}
	delete(c.rels, oid)
	delete(c.parts, d.Toast)
	for _, ix := range d.Indexes {
		delete(c.parts, ix.OID)
	}
}

// keepLocked keeps a descriptor until something that it tells of is changed: the relation, an index of it, its TOAST relation or
// that one's index.
func (c *Cache) keepLocked(d *relation.Desc) {
	c.rels[d.OID] = d
	for _, ix := range d.Indexes {
		c.parts[ix.OID] = d.OID
	}
	if d.ToastRel == nil {
		return
	}
	c.parts[d.Toast] = d.OID
	for _, ix := range d.ToastRel.Indexes {
		c.parts[ix.OID] = d.Toast
	}
}

// View reads the catalogs for one statement. It is not safe for concurrent use.
type View struct {
	src   Source
	cache *Cache
}

// NewView joins a statement's source of rows to a cache: the shared one of its database, or a private one.
func NewView(src Source, cache *Cache) *View { return &View{src: src, cache: cache} }

// Cache gives the cache the view reads through.
func (v *View) Cache() *Cache { return v.cache }

// Scan reads rows of a catalog through one of its indexes (zero for a sequential scan).
func (v *View) Scan(table, index base.OID, keys []types.Datum, f func(tid base.TID, row Row) error) error {
	db := v.databaseOf(table)
	if err := v.src.Hold(db, table); err != nil {
		return err
	}
	defer v.src.LetGo(db, table)
	d, x := v.Catalog(table), (*relation.Index)(nil)
	for _, i := range d.Indexes {
		if i.OID == index {
			x = i
		}
	}
	return v.src.Scan(d, x, keys, f)
}

// One reads the first row that Scan finds; nil when there is none. The row and its bytes are the caller's.
func (v *View) One(table, index base.OID, keys ...types.Datum) (Row, base.TID, error) {
	var out Row
	var at base.TID
	err := v.Scan(table, index, keys, func(tid base.TID, row Row) error {
		if out == nil {
			out, at = row.Clone(), tid
		}
		return nil
	})
	return out, at, err
}

// Home gives the tablespace of the database's relations that name none.
func (v *View) Home() base.OID { return v.cache.Home }

// databaseOf gives the database whose copy of a catalog the view reads, zero for a shared one.
func (v *View) databaseOf(catalog base.OID) base.OID {
	if d, ok := bootstrap.Relation(catalog); ok && d.Shared {
		return 0
	}
	return v.cache.Database
}

// Catalog gives the descriptor of a system table as the view's database has it, with the files of the moment: they stay while the
// table is held or locked.
func (v *View) Catalog(oid base.OID) *relation.Desc {
	s, ok := bootstrap.Relation(oid)
	if !ok {
		return nil
	}
	db := v.cache.Database
	if s.Shared {
		db = 0
	}
	files := v.src.Map(db)
	v.cache.mu.RLock()
	have := v.cache.catalogs[oid]
	v.cache.mu.RUnlock()
	if have.d != nil && have.files == files {
		return have.d
	}
	if have.d == nil || !bootstrap.Fits(have.d, files) {
		have.d = bootstrap.In(s, v.cache.Database, v.cache.Home, files)
	}
	have.files = files
	v.cache.mu.Lock()
	v.cache.catalogs[oid] = have
	v.cache.mu.Unlock()
	return have.d
}

// install publishes a table filled by fill unless the group was invalidated meanwhile; the caller's own statement uses
// what it read either way.
func install[T any](c *Cache, g Group, at *atomic.Pointer[T], fill func() (*T, error)) (*T, error) {
	if t := at.Load(); t != nil {
		return t, nil
	}
	before := c.gen[g].Load()
	t, err := fill()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.gen[g].Load() == before {
		at.Store(t)
	}
	c.mu.Unlock()
	return t, nil
}

// UseCache turns the view to another cache: a session's own, once its transaction changes catalogs.
func (v *View) UseCache(c *Cache) { v.cache = c }

// Reset turns the view to another statement, keeping its memory.
func (v *View) Reset(src Source, cache *Cache) { v.src, v.cache = src, cache }
