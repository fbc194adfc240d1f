package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// painServer is a server with one slot for statements, so that everything that could leak from one client into another does.
const painConfig = `
[pool]
backends = 1
reserve = 0
[[hba]]
type = "host"
method = "trust"
`

func (s *crashServer) client(t *testing.T, options string) *pgconn.PgConn {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres sslmode=disable %s", s.port, options))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func value(t *testing.T, c *pgconn.PgConn, sql string) string {
	t.Helper()
	r, err := c.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return string(r[len(r)-1].Rows[0][0])
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// until waits until a query answers as it should.
func until(t *testing.T, c *pgconn.PgConn, sql, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		got := value(t, c, sql)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %s, want %s", sql, got, want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// begins sends a query whose answer is read later.
func begins(t *testing.T, c *pgconn.PgConn, sql string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), sql).ReadAll()
		done <- err
	}()
	return done
}

// TestPainsOfPooling is what clients suffer from behind poolers that lend whole connections, each by its name.
func TestPainsOfPooling(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	s := newCrashServer(t)
	file := filepath.Join(filepath.Dir(s.bin), "config.toml")
	if err := os.WriteFile(file, []byte(painConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{"--config", file}
	s.start()
	defer s.kill()
	s.exec("create schema a; create table a.t as select 'a' v; create table public.t as select 'public' v; create role r; create role u login")
	for _, p := range []struct {
		name string
		run  func(*testing.T, *crashServer)
	}{
		{"search_path poisoning", searchPathPoisoning},
		{"prepared statement does not exist or exists already", preparedStatements},
		{"cancel hits another client", cancelHitsAnother},
		{"cancel while queued", cancelWhileQueued},
		{"query runs on after its client died", clientDied},
		{"advisory lock left behind", lockLeftBehind},
		{"SET ROLE leaks", roleLeaks},
		{"wrong rows under overload", wrongRows},
		{"startup parameters dropped", startupParameters},
		{"who is that client", whoIsThat},
	} {
		t.Run(p.name, func(t *testing.T) { p.run(t, s) })
	}
}

func searchPathPoisoning(t *testing.T, s *crashServer) {
	x, y := s.client(t, "user=postgres"), s.client(t, "user=postgres")
	must(t, x, "set search_path = a")
	for range 3 {
		if got := value(t, y, "select v from t"); got != "public" {
			t.Errorf("another's search_path: %s", got)
		}
		if got := value(t, x, "select v from t"); got != "a" {
			t.Errorf("own search_path is lost: %s", got)
		}
	}
}

func preparedStatements(t *testing.T, s *crashServer) {
	for i := range 3 {
		c := s.client(t, "user=postgres")
		if _, err := c.Prepare(t.Context(), "p", fmt.Sprintf("select %d", i), nil); err != nil {
			t.Fatal(err)
		}
		defer func() {
			r := c.ExecPrepared(t.Context(), "p", nil, nil, nil).Read()
			if r.Err != nil || string(r.Rows[0][0]) != fmt.Sprint(i) {
				t.Errorf("%v %s", r.Err, r.Rows)
			}
		}()
	}
}

func cancelHitsAnother(t *testing.T, s *crashServer) {
	x, y := s.client(t, "user=postgres"), s.client(t, "user=postgres")
	running := begins(t, y, "select count(*) from generate_series(1, 300000)")
	for range 20 {
		if err := x.CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		must(t, y2(t, s), fmt.Sprintf("select pg_cancel_backend(%d)", x.PID()))
	}
	if err := <-running; err != nil {
		t.Errorf("another's statement: %v", err)
	}
	must(t, x, "select pg_sleep(0.01)") // nor does a cancel that came too late hit the next
}

func y2(t *testing.T, s *crashServer) *pgconn.PgConn { return s.client(t, "user=postgres") }

const spin = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b"

func cancelWhileQueued(t *testing.T, s *crashServer) {
	x, console := s.client(t, "user=postgres"), s.client(t, "user=postgres dbname=pgbouncer")
	if err := <-begins(t, console, "PAUSE postgres"); err != nil {
		t.Fatal(err)
	}
	cancelled(t, x, "select 1") // queued
	if err := <-begins(t, console, "RESUME postgres"); err != nil {
		t.Fatal(err)
	}
	cancelled(t, x, spin) // running
	must(t, x, "select 1")
}

// cancelled begins a statement that does not end by itself, and cancels it.
func cancelled(t *testing.T, c *pgconn.PgConn, sql string) {
	t.Helper()
	done := begins(t, c, sql)
	for {
		if err := c.CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if code(err) != "57014" {
				t.Errorf("%s: %v", sql, err)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func clientDied(t *testing.T, s *crashServer) {
	hog, x := s.client(t, "user=postgres application_name=doomed"), s.client(t, "user=postgres")
	front := hog.Frontend()
	front.Send(&pgproto3.Query{String: "select pg_sleep(600)"})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	until(t, x, "select count(*) from pg_stat_activity where application_name = 'doomed' and state = 'active'", "1")
	_ = hog.Conn().Close()
	until(t, x, "select count(*) from pg_stat_activity where application_name = 'doomed'", "0")
}

func lockLeftBehind(t *testing.T, s *crashServer) {
	x, y := s.client(t, "user=postgres"), s.client(t, "user=postgres")
	must(t, x, "select pg_advisory_lock(42)")
	if got := value(t, y, "select pg_try_advisory_lock(42)"); got != "f" {
		t.Errorf("two have the lock")
	}
	waiting := begins(t, y, "select pg_advisory_lock(42)")
	_ = x.Conn().Close()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

func roleLeaks(t *testing.T, s *crashServer) {
	x, y := s.client(t, "user=postgres"), s.client(t, "user=u")
	must(t, x, "set role r")
	if got := value(t, y, "select current_user || '/' || session_user"); got != "u/u" {
		t.Errorf("got %s", got)
	}
	_, err := y.Exec(t.Context(), "set role r").ReadAll()
	if code(err) != "42501" {
		t.Errorf("got %v", err)
	}
	if got := value(t, x, "select current_user || '/' || session_user"); got != "r/postgres" {
		t.Errorf("got %s", got)
	}
}

func wrongRows(t *testing.T, s *crashServer) {
	var wg sync.WaitGroup
	for i := range 50 {
		c := s.client(t, "user=postgres")
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range 40 {
				want := fmt.Sprintf("%d/%d", i, n)
				r := c.ExecParams(t.Context(), "select $1::text", [][]byte{[]byte(want)}, nil, nil, nil).Read()
				if r.Err != nil || string(r.Rows[0][0]) != want {
					t.Errorf("asked for %s, got %s %v", want, r.Rows, r.Err)
					return
				}
				if n%10 == 9 {
					_, err := c.Exec(t.Context(), "select 1/0").ReadAll()
					if code(err) != "22012" {
						t.Errorf("got %v", err)
					}
				}
			}
		}()
	}
	wg.Wait()
}

func whoIsThat(t *testing.T, s *crashServer) {
	x, y := s.client(t, "user=postgres"), s.client(t, "user=postgres")
	must(t, x, "begin; set local role r")
	_, port, err := net.SplitHostPort(x.Conn().LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	got := value(t, y, fmt.Sprintf(`select concat_ws('|', client_port, usename, state, wait_event_type, wait_event, query)
		from pg_stat_activity where pid = %d`, x.PID()))
	if want := port + "|postgres|idle in transaction|Client|ClientRead|begin; set local role r"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := value(t, x, "select inet_client_port()"); got != port {
		t.Errorf("own port: %s", got)
	}
}

func startupParameters(t *testing.T, s *crashServer) {
	c := s.client(t, "user=postgres application_name=app search_path=a extra_float_digits=0 statement_timeout=5000 options='-c work_mem=1MB --foo.bar=x'")
	got := value(t, c, `select concat_ws('|', current_setting('application_name'), current_setting('search_path'), current_setting('extra_float_digits'),
		current_setting('statement_timeout'), current_setting('work_mem'), current_setting('foo.bar'))`)
	if got != "app|a|0|5s|1MB|x" {
		t.Errorf("got %s", got)
	}
	must(t, c, "discard all")
	if got := value(t, c, "show search_path"); got != "a" {
		t.Errorf("after DISCARD ALL: %s", got)
	}
	for name, want := range map[string]string{"application_name": "app", "client_encoding": "UTF8", "is_superuser": "on"} {
		if got := c.ParameterStatus(name); !strings.EqualFold(got, want) {
			t.Errorf("%s is reported as %s", name, got)
		}
	}
}
