package pool

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	l := newPool(t, Limits{Slots: 2}).NewLease(activity.NewTask(1, nil), "user", false)
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
	l := newPool(b, Limits{Slots: 2}).NewLease(activity.NewTask(1, nil), "user", false)
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
			l := p.NewLease(task, "user", false)
			closed := make(chan struct{})
			close(closed)
			for r := range rounds {
				b, err := l.Acquire(Class(2 + (i+r)%3))
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
	a, b, c := p.NewLease(activity.NewTask(1, nil), "user", false), p.NewLease(activity.NewTask(2, nil), "user", false), p.NewLease(activity.NewTask(3, nil), "user", false)
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
	a, b, c := p.NewLease(activity.NewTask(1, nil), "user", false), p.NewLease(activity.NewTask(2, nil), "user", false), p.NewLease(activity.NewTask(3, nil), "user", false)
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
	a := p.NewLease(activity.NewTask(1, nil), "user", false)
	task := activity.NewTask(2, nil)
	b := p.NewLease(task, "user", false)
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

// TestNoStarvation: with holders always waiting, every eighth grant goes to one that is fresh.
func TestNoStarvation(t *testing.T) {
	p := newPool(t, Limits{Slots: 1})
	running := p.NewLease(activity.NewTask(0, nil), "user", false)
	if now, err := p.enter(running, Holder); !now || err != nil {
		t.Fatal(now, err)
	}
	fresh := p.NewLease(activity.NewTask(1, nil), "user", false)
	if now, _ := p.enter(fresh, Long); now {
		t.Fatal("two in one slot")
	}
	for i := range 2 * starveEvery {
		next := p.NewLease(activity.NewTask(uint32(i+2), nil), "user", false)
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
	holder := p.NewLease(activity.NewTask(1, nil), "many", false)
	if _, err := holder.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	var all []*Lease
	for i := range 12 {
		name := "many"
		if i >= 10 {
			name = "few"
		}
		l := p.NewLease(activity.NewTask(uint32(i), nil), name, false)
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
	for _, u := range p.Stat().Users {
		if u.Leases != 0 || u.Waiting != 0 || u.Running != 0 {
			t.Errorf("%+v", u)
		}
	}
}
