package pool

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"

	"manifold/engine/invariant"
	"manifold/engine/pgerror"
	"manifold/pool/turns"
)

// Class orders statements that wait for a slot.
type Class uint8

// The classes, in the order in which they are admitted.
const (
	Resumed Class = iota // goes on inside a statement
	Holder               // holds something that others may wait for: an open transaction, a session lock
	Normal               // begins something new
	Long                 // begins something new, in a session whose last statement ran long
	classes
)

// starveEvery is the rhythm of grants that go to Normal and Long although Resumed or Holder wait.
const starveEvery = 8

// Limits bound a pool. They may change while it runs.
type Limits struct {
	Slots        int           // statements that run at a time; 0 chooses by the number of processors
	Parked       int           // statements that wait inside for locks or the log before Normal has to wait; 0 is no limit
	Queue        int           // Normal and Long statements that may wait; 0 is no limit
	QueueTimeout time.Duration // how long Normal and Long wait at the limit of parked statements; 0 is for ever
}

// resolve fills in what the limits leave open.
func (l Limits) resolve() Limits {
	if l.Slots <= 0 {
		l.Slots = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if l.Parked <= 0 {
		l.Parked = math.MaxInt32
	}
	if l.Queue <= 0 {
		l.Queue = math.MaxInt32
	}
	return l
}

// Stat is what a pool looks like at a moment.
type Stat struct {
	Name     string
	Slots    int
	Running  int
	Parked   int
	Waiting  int           // in all queues
	Backends int           // that exist
	Leases   int           // sessions
	Grants   uint64        // slots given so far
	Waited   time.Duration // the sum of all waits for a slot
}

// Pool is the slots and backends of one database.
type Pool struct {
	name     string
	backends *puddle.Pool[Backend]
	alive    atomic.Int32 // backends that exist
	spare    atomic.Int32 // backends that may exist: slots and parked statements
	leases   atomic.Int32
	waited   atomic.Int64

	mu     sync.Mutex
	limits Limits           // guarded by mu
	free   int              // guarded by mu; below zero while the number of slots shrinks
	inside int              // guarded by mu; statements that gave their slot up and will resume
	parked int              // guarded by mu; those of them that count against Limits.Parked
	grants uint64           // guarded by mu
	turn   Class            // guarded by mu; Normal or Long, whose turn it is
	queues [classes]queue   // guarded by mu
	users  map[string]*user // guarded by mu; those with leases
}

// queue is the leases that wait in a class; users take turns.
type queue = turns.Queue[*Lease]

// user is the sessions of one user of a pool.
type user struct {
	name   string
	leases int                         // guarded by pool.mu
	lines  [classes]turns.Line[*Lease] // guarded by pool.mu; those that wait, by class
}

// New makes a pool; open makes its backends.
func New(name string, limits Limits, open func() (Backend, error)) (*Pool, error) {
	limits = limits.resolve()
	p := &Pool{name: name, limits: limits, free: limits.Slots, turn: Normal, users: map[string]*user{}}
	var err error
	p.backends, err = puddle.NewPool(&puddle.Config[Backend]{
		// A constructor runs on a goroutine of puddle's, where a panic would end the process.
		Constructor: func(context.Context) (b Backend, err error) {
			defer func() {
				if r := recover(); r != nil {
					err = pgerror.Newf(pgerror.InternalError, "could not start a backend: %v", r)
				}
			}()
			if b, err = open(); err == nil {
				p.alive.Add(1)
			}
			return b, err
		},
		Destructor: func(b Backend) {
			p.alive.Add(-1)
			b.Close()
		},
		MaxSize: math.MaxInt32,
	})
	if err != nil {
		return nil, pgerror.Internal(err)
	}
	p.noteSpareLocked()
	return p, nil
}

// Name gives the name that New was given.
func (p *Pool) Name() string { return p.name }

// SetLimits changes the limits; statements that run keep their slots.
func (p *Pool) SetLimits(limits Limits) {
	limits = limits.resolve()
	p.mu.Lock()
	p.free += limits.Slots - p.limits.Slots
	p.limits = limits
	p.noteSpareLocked()
	p.dispatchLocked()
	p.mu.Unlock()
}

// Stat gives the state of the pool.
func (p *Pool) Stat() Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := Stat{Name: p.name, Slots: p.limits.Slots, Running: p.limits.Slots - p.free, Parked: p.inside, Grants: p.grants,
		Backends: int(p.alive.Load()), Leases: int(p.leases.Load()), Waited: time.Duration(p.waited.Load())}
	for i := range p.queues {
		st.Waiting += p.queues[i].Len()
	}
	return st
}

// Close closes all backends; it waits for those that are lent.
func (p *Pool) Close() { p.backends.Close() }

func (p *Pool) noteSpareLocked() { p.spare.Store(int32(p.limits.Slots + p.inside)) }

// limited tells whether a class knows limits of queue and parked statements.
func limited(c Class) bool { return c >= Normal }

// enter takes a slot at once (true), queues the lease, or refuses it.
func (p *Pool) enter(l *Lease, c Class) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free > 0 && (!limited(c) || p.parked < p.limits.Parked) {
		p.grantLocked(l)
		p.dispatchLocked() // one who resumes may have made room below the limit of parked statements
		return true, nil
	}
	if limited(c) && p.queues[Normal].Len()+p.queues[Long].Len() >= p.limits.Queue {
		return false, pgerror.Newf(pgerror.TooManyConnections, "too many statements are waiting for a backend").
			WithDetail("The limit of the queue is %d.", p.limits.Queue)
	}
	p.queues[c].Push(&l.user.lines[c], &l.entry)
	l.queued, l.class = true, c
	return false, nil
}

// grantLocked gives a slot to a lease that is in no queue.
func (p *Pool) grantLocked(l *Lease) {
	p.free--
	p.grants++
	if l.resuming {
		p.inside--
		if l.counted {
			p.parked--
		}
		l.resuming, l.counted = false, false
		p.noteSpareLocked()
	}
}

// leave gives a slot back. parking tells that the lease will resume, counted that it counts as parked meanwhile.
func (p *Pool) leave(l *Lease, parking, counted bool) {
	p.mu.Lock()
	p.free++
	invariant.Assert(p.free <= p.limits.Slots, "pool %s: %d of %d slots free", p.name, p.free, p.limits.Slots)
	if parking {
		l.resuming, l.counted = true, counted
		p.inside++
		if counted {
			p.parked++
		}
		p.noteSpareLocked()
	}
	p.dispatchLocked()
	p.mu.Unlock()
}

// dispatchLocked gives free slots to those who wait.
func (p *Pool) dispatchLocked() {
	for p.free > 0 {
		c, ok := p.chooseLocked()
		if !ok {
			return
		}
		l, _ := p.queues[c].Pop()
		l.queued = false
		p.grantLocked(l)
		l.ready <- struct{}{} // has room for one; never blocks
	}
}

// chooseLocked picks the class that is next.
func (p *Pool) chooseLocked() (Class, bool) {
	begin, fresh := p.freshLocked()
	old, has := Resumed, p.queues[Resumed].Len() > 0
	if !has {
		old, has = Holder, p.queues[Holder].Len() > 0
	}
	switch {
	case fresh && (!has || p.grants%starveEvery == starveEvery-1):
		if begin == Normal {
			p.turn = Long
		} else {
			p.turn = Normal
		}
		return begin, true
	case has:
		return old, true
	}
	return 0, false
}

// freshLocked picks between Normal and Long; false when neither may begin.
func (p *Pool) freshLocked() (Class, bool) {
	if p.parked >= p.limits.Parked {
		return 0, false
	}
	other := Normal + Long - p.turn
	switch {
	case p.queues[p.turn].Len() > 0:
		return p.turn, true
	case p.queues[other].Len() > 0:
		return other, true
	}
	return 0, false
}
