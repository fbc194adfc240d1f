package admin

import (
	"runtime"
	"strings"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/sysfuncs"
	"manifold/engine/types"
	"manifold/engine/vector"
	"manifold/pool"
)

// lines is a Sink that keeps what it gets as lines.
type lines struct {
	backend.Discard
	out []string
}

func (l *lines) Rows(cols []plan.ResultColumn, _ []int16, b *vector.Batch) error {
	for i := range b.N {
		var row []string
		for j, c := range cols {
			row = append(row, string(types.AppendText(nil, c.Type, b.Cols[j].Get(i), nil)))
		}
		l.out = append(l.out, strings.Join(row, "|"))
	}
	return nil
}

func (l *lines) Complete(tag string) error {
	l.out = append(l.out, tag)
	return nil
}

type nothing struct{ pool.Backend }

func (nothing) Close() {}

// sources is a server with the databases app and other, where user ann runs a statement in app and bob waits for a slot.
func sources() Sources {
	pools := pool.NewPools(func(string) pool.Limits { return pool.Limits{Slots: 1} }, func(base.OID) (pool.Backend, error) { return nothing{}, nil })
	return Sources{Version: "v1", Port: 5432, Pools: pools,
		Clients: func() []Client {
			return []Client{{PID: 3, User: "ann", Database: "app", Info: session.Info{State: "active", ClientAddr: "1.2.3.4", ClientPort: 77,
				ServerAddr: "10.0.0.1", ServerPort: 5432, Query: "select 1", Application: "x"}}}
		},
		Limits:            func(string, string) (int, int) { return 9, 0 },
		Capacity:          func() Capacity { return Capacity{Clients: 10, Connected: 3, LoggingIn: 1} },
		Databases:         func(*activity.Task) ([]string, error) { return []string{"app", "other"}, nil },
		Config:            func() [][3]string { return [][3]string{{"pool.backends", "4", "0"}} },
		Live:              func(string) bool { return true },
		Errors:            func() map[string]uint64 { return map[string]uint64{"42601": 2} },
		Role:              func(user string) Role { return map[string]Role{"watcher": Watcher, "master": Master}[user] },
		Terminate:         func(pid uint32) bool { return pid == 3 },
		TerminateDatabase: func(string) int { return 1 },
		Ask:               func(r Request) bool { return r != ShutdownSmart }}
}

func as(user string, super bool) *session.Session {
	s := session.New(1, 2, activity.NewTask(1, nil))
	s.User = &catalog.Role{Name: user, Super: super}
	s.Super = super
	return s
}

func root() *session.Session { return as("postgres", true) }

// busy gives the pool of app in which ann has the slot.
func busy(t *testing.T, from Sources) *pool.Lease {
	t.Helper()
	p, err := from.Pools.(*pool.Pools).Get(16384, "app")
	if err != nil {
		t.Fatal(err)
	}
	l := p.NewLease(activity.NewTask(3, nil), "ann", false)
	if _, err := l.Acquire(pool.Normal); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestShow(t *testing.T) {
	from := sources()
	busy(t, from)
	b := New(from)
	for _, x := range []struct{ text, want string }{
		{"show version;", "v1\nSHOW"},
		{" Show  pools", "app|ann|1|0|0|0|1|0|0|0|0|0|0|0|0|transaction\npgbouncer|pgbouncer|0|0|0|0|0|0|0|0|0|0|0|0|0|statement\nSHOW"},
		{"SHOW CLIENTS", "C|ann|app|active|1.2.3.4|77|10.0.0.1|5432|0001-01-01 00:00:00 UTC|0001-01-01 00:00:00 UTC|0|0|0|0x3|app#1|3||x\nSHOW"},
		{"SHOW DATABASES", "app||5432|app||1|0|0|transaction|9|1|0|0\nother||5432|other||1|0|0|transaction|9|0|0|0\n" +
			"pgbouncer||5432|pgbouncer|pgbouncer|2|0|0|statement|0|0|0|0\nSHOW"},
		{"SHOW USERS; SHOW STATE", "ann|\npgbouncer|\nSHOW\nactive|yes\npaused|no\nsuspended|no\nSHOW"},
		{"show config", "default_pool_size|4|0|yes\npool.backends|4|0|yes\npool_mode|transaction|transaction|no\nSHOW"},
		{"-- ping", ""},
		{"show stats_totals", "app|0|0|0|0|0|0|0\nSHOW"},
		{"reload; kill_client 3; Shutdown", "RELOAD\nKILL_CLIENT\nSHUTDOWN"},
		{"", ""},
	} {
		var l lines
		if err := b.Simple(root(), x.text, &l); err != nil || strings.Join(l.out, "\n") != x.want {
			t.Errorf("%s: %v\n%s", x.text, err, strings.Join(l.out, "\n"))
		}
	}
	for text, want := range map[string]string{"kill_client 4": "there is no client 4", "kill_client x": "there is no client x",
		"shutdown wait_for_clients": "the server has too many requests to serve first", "kill_client": "invalid command 'kill_client', use SHOW HELP;",
		"pause nosuch": "no such database: nosuch", "disable": "a database is required", "kill pgbouncer": "cannot kill admin db: pgbouncer",
		"resume": "pooler is not paused/suspended", "resume other": "database other is not paused", "select 1": "invalid command 'select 1', use SHOW HELP;",
		"show foo": "invalid command 'show foo', use SHOW HELP;"} {
		if err := b.Simple(root(), text, &lines{}); err == nil || pgerror.From(err).Message != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestPause: PAUSE waits for those who run; what is paused lets nobody begin; RESUME does.
func TestPause(t *testing.T) {
	from := sources()
	l := busy(t, from)
	b := New(from)
	done := make(chan error)
	go func() { done <- b.Simple(root(), "PAUSE app", &lines{}) }()
	for l.Pool().Gate() != pool.Pausing {
		runtime.Gosched()
	}
	l.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	task := activity.NewTask(4, nil)
	late := l.Pool().NewLease(task, "bob", false)
	go func() {
		_, err := late.Acquire(pool.Normal)
		done <- err
	}()
	for l.Pool().Stat().Waiting == 0 {
		runtime.Gosched()
	}
	var out lines
	if err := b.Simple(root(), "show pools", &out); err != nil || !strings.HasPrefix(out.out[1], "app|bob|0|1|") {
		t.Error(err, out.out)
	}
	if err := b.Simple(root(), "RESUME app", &lines{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	late.Release()
}

// TestPauseCancelled: a PAUSE that is cancelled leaves nothing paused.
func TestPauseCancelled(t *testing.T) {
	from := sources()
	l := busy(t, from)
	s := root()
	done := make(chan error)
	go func() { done <- New(from).Simple(s, "PAUSE", &lines{}) }()
	for l.Pool().Gate() != pool.Pausing {
		runtime.Gosched()
	}
	s.Task.Cancel(pgerror.New(pgerror.QueryCanceled, "enough"))
	if err := <-done; pgerror.Code(err) != pgerror.QueryCanceled {
		t.Error(err)
	}
	if g := l.Pool().Gate(); g != pool.Open || from.Pools.All() != pool.Open {
		t.Error(g)
	}
}

// TestWaitClose: backends from before RECONNECT are closed when they come back, and WAIT_CLOSE waits for that.
func TestWaitClose(t *testing.T) {
	from := sources()
	l := busy(t, from)
	b := New(from)
	if err := b.Simple(root(), "RECONNECT app", &lines{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- b.Simple(root(), "WAIT_CLOSE app", &lines{}) }()
	select {
	case err := <-done:
		t.Fatal("did not wait", err)
	default:
	}
	if all := l.Pool().Backends(); len(all) != 1 || !all[0].Old {
		t.Errorf("%+v", all)
	}
	l.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDisable: nobody new gets in, and those who are in are not disturbed.
func TestDisable(t *testing.T) {
	from := sources()
	busy(t, from)
	b := New(from)
	pools := from.Pools.(*pool.Pools)
	if err := b.Simple(root(), `DISABLE "app"`, &lines{}); err != nil {
		t.Fatal(err)
	}
	if _, err := pools.Get(16384, "app"); err == nil || pgerror.From(err).Message != `database "app" is disabled` {
		t.Error(err)
	}
	if err := b.Simple(root(), "ENABLE app", &lines{}); err != nil {
		t.Fatal(err)
	}
	if _, err := pools.Get(16384, "app"); err != nil {
		t.Error(err)
	}
}

func TestRoles(t *testing.T) {
	b := New(sources())
	for _, x := range []struct {
		user, text, want string
	}{{"watcher", "show pools", ""}, {"watcher", "reload", "admin access needed"}, {"master", "reload", ""}} {
		err := b.Simple(as(x.user, false), x.text, &lines{})
		if err == nil && x.want != "" || err != nil && pgerror.From(err).Message != x.want {
			t.Errorf("%v: %v", x, err)
		}
	}
}

// TestReports: every report has as many values in a row as columns.
func TestReports(t *testing.T) {
	from := sources()
	busy(t, from)
	for _, kind := range sysfuncs.Reports() {
		r, err := Report(from, nil, kind)
		if err != nil || len(r.Columns) == 0 {
			t.Errorf("%s: %v", kind, err)
		}
		for _, row := range r.Rows {
			if len(row) != len(r.Columns) {
				t.Errorf("%s: %d values for %d columns", kind, len(row), len(r.Columns))
			}
		}
	}
}
