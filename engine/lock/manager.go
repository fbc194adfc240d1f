package lock

import (
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
)

// Options of a Manager.
type Options struct {
	MaxLocks int // holders and waiters in the shared table, 53200 beyond; 1,000,000 when zero
}

const (
	partitionCount = 16
	strongCount    = 1024
	fastSlots      = 16
	defaultMax     = 1000000
	defaultDelay   = time.Second // deadlock_timeout
)

// ErrNotAvailable is what a NoWait request fails with; callers name the object in a message of their own (55P03).
var ErrNotAvailable = pgerror.New(pgerror.LockNotAvailable, "could not obtain lock")

// Manager is the lock table of the server. All methods may be called concurrently, those of one Owner by its session.
type Manager struct {
	max   int64
	used  atomic.Int64
	await atomic.Int32 // owners that wait
	parts [partitionCount]partition

	// strong counts, by hash of the tag, the holders of and waiters for relation locks that conflict with weak ones.
	// While one is not zero, weak locks of these tags go to the shared table.
	strong [strongCount]atomic.Int32

	mu     sync.RWMutex // guards owners
	owners map[*Owner]struct{}
}

// partition is a part of the shared table.
type partition struct {
	mu      sync.Mutex // guards everything reachable from here, holds and waits included
	entries map[Tag]*entry
	spare   []*entry
	holds   []*hold // spare
}

// entry is a lock that somebody holds or awaits in the shared table.
type entry struct {
	tag     Tag
	granted [modeCount]int32 // owners that hold each mode
	holds   []*hold
	queue   []*wait // in the order of service
}

// hold is what one owner holds of an entry.
type hold struct {
	owner *Owner
	modes modeMask
}

// wait is the one thing that an owner waits for; it lives in the owner. Guarded by the partition of the entry.
type wait struct {
	owner   *Owner
	entry   *entry // nil when not waiting
	mode    Mode
	granted bool
	passed  atomic.Bool  // it has what it asked for, and waits on for a lock of the one who held that (Pass); read by the sleeper
	goal    Tag          // of that lock
	at      int          // in the queue, while a search for deadlocks runs
	since   atomic.Int64 // nanoseconds since 1970, when it began to wait for what it waits for now; read by the sleeper
	ch      chan struct{}
}

// New makes an empty lock table.
func New(o Options) *Manager {
	m := &Manager{max: int64(o.MaxLocks), owners: map[*Owner]struct{}{}}
	if m.max == 0 {
		m.max = defaultMax
	}
	for i := range m.parts {
		m.parts[i].entries = map[Tag]*entry{}
	}
	return m
}

func (t Tag) hash() uint64 {
	h := (t.A+uint64(t.Database)<<32)*0x9e3779b97f4a7c15 ^ (t.B+uint64(t.Kind)<<56+uint64(t.Sub)<<40)*0xbf58476d1ce4e5b9
	return (h ^ h>>32) * 0x94d049bb133111eb >> 16
}

func (m *Manager) part(t Tag) *partition         { return &m.parts[t.hash()%partitionCount] }
func (m *Manager) strongFor(t Tag) *atomic.Int32 { return &m.strong[t.hash()>>8%strongCount] }
func weak(t Tag, mode Mode) bool                 { return t.Kind == KindRelation && mode <= RowExclusive }
func strong(t Tag, mode Mode) bool               { return t.Kind == KindRelation && mode > ShareUpdateExclusive }

// Request says how a lock is asked for.
type Request struct {
	Tag     Tag
	Mode    Mode
	Session bool          // held until released or the session ends, not the transaction
	NoWait  bool          // fail with ErrNotAvailable instead of waiting
	Timeout time.Duration // lock_timeout; zero for none: 55P03
	// DeadlockTimeout is how long to wait before looking for a deadlock; 1 s when zero.
	DeadlockTimeout time.Duration
}

// Acquire takes a lock, waiting (activity.Task.Wait) as needed. Taking a mode again only counts. The result tells
// whether the owner held exactly this before.
func (m *Manager) Acquire(task *activity.Task, o *Owner, r Request) (already bool, err error) {
	k := localKey{r.Tag, r.Mode}
	if l, ok := o.held.get(k); ok {
		o.count(k, l, r.Session)
		return true, nil
	}
	if weak(r.Tag, r.Mode) && o.takeFast(r.Tag, r.Mode) {
		o.count(k, local{}, r.Session)
		return false, nil
	}
	isStrong := strong(r.Tag, r.Mode)
	if isStrong {
		m.strongFor(r.Tag).Add(1)
		m.transfer(r.Tag)
	}
	if err := m.acquireShared(task, o, r); err != nil {
		if isStrong {
			m.strongFor(r.Tag).Add(-1)
		}
		return false, err
	}
	o.count(k, local{}, r.Session)
	return false, nil
}

// acquireShared takes a lock in the shared table.
func (m *Manager) acquireShared(task *activity.Task, o *Owner, r Request) error {
	p := m.part(r.Tag)
	p.mu.Lock()
	e := p.find(r.Tag)
	at, ok := e.admit(o, r.Mode)
	if !ok && r.NoWait {
		p.drop(e)
		p.mu.Unlock()
		return ErrNotAvailable
	}
	if m.used.Load() >= m.max {
		p.drop(e)
		p.mu.Unlock()
		return pgerror.New(pgerror.OutOfMemory, "out of shared memory").
			WithHint("You might need to increase max_locks_per_transaction.")
	}
	m.used.Add(1)
	if ok {
		p.grant(e, o, r.Mode)
		p.mu.Unlock()
		return nil
	}
	w := &o.wait
	w.entry, w.mode, w.granted = e, r.Mode, false
	w.since.Store(time.Now().UnixNano())
	w.passed.Store(false)
	e.queue = append(e.queue, nil)
	copy(e.queue[at+1:], e.queue[at:])
	e.queue[at] = w
	e.want()
	p.mu.Unlock()
	m.await.Add(1)
	defer m.await.Add(-1)
	return m.sleep(task, o, r, p)
}

// Waiting gives the number of owners that wait for a lock.
func (m *Manager) Waiting() int { return int(m.await.Load()) }

// sleep waits for a queued request to be granted.
func (m *Manager) sleep(task *activity.Task, o *Owner, r Request, p *partition) error {
	w := &o.wait
	delay := r.DeadlockTimeout
	if delay == 0 {
		delay = defaultDelay
	}
	looked := 0 // searches for deadlocks: one, and one more when the wait has been passed on
	for {
		limit := max(delay-w.lasts(), time.Nanosecond)
		switch {
		case looked < w.looks():
		case r.Tag.Kind == KindTuple:
			limit = delay // it may be passed on meanwhile
		default:
			limit = 0
		}
		if r.Timeout > 0 {
			left := max(r.Timeout-w.lasts(), time.Nanosecond)
			if limit == 0 || left < limit {
				limit = left
			}
		}
		err := task.Wait(r.Tag.Kind.Event(), w.ch, limit)
		if err == nil {
			return nil // the granter has taken the wait off the queue
		}
		if err != activity.ErrTimeout {
			return m.giveUp(o, r, p, err, false)
		}
		if r.Timeout > 0 && w.lasts() >= r.Timeout {
			return m.giveUp(o, r, p, pgerror.New(pgerror.LockNotAvailable, "canceling statement due to lock timeout"), true)
		}
		if n := w.looks(); looked < n && w.lasts() >= delay {
			looked = n
			if err := m.checkDeadlock(o); err != nil {
				return m.giveUp(o, r, p, err, true)
			}
		}
	}
}

// looks gives how many searches for deadlocks a wait needs.
func (w *wait) looks() int {
	if w.passed.Load() { // there may be other deadlocks now
		return 2
	}
	return 1
}

// lasts tells how long a wait has lasted.
func (w *wait) lasts() time.Duration { return time.Duration(time.Now().UnixNano() - w.since.Load()) }

// giveUp takes a wait off its queue. When it was granted meanwhile, the lock is kept if keep is set, else given back.
func (m *Manager) giveUp(o *Owner, r Request, p *partition, err error, keep bool) error {
	w := &o.wait
	p.mu.Lock()
	if w.passed.Load() {
		p.mu.Unlock()
		if m.stop(w) && keep {
			return nil
		}
		m.release(o, r.Tag, r.Mode)
		return err
	}
	defer p.mu.Unlock()
	if w.granted {
		<-w.ch // sent under the same mutex
		if keep {
			return nil
		}
		e := p.find(r.Tag)
		p.ungrant(e, o, r.Mode)
		p.wake(e)
		p.drop(e)
	} else {
		e := w.entry
		e.remove(w)
		w.entry = nil
		p.wake(e)
		p.drop(e)
	}
	m.used.Add(-1)
	return err
}

// stop ends a wait that was passed on; it tells whether it was over already.
func (m *Manager) stop(w *wait) bool {
	p := m.part(w.goal)
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.granted {
		<-w.ch
		return true
	}
	e := w.entry
	e.remove(w)
	w.entry = nil
	p.wake(e)
	p.drop(e)
	return false
}

// want tells the holders that somebody waits.
func (e *entry) want() {
	for _, h := range e.holds {
		h.owner.wanted.Store(true)
	}
}

func (e *entry) remove(w *wait) {
	for i, q := range e.queue {
		if q == w {
			e.queue = append(e.queue[:i], e.queue[i+1:]...)
			return
		}
	}
}

// release gives a lock in the shared table back.
func (m *Manager) release(o *Owner, t Tag, mode Mode) {
	p := m.part(t)
	p.mu.Lock()
	if e := p.entries[t]; e != nil && p.ungrant(e, o, mode) {
		m.used.Add(-1)
		p.wake(e)
		p.drop(e)
	}
	p.mu.Unlock()
	if strong(t, mode) {
		m.strongFor(t).Add(-1)
	}
}

// Pass gives back a lock of the transaction, of kind Tuple. Those who get it now, and could not while it was held, sleep on without
// having been woken until the owner has given goal back, too, which it holds exclusively: what they want next is something that
// it keeps as long as that. To others they wait for goal in mode Share, but they do not get it.
func (m *Manager) Pass(o *Owner, tag Tag, mode Mode, goal Tag) {
	k := localKey{tag, mode}
	l, ok := o.held.get(k)
	if !ok || l.xact+l.session > 1 {
		m.Release(o, tag, mode, false)
		return
	}
	o.unlog(k)
	o.held.remove(k)
	p, q := m.part(tag), m.part(goal)
	lockTwo(m, tag, goal)
	if e := p.entries[tag]; e != nil && p.ungrant(e, o, mode) {
		m.used.Add(-1)
		n := q.entries[goal]
		if n != nil && n.holdOf(o) == nil {
			n = nil
		}
		p.wakeInto(e, n, mode.conflicts())
		p.drop(e)
	}
	p.mu.Unlock()
	if q != p {
		q.mu.Unlock()
	}
}

// lockTwo locks the partitions of two tags, in their order.
func lockTwo(m *Manager, a, b Tag) {
	i, j := a.hash()%partitionCount, b.hash()%partitionCount
	m.parts[min(i, j)].mu.Lock()
	if i != j {
		m.parts[max(i, j)].mu.Lock()
	}
}

// transfer moves every owner's fast-path locks on a tag to the shared table.
func (m *Manager) transfer(t Tag) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.part(t)
	for o := range m.owners {
		o.mu.Lock()
		for i := range o.fast {
			s := &o.fast[i]
			if s.modes == 0 || s.tag != t {
				continue
			}
			p.mu.Lock()
			e := p.find(t)
			for mode := AccessShare; mode <= RowExclusive; mode++ {
				if s.modes&mode.mask() != 0 {
					p.grant(e, o, mode)
					m.used.Add(1)
				}
			}
			p.mu.Unlock()
			s.modes = 0
		}
		o.mu.Unlock()
	}
}

// find gives the entry of a tag, making it when missing.
func (p *partition) find(t Tag) *entry {
	e := p.entries[t]
	if e == nil {
		if n := len(p.spare); n > 0 {
			e, p.spare = p.spare[n-1], p.spare[:n-1]
		} else {
			e = &entry{}
		}
		e.tag = t
		p.entries[t] = e
	}
	return e
}

// drop forgets an entry that nobody holds or awaits.
func (p *partition) drop(e *entry) {
	if len(e.holds) == 0 && len(e.queue) == 0 {
		delete(p.entries, e.tag)
		p.spare = append(p.spare, e)
	}
}

func (e *entry) holdOf(o *Owner) *hold {
	for _, h := range e.holds {
		if h.owner == o {
			return h
		}
	}
	return nil
}

// blocked tells whether others hold a mode in conflict.
func (e *entry) blocked(h *hold, mode Mode) bool {
	c := mode.conflicts()
	for g := AccessShare; g < modeCount; g++ {
		if c&g.mask() == 0 {
			continue
		}
		n := e.granted[g]
		if h != nil && h.modes&g.mask() != 0 {
			n--
		}
		if n > 0 {
			return true
		}
	}
	return false
}

// admit tells whether a request can be granted now, and its place in the queue otherwise: the end, or, for one who
// already holds something here, before the first waiter that this blocks (else both would wait for each other).
func (e *entry) admit(o *Owner, mode Mode) (at int, ok bool) {
	h := e.holdOf(o)
	var ahead modeMask
	at = len(e.queue)
	for i, w := range e.queue {
		if h != nil && w.mode.conflicts()&h.modes != 0 {
			at = i
			break
		}
		ahead |= w.mode.mask()
	}
	return at, mode.conflicts()&ahead == 0 && !e.blocked(h, mode)
}

func (p *partition) grant(e *entry, o *Owner, mode Mode) {
	h := e.holdOf(o)
	if h == nil {
		if n := len(p.holds); n > 0 {
			h, p.holds = p.holds[n-1], p.holds[:n-1]
		} else {
			h = &hold{}
		}
		h.owner, h.modes = o, 0
		e.holds = append(e.holds, h)
	}
	h.modes |= mode.mask()
	e.granted[mode]++
}

func (p *partition) ungrant(e *entry, o *Owner, mode Mode) bool {
	for i, h := range e.holds {
		if h.owner != o || h.modes&mode.mask() == 0 {
			continue
		}
		h.modes &^= mode.mask()
		e.granted[mode]--
		if h.modes == 0 {
			n := len(e.holds) - 1
			e.holds[i], e.holds[n] = e.holds[n], nil
			e.holds = e.holds[:n]
			h.owner = nil
			p.holds = append(p.holds, h)
		}
		return true
	}
	return false
}

// wake grants, in order, every waiter that conflicts neither with holders nor with those still waiting before it.
func (p *partition) wake(e *entry) { p.wakeInto(e, nil, 0) }

// wakeInto is wake, but that those who are granted one of some modes go on waiting in the queue of another entry, if there is
// one. Both partitions are locked.
func (p *partition) wakeInto(e, next *entry, modes modeMask) {
	var ahead modeMask
	rest := e.queue[:0]
	for _, w := range e.queue {
		if w.mode.conflicts()&ahead != 0 || e.blocked(e.holdOf(w.owner), w.mode) {
			ahead |= w.mode.mask()
			rest = append(rest, w)
			continue
		}
		if !w.passed.Load() {
			p.grant(e, w.owner, w.mode)
		}
		if next != nil && w.mode.mask()&modes != 0 {
			w.goal, w.entry, w.mode = next.tag, next, Share
			w.since.Store(time.Now().UnixNano())
			w.passed.Store(true)
			next.queue = append(next.queue, w)
			next.want()
			continue
		}
		w.granted, w.entry = true, nil
		w.ch <- struct{}{}
	}
	if len(rest) > 0 {
		e.want()
	}
	clear(e.queue[len(rest):])
	e.queue = rest
}
