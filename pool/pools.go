package pool

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// Period is the time over which averages are taken.
const Period = time.Minute

// Pools is the pools of all databases, made on demand.
type Pools struct {
	open func(database base.OID) (Backend, error)

	mu        sync.Mutex
	limits    func(name string) Limits // guarded by mu
	byDB      map[base.OID]*Pool       // guarded by mu
	gate      Gate                     // guarded by mu; of all pools, those to come included
	shut      map[string]Gate          // guarded by mu; by name, those that were shut one by one
	disabled  map[string]bool          // guarded by mu; by name, those that let nobody in
	snapshots map[base.OID]Counts      // guarded by mu; at the beginning of the period
	averages  map[base.OID]Counts      // guarded by mu; of the period before
	began     time.Time                // guarded by mu; of the period
}

// NewPools makes an empty set; limits gives those of a database by its name, open makes a backend of a database.
func NewPools(limits func(name string) Limits, open func(database base.OID) (Backend, error)) *Pools {
	return &Pools{open: open, limits: limits, byDB: map[base.OID]*Pool{}, shut: map[string]Gate{}, disabled: map[string]bool{},
		snapshots: map[base.OID]Counts{}, averages: map[base.OID]Counts{}, began: time.Now()}
}

// Get gives the pool of a database, making it when it is the first session's. It fails when the database is disabled.
func (ps *Pools) Get(database base.OID, name string) (*Pool, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.disabled[name] {
		return nil, pgerror.Newf(pgerror.ObjectNotInPrerequisiteState, "database \"%s\" is disabled", name).
			WithHint("ENABLE on the console lets clients in again.")
	}
	if p, ok := ps.byDB[database]; ok {
		if p.Name() != name { // the database was renamed, for which nobody may be in it
			p.name.Store(&name)
			p.SetLimits(ps.limits(name))
			ps.shutLocked(p)
		}
		return p, nil
	}
	p, err := New(name, ps.limits(name), func() (Backend, error) { return ps.open(database) })
	if err != nil {
		return nil, err
	}
	ps.shutLocked(p)
	ps.byDB[database] = p
	return p, nil
}

// shutLocked shuts or opens the gate of a pool as its name says.
func (ps *Pools) shutLocked(p *Pool) {
	switch max(ps.gate, ps.shut[p.Name()]) {
	case Open:
		p.Resume()
	case Pausing, Paused:
		p.Pause()
	case Suspended:
		p.Suspend()
	}
}

// Drop forgets the pool of a database that is being dropped; it must have no sessions.
func (ps *Pools) Drop(database base.OID) {
	ps.mu.Lock()
	p := ps.byDB[database]
	delete(ps.byDB, database)
	delete(ps.snapshots, database)
	delete(ps.averages, database)
	ps.mu.Unlock()
	if p != nil {
		p.Close()
	}
}

// SetLimits changes the limits of all pools, those to come included.
func (ps *Pools) SetLimits(limits func(name string) Limits) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.limits = limits
	for _, p := range ps.byDB {
		p.SetLimits(limits(p.Name()))
	}
}

// Pause pauses the pool of a database, or all of them for an empty name, and gives what to wait for. It fails when all are
// shut already.
func (ps *Pools) Pause(name string) ([]<-chan struct{}, error) {
	return ps.shutAll(name, Paused, (*Pool).Pause)
}

// Suspend suspends all pools, and gives what to wait for. It fails when one is shut already.
func (ps *Pools) Suspend() ([]<-chan struct{}, error) {
	ps.mu.Lock()
	some := len(ps.shut) > 0
	ps.mu.Unlock()
	if some {
		return nil, pgerror.New(pgerror.ProtocolViolation, "cannot suspend with paused databases")
	}
	return ps.shutAll("", Suspended, (*Pool).Suspend)
}

func (ps *Pools) shutAll(name string, g Gate, shut func(*Pool) <-chan struct{}) ([]<-chan struct{}, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.gate != Open {
		return nil, pgerror.New(pgerror.ProtocolViolation, "already suspended/paused")
	}
	if name == "" {
		ps.gate = g
	} else {
		ps.shut[name] = g
	}
	var out []<-chan struct{}
	for _, p := range ps.namedLocked(name) {
		out = append(out, shut(p))
	}
	return out, nil
}

// Resume opens the pool of a database, or all of them for an empty name; false when it was open.
func (ps *Pools) Resume(name string) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if name != "" {
		_, was := ps.shut[name]
		if delete(ps.shut, name); was && ps.gate == Open {
			for _, p := range ps.namedLocked(name) {
				p.Resume()
			}
		}
		return was
	}
	was := ps.gate != Open || len(ps.shut) > 0
	ps.gate = Open
	clear(ps.shut)
	for _, p := range ps.byDB {
		p.Resume()
	}
	return was
}

// Disable keeps new clients out of a database, or lets them in again.
func (ps *Pools) Disable(name string, disabled bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if disabled {
		ps.disabled[name] = true
	} else {
		delete(ps.disabled, name)
	}
}

// Recycle replaces the backends of a database, or of all for an empty name.
func (ps *Pools) Recycle(name string) {
	for _, p := range ps.Named(name) {
		p.Recycle()
	}
}

// Named gives the pools of a database, or all of them for an empty name.
func (ps *Pools) Named(name string) []*Pool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.namedLocked(name)
}

func (ps *Pools) namedLocked(name string) []*Pool {
	var out []*Pool
	for _, p := range ps.byDB {
		if name == "" || p.Name() == name {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *Pool) int {
		if a.Name() < b.Name() {
			return -1
		}
		return 1
	})
	return out
}

// Shut tells what new statements of a database meet, and whether new clients are kept out.
func (ps *Pools) Shut(name string) (gate Gate, disabled bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return max(ps.gate, ps.shut[name]), ps.disabled[name]
}

// All gives the gate that was shut for all pools.
func (ps *Pools) All() Gate {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.gate
}

// LimitsOf gives the limits of a database, which may have no pool yet.
func (ps *Pools) LimitsOf(name string) Limits {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.limits(name).resolve()
}

// Run takes averages until ctx ends.
func (ps *Pools) Run(ctx context.Context) error {
	tick := time.NewTicker(Period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			ps.turn(now)
		}
	}
}

// turn ends a period.
func (ps *Pools) turn(now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	took := now.Sub(ps.began)
	ps.began = now
	for db, p := range ps.byDB {
		c := p.Stat().Counts
		ps.averages[db] = average(ps.snapshots[db], c, took)
		ps.snapshots[db] = c
	}
}

// average gives what happened between two moments: counts per second, times per transaction, statement and second.
func average(from, to Counts, took time.Duration) Counts {
	second := func(a, b uint64) uint64 { return uint64(float64(b-a) / max(took.Seconds(), 1e-6)) }
	each := func(a, b time.Duration, n uint64) time.Duration { return (b - a) / time.Duration(max(n, 1)) }
	return Counts{Transactions: second(from.Transactions, to.Transactions), Statements: second(from.Statements, to.Statements),
		Received: second(from.Received, to.Received), Sent: second(from.Sent, to.Sent), Grants: second(from.Grants, to.Grants),
		TransactionTime: each(from.TransactionTime, to.TransactionTime, to.Transactions-from.Transactions),
		StatementTime:   each(from.StatementTime, to.StatementTime, to.Statements-from.Statements),
		Waited:          time.Duration(float64(to.Waited-from.Waited) / max(took.Seconds(), 1e-6))}
}

// Stats gives the state of every pool, by name.
func (ps *Pools) Stats() []Stat {
	ps.mu.Lock()
	out := make([]Stat, 0, len(ps.byDB))
	for db, p := range ps.byDB {
		st := p.Stat()
		st.Averages = ps.averages[db]
		out = append(out, st)
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
