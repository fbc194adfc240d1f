package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sys/unix"
)

const badInputConfig = `
[clients]
authentication_timeout = "3s"
[[hba]]
type = "host"
users = ["stranger"]
method = "scram-sha-256"
[[hba]]
type = "host"
method = "trust"
`

// memoryBound is how much the server may have held at its worst: its buffers, the largest statement some times over, and
// what the collector lets lie.
const memoryBound = 3 << 30

// TestBadInput throws at the server what no client should send, while a bystander works and must notice nothing. At the end the
// server lives, has let go of everything, and has never held more memory than it may.
func TestBadInput(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	s := newCrashServer(t)
	file := filepath.Join(filepath.Dir(s.bin), "config.toml")
	if err := os.WriteFile(file, []byte(badInputConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args, s.limit = []string{"--config", file}, 2*memoryBound // a statement that runs away ends the server, not the machine
	s.start()
	defer s.kill()
	s.exec("create table t (id int primary key, v text); insert into t select i, 'v' || i from generate_series(1, 1000) i")
	files := s.files()
	stop := s.bystander()
	for _, c := range []struct {
		name string
		run  func(*testing.T, *crashServer)
	}{
		{"random bytes before startup", randomStartup},
		{"random bytes after startup", randomMessages},
		{"cut messages", cutMessages},
		{"lengths that lie", badLengths},
		{"announced and never sent", neverSent},
		{"messages in the wrong state", wrongState},
		{"logins", badLogins},
		{"statements", badStatements},
		{"extended protocol", badExtended},
		{"large statements", largeStatements},
		{"a reader that does not read", slowReader},
		{"half-open connections", halfOpen},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := *s
			inner.t = t
			c.run(t, &inner)
		})
		t.Logf("%-30s resident %4d MB, at most %4d MB", c.name, s.memory("VmRSS")>>20, s.memory("VmHWM")>>20)
		if got := s.exec("select 1"); got != "1" {
			break
		}
	}
	stop()
	s.settled(files)
	if m := s.memory("VmHWM"); m > memoryBound {
		t.Errorf("the server held %d MB", m>>20)
	}
	if log, err := os.ReadFile(s.data + ".log"); err != nil || bytes.Contains(log, []byte("panic")) || bytes.Contains(log, []byte("internal error")) {
		i := max(bytes.Index(log, []byte("panic")), bytes.Index(log, []byte("internal error")), 0)
		t.Errorf("the log tells of a bug: %v\n%s", err, log[i:min(len(log), i+4000)])
	}
}

// bystander runs statements until the function it returns is called, which fails the test when one of them went wrong.
func (s *crashServer) bystander() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan string, 1)
	c, err := s.connect()
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer c.Close(context.Background())
		n, slowest := 0, time.Duration(0)
		for ; ctx.Err() == nil; n++ {
			began := time.Now()
			r, err := c.Exec(context.Background(), "select count(*), max(v) from t where id <= 999").ReadAll()
			if err != nil || len(r) != 1 || len(r[0].Rows) != 1 || string(r[0].Rows[0][0]) != "999" {
				done <- fmt.Sprintf("the bystander's statement %d: %v", n, err)
				return
			}
			slowest = max(slowest, time.Since(began))
			<-time.After(time.Millisecond)
		}
		s.t.Logf("the bystander ran %d statements, the slowest in %s", n, slowest.Round(time.Millisecond))
		done <- ""
	}()
	return func() {
		s.t.Helper()
		cancel()
		if complaint := <-done; complaint != "" {
			s.t.Error(complaint)
		}
	}
}

// memory reads a line of the process's status, in bytes.
func (s *crashServer) memory(name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatalf("the server is gone: %v", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// files counts the files that the server has open.
func (s *crashServer) files() int {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

// settled waits until nothing is left of the clients.
func (s *crashServer) settled(files int) {
	s.t.Helper()
	const slack = 12 // files of relations and the log that have come since
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := s.files()
		if got <= files+slack {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d files are open, %d were before", got, files)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// dial opens a raw connection that ends at a deadline.
func (s *crashServer) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// enter logs in by hand and reads up to the first ReadyForQuery.
func (s *crashServer) enter() (net.Conn, *pgproto3.Frontend) {
	s.t.Helper()
	c := s.dial()
	f := pgproto3.NewFrontend(c, c)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber,
		Parameters: map[string]string{"user": "postgres", "database": "postgres"}})
	if err := f.Flush(); err != nil {
		s.t.Fatal(err)
	}
	s.untilReady(f)
	return c, f
}

// untilReady reads up to ReadyForQuery and gives the SQLSTATE of the first error; "gone" when the connection ended.
func (s *crashServer) untilReady(f *pgproto3.Frontend) string {
	s.t.Helper()
	code := ""
	for {
		m, err := f.Receive()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			s.t.Fatal("no answer")
		}
		if err != nil {
			return strings.TrimSpace("gone " + code)
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			if code == "" {
				code = m.Code
			}
		case *pgproto3.ReadyForQuery:
			return code
		}
	}
}

// ends sends bytes, and waits for the server to close the connection.
func (s *crashServer) ends(c net.Conn, b []byte) {
	s.t.Helper()
	_, _ = c.Write(b) // it may be closed already
	_ = c.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, c); err != nil {
		var n net.Error
		if errors.As(err, &n) && n.Timeout() {
			s.t.Errorf("the connection stays open after %.60q", b)
		}
	}
	c.Close()
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func randomStartup(t *testing.T, s *crashServer) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := randomBytes(r, r.IntN(2000))
		if len(b) > 8 && r.IntN(2) == 0 { // a length that fits and a version that exists
			binary.BigEndian.PutUint32(b, uint32(len(b)))
			binary.BigEndian.PutUint32(b[4:], []uint32{196608, 80877102, 80877103, 80877104}[r.IntN(4)])
		}
		s.ends(s.dial(), b)
	}
}

func randomMessages(t *testing.T, s *crashServer) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		c, _ := s.enter()
		var b []byte
		for range 1 + r.IntN(5) {
			body := randomBytes(r, r.IntN(300))
			kind := byte(r.Uint32())
			if r.IntN(4) > 0 {
				kind = "QPBDECSHdcfpF"[r.IntN(13)]
			}
			b = binary.BigEndian.AppendUint32(append(b, kind), uint32(len(body)+4))
			b = append(b, body...)
		}
		s.ends(c, b)
	}
}

func cutMessages(t *testing.T, s *crashServer) {
	whole := []byte("Q\x00\x00\x00\x0dselect 1\x00")
	bind, err := (&pgproto3.Bind{PreparedStatement: "x", Parameters: [][]byte{[]byte("abc"), nil}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range [][]byte{whole, bind} {
		for n := range m {
			c, _ := s.enter()
			s.ends(c, m[:n])
		}
	}
}

func badLengths(t *testing.T, s *crashServer) {
	for _, n := range []uint32{0, 3, 4, 7, 10_001, 1 << 20, 1 << 30, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		s.ends(s.dial(), append(binary.BigEndian.AppendUint32(nil, n), 0, 3, 0, 0))
		for _, kind := range []byte("QPBDECSHXpdcfF\x00\xff") {
			c, _ := s.enter()
			s.ends(c, binary.BigEndian.AppendUint32([]byte{kind}, n))
		}
	}
	// Counts and lengths inside a message that say more than there is.
	for _, body := range []string{
		"\x00\x00\xff\xff", "\x00\x00\x00\x00\xff\xff", "\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff", "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe",
		"\x00", "", "no end",
	} {
		c, f := s.enter()
		b := binary.BigEndian.AppendUint32([]byte("B"), uint32(len(body)+4))
		b = append(append(b, body...), "S\x00\x00\x00\x04"...)
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if code := s.untilReady(f); code != "08P01" {
			t.Errorf("Bind %q: %q", body, code)
		}
		c.Close()
	}
}

// neverSent announces messages of 1 GiB on many connections and sends nothing of them.
func neverSent(t *testing.T, s *crashServer) {
	before := s.memory("VmRSS")
	var open []net.Conn
	for range 100 {
		c, _ := s.enter()
		if _, err := c.Write([]byte("Q\x3f\xff\xff\xffselect 1")); err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if got := s.exec("select 2"); got != "2" {
		t.Errorf("got %q", got)
	}
	if grown := s.memory("VmRSS") - before; grown > 256<<20 {
		t.Errorf("%d MB for what never came", grown>>20)
	}
	for _, c := range open {
		c.Close()
	}
}

func wrongState(t *testing.T, s *crashServer) {
	const sync = "S\x00\x00\x00\x04"
	for _, c := range []struct{ send, want string }{
		{"d\x00\x00\x00\x06ab" + sync, ""},
		{"c\x00\x00\x00\x04" + sync, ""},
		{"f\x00\x00\x00\x05\x00" + sync, ""},
		{sync, ""},
		{"E\x00\x00\x00\x09\x00\x00\x00\x00\x00" + sync, "34000"},
		{"D\x00\x00\x00\x06P\x00" + sync, "34000"},
		{"D\x00\x00\x00\x06S\x00" + sync, "26000"},
		{"D\x00\x00\x00\x06?\x00" + sync, "08P01"},
		{"C\x00\x00\x00\x06?\x00" + sync, "08P01"},
		{"B\x00\x00\x00\x0d\x00x\x00\x00\x00\x00\x00\x00\x00" + sync, "26000"},
		{"p\x00\x00\x00\x08abc\x00", "gone 08P01"},
		{"\x00\x00\x00\x00\x04", "gone 08P01"},
		{"z\x00\x00\x00\x04", "gone 08P01"},
		{"S\x00\x00\x00\x05x" + sync, "08P01"},
		{"Q\x00\x00\x00\x0eselect 1\x00x", "08P01"},
	} {
		conn, f := s.enter()
		if _, err := conn.Write([]byte(c.send)); err != nil {
			t.Fatal(err)
		}
		if got := s.untilReady(f); got != c.want {
			t.Errorf("%.40q: got %q, want %q", c.send, got, c.want)
		}
		conn.Close()
	}
}

func badLogins(t *testing.T, s *crashServer) {
	long := strings.Repeat("x", 9000)
	for _, c := range []struct{ dsn, code string }{
		{"user=stranger password=wrong dbname=postgres", "28P01"},
		{"user=stranger password='' dbname=postgres", ""},
		{"user=postgres dbname=nowhere", "3D000"},
		{"user=nobody dbname=postgres", "28000"},
		{"user=" + long + " dbname=postgres", "28000"},
		{"user=postgres dbname=" + long, "3D000"},
		{"user=postgres dbname=postgres application_name=" + long, "ok"},
		{"user=postgres dbname=postgres nonsense=1", "42704"},
		{"user=postgres dbname=postgres work_mem=much", "22023"},
		{"user=postgres dbname=postgres options='-c'", "42601"},
		{"user=postgres dbname=postgres replication=true", "0A000"},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		conn, err := pgconn.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d sslmode=disable %s", s.port, c.dsn))
		if err == nil {
			conn.Close(ctx)
		}
		cancel()
		var e *pgconn.PgError
		switch {
		case c.code == "ok" && err == nil:
		case err == nil:
			t.Errorf("%.60s: let in", c.dsn)
		case c.code != "" && (!errors.As(err, &e) || e.Code != c.code):
			t.Errorf("%.60s: %v, want %s", c.dsn, err, c.code)
		}
	}
}

// code runs one statement and gives its SQLSTATE, "" for success; it must be answered in time.
func (s *crashServer) code(c *pgconn.PgConn, sql string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	_, err := c.Exec(ctx, sql).ReadAll()
	var e *pgconn.PgError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	}
	s.t.Fatalf("%.60q of %d bytes: %v", sql, len(sql), err)
	return ""
}

func badStatements(t *testing.T, s *crashServer) {
	rep := strings.Repeat
	nest := func(open, inside, end string, n int) string { return rep(open, n) + inside + rep(end, n) }
	cases := []struct {
		sql  string
		want string // codes that are right, with spaces between; ok is success
	}{
		{"select " + nest("(", "1", ")", 100_000), "54001"},
		{"select 1" + rep("+1", 64_000), "54001"},
		{"select " + rep("- ", 50_000) + "1", "54001"},
		{"select " + rep("not ", 50_000) + "true", "54001"},
		{"select 1" + rep("::int", 50_000), "54001"},
		{"select true" + rep(" and true", 50_000), "ok 54001"},
		{"select 1" + rep(" union all select 1", 20_000), "ok 54001"},
		{"select " + nest("(select ", "1", ")", 20_000), "54001"},
		{"select " + nest("array[", "1", "]", 20_000), "54001"},
		{"select " + nest("array[", "1", "]", 100), "54000"},
		{"select " + nest("row(", "1", ")", 20_000), "54001"},
		{"select " + nest("row(", "1", ")", 1000), "54000 54001"},
		{"select " + nest("case when true then ", "1", " end", 20_000), "54001"},
		{"select " + nest("abs(", "1", ")", 4000), "ok 54001"},
		{"select * from " + nest("(select * from ", "t", ") x", 5000), "ok 54001"},
		{"select * from t" + rep(" natural join t", 10_000), "54001 42712"},
		{"select " + rep("a.", 100_000) + "b", "42601 42P01 0A000 54001"},
		{"select 1::int" + rep("[]", 100_000), "ok 54000 54001 42601 22P02 42846"},
		{"select '" + rep("{", 100_000) + "'::int[]", "54000 22P02"},
		{"select '" + rep("[", 100_000) + "'::json", "54001"},
		{"select '" + rep("[", 100_000) + "'::jsonb", "54001"},
		{"select '" + nest("[", "", "]", 6000) + "'::jsonb", "ok 54001"},
		{"select '" + rep(`{"a":`, 100_000) + "'::jsonb", "54001"},
		{"select 'x' ~ '" + rep("(", 100_000) + "'", "2201B 54001"},
		{"select 'x' ~ '" + nest("(", "x", ")", 50_000) + "'", "ok 2201B 54001"},
		{"select '" + rep("a", 5000) + "' ~ '^(a*)*b$'", "ok 2201B"},
		{"select '" + rep("a", 5000) + "b' like '" + rep("%a", 2000) + "'", "ok"},
		{"select repeat('x', 2000000000)", "54000"},
		{"select lpad('x', 2000000000)", "54000"},
		{"select rpad('x', 1100000000)", "54000"},
		{"select 9999999999999999999999::int", "22003"},
		{"select 1e200000::numeric", "22003 22P02"},
		{"select power(10::numeric, 1000000)", "22003"},
		{"select 1" + rep("0", 200_000), "22003"},
		{"select 1::numeric(2000, 1)", "22023"},
		{"select '" + rep("9", 200_000) + "'::int", "22003 22P02"},
		{"select '" + rep("9", 200_000) + "'::numeric", "22003"},
		{"select array_fill(1, array[1000000, 1000000])", "54000 0A000"},
		{"select ('{[1:2147483647]={1}}')::int[]", "22P02 2202E"},
		{"select generate_series(1, 2) limit -1", "2201W"},
		{"select $1", "42P02"},
		{"select $66000", "42P02"},
		{"select $99999999999", "42P02 42601 22003"},
		{"select " + rep("1,", 70_000) + "1", "54011"},
		{"insert into t values " + rep("(0,'x'),", 50_000) + "(0,'x')", "23505"},
		{"create table wide (" + rep("c int,", 5000) + "d int)", "54011 42701"},
		{"select 1 from t where id in (" + rep("1,", 20_000) + "1)", "ok"},
		{"select \"" + rep("x", 100_000) + "\"", "42703"},
		{"set work_mem to '" + rep("9", 10_000) + "'", "22023"},
		{"/*" + rep("/*", 100_000), "42601"},
		{"select /*" + rep("/*", 100_000) + rep("*/", 100_001) + " 1", "ok"},
		{"select $x$" + rep("$", 100_000), "42601"},
		{"select 'a", "42601"},
		{"select '\xff'", "22021"},
		{"select '\xc3'", "22021"},
		{"select '\xed\xa0\x80'", "22021"},
		{"select \"\xf8\x88\x80\x80\x80\"", "22021"},
		{"select 1 -- \xff", "22021"},
		{"select E'\\xff'", "22021"},
		{"select E'\\000'", "22021"},
		{"select chr(0)", "54000"},
		{"select U&'\\D800'", "42601 22025"},
		{"select convert_from('\\xff'::bytea, 'UTF8')", "22021 0A000"},
		{rep(";", 500_000), "ok"},
		{rep("select 1;", 5000), "ok"},
		{"", "ok"},
	}
	c, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close(context.Background()) }()
	for _, k := range cases {
		began := time.Now()
		got := s.code(c, k.sql)
		if got == "" {
			got = "ok"
		}
		if !strings.Contains(" "+k.want+" ", " "+got+" ") {
			t.Errorf("%.50q of %d bytes: %s, want %s", k.sql, len(k.sql), got, k.want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%.50q of %d bytes took %s", k.sql, len(k.sql), took)
		}
		if c.IsClosed() {
			t.Errorf("%.50q of %d bytes ended the connection", k.sql, len(k.sql))
			if c, err = s.connect(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func badExtended(t *testing.T, s *crashServer) {
	c, f := s.enter()
	defer c.Close()
	many := make([]uint32, 65535)
	for _, k := range []struct {
		send []pgproto3.FrontendMessage
		want string
	}{
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $66000::int"}}, "ok 08P01 54000 42P18 42P02"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $2000000000::int"}}, "08P01 54000 42P18 42P02"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select 1", ParameterOIDs: many}, &pgproto3.Describe{ObjectType: 'S'}}, "ok 42P18"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1", ParameterOIDs: []uint32{4_000_000_000}}}, "ok 42704 42P18 XX000"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select '\xff'"}}, "22021"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select 1; select 2"}}, "42601"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::text"}, &pgproto3.Bind{Parameters: [][]byte{[]byte("\xff")}}}, "22021"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::text"}, &pgproto3.Bind{Parameters: [][]byte{[]byte("a\x00b")}}}, "22021"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::text"}, &pgproto3.Bind{ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{[]byte("a\x00b")}}}, "22021"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::int"}, &pgproto3.Bind{ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{[]byte("abc")}}}, "08P01 22P03"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::int[]"}, &pgproto3.Bind{ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{[]byte("\x7f\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x17")}}}, "54000 22P03 08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::int[]"}, &pgproto3.Bind{ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{[]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x17\x7f\xff\xff\xff\x00\x00\x00\x01")}}}, "54000 22P03 08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::numeric"}, &pgproto3.Bind{ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{[]byte("\x7f\xff\x00\x00\x00\x00\x00\x00")}}}, "22P03 08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::jsonb"}, &pgproto3.Bind{ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{[]byte("\x09{}")}}}, "XX000 22P03 08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::int"}, &pgproto3.Bind{ParameterFormatCodes: []int16{7},
			Parameters: [][]byte{[]byte("1")}}}, "22023"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::int"}, &pgproto3.Bind{}}, "08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select $1::int"}, &pgproto3.Bind{Parameters: make([][]byte, 65535)}}, "08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select 1"}, &pgproto3.Bind{ResultFormatCodes: []int16{1, 1, 1}}}, "08P01"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select 1"}, &pgproto3.Bind{}, &pgproto3.Execute{MaxRows: 1 << 31}}, "ok"},
		{[]pgproto3.FrontendMessage{&pgproto3.Execute{Portal: "never"}}, "34000"},
		{[]pgproto3.FrontendMessage{&pgproto3.Close{ObjectType: 'P', Name: "never"}}, "ok"},
	} {
		for _, m := range k.send {
			f.Send(m)
		}
		f.Send(&pgproto3.Sync{})
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		got := s.untilReady(f)
		if got == "" {
			got = "ok"
		}
		if !strings.Contains(" "+k.want+" ", " "+got+" ") {
			t.Errorf("%.120v: %s, want %s", k.send[0], got, k.want)
		}
		if strings.HasPrefix(got, "gone") {
			t.Fatal("the connection ended")
		}
	}
}

func largeStatements(t *testing.T, s *crashServer) {
	for _, k := range []struct {
		size      int
		head, end string
		want      string
	}{
		{10 << 20, "select length('", "')", "ok"},
		{200 << 20, "select length('", "')", "ok 54000 53200"},
		{200 << 20, "select 1 --", "", "ok 54000 53200"},
		{200 << 20, "", "", "42601 54000 53200"},
		{10 << 20, "insert into t values (5000, '", "')", "ok"},
	} {
		c, err := s.connect()
		if err != nil {
			t.Fatal(err)
		}
		got := s.code(c, k.head+strings.Repeat("x", k.size)+k.end)
		if got == "" {
			got = "ok"
		}
		if !strings.Contains(" "+k.want+" ", " "+got+" ") {
			t.Errorf("%s of %d MB: %s, want %s", k.head, k.size>>20, got, k.want)
		}
		c.Close(context.Background())
		t.Logf("%s of %d MB: %s, at most %d MB", k.head, k.size>>20, got, s.memory("VmHWM")>>20)
	}
}

// slowReader asks for gigabytes and reads nothing of them.
func slowReader(t *testing.T, s *crashServer) {
	before := s.memory("VmRSS")
	var open []net.Conn
	for range 20 {
		c, f := s.enter()
		f.Send(&pgproto3.Query{String: "select repeat('x', 1000) from generate_series(1, 10000000)"})
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	for range 100 {
		if got := s.exec("select 3"); got != "3" {
			t.Errorf("got %q", got)
		}
	}
	if grown := s.memory("VmRSS") - before; grown > 512<<20 {
		t.Errorf("%d MB for clients that do not read", grown>>20)
	}
	for _, c := range open {
		c.Close()
	}
}

// halfOpen opens connections that say nothing, or only the beginning of something.
func halfOpen(t *testing.T, s *crashServer) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var wg sync.WaitGroup
	for i := range min(3000, int(min(lim.Max, 1<<20))/2) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
			if err != nil {
				return // too many files here
			}
			_, _ = c.Write([]byte("\x00\x00\x00\x40\x00\x03\x00\x00user\x00")[:i%13])
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}()
	}
	wg.Wait()
	t.Logf("%d connections", len(open))
	if got := s.exec("select 4"); got != "4" {
		t.Errorf("got %q", got)
	}
	for _, c := range open[:len(open)/2] {
		c.Close()
	}
	for _, c := range open[len(open)/2:] { // the others end at authentication_timeout
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, err := io.Copy(io.Discard, c)
		var n net.Error
		if errors.As(err, &n) && n.Timeout() {
			t.Error("a connection that never said who it is stays open")
			break
		}
	}
	for _, c := range open {
		c.Close()
	}
}
