package park

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"manifold/engine/pgerror"
)

const (
	batch     = 128                    // events that one look at the set takes
	stall     = 2 * time.Millisecond   // a runner that stays longer with one client is replaced
	lazy      = 20 * time.Millisecond  // how seldom stalls are looked for while nothing runs
	alert     = 250 * time.Microsecond // how often events are looked for while runners stay long with their clients
	keepIdle  = 64                     // runners that are kept for later
	spinTime  = 30 * time.Microsecond  // how long the watching runner looks before it sleeps
	hotSpin   = 12 * time.Microsecond  // likewise, while clients wait for each other
	spinLuck  = 4                      // failures more than successes that end spinning
	spinPause = 64                     // looks without spinning before it is tried again
	yieldAt   = 16                     // clients after which a runner lets other goroutines have the processor
)

// Poller watches the clients that rest and runs those that are ready.
type Poller struct {
	epfd int
	file *os.File // epfd again, as the runtime's poller knows it
	raw  syscall.RawConn
	stop chan struct{}
	wg   sync.WaitGroup
	luck int // of spin; the watching runner's

	wanted atomic.Int32 // clients that rest, and that others wait for

	mu        sync.Mutex
	limit     int               // runners at work at a time
	active    int               // guarded by mu: runners that are at work and not out
	searching int               // guarded by mu: those of them that were woken and have not taken a client yet
	watching  bool              // guarded by mu: a runner waits for events; if none does, one at work will look
	total     int               // guarded by mu: runners
	queue     queue             // guarded by mu
	seats     []*Seat           // guarded by mu: by descriptor
	gen       uint32            // guarded by mu
	groups    map[string]*Group // guarded by mu
	idle      []*Runner         // guarded by mu: the last to rest is the first to work, its memory is warm
	busy      map[*Runner]bool  // guarded by mu: all others
	closed    bool              // guarded by mu
}

// Stat is what a poller looks like at a moment.
type Stat struct {
	Seats   int // clients
	Ready   int // in the queue
	Active  int // runners at work
	Runners int
}

// New makes a poller for limit runners at a time (zero: as many as processors); Close follows.
func New(limit int) (*Poller, error) {
	if limit <= 0 {
		limit = runtime.GOMAXPROCS(0)
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, pgerror.IO(err, "could not make an epoll set")
	}
	p := &Poller{epfd: fd, file: os.NewFile(uintptr(fd), "epoll"), limit: limit, stop: make(chan struct{}),
		groups: map[string]*Group{}, busy: map[*Runner]bool{}}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, pgerror.IO(err, "could not watch the epoll set")
	}
	p.mu.Lock()
	p.wakeLocked() // to watch
	p.mu.Unlock()
	p.wg.Add(1)
	go p.monitor()
	return p, nil
}

// Close ends the poller's goroutines; all seats must have been left.
func (p *Poller) Close() {
	close(p.stop)
	p.mu.Lock()
	p.closed = true
	for _, r := range p.idle {
		close(r.wake)
	}
	p.idle = nil
	p.mu.Unlock()
	// Closing ends the wait in watch; it can only fail on a file that is closed.
	_ = p.file.Close()
	p.wg.Wait()
}

// Stat gives the state of the poller.
func (p *Poller) Stat() Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := Stat{Ready: int(p.queue.n.Load()), Active: p.active, Runners: p.total}
	for _, g := range p.groups {
		st.Seats += g.seats
	}
	return st
}

// Behind tells whether clients are waiting for a runner.
func (p *Poller) Behind() bool { return p.queue.n.Load() > 0 }

// watch waits for events; false when the poller is closed. One runner at a time does.
func (p *Poller) watch(events []unix.EpollEvent) (int, bool) {
	n := p.spin(events)
	if n > 0 {
		return n, true
	}
	err := p.raw.Read(func(uintptr) bool {
		n = p.look(events)
		return n > 0
	})
	return n, err == nil
}

// spin looks for events for a moment before the thread goes to sleep, as long as that tends to find some: few clients that
// answer at once would otherwise pay for a sleep and a waking with each message. Only the runner that watches calls it.
func (p *Poller) spin(events []unix.EpollEvent) int {
	if p.luck < 0 {
		p.luck++
		return 0
	}
	limit := spinTime
	if p.wanted.Load() > 0 { // there is other work for the processors
		limit = hotSpin
	}
	for until := time.Now().Add(limit); time.Now().Before(until); {
		if n := p.look(events); n > 0 {
			p.luck = min(p.luck+1, spinLuck)
			return n
		}
	}
	if p.luck--; p.luck < 0 {
		p.luck = -spinPause
	}
	return 0
}

// look takes what events there are, without waiting, and so without telling the scheduler.
func (p *Poller) look(events []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 { // EINTR: the next look finds them
		return 0
	}
	return int(n)
}

// take queues the clients that events are about, and tells those whose peer is gone. The caller is a runner at
// work, which takes the first of them itself.
func (p *Poller) take(events []unix.EpollEvent) {
	var gone []*Seat
	p.mu.Lock()
	for i := range events {
		e := &events[i]
		s := p.seats[e.Fd]
		if s == nil || s.gen != uint32(e.Pad) {
			continue
		}
		if e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			s.hung.Store(true)
			if s.client != nil {
				gone = append(gone, s)
			}
		}
		if s.signal() {
			if s.hung.Load() && s.group != nil { // those who leave, thousands maybe, do not stand before others of their user
				p.partLocked(s)
				p.joinLocked(s, strangers)
			}
			p.queue.push(s)
		} else {
			s.tell()
		}
	}
	p.mu.Unlock()
	for _, s := range gone {
		s.client.Hangup()
	}
}

// fillLocked wakes runners as long as clients wait for one and fewer are at work than may be.
func (p *Poller) fillLocked() {
	for p.active < p.limit && int(p.queue.n.Load()) > p.searching {
		p.wakeLocked()
	}
}

// guardLocked sees to it that events are noticed although a runner has just become unable to look for them.
func (p *Poller) guardLocked() {
	p.fillLocked()
	if !p.watching && p.searching == 0 && p.active < p.limit {
		p.wakeLocked()
	}
}

// wakeLocked sets a runner to work: the one that rested last, or a new one.
func (p *Poller) wakeLocked() {
	p.active++
	p.searching++
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		r.searching = true
		p.busy[r] = true
		r.wake <- struct{}{} // has room for one; never blocks
		return
	}
	r := &Runner{p: p, wake: make(chan struct{}, 1), searching: true}
	p.busy[r] = true
	p.total++
	p.wg.Add(1)
	go r.loop()
}

// monitor finds runners that stay long with one client, so that others do not wait behind it. While there are some, it looks for
// events, too: those who compute can keep the runtime from waking who watches for 10 ms.
func (p *Poller) monitor() {
	defer p.wg.Done()
	pause := stall
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var events [batch]unix.EpollEvent
	stalled := 0 // runners, at the last look
	for last := time.Now(); ; {
		select {
		case <-p.stop:
			return
		case <-timer.C:
		}
		p.mu.Lock()
		now := time.Now()
		if now.Sub(last) >= stall {
			last = now
			stalled = p.replaceStalledLocked()
		}
		switch {
		case stalled > 0:
			pause = alert
		case p.active == 0:
			pause = min(2*max(pause, stall), lazy)
		default:
			pause = stall
		}
		p.mu.Unlock()
		if stalled > 0 {
			if n := p.look(events[:]); n > 0 {
				p.take(events[:n])
				p.mu.Lock()
				p.fillLocked()
				p.mu.Unlock()
			}
		}
		timer.Reset(pause)
	}
}

// replaceStalledLocked counts out the runners that have been with the same client at the last look too, and gives their number.
func (p *Poller) replaceStalledLocked() (stalled int) {
	for r := range p.busy {
		n := r.served.Load()
		if same := !r.searching && n == r.seen; same {
			if !r.out {
				r.out = true
				p.active--
				r.stalled = true
			}
			if r.stalled {
				stalled++
			}
		}
		r.seen = n
	}
	p.guardLocked()
	return stalled
}
