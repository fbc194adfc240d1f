package pool

import (
	"testing"

	"manifold/engine/activity"
)

// begin has a session begin a transaction block that does nothing yet, and gives what it must wait for.
func begin(t *testing.T, l *Lease) <-chan struct{} {
	t.Helper()
	if _, err := l.Acquire(Normal); err != nil {
		t.Fatal(err)
	}
	l.Rest(true)
	l.Release()
	return l.Enter(true)
}

func goOn(t *testing.T, l *Lease) {
	t.Helper()
	if _, err := l.Acquire(Holder); err != nil {
		t.Fatal(err)
	}
}

func ready(c <-chan struct{}) bool {
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
	l[2].Entered()
	goOn(t, l[2])
	l[1].Release() // its client thinks
	<-fourth
	l[3].Entered()
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
	turn := begin(t, l[1])
	if turn == nil {
		t.Fatal("there was no room")
	}
	goOn(t, l[2])
	l[2].Rest(true)
	l[2].Release()
	if l[2].Enter(false) != nil {
		t.Error("one that has done something had to wait")
	}
	<-turn
	l[1].Entered()
	stuck := begin(t, p.NewLease(activity.NewTask(9, nil), "u", false))
	if stuck == nil {
		t.Error("there was no room")
	}
}
