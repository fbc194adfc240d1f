package pool

import (
	"sync"
	"time"

	"manifold/pool/turns"
)

const (
	// openPerSlot and openLeast say how many transactions are at work at a time before new ones wait.
	openPerSlot = 4
	openLeast   = 32
	// idleAfter and stuckAfter are how long a transaction may wait for its client, or for others, and still count as at work.
	// A client whose message may have arrived already is given lateAfter.
	idleAfter  = 500 * time.Microsecond
	lateAfter  = 6 * time.Millisecond
	stuckAfter = 50 * time.Millisecond
	// patience is how long a new transaction waits before it may come in although there is no room: one each lookAgain.
	patience  = 250 * time.Millisecond
	lookAgain = 2 * time.Millisecond
)

// admission keeps explicit transactions that have done nothing yet waiting for a moment while many are at work: transactions that
// compete for the same rows get slower together the more there are, and one that has not begun loses nothing by it. Transactions
// that wait, for their client or for a lock, soon do not count, so that nobody waits for them.
type admission struct {
	mu      sync.Mutex
	limit   int                    // guarded by mu
	behind  func() bool            // guarded by mu; see Limits.Behind
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
	user  *user
	state work
	kind  uint8 // the line, while pausing
	since time.Time
	entry turns.Entry[*member] // in the queue, or in a line of waits
	waker Waker                // while in the queue
}

// Waker is who is to learn that something happened. Wake may be called from any goroutine, under no mutex.
type Waker interface{ Wake() }

// memberLocked gives a member for the transaction of a lease.
func (a *admission) memberLocked(l *Lease) *member {
	var m *member
	if n := len(a.spare); n > 0 {
		m = a.spare[n-1]
		a.spare = a.spare[:n-1]
	} else {
		m = &member{}
		m.entry.Value = m
	}
	m.user = l.user
	return m
}

// Enter tells that the session has begun a transaction block and given its slot back. fresh says that the block has not done
// anything. If it gives true, the client must be kept waiting while Waits does, too; w is woken when that ends.
func (l *Lease) Enter(fresh bool, w Waker) bool {
	if l.member != nil {
		return false
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
		return false
	}
	m.state, m.since, m.waker = newWork, now, w
	a.queue.Push(&m.user.beginning, &m.entry)
	a.tickLocked()
	return true
}

// Waits tells whether the session's transaction is still to come in. If it begins a statement all the same, or ends, it does not
// wait any more.
func (l *Lease) Waits() bool {
	m := l.member
	if m == nil {
		return false
	}
	a := &l.pool.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	return m.state == newWork
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
	if m.state != atWork {
		a.takeLocked(m)
		a.working++
		m.state = atWork
	}
}

// takeLocked takes a transaction out of where it waits, and counts it no more.
func (a *admission) takeLocked(m *member) {
	switch m.state {
	case newWork:
		a.queue.Remove(&m.user.beginning, &m.entry)
		m.waker = nil
	case pausing:
		a.waits[m.kind].Remove(&m.entry)
		a.working--
	case atWork:
		a.working--
	}
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
	a.takeLocked(m)
	if m.user = nil; len(a.spare) < a.limit {
		a.spare = append(a.spare, m)
	}
	a.mu.Unlock()
	a.dispatch()
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
	idle := idleAfter
	if a.behind != nil && a.behind() {
		idle = lateAfter
	}
	for kind, limit := range [...]time.Duration{forClient: idle, forOthers: stuckAfter} {
		w := &a.waits[kind]
		for e := w.First(); e != nil && now.Sub(e.Value.since) > limit; e = w.First() {
			w.Remove(e)
			e.Value.state = paused
			a.working--
		}
	}
}

// dispatch lets new transactions in while there is room.
func (a *admission) dispatch() {
	for {
		a.mu.Lock()
		if a.queue.Len() == 0 {
			a.mu.Unlock()
			return
		}
		now := time.Now()
		if a.working >= a.limit {
			a.forgetLocked(now)
		}
		if a.working >= a.limit {
			a.mu.Unlock()
			return
		}
		w := a.popLocked(now)
		a.mu.Unlock()
		w.Wake()
	}
}

// popLocked lets the transaction in whose turn it is, and gives who is to learn of it.
func (a *admission) popLocked(now time.Time) Waker {
	m, _ := a.queue.Pop()
	w := m.waker
	m.waker = nil
	a.admitLocked(m, now)
	return w
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
	a.dispatch()
	var late Waker
	a.mu.Lock()
	now := time.Now()
	if m, ok := a.queue.Peek(); ok && now.Sub(m.since) > patience {
		late = a.popLocked(now)
	}
	a.ticking = false
	if a.queue.Len() > 0 {
		a.tickLocked()
	}
	a.mu.Unlock()
	if late != nil {
		late.Wake()
	}
}
