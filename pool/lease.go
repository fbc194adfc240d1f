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
	task    *activity.Task
	res     *puddle.Resource[Backend] // nil: no backend
	holds   bool                      // a slot
	yielded bool
	ready   chan struct{}

	entry    turns.Entry[*Lease] // guarded by pool.mu; in the line of user and class while queued
	queued   bool                // guarded by pool.mu
	class    Class               // guarded by pool.mu
	resuming bool                // guarded by pool.mu; counted in pool.inside
	counted  bool                // guarded by pool.mu; counted in pool.parked
}

// NewLease makes a lease for the session of the task, and joins the task to it. Users take turns in the queues.
func (p *Pool) NewLease(task *activity.Task, userName string) *Lease {
	l := &Lease{pool: p, user: p.join(userName), task: task, ready: make(chan struct{}, 1)}
	l.entry.Value = l
	task.SetSlots(l)
	p.leases.Add(1)
	return l
}

// End tells that the session is over. The lease must hold nothing.
func (l *Lease) End() {
	invariant.Assert(!l.holds && l.res == nil, "lease ends with a slot or backend")
	l.task.SetSlots(nil)
	l.pool.leases.Add(-1)
	l.pool.part(l.user)
}

// join counts a lease of a user.
func (p *Pool) join(name string) *user {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.users[name]
	if u == nil {
		u = &user{name: name}
		p.users[name] = u
	}
	u.leases++
	return u
}

func (p *Pool) part(u *user) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.leases--; u.leases == 0 {
		delete(p.users, u.name)
	}
}

// Pool gives the pool that the lease is of.
func (l *Lease) Pool() *Pool { return l.pool }

// Backend gives the backend held, or nil.
func (l *Lease) Backend() Backend {
	if l.res == nil {
		return nil
	}
	return l.res.Value()
}

// Acquire takes a slot and a backend, waiting in the queue of the class. It fails with 53300 at the limits of the pool, and
// with the task's reason when that is interrupted while it waits.
func (l *Lease) Acquire(c Class) (Backend, error) {
	invariant.Assert(!l.holds && l.res == nil, "acquire by a lease that holds a slot")
	now, err := l.pool.enter(l, c)
	if err != nil {
		return nil, err
	}
	if !now {
		begin := time.Now()
		err = l.wait(c)
		l.pool.waited.Add(int64(time.Since(begin)))
		if err != nil {
			return nil, err
		}
	}
	l.holds = true
	return l.take()
}

// AcquireAlways takes a slot and a backend as a Holder whatever happens to the task, to clean up after it.
func (l *Lease) AcquireAlways() (Backend, error) {
	if now, _ := l.pool.enter(l, Holder); !now { // a Holder is never refused
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
	return res.Value(), nil
}

// wait blocks until the queued lease is granted a slot.
func (l *Lease) wait(c Class) error {
	p := l.pool
	var timeout time.Duration
	if limited(c) {
		p.mu.Lock()
		timeout = p.limits.QueueTimeout
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
		if late && p.parked < p.limits.Parked {
			p.mu.Unlock() // the slots are busy, which is no reason to give up
			continue
		}
		p.queues[l.class].Remove(&l.user.lines[l.class], &l.entry)
		l.queued = false
		parked := p.parked
		p.mu.Unlock()
		if late {
			return pgerror.Newf(pgerror.TooManyConnections, "no backend became free within %s", timeout).
				WithDetail("%d statements wait for locks or the log.", parked)
		}
		return err
	}
}

// Release gives slot and backend back.
func (l *Lease) Release() {
	if l.res != nil {
		if l.pool.alive.Load() > l.pool.spare.Load() {
			l.res.Destroy()
		} else {
			l.res.ReleaseUnused()
		}
		l.res = nil
	}
	l.drop()
}

// Destroy closes the backend, which a panic left in an unknown state, and gives the slot back.
func (l *Lease) Destroy() {
	if l.res != nil {
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
	counted := event != activity.EventPgSleep && event != activity.EventClientRead && event != activity.EventClientWrite
	l.pool.leave(l, true, counted)
}

// Resume takes a slot again after Yield, ahead of all that have not begun.
func (l *Lease) Resume() {
	if !l.yielded {
		return
	}
	l.yielded = false
	if now, _ := l.pool.enter(l, Resumed); !now { // is never refused
		begin := time.Now()
		<-l.ready
		l.pool.waited.Add(int64(time.Since(begin)))
	}
	l.holds = true
}
