package metrics

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"manifold/engine/pgerror"
	"manifold/pool"
)

// Sources is what is told. Its functions are called at each scrape.
type Sources struct {
	Version string
	Pools   func() []pool.Stat
	Clients func() []Client
	Front   func() Front
	Errors  func() map[string]uint64 // told to clients, by SQLSTATE
	Engine  func() []Figure
}

// Client is what matters of one client.
type Client struct{ Database, State, WaitType, WaitEvent string }

// Front is the front door.
type Front struct{ Limit, Connected, LoggingIn, Waiting, Accepted, Refused int }

// Figure is a number of the engine.
type Figure struct {
	Name    string
	Help    string
	Counter bool
	Value   float64
}

// Server is the listener.
type Server struct {
	listener net.Listener
	http     *http.Server
}

const (
	headerTimeout = 5 * time.Second
	scrapeTimeout = 30 * time.Second
	maxScrapes    = 4 // at a time
)

// Listen binds the address.
func Listen(address string, from Sources) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, pgerror.IO(err, "could not listen for metrics on \"%s\"", address)
	}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{newCollector(from), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, errors.Join(pgerror.Internal(err), l.Close())
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout}))
	return &Server{listener: l, http: &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: time.Minute}}, nil
}

// Addr gives the address that is listened at.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		_ = s.http.Close() // ends Serve, whatever it says
	})
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
