package main

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// rawClient is a client that reads its answers when the test wants.
type rawClient struct {
	t           *testing.T
	conn        net.Conn
	addr        string
	secure      bool
	pid, secret uint32
	*pgproto3.Frontend
}

// dialWire makes a connection to a server, under TLS if wanted.
func dialWire(t *testing.T, addr string, secure bool) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if !secure {
		return conn
	}
	if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 'S' {
		t.Fatalf("the answer to SSLRequest is %q, %v", answer, err)
	}
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
}

// newRawClient logs a client in.
func newRawClient(t *testing.T, addr string, secure bool) *rawClient {
	t.Helper()
	conn := dialWire(t, addr, secure)
	t.Cleanup(func() { _ = conn.Close() })
	c := &rawClient{t: t, conn: conn, addr: addr, secure: secure, Frontend: pgproto3.NewFrontend(conn, conn)}
	c.say(&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: map[string]string{"user": "postgres", "database": "postgres"}})
	c.answer()
	return c
}

func (c *rawClient) say(messages ...pgproto3.FrontendMessage) {
	c.t.Helper()
	for _, m := range messages {
		c.Send(m)
	}
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawClient) query(text string) { c.t.Helper(); c.say(&pgproto3.Query{String: text}) }

// answer reads up to ReadyForQuery, or to where COPY wants data, and gives the first column of the last row, or the SQLSTATE
// of an error.
func (c *rawClient) answer() string {
	c.t.Helper()
	got := ""
	for {
		m, err := c.Receive()
		if err != nil {
			c.t.Fatalf("after %q: %v", got, err)
		}
		switch m := m.(type) {
		case *pgproto3.BackendKeyData:
			c.pid, c.secret = m.ProcessID, binary.BigEndian.Uint32(m.SecretKey)
		case *pgproto3.DataRow:
			got = string(m.Values[0])
		case *pgproto3.ErrorResponse:
			got = m.Code
		case *pgproto3.ReadyForQuery, *pgproto3.CopyInResponse:
			return got
		}
	}
}

// run gives the answer to a query.
func (c *rawClient) run(text string) string {
	c.t.Helper()
	c.query(text)
	return c.answer()
}

// cancel sends a cancel request as the client would, and returns when the server has dealt with it.
func (c *rawClient) cancel(secret uint32) {
	c.t.Helper()
	conn := dialWire(c.t, c.addr, c.secure)
	defer conn.Close()
	p := []byte{0, 0, 0, 16, 4, 0xD2, 0x16, 0x2E}
	p = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p, c.pid), secret)
	if _, err := conn.Write(p); err != nil {
		c.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn) // the server says nothing and closes
}

// awaitEvent waits until the client waits for something that pg_stat_activity calls by that name; empty: until it runs.
func (c *rawClient) awaitEvent(by *rawClient, event string) {
	c.t.Helper()
	sql := fmt.Sprintf("select count(*) from pg_stat_activity where pid = %d and state = 'active' and coalesce(wait_event, '') = '%s'", c.pid, event)
	waitFor(c.t, "client to wait for "+event, func() bool { return by.run(sql) == "1" })
}

// cancelCase is a state in which a statement is cancelled.
type cancelCase struct {
	name  string
	event string // that pg_stat_activity shows then
	start func(c, other *rawClient)
	push  func(c *rawClient) // what the client sends after the request
}

func cancelCases() []cancelCase {
	asks := func(sql string) func(c, other *rawClient) { return func(c, _ *rawClient) { c.query(sql) } }
	const endless = "(select repeat('x', 1000) from generate_series(1, 100000000))"
	return []cancelCase{
		{"running", "", asks("select count(*) from generate_series(1, 100000000000)"), nil},
		{"sleeping", "PgSleep", asks("select pg_sleep(1000)"), nil},
		{"waiting for a row", "transactionid", func(c, other *rawClient) {
			other.run("begin; update cancelled set v = 1 where id = 1")
			c.query("update cancelled set v = 2 where id = 1")
		}, nil},
		{"waiting for a table", "relation", func(c, other *rawClient) {
			other.run("begin; lock table cancelled")
			c.query("select * from cancelled")
		}, nil},
		{"waiting for an advisory lock", "advisory", func(c, other *rawClient) {
			other.run("begin; select pg_advisory_xact_lock(5)")
			c.query("select pg_advisory_lock(5)")
		}, nil},
		{"streaming rows to a slow reader", "ClientWrite", asks("select * from " + endless + " x"), nil},
		{"streaming rows of a portal", "ClientWrite", func(c, _ *rawClient) {
			c.say(&pgproto3.Parse{Query: "select * from " + endless + " x"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
		}, nil},
		{"COPY to a slow reader", "ClientWrite", asks("copy " + endless + " to stdout"), nil},
		{"COPY from the client", "ClientRead", func(c, _ *rawClient) {
			c.query("copy cancelled from stdin")
			c.answer()
		}, func(c *rawClient) { c.say(&pgproto3.CopyData{Data: []byte("7\t7\n")}) }}, // obeyed when data comes, as by PostgreSQL
	}
}

// TestCancelWhileBusy cancels statements in every state that they can be in, each by its name.
func TestCancelWhileBusy(t *testing.T) {
	addr := startInProcess(t, "[pool]\nbackends = 3\n"+writeCertificate(t))
	setup := newRawClient(t, addr, false)
	setup.run("create table cancelled (id int primary key, v int); insert into cancelled values (1, 0)")
	for _, secure := range []bool{false, true} {
		for _, x := range cancelCases() {
			t.Run(strings.TrimPrefix(fmt.Sprintf("%s, TLS %v", x.name, secure), " "), func(t *testing.T) {
				c, other, watch := newRawClient(t, addr, secure), newRawClient(t, addr, secure), newRawClient(t, addr, false)
				bystander := newRawClient(t, addr, secure)
				bystander.query("select pg_sleep(1000)")
				x.start(c, other)
				c.awaitEvent(watch, x.event)
				c.cancel(c.secret + 1) // another key: nothing happens
				c.cancel(c.secret)
				if x.push != nil {
					x.push(c)
				}
				if got := c.answer(); got != "57014" {
					t.Errorf("the statement ended with %q", got)
				}
				if got := c.run("select 42"); got != "42" {
					t.Errorf("the next statement gave %q", got)
				}
				other.run("rollback")
				if got := watch.run("select v from cancelled where id = 1"); got != "0" {
					t.Errorf("the row is %s", got)
				}
				bystander.awaitEvent(watch, "PgSleep")
				bystander.cancel(bystander.secret)
				if got := bystander.answer(); got != "57014" {
					t.Errorf("the bystander ended with %q", got)
				}
			})
		}
	}
}

// TestCancelWhileQueued cancels a statement that waits for the only backend; the one that has it goes on.
func TestCancelWhileQueued(t *testing.T) {
	addr := startInProcess(t, "[pool]\nbackends = 1\n"+writeCertificate(t))
	for _, secure := range []bool{false, true} {
		hog, c := newRawClient(t, addr, secure), newRawClient(t, addr, secure)
		hog.query("select count(*) from generate_series(1, 100000000000)")
		c.query("select 1")                                     // nobody can look whether it is queued yet; a request that comes too early does nothing
		if got := c.cancelled(); got != "57014" && got != "1" { // it may have been there first
			t.Errorf("the queued statement ended with %q", got)
		}
		if got := hog.cancelled(); got != "57014" {
			t.Errorf("the statement that ran ended with %q", got)
		}
	}
}

// cancelled asks for the end of the statement that was sent until it has ended, and gives how.
func (c *rawClient) cancelled() string {
	answered := make(chan string, 1)
	go func() { answered <- c.answer() }()
	for {
		select {
		case got := <-answered:
			return got
		case <-time.After(20 * time.Millisecond):
			c.cancel(c.secret)
		}
	}
}

// TestCancelHitsNobodyElse sends requests for a client that runs short statements, beside others of which none may fail, and
// then counts that a request between statements hits none.
func TestCancelHitsNobodyElse(t *testing.T) {
	addr := startInProcess(t, "[pool]\nbackends = 2\n")
	target := newRawClient(t, addr, false)
	const rounds = 300
	var wg sync.WaitGroup
	for range 3 {
		c := newRawClient(t, addr, false)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				if got := c.run(fmt.Sprintf("select %d", i)); got != fmt.Sprint(i) {
					t.Errorf("another's statement ended with %q", got)
					return
				}
			}
		}()
	}
	for i := range rounds / 3 {
		target.query(fmt.Sprintf("select %d from pg_sleep(0.0005)", i))
		target.cancel(target.secret)
		if got := target.answer(); got != "57014" && got != fmt.Sprint(i) {
			t.Errorf("statement %d ended with %q", i, got)
		}
		target.cancel(target.secret) // it is over
		if got := target.run(fmt.Sprintf("select %d", i)); got != fmt.Sprint(i) {
			t.Errorf("a request between statements hit the next one: %q", got)
		}
	}
	wg.Wait()
}
