package park

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Runner is a goroutine that serves ready clients, one after the other.
type Runner struct {
	// Local is the clients' own: memory that those on this runner use in turn.
	Local any

	p         *Poller
	wake      chan struct{}
	searching bool          // guarded by p.mu
	out       bool          // guarded by p.mu: waits, or is long with one client, and so does not count as active
	stalled   bool          // guarded by p.mu: out because it is long with one client
	seen      uint64        // guarded by p.mu: of served, at the monitor's last look
	served    atomic.Uint64 // clients begun or ended
	events    [batch]unix.EpollEvent
}

// Blocking says that the client on the runner is about to wait: another runner may take this one's place. Unblocked ends it.
func (r *Runner) Blocking() {
	p := r.p
	p.mu.Lock()
	r.stalled = false
	if !r.out {
		r.out = true
		p.active--
		p.guardLocked()
	}
	p.mu.Unlock()
}

// Unblocked says that the client goes on.
func (r *Runner) Unblocked() {
	p := r.p
	p.mu.Lock()
	r.backLocked()
	p.mu.Unlock()
}

func (r *Runner) backLocked() {
	if r.out {
		r.out, r.stalled = false, false
		r.p.active++
	}
}

func (r *Runner) loop() {
	defer r.p.wg.Done()
	for s := r.nextSeat(); s != nil; s = r.nextSeat() {
		r.served.Add(1)
		r.serve(s)
		if r.served.Add(1)%(2*yieldAt) == 0 {
			runtime.Gosched()
		}
	}
}

// serve runs a client until it rests or is over.
func (r *Runner) serve(s *Seat) {
	s.state.Store(running)
	for s.client.Run(r) == Rest {
		s.count(1)
		if s.state.CompareAndSwap(running, parked) {
			return
		}
		s.count(-1)
		s.state.Store(running) // something came between its last look and now
	}
}

// nextSeat gives the next ready client, waiting for one; nil ends the runner.
func (r *Runner) nextSeat() *Seat {
	p := r.p
	p.mu.Lock()
	r.backLocked()
	for looked := false; ; {
		if !looked && p.queue.n.Load() > 0 && p.wanted.Load() > 0 { // the message that others wait for may have come
			looked = true
			p.mu.Unlock()
			n := p.look(r.events[:])
			p.take(r.events[:n])
			p.mu.Lock()
		}
		if p.active <= p.limit {
			if s := p.queue.pop(); s != nil {
				r.foundLocked()
				if p.fillLocked(); s.heavy {
					p.guardLocked()
				}
				p.mu.Unlock()
				return s
			}
		}
		if p.watching && !looked && p.active <= p.limit {
			looked = true
			p.mu.Unlock()
			n := p.look(r.events[:])
			p.take(r.events[:n])
			p.mu.Lock()
			continue
		}
		if !r.restLocked() {
			p.mu.Unlock()
			return nil
		}
		looked = false
	}
}

// restLocked waits until there is work: the first to have none watches for events, the others sleep. The mutex is free
// meanwhile. False ends the runner.
func (r *Runner) restLocked() bool {
	p := r.p
	r.foundLocked()
	p.active--
	delete(p.busy, r)
	if p.closed || p.watching && len(p.idle) >= keepIdle {
		p.total--
		return false
	}
	if p.watching {
		p.idle = append(p.idle, r)
		p.fillLocked() // what came since it looked
		p.mu.Unlock()
		_, ok := <-r.wake
		p.mu.Lock()
		return ok
	}
	p.watching = true
	p.fillLocked()
	p.mu.Unlock()
	n, ok := p.watch(r.events[:])
	if ok {
		p.take(r.events[:n])
	}
	p.mu.Lock()
	p.watching = false
	p.active++
	p.busy[r] = true
	return ok
}

// foundLocked ends a search.
func (r *Runner) foundLocked() {
	if r.searching {
		r.searching = false
		r.p.searching--
	}
}
