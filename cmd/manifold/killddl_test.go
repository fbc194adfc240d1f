package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// definer makes, changes and drops a table of its own in a circle of steps. Each step notes its number in the transaction
// that does it, so that what a restart finds must be the state after the step that it finds noted.
type definer struct {
	n     int
	acked int // the step acknowledged last, counted over all circles
}

// defineStep is a step: the statements of its transaction, what may be done after it, and the rows that the table then has;
// negative: there is no table. $ stands for the number of the definer.
type defineStep struct {
	change, after string
	prepare       bool
	rows          int
}

func defineSteps() []defineStep {
	return []defineStep{
		{"create table d$ (k int primary key, v text); insert into d$ select i, repeat(md5(i::text), 200) from generate_series(1, 100) i", "vacuum d$", false, 100},
		{"alter table d$ add e int default 7; update d$ set v = 'x' where k <= 20", "vacuum analyze d$", false, 100},
		{"create index d$_e on d$ (e, k); delete from d$ where k > 50", "vacuum full d$", false, 50},
		{"insert into d$ values (1000, 'prepared')", "checkpoint", true, 51},
		{"alter table d$ alter e type int8; alter table d$ rename to r$; alter table r$ rename to d$", "create index concurrently d$_v on d$ (k, e)", false, 51},
		{"truncate d$; insert into d$ select i, 'y' from generate_series(1, 10) i", "reindex table d$", false, 10},
		{"drop table d$", "", true, -1},
	}
}

// preparedConfig writes a configuration that allows prepared transactions.
func preparedConfig(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(name, []byte("[postgresql]\nmax_prepared_transactions = 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func newDefiners(s *crashServer, n int) []*definer {
	s.exec("create table steps (n int primary key, step int not null)")
	var out []*definer
	for i := range n {
		s.exec(fmt.Sprintf("insert into steps values (%d, -1)", i))
		out = append(out, &definer{n: i, acked: -1})
	}
	return out
}

func (d *definer) sql(text string) string {
	out := []byte{}
	for _, c := range []byte(text) {
		if c == '$' {
			out = fmt.Append(out, d.n)
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// load takes steps until the connection breaks.
func (d *definer) load(s *crashServer, done *sync.WaitGroup) {
	defer done.Done()
	c, err := s.connect()
	if err != nil {
		return
	}
	defer c.Close(context.Background())
	steps := defineSteps()
	for next := d.acked + 1; ; next++ {
		st := steps[next%len(steps)]
		list := []string{"begin", d.sql(st.change), fmt.Sprintf("update steps set step = %d where n = %d", next, d.n)}
		if st.prepare {
			list = append(list, d.sql("prepare transaction 'd$'"), d.sql("commit prepared 'd$'"))
		} else {
			list = append(list, "commit")
		}
		for _, sql := range list {
			if _, err := c.Exec(context.Background(), sql).ReadAll(); err != nil {
				d.broken(s, sql, err, c.IsClosed())
				return
			}
		}
		d.acked = next
		if st.after != "" {
			if _, err := c.Exec(context.Background(), d.sql(st.after)).ReadAll(); err != nil {
				d.broken(s, st.after, err, c.IsClosed())
				return
			}
		}
	}
}

// broken tells of an error that the kill does not explain.
func (d *definer) broken(s *crashServer, sql string, err error, closed bool) {
	if !closed {
		s.t.Errorf("definer %d: %s: %v", d.n, sql, err)
	}
}

// verify ends a transaction that the kill left prepared and compares the table with the step noted.
func (d *definer) verify(s *crashServer, round int) {
	s.t.Helper()
	if s.exec(d.sql("select count(*) from pg_prepared_xacts where gid = 'd$'")) == "1" {
		s.exec(d.sql("commit prepared 'd$'"))
	}
	var step int
	if _, err := fmt.Sscan(s.exec(fmt.Sprintf("select step from steps where n = %d", d.n)), &step); err != nil {
		s.t.Fatal(err)
	}
	if step != d.acked && step != d.acked+1 {
		s.t.Fatalf("round %d: definer %d: step %d is there, %d was acknowledged", round, d.n, step, d.acked)
	}
	steps := defineSteps()
	want := "0"
	if step >= 0 && steps[step%len(steps)].rows >= 0 {
		want = "1"
	}
	if got := s.exec(d.sql("select count(*) from pg_class where relname = 'd$'")); got != want {
		s.t.Fatalf("round %d: definer %d after step %d: %s tables instead of %s", round, d.n, step, got, want)
	}
	if want == "1" {
		rows := s.exec(d.sql("select count(*) from (select k, length(v) from d$) x"))
		if rows != fmt.Sprint(steps[step%len(steps)].rows) {
			s.t.Fatalf("round %d: definer %d after step %d: %s rows", round, d.n, step, rows)
		}
	}
	d.acked = step
}
