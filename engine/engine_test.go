package engine

import (
	"context"
	"strings"
	"sync"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
	"manifold/engine/vfs"
)

// client is a session with a backend of its own, whose answers are text.
type client struct {
	backend.Discard
	t   testing.TB
	e   *Engine
	s   *session.Session
	b   *backend.Backend
	out []string

	left bool
}

// Rows implements backend.Sink.
func (c *client) Rows(cols []plan.ResultColumn, _ []int16, b *vector.Batch) error {
	for k := range b.Live() {
		i := b.Lane(k)
		var row []string
		for n := range cols {
			d := b.Cols[n].Get(i)
			if d.Null {
				row = append(row, "~")
				continue
			}
			row = append(row, string(types.AppendText(nil, cols[n].Type, d, c.s.Env())))
		}
		c.out = append(c.out, strings.Join(row, "|"))
	}
	return nil
}

// Complete implements backend.Sink.
func (c *client) Complete(tag string) error {
	if !strings.HasPrefix(tag, "SELECT") {
		c.out = append(c.out, tag)
	}
	return nil
}

// run runs SQL and gives its rows and tags, or its error, one a line.
func (c *client) run(sql string) string {
	c.out = nil
	if err := c.b.Simple(c.s, sql, c); err != nil {
		e := pgerror.From(err)
		c.b.Fail(c.s, e)
		c.out = append(c.out, "ERROR "+e.Code+": "+e.Message)
		if e.Detail != "" {
			c.out = append(c.out, "DETAIL "+e.Detail)
		}
	}
	if err := c.s.AwaitAnswer(); err != nil {
		c.t.Fatal(err)
	}
	return strings.Join(c.out, "\n")
}

func testEngine(t testing.TB, fs vfs.FS) *Engine {
	t.Helper()
	e, err := Open(context.Background(), Config{FS: fs, SharedBuffers: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stopNotify) // or it keeps the buffers
	return e
}

// image makes the cluster that the tests begin with, once.
var image = sync.OnceValues(func() (*vfs.Mem, error) {
	fs := vfs.NewMem()
	return fs, InitDB(Config{FS: fs, SharedBuffers: 64 << 20, WALSegment: 1 << 20})
})

func newCluster(t testing.TB) vfs.FS {
	t.Helper()
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	return fs.Clone()
}

func connect(t testing.TB, e *Engine) *client {
	t.Helper()
	return connectTo(t, e, "postgres")
}

func connectTo(t testing.TB, e *Engine, database string) *client {
	t.Helper()
	task := activity.NewTask(0, nil)
	s := e.NewSession(task)
	l, err := e.Login(task, "postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CheckLogin(l, "postgres", database); err != nil {
		t.Fatal(err)
	}
	if err := e.StartSession(s, l, nil); err != nil {
		t.Fatal(err)
	}
	if err := e.Register(s); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, e: e, s: s, b: e.NewBackend()}
	t.Cleanup(c.leave)
	return c
}

// leave ends the session.
func (c *client) leave() {
	if !c.left {
		c.left = true
		c.b.Release(c.s)
		c.e.Unregister(c.s)
	}
}

func TestSelectFromCatalogs(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	for _, q := range []struct{ sql, want string }{
		{"select 1", "1"},
		{"select 1 + 1, 'a' || 'b'", "2|ab"},
		{"select relname from pg_class where oid = 1259", "pg_class"},
		{"select count(*) > 3000 from pg_proc", "t"},
		{"select relkind, count(*) from pg_class where relname like 'pg\\_am%' group by relkind order by 1", "i|7\nr|3"},
		{"select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relname = 'pg_proc'", "pg_catalog"},
		{"select x from generate_series(1, 3) x order by x desc", "3\n2\n1"},
		{"select 1 / 0", "ERROR 22012: division by zero"},
		{"begin; select 1; commit", "BEGIN\n1\nCOMMIT"},
		{"select 1 union select 2 order by 1", "1\n2"},
		{"with recursive t(n) as (values (1) union all select n + 1 from t where n < 5) select sum(n) from t", "15"},
		{"select a, b from (values (1, 'x'), (2, null)) v(a, b)", "1|x\n2|~"},
		{"select exists (select 1 from pg_class where oid = 1)", "f"},
		{"select (select max(oid) from pg_am where amtype = 't')", "2"},
	} {
		if got := c.run(q.sql); got != q.want {
			t.Errorf("%s\n got %s\nwant %s", q.sql, got, q.want)
		}
	}
}
