package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// crashServer is the real binary under a load that kill -9 ends.
type crashServer struct {
	t     *testing.T
	bin   string
	data  string
	port  int
	args  []string // more options of serve
	limit int64    // bytes of address space; zero is no limit
	cmd   *exec.Cmd
}

// newCrashServer builds the binary and gives it an empty directory and a free port.
func newCrashServer(t *testing.T) *crashServer {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "server")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return &crashServer{t: t, bin: bin, data: filepath.Join(dir, "data"), port: ln.Addr().(*net.TCPAddr).Port}
}

func (s *crashServer) start() {
	s.t.Helper()
	args := []string{"serve", "--data", s.data, "--listen", fmt.Sprintf("127.0.0.1:%d", s.port)}
	s.cmd = exec.Command(s.bin, append(args, s.args...)...)
	if s.limit > 0 {
		limited := fmt.Sprintf(`ulimit -v %d && exec "$0" "$@"`, s.limit>>10)
		s.cmd = exec.Command("sh", append([]string{"-c", limited}, s.cmd.Args...)...)
	}
	log, err := os.OpenFile(s.data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		c, err := s.connect()
		if err == nil {
			c.Close(context.Background())
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(s.data + ".log")
			s.t.Fatalf("the server does not come back: %v\n%s", err, text)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (s *crashServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *crashServer) connect() (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return pgconn.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", s.port))
}

func (s *crashServer) exec(sql string) string {
	s.t.Helper()
	c, err := s.connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close(context.Background())
	r, err := c.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if last := r[len(r)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

// ledger is the transfers whose commit was acknowledged.
type ledger struct {
	mu  sync.Mutex
	ids []int64
}

// load runs transfers until the connection breaks; each is one row in history and three updates that keep sums equal.
func (s *crashServer) load(l *ledger, round, client int, done *sync.WaitGroup) {
	defer done.Done()
	c, err := s.connect()
	if err != nil {
		return
	}
	defer c.Close(context.Background())
	for i := 0; ; i++ {
		id := int64(round)<<40 | int64(client)<<24 | int64(i)
		delta := rand.IntN(2000) - 1000
		for _, sql := range []string{
			"begin",
			fmt.Sprintf("update accounts set balance = balance + %d where id = %d", delta, rand.IntN(1000)+1),
			fmt.Sprintf("update tellers set balance = balance + %d where id = %d", delta, rand.IntN(10)+1),
			fmt.Sprintf("update branches set balance = balance + %d where id = 1", delta),
			fmt.Sprintf("insert into history (id, delta) values (%d, %d)", id, delta),
			"commit",
		} {
			if _, err := c.Exec(context.Background(), sql).ReadAll(); err != nil {
				return
			}
		}
		l.mu.Lock()
		l.ids = append(l.ids, id)
		l.mu.Unlock()
	}
}

// TestKillLosesNothing kills the binary at random moments of a load. After each restart every acknowledged transfer is there,
// the sums agree, and nothing else is found. MANIFOLD_KILLS sets the number of rounds.
func TestKillLosesNothing(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv("MANIFOLD_KILLS")); err == nil {
		rounds = n
	} else if testing.Short() {
		t.Skip("starts the server many times")
	}
	s := newCrashServer(t)
	s.args = []string{"--config", preparedConfig(t)}
	s.start()
	s.exec(`create table accounts (id int primary key, balance int not null, filler text);
		create table tellers (id int primary key, balance int not null);
		create table branches (id int primary key, balance int not null);
		create table history (id bigint primary key, delta int not null);
		insert into accounts select i, 0, repeat('x', 80) from generate_series(1, 1000) i;
		insert into tellers select i, 0 from generate_series(1, 10) i;
		insert into branches values (1, 0)`)
	defines := newDefiners(s, 3)
	var l ledger
	for round := range rounds {
		var wg sync.WaitGroup
		for client := range 16 {
			wg.Add(1)
			go s.load(&l, round+1, client, &wg)
		}
		for n := range defines {
			wg.Add(1)
			go defines[n].load(s, &wg)
		}
		<-time.After(time.Duration(200+rand.IntN(1500)) * time.Millisecond)
		s.kill()
		wg.Wait()
		s.start()
		s.verify(&l, round)
		for n := range defines {
			defines[n].verify(s, round)
		}
	}
	s.kill()
	if out, err := exec.Command(s.bin, "check", s.data).CombinedOutput(); err != nil {
		t.Fatalf("check: %v\n%s", err, out)
	}
	t.Logf("%d kills, %d acknowledged transfers", rounds, len(l.ids))
}

func (s *crashServer) verify(l *ledger, round int) {
	s.t.Helper()
	sums := s.exec(`select format('%s %s %s %s', (select sum(balance) from accounts), (select sum(balance) from tellers),
		(select sum(balance) from branches), (select coalesce(sum(delta), 0) from history))`)
	var a, b, c, d int64
	if _, err := fmt.Sscan(sums, &a, &b, &c, &d); err != nil || a != b || b != c || c != d {
		s.t.Fatalf("round %d: sums differ: %s", round, sums)
	}
	conn, err := s.connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	r := conn.ExecParams(context.Background(), "select id from history", nil, nil, nil, nil).Read()
	if r.Err != nil {
		s.t.Fatal(r.Err)
	}
	have := make(map[int64]bool, len(r.Rows))
	for _, row := range r.Rows {
		id, err := strconv.ParseInt(string(row[0]), 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		have[id] = true
	}
	for _, id := range l.ids {
		if !have[id] {
			s.t.Fatalf("round %d: acknowledged transfer %d is gone (%d of %d there)", round, id, len(have), len(l.ids))
		}
	}
}
