package pool

import (
	"math/bits"
	"sort"
	"time"
)

// Counts is what the sessions of a user have done.
type Counts struct {
	Transactions    uint64
	Statements      uint64
	Received        uint64 // bytes
	Sent            uint64 // bytes
	Grants          uint64 // of slots
	TransactionTime time.Duration
	StatementTime   time.Duration // without the waits for slots
	Waited          time.Duration // for slots
}

func (c *Counts) add(o *Counts) {
	c.Transactions += o.Transactions
	c.Statements += o.Statements
	c.Received += o.Received
	c.Sent += o.Sent
	c.Grants += o.Grants
	c.TransactionTime += o.TransactionTime
	c.StatementTime += o.StatementTime
	c.Waited += o.Waited
}

// Buckets is the number of buckets of a histogram: bucket i counts what took less than Bound(i), the last one the rest.
const Buckets = 25

// Histogram counts durations.
type Histogram [Buckets]uint64

// Bound gives the upper bound of a bucket: 1 microsecond, doubled for each bucket.
func Bound(i int) time.Duration { return time.Microsecond << i }

func bucket(d time.Duration) uint8 {
	return uint8(min(bits.Len64(uint64(max(d, 0)/time.Microsecond)), Buckets-1))
}

type histograms struct {
	runs  Histogram // of statements
	waits Histogram // of grants that were waited for
}

// tally is what a session has done since it was last added to its user's counts. Only its goroutine touches it.
type tally struct {
	Counts
	runs  [8]uint8 // buckets
	nRuns uint8
	waits [4]uint8
	nWait uint8
}

// queued is how long a session has waited for slots.
type queued struct {
	statement   time.Duration // in the statement that runs
	transaction time.Duration // in the transaction
}

// Statement counts a statement that took d, its waits for slots included.
func (l *Lease) Statement(d time.Duration) {
	t := &l.tally
	d -= l.queues.statement
	l.queues.transaction += l.queues.statement
	l.queues.statement = 0
	t.Statements++
	t.StatementTime += d
	if int(t.nRuns) == len(t.runs) {
		l.flush()
	}
	t.runs[t.nRuns] = bucket(d)
	t.nRuns++
}

// Transaction counts a transaction that took d, its waits for slots included.
func (l *Lease) Transaction(d time.Duration) {
	l.tally.Transactions++
	l.tally.TransactionTime += d - l.queues.transaction
	l.queues.transaction = 0
}

// Received counts bytes from the client.
func (l *Lease) Received(n int) { l.tally.Received += uint64(n) }

// Sent counts bytes to the client.
func (l *Lease) Sent(n int) { l.tally.Sent += uint64(n) }

// waited counts a wait for a slot.
func (l *Lease) waited(d time.Duration) {
	t := &l.tally
	t.Waited += d
	l.queues.statement += d
	if int(t.nWait) == len(t.waits) {
		l.flush()
	}
	t.waits[t.nWait] = bucket(d)
	t.nWait++
}

func (l *Lease) flush() {
	l.pool.mu.Lock()
	l.tallyLocked()
	l.pool.mu.Unlock()
}

// tallyLocked adds what the session has done to its user's counts.
func (l *Lease) tallyLocked() {
	u, t := l.user, &l.tally
	u.Counts.add(&t.Counts)
	for _, b := range t.runs[:t.nRuns] {
		u.runs[b]++
	}
	for _, b := range t.waits[:t.nWait] {
		u.waits[b]++
	}
	*t = tally{}
}

// UserStat is what a user of a pool looks like at a moment.
type UserStat struct {
	Name    string
	Leases  int // sessions
	Running int
	Parked  int
	Waiting int
	Oldest  time.Duration // how long the first of those who wait has waited
	Counts
	Runs  Histogram // of statements
	Waits Histogram // of grants; those that were not waited for are in the first bucket
}

// Stat is what a pool looks like at a moment.
type Stat struct {
	Name     string
	Gate     Gate
	Limits   Limits
	Slots    int
	Running  int
	Parked   int
	Waiting  int // in all queues
	Backends int // that exist
	Leases   int // sessions
	InTx     int // sessions that rest inside a transaction
	Users    []UserStat
	Averages Counts // per second, over the last period; the times per transaction, statement and grant
	Counts          // of all users
}

// Stat gives the state of the pool.
func (p *Pool) Stat() Stat {
	now := time.Now()
	p.mu.Lock()
	st := Stat{Name: p.Name(), Gate: p.gate, Limits: p.limits, Slots: p.limits.Slots, Running: p.limits.Slots - p.free + p.extra,
		Parked: p.inside, Backends: int(p.alive.Load()), Leases: int(p.leases.Load()), InTx: p.open, Waiting: p.held}
	for i := range p.queues {
		st.Waiting += p.queues[i].Len()
	}
	for _, u := range p.users {
		st.Counts.add(&u.Counts)
		st.Users = append(st.Users, u.stat(now))
	}
	p.mu.Unlock()
	sort.Slice(st.Users, func(i, j int) bool { return st.Users[i].Name < st.Users[j].Name })
	return st
}

func (u *user) stat(now time.Time) UserStat {
	s := UserStat{Name: u.name, Leases: u.leases, Running: u.slots, Parked: u.inside, Waiting: u.held.Len(), Counts: u.Counts,
		Runs: u.runs, Waits: u.waits}
	first := u.bound.First()
	for i := range u.lines {
		s.Waiting += u.lines[i].Len()
		if e := u.lines[i].First(); e != nil && (first == nil || e.Value.since.Before(first.Value.since)) {
			first = e
		}
	}
	if first != nil {
		s.Oldest = now.Sub(first.Value.since)
	}
	s.Waits[0] += u.Grants
	for i := range u.waits {
		s.Waits[0] -= u.waits[i]
	}
	return s
}
