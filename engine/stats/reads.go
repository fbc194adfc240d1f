package stats

import (
	"sync/atomic"

	"manifold/engine/base"
)

// parts is how many copies of a counter there are, so that sessions seldom write to the same cache line.
const parts = 8

// ReadCounts is how often a table or an index was scanned, what that gave, and the pages it looked at, with those
// of them that had to be read. Of a table Scans are the
// sequential ones, Returned their rows, Fetched the rows found by indexes; of an index Returned are its entries.
type ReadCounts struct{ Scans, Returned, Fetched, Blocks, Misses int64 }

// Reads counts how a table or an index is read. It is safe for concurrent use.
type Reads struct {
	part [parts]struct {
		scans, returned, fetched, blocks, misses atomic.Int64
		_                                        [24]byte
	}
}

// Add counts what a session read.
func (r *Reads) Add(session uint32, c *ReadCounts) {
	p := &r.part[session%parts]
	add(&p.scans, c.Scans)
	add(&p.returned, c.Returned)
	add(&p.fetched, c.Fetched)
	add(&p.blocks, c.Blocks)
	add(&p.misses, c.Misses)
}

// Sum gives the counts of all sessions.
func (r *Reads) Sum() ReadCounts {
	var c ReadCounts
	for i := range r.part {
		p := &r.part[i]
		c.add(&ReadCounts{p.scans.Load(), p.returned.Load(), p.fetched.Load(), p.blocks.Load(), p.misses.Load()})
	}
	return c
}

func (r *Reads) reset() {
	for i := range r.part {
		p := &r.part[i]
		for _, c := range []*atomic.Int64{&p.scans, &p.returned, &p.fetched, &p.blocks, &p.misses} {
			c.Store(0)
		}
	}
}

func (c *ReadCounts) add(o *ReadCounts) {
	c.Scans += o.Scans
	c.Returned += o.Returned
	c.Fetched += o.Fetched
	c.Blocks += o.Blocks
	c.Misses += o.Misses
}

// DatabaseCounts is what happened in a database: transactions, pages of all kinds, rows.
type DatabaseCounts struct {
	Commits, Rollbacks, Hits, Reads int64
	Returned, Fetched               int64
	Inserted, Updated, Deleted      int64
	Deadlocks, Sessions             int64
	Since                           int64 // Unix nanoseconds of the last reset, zero for none
}

// Database counts what happens in one database. It is safe for concurrent use.
type Database struct {
	part [parts]struct {
		commits, rollbacks, hits, reads atomic.Int64
		_                               [32]byte
	}
	Deadlocks atomic.Int64
	Sessions  atomic.Int64
	since     atomic.Int64

	gone ReadCounts // of relations that were dropped; guarded by the registry's mutex
	kept [3]int64   // rows inserted, updated and deleted in such tables; likewise
}

// Ended counts a transaction of a session and the pages it looked at.
func (d *Database) Ended(session uint32, committed bool, hits, reads int64) {
	p := &d.part[session%parts]
	if committed {
		p.commits.Add(1)
	} else {
		p.rollbacks.Add(1)
	}
	add(&p.hits, hits)
	add(&p.reads, reads)
}

func add(to *atomic.Int64, n int64) {
	if n != 0 {
		to.Add(n)
	}
}

// reset is called with the registry's mutex held.
func (d *Database) reset(now int64) {
	for i := range d.part {
		p := &d.part[i]
		for _, c := range []*atomic.Int64{&p.commits, &p.rollbacks, &p.hits, &p.reads} {
			c.Store(0)
		}
	}
	d.Deadlocks.Store(0)
	d.Sessions.Store(0)
	d.since.Store(now)
	d.gone, d.kept = ReadCounts{}, [3]int64{}
}

// Reads gives the counters of a table or an index, made on first use.
func (r *Registry) Reads(database, relation base.OID) *Reads {
	return made(r, r.reads, key{database, relation}, func() *Reads { return &Reads{} })
}

// ReadsOf sums up how a table or an index was read; what never was is not made.
func (r *Registry) ReadsOf(database, relation base.OID) ReadCounts {
	r.mu.RLock()
	t := r.reads[key{database, relation}]
	r.mu.RUnlock()
	if t == nil {
		return ReadCounts{}
	}
	return t.Sum()
}

// Database gives the counters of a database, made on first use.
func (r *Registry) Database(oid base.OID) *Database {
	return made(r, r.databases, oid, func() *Database { return &Database{} })
}

// database is Database with the registry's mutex held.
func (r *Registry) database(oid base.OID) *Database {
	d := r.databases[oid]
	if d == nil {
		d = &Database{}
		r.databases[oid] = d
	}
	return d
}

// CountsOf sums up a database.
func (r *Registry) CountsOf(oid base.OID) DatabaseCounts {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.databases[oid]
	if d == nil {
		d = &Database{}
	}
	c := DatabaseCounts{Deadlocks: d.Deadlocks.Load(), Sessions: d.Sessions.Load(), Since: d.since.Load(), Returned: d.gone.Returned,
		Fetched: d.gone.Fetched, Inserted: d.kept[0], Updated: d.kept[1], Deleted: d.kept[2]}
	for i := range d.part {
		p := &d.part[i]
		c.Commits += p.commits.Load()
		c.Rollbacks += p.rollbacks.Load()
		c.Hits += p.hits.Load()
		c.Reads += p.reads.Load()
	}
	for k, t := range r.reads {
		if k.database == oid {
			s := t.Sum()
			c.Returned += s.Returned
			c.Fetched += s.Fetched
		}
	}
	for k, t := range r.tables {
		if k.database == oid {
			c.Inserted += t.Inserted.Load()
			c.Updated += t.Updated.Load()
			c.Deleted += t.Deleted.Load()
		}
	}
	return c
}

// Dropped forgets how a relation was read; the database keeps what it adds to its sums.
func (r *Registry) Dropped(database, relation base.OID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{database, relation}
	if t := r.reads[k]; t != nil {
		s := t.Sum()
		r.database(database).gone.add(&s)
		delete(r.reads, k)
	}
}

// Reset begins anew to count what is only shown: what autovacuum goes by stays.
func (r *Registry) Reset(database base.OID, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.database(database).reset(now)
	for k, t := range r.reads {
		if k.database == database {
			t.reset()
		}
	}
	for k, t := range r.tables {
		if k.database == database {
			t.forget()
		}
	}
}

// ResetRelation is Reset for one table or index.
func (r *Registry) ResetRelation(database, relation base.OID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{database, relation}
	if t := r.reads[k]; t != nil {
		t.reset()
	}
	if t := r.tables[k]; t != nil {
		t.forget()
	}
}

// DropDatabase forgets a database and all that is in it.
func (r *Registry) DropDatabase(database base.OID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.databases, database)
	for k := range r.reads {
		if k.database == database {
			delete(r.reads, k)
		}
	}
	for k := range r.tables {
		if k.database == database {
			delete(r.tables, k)
		}
	}
}
