package pool

import (
	"strings"
	"testing"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func lease(p *Pool, user string, super bool) *Lease {
	return p.NewLease(activity.NewTask(1, nil), user, super)
}

func take(t *testing.T, l *Lease, c Class) {
	t.Helper()
	if now, err := l.pool.enter(l, c); err != nil || !now {
		t.Fatalf("class %d: %v %v", c, now, err)
	}
	l.holds = true
}

// TestUserLimit: a user has no more slots than it may, though some are free; what holds something is let in; queue_timeout
// bounds the wait and says whose limit it was.
func TestUserLimit(t *testing.T) {
	p := newPool(t, Limits{Slots: 4, Users: map[string]UserLimits{"u": {Slots: 1, QueueTimeout: 5 * time.Millisecond, Queue: 1}}})
	a, b, c := lease(p, "u", false), lease(p, "u", false), lease(p, "u", false)
	take(t, a, Normal)
	_, err := b.Acquire(Normal)
	if e := pgerror.From(err); e.Code != pgerror.TooManyConnections || e.Message != "statement waited longer than queue_timeout (5ms) for a backend" ||
		e.Detail != `Role "u" may run 1 statements at a time.` {
		t.Errorf("%+v", err)
	}
	take(t, b, Holder)
	if now, err := p.enter(c, Normal); now || err != nil {
		t.Fatal(now, err)
	}
	if _, err := p.enter(lease(p, "u", false), Long); err == nil || !strings.Contains(err.Error(), `too many statements of role "u" are waiting`) {
		t.Error(err)
	}
	take(t, lease(p, "other", false), Normal)
	a.Release()
	b.Release()
	<-c.ready
}

// TestQueueTimeout: whoever begins waits no longer than queue_timeout for a busy slot, of its user if that has its own; what holds
// something, what resumes, and what waits for a paused pool waits on.
func TestQueueTimeout(t *testing.T) {
	p := newPool(t, Limits{Slots: 1, QueueTimeout: 5 * time.Millisecond, Users: map[string]UserLimits{"patient": {QueueTimeout: 0}}})
	a := lease(p, "u", false)
	take(t, a, Normal)
	for _, c := range []Class{Normal, Long} {
		_, err := lease(p, "u", false).Acquire(c)
		if e := pgerror.From(err); e.Code != pgerror.TooManyConnections ||
			e.Message != "statement waited longer than queue_timeout (5ms) for a backend" || e.Detail != "1 statements may run at a time." {
			t.Errorf("class %d: %+v", c, err)
		}
	}
	served := make(chan error)
	wait := func(user string, c Class) *Lease {
		l := lease(p, user, false)
		go func() {
			_, err := l.Acquire(c)
			l.Release()
			served <- err
		}()
		return l
	}
	wait("u", Holder)
	wait("patient", Normal)
	for p.Stat().Waiting != 2 {
	}
	if _, err := lease(p, "u", false).Acquire(Normal); err == nil { // about as long as the others have waited
		t.Error("not refused")
	}
	if st := p.Stat(); st.Waiting != 2 {
		t.Errorf("%d wait", st.Waiting)
	}
	a.Release()
	for range 2 {
		if err := <-served; err != nil {
			t.Error(err)
		}
	}

	<-p.Pause()
	l := wait("u", Normal)
	begun := func() (since time.Time) {
		for since.IsZero() {
			_, since = l.task.Waiting()
		}
		return since
	}
	for first := begun(); begun().Equal(first); { // until it has waited for longer than it may, and waits on
	}
	p.Resume()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestRenamed: a database that has another name has the limits and the gate of that name; one that is dropped is forgotten.
func TestRenamed(t *testing.T) {
	ps := NewPools(func(name string) Limits { return Limits{Slots: len(name)} }, func(base.OID) (Backend, error) { return nil, nil })
	p, err := ps.Get(1, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ps.Pause("bb"); err != nil {
		t.Fatal(err)
	}
	if q, err := ps.Get(1, "bb"); err != nil || q != p || p.Stat().Slots != 2 || p.Gate() == Open {
		t.Errorf("%v %+v", err, p.Stat())
	}
	if _, err := ps.Get(1, "ccc"); err != nil || p.Gate() != Open {
		t.Error(err, p.Gate())
	}
	ps.Drop(1)
	if n := len(ps.Stats()); n != 0 {
		t.Errorf("%d pools", n)
	}
}

// TestReserve: superusers have slots beyond the others, and only those.
func TestReserve(t *testing.T) {
	p := newPool(t, Limits{Slots: 1, Reserve: 1})
	a, b, c := lease(p, "a", false), lease(p, "root", true), lease(p, "root", true)
	take(t, a, Normal)
	if now, _ := p.enter(lease(p, "b", false), Normal); now {
		t.Error("an ordinary user got a slot of the reserve")
	}
	take(t, b, Normal)
	if now, _ := p.enter(c, Normal); now {
		t.Error("three statements in two slots")
	}
	if st := p.Stat(); st.Running != 2 || st.Waiting != 2 {
		t.Errorf("%+v", st)
	}
	b.Release()
	take(t, b, Normal) // the reserve is free again, though others wait for the slot
}

// TestLongStatements: statements that run long leave a slot to others.
func TestLongStatements(t *testing.T) {
	p := newPool(t, Limits{Slots: 4})
	for range 3 {
		take(t, lease(p, "u", false), Long)
	}
	if now, _ := p.enter(lease(p, "u", false), Long); now {
		t.Error("long statements have every slot")
	}
	take(t, lease(p, "u", false), Normal)
}

// TestLongLetsOthersGo: a statement that runs for long lets one that has not begun go first, and goes on after it.
func TestLongLetsOthersGo(t *testing.T) {
	p := newPool(t, Limits{Slots: 1})
	task := activity.NewTask(1, nil)
	long, short := p.NewLease(task, "u", false), lease(p, "u", false)
	if _, err := long.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := short.Acquire(Normal)
		if err == nil {
			short.Release()
		}
		got <- err
	}()
	for begin := time.Now(); ; {
		if err := task.Breathe(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-got:
			if st := p.Stat(); err != nil || st.Running != 1 || st.Parked != 0 {
				t.Errorf("%v %+v", err, st)
			}
			long.Release()
			return
		default:
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("nobody was let in")
		}
	}
}
