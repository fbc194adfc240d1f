package lock

import (
	"sync"
	"sync/atomic"
)

// Owner holds locks for one session. Its methods are called by the session only.
type Owner struct {
	m    *Manager
	pid  atomic.Uint32 // see SetPID
	held heldTable
	log  []localKey // one entry an acquisition of the transaction, oldest first
	sess int        // session-level counts in total
	wait wait

	statement func() string // for the log of a deadlock; may be nil

	yield atomic.Pointer[func()] // see SetYield

	wanted atomic.Bool // see Wanted

	mu   sync.Mutex // guards fast; uncontended but for takers of strong locks and readers of pg_locks
	fast [fastSlots]fastSlot
}

// fastSlot holds weak modes on one relation.
type fastSlot struct {
	tag   Tag
	modes modeMask
}

// NewOwner registers a session; pid is what pg_locks shows.
func (m *Manager) NewOwner(pid uint32) *Owner {
	o := &Owner{m: m}
	o.pid.Store(pid)
	o.wait.owner = o
	o.wait.ch = make(chan struct{}, 1)
	m.mu.Lock()
	m.owners[o] = struct{}{}
	m.mu.Unlock()
	return o
}

// SetStatement gives what tells the running statement to the log of a deadlock. It is called with the lock table locked, from
// any goroutine, and set before the owner takes a lock.
func (o *Owner) SetStatement(f func() string) { o.statement = f }

// Close releases everything and unregisters the owner.
func (o *Owner) Close() {
	for _, k := range o.held.list() {
		o.drop(k)
	}
	o.log, o.sess = nil, 0
	o.m.mu.Lock()
	delete(o.m.owners, o)
	o.m.mu.Unlock()
}

// SetPID changes the number that pg_locks shows, of an owner without locks.
func (o *Owner) SetPID(pid uint32) { o.pid.Store(pid) }

// SetYield has f called, from another goroutine, when somebody has waited for a lock of this owner for his deadlock timeout:
// work that can be done later, as a vacuum nobody asked for, should be given up. A nil f ends that.
func (o *Owner) SetYield(f func()) {
	if f == nil {
		o.yield.Store(nil)
		return
	}
	o.yield.Store(&f)
}

// PID gives the number that pg_locks shows.
func (o *Owner) PID() uint32 { return o.pid.Load() }

func (o *Owner) count(k localKey, l local, session bool) {
	if session {
		l.session++
		o.sess++
	} else {
		l.xact++
		o.log = append(o.log, k)
	}
	o.held.put(k, l)
}

// drop gives a lock back, wherever it is.
func (o *Owner) drop(k localKey) {
	o.held.remove(k)
	if weak(k.tag, k.mode) && o.dropFast(k.tag, k.mode) {
		return
	}
	o.m.release(o, k.tag, k.mode)
}

// takeFast takes a weak relation lock without the shared table: while nobody holds or awaits a strong one.
func (o *Owner) takeFast(t Tag, mode Mode) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m.strongFor(t).Load() != 0 {
		return false
	}
	free := -1
	for i := range o.fast {
		s := &o.fast[i]
		if s.modes == 0 {
			if free < 0 {
				free = i
			}
		} else if s.tag == t {
			s.modes |= mode.mask()
			return true
		}
	}
	if free < 0 {
		return false
	}
	o.fast[free] = fastSlot{t, mode.mask()}
	return true
}

func (o *Owner) dropFast(t Tag, mode Mode) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.fast {
		if s := &o.fast[i]; s.modes&mode.mask() != 0 && s.tag == t {
			s.modes &^= mode.mask()
			return true
		}
	}
	return false
}

// Release gives one count of a lock back; false when the owner does not hold it so.
func (m *Manager) Release(o *Owner, tag Tag, mode Mode, session bool) bool {
	k := localKey{tag, mode}
	l, ok := o.held.get(k)
	if !ok || session && l.session == 0 || !session && l.xact == 0 {
		return false
	}
	if session {
		o.sess--
		o.less(k, l, 0, 1)
		return true
	}
	o.unlog(k)
	o.less(k, l, 1, 0)
	return true
}

// unlog forgets the last acquisition of a lock by the transaction.
func (o *Owner) unlog(k localKey) {
	for i := len(o.log) - 1; i >= 0; i-- {
		if o.log[i] == k {
			o.log = append(o.log[:i], o.log[i+1:]...)
			return
		}
	}
}

func (o *Owner) less(k localKey, l local, xact, session int32) {
	l.xact -= xact
	l.session -= session
	if l == (local{}) {
		o.drop(k)
	} else {
		o.held.put(k, l)
	}
}

// ReleaseTransaction releases all locks of the transaction.
func (o *Owner) ReleaseTransaction() {
	o.RollbackTo(0)
	o.wanted.Store(false)
}

// Wanted tells whether somebody has come to wait for a lock of the owner since its transaction began.
func (o *Owner) Wanted() bool { return o.wanted.Load() }

// Mark gives the point that RollbackTo returns to (savepoints). Releasing a savepoint needs nothing.
func (o *Owner) Mark() int { return len(o.log) }

// RollbackTo releases the locks that the transaction has taken since a mark, the newest first.
func (o *Owner) RollbackTo(mark int) {
	for i := len(o.log) - 1; i >= mark; i-- {
		k := o.log[i]
		l, _ := o.held.get(k)
		o.less(k, l, 1, 0)
	}
	o.log = o.log[:min(mark, len(o.log))]
}

// ReleaseSession releases all session-level locks of a kind (pg_advisory_unlock_all, DISCARD ALL).
func (o *Owner) ReleaseSession(kind Kind) {
	for _, k := range o.held.list() {
		if l, _ := o.held.get(k); k.tag.Kind == kind && l.session > 0 {
			o.sess -= int(l.session)
			o.less(k, l, 0, l.session)
		}
	}
}

// Holds tells whether the owner holds a mode on a tag that excludes all that the given one excludes.
func (o *Owner) Holds(tag Tag, mode Mode) bool {
	for m := mode; m < modeCount; m++ {
		if m == mode || m.conflicts()&mode.conflicts() == mode.conflicts() {
			if _, ok := o.held.get(localKey{tag, m}); ok {
				return true
			}
		}
	}
	return false
}

// HoldsNothing tells whether the owner holds no lock at all.
func (o *Owner) HoldsNothing() bool { return len(o.log) == 0 && o.sess == 0 }

// HoldsSession tells whether any session-level lock is held.
func (o *Owner) HoldsSession() bool { return o.sess > 0 }
