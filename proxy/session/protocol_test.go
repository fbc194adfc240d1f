package session

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"manifold/pool"
	"manifold/proxy/auth"
)

// wire is a raw client.
type wireClient struct {
	t    *testing.T
	conn net.Conn
	*pgproto3.Frontend
}

// dial logs bob in and reads up to ReadyForQuery.
func (s *server) dial(t *testing.T, params map[string]string) *wireClient {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := &wireClient{t: t, conn: conn, Frontend: pgproto3.NewFrontend(conn, conn)}
	if params == nil {
		params = map[string]string{"user": "bob", "database": "postgres"}
	}
	c.Send(&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: params})
	c.flush()
	return c
}

func (c *wireClient) flush() {
	c.t.Helper()
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// read gives a line for each message up to n times ReadyForQuery, or the end of the connection.
func (c *wireClient) read(n int) string {
	c.t.Helper()
	var b strings.Builder
	for n > 0 {
		m, err := c.Receive()
		if err != nil {
			fmt.Fprintf(&b, "closed\n")
			break
		}
		switch m := m.(type) {
		case *pgproto3.ReadyForQuery:
			fmt.Fprintf(&b, "ready %c\n", m.TxStatus)
			n--
		case *pgproto3.ErrorResponse:
			fmt.Fprintf(&b, "%s %s %s\n", m.Severity, m.Code, m.Message)
		case *pgproto3.NoticeResponse:
			fmt.Fprintf(&b, "%s %s\n", m.Severity, m.Message)
		case *pgproto3.DataRow:
			fmt.Fprintf(&b, "row %q\n", m.Values[0])
		case *pgproto3.CommandComplete:
			fmt.Fprintf(&b, "%s\n", m.CommandTag)
		case *pgproto3.ParameterStatus:
			fmt.Fprintf(&b, "%s=%s\n", m.Name, m.Value)
		default:
			fmt.Fprintf(&b, "%s\n", strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3."))
		}
	}
	return b.String()
}

func (c *wireClient) want(n int, want string) {
	c.t.Helper()
	if got := c.read(n); got != want {
		c.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func query(s string) *pgproto3.Query { return &pgproto3.Query{String: s} }

func TestWelcome(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	got := s.dial(t, map[string]string{"user": "bob", "database": "postgres", "application_name": "x", "options": "-c work_mem=1MB --TimeZone=Asia/Tokyo",
		"_pq_.strange": "1"}).read(1)
	for _, want := range []string{"NegotiateProtocolVersion", "AuthenticationOk", "server_version=15.18", "application_name=x", "TimeZone=Asia/Tokyo",
		"client_encoding=UTF8", "integer_datetimes=on", "is_superuser=off", "session_authorization=bob", "BackendKeyData", "in_hot_standby=off",
		"standard_conforming_strings=on", "DateStyle=ISO, MDY", "IntervalStyle=postgres", "default_transaction_read_only=off", "ready I"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

func TestSimple(t *testing.T) {
	c := startServer(t, pool.Limits{Slots: 1}, nil).dial(t, nil)
	c.read(1)
	for _, x := range []struct{ query, want string }{
		{"select 2", "RowDescription\nrow \"0\"\nrow \"1\"\nSELECT 2\nready I\n"},
		{"", "EmptyQueryResponse\nready I\n"},
		{"begin; select 1", "BEGIN\nRowDescription\nrow \"0\"\nSELECT 1\nready T\n"},
		{"notice hi; fail; select 1", "NOTICE hi\nNOTICE\nERROR 42601 as you wish\nready E\n"},
		{"select 1", "ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block\nready E\n"},
		{"rollback", "ROLLBACK\nready I\n"},
		{"set TimeZone=UTC", "SET\nTimeZone=UTC\nready I\n"},
		{"set client_min_messages=warning", "SET\nready I\n"},
		{"notice hi", "NOTICE\nready I\n"},
		{"copyout", "CopyOutResponse\nCopyData\nCopyData\nCopyData\nCopyDone\nCOPY 3\nready I\n"},
	} {
		c.Send(query(x.query))
		c.flush()
		c.want(1, x.want)
	}
	c.Send(&pgproto3.FunctionCall{Function: 1})
	c.flush()
	c.want(1, "ERROR 0A000 the function call message is not supported yet\nready I\n")
	c.Send(query("select '\xff'"))
	c.flush()
	c.want(1, "ERROR 22021 invalid byte sequence for encoding \"UTF8\": 0xff\nready I\n")
}

func TestExtended(t *testing.T) {
	c := startServer(t, pool.Limits{Slots: 1}, nil).dial(t, nil)
	c.read(1)
	run := func(sql string) {
		c.Send(&pgproto3.Parse{Query: sql})
		c.Send(&pgproto3.Bind{ResultFormatCodes: []int16{1}})
		c.Send(&pgproto3.Describe{ObjectType: 'P'})
		c.Send(&pgproto3.Execute{})
	}
	run("select 1")
	run("bad")
	run("select 1")
	c.Send(&pgproto3.Sync{})
	c.flush()
	c.want(1, "ParseComplete\nBindComplete\nRowDescription\nrow \"\\x00\\x00\\x00\\x00\"\nSELECT 1\nERROR 42601 bad text\nready I\n")
	run("notice x")
	c.Send(&pgproto3.Flush{})
	c.flush()
	for range 3 {
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
	}
	c.Send(&pgproto3.Close{ObjectType: 'S', Name: "nothing"})
	c.Send(&pgproto3.Describe{ObjectType: 'S', Name: "nothing"})
	c.Send(query("select 1"))
	c.Send(&pgproto3.Sync{})
	c.Send(query("select 1"))
	c.flush()
	c.want(2, "NOTICE x\nNOTICE\nCloseComplete\nERROR 26000 prepared statement \"nothing\" does not exist\nready I\n"+
		"RowDescription\nrow \"0\"\nSELECT 1\nready I\n")
	if _, err := c.conn.Write([]byte{'B', 0, 0, 0, 5, 'x', 'S', 0, 0, 0, 4}); err != nil {
		t.Fatal(err)
	}
	c.want(1, "ERROR 08P01 invalid string in message\nready I\n")
	if _, err := c.conn.Write([]byte{'D', 0, 0, 0, 6, 'x', 0, 'S', 0, 0, 0, 4}); err != nil {
		t.Fatal(err)
	}
	c.want(1, "ERROR 08P01 invalid DESCRIBE message subtype 120\nready I\n")
	if _, err := c.conn.Write([]byte{'?', 0, 0, 0, 4}); err != nil {
		t.Fatal(err)
	}
	c.want(1, "FATAL 08P01 invalid frontend message type 63\nclosed\n")
}

func TestCopyIn(t *testing.T) {
	c := startServer(t, pool.Limits{Slots: 1}, nil).dial(t, nil)
	c.read(1)
	c.Send(query("copyin"))
	c.Send(&pgproto3.Flush{})
	c.Send(&pgproto3.Sync{})
	c.Send(&pgproto3.CopyData{Data: []byte("a\nb\n")})
	c.Send(&pgproto3.CopyDone{})
	c.flush()
	c.want(1, "CopyInResponse\nCOPY 2\nready I\n")
	c.Send(query("copyin"))
	c.Send(&pgproto3.CopyFail{Message: "no more"})
	c.flush()
	c.want(1, "CopyInResponse\nERROR 57014 COPY from stdin failed: no more\nready I\n")
	c.Send(query("copyin"))
	c.Send(&pgproto3.Parse{})
	c.Send(&pgproto3.CopyData{Data: []byte("late")})
	c.Send(&pgproto3.CopyDone{})
	c.flush()
	c.want(1, "CopyInResponse\nERROR 08P01 unexpected message type 0x50 during COPY from stdin\nready I\n")
}

func TestPanicEndsOneClient(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	c := s.dial(t, nil)
	c.read(1) // the first to come has number 1
	other := s.dial(t, nil)
	other.read(1)
	c.Send(query("panic"))
	c.flush()
	c.want(1, "FATAL XX000 internal error: as you wish\nclosed\n")
	other.Send(query("select 1"))
	other.flush()
	other.want(1, "RowDescription\nrow \"0\"\nSELECT 1\nready I\n")
}

func TestLogins(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.Rules = func() auth.Rules {
			all := []string{"all"}
			return auth.Rules{{Kind: auth.Host, Databases: all, Users: []string{"bob"}, Method: auth.Trust},
				{Kind: auth.Host, Databases: []string{"postgres", "nodb"}, Users: all, Method: auth.SCRAM},
				{Kind: auth.Host, Databases: []string{"closed"}, Users: all, Method: auth.Reject}}
		}
	})
	for _, x := range []struct{ user, password, database, want string }{
		{"alice", "secret", "postgres", ""},
		{"alice", "wrong", "postgres", `FATAL: password authentication failed for user "alice" (SQLSTATE 28P01)`},
		{"nobody", "x", "postgres", `FATAL: password authentication failed for user "nobody" (SQLSTATE 28P01)`},
		{"alice", "secret", "nodb", `FATAL: database "nodb" does not exist (SQLSTATE 3D000)`},
		{"alice", "wrong", "nodb", `FATAL: password authentication failed for user "alice" (SQLSTATE 28P01)`},
		{"bob", "", "postgres", ""},
		{"alice", "secret", "closed", `pg_hba.conf rejects connection for host "127.0.0.1", user "alice", database "closed", no encryption (SQLSTATE 28000)`},
		{"alice", "secret", "other", `no pg_hba.conf entry for host "127.0.0.1", user "alice", database "other", no encryption (SQLSTATE 28000)`},
	} {
		conn, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=%s password='%s' database=%s sslmode=prefer",
			s.addr.Port, x.user, x.password, x.database))
		switch {
		case err == nil && x.want == "":
			_ = conn.Close(t.Context())
		case err == nil || x.want == "" || !strings.Contains(err.Error(), x.want):
			t.Errorf("%v: got %v", x, err)
		}
	}
}

// testTLS makes a certificate.
func testTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestTLS(t *testing.T) {
	config := testTLS(t)
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) { c.TLS = func() *tls.Config { return config } })
	conn, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=bob database=postgres sslmode=require", s.addr.Port))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := conn.Conn().(*tls.Conn); !ok {
		t.Error("not encrypted")
	}
	res, err := conn.Exec(t.Context(), "select 40000").ReadAll()
	if err != nil || len(res[0].Rows) != 40000 || string(res[0].Rows[39999][0]) != "39999" {
		t.Error(err)
	}
	_ = conn.Close(t.Context())
	raw, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	early := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)
	if _, err := raw.Write(append(early, 0, 0, 0, 9, 1)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 200)
	n, _ := raw.Read(buf)
	if !bytes.Contains(buf[:n], []byte("received unencrypted data after encryption request")) {
		t.Errorf("got %q", buf[:n])
	}
}

// TestCancel: a request with the right key ends the statement that runs, and nothing else.
func TestCancel(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	c := s.dial(t, nil)
	c.read(1)
	s.cfg.Registry.Cancel(1, 7)
	c.Send(query("select 1"))
	c.flush()
	c.want(1, "RowDescription\nrow \"0\"\nSELECT 1\nready I\n")
	c.Send(query("sleep"))
	c.flush()
	s.awaitRunning(t, 1)
	s.cfg.Registry.Cancel(1, 8)
	conn, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{0, 0, 0, 16, 4, 0xD2, 0x16, 0x2E, 0, 0, 0, 1, 0, 0, 0, 7}); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	c.want(1, "ERROR 57014 canceling statement due to user request\nready I\n")
	c.Send(query("set statement_timeout=10"))
	c.Send(query("sleep"))
	c.Send(query("select 1"))
	c.flush()
	c.want(3, "SET\nready I\nERROR 57014 canceling statement due to statement timeout\nready I\nRowDescription\nrow \"0\"\nSELECT 1\nready I\n")
}

// awaitRunning waits until client pid is in a statement that sleeps.
func (s *server) awaitRunning(t *testing.T, pid uint32) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if e, _ := s.cfg.Registry.find(pid).task.Waiting(); e.Name() == "PgSleep" {
			return
		}
		<-time.After(time.Millisecond)
	}
	t.Fatal("the statement does not run")
}

func TestTerminate(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 2}, nil)
	idle := s.dial(t, nil)
	idle.read(1) // the first to come has number 1
	busy := s.dial(t, nil)
	busy.read(1)
	busy.Send(query("sleep"))
	busy.flush()
	s.awaitRunning(t, 2)
	s.cfg.Registry.TerminateAll()
	idle.want(1, "FATAL 57P01 terminating connection due to administrator command\nclosed\n")
	busy.want(1, "FATAL 57P01 terminating connection due to administrator command\nclosed\n")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.cfg.Registry.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func TestIdleTimeouts(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	c := s.dial(t, nil)
	c.read(1)
	c.Send(query("set idle_in_transaction_session_timeout=10"))
	c.Send(query("begin"))
	c.flush()
	c.want(3, "SET\nready I\nBEGIN\nready T\nFATAL 25P03 terminating connection due to idle-in-transaction timeout\nclosed\n")
	c = s.dial(t, nil)
	c.read(1)
	c.Send(query("set idle_session_timeout=10"))
	c.flush()
	c.want(2, "SET\nready I\nFATAL 57P05 terminating connection due to idle-session timeout\nclosed\n")
}

// TestSlowReader: a client that does not read holds neither slot nor more than a bounded buffer.
func TestSlowReader(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	slow := s.dial(t, nil)
	slow.read(1) // the first to come has number 1
	quick := s.dial(t, nil)
	quick.read(1)
	slow.Send(query("select 3000000"))
	slow.flush()
	for end := time.Now().Add(10 * time.Second); ; {
		if e, _ := s.cfg.Registry.find(1).task.Waiting(); e.Name() == "ClientWrite" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the client was given three million rows that it did not read")
		}
		<-time.After(time.Millisecond)
	}
	quick.Send(query("select 1"))
	quick.flush()
	quick.want(1, "RowDescription\nrow \"0\"\nSELECT 1\nready I\n")
	s.cfg.Registry.TerminateBackend(1)
}

// TestIdleInTransactionHoldsNothing: with one slot, others run while a transaction is open.
func TestIdleInTransactionHoldsNothing(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	a := s.dial(t, nil)
	a.read(1) // the first to come has number 1
	b := s.dial(t, nil)
	b.read(1)
	a.Send(query("begin"))
	a.flush()
	a.want(1, "BEGIN\nready T\n")
	b.Send(query("select 1"))
	b.flush()
	b.want(1, "RowDescription\nrow \"0\"\nSELECT 1\nready I\n")
	if st := s.cfg.Pools.Stats()[0]; st.Running != 0 || st.Backends != 1 {
		t.Errorf("%+v", st)
	}
	if got := s.cfg.Registry.find(1).s.Info().State; got != "idle in transaction" {
		t.Error(got)
	}
}

func TestAdmission(t *testing.T) {
	refusal := errors.New("unset")
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) { c.Admit = func() error { return refusal } })
	s.dial(t, nil).want(1, "closed\n")
	if s.cfg.Registry.Count() != 0 {
		t.Error("let in")
	}
}
