package proxy

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/tls"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine/pgerror"
	"manifold/proxy/auth"
	"manifold/proxy/session"
)

type silent struct{}

func (silent) Event(*session.Who, *pgerror.Error, string)   {}
func (silent) Statement(*session.Who, string)               {}
func (silent) Duration(*session.Who, string, time.Duration) {}
func (silent) Panic(*session.Who, any, []byte)              {}

func clients() *session.Config {
	return &session.Config{Registry: session.NewRegistry(), Log: silent{}, Rules: func() auth.Rules { return nil },
		TLS: func() *tls.Config { return nil }, AuthTimeout: func() time.Duration { return 5 * time.Second }}
}

// TestPhases: what new clients are told, through both kinds of sockets.
func TestPhases(t *testing.T) {
	dir := t.TempDir()
	s, err := Listen(append(Addresses([]string{"127.0.0.1"}, 0, ""), Addresses(nil, 1, dir)...), Limits{Clients: 1}, clients())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run()
	}()
	addr := s.Addrs()[0].(*net.TCPAddr)
	for _, x := range []struct {
		phase Phase
		max   int
		want  string
	}{
		{Starting, 1, "57P03"}, {Stopping, 1, "the database system is shutting down"},
		{Running, 0, "sorry, too many clients already (SQLSTATE 53300)"},
		{Running, 5, "no pg_hba.conf entry"},
	} {
		s.SetPhase(x.phase)
		s.SetLimits(Limits{Clients: x.max})
		for _, host := range []string{"127.0.0.1", dir} {
			if conn, err := pgconn.Connect(t.Context(), "user=x database=y sslmode=disable host="+host+" port="+portOf(host, dir, addr)); err == nil {
				_ = conn.Close(t.Context())
				t.Errorf("phase %v let a client in", x.phase)
			} else if !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v %s: %v", x.phase, host, err)
			}
		}
	}
	if err := s.Shutdown(t.Context(), Fast); err != nil {
		t.Error(err)
	}
	<-done
	if s.Active() != 0 {
		t.Errorf("%d clients left", s.Active())
	}
}

func portOf(host, dir string, addr *net.TCPAddr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	if host == dir {
		return "1"
	}
	return port
}

func TestSocketInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".s.PGSQL.1")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen([]Address{{"unix", path}}, Limits{Clients: 1}, clients()); pgerror.Code(err) != pgerror.LockFileExists {
		t.Errorf("got %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	s, err := Listen([]Address{{"unix", path}}, Limits{Clients: 1}, clients())
	if err != nil {
		t.Fatal(err)
	}
	s.abandon()
}

// TestMemoryLimit: beyond it nobody new is let in, and is told so.
func TestMemoryLimit(t *testing.T) {
	s := &Server{clients: &session.Config{Logins: session.NewLogins(1), Lobby: session.NewLobby(1)}}
	s.SetLimits(Limits{Clients: 9, Memory: 1})
	s.SetPhase(Running)
	if err := s.admit(); pgerror.Code(err) != pgerror.TooManyConnections || !strings.Contains(pgerror.From(err).Detail, "limit for new clients") {
		t.Errorf("%v", err)
	}
	s.SetLimits(Limits{Clients: 9, Memory: 1, Ballast: 1 << 40})
	if err := s.admit(); err != nil {
		t.Error(err)
	}
}

// TestReserve: the last places are not for everybody.
func TestReserve(t *testing.T) {
	s := &Server{clients: &session.Config{Logins: session.NewLogins(1), Lobby: session.NewLobby(1)}}
	s.SetLimits(Limits{Clients: 3, Reserve: 2})
	if err := s.enter(false); err != nil {
		t.Error(err)
	}
	if err := s.enter(false); err == nil || pgerror.From(err).Message != "remaining connection slots are reserved for non-replication superuser connections" {
		t.Error(err)
	}
	for range 2 {
		if err := s.enter(true); err != nil {
			t.Error(err)
		}
	}
	if err := s.enter(true); err == nil || pgerror.From(err).Message != "sorry, too many clients already" {
		t.Error(err)
	}
	s.active.Store(1)
	s.wg.Add(1)
	s.left(true)
	if err := s.enter(true); err != nil {
		t.Error(err)
	}
}
