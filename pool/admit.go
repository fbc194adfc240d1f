package pool

import (
	"time"

	"manifold/engine/invariant"
	"manifold/engine/pgerror"
)

// limited tells whether a class knows limits of queue, users and parked statements.
func limited(c Class) bool { return c >= Normal }

// enter takes a slot at once (true), queues the lease, or refuses it.
func (p *Pool) enter(l *Lease, c Class) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := l.user
	l.class = c
	switch {
	case p.free > 0 && p.admitsLocked(c) && (!limited(c) || u.slots+u.ready < u.limits.Slots):
		p.grantLocked(l)
		p.dispatchLocked() // one who resumes may have made room below the limit of parked statements
		return true, nil
	case l.super && p.free <= 0 && p.extra < p.limits.Reserve && p.gate.admits(c):
		l.extra = true
		p.grantLocked(l)
		return true, nil
	}
	if limited(c) {
		if p.queues[Normal].Len()+p.queues[Long].Len()+p.held >= p.limits.Queue {
			return false, pgerror.Newf(pgerror.TooManyConnections, "too many statements are waiting for a backend").
				WithDetail("The limit of the queue is %d.", p.limits.Queue)
		}
		if u.ready+u.held.Len() >= u.limits.Queue {
			return false, pgerror.Newf(pgerror.TooManyConnections, "too many statements of role \"%s\" are waiting for a backend", u.name).
				WithDetail("The limit of the role is %d.", u.limits.Queue)
		}
	}
	if l.ready == nil {
		l.ready = make(chan struct{}, 1)
	}
	l.queued, l.since = true, time.Now()
	if limited(c) && u.slots+u.ready >= u.limits.Slots {
		l.held = true
		p.held++
		u.held.Push(&u.bound, &l.entry)
		return false, nil
	}
	p.pushLocked(l)
	p.pressLocked()
	return false, nil
}

// wavers is how many statements for each slot may have let others go first at a time: without a bound the pool would bound
// nothing that statements need besides a slot.
const wavers = 4

// pressLocked tells statements that run for long whether one that has not begun waits for them.
func (p *Pool) pressLocked() {
	pressed := p.queues[Normal].Len() > 0 && p.waived < wavers*p.limits.Slots && p.admitsLocked(Normal)
	if p.pressed.Load() != pressed {
		p.pressed.Store(pressed)
	}
}

func (p *Pool) pushLocked(l *Lease) {
	p.queues[l.class].Push(&l.user.lines[l.class], &l.entry)
	if limited(l.class) {
		l.user.ready++
	}
}

// removeLocked takes a waiting lease out of its queue: it has lost patience.
func (p *Pool) removeLocked(l *Lease) {
	u := l.user
	l.queued = false
	if l.held {
		l.held = false
		p.held--
		u.held.Remove(&u.bound, &l.entry)
		return
	}
	p.queues[l.class].Remove(&u.lines[l.class], &l.entry)
	if limited(l.class) {
		u.ready--
		p.freeHeldLocked(u)
		p.dispatchLocked()
	}
}

// freeHeldLocked lets those go on who waited for the limit of their user.
func (p *Pool) freeHeldLocked(u *user) {
	for u.held.Len() > 0 && u.slots+u.ready < u.limits.Slots {
		l, _ := u.held.Pop()
		l.held = false
		p.held--
		p.pushLocked(l)
	}
}

// grantLocked gives a slot to a lease that is in no queue.
func (p *Pool) grantLocked(l *Lease) {
	if l.extra {
		p.extra++
	} else {
		p.free--
	}
	if l.class == Long {
		p.longs++
		l.long = true
	}
	l.user.slots++
	l.user.Grants++
	p.grants++
	if l.resuming {
		p.inside--
		l.user.inside--
		if l.counted {
			p.parked--
		}
		if l.waived {
			l.waived = false
			p.waived--
		}
		l.resuming, l.counted = false, false
		p.noteSpareLocked()
	}
}

// leave gives a slot back. parking tells that the lease will resume, counted that it counts as parked meanwhile.
func (p *Pool) leave(l *Lease, parking, counted bool) {
	p.mu.Lock()
	if l.extra {
		l.extra = false
		p.extra--
	} else {
		p.free++
	}
	invariant.Assert(p.free <= p.limits.Slots, "pool %s: %d of %d slots free", p.Name(), p.free, p.limits.Slots)
	if l.long {
		l.long = false
		p.longs--
	}
	u := l.user
	u.slots--
	if parking {
		l.resuming, l.counted = true, counted
		p.inside++
		if l.waives {
			l.waives, l.waived = false, true
			p.waived++
		}
		u.inside++
		if counted {
			p.parked++
		}
		p.noteSpareLocked()
	}
	if !parking {
		l.restLocked()
	}
	l.tallyLocked()
	p.freeHeldLocked(u)
	p.dispatchLocked()
	p.settleLocked()
	p.mu.Unlock()
}

// dispatchLocked gives free slots to those who wait.
func (p *Pool) dispatchLocked() {
	for p.free > 0 {
		c, ok := p.chooseLocked()
		if !ok {
			break
		}
		l, _ := p.queues[c].Pop()
		if limited(c) {
			l.user.ready--
		}
		l.queued = false
		p.grantLocked(l)
		l.ready <- struct{}{} // has room for one; never blocks
	}
	p.pressLocked()
}

// chooseLocked picks the class that is next.
func (p *Pool) chooseLocked() (Class, bool) {
	begin, fresh := p.freshLocked()
	old, has := Closing, false
	for c := Closing; c <= Holder && !has; c++ {
		old, has = c, p.queues[c].Len() > 0 && p.admitsLocked(c)
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
	for _, c := range [...]Class{p.turn, Normal + Long - p.turn} {
		if p.queues[c].Len() > 0 && p.admitsLocked(c) {
			return c, true
		}
	}
	return 0, false
}

// admitsLocked tells whether the pool as a whole lets a class begin while a slot is free.
func (p *Pool) admitsLocked(c Class) bool {
	if !p.gate.admits(c) {
		return false
	}
	return !limited(c) || p.parked < p.limits.Parked && (c == Normal || p.longs < p.limits.long())
}
