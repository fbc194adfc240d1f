package pool

import (
	"sync"
	"time"

	"manifold/pool/turns"
)

const (
	// openPerSlot and openLeast say how many transactions are at work at a time before new ones wait.
	openPerSlot = 8
	openLeast   = 64
	// idleAfter and stuckAfter are how long a transaction may wait for its client, or for others, and still count as at work.
	idleAfter  = 2 * time.Millisecond
	stuckAfter = 50 * time.Millisecond
	// patience is how long a new transaction waits at most.
	patience  = 250 * time.Millisecond
	lookAgain = 2 * time.Millisecond
)

// admission keeps explicit transactions that have done nothing yet waiting for a moment while many are at work: transactions that
// compete for the same rows get slower together the more there are, and one that has not begun loses nothing by it. Transactions
// that wait, for their client or for a lock, soon do not count, so that nobody waits for them.
type admission struct {
	mu      sync.Mutex
	limit   int                    // guarded by mu
	working int                    // guarded by mu; transactions at work
	waits   [2]turns.Line[*member] // guarded by mu; those of them that wait, for their client or for others, the longest first
	queue   turns.Queue[*member]   // guarded by mu; new ones
	spare   []*member              // guarded by mu
	timer   *time.Timer            // guarded by mu; nil until one was needed
	ticking bool                   // guarded by mu
}

// The lines of admission.waits.
const (
	forClient = iota
	forOthers
)

// work says what is known of a transaction.
type work uint8

const (
	newWork work = iota // in the queue
	atWork
	pausing // at work, in a line of waits
	paused  // has waited for too long to count
)

// member is a transaction block. It is guarded by the mutex of admission.
type member struct {
	user     *user
	state    work
	kind     uint8 // the line, while pausing
	since    time.Time
	entry    turns.Entry[*member] // in the queue, or in a line of waits
	admitted chan struct{}        // has room for one
}

// memberLocked gives a member for the transaction of a lease.
func (a *admission) memberLocked(l *Lease) *member {
	var m *member
	if n := len(a.spare); n > 0 {
		m = a.spare[n-1]
		a.spare = a.spare[:n-1]
	} else {
		m = &member{admitted: make(chan struct{}, 1)}
		m.entry.Value = m
	}
	m.user = l.user
	return m
}

// Enter tells that the session has begun a transaction block and given its slot back. fresh says that the block has not done
// anything: if the channel is not nil, its client must be kept waiting until something comes through it, and Entered follows.
func (l *Lease) Enter(fresh bool) <-chan struct{} {
	if l.member != nil {
		return nil
	}
	a, now := &l.pool.admission, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.memberLocked(l)
	l.member = m
	if fresh && a.working >= a.limit {
		a.forgetLocked(now)
	}
	if !fresh || a.working < a.limit && a.queue.Len() == 0 {
		a.admitLocked(m, now)
		return nil
	}
	m.state, m.since = newWork, now
	a.queue.Push(&m.user.beginning, &m.entry)
	a.tickLocked()
	return m.admitted
}

// Entered ends the wait of Enter, which may have been interrupted.
func (l *Lease) Entered() {
	a, m := &l.pool.admission, l.member
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.state == newWork {
		a.queue.Remove(&m.user.beginning, &m.entry)
		a.admitLocked(m, time.Now())
		return
	}
	select {
	case <-m.admitted:
	default:
	}
}

// works tells that the session's transaction, if it has one, goes on.
func (l *Lease) works() {
	m := l.member
	if m == nil {
		return
	}
	a := &l.pool.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m.state {
	case pausing:
		a.waits[m.kind].Remove(&m.entry)
	case paused:
		a.working++
	default:
		return
	}
	m.state = atWork
}

// pauses tells that the session's transaction, if it has one, waits.
func (l *Lease) pauses(kind uint8) {
	m := l.member
	if m == nil {
		return
	}
	a, now := &l.pool.admission, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.state == atWork {
		a.pauseLocked(m, kind, now)
	}
}

// ends tells that the session's transaction, if it had one, is over.
func (l *Lease) ends() {
	m := l.member
	if m == nil {
		return
	}
	l.member = nil
	a := &l.pool.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m.state {
	case pausing:
		a.waits[m.kind].Remove(&m.entry)
		a.working--
	case atWork:
		a.working--
	}
	if m.user = nil; len(a.spare) < a.limit {
		a.spare = append(a.spare, m)
	}
	if a.queue.Len() > 0 {
		a.dispatchLocked(time.Now())
	}
}

// admitLocked counts a transaction whose session is waiting for its client.
func (a *admission) admitLocked(m *member, now time.Time) {
	a.working++
	a.pauseLocked(m, forClient, now)
}

func (a *admission) pauseLocked(m *member, kind uint8, now time.Time) {
	m.state, m.kind, m.since = pausing, kind, now
	a.waits[kind].Push(&m.entry)
}

// forgetLocked stops counting transactions that have waited for too long.
func (a *admission) forgetLocked(now time.Time) {
	for kind, limit := range [...]time.Duration{forClient: idleAfter, forOthers: stuckAfter} {
		w := &a.waits[kind]
		for e := w.First(); e != nil && now.Sub(e.Value.since) > limit; e = w.First() {
			w.Remove(e)
			e.Value.state = paused
			a.working--
		}
	}
}

// dispatchLocked lets new transactions in while there is room, and those that have waited for long enough.
func (a *admission) dispatchLocked(now time.Time) {
	if a.working >= a.limit {
		a.forgetLocked(now)
	}
	for a.working < a.limit || a.oldestLocked(now) {
		m, ok := a.queue.Pop()
		if !ok {
			return
		}
		a.admitLocked(m, now)
		m.admitted <- struct{}{}
	}
}

// oldestLocked tells whether the transaction whose turn it is has waited for long enough.
func (a *admission) oldestLocked(now time.Time) bool {
	m, ok := a.queue.Peek()
	return ok && now.Sub(m.since) > patience
}

// tickLocked looks again soon, as long as somebody waits: nobody tells when a pause becomes too long.
func (a *admission) tickLocked() {
	if a.ticking {
		return
	}
	a.ticking = true
	if a.timer == nil {
		a.timer = time.AfterFunc(lookAgain, a.tick)
		return
	}
	a.timer.Reset(lookAgain)
}

func (a *admission) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ticking = false
	a.dispatchLocked(time.Now())
	if a.queue.Len() > 0 {
		a.tickLocked()
	}
}
