package proxy

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/pgerror"
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
	refusedRoom  = 256                  // connections beyond the limit that are still told why they are refused
	firstBackoff = 5 * time.Millisecond // after an accept that failed, as when descriptors run out
	lastBackoff  = time.Second
)

// Server accepts clients.
type Server struct {
	clients    *session.Config
	listeners  []*park.Listener
	poller     *park.Poller
	phase      atomic.Int32
	active     atomic.Int64
	maxClients atomic.Int64
	refused    atomic.Int64
	wg         sync.WaitGroup
}

// Listen binds the addresses. Clients are told that the server is starting until SetPhase(Running); clients.Admit and clients.Logins are set
// by the server.
func Listen(addrs []Address, maxClients int, clients *session.Config) (*Server, error) {
	s := &Server{clients: clients}
	s.SetMaxClients(maxClients)
	clients.Admit, clients.Left = s.admit, s.left
	var err error
	if s.poller, err = park.New(0); err != nil {
		return nil, err
	}
	clients.Logins = make(chan struct{}, max(4, 2*runtime.GOMAXPROCS(0)))
	for _, a := range addrs {
		l, err := listen(a)
		if err != nil {
			s.closeListeners()
			return nil, err
		}
		pl, err := s.poller.Listen(l)
		if err != nil {
			_ = l.Close()
			s.closeListeners()
			return nil, err
		}
		s.listeners = append(s.listeners, pl)
	}
	if len(s.listeners) == 0 {
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

// SetMaxClients changes the limit for clients to come.
func (s *Server) SetMaxClients(n int) { s.maxClients.Store(int64(n)) }

// Active gives the number of connections; Refused that of those turned away for the limit.
func (s *Server) Active() int { return int(s.active.Load()) }

// Refused gives the number of connections turned away for the limit of clients.
func (s *Server) Refused() int { return int(s.refused.Load()) }

// left is session.Config.Left.
func (s *Server) left() {
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
	if s.active.Load() > s.maxClients.Load() {
		s.refused.Add(1)
		return pgerror.New(pgerror.TooManyConnections, "sorry, too many clients already")
	}
	return nil
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
	loops.Wait()
	s.wg.Wait()
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
		if s.active.Add(1) > s.maxClients.Load()+refusedRoom {
			s.active.Add(-1)
			s.refused.Add(1)
			_ = conn.Close()
			continue
		}
		s.wg.Add(1)
		go session.Serve(conn, s.clients)
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

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		// A listener that fails to close is closed already.
		_ = l.Close()
	}
}
