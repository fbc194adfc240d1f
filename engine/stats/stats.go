package stats

import (
	"sync"
	"sync/atomic"

	"manifold/engine/base"
)

// Table is the counters of one table.
type Table struct {
	Database base.OID
	Relation base.OID

	Inserted   atomic.Int64
	Updated    atomic.Int64
	HotUpdated atomic.Int64
	Deleted    atomic.Int64

	Dead     atomic.Int64 // row versions that vacuum has not yet removed, estimated
	Modified atomic.Int64 // rows changed since the last analyze
	Added    atomic.Int64 // rows inserted since the last vacuum
	Growth   atomic.Int64 // rows inserted less rows deleted since vacuum or analyze counted them (pg_class.reltuples)

	ByUser Visits // VACUUM and ANALYZE as commands
	Auto   Visits // of autovacuum
}

// Visits tells of the runs of vacuum and analyze.
type Visits struct {
	LastVacuum  atomic.Int64 // Unix nanoseconds, zero for never
	LastAnalyze atomic.Int64
	Vacuums     atomic.Int64
	Analyzes    atomic.Int64
}

func (t *Table) visits(auto bool) *Visits {
	if auto {
		return &t.Auto
	}
	return &t.ByUser
}

// Insert counts n rows inserted.
func (t *Table) Insert(n int64) {
	t.Inserted.Add(n)
	t.Modified.Add(n)
	t.Added.Add(n)
	t.Growth.Add(n)
}

// Update counts a row updated.
func (t *Table) Update(hot bool) {
	t.Updated.Add(1)
	t.Modified.Add(1)
	t.Dead.Add(1)
	if hot {
		t.HotUpdated.Add(1)
	}
}

// Delete counts a row deleted.
func (t *Table) Delete() {
	t.Deleted.Add(1)
	t.Modified.Add(1)
	t.Growth.Add(-1)
	t.Dead.Add(1)
}

// forget begins anew to count what autovacuum does not go by.
func (t *Table) forget() {
	for _, c := range []*atomic.Int64{&t.Inserted, &t.Updated, &t.HotUpdated, &t.Deleted} {
		c.Store(0)
	}
	for _, v := range []*Visits{&t.ByUser, &t.Auto} {
		for _, c := range []*atomic.Int64{&v.LastVacuum, &v.LastAnalyze, &v.Vacuums, &v.Analyzes} {
			c.Store(0)
		}
	}
}

// Vacuumed notes that vacuum came by at a time and left some dead rows.
func (t *Table) Vacuumed(at, left int64, auto bool) {
	t.Dead.Store(left)
	t.Added.Store(0)
	t.Growth.Store(0)
	v := t.visits(auto)
	v.LastVacuum.Store(at)
	v.Vacuums.Add(1)
}

// Counted notes that pg_class.reltuples holds the number of rows again.
func (t *Table) Counted() { t.Growth.Store(0) }

// Analyzed notes that analyze came by.
func (t *Table) Analyzed(at int64, auto bool) {
	t.Modified.Store(0)
	t.Growth.Store(0)
	v := t.visits(auto)
	v.LastAnalyze.Store(at)
	v.Analyzes.Add(1)
}

type key struct{ database, relation base.OID }

// Registry is the counters of all tables. It is safe for concurrent use.
type Registry struct {
	mu        sync.RWMutex // guards the maps
	tables    map[key]*Table
	reads     map[key]*Reads
	databases map[base.OID]*Database
}

// New makes an empty registry.
func New() *Registry {
	return &Registry{tables: map[key]*Table{}, reads: map[key]*Reads{}, databases: map[base.OID]*Database{}}
}

// Table gives the counters of a table, made on first use.
func (r *Registry) Table(database, relation base.OID) *Table {
	return made(r, r.tables, key{database, relation}, func() *Table { return &Table{Database: database, Relation: relation} })
}

// Counts gives the counters of a table for showing them: what was never counted is not made.
func (r *Registry) Counts(database, relation base.OID) *Table {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if t := r.tables[key{database, relation}]; t != nil {
		return t
	}
	return &Table{}
}

// made gives an entry of one of the registry's maps, made on first use.
func made[K comparable, V any](r *Registry, m map[K]*V, k K, first func() *V) *V {
	r.mu.RLock()
	v := m[k]
	r.mu.RUnlock()
	if v != nil {
		return v
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if v = m[k]; v == nil {
		v = first()
		m[k] = v
	}
	return v
}

// Drop forgets a table that is gone; the database keeps its rows in its sums.
func (r *Registry) Drop(database, relation base.OID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{database, relation}
	if t := r.tables[k]; t != nil {
		kept := &r.database(database).kept
		kept[0] += t.Inserted.Load()
		kept[1] += t.Updated.Load()
		kept[2] += t.Deleted.Load()
		delete(r.tables, k)
	}
}

// All gives the counters of every table that was written to.
func (r *Registry) All() []*Table {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*Table, 0, len(r.tables))
	for _, t := range r.tables {
		out = append(out, t)
	}
	return out
}
