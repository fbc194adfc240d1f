package pool

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/jackc/puddle/v2"

	"manifold/engine/pgerror"
	"manifold/pool/turns"
)

// Class orders statements that wait for a slot.
type Class uint8

// The classes, in the order in which they are admitted.
const (
	Closing Class = iota // ends a session
	Resumed              // goes on inside a statement
	Holder               // holds something that others may wait for: an open transaction, a session lock
	Normal               // begins something new
	Long                 // begins something new, in a session whose last statement ran long
	classes
)

// starveEvery is the rhythm of grants that go to Normal and Long although others wait that hold something.
const starveEvery = 8

// Pool is the slots and backends of one database.
type Pool struct {
	name     atomic.Pointer[string]
	backends *puddle.Pool[*resident]
	alive    atomic.Int32 // backends that exist
	spare    atomic.Int32 // backends that may exist: slots and parked statements
	leases   atomic.Int32
	pressed  atomic.Bool // one that has not begun waits, and a statement that has run for long should let it go first

	mu      sync.Mutex
	limits  Limits           // guarded by mu
	free    int              // guarded by mu; below zero while the number of slots shrinks
	extra   int              // guarded by mu; slots of the reserve that are taken
	longs   int              // guarded by mu; slots that Long statements have
	waived  int              // guarded by mu; of inside, those that let others go first
	inside  int              // guarded by mu; statements that gave their slot up and will resume
	parked  int              // guarded by mu; those of them that count against Limits.Parked
	open    int              // guarded by mu; sessions that rest inside a transaction
	grants  uint64           // guarded by mu
	turn    Class            // guarded by mu; Normal or Long, whose turn it is
	gate    Gate             // guarded by mu
	settled chan struct{}    // guarded by mu; closed when what the gate was closed for has come true; nil: nobody asked
	queues  [classes]queue   // guarded by mu
	held    int              // guarded by mu; leases that wait for their user's limit, in no class's queue
	users   map[string]*user // guarded by mu; those that have had leases

	house     house
	admission admission
}

// queue is the leases that wait in a class; users take turns.
type queue = turns.Queue[*Lease]

// user is the sessions of one user of a pool. It is guarded by the pool's mutex.
type user struct {
	name   string
	limits UserLimits
	leases int
	slots  int // that its sessions have
	inside int // statements that gave their slot up and will resume
	ready  int // waiting Normal and Long leases that stand in the queues of their classes
	lines  [classes]turns.Line[*Lease]
	held   queue // those that wait until the user is below its limit
	bound  turns.Line[*Lease]

	beginning turns.Line[*member] // guarded by the mutex of admission; sessions with new transactions that wait

	Counts
	histograms
}

// New makes a pool; open makes its backends.
func New(name string, limits Limits, open func() (Backend, error)) (*Pool, error) {
	limits = limits.resolve()
	p := &Pool{limits: limits, free: limits.Slots, turn: Normal, users: map[string]*user{}}
	p.admission.limit, p.admission.behind = limits.admission(), limits.Behind
	p.name.Store(&name)
	p.house.residents = map[*resident]bool{}
	var err error
	p.backends, err = puddle.NewPool(&puddle.Config[*resident]{
		// A constructor runs on a goroutine of puddle's, where a panic would end the process.
		Constructor: func(context.Context) (r *resident, err error) {
			defer func() {
				if r := recover(); r != nil {
					err = pgerror.Newf(pgerror.InternalError, "could not start a backend: %v", r)
				}
			}()
			b, err := open()
			if err != nil {
				return nil, err
			}
			p.alive.Add(1)
			return p.house.enter(b), nil
		},
		Destructor: func(r *resident) {
			p.alive.Add(-1)
			p.house.leave(r)
			r.Close()
		},
		MaxSize: math.MaxInt32,
	})
	if err != nil {
		return nil, pgerror.Internal(err)
	}
	p.noteSpareLocked()
	return p, nil
}

// Name gives the name of the database.
func (p *Pool) Name() string { return *p.name.Load() }

// SetLimits changes the limits; statements that run keep their slots.
func (p *Pool) SetLimits(limits Limits) {
	limits = limits.resolve()
	p.mu.Lock()
	p.free += limits.Slots - p.limits.Slots
	p.limits = limits
	for _, u := range p.users {
		u.limits = limits.user(u.name)
		p.freeHeldLocked(u)
	}
	p.noteSpareLocked()
	p.dispatchLocked()
	p.mu.Unlock()
	p.admission.mu.Lock()
	p.admission.limit, p.admission.behind = limits.admission(), limits.Behind
	p.admission.mu.Unlock()
}

// Close closes all backends; it waits for those that are lent.
func (p *Pool) Close() { p.backends.Close() }

func (p *Pool) noteSpareLocked() {
	p.spare.Store(int32(p.limits.Slots + p.limits.Reserve + p.inside))
}
