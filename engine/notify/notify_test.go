package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// fakeLog is a log whose commits are numbers.
type fakeLog struct {
	mu      sync.Mutex
	at      base.LSN
	flushed base.LSN
	waiting map[chan<- struct{}]base.LSN
}

func (l *fakeLog) FlushedLSN() base.LSN {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushed
}

func (l *fakeLog) Notify(lsn base.LSN, ch chan<- struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lsn <= l.flushed {
		return false
	}
	l.waiting[ch] = lsn
	return true
}

func (l *fakeLog) Err() error { return nil }

func (l *fakeLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushed = l.at
	for ch := range l.waiting {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	clear(l.waiting)
}

// end is a transaction of l's session.
func (l *fakeLog) end(p *Pending, to *Listener, commit bool) error {
	l.mu.Lock()
	m, err := p.Prepare(to, l.at)
	if m != nil && commit && err == nil {
		l.at++
		m.Committed(l.at)
	}
	l.mu.Unlock()
	p.End(to, commit && err == nil)
	return err
}

func newQueue(limit int64) (*fakeLog, *Queue) {
	l := &fakeLog{waiting: map[chan<- struct{}]base.LSN{}}
	return l, New(l, limit)
}

func take(l *Listener) string {
	var out []string
	l.Take(1000, func(sender uint32, n *Note) { out = append(out, fmt.Sprintf("%d:%s:%s", sender, n.Channel, n.Payload)) })
	return strings.Join(out, " ")
}

func say(t *testing.T, l *fakeLog, from *Listener, notes ...string) {
	t.Helper()
	var p Pending
	for _, n := range notes {
		channel, payload, _ := strings.Cut(n, ":")
		if err := p.Notify(channel, payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.end(&p, from, true); err != nil {
		t.Fatal(err)
	}
}

func hear(l *fakeLog, to *Listener, channels ...string) {
	var p Pending
	for _, c := range channels {
		p.Listen(c)
	}
	_ = l.end(&p, to, true)
}

// TestOnlyDurable: what is not durable reaches nobody, and what comes first in the log comes first.
func TestOnlyDurable(t *testing.T) {
	log, q := newQueue(0)
	woken := 0
	a, b := q.NewListener(1, 7, func() { woken++ }), q.NewListener(1, 8, nil)
	other := q.NewListener(2, 9, nil)
	say(t, log, b, "x:early")
	hear(log, a, "x", "y")
	hear(log, other, "x")
	say(t, log, b, "x:1", "z:unheard", "y:2")
	say(t, log, a, "x:3")
	if next := q.Deliver(); next != 1 || a.Waiting() {
		t.Errorf("delivered before the flush: next %d", next)
	}
	log.flush()
	q.Deliver()
	if got := take(a); got != "8:x:1 8:y:2 7:x:3" {
		t.Errorf("got %s", got)
	}
	if woken != 1 || other.Waiting() {
		t.Errorf("woken %d times; other database %v", woken, other.Waiting())
	}
	a.Close()
	other.Close()
	if len(q.channels) != 0 || q.held.Load() != 0 {
		t.Errorf("%d channels and %d bytes left", len(q.channels), q.held.Load())
	}
}

// TestFull: a listener that takes nothing makes senders fail, and unlistening makes room.
func TestFull(t *testing.T) {
	log, q := newQueue(2000)
	slow, from := q.NewListener(1, 1, nil), q.NewListener(1, 2, nil)
	hear(log, slow, "x")
	sent := 0
	for ; ; sent++ {
		var p Pending
		_ = p.Notify("x", fmt.Sprint(sent))
		err := log.end(&p, from, true)
		if pgerror.Code(err) == pgerror.ProgramLimitExceeded {
			break
		}
		if err != nil || sent > 100 {
			t.Fatal(sent, err)
		}
		log.flush()
		q.Deliver()
	}
	if u := q.Usage(); sent < 5 || u < 0.8 || u > 1 {
		t.Errorf("%d sent, usage %v", sent, u)
	}
	slow.Close()
	if q.Usage() != 0 {
		t.Errorf("usage %v after the listener left", q.Usage())
	}
	say(t, log, from, "x:again")
}

// TestTransaction: savepoints, duplicates, aborts, and the order of LISTEN and UNLISTEN.
func TestTransaction(t *testing.T) {
	log, q := newQueue(0)
	l := q.NewListener(1, 1, nil)
	var p Pending
	p.Listen("a")
	p.Begin()
	p.UnlistenAll()
	p.Listen("gone")
	p.Rollback()
	for i := range 3 * few {
		_ = p.Notify("a", fmt.Sprint(i%(2*few)))
	}
	p.Begin()
	_ = p.Notify("a", "rolled back")
	p.Rollback()
	_ = p.Notify("a", "rolled back")
	if err := log.end(&p, l, true); err != nil {
		t.Fatal(err)
	}
	log.flush()
	q.Deliver()
	if n := l.waiting.Load(); n != 2*few+1 {
		t.Errorf("%d notifications", n)
	}
	p.Listen("b")
	_ = p.Notify("a", "never")
	if err := log.end(&p, l, false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.Channels(), " "); got != "a" {
		t.Errorf("listens to %s", got)
	}
	p.Unlisten("a")
	_ = log.end(&p, l, true)
	if l.Waiting() || q.held.Load() != 0 {
		t.Errorf("%d bytes left", q.held.Load())
	}
}

// TestRun: many sessions send while many listen: each hears all, in the order of the log.
func TestRun(t *testing.T) {
	const senders, listeners, each = 4, 20, 50
	log, q := newQueue(0)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		q.Run(ctx)
	}()
	var heard [listeners][]string
	var wg sync.WaitGroup
	for i := range listeners {
		woken := make(chan struct{}, 1)
		l := q.NewListener(1, uint32(100+i), func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
		hear(log, l, "x")
		wg.Add(1)
		go func() {
			defer wg.Done()
			for len(heard[i]) < senders*each {
				<-woken
				l.Take(1000, func(_ uint32, n *Note) { heard[i] = append(heard[i], n.Payload) })
			}
		}()
	}
	for s := range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			from := q.NewListener(1, uint32(s), nil)
			for i := range each {
				say(t, log, from, fmt.Sprintf("x:%d/%d", s, i))
				log.flush()
			}
		}()
	}
	wg.Wait()
	cancel()
	<-stopped
	for i := range heard {
		if strings.Join(heard[i], " ") != strings.Join(heard[0], " ") {
			t.Errorf("listener %d heard another order", i)
		}
	}
}
