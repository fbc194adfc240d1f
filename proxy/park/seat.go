package park

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"manifold/engine/pgerror"
	"manifold/pool/turns"
)

// Verdict is what a client's Run ends with.
type Verdict uint8

// The verdicts.
const (
	Rest Verdict = iota // all that has arrived is served, and the descriptor was read empty
	End                 // the client is over; its seat has been left
)

// Client is what a Poller runs. Run is called by one goroutine at a time; after it has returned Rest the client may be run
// by another at once, so it must keep nothing of the runner's.
type Client interface {
	Run(r *Runner) Verdict
	// Hangup tells, from any goroutine, that the peer has closed its side; Run finds the end of what it sent, in time.
	Hangup()
}

// The states of a seat.
const (
	running  uint32 = iota // a runner is with the client
	signaled               // running, and something happened meanwhile
	parked                 // nobody is with the client
	queued                 // in the queue of ready clients
)

// Seat is a client's place at the poller.
type Seat struct {
	p      *Poller
	client Client // nil until Start
	fd     int32
	gen    uint32
	group  *Group // nil until Start
	state  atomic.Uint32
	hung   atomic.Bool                   // the peer has closed its side
	news   atomic.Pointer[chan struct{}] // has room for one: for a client that waits while it runs; nil until one has
	entry  turns.Entry[*Seat]            // guarded by p.mu: in a line of its group
	level  Level                         // set by the client before it rests
	heavy  bool                          // likewise
}

// strangers is the group of clients that come and go.
const strangers = ""

// Group is the clients that share a turn: those of one user. Groups with ready clients are served in turn.
type Group struct {
	name  string
	seats int                       // guarded by mu of the poller
	lines [levels]turns.Line[*Seat] // guarded by mu of the poller: those that are ready
}

// Hung tells whether the peer has closed its side. The end is then there to be read behind what was sent, and no event will
// tell of it again, so the client must not rest before it has read that.
func (s *Seat) Hung() bool { return s.hung.Load() }

// join makes the seat of a connection. It counts as running until its client has first rested.
func (p *Poller) join(fd int) (*Seat, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.seats) <= fd {
		p.seats = append(p.seats, nil)
	}
	p.gen++
	s := &Seat{p: p, fd: int32(fd), gen: p.gen}
	s.entry.Value = s
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: s.fd, Pad: int32(s.gen)}
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return nil, pgerror.Newf(pgerror.InsufficientResources, "could not watch a connection: %v", err)
	}
	p.seats[fd] = s
	return s, nil
}

// Start queues the connection's client for its first run. Clients of a group take turns with other groups.
func (s *Seat) Start(c Client, group string) {
	p := s.p
	p.mu.Lock()
	p.joinLocked(s, group)
	s.client = c
	p.mu.Unlock()
	s.state.Store(parked)
	s.Wake()
}

// Join moves the client to another group. The client calls it while it runs.
func (s *Seat) Join(group string) {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partLocked(s)
	p.joinLocked(s, group)
}

func (p *Poller) joinLocked(s *Seat, group string) {
	g := p.groups[group]
	if g == nil {
		g = &Group{name: group}
		p.groups[group] = g
	}
	g.seats++
	s.group = g
}

func (p *Poller) partLocked(s *Seat) {
	if s.group == nil {
		return
	}
	if s.group.seats--; s.group.seats == 0 {
		delete(p.groups, s.group.name)
	}
}

// leave gives the seat up; the descriptor must still be open.
func (s *Seat) leave() {
	p := s.p
	// The set forgets a descriptor when it is closed, at the latest.
	_ = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, int(s.fd), nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seats[s.fd] == s {
		p.seats[s.fd] = nil
	}
	p.partLocked(s)
}

// tell wakes a client that waits while it runs.
func (s *Seat) tell() {
	ch := s.news.Load()
	if ch == nil {
		return // who waits for the first time looks once more after it has made one
	}
	select {
	case *ch <- struct{}{}:
	default:
	}
}

// listen gives what tell sends to. fresh says that it was not there before, so that news may have been missed.
func (s *Seat) listen() (news <-chan struct{}, fresh bool) {
	if ch := s.news.Load(); ch != nil {
		return *ch, false
	}
	ch := make(chan struct{}, 1)
	s.news.Store(&ch)
	return ch, true
}

// Forget gives the memory of waits up, when more are not likely. The client calls it while it runs.
func (s *Seat) Forget() { s.news.Store(nil) }

// Expect says what is known of the client's next run: how urgent it is, and whether it is heavy, so that it may take long and
// others should not wait for its end. The client calls it before it rests.
func (s *Seat) Expect(level Level, heavy bool) { s.level, s.heavy = level, heavy }

// Wake makes the client run soon, from any goroutine, though nothing has arrived; a client that runs is run once more.
func (s *Seat) Wake() {
	if s.signal() {
		s.p.mu.Lock()
		s.p.queue.push(s)
		s.p.fillLocked()
		s.p.mu.Unlock()
	}
}

// count keeps count of the clients that rest and are wanted.
func (s *Seat) count(n int32) {
	if s.level == Wanted {
		s.p.wanted.Add(n)
	}
}

// signal notes that something happened; true when the caller must queue the seat.
func (s *Seat) signal() bool {
	for {
		switch st := s.state.Load(); st {
		case running:
			if s.state.CompareAndSwap(running, signaled) {
				return false
			}
		case parked:
			if s.state.CompareAndSwap(parked, queued) {
				s.count(-1)
				return true
			}
		default:
			return false
		}
	}
}
