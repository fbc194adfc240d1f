package pool

import (
	"sort"
	"sync"

	"manifold/engine/base"
)

// Pools is the pools of all databases, made on demand.
type Pools struct {
	open func(database base.OID) (Backend, error)

	mu     sync.Mutex
	limits Limits             // guarded by mu
	byDB   map[base.OID]*Pool // guarded by mu
}

// NewPools makes an empty set; open makes a backend of a database.
func NewPools(limits Limits, open func(database base.OID) (Backend, error)) *Pools {
	return &Pools{open: open, limits: limits, byDB: map[base.OID]*Pool{}}
}

// Get gives the pool of a database, making it when it is the first session's.
func (ps *Pools) Get(database base.OID, name string) (*Pool, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p, ok := ps.byDB[database]; ok {
		return p, nil
	}
	p, err := New(name, ps.limits, func() (Backend, error) { return ps.open(database) })
	if err != nil {
		return nil, err
	}
	ps.byDB[database] = p
	return p, nil
}

// Drop forgets the pool of a database that is being dropped; it must have no sessions.
func (ps *Pools) Drop(database base.OID) {
	ps.mu.Lock()
	p := ps.byDB[database]
	delete(ps.byDB, database)
	ps.mu.Unlock()
	if p != nil {
		p.Close()
	}
}

// SetLimits changes the limits of all pools, those to come included.
func (ps *Pools) SetLimits(limits Limits) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.limits = limits
	for _, p := range ps.byDB {
		p.SetLimits(limits)
	}
}

// Stats gives the state of every pool, by name.
func (ps *Pools) Stats() []Stat {
	ps.mu.Lock()
	out := make([]Stat, 0, len(ps.byDB))
	for _, p := range ps.byDB {
		out = append(out, p.Stat())
	}
	ps.mu.Unlock()
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Close closes every pool; all sessions must be over.
func (ps *Pools) Close() {
	ps.mu.Lock()
	all := ps.byDB
	ps.byDB = map[base.OID]*Pool{}
	ps.mu.Unlock()
	for _, p := range all {
		p.Close()
	}
}
