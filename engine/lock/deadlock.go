package lock

import (
	"fmt"
	"strings"

	"manifold/engine/pgerror"
)

// edge says that an owner waits for another: hard, because that one holds a mode in conflict, or soft, because it
// stands before it in the queue.
type edge struct {
	from, to *Owner
	soft     bool
	mode     Mode
	tag      Tag
}

func (m *Manager) lockAll() {
	for i := range m.parts {
		m.parts[i].mu.Lock()
	}
}

func (m *Manager) unlockAll() {
	for i := len(m.parts) - 1; i >= 0; i-- {
		m.parts[i].mu.Unlock()
	}
}

// edges gives whom an owner waits for. All partitions are locked.
func edges(o *Owner) []edge {
	e := o.wait.entry
	if e == nil {
		return nil
	}
	mode := o.wait.mode
	c := mode.conflicts()
	var out []edge
	for _, h := range e.holds {
		if h.owner != o && h.modes&c != 0 {
			out = append(out, edge{o, h.owner, false, mode, e.tag})
		}
	}
	// Backwards: a waiter ahead that asks for the same mode waits for all that stand before it too.
	for i := o.wait.at - 1; i >= 0; i-- {
		w := e.queue[i]
		if w.mode.mask()&c == 0 {
			continue
		}
		out = append(out, edge{o, w.owner, true, mode, e.tag})
		if w.mode == mode {
			break
		}
	}
	return out
}

// number notes on the waiters of an entry where in the queue they stand.
func (e *entry) number() {
	for i, w := range e.queue {
		w.at = i
	}
}

// cycle finds a way from an owner back to itself; nil when there is none.
func cycle(start *Owner) []edge {
	seen := map[*Owner]bool{}
	numbered := map[*entry]bool{}
	var path []edge
	var visit func(o *Owner) bool
	visit = func(o *Owner) bool {
		if e := o.wait.entry; e != nil && !numbered[e] {
			numbered[e] = true
			e.number()
		}
		for _, e := range edges(o) {
			path = append(path, e)
			if e.to == start {
				return true
			}
			if !seen[e.to] {
				seen[e.to] = true
				if visit(e.to) {
					return true
				}
			}
			path = path[:len(path)-1]
		}
		return false
	}
	if visit(start) {
		return path
	}
	return nil
}

// checkDeadlock looks for a cycle through a waiting owner. One that hangs on the order of a queue is resolved by
// changing it; a hard one is the error 40P01 for this owner.
func (m *Manager) checkDeadlock(o *Owner) error {
	m.lockAll()
	found := cycle(o)
	if found == nil {
		yields := yieldingHolders(o)
		m.unlockAll()
		for _, f := range yields {
			f()
		}
		return nil
	}
	defer m.unlockAll()
	for _, e := range found {
		if e.soft && m.overtake(e, o) {
			return nil
		}
	}
	var d strings.Builder
	for i, e := range found {
		if i > 0 {
			d.WriteByte('\n')
		}
		fmt.Fprintf(&d, "Process %d waits for %s on %s; blocked by process %d.", e.from.PID(), e.mode, e.tag, e.to.PID())
	}
	err := pgerror.New(pgerror.TRDeadlockDetected, "deadlock detected").WithDetail("%s", d.String()).
		WithHint("See server log for query details.")
	for _, e := range found {
		if e.from.statement != nil {
			fmt.Fprintf(&d, "\nProcess %d: %s", e.from.PID(), e.from.statement())
		}
	}
	err.LogDetail = d.String()
	return err
}

// yieldingHolders gives what asks the holders of the lock that an owner waits for to give up.
func yieldingHolders(o *Owner) []func() {
	e := o.wait.entry
	if e == nil {
		return nil
	}
	var out []func()
	conflicts := o.wait.mode.conflicts()
	for _, h := range e.holds {
		if f := h.owner.yield.Load(); f != nil && h.owner != o && h.modes&conflicts != 0 {
			out = append(out, *f)
		}
	}
	return out
}

// overtake moves the waiter of a soft edge before the one it waits for, or, when that does not help, to the head of the
// queue. It is undone, with false, when that makes a cycle elsewhere or does not end this one.
func (m *Manager) overtake(s edge, o *Owner) bool {
	e := s.from.wait.entry
	from, to := -1, -1
	for i, w := range e.queue {
		switch w.owner {
		case s.from:
			from = i
		case s.to:
			to = i
		}
	}
	if from < 0 || to < 0 || from < to {
		return false
	}
	old := append([]*wait(nil), e.queue...)
	for _, at := range []int{to, 0} {
		copy(e.queue[at+1:from+1], old[at:from])
		e.queue[at] = old[from]
		if cycle(o) == nil && cycle(s.from) == nil && cycle(s.to) == nil {
			m.part(e.tag).wake(e)
			return true
		}
		copy(e.queue, old)
	}
	return false
}

// BlockedBy gives the pids that keep a session from its lock (pg_blocking_pids).
func (m *Manager) BlockedBy(pid uint32) []uint32 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	m.lockAll()
	defer m.unlockAll()
	var out []uint32
	for o := range m.owners {
		e := o.wait.entry
		if o.PID() != pid || e == nil {
			continue
		}
		c := o.wait.mode.conflicts()
		for _, h := range e.holds {
			if h.owner != o && h.modes&c != 0 {
				out = appendOnce(out, h.owner.PID())
			}
		}
		for _, w := range e.queue {
			if w.owner == o {
				break
			}
			if w.mode.mask()&c != 0 {
				out = appendOnce(out, w.owner.PID())
			}
		}
	}
	return out
}

func appendOnce(s []uint32, v uint32) []uint32 {
	for _, x := range s {
		if x == v {
			return s
		}
	}
	return append(s, v)
}
