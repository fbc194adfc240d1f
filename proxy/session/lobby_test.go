package session

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/pool"
)

// TestStormOfStrangers: connections that say nothing, and such that stop in the middle of a TLS handshake, keep neither those who
// are in from working nor others from coming in; there are never more of them than there are places.
func TestStormOfStrangers(t *testing.T) {
	config := testTLS(t)
	const places = 4
	var cfg *Config
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.TLS = func() *tls.Config { return config }
		c.Lobby, c.Handshakes = NewLobby(places), NewLogins(1)
		c.Lobby.patience = 20 * time.Millisecond
		cfg = c
	})
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=bob database=postgres sslmode=require", s.addr.Port)
	in, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	work := func() {
		t.Helper()
		if _, err := in.Exec(t.Context(), "select 1").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	var strangers []net.Conn
	for i := range 20 {
		raw, err := net.DialTCP("tcp", nil, s.addr)
		if err != nil {
			t.Fatal(err)
		}
		strangers = append(strangers, raw)
		if i%2 == 1 { // as far as the beginning of the handshake
			ask := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)
			if _, err := raw.Write(append([]byte(nil), ask...)); err != nil {
				t.Fatal(err)
			}
		}
		work()
	}
	one := make([]byte, 1)
	half := 0
	for i, raw := range strangers {
		if i%2 == 1 {
			if _, err := io.ReadFull(raw, one); err == nil && one[0] == 'S' {
				half++
				_, _ = raw.Write([]byte{22, 3, 1, 2}) // of a ClientHello; it may have been sent away meanwhile
			}
		}
		work()
	}
	if half == 0 {
		t.Error("no handshake began")
	}
	for range 3 {
		conn, err := pgconn.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		work()
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	n, turned := cfg.Lobby.Count()
	if n > places || turned < 20-places {
		t.Errorf("%d in the lobby, %d sent away", n, turned)
	}
	for _, raw := range strangers {
		_ = raw.Close()
	}
	for n > 0 {
		n, _ = cfg.Lobby.Count()
	}
	if busy, waiting := cfg.Handshakes.Waiting(); busy != 0 || waiting != 0 {
		t.Errorf("handshakes: %d at work, %d wait", busy, waiting)
	}
	_ = in.Close(t.Context())
}

// TestLoginQueueEnds: who waits in line for a login is told when its time is over, and the place goes to the next.
func TestLoginQueueEnds(t *testing.T) {
	var cfg *Config
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.Logins = NewLogins(0)
		c.AuthTimeout = func() time.Duration { return 30 * time.Millisecond }
		cfg = c
	})
	_, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=bob database=postgres sslmode=disable", s.addr.Port))
	if err == nil {
		t.Fatal("let in")
	}
	for busy, waiting := 1, 1; busy+waiting > 0; {
		busy, waiting = cfg.Logins.Waiting()
	}
	for n := 1; n > 0; {
		n, _ = cfg.Lobby.Count()
	}
}
