package isolation

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
	"manifold/engine/vfs"
	"manifold/pool"
)

// server opens sessions: Manifold in this process, or the PostgreSQL that answers are recorded from.
type server interface{ connect() (conn, error) }

// conn is a session. run gives what a message was answered, in lines.
type conn interface {
	run(sql string) []string
	pid() uint32
	close()
}

// engineServer is a cluster in memory behind a pool.
type engineServer struct {
	t testing.TB
	e *engine.Engine
	p *pool.Pool
}

func config(fs vfs.FS) engine.Config {
	return engine.Config{FS: fs, SharedBuffers: 64 << 20, Settings: map[string]string{"max_prepared_transactions": "10"}}
}

// image makes the cluster that the tests begin with, once.
var image = sync.OnceValues(func() (*vfs.Mem, error) {
	fs := vfs.NewMem()
	return fs, engine.InitDB(config(fs))
})

// start makes a cluster whose sessions share a number of slots.
func start(t testing.TB, slots int) *engineServer {
	t.Helper()
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(context.Background(), config(fs.Clone()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New("postgres", pool.Limits{Slots: slots}, func() (pool.Backend, error) { return e.NewBackend(), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Abandon() })
	return &engineServer{t, e, p}
}

func (s *engineServer) connect() (conn, error) {
	task := activity.NewTask(0, nil)
	c := &engineConn{server: s, s: s.e.NewSession(task)}
	c.lease = s.p.NewLease(task, "postgres", true)
	l, err := s.e.Login(task, "postgres", "postgres")
	if err != nil {
		return nil, err
	}
	if err := s.e.StartSession(c.s, l, nil); err != nil {
		return nil, err
	}
	if err := s.e.Register(c.s); err != nil {
		return nil, err
	}
	return c, nil
}

// engineConn is a session in this process.
type engineConn struct {
	backend.Discard
	server  *engineServer
	s       *session.Session
	lease   *pool.Lease
	lines   []string
	notices []string
}

func (c *engineConn) pid() uint32 { return c.s.ID }

func (c *engineConn) close() {
	b, err := c.lease.AcquireAlways()
	if err == nil {
		b.Release(c.s)
		c.lease.Release()
	}
	c.lease.End()
	c.server.e.Unregister(c.s)
}

func (c *engineConn) run(sql string) []string {
	c.lines, c.notices = nil, nil
	class := pool.Normal
	if c.s.Proc != nil && c.s.Proc.Tx().Running() {
		class = pool.Holder
	}
	b, err := c.lease.Acquire(class)
	if err == nil {
		if err = b.Simple(c.s, sql, c); err != nil {
			b.Fail(c.s, pgerror.From(err))
		}
		c.lease.Release()
	}
	if err != nil {
		e := pgerror.From(err)
		c.lines = append(c.lines, errorLines(e.Code, e.Message, e.Detail, e.Where)...)
	}
	c.takeNotices()
	if err := c.s.AwaitAnswer(); err != nil {
		c.lines = append(c.lines, err.Error())
	}
	return append(c.notices, c.lines...)
}

func (c *engineConn) takeNotices() {
	for _, n := range c.s.Notices {
		c.notices = append(c.notices, string(n.Severity)+" "+n.Code+": "+n.Message)
	}
	c.s.Notices = nil
}

// Rows implements backend.Sink.
func (c *engineConn) Rows(cols []plan.ResultColumn, _ []int16, b *vector.Batch) error {
	for k := range b.Live() {
		i := b.Lane(k)
		row := make([]string, len(cols))
		for n := range cols {
			if d := b.Cols[n].Get(i); d.Null {
				row[n] = "~"
			} else {
				row[n] = string(types.AppendText(nil, cols[n].Type, d, c.s.Env()))
			}
		}
		c.lines = append(c.lines, strings.Join(row, "|"))
	}
	return nil
}

// Complete implements backend.Sink.
func (c *engineConn) Complete(tag string) error {
	c.takeNotices()
	c.lines = append(c.lines, tag)
	return nil
}

// oracle is a PostgreSQL 15.
type oracle struct{ dsn string }

func (o oracle) connect() (conn, error) {
	cfg, err := pgconn.ParseConfig(o.dsn)
	if err != nil {
		return nil, err
	}
	c := &oracleConn{}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		c.notices = append(c.notices, n.Severity+" "+n.Code+": "+n.Message)
	}
	c.c, err = pgconn.ConnectConfig(context.Background(), cfg)
	return c, err
}

type oracleConn struct {
	c       *pgconn.PgConn
	notices []string
}

func (c *oracleConn) pid() uint32 { return c.c.PID() }
func (c *oracleConn) close()      { _ = c.c.Close(context.Background()) }

func (c *oracleConn) run(sql string) []string {
	c.notices = nil
	results, err := c.c.Exec(context.Background(), sql).ReadAll()
	lines := append([]string(nil), c.notices...)
	for _, r := range results {
		for _, row := range r.Rows {
			cells := make([]string, len(row))
			for i, v := range row {
				if cells[i] = string(v); v == nil {
					cells[i] = "~"
				}
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
		if r.Err == nil {
			lines = append(lines, r.CommandTag.String())
		}
	}
	if err != nil {
		e, ok := err.(*pgconn.PgError)
		if !ok {
			return append(lines, err.Error())
		}
		lines = append(lines, errorLines(e.Code, e.Message, e.Detail, e.Where)...)
	}
	return lines
}

var (
	processNumber = regexp.MustCompile(`[Pp]rocess \d+`)
	objectNumber  = regexp.MustCompile(`(transaction|relation|database|pivot|object|class) \d+`)
	lockNumbers   = regexp.MustCompile(`\[\d+,`)
)

// errorLines gives an error without the numbers that differ from run to run.
func errorLines(code, message, detail, where string) []string {
	out := []string{"ERROR " + code + ": " + message}
	hide := func(s string) string {
		s = processNumber.ReplaceAllString(s, "process N")
		s = lockNumbers.ReplaceAllString(s, "[N,")
		return objectNumber.ReplaceAllString(s, "$1 N")
	}
	if detail != "" {
		for _, l := range strings.Split(hide(detail), "\n") {
			out = append(out, "DETAIL "+l)
		}
	}
	if where != "" {
		out = append(out, "CONTEXT "+hide(where))
	}
	return out
}

// blocked asks over a connection of its own whether a session waits for others.
func blocked(control conn, pid uint32) bool {
	lines := control.run(fmt.Sprintf("select cardinality(pg_blocking_pids(%d)) > 0 or exists (select 1 from pg_stat_activity "+
		"where pid = %d and wait_event = 'SafeSnapshot')", pid, pid))
	return len(lines) > 0 && lines[0] == "t"
}

func slotCounts() []int { return []int{1, 8} }

func slotName(n int) string { return "backends=" + strconv.Itoa(n) }
