package pool

// Gate tells which statements a pool lets begin.
type Gate uint8

// The gates, each closer than the one before.
const (
	Open      Gate = iota
	Pausing        // those begin that others may wait for, until no transaction is left
	Paused         // nothing runs and no transaction is open; only sessions end
	Suspended      // nothing runs; transactions may be open
)

// String gives the name of the gate.
func (g Gate) String() string {
	return [...]string{"open", "pausing", "paused", "suspended"}[g]
}

// admits tells whether the gate is open to a class.
func (g Gate) admits(c Class) bool {
	switch g {
	case Open:
		return true
	case Pausing:
		return c <= Holder
	case Paused:
		return c <= Resumed
	}
	return c == Closing
}

// Pause keeps new statements and transactions waiting. The channel is closed when none is left, or the pool was resumed.
func (p *Pool) Pause() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == Open || p.gate == Suspended {
		p.shutLocked(Pausing)
	}
	return p.settled
}

// Suspend keeps every statement waiting at its next step, also inside transactions. The channel is closed when nothing
// runs, or the pool was resumed.
func (p *Pool) Suspend() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate != Suspended {
		p.shutLocked(Suspended)
	}
	return p.settled
}

func (p *Pool) shutLocked(g Gate) {
	if p.settled != nil && !isClosed(p.settled) {
		close(p.settled)
	}
	p.gate, p.settled = g, make(chan struct{})
	p.settleLocked()
	p.dispatchLocked()
}

// Resume opens the gate; false when it was open.
func (p *Pool) Resume() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == Open {
		return false
	}
	if !isClosed(p.settled) {
		close(p.settled)
	}
	p.gate, p.settled = Open, nil
	p.dispatchLocked()
	return true
}

// Gate gives the state of the gate.
func (p *Pool) Gate() Gate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate
}

// settleLocked notices that what the gate was closed for has come true.
func (p *Pool) settleLocked() {
	if p.gate == Open || p.free < p.limits.Slots || p.extra > 0 || isClosed(p.settled) {
		return
	}
	switch {
	case p.gate == Pausing && p.inside == 0 && p.open == 0:
		p.gate = Paused
		close(p.settled)
	case p.gate == Suspended:
		close(p.settled)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Recycle replaces the backends: those that rest are closed now, those that are lent when they come back. Recycled waits.
func (p *Pool) Recycle() {
	p.house.age()
	p.backends.Reset()
}

// Recycled gives a channel that is closed when no backend from before the last Recycle is left.
func (p *Pool) Recycled() <-chan struct{} { return p.house.young() }
