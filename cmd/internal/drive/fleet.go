package drive

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options say whom a fleet consists of.
type Options struct {
	Addr     string // IP:PORT
	User     string // postgres when empty
	Database string // postgres when empty
	Clients  int
	Threads  int           // one when zero
	Patience time.Duration // how long a login or an answer may take; a minute when zero
	Modest   bool          // leave the processors to others, as clients on other machines do
}

// Client is one connection, as scripts see it.
type Client struct {
	Number int
	Step   int    // the script's own
	Memo   uint64 // the script's own
	Status byte   // of the transaction: I, T or E
	Code   string // SQLSTATE of the error in the last answer, or empty
	Rows   int    // in the last answer
	PID    uint32
	Secret uint32

	fd   int
	busy bool // an answer is awaited
	done bool
	in   []byte // of a message that has not come as a whole
	sent time.Time
}

// Script appends a client's next request, which ends with one ReadyForQuery, and says how long the client thinks before it is
// sent. The client is done when nothing is appended. It is called by all threads of a fleet.
type Script func(c *Client, r *rand.Rand, buf []byte) ([]byte, time.Duration)

// Result is what a run gave.
type Result struct {
	Answers int64
	Rows    int64
	Errors  map[string]int64 // by SQLSTATE
	First   string           // the first error's message
	Took    time.Duration
	Latency Histogram // from the request to the end of the answer
}

// Failed gives the number of errors.
func (r *Result) Failed() int64 {
	var n int64
	for _, k := range r.Errors {
		n += k
	}
	return n
}

// Merge adds what another fleet did at the same time.
func (r *Result) Merge(o *Result) {
	r.Answers += o.Answers
	r.Rows += o.Rows
	r.Latency.Merge(&o.Latency)
	for code, n := range o.Errors {
		r.Errors[code] += n
	}
	if r.First == "" {
		r.First = o.First
	}
	r.Took = max(r.Took, o.Took)
}

// Rate gives answers a second.
func (r *Result) Rate() float64 { return float64(r.Answers) / r.Took.Seconds() }

// Fleet is clients that are logged in.
type Fleet struct {
	opt     Options
	threads []*thread
}

// Dial logs all clients in, as fast as the server lets them; the error is the first of any.
func Dial(o Options) (*Fleet, error) {
	o.Threads, o.Patience = max(o.Threads, 1), max(o.Patience, 0)
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	if o.User == "" {
		o.User = "postgres"
	}
	if o.Database == "" {
		o.Database = "postgres"
	}
	f := &Fleet{opt: o}
	for i := range o.Threads {
		t, err := newThread(&f.opt, i)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.threads = append(f.threads, t)
	}
	err := f.all(func(t *thread) error { return t.dial() })
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// all has every thread do something at the same time.
func (f *Fleet) all(do func(*thread) error) error {
	errs := make([]error, len(f.threads))
	var wg sync.WaitGroup
	for i, t := range f.threads {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if errs[i] = t.settle(); errs[i] == nil {
				errs[i] = do(t)
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Run lets every client follow the script until d has passed, or until it is done when d is zero. A client stops outside of a
// transaction only. An error is a connection that was lost or an answer that did not come.
func (f *Fleet) Run(d time.Duration, script Script) (*Result, error) {
	began := time.Now()
	var until time.Time
	if d > 0 {
		until = began.Add(d)
	}
	err := f.all(func(t *thread) error { return t.run(until, script) })
	total := &Result{Took: time.Since(began), Errors: map[string]int64{}}
	for _, t := range f.threads {
		total.Merge(&t.result)
	}
	return total, err
}

// Clients gives the clients, for use between runs.
func (f *Fleet) Clients() []*Client {
	var out []*Client
	for _, t := range f.threads {
		out = append(out, t.clients...)
	}
	return out
}

// Close closes all connections without a word.
func (f *Fleet) Close() error {
	return f.all(func(t *thread) error { return t.close() })
}

// connect begins a connection.
func connect(addr string) (int, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return -1, err
	}
	if !a.Addr().Is4() {
		return -1, &net.AddrError{Err: "not an IPv4 address", Addr: addr}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()})
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, errors.Join(fmt.Errorf("connect: %w", err), unix.Close(fd))
	}
	return fd, nil
}
