package lock

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
)

func TestConflictTableIsSymmetric(t *testing.T) {
	for a := AccessShare; a < modeCount; a++ {
		for b := AccessShare; b < modeCount; b++ {
			if a.Conflicts(b) != b.Conflicts(a) {
				t.Errorf("%s and %s", a, b)
			}
		}
	}
	n := 0
	for a := AccessShare; a < modeCount; a++ {
		for b := AccessShare; b < modeCount; b++ {
			if a.Conflicts(b) {
				n++
			}
		}
	}
	if n != 1+2+4+5+5+6+7+8 { // the crosses of the manual's table, by row
		t.Errorf("%d conflicts", n)
	}
}

// client is a session that runs one request at a time on a goroutine of its own.
type client struct {
	o    *Owner
	task *activity.Task
	done chan error
}

func newClient(m *Manager, pid uint32) *client {
	return &client{m.NewOwner(pid), activity.NewTask(pid, nil), make(chan error, 1)}
}

func (c *client) start(m *Manager, r Request) {
	go func() {
		_, err := m.Acquire(c.task, c.o, r)
		c.done <- err
	}()
}

func (c *client) must(t *testing.T, m *Manager, r Request) {
	t.Helper()
	if _, err := m.Acquire(c.task, c.o, r); err != nil {
		t.Fatal(err)
	}
}

// waitQueued returns once a session waits for a lock.
func waitQueued(m *Manager, c *client) {
	for {
		for _, i := range m.Snapshot() {
			if i.PID == c.o.PID() && !i.Granted {
				return
			}
		}
		runtime.Gosched()
	}
}

func TestDeadlock(t *testing.T) {
	m := New(Options{})
	a, b := newClient(m, 11), newClient(m, 12)
	ta, tb := Transaction(100), Transaction(200)
	a.must(t, m, Request{Tag: ta, Mode: Exclusive})
	b.must(t, m, Request{Tag: tb, Mode: Exclusive})
	a.start(m, Request{Tag: tb, Mode: Share, DeadlockTimeout: time.Hour})
	waitQueued(m, a)
	if got := m.BlockedBy(11); len(got) != 1 || got[0] != 12 {
		t.Fatalf("blocked by %v", got)
	}
	_, err := m.Acquire(b.task, b.o, Request{Tag: ta, Mode: Share, DeadlockTimeout: time.Nanosecond})
	e := pgerror.From(err)
	if err == nil || e.Code != pgerror.TRDeadlockDetected || e.Message != "deadlock detected" ||
		e.Detail != "Process 12 waits for ShareLock on transaction 100; blocked by process 11.\n"+
			"Process 11 waits for ShareLock on transaction 200; blocked by process 12." {
		t.Fatalf("%v: %s", err, e.Detail)
	}
	b.o.ReleaseTransaction()
	if err := <-a.done; err != nil {
		t.Fatal(err)
	}
	a.o.ReleaseTransaction()
	if s := m.Snapshot(); len(s) != 0 || m.used.Load() != 0 {
		t.Fatalf("left: %v, used %d", s, m.used.Load())
	}
}

// TestSoftDeadlock: b waits behind c only because of the queue's order, c waits for a, a for b. Letting b overtake c
// ends it.
func TestSoftDeadlock(t *testing.T) {
	m := New(Options{})
	a, b, c := newClient(m, 1), newClient(m, 2), newClient(m, 3)
	x, y := Object(1, 1, 1, 0), Object(1, 1, 2, 0)
	a.must(t, m, Request{Tag: x, Mode: AccessShare})
	b.must(t, m, Request{Tag: y, Mode: Exclusive})
	c.start(m, Request{Tag: x, Mode: AccessExclusive, DeadlockTimeout: time.Hour}) // waits for a
	waitQueued(m, c)
	b.start(m, Request{Tag: x, Mode: AccessShare, DeadlockTimeout: time.Hour}) // waits behind c
	waitQueued(m, b)
	a.start(m, Request{Tag: y, Mode: Exclusive, DeadlockTimeout: time.Millisecond}) // waits for b
	if err := <-b.done; err != nil {
		t.Fatal(err)
	}
	b.o.ReleaseTransaction()
	if err := <-a.done; err != nil {
		t.Fatal(err)
	}
	a.o.ReleaseTransaction()
	if err := <-c.done; err != nil {
		t.Fatal(err)
	}
}

// TestPass: who gets a lock that was passed on sleeps until the goal is free, too, unless it gives up, and then others get the lock.
func TestPass(t *testing.T) {
	m := New(Options{})
	a, b, c := newClient(m, 1), newClient(m, 2), newClient(m, 3)
	row, goal := Tuple(1, 2, base.TID{Block: 3, Offset: 4}), Transaction(100)
	a.must(t, m, Request{Tag: row, Mode: Exclusive})
	a.must(t, m, Request{Tag: goal, Mode: Exclusive, Session: true})
	b.start(m, Request{Tag: row, Mode: Exclusive, DeadlockTimeout: time.Hour})
	waitQueued(m, b)
	c.start(m, Request{Tag: row, Mode: Exclusive, DeadlockTimeout: time.Hour})
	waitQueued(m, c)
	m.Pass(a.o, row, Exclusive, goal)
	if got := m.BlockedBy(2); len(got) != 1 || got[0] != 1 {
		t.Errorf("the first in line is blocked by %v", got)
	}
	if got := m.BlockedBy(3); len(got) != 1 || got[0] != 2 {
		t.Errorf("the second in line is blocked by %v", got)
	}
	b.task.Cancel(pgerror.New(pgerror.QueryCanceled, "no more"))
	if err := <-b.done; pgerror.Code(err) != pgerror.QueryCanceled {
		t.Error(err)
	}
	if err := <-c.done; err != nil || !c.o.Holds(row, Exclusive) { // nobody passed it on
		t.Error(err)
	}
	b.task.ClearCancel()
	b.start(m, Request{Tag: row, Mode: Exclusive, DeadlockTimeout: time.Hour})
	waitQueued(m, b)
	c.must(t, m, Request{Tag: Transaction(200), Mode: Exclusive, Session: true})
	m.Pass(c.o, row, Exclusive, Transaction(200))
	select {
	case <-b.done:
		t.Fatal("woken too early")
	default:
	}
	m.Release(c.o, Transaction(200), Exclusive, true)
	if err := <-b.done; err != nil || !b.o.Holds(row, Exclusive) || b.o.Holds(Transaction(200), Share) {
		t.Error(err)
	}
	b.o.ReleaseTransaction()
	a.o.Close()
	if s := m.Snapshot(); len(s) != 0 || m.used.Load() != 0 {
		t.Fatalf("left: %v, used %d", s, m.used.Load())
	}
}

// TestWanted: holders learn that somebody has come to wait, heirs that somebody waits already; both until their transaction ends.
func TestWanted(t *testing.T) {
	m := New(Options{})
	a, b, c := newClient(m, 1), newClient(m, 2), newClient(m, 3)
	row := Tuple(1, 2, base.TID{Block: 3, Offset: 4})
	wanted := func(clients ...*client) {
		t.Helper()
		for _, x := range []*client{a, b, c} {
			if x.o.Wanted() != slices.Contains(clients, x) {
				t.Errorf("client %d is wanted: %v", x.o.PID(), x.o.Wanted())
			}
		}
	}
	a.must(t, m, Request{Tag: row, Mode: Exclusive})
	wanted()
	b.start(m, Request{Tag: row, Mode: Exclusive, DeadlockTimeout: time.Hour})
	waitQueued(m, b)
	wanted(a)
	c.start(m, Request{Tag: row, Mode: Exclusive, DeadlockTimeout: time.Hour})
	waitQueued(m, c)
	if m.Waiting() != 2 {
		t.Errorf("%d wait", m.Waiting())
	}
	a.o.ReleaseTransaction()
	if err := <-b.done; err != nil {
		t.Fatal(err)
	}
	wanted(b)
	b.o.ReleaseTransaction()
	if err := <-c.done; err != nil {
		t.Fatal(err)
	}
	wanted()
	if m.Waiting() != 0 {
		t.Errorf("%d wait", m.Waiting())
	}
}

// TestPassedWaitsEnd: a wait that was passed on has its own lock timeout, and its own time until it looks for a deadlock. The times
// are long enough for a machine that stands still for a while between two lines.
func TestPassedWaitsEnd(t *testing.T) {
	for want, r := range map[string]Request{
		pgerror.LockNotAvailable:   {Timeout: 300 * time.Millisecond, DeadlockTimeout: time.Hour},
		pgerror.TRDeadlockDetected: {DeadlockTimeout: 200 * time.Millisecond},
	} {
		m := New(Options{})
		a, b := newClient(m, 1), newClient(m, 2)
		row, mine, theirs := Tuple(1, 2, base.TID{Block: 3, Offset: 4}), Transaction(100), Transaction(200)
		b.must(t, m, Request{Tag: theirs, Mode: Exclusive, Session: true})
		a.must(t, m, Request{Tag: mine, Mode: Exclusive, Session: true})
		a.must(t, m, Request{Tag: row, Mode: Exclusive})
		r.Tag, r.Mode = row, Exclusive
		b.start(m, r)
		waitQueued(m, b)
		wait := 10 * time.Millisecond // it will give up soon
		if r.Timeout == 0 {
			wait += r.DeadlockTimeout // it has looked
		}
		for began := time.Now(); time.Since(began) < wait; {
			runtime.Gosched()
		}
		m.Pass(a.o, row, Exclusive, mine)
		passed := time.Now()
		a.start(m, Request{Tag: theirs, Mode: Share, DeadlockTimeout: time.Hour})
		waitQueued(m, a)
		if err := <-b.done; pgerror.Code(err) != want {
			t.Errorf("%v, not %s", err, want)
		}
		if d := time.Since(passed); d < r.Timeout {
			t.Errorf("gave up after %s", d)
		}
		m.Release(b.o, theirs, Exclusive, true)
		if err := <-a.done; err != nil {
			t.Error(err)
		}
		a.o.Close()
		if s := m.Snapshot(); len(s) != 0 || m.used.Load() != 0 {
			t.Fatalf("left: %v, used %d", s, m.used.Load())
		}
	}
}

func TestTimeoutCancelAndNoWait(t *testing.T) {
	m := New(Options{})
	a, b := newClient(m, 1), newClient(m, 2)
	x := Relation(1, 5)
	a.must(t, m, Request{Tag: x, Mode: AccessExclusive})
	_, err := m.Acquire(b.task, b.o, Request{Tag: x, Mode: AccessShare, Timeout: time.Millisecond})
	if e := pgerror.From(err); err == nil || e.Code != "55P03" || !strings.Contains(e.Message, "lock timeout") {
		t.Fatal(err)
	}
	if _, err = m.Acquire(b.task, b.o, Request{Tag: x, Mode: Share, NoWait: true}); err != ErrNotAvailable {
		t.Fatal(err)
	}
	b.start(m, Request{Tag: x, Mode: Share})
	waitQueued(m, b)
	b.task.Cancel(pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request"))
	if err := <-b.done; pgerror.Code(err) != pgerror.QueryCanceled {
		t.Fatal(err)
	}
	a.o.Close()
	b.o.Close()
	for i := range m.strong {
		if n := m.strong[i].Load(); n != 0 {
			t.Fatalf("strong count %d left", n)
		}
	}
	if len(m.Snapshot()) != 0 || m.used.Load() != 0 {
		t.Fatal("locks left")
	}
}

func TestStrongLockSeesFastPath(t *testing.T) {
	m := New(Options{})
	a, b := newClient(m, 1), newClient(m, 2)
	x := Relation(1, 5)
	a.must(t, m, Request{Tag: x, Mode: RowExclusive})
	if s := m.Snapshot(); len(s) != 1 || !s[0].FastPath {
		t.Fatalf("%v", s)
	}
	if _, err := m.Acquire(b.task, b.o, Request{Tag: x, Mode: Share, NoWait: true}); err != ErrNotAvailable {
		t.Fatal(err)
	}
	a.must(t, m, Request{Tag: x, Mode: AccessExclusive}) // an upgrade: its own weak lock is no obstacle
	a.o.ReleaseTransaction()
	b.must(t, m, Request{Tag: x, Mode: AccessExclusive, NoWait: true})
}

// TestModel compares random requests that never wait with a simple model of who holds what.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(Options{})
		type key struct {
			tag  Tag
			mode Mode
		}
		const n = 4
		owners := make([]*client, n)
		held := make([]map[key]int, n)
		log := make([][]key, n)
		for i := range owners {
			owners[i], held[i] = newClient(m, uint32(i+1)), map[key]int{}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "owner")
			c := owners[i]
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0:
				mark := rapid.IntRange(0, len(log[i])).Draw(t, "mark")
				c.o.RollbackTo(mark)
				for _, k := range log[i][mark:] {
					if held[i][k]--; held[i][k] == 0 {
						delete(held[i], k)
					}
				}
				log[i] = log[i][:mark]
			default:
				k := key{Relation(1, 7), Mode(rapid.IntRange(1, 8).Draw(t, "mode"))}
				if rapid.Bool().Draw(t, "advisory") {
					k.tag = Advisory(1, 3)
				}
				free := true
				for j := range held {
					for h := range held[j] {
						free = free && (j == i || h.tag != k.tag || !h.mode.Conflicts(k.mode))
					}
				}
				_, err := m.Acquire(c.task, c.o, Request{Tag: k.tag, Mode: k.mode, NoWait: true})
				if (err == nil) != free {
					t.Fatalf("owner %d, %s: granted %v, model says %v", i, k.mode, err == nil, free)
				}
				if err == nil {
					held[i][k]++
					log[i] = append(log[i], k)
				}
			}
			want := 0
			for j := range held {
				want += len(held[j])
			}
			if got := len(m.Snapshot()); got != want {
				t.Fatalf("%d locks, model has %d", got, want)
			}
		}
	})
}

func TestFastPathAllocatesNothing(t *testing.T) {
	m := New(Options{})
	c := newClient(m, 1)
	n := testing.AllocsPerRun(100, func() {
		for rel := base.OID(100); rel < 104; rel++ {
			if _, err := m.Acquire(c.task, c.o, Request{Tag: Relation(1, rel), Mode: AccessShare}); err != nil {
				t.Fatal(err)
			}
		}
		c.o.ReleaseTransaction()
	})
	if n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkFastPath(b *testing.B) {
	m := New(Options{})
	c := newClient(m, 1)
	for b.Loop() {
		if _, err := m.Acquire(c.task, c.o, Request{Tag: Relation(1, 100), Mode: AccessShare}); err != nil {
			b.Fatal(err)
		}
		c.o.ReleaseTransaction()
	}
}

// TestDeadlockNamesStatements: the log of a deadlock has what clients must not see.
func TestDeadlockNamesStatements(t *testing.T) {
	m := New(Options{})
	a, b := newClient(m, 1), newClient(m, 2)
	a.o.SetStatement(func() string { return "first" })
	b.o.SetStatement(func() string { return "second" })
	x, y := Advisory(1, 1), Advisory(1, 2)
	a.must(t, m, Request{Tag: x, Mode: Exclusive})
	b.must(t, m, Request{Tag: y, Mode: Exclusive})
	done := make(chan error, 1)
	go func() {
		_, err := m.Acquire(a.task, a.o, Request{Tag: y, Mode: Exclusive, DeadlockTimeout: time.Hour})
		done <- err
	}()
	waitQueued(m, a)
	_, err := m.Acquire(b.task, b.o, Request{Tag: x, Mode: Exclusive, DeadlockTimeout: time.Millisecond})
	e := pgerror.From(err)
	if e == nil || !strings.Contains(e.LogDetail, "Process 1: first") || !strings.Contains(e.LogDetail, "Process 2: second") ||
		strings.Contains(e.Detail, "first") {
		t.Errorf("%+v", e)
	}
	b.o.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
