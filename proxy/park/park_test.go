package park

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo sends back what it reads, a line for a line; what else it does is act's.
type echo struct {
	conn  *Conn
	act   func(e *echo, r *Runner, line string)
	line  []byte
	in    atomic.Int32 // runners with it
	gone  atomic.Bool
	ended func()
	t     *testing.T
}

func (e *echo) Run(r *Runner) Verdict {
	if e.in.Add(1) != 1 {
		e.t.Error("two runners with one client")
	}
	defer e.in.Add(-1)
	var buf [256]byte
	for {
		n, dry, err := e.conn.TryRead(buf[:])
		if err != nil {
			_ = e.conn.Close()
			e.ended()
			return End
		}
		for _, c := range buf[:n] {
			if e.line = append(e.line, c); c == '\n' {
				e.act(e, r, string(e.line))
				_, _ = e.conn.Write(e.line)
				e.line = e.line[:0]
			}
		}
		if dry && !e.conn.Seat().Hung() {
			return Rest
		}
	}
}

func (e *echo) Hangup() { e.gone.Store(true) }

// serve starts a server of echo clients; the result is its address.
func serve(t *testing.T, limit int, act func(e *echo, r *Runner, line string)) (addr string, p *Poller) {
	p, err := New(limit)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pl, err := p.Listen(l)
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			c, err := pl.Accept()
			if err != nil {
				return
			}
			clients.Add(1)
			c.Seat().Start(&echo{conn: c, act: act, ended: clients.Done, t: t}, fmt.Sprint(i%3))
		}
	}()
	t.Cleanup(func() {
		_ = pl.Close()
		<-done
		clients.Wait()
		if st := p.Stat(); st.Seats != 0 || st.Ready != 0 {
			t.Errorf("%+v", st)
		}
		p.Close()
	})
	return l.Addr().String(), p
}

func dial(t *testing.T, addr string) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exchange(t *testing.T, c net.Conn, line string) {
	if _, err := io.WriteString(c, line); err != nil {
		t.Error(err)
		return
	}
	buf := make([]byte, len(line))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != line {
		t.Errorf("%q %v", buf, err)
	}
}

// TestManyClientsFewRunners: every line is answered, by one runner at a time, though some clients wait.
func TestManyClientsFewRunners(t *testing.T) {
	gate := make(chan struct{})
	addr, p := serve(t, 2, func(_ *echo, r *Runner, line string) {
		switch line[0] {
		case 'w': // waits until some 'g' comes by
			r.Blocking()
			<-gate
			r.Unblocked()
		case 'g':
			r.Blocking()
			gate <- struct{}{}
			r.Unblocked()
		}
	})
	var wg sync.WaitGroup
	for i := range 40 {
		c := dial(t, addr)
		wg.Go(func() {
			defer c.Close()
			for k := range 200 {
				kind := "wgnnn"[(i+k)%2]
				if k%4 > 0 {
					kind = 'n'
				}
				exchange(t, c, fmt.Sprintf("%c %d %d\n", kind, i, k))
			}
		})
	}
	wg.Wait()
	if st := p.Stat(); st.Runners > 60 {
		t.Errorf("%+v", st)
	}
}

// TestLongClientIsReplaced: with one runner at a time, a client that does not let go does not keep another from being served.
func TestLongClientIsReplaced(t *testing.T) {
	var stop atomic.Bool
	addr, _ := serve(t, 1, func(_ *echo, _ *Runner, line string) {
		for line == "spin\n" && !stop.Load() {
			runtime.Gosched()
		}
	})
	a, b := dial(t, addr), dial(t, addr)
	defer a.Close()
	defer b.Close()
	if _, err := io.WriteString(a, "spin\n"); err != nil {
		t.Fatal(err)
	}
	exchange(t, b, "hello\n")
	stop.Store(true)
	exchange(t, b, "again\n")
}

// TestHangup: the end of the peer is known while its client runs.
func TestHangup(t *testing.T) {
	runs, seen := make(chan struct{}), make(chan struct{})
	addr, _ := serve(t, 1, func(e *echo, _ *Runner, _ string) {
		close(runs)
		for !e.gone.Load() {
			runtime.Gosched()
		}
		close(seen)
	})
	c := dial(t, addr)
	if _, err := io.WriteString(c, "x\n"); err != nil {
		t.Fatal(err)
	}
	<-runs
	_ = c.Close()
	<-seen
}

// TestDeadline: a read that waits ends when its deadline passes, and when one in the past is set.
func TestDeadline(t *testing.T) {
	errs := make(chan error, 2)
	addr, _ := serve(t, 1, func(e *echo, r *Runner, _ string) {
		r.Blocking()
		defer r.Unblocked()
		_ = e.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := e.conn.Read(make([]byte, 1))
		errs <- err
		_ = e.conn.SetReadDeadline(time.Time{})
		go func() { _ = e.conn.SetReadDeadline(time.Unix(1, 0)) }()
		_, err = e.conn.Read(make([]byte, 1))
		errs <- err
	})
	c := dial(t, addr)
	defer c.Close()
	exchange(t, c, "x\n")
	for range 2 {
		if err, ok := (<-errs).(net.Error); !ok || !err.Timeout() {
			t.Error(err)
		}
	}
}

// TestLeaversHaveTheirOwnTurns: clients that hang up do not stand before others of their group.
func TestLeaversHaveTheirOwnTurns(t *testing.T) {
	p := &Poller{groups: map[string]*Group{}}
	var events []unix.EpollEvent
	for i := range 4 {
		s := &Seat{p: p, fd: int32(i), gen: uint32(i + 1)}
		s.entry.Value = s
		s.state.Store(parked)
		p.seats = append(p.seats, s)
		p.joinLocked(s, "user")
		e := unix.EpollEvent{Fd: s.fd, Pad: int32(s.gen), Events: unix.EPOLLIN}
		if i < 3 {
			e.Events |= unix.EPOLLRDHUP
		}
		events = append(events, e)
	}
	p.take(events)
	var order []int32
	for s := p.queue.pop(); s != nil; s = p.queue.pop() {
		order = append(order, s.fd)
	}
	if !slices.Equal(order, []int32{0, 3, 1, 2}) {
		t.Errorf("served in the order %v", order)
	}
	if p.groups["user"].seats != 1 || p.groups[strangers].seats != 3 {
		t.Errorf("%d users and %d strangers", p.groups["user"].seats, p.groups[strangers].seats)
	}
}

// TestTurns: groups take turns, those that hold something go first, before them those that others wait for, and of eight turns one
// goes to each of the others.
func TestTurns(t *testing.T) {
	var q queue
	names := map[*Seat]string{}
	add := func(g *Group, n int, level Level) {
		for i := range n {
			s := &Seat{group: g, level: level}
			s.entry.Value = s
			names[s] = fmt.Sprintf("%s%d %s", g.name, i, []string{"normal", "holding", "wanted"}[level])
			q.push(s)
		}
	}
	a, b, c := &Group{name: "a"}, &Group{name: "b"}, &Group{name: "c"}
	add(a, 20, Normal)
	add(b, 2, Normal)
	add(c, 8, Holding)
	add(b, 5, Wanted)
	var got []string
	for s := q.pop(); s != nil; s = q.pop() {
		got = append(got, names[s])
	}
	want := []string{"b0 wanted", "b1 wanted", "b2 wanted", "c0 holding", "b3 wanted", "b4 wanted", "c1 holding", "a0 normal", "c2 holding",
		"c3 holding", "c4 holding", "c5 holding", "c6 holding", "c7 holding", "b0 normal", "a1 normal", "b1 normal", "a2 normal", "a3 normal"}
	if !slices.Equal(got[:len(want)], want) || len(got) != 35 {
		t.Errorf("%d %v", len(got), got)
	}
}
