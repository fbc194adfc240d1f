package pool

import (
	"testing"
	"time"

	"manifold/engine/activity"
)

// turn is a Waker.
type turn chan struct{}

func (c turn) Wake() { close(c) }

// begin has a session begin a transaction block that does nothing yet, and gives what it must wait for, if it must.
func begin(t *testing.T, l *Lease) turn {
	t.Helper()
	if _, err := l.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	l.Rest(true)
	l.Release()
	c := make(turn)
	if !l.Enter(true, c) {
		return nil
	}
	if !l.Waits() {
		t.Fatal("whoever is to wait does not wait")
	}
	return c
}

func goOn(t *testing.T, l *Lease) {
	t.Helper()
	if _, err := l.Acquire(Holder); err != nil {
		t.Fatal(err)
	}
}

func ready(c turn) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestNewTransactionsWaitTheirTurn: while as many transactions are at work as may be, a new one waits, until one of them ends or
// waits itself for too long.
func TestNewTransactionsWaitTheirTurn(t *testing.T) {
	p := newPool(t, Limits{Slots: 4})
	p.admission.limit = 2
	var l [4]*Lease
	for i := range l {
		l[i] = p.NewLease(activity.NewTask(uint32(i), nil), "u", false)
	}
	for _, x := range l[:2] {
		if begin(t, x) != nil {
			t.Fatal("there was room")
		}
		goOn(t, x)
	}
	third, fourth := begin(t, l[2]), begin(t, l[3])
	if third == nil || fourth == nil || ready(third) || ready(fourth) {
		t.Fatal("two transactions were at work")
	}
	l[0].Rest(false) // commits
	l[0].Release()
	if !ready(third) || ready(fourth) {
		t.Fatal("the first of the new ones had its turn")
	}
	if l[2].Waits() {
		t.Fatal("whoever was let in waits")
	}
	goOn(t, l[2])
	l[1].Release() // its client thinks
	<-fourth
	goOn(t, l[1]) // nobody who has begun waits
	if n := p.admission.working; n != 3 {
		t.Errorf("%d transactions count, 3 are at work or were a moment ago", n)
	}
	for _, x := range l[1:] {
		if x.Backend() == nil {
			goOn(t, x)
		}
		x.Rest(false)
		x.Release()
	}
	for _, x := range l {
		x.End()
	}
	if a := &p.admission; a.working != 0 || a.queue.Len() != 0 || a.waits[forClient].Len() != 0 || a.waits[forOthers].Len() != 0 {
		t.Errorf("left behind: %d at work, %d new", a.working, a.queue.Len())
	}
}

// TestNobodyWaitsLong: a new transaction is let in after a while even if the others go on, and at once if it holds something.
func TestNobodyWaitsLong(t *testing.T) {
	p := newPool(t, Limits{Slots: 4})
	p.admission.limit = 1
	var l [3]*Lease
	for i := range l {
		l[i] = p.NewLease(activity.NewTask(uint32(i), nil), "u", false)
	}
	begin(t, l[0])
	goOn(t, l[0])
	first := begin(t, l[1])
	if first == nil {
		t.Fatal("there was no room")
	}
	goOn(t, l[2])
	l[2].Rest(true)
	l[2].Release()
	if l[2].Enter(false, nil) {
		t.Error("one that has done something had to wait")
	}
	<-first
	for i := range 2 {
		l := p.NewLease(activity.NewTask(uint32(9+i), nil), "u", false)
		if begin(t, l) == nil {
			t.Fatal("there was room")
		}
		if i == 0 {
			goOn(t, l) // without waiting for its turn
			l.Rest(false)
			l.Release()
		}
		l.End() // the second while it waits
	}
	if n := p.admission.queue.Len(); n != 0 {
		t.Errorf("%d wait that are gone", n)
	}
}

// TestLateClients: while messages wait for a processor, a client's pause counts as work for longer.
func TestLateClients(t *testing.T) {
	behind := true
	p := newPool(t, Limits{Slots: 4, Behind: func() bool { return behind }})
	a := &p.admission
	l := p.NewLease(activity.NewTask(1, nil), "u", false)
	if begin(t, l) != nil {
		t.Fatal("there was room")
	}
	since := l.member.since
	for _, c := range []struct {
		behind  bool
		after   time.Duration
		working int
	}{{true, lateAfter, 1}, {false, idleAfter, 1}, {false, idleAfter + 1, 0}} {
		behind = c.behind
		a.mu.Lock()
		a.forgetLocked(since.Add(c.after))
		if a.working != c.working {
			t.Errorf("behind %v, after %s: %d at work", c.behind, c.after, a.working)
		}
		a.mu.Unlock()
	}
	goOn(t, l)
	l.Rest(false)
	l.Release()
}
