package pool

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manifold/engine/activity"
	"manifold/engine/invariant"
	"manifold/engine/pgerror"
)

// nullBackend checks that it is lent to one lease at a time.
type nullBackend struct {
	Backend
	used   atomic.Bool
	closed *atomic.Int32
}

func (b *nullBackend) Close() { b.closed.Add(1) }

func newPool(t testing.TB, l Limits) *Pool {
	t.Helper()
	var closed atomic.Int32
	p, err := New("test", l, func() (Backend, error) { return &nullBackend{closed: &closed}, nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUncontendedAllocatesNothing(t *testing.T) {
	if invariant.Race {
		t.Skip("the race detector allocates")
	}
	l := newPool(t, Limits{Slots: 2}).NewLease(activity.NewTask(1, nil), "user")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := l.Acquire(Normal); err != nil {
			t.Fatal(err)
		}
		l.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	l := newPool(b, Limits{Slots: 2}).NewLease(activity.NewTask(1, nil), "user")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Acquire(Normal); err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
}

// TestManySessions lets many sessions of all kinds share few slots: no slot is lost, none is used twice, all finish.
func TestManySessions(t *testing.T) {
	const slots, sessions, rounds = 2, 24, 150
	p := newPool(t, Limits{Slots: slots, Parked: 6})
	var running, most atomic.Int32
	enter := func() {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n > slots {
			t.Errorf("%d run with %d slots", n, slots)
		}
	}
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			task := activity.NewTask(uint32(i), nil)
			l := p.NewLease(task, "user")
			closed := make(chan struct{})
			close(closed)
			for r := range rounds {
				b, err := l.Acquire(Class(1 + (i+r)%3))
				if err != nil {
					t.Error(err)
					return
				}
				if !b.(*nullBackend).used.CompareAndSwap(false, true) {
					t.Error("a backend is lent twice")
				}
				enter()
				if r%3 == 0 {
					running.Add(-1)
					task.BeginWait([]activity.Event{activity.EventLockTuple, activity.EventClientWrite}[r%2])
					task.EndWait()
					enter()
				}
				running.Add(-1)
				b.(*nullBackend).used.Store(false)
				if r%50 == 49 {
					l.Destroy()
				} else {
					l.Release()
				}
			}
			l.End()
		}()
	}
	wg.Wait()
	if st := p.Stat(); st.Running != 0 || st.Parked != 0 || st.Waiting != 0 || st.Leases != 0 {
		t.Errorf("%+v", st)
	}
	p.Close()
}

func TestQueueLimit(t *testing.T) {
	p := newPool(t, Limits{Slots: 1, Queue: 1})
	a, b, c := p.NewLease(activity.NewTask(1, nil), "user"), p.NewLease(activity.NewTask(2, nil), "user"), p.NewLease(activity.NewTask(3, nil), "user")
	if _, err := a.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, err := b.Acquire(Normal)
		got <- err
	}()
	for p.Stat().Waiting == 0 {
		runtime.Gosched()
	}
	if _, err := c.Acquire(Long); pgerror.Code(err) != pgerror.TooManyConnections {
		t.Errorf("got %v", err)
	}
	a.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
	b.Release()
}

// TestParkedLimit: at the limit a Normal waits no longer than it may, a Holder is let in.
func TestParkedLimit(t *testing.T) {
	p := newPool(t, Limits{Slots: 2, Parked: 1, QueueTimeout: 5 * time.Millisecond})
	a, b, c := p.NewLease(activity.NewTask(1, nil), "user"), p.NewLease(activity.NewTask(2, nil), "user"), p.NewLease(activity.NewTask(3, nil), "user")
	if _, err := a.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	a.Yield()
	if _, err := b.Acquire(Normal); pgerror.Code(err) != pgerror.TooManyConnections {
		t.Errorf("got %v", err)
	}
	if _, err := c.Acquire(Holder); err != nil {
		t.Error(err)
	}
	a.Resume()
	if now, err := p.enter(b, Holder); now || err != nil {
		t.Error("three of two slots", err)
	}
}

func TestCancelInQueue(t *testing.T) {
	p := newPool(t, Limits{Slots: 1})
	a := p.NewLease(activity.NewTask(1, nil), "user")
	task := activity.NewTask(2, nil)
	b := p.NewLease(task, "user")
	if _, err := a.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	reason := pgerror.New(pgerror.QueryCanceled, "enough")
	task.Cancel(reason)
	if _, err := b.Acquire(Normal); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	a.Release()
	if st := p.Stat(); st.Running != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// TestModel plays grants against a model in one goroutine: the queues are driven through their internals.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Slots: rapid.IntRange(1, 3).Draw(t, "slots"), Parked: rapid.IntRange(1, 3).Draw(t, "parked")}
		p, err := New("model", limits, func() (Backend, error) { return nil, errors.New("never asked") })
		if err != nil {
			t.Fatal(err)
		}
		type state struct {
			l       *Lease
			holds   bool
			waiting bool
			parked  bool
		}
		all := make([]*state, 8)
		for i := range all {
			all[i] = &state{l: p.NewLease(activity.NewTask(uint32(i), nil), "user")}
		}
		settle := func() {
			for _, s := range all {
				select {
				case <-s.l.ready:
					s.waiting, s.holds, s.parked = false, true, false
				default:
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := all[rapid.IntRange(0, len(all)-1).Draw(t, "who")]
			switch {
			case s.waiting:
				continue
			case s.parked, !s.holds:
				c := Resumed
				if !s.parked {
					c = Class(rapid.IntRange(1, 3).Draw(t, "class"))
				}
				now, err := p.enter(s.l, c)
				if err != nil {
					t.Fatal(err)
				}
				s.holds, s.waiting = now, !now
				s.parked = s.parked && !now
			case rapid.Bool().Draw(t, "park"):
				s.holds, s.parked = false, true
				p.leave(s.l, true, true)
			default:
				s.holds = false
				p.leave(s.l, false, false)
			}
			settle()
			var holds, parked, urgent, fresh int
			for _, s := range all {
				switch {
				case s.holds:
					holds++
				case s.parked:
					parked++
				}
				if s.waiting && (s.parked || s.l.class == Holder) {
					urgent++
				} else if s.waiting {
					fresh++
				}
			}
			if holds > limits.Slots {
				t.Fatalf("%d of %d slots held", holds, limits.Slots)
			}
			if p.free != limits.Slots-holds || p.inside != parked {
				t.Fatalf("free %d of %d with %d held; inside %d, parked %d", p.free, limits.Slots, holds, p.inside, parked)
			}
			if p.free > 0 && (urgent > 0 || fresh > 0 && parked < limits.Parked) {
				t.Fatalf("%d slots free while %d urgent and %d fresh wait", p.free, urgent, fresh)
			}
		}
	})
}

// TestNoStarvation: with holders always waiting, every eighth grant goes to one that is fresh.
func TestNoStarvation(t *testing.T) {
	p := newPool(t, Limits{Slots: 1})
	running := p.NewLease(activity.NewTask(0, nil), "user")
	if now, err := p.enter(running, Holder); !now || err != nil {
		t.Fatal(now, err)
	}
	fresh := p.NewLease(activity.NewTask(1, nil), "user")
	if now, _ := p.enter(fresh, Long); now {
		t.Fatal("two in one slot")
	}
	for i := range 2 * starveEvery {
		next := p.NewLease(activity.NewTask(uint32(i+2), nil), "user")
		if now, _ := p.enter(next, Holder); now {
			t.Fatal("two in one slot")
		}
		p.leave(running, false, false)
		select {
		case <-fresh.ready:
			return
		case <-next.ready:
			running = next
		}
	}
	t.Error("starved")
}

// TestUsersTakeTurns: a user with many waiting statements does not starve one with few.
func TestUsersTakeTurns(t *testing.T) {
	p := newPool(t, Limits{Slots: 1})
	holder := p.NewLease(activity.NewTask(1, nil), "many")
	if _, err := holder.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	var all []*Lease
	for i := range 12 {
		name := "many"
		if i >= 10 {
			name = "few"
		}
		l := p.NewLease(activity.NewTask(uint32(i), nil), name)
		if now, err := p.enter(l, Normal); now || err != nil {
			t.Fatal(now, err)
		}
		all = append(all, l)
	}
	order := ""
	holder.Release()
	for range all {
		for i, l := range all {
			select {
			case <-l.ready:
				order += string(rune('a' + i))
				p.leave(l, false, false)
			default:
				continue
			}
			break
		}
	}
	if order != "akblcdefghij" {
		t.Errorf("order %s", order)
	}
	for _, l := range append(all, holder) {
		l.End()
	}
	if len(p.users) != 0 {
		t.Errorf("%d users left", len(p.users))
	}
}
