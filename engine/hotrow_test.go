package engine

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"manifold/engine/lock"
)

// awaits returns what a session waits for in the lock table, once it does.
func awaits(t *testing.T, e *Engine, c *client) lock.Tag {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		for _, l := range e.cluster.Locks.Snapshot() {
			if l.PID == c.s.ID && !l.Granted {
				return l.Tag
			}
		}
	}
	t.Fatalf("session %d does not wait", c.s.ID)
	return lock.Tag{}
}

func hotRow(t *testing.T, sessions int) (*Engine, []*client) {
	e := testEngine(t, newCluster(t))
	var cs []*client
	for range sessions {
		cs = append(cs, connect(t, e))
	}
	cs[0].run("create table hot (id int primary key, v int)")
	cs[0].run("insert into hot values (1, 0)")
	return e, cs
}

const heat = "update hot set v = v + 1 where id = 1"

// TestHotRowIsFoundByKey: who changes a row by key does not read all its versions, however small the table is said to be.
func TestHotRowIsFoundByKey(t *testing.T) {
	_, cs := hotRow(t, 1)
	cs[0].run("analyze hot")
	for statement, want := range map[string]string{
		heat:                             "Index Scan using hot_pkey on hot",
		"delete from hot where id = 1":   "Index Scan using hot_pkey on hot",
		"update hot set v = 1":           "Seq Scan on hot",
		"select v from hot where id = 1": "Seq Scan on hot",
	} {
		if got := cs[0].run("explain (costs off) " + statement); !strings.Contains(got, want) {
			t.Errorf("%s: %s", statement, got)
		}
	}
}

// TestWaitersFollowTheRow: those behind the heir stay in the queue they joined while the row is updated before them: they
// do not wake and queue anew for each version.
func TestWaitersFollowTheRow(t *testing.T) {
	e, cs := hotRow(t, 5)
	cs[0].run("begin")
	cs[0].run(heat)
	var queue lock.Tag
	done := make([]chan string, len(cs))
	for i, c := range cs[1:] {
		done[i+1] = make(chan string, 1)
		go func() {
			c.run("begin")
			done[i+1] <- c.run(heat)
		}()
		tag := awaits(t, e, c)
		if i == 1 {
			queue = tag
		}
	}
	if queue.Kind != lock.KindTuple {
		t.Fatalf("the second waits for %s", queue)
	}
	for i, c := range cs[:len(cs)-1] {
		c.run("commit")
		if got := <-done[i+1]; got != "UPDATE 1" {
			t.Fatalf("%d: %s", i+1, got)
		}
		for n, behind := range cs[i+2:] {
			tag := awaits(t, e, behind)
			for n == 0 && tag == queue { // it becomes the heir
				tag = awaits(t, e, behind)
			}
			if n == 0 && tag.Kind != lock.KindTransaction || n > 0 && tag != queue {
				t.Errorf("after %d commits, %d places behind the heir: waits for %s, the queue is %s", i+1, n, tag, queue)
			}
		}
	}
	cs[len(cs)-1].run("commit")
	if got := cs[0].run("select v from hot"); got != "5" {
		t.Errorf("v is %s", got)
	}
}

// slowSlots gives a slot back only when the gate opens.
type slowSlots struct{ gate chan struct{} }

func (s slowSlots) Yield()  {}
func (s slowSlots) Resume() { <-s.gate }

// TestTheHeirIsHandedTheRow: running statements overtake an heir that has no slot for a while, then they queue behind it.
func TestTheHeirIsHandedTheRow(t *testing.T) {
	e, cs := hotRow(t, 2)
	runner, heir := cs[0], cs[1]
	slots := slowSlots{make(chan struct{})}
	runner.run("begin")
	runner.run(heat)
	got := make(chan string, 1)
	heir.s.Task.SetSlots(slots)
	go func() { got <- heir.run("update hot set v = v + 1000000 where id = 1") }()
	awaits(t, e, heir)
	runner.run("commit")
	overtook := make(chan string, 1)
	var times int
	go func() {
		for times = 0; ; times++ {
			if got := runner.run(heat + " and v < 1000000"); got != "UPDATE 1" {
				overtook <- got
				return
			}
		}
	}()
	if tag := awaits(t, e, runner); tag.Kind != lock.KindTuple {
		t.Errorf("the runner waits for %s", tag)
	}
	close(slots.gate)
	if g := <-got; g != "UPDATE 1" {
		t.Errorf("the heir: %s", g)
	}
	if g := <-overtook; g != "UPDATE 0" || times == 0 {
		t.Errorf("the runner: %s after it overtook %d times", g, times)
	}
}
