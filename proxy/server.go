package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/pgerror"
	"manifold/pool"
	"manifold/proxy/park"
	"manifold/proxy/session"
)

// Phase is what the server does with new clients.
type Phase int32

// The phases, in the order of a server's life.
const (
	Starting Phase = iota
	Running
	Stopping
)

// Mode is how a server stops.
type Mode uint8

// The modes of PostgreSQL.
const (
	Smart     Mode = iota // wait for the clients to leave
	Fast                  // end them
	Immediate             // do not even wait for that
)

const (
	firstBackoff = 5 * time.Millisecond // after an accept that failed, as when descriptors run out
	lastBackoff  = time.Second
)

// Server accepts clients.
type Server struct {
	clients   *session.Config
	listeners []*park.Listener
	poller    *park.Poller
	phase     atomic.Int32
	active    atomic.Int64 // connections
	inside    atomic.Int64 // of them authenticated
	limits    atomic.Pointer[Limits]
	refused   atomic.Int64
	accepted  atomic.Int64
	memory    memory
	wg        sync.WaitGroup
}

// Limits bound the clients of a server. They may change while it runs.
type Limits struct {
	Clients int   // that are authenticated
	Lobby   int   // that are not
	Reserve int   // of them for superusers
	Logins  int   // that look themselves up in the catalogs at a time; 0 chooses by the number of processors
	Memory  int64 // bytes of heap and stacks above which nobody is let in; 0 is no limit
	Ballast int64 // bytes of heap that are never touched, and do not count
}

// Listen binds the addresses. Clients are told that the server is starting until SetPhase(Running). The server sets Admit,
// Enter, Left, Lobby, Handshakes and Logins of clients.
func Listen(addrs []Address, limits Limits, clients *session.Config) (*Server, error) {
	s := &Server{clients: clients}
	clients.Admit, clients.Enter, clients.Left = s.admit, s.enter, s.left
	clients.Logins, clients.Lobby = session.NewLogins(1), session.NewLobby(1)
	clients.Handshakes = session.NewLogins(max(1, pool.Processors()/2)) // the others are for those who are in
	s.SetLimits(limits)
	var err error
	if s.poller, err = park.New(0); err != nil {
		return nil, err
	}
	for _, a := range addrs {
		l, err := listen(a)
		if err != nil {
			s.abandon()
			return nil, err
		}
		pl, err := s.poller.Listen(l)
		if err != nil {
			_ = l.Close()
			s.abandon()
			return nil, err
		}
		s.listeners = append(s.listeners, pl)
	}
	if len(s.listeners) == 0 {
		s.abandon()
		return nil, pgerror.New(pgerror.ConfigFileError, "there is no address to listen at").
			WithHint("Set listen or unix_socket_directory.")
	}
	return s, nil
}

// Addrs gives the addresses that the server listens at.
func (s *Server) Addrs() []net.Addr {
	out := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		out[i] = l.Addr()
	}
	return out
}

// SetPhase changes what new clients are told.
func (s *Server) SetPhase(p Phase) { s.phase.Store(int32(p)) }

// SetLimits changes the limits for clients to come.
func (s *Server) SetLimits(l Limits) {
	s.limits.Store(&l)
	if l.Logins <= 0 {
		l.Logins = max(4, 2*pool.Processors())
	}
	s.clients.Logins.SetLimit(l.Logins)
	s.clients.Lobby.SetLimit(max(1, l.Lobby))
}

// Behind tells whether messages of clients are waiting for a processor.
func (s *Server) Behind() bool { return s.poller.Behind() }

// Limits gives the limits.
func (s *Server) Limits() Limits { return *s.limits.Load() }

// Active gives the number of connections.
func (s *Server) Active() int { return int(s.active.Load()) }

// Accepted gives the number of connections ever taken.
func (s *Server) Accepted() int { return int(s.accepted.Load()) }

// Arriving gives the number of connections whose clients are not authenticated.
func (s *Server) Arriving() int {
	n, _ := s.clients.Lobby.Count()
	return n
}

// Logins gives the number of clients that look themselves up in the catalogs, and that of those who wait to.
func (s *Server) Logins() (busy, waiting int) { return s.clients.Logins.Waiting() }

// Memory gives the bytes of heap and stacks that were in use lately.
func (s *Server) Memory() int64 { return max(0, s.memory.used()-s.limits.Load().Ballast) }

// Refused gives the number of connections turned away for the limit of clients.
func (s *Server) Refused() int { return int(s.refused.Load()) }

// left is session.Config.Left.
func (s *Server) left(placed bool) {
	if placed {
		s.inside.Add(-1)
	}
	s.active.Add(-1)
	s.wg.Done()
}

// admit is session.Config.Admit.
func (s *Server) admit() error {
	switch Phase(s.phase.Load()) {
	case Starting:
		return pgerror.New(pgerror.CannotConnectNow, "the database system is starting up")
	case Stopping:
		return pgerror.New(pgerror.CannotConnectNow, "the database system is shutting down")
	}
	l := s.limits.Load()
	if s.inside.Load() >= int64(l.Clients) {
		s.refused.Add(1)
		return pgerror.New(pgerror.TooManyConnections, "sorry, too many clients already")
	}
	if used := s.memory.used() - l.Ballast; l.Memory > 0 && used > l.Memory {
		s.refused.Add(1)
		return pgerror.New(pgerror.TooManyConnections, "sorry, too many clients already").
			WithDetail("The server uses %d MB of memory; %d MB are the limit for new clients.", used>>20, l.Memory>>20)
	}
	return nil
}

// enter is session.Config.Enter.
func (s *Server) enter(super bool) error {
	l := s.limits.Load()
	for {
		n := s.inside.Load()
		switch {
		case n >= int64(l.Clients):
			s.refused.Add(1)
			return pgerror.New(pgerror.TooManyConnections, "sorry, too many clients already")
		case !super && n >= int64(l.Clients-l.Reserve):
			s.refused.Add(1)
			return pgerror.New(pgerror.TooManyConnections, "remaining connection slots are reserved for non-replication superuser connections")
		}
		if s.inside.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// Run accepts clients until Shutdown closes the listeners. It returns when every client is over.
func (s *Server) Run() error {
	var loops sync.WaitGroup
	for _, l := range s.listeners {
		loops.Add(1)
		go func() {
			defer loops.Done()
			s.accept(l)
		}()
	}
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Add(1)
	go func() {
		defer watch.Done()
		s.watchStorms(stop)
	}()
	loops.Wait()
	s.wg.Wait()
	close(stop)
	watch.Wait()
	s.poller.Close()
	return nil
}

func (s *Server) accept(l *park.Listener) {
	backoff := firstBackoff
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.clients.Log.Event(&session.Who{}, pgerror.Notice(pgerror.SeverityWarning, pgerror.ConnectionFailure,
				"could not accept new connection: %v", err), "")
			<-time.After(backoff)
			backoff = min(2*backoff, lastBackoff)
			continue
		}
		backoff = firstBackoff
		s.accepted.Add(1)
		s.active.Add(1)
		s.clients.Lobby.Await()
		s.wg.Add(1)
		session.Serve(conn, s.clients)
	}
}

// Shutdown empties the server as the mode says, and stops listening once it is empty: until then new clients are told
// that the server is shutting down. When ctx ends first, its error is returned and clients may be left.
func (s *Server) Shutdown(ctx context.Context, mode Mode) error {
	s.SetPhase(Stopping)
	if mode != Smart {
		s.clients.Registry.TerminateAll()
	}
	var err error
	if mode != Immediate {
		err = s.clients.Registry.Wait(ctx)
	}
	if err == nil {
		s.closeListeners()
	}
	return err
}

// abandon gives up what Listen has made, when Run will not.
func (s *Server) abandon() {
	s.closeListeners()
	s.poller.Close()
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		// A listener that fails to close is closed already.
		_ = l.Close()
	}
}
