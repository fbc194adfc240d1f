package pool

import (
	"strings"
	"testing"
	"time"

	"manifold/engine/activity"
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
