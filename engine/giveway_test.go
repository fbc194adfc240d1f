package engine

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/backend"
)

// turns counts how often a task gives its slot up while others wait for it, and that it holds nothing then.
type turns struct {
	t    *testing.T
	task *activity.Task
	n    int
	each func() // called each time; may be nil
}

// Yield implements activity.Slots.
func (s *turns) Yield() {
	if s.task.Held() != 0 {
		s.t.Errorf("the slot is given up with %d pins or latches", s.task.Held())
	}
}

// Resume implements activity.Slots.
func (s *turns) Resume() {
	s.n++
	if s.each != nil {
		s.each()
	}
}

// pipe is a client whose COPY data comes from and goes to memory.
type pipe struct {
	*client
	in string
}

// Next implements backend.CopyReader.
func (p *pipe) Next() ([]byte, error) {
	if p.in == "" {
		return nil, io.EOF
	}
	n := min(len(p.in), 1<<16)
	part := p.in[:n]
	p.in = p.in[n:]
	return []byte(part), nil
}

// Write implements backend.CopyWriter.
func (p *pipe) Write([]byte) error { return nil }

// Close implements backend.CopyWriter.
func (p *pipe) Close() error { return nil }

// CopyIn implements backend.Sink.
func (p *pipe) CopyIn(bool, int) (backend.CopyReader, error) { return p, nil }

// CopyOut implements backend.Sink.
func (p *pipe) CopyOut(bool, int) (backend.CopyWriter, error) { return p, nil }

// TestLongStatementsGiveWay runs statements that take long over many rows while others wait for their slot: each must let them go
// first again and again, so that no stretch of it is longer than a few thousand rows.
func TestLongStatementsGiveWay(t *testing.T) {
	if testing.Short() {
		t.Skip("long statements of one session")
	}
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	const rows = 40000
	steps(t, c, "create table p (k int primary key)", "insert into p select i from generate_series(1, 100) i",
		"create table t (k int, r float8, s text, f int)",
		fmt.Sprintf("insert into t select i, random(), 's' || i, 1 + i %% 100 from generate_series(1, %d) i", rows))
	var pressed atomic.Bool
	pressed.Store(true)
	s := &turns{t: t, task: c.s.Task}
	c.s.Task.SetSlots(s)
	c.s.Task.SetPressure(&pressed, 0)
	defer c.s.Task.SetSlots(nil)
	defer c.s.Task.SetPressure(nil, 0)
	var lines strings.Builder
	for i := range rows {
		fmt.Fprintf(&lines, "%d\t0.5\tx%d\t7\n", i+1, i)
	}
	for _, step := range []struct {
		sql  string
		want int
	}{
		{"create index ti on t (k)", 10}, // in order: nothing to sort
		{"create index tr on t (r)", 20},
		{"create unique index ts on t (s)", 20},
		{"reindex table t", 50},
		{"alter table t add foreign key (f) references p", 10},
		{"alter table t add check (k > 0)", 10},
		{"alter table t alter k type int8", 10},
		{"alter table t alter f set not null", 10},
		{"cluster t using tr", 10},
		{"vacuum full t", 10},
		{"analyze t", 10},
		{"select count(*) from (select * from t order by r offset 5) x", 10},
		{"select count(distinct r), string_agg(s, '' order by r) is null from t", 10},
		{"select count(*) from t a join t b using (s)", 20},
		{"update t set f = 5", 10},
		{"delete from t where k % 2 = 0", 10},
		{"select count(*) from t where r + 1 < 0", 10}, // nothing found
		{"vacuum t", 20},
		{"copy t to stdout", 5},
		{"copy t from stdin where false", 10},
		{"drop index ts", 0},
		{"copy t from stdin", 20},
		{"create table u as select * from t", 10},
		{"delete from u", 10},
		{"analyze u", 5}, // pages without rows
	} {
		s.n = 0
		if err := c.b.Simple(c.s, step.sql, &pipe{c, lines.String()}); err != nil {
			t.Fatalf("%s: %v", step.sql, err)
		}
		if s.n < step.want {
			t.Errorf("%s: let others go first %d times", step.sql, s.n)
		}
		t.Logf("%-60s %d", step.sql, s.n)
	}
}
