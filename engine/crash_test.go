package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// crashModel is what the table of TestPowerCuts must hold: by key, the stamp of its row.
type crashModel map[int]string

func (m crashModel) clone() crashModel {
	out := crashModel{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (m crashModel) String() string {
	var b strings.Builder
	for k := range 40 {
		if v, ok := m[k]; ok {
			fmt.Fprintf(&b, "%d|%s\n", k, v)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// wideText is an expression for a text that a stamp decides, some small, some compressed, some out of line.
func wideText(stamp, kind int) string {
	switch kind {
	case 0:
		return fmt.Sprintf("'%d'", stamp)
	case 1:
		return fmt.Sprintf("repeat('%d ', 3000)", stamp)
	}
	return fmt.Sprintf("(select string_agg(md5((%d + i)::text), '') from generate_series(1, %d) i)", stamp, 40+stamp%400)
}

// step makes a statement and what it does to the model.
func crashStep(r *rand.Rand, m crashModel, stamp int) (string, crashModel) {
	next := m.clone()
	k, wide := r.IntN(40), wideText(stamp, r.IntN(3))
	switch op := r.IntN(42); {
	case op < 20:
		next[k] = fmt.Sprint(stamp)
		return fmt.Sprintf("insert into w values (%d, '%d', %s) on conflict (k) do update set stamp = excluded.stamp, v = excluded.v", k, stamp, wide), next
	case op < 26:
		if _, ok := next[k]; ok {
			next[k] = fmt.Sprint(stamp)
		}
		return fmt.Sprintf("update w set stamp = '%d' where k = %d", stamp, k), next
	case op < 33:
		delete(next, k)
		return fmt.Sprintf("delete from w where k = %d", k), next
	case op < 36:
		return fmt.Sprintf("begin; update w set v = %s; delete from w where k > 10; rollback", wide), next
	case op < 39:
		return "vacuum w", next
	}
	other := crashStatements()
	s := other[r.IntN(len(other))]
	if s.empties {
		next = crashModel{}
	}
	return s.sql, next
}

// crashStatement is a statement beside those that change single rows.
type crashStatement struct {
	sql     string
	empties bool
}

func crashStatements() []crashStatement {
	return []crashStatement{
		{"truncate w", true}, {"checkpoint", false}, {"vacuum full w", false}, {"cluster w using w_pkey", false},
		{"begin; cluster w using w_pkey; rollback", false}, {"alter table w alter extra type int8 using 7", false},
		{"begin; truncate w; insert into w values (1, 'x', repeat('y', 9000)); rollback", false},
	}
}

// TestPowerCuts cuts the power at random writes of a workload over wide values. After recovery the table holds what was
// acknowledged, perhaps with the statement under way, its values are whole, and nothing is left over.
func TestPowerCuts(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 77))
		fs := newCluster(t).(*vfs.Mem)
		e := testEngine(t, fs)
		c := connect(t, e)
		c.run("create table w (k int primary key, stamp text, v text, extra int default 1)")
		model := crashModel{}
		for round := range uint64(4) {
			fs.Inject(vfs.Fault{Nth: 1 + r.IntN(6000), Err: vfs.ErrPowerCut})
			model = crashUntilCut(t, r, c, model, fmt.Sprintf("seed %d round %d", seed, round), func() *client {
				_ = e.Abandon()
				fs = fs.Crash(seed*100 + round)
				e = testEngine(t, fs)
				c = connect(t, e)
				return c
			})
			if faults := checkFaults(t, e); len(faults) > 0 {
				t.Fatalf("seed %d round %d: %v", seed, round, faults)
			}
			checkFiles(t, e, c)
		}
	}
}

// TestUnloggedBeginAnewAfterACrash: unlogged relations are kept over a shutdown and empty after a crash, where temporary ones
// and the files of open transactions are gone.
func TestUnloggedBeginAnewAfterACrash(t *testing.T) {
	fs := newCluster(t).(*vfs.Mem)
	e := testEngine(t, fs)
	c := connect(t, e)
	c.run("create unlogged table u (id serial primary key, v text); create table w (id int)")
	c.run("insert into u (v) select repeat(md5(i::text), 300) from generate_series(1, 50) i")
	c.b.Release(c.s)
	e.Unregister(c.s)
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	e = testEngine(t, fs)
	c = connect(t, e)
	if got := c.run("select count(*), sum(length(v)) from u"); got != "50|480000" {
		t.Fatalf("after a shutdown: %s", got)
	}
	c.run("create temp table t (a text); insert into t select repeat(md5(i::text), 300) from generate_series(1, 50) i")
	c.run("insert into u (v) values ('x'); checkpoint; update u set v = v || 'y' where id < 10")
	open := connect(t, e)
	if got := open.run("begin; create table never (id int primary key, v text); insert into never values (1, 'a')"); strings.Contains(got, "ERROR") {
		t.Fatal(got)
	}
	c.run("checkpoint; insert into w values (1)")
	_ = e.Abandon()
	fs = fs.Crash(3)
	e = testEngine(t, fs)
	c = connect(t, e)
	for _, q := range [][2]string{
		{"select count(*) from u", "0"}, {"insert into u (v) values ('new') returning id, v", "1|new\nINSERT 0 1"},
		{"select v from u where id = 1", "new"}, {"select count(*) from w", "1"},
		{"select count(*) from pg_class where relpersistence = 't'", "0"},
	} {
		if got := c.run(q[0]); got != q[1] {
			t.Fatalf("%s: %s", q[0], got)
		}
	}
	if faults := checkFaults(t, e); len(faults) > 0 {
		t.Fatal(faults)
	}
	checkFiles(t, e, c)
}

// TestRewritesKeepWhatOlderSnapshotsSee: VACUUM FULL and CLUSTER keep the versions of rows that a transaction may read.
func TestRewritesKeepWhatOlderSnapshotsSee(t *testing.T) {
	for _, rewrite := range []string{"vacuum full w", "cluster w using w_v"} {
		e := testEngine(t, newCluster(t))
		a, b := connect(t, e), connect(t, e)
		a.run("create table w (k int primary key, v int, t text); create index w_v on w (v)")
		a.run("insert into w select i, -i, (select string_agg(md5((i + j)::text), '') from generate_series(1, 200) j) from generate_series(1, 20) i")
		b.run("begin isolation level repeatable read; select 1")
		a.run("delete from w where k > 15; update w set v = 100 + k, t = 'new' where k < 5")
		const want = "20|-210|128000"
		if got := a.run(rewrite); strings.HasPrefix(got, "ERROR") {
			t.Fatal(got)
		}
		if got := b.run("select count(*), sum(v), sum(length(t)) from w"); got != want {
			t.Errorf("%s: the older snapshot sees %s, not %s", rewrite, got, want)
		}
		if got := b.run("set enable_seqscan = off; select v, length(t) from w where k = 3"); got != "SET\n-3|6400" {
			t.Errorf("%s: the older snapshot finds %s", rewrite, got)
		}
		b.run("reset enable_seqscan; commit")
		if got := a.run("select count(*), sum(v), sum(length(t)) from w"); got != "15|300|70412" {
			t.Errorf("%s: the newer snapshot sees %s", rewrite, got)
		}
		a.run("vacuum w")
		if faults := checkFaults(t, e); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// checkFiles fails when the database has a file that no relation has.
func checkFiles(t *testing.T, e *Engine, c *client) {
	t.Helper()
	c.run("checkpoint")
	known := map[string]bool{}
	for _, n := range strings.Split(c.run("select pg_relation_filenode(oid) from pg_class"), "\n") {
		known[n] = true
	}
	files, err := e.filesByDatabase()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[c.s.Database.OID] {
		if !known[fmt.Sprint(f.Number)] {
			t.Errorf("file %s belongs to no relation", f)
		}
	}
}

func checkFaults(t *testing.T, e *Engine) []error {
	t.Helper()
	var faults []error
	if _, err := e.Check(activity.NewTask(0, nil), func(err error) { faults = append(faults, err) }); err != nil {
		t.Fatal(err)
	}
	return faults
}

// crashUntilCut runs statements until the power goes, recovers, and gives what the table then holds.
func crashUntilCut(t *testing.T, r *rand.Rand, c *client, model crashModel, where string, recover func() *client) crashModel {
	t.Helper()
	for {
		sql, next := crashStep(r, model, r.IntN(100000))
		err := c.try(sql)
		if err == nil {
			model = next
			continue
		}
		if !errors.Is(err, vfs.ErrPowerCut) && !strings.Contains(err.Error(), "power") && pgerror.Code(err) < "53" {
			t.Fatalf("%s: %s: %v", where, sql, err)
		}
		c = recover()
		got := c.run("select k, stamp from w order by k")
		switch got {
		case model.String():
		case next.String():
			model = next
		default:
			t.Fatalf("%s: after %s\nwant\n%s\nor\n%s\ngot\n%s", where, sql, model, next, got)
		}
		if sum := c.run("select sum(length(v)) from w"); strings.HasPrefix(sum, "ERROR") {
			t.Fatalf("%s: %s", where, sum)
		}
		return model
	}
}

// try runs SQL and waits until its answer may leave.
func (c *client) try(sql string) error {
	if err := c.b.Simple(c.s, sql, c); err != nil {
		c.b.Fail(c.s, pgerror.From(err))
		return err
	}
	return c.s.AwaitAnswer()
}
