package session

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"manifold/pool"
)

func (s *server) dialSilent(t *testing.T) *wireClient {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &wireClient{t: t, conn: conn, Frontend: pgproto3.NewFrontend(conn, conn)}
}

// TestSilentConnections: a connection that says nothing has no goroutine, and is told when its time is over.
func TestSilentConnections(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.AuthTimeout = func() time.Duration { return 300 * time.Millisecond }
	})
	before := runtime.NumGoroutine()
	clients := make([]*wireClient, 100)
	for i := range clients {
		clients[i] = s.dialSilent(t)
	}
	if n := runtime.NumGoroutine() - before; n > 20 {
		t.Errorf("%d goroutines for %d silent connections", n, len(clients))
	}
	for _, c := range clients {
		c.want(1, "FATAL 57014 canceling authentication due to timeout\nclosed\n")
	}
}

// TestStartupInPieces: a login whose bytes come one by one gives its runner's turn to others, and succeeds.
func TestStartupInPieces(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	packet, err := (&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: map[string]string{"user": "bob", "database": "postgres"}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	slow := make([]*wireClient, 2*runtime.GOMAXPROCS(0))
	for i := range slow {
		slow[i] = s.dialSilent(t)
		if _, err := slow[i].conn.Write(packet[:7]); err != nil {
			t.Fatal(err)
		}
	}
	quick := s.dial(t, nil)
	quick.read(1)
	for i := 7; i < len(packet); i++ {
		for _, c := range slow {
			if _, err := c.conn.Write(packet[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		quick.Send(query("select 1"))
		quick.flush()
		quick.want(1, "RowDescription\nrow \"0\"\nSELECT 1\nready I\n")
	}
	for _, c := range slow {
		if got := c.read(1); !strings.HasSuffix(got, "ready I\n") {
			t.Errorf("got %s", got)
		}
	}
}
