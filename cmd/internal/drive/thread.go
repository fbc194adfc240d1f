package drive

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch    = 256     // events taken at a time
	readSize = 1 << 18 // bytes read at a time
	lookLate = time.Second
	lowest   = 19 // niceness
)

// thread is some clients of a fleet in a set of their own.
type thread struct {
	opt     *Options
	epfd    int
	clients []*Client
	byFD    map[int32]*Client
	rng     *rand.Rand
	buf     []byte // for reading
	out     []byte // for the next request
	events  [batch]unix.EpollEvent

	script  Script
	until   time.Time // zero: until all are done
	pending int       // clients that are not done
	think   thinkers
	result  Result
}

func newThread(o *Options, number int) (*thread, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	t := &thread{opt: o, epfd: fd, byFD: map[int32]*Client{}, rng: rand.New(rand.NewPCG(uint64(number), 1)), buf: make([]byte, readSize)}
	for i := number; i < o.Clients; i += o.Threads {
		t.clients = append(t.clients, &Client{Number: i, fd: -1})
	}
	return t, nil
}

// settle keeps the goroutine on a thread of its own, which ends with it.
func (t *thread) settle() error {
	runtime.LockOSThread()
	if !t.opt.Modest {
		return nil
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), lowest); err != nil {
		return fmt.Errorf("setpriority: %w", err)
	}
	return nil
}

// dial connects the clients and waits until each is ready for its first query. Each says who it is as soon as it is connected.
func (t *thread) dial() error {
	t.reset(time.Time{}, func(*Client, *rand.Rand, []byte) ([]byte, time.Duration) { return nil, 0 })
	for _, c := range t.clients {
		var err error
		if c.fd, err = connect(t.opt.Addr); err != nil {
			return err
		}
		c.busy, c.sent = true, time.Now()
		t.byFD[int32(c.fd)] = c
		if err := t.watch(unix.EPOLL_CTL_ADD, c, unix.EPOLLOUT); err != nil {
			return err
		}
		if err := t.turn(0); err != nil {
			return err
		}
	}
	if err := t.loop(); err != nil {
		return err
	}
	if t.result.First != "" {
		return errors.New(t.result.First)
	}
	return nil
}

func (t *thread) watch(op int, c *Client, events uint32) error {
	return unix.EpollCtl(t.epfd, op, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.fd)})
}

func (t *thread) reset(until time.Time, script Script) {
	t.until, t.script, t.pending = until, script, len(t.clients)
	t.result = Result{Errors: map[string]int64{}}
	t.think = t.think[:0]
	for _, c := range t.clients {
		c.done = false
	}
}

// run is Fleet.Run for the clients of the thread.
func (t *thread) run(until time.Time, script Script) error {
	t.reset(until, script)
	now := time.Now()
	for _, c := range t.clients {
		if err := t.next(c, now); err != nil {
			return err
		}
	}
	return t.loop()
}

// next asks the script what the client does, and does it or lets the client think first.
func (t *thread) next(c *Client, now time.Time) error {
	over := !t.until.IsZero() && !now.Before(t.until) && c.Status == 'I'
	var pause time.Duration
	t.out = t.out[:0]
	if !over {
		t.out, pause = t.script(c, t.rng, t.out)
	}
	if len(t.out) == 0 {
		c.done = true
		t.pending--
		return nil
	}
	if pause > 0 {
		heap.Push(&t.think, thinker{at: now.Add(pause), c: c, request: append([]byte(nil), t.out...)})
		return nil
	}
	return t.send(c, t.out, now)
}

func (t *thread) send(c *Client, request []byte, now time.Time) error {
	c.busy, c.sent, c.Code, c.Rows = true, now, "", 0
	n, err := unix.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("client %d: write: %w", c.Number, err)
	}
	return nil
}

// loop serves events until every client is done.
func (t *thread) loop() error {
	for looked := time.Now(); t.pending > 0; {
		if err := t.turn(lookLate); err != nil {
			return err
		}
		now := time.Now()
		if err := t.wakeThinkers(now); err != nil {
			return err
		}
		if now.Sub(looked) > lookLate {
			looked = now
			if err := t.findLate(now); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn serves the events that there are, for the first of which it waits no longer than d and no longer than the first pause.
func (t *thread) turn(d time.Duration) error {
	if len(t.think) > 0 {
		d = min(max(time.Until(t.think[0].at), 0), d)
	}
	n, err := t.wait(d)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	for i := range max(n, 0) {
		if err := t.serve(t.byFD[t.events[i].Fd], t.events[i].Events); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for events. Whole milliseconds, as epoll_wait has them, would send the requests of many clients in bursts.
func (t *thread) wait(d time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(d))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(t.epfd), uintptr(unsafe.Pointer(&t.events[0])), batch, uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// wakeThinkers sends the requests whose time has come. At the end of the run those that think outside of a transaction stop.
func (t *thread) wakeThinkers(now time.Time) error {
	over := !t.until.IsZero() && !now.Before(t.until)
	for len(t.think) > 0 && (!t.think[0].at.After(now) || over) {
		w := heap.Pop(&t.think).(thinker)
		if over && w.c.Status == 'I' {
			w.c.done = true
			t.pending--
			continue
		}
		if err := t.send(w.c, w.request, now); err != nil {
			return err
		}
	}
	return nil
}

func (t *thread) findLate(now time.Time) error {
	for _, c := range t.clients {
		if c.busy && now.Sub(c.sent) > t.opt.Patience {
			return fmt.Errorf("client %d has had no answer for %s", c.Number, t.opt.Patience)
		}
	}
	return nil
}

// serve handles what the set tells of a client.
func (t *thread) serve(c *Client, events uint32) error {
	if events&unix.EPOLLOUT != 0 { // connected
		if err := t.watch(unix.EPOLL_CTL_MOD, c, unix.EPOLLIN); err != nil {
			return err
		}
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			return fmt.Errorf("client %d: connect: %w", c.Number, errors.Join(err, unix.Errno(code)))
		}
		t.out = startup(t.out[:0], t.opt.User, t.opt.Database)
		return t.send(c, t.out, c.sent)
	}
	have := copy(t.buf, c.in)
	n, err := unix.Read(c.fd, t.buf[have:])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("client %d: read: %w", c.Number, err)
	case n == 0 && t.result.First != "":
		return fmt.Errorf("client %d: the server closed the connection: %s", c.Number, t.result.First)
	case n == 0:
		return fmt.Errorf("client %d: the server closed the connection", c.Number)
	}
	rest, ready, err := t.parse(c, t.buf[:have+n])
	if err != nil {
		return err
	}
	c.in = append(c.in[:0], rest...)
	if !ready {
		return nil
	}
	now := time.Now()
	t.result.Answers++
	t.result.Rows += int64(c.Rows)
	t.result.Latency.Add(now.Sub(c.sent))
	return t.next(c, now)
}

// parse reads messages, gives what is not whole yet, and tells whether the answer has ended.
func (t *thread) parse(c *Client, p []byte) (rest []byte, ready bool, err error) {
	for len(p) >= 5 {
		n := int(binary.BigEndian.Uint32(p[1:]))
		if n < 4 {
			return nil, false, fmt.Errorf("client %d: a message of length %d", c.Number, n)
		}
		if len(p) < 1+n {
			break
		}
		body := p[5 : 1+n]
		switch p[0] {
		case 'D', 'd':
			c.Rows++
		case 'K':
			c.PID, c.Secret = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
		case 'E':
			c.Code = field(body, 'C')
			t.result.Errors[c.Code]++
			if t.result.First == "" {
				t.result.First = c.Code + ": " + field(body, 'M')
			}
		case 'Z':
			if !c.busy {
				return nil, false, fmt.Errorf("client %d: an answer without a request", c.Number)
			}
			c.busy, c.Status, ready = false, body[0], true
		}
		p = p[1+n:]
	}
	return p, ready, nil
}

func (t *thread) close() error {
	var errs []error
	for _, c := range t.clients {
		if c.fd >= 0 {
			errs = append(errs, unix.Close(c.fd))
			c.fd = -1
		}
	}
	return errors.Join(append(errs, unix.Close(t.epfd))...)
}

// thinker is a client that thinks before a request.
type thinker struct {
	at      time.Time
	c       *Client
	request []byte
}

// thinkers is a heap by time.
type thinkers []thinker

func (h thinkers) Len() int           { return len(h) }
func (h thinkers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h thinkers) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *thinkers) Push(x any)        { *h = append(*h, x.(thinker)) }
func (h *thinkers) Pop() any {
	old := *h
	n := len(old) - 1
	w := old[n]
	old[n] = thinker{}
	*h = old[:n]
	return w
}
