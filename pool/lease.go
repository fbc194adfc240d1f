package pool

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/puddle/v2"

	"manifold/engine/activity"
	"manifold/engine/invariant"
	"manifold/engine/pgerror"
	"manifold/pool/turns"
)

// Lease is one session's claim on a slot and a backend. It implements activity.Slots, so that the session's task gives the
// slot up while it waits inside a statement; the backend stays. Only the session's goroutine may use it.
type Lease struct {
	pool    *Pool
	user    *user
	super   bool
	task    *activity.Task
	res     *puddle.Resource[*resident] // nil: no backend
	holds   bool                        // a slot
	yielded bool
	waives  bool          // the slot is given up for others only
	rests   bool          // the session rests inside a transaction, or will
	ready   chan struct{} // nil until the lease has first been queued
	tally   tally
	queues  queued
	member  *member // the transaction block, when admission knows of one

	entry    turns.Entry[*Lease] // guarded by pool.mu; in the line of user and class while queued
	queued   bool                // guarded by pool.mu
	held     bool                // guarded by pool.mu; queued, for the limit of the user
	class    Class               // guarded by pool.mu
	since    time.Time           // guarded by pool.mu; when it was queued
	extra    bool                // guarded by pool.mu; the slot is one of the reserve
	long     bool                // guarded by pool.mu; counted in pool.longs
	open     bool                // guarded by pool.mu; counted in pool.open
	waived   bool                // guarded by pool.mu; counted in pool.waived
	resuming bool                // guarded by pool.mu; counted in pool.inside
	counted  bool                // guarded by pool.mu; counted in pool.parked
}

// NewLease makes a lease for the session of the task, and joins the task to it. Users take turns in the queues; superusers
// may use the reserve.
func (p *Pool) NewLease(task *activity.Task, userName string, super bool) *Lease {
	l := &Lease{pool: p, user: p.join(userName), super: super, task: task}
	l.entry.Value = l
	task.SetSlots(l)
	task.SetPressure(&p.pressed, stint)
	p.leases.Add(1)
	return l
}

// End tells that the session is over. The lease must hold nothing.
func (l *Lease) End() {
	invariant.Assert(!l.holds && l.res == nil, "lease ends with a slot or backend")
	l.task.SetSlots(nil)
	l.task.SetPressure(nil, 0)
	l.Rest(false)
	l.step()
	l.flush()
	l.pool.leases.Add(-1)
	l.pool.part(l.user)
}

// Rest tells, before the session gives its slot back, whether it will rest inside a transaction.
func (l *Lease) Rest(open bool) {
	if open == l.rests {
		return
	}
	l.rests = open
	if !l.holds {
		l.pool.mu.Lock()
		l.restLocked()
		l.pool.settleLocked()
		l.pool.mu.Unlock()
	}
}

func (l *Lease) restLocked() {
	switch {
	case l.rests && !l.open:
		l.pool.open++
	case !l.rests && l.open:
		l.pool.open--
	}
	l.open = l.rests
}

// join counts a lease of a user.
func (p *Pool) join(name string) *user {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.users[name]
	if u == nil {
		u = &user{name: name, limits: p.limits.user(name)}
		p.users[name] = u
	}
	u.leases++
	return u
}

func (p *Pool) part(u *user) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.leases--
}

// Pool gives the pool that the lease is of.
func (l *Lease) Pool() *Pool { return l.pool }

// Backend gives the backend held, or nil.
func (l *Lease) Backend() Backend {
	if l.res == nil {
		return nil
	}
	return l.res.Value().Backend
}

// Acquire takes a slot and a backend, waiting in the queue of the class. It fails with 53300 at the limits of the pool, and
// with the task's reason when that is interrupted while it waits.
func (l *Lease) Acquire(c Class) (Backend, error) {
	invariant.Assert(!l.holds && l.res == nil, "acquire by a lease that holds a slot")
	l.works() // whoever waits for a slot is at work, too
	now, err := l.pool.enter(l, c)
	if err == nil && !now {
		err = l.wait(c)
		l.waited(time.Since(l.since))
	}
	if err != nil {
		l.step()
		return nil, err
	}
	l.holds = true
	return l.take()
}

// AcquireAlways takes a slot and a backend whatever happens to the task, to clean up after it.
func (l *Lease) AcquireAlways() (Backend, error) {
	l.works()
	if now, _ := l.pool.enter(l, Closing); !now { // is never refused
		<-l.ready
	}
	l.holds = true
	return l.take()
}

func (l *Lease) take() (Backend, error) {
	res, err := l.pool.backends.Acquire(context.Background())
	if err != nil {
		l.holds = false
		l.pool.leave(l, false, false)
		return nil, pgerror.From(err)
	}
	l.res = res
	l.task.BeginSlice()
	r := res.Value()
	r.lease.Store(l)
	return r.Backend, nil
}

// wait blocks until the queued lease is granted a slot.
func (l *Lease) wait(c Class) error {
	p := l.pool
	var timeout time.Duration
	if limited(c) {
		p.mu.Lock()
		timeout = l.user.limits.QueueTimeout
		p.mu.Unlock()
	}
	for {
		err := l.task.Wait(activity.EventSlot, l.ready, timeout)
		if err == nil {
			return nil
		}
		late := errors.Is(err, activity.ErrTimeout)
		p.mu.Lock()
		if !l.queued {
			p.mu.Unlock()
			<-l.ready
			if late {
				return nil
			}
			p.leave(l, false, false)
			return err
		}
		if late && p.gate != Open {
			p.mu.Unlock() // the pool is paused, which is no reason to give up
			continue
		}
		held, stuck, parked, slots, all := l.held, p.parked >= p.limits.Parked, p.parked, l.user.limits.Slots, p.limits.Slots
		p.removeLocked(l)
		p.mu.Unlock()
		if !late {
			return err
		}
		e := pgerror.Newf(pgerror.TooManyConnections, "statement waited longer than queue_timeout (%s) for a backend", timeout)
		if held {
			return e.WithDetail("Role \"%s\" may run %d statements at a time.", l.user.name, slots)
		}
		if stuck {
			return e.WithDetail("%d statements wait for locks or the log.", parked)
		}
		return e.WithDetail("%d statements may run at a time.", all)
	}
}

// Release gives slot and backend back.
func (l *Lease) Release() {
	if l.res != nil {
		l.res.Value().lease.Store(nil)
		if l.pool.alive.Load() > l.pool.spare.Load() {
			l.res.Destroy()
		} else {
			l.res.ReleaseUnused()
		}
		l.res = nil
	}
	l.drop()
	l.step()
}

// step tells admission what has become of the session's transaction block.
func (l *Lease) step() {
	if l.rests {
		l.pauses(forClient)
	} else {
		l.ends()
	}
}

// Destroy closes the backend, which a panic left in an unknown state, and gives the slot back.
func (l *Lease) Destroy() {
	if l.res != nil {
		l.res.Value().lease.Store(nil)
		l.res.Destroy()
		l.res = nil
	}
	l.drop()
}

func (l *Lease) drop() {
	if l.holds {
		l.holds = false
		l.pool.leave(l, false, false)
	}
}

// Yield gives the slot up while the task waits inside a statement. Sleepers and waits for the client do not count as
// parked. Without a slot it does nothing.
func (l *Lease) Yield() {
	if !l.holds {
		return
	}
	l.holds, l.yielded = false, true
	event, _ := l.task.Waiting()
	l.waives = event == activity.EventSlot // it lets others go first
	counted := !l.waives && event != activity.EventPgSleep && event != activity.EventClientRead && event != activity.EventClientWrite
	l.pool.leave(l, true, counted)
	if counted {
		l.pauses(forOthers)
	}
}

// Resume takes a slot again after Yield, ahead of all that have not begun.
func (l *Lease) Resume() {
	if !l.yielded {
		return
	}
	l.yielded = false
	l.works()
	if now, _ := l.pool.enter(l, Resumed); !now { // is never refused
		<-l.ready
		l.waited(time.Since(l.since))
	}
	l.holds = true
}
