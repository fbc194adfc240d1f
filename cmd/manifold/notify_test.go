package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// listener connects a client that counts what it hears.
func (s *crashServer) listener(t *testing.T, channel string, heard *[]string) *pgconn.PgConn {
	t.Helper()
	config, err := pgconn.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", s.port))
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { *heard = append(*heard, n.Payload) }
	c, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	must(t, c, "listen "+channel)
	return c
}

func must(t *testing.T, c *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// hears waits until a client has heard n notifications.
func hears(t *testing.T, c *pgconn.PgConn, heard *[]string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(*heard) < n {
		if err := c.WaitForNotification(ctx); err != nil {
			t.Fatalf("after %d of %d: %v", len(*heard), n, err)
		}
	}
}

// TestNotify runs LISTEN and NOTIFY through the sockets: who rests hears at once, who is in a transaction at its end, who sends
// to himself before the end of the answer; one who does not read harms nobody.
func TestNotify(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	s := newCrashServer(t)
	s.start()
	defer s.kill()
	sender, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("idle", func(t *testing.T) {
		const clients = 200
		heard := make([][]string, clients)
		all := make([]*pgconn.PgConn, clients)
		for i := range all {
			all[i] = s.listener(t, "idle", &heard[i])
		}
		must(t, sender, "begin; notify idle, 'a'; notify idle, 'b'; notify idle, 'a'; commit")
		must(t, sender, "set synchronous_commit = off; notify idle, 'c'; reset synchronous_commit")
		for i := range all {
			hears(t, all[i], &heard[i], 3)
			if got := fmt.Sprint(heard[i]); got != "[a b c]" {
				t.Errorf("client %d heard %s", i, got)
			}
		}
	})
	t.Run("in a transaction", func(t *testing.T) {
		var heard []string
		c := s.listener(t, "busy", &heard)
		must(t, c, "begin")
		must(t, sender, "notify busy, 'x'")
		must(t, c, "select pg_sleep(0.1)")
		if len(heard) != 0 {
			t.Errorf("heard %v inside the transaction", heard)
		}
		must(t, c, "commit")
		if len(heard) != 1 {
			t.Errorf("heard %v at its end", heard)
		}
	})
	t.Run("own", func(t *testing.T) {
		var heard []string
		c := s.listener(t, "own", &heard)
		for i := range 20 {
			must(t, c, "notify own, '"+fmt.Sprint(i)+"'")
			if len(heard) != i+1 {
				t.Fatalf("heard %v after %d", heard, i)
			}
			if r := c.ExecParams(t.Context(), "select pg_notify('own', '')", nil, nil, nil, nil).Read(); r.Err != nil || len(heard) != i+2 {
				t.Fatalf("extended protocol: %v, heard %v", r.Err, heard)
			}
			heard = heard[:i+1]
		}
	})
	t.Run("silent reader", func(t *testing.T) {
		var none, heard []string
		s.listener(t, "flood", &none)
		c := s.listener(t, "flood", &heard)
		payload := fmt.Sprintf("%07990d", 0)
		for i := range 20 {
			must(t, sender, fmt.Sprintf("select pg_notify('flood', '%s' || g) from generate_series(1, 50) g", payload[:7980]))
			hears(t, c, &heard, 50*(i+1))
		}
	})
}
