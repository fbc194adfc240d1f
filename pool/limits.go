package pool

import (
	"math"
	"runtime"
	"time"
)

// stint is how long a statement keeps its slot while others wait that have not begun (activity.Task.Breathe).
const stint = 10 * time.Millisecond

// Limits bound a pool. They may change while it runs.
type Limits struct {
	Slots        int           // statements that run at a time; 0 chooses by the number of processors
	Reserve      int           // statements of superusers that may run beyond Slots
	Parked       int           // statements that wait inside for locks or the log before Normal has to wait; 0 is no limit
	Queue        int           // Normal and Long statements that may wait; 0 is no limit
	QueueTimeout time.Duration // how long Normal and Long wait for a slot while the pool is open; 0 is for ever

	Users map[string]UserLimits // by name; those that are not named have no limits of their own

	// Behind tells whether messages of clients are waiting for a processor; nil: never.
	Behind func() bool
}

// UserLimits bound what one user has of a pool. Statements that hold something others may wait for are let in all the same.
type UserLimits struct {
	Slots        int           // statements that run at a time; 0 is no limit
	Queue        int           // Normal and Long statements that may wait; 0 is no limit
	QueueTimeout time.Duration // in place of the pool's; below zero: the pool's
}

var processors = runtime.GOMAXPROCS(0)

// Processors is how many processors the machine or the container gave the process when it started. What is sized by them asks
// here: GOMAXPROCS may be more.
func Processors() int { return processors }

// resolve fills in what the limits leave open.
func (l Limits) resolve() Limits {
	if l.Slots <= 0 {
		l.Slots = max(4, 2*Processors())
	}
	l.Parked, l.Queue = orNone(l.Parked), orNone(l.Queue)
	return l
}

func orNone(n int) int {
	if n <= 0 {
		return math.MaxInt32
	}
	return n
}

// admission is how many transactions are at work before new ones wait.
func (l Limits) admission() int { return max(openLeast, openPerSlot*l.Slots) }

// long is how many slots Long statements may have: one in four, and one at least, is kept for others.
func (l Limits) long() int { return max(1, l.Slots-max(1, l.Slots/4)) }

// user gives the limits of a user.
func (l Limits) user(name string) UserLimits {
	u, named := l.Users[name]
	if !named {
		u.QueueTimeout = -1
	}
	if u.QueueTimeout < 0 {
		u.QueueTimeout = l.QueueTimeout
	}
	u.Slots, u.Queue = orNone(u.Slots), orNone(u.Queue)
	return u
}
