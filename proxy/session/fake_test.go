package session

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crypto/tls"

	"manifold/engine/activity"
	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
	"manifold/pool"
	"manifold/proxy/auth"
	"manifold/proxy/park"
)

// fakeEngine knows the users alice (a superuser, password "secret") and bob, and the database postgres.
type fakeEngine struct {
	next  atomic.Uint32
	alice string
	waits atomic.Int64
}

func (e *fakeEngine) Refresh(*session.Session) {}

func (e *fakeEngine) Login(_ *activity.Task, user, database string) (Account, error) {
	var a Account
	switch user {
	case "alice":
		a.Role = &catalog.Role{OID: 10, Name: user, Super: true, CanLogin: true, ConnLimit: -1, Password: e.alice}
	case "bob":
		a.Role = &catalog.Role{OID: 11, Name: user, CanLogin: true, ConnLimit: -1}
	}
	if database == "postgres" || database == "template1" {
		a.Database = &catalog.Database{OID: 5, Name: database, ConnLimit: -1}
	}
	return a, nil
}

func (e *fakeEngine) CheckLogin(a Account, user, database string) error {
	if a.Role == nil {
		return pgerror.Newf(pgerror.InvalidAuthorizationSpecification, "role \"%s\" does not exist", user)
	}
	if a.Database == nil {
		return pgerror.Newf(pgerror.UndefinedDatabase, "database \"%s\" does not exist", database)
	}
	return nil
}

func (e *fakeEngine) NewSession(task *activity.Task) *session.Session {
	id := e.next.Add(1)
	task.SessionID = id
	return session.New(id, id*7, task)
}

func (e *fakeEngine) StartSession(s *session.Session, a Account, params map[string]string) error {
	s.User, s.Login, s.Database, s.Role = a.Role, a.Role, a.Database, a.Role.OID
	for n, v := range params {
		switch n {
		case "user", "database", "options", "replication":
			continue
		}
		if err := s.Settings.Set(session.Change{Name: n, Text: v, Depth: -1, Super: a.Role.Super, Startup: true}); err != nil {
			return err
		}
	}
	return nil
}
func (e *fakeEngine) Register(*session.Session) error { return nil }
func (e *fakeEngine) End(*session.Session)            {}
func (e *fakeEngine) DeliverNotifications()           {}
func (e *fakeEngine) AwaitAnswer(*session.Session) error {
	e.waits.Add(1)
	return nil
}

// fakeBackend answers a few statements.
type fakeBackend struct{ batch vector.Batch }

func (b *fakeBackend) Simple(s *session.Session, text string, out backend.Sink) error {
	for _, stmt := range strings.Split(strings.TrimSuffix(strings.TrimSpace(text), ";"), ";") {
		if err := b.run(s, strings.TrimSpace(stmt), nil, out, false); err != nil {
			return err
		}
	}
	return nil
}

func column(name string) []plan.ResultColumn {
	return []plan.ResultColumn{{Name: name, Type: types.OIDInt4, Typmod: -1}}
}

func fakeColumns(stmt string) []plan.ResultColumn {
	if strings.HasPrefix(stmt, "select") {
		return column("n")
	}
	return nil
}

func (b *fakeBackend) run(s *session.Session, stmt string, formats []int16, out backend.Sink, extended bool) error {
	if s.Status == session.Failed && stmt != "rollback" {
		return pgerror.New(pgerror.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	}
	word, rest, _ := strings.Cut(stmt, " ")
	switch word {
	case "":
		return out.Complete("")
	case "begin":
		s.Status, s.Tx.Block = session.InTx, true
		return out.Complete("BEGIN")
	case "commit", "rollback":
		s.Status, s.Tx.Block = session.Idle, false
		return out.Complete(strings.ToUpper(word))
	case "set":
		name, value, _ := strings.Cut(rest, "=")
		if err := s.Settings.Set(session.Change{Name: name, Text: value, Depth: -1, Super: true}); err != nil {
			return err
		}
		return out.Complete("SET")
	case "notice":
		s.Notice(pgerror.Notice(pgerror.SeverityNotice, pgerror.SuccessfulCompletion, "%s", rest))
		return out.Complete("NOTICE")
	case "fail":
		return pgerror.New(pgerror.SyntaxError, "as you wish").WithPosition(3)
	case "panic":
		panic("as you wish")
	case "sleep":
		return s.Task.Wait(activity.EventPgSleep, make(chan struct{}), 0)
	case "copyin":
		r, err := out.CopyIn(false, 1)
		n := 0
		for err == nil {
			var row []byte
			if row, err = r.Next(); err == nil {
				n += strings.Count(strings.ReplaceAll(string(row), "\\.\n", ""), "\n") // psql sends the end marker too
			}
		}
		if err.Error() != "EOF" {
			return err
		}
		return out.Complete(fmt.Sprintf("COPY %d", n))
	case "copyout":
		w, err := out.CopyOut(false, 1)
		if err != nil {
			return err
		}
		for i := range 3 {
			if err := w.Write(fmt.Appendf(nil, "%d\n", i)); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		return out.Complete("COPY 3")
	case "select":
		n := 1
		if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
			n = 1
		}
		return b.rows(n, formats, out)
	}
	return pgerror.Newf(pgerror.SyntaxError, "syntax error at or near \"%s\"", word).WithPosition(1)
}

func (b *fakeBackend) rows(n int, formats []int16, out backend.Sink) error {
	if err := out.Describe(column("n"), formats); err != nil {
		return err
	}
	b.batch.Cols = make([]vector.Vector, 1)
	for done := 0; done < n; {
		k := min(n-done, vector.BatchSize)
		b.batch.N, b.batch.Sel = k, nil
		b.batch.Cols[0].Reset(false, k)
		for i := range k {
			b.batch.Cols[0].Fixed[i] = int64(done + i)
		}
		done += k
		if err := out.Rows(column("n"), formats, &b.batch); err != nil {
			return err
		}
	}
	return out.Complete(fmt.Sprintf("SELECT %d", n))
}

func (b *fakeBackend) Parse(s *session.Session, name, text string, _ []base.OID) error {
	if strings.HasPrefix(text, "bad") {
		return pgerror.New(pgerror.SyntaxError, "bad text")
	}
	s.PutStatement(name, &session.Prepared{Name: name, Text: text})
	return nil
}

func (b *fakeBackend) DescribeStatement(s *session.Session, name string) ([]base.OID, []plan.ResultColumn, error) {
	p := s.Statements[name]
	if p == nil {
		return nil, nil, pgerror.Newf(pgerror.UndefinedPstatement, "prepared statement \"%s\" does not exist", name)
	}
	return nil, fakeColumns(p.Text), nil
}

func (b *fakeBackend) CloseStatement(s *session.Session, name string) error {
	delete(s.Statements, name)
	return nil
}

func (b *fakeBackend) Bind(s *session.Session, portal, stmt string, _ []int16, _ [][]byte, formats []int16) error {
	p := s.Statements[stmt]
	if p == nil {
		return pgerror.Newf(pgerror.UndefinedPstatement, "prepared statement \"%s\" does not exist", stmt)
	}
	s.PutPortal(portal, &session.Portal{Name: portal, Statement: p, Formats: formats})
	return nil
}

func (b *fakeBackend) DescribePortal(s *session.Session, name string) ([]plan.ResultColumn, []int16, error) {
	p := s.Portals[name]
	if p == nil {
		return nil, nil, pgerror.Newf(pgerror.UndefinedCursor, "portal \"%s\" does not exist", name)
	}
	return fakeColumns(p.Statement.Text), p.Formats, nil
}

func (b *fakeBackend) Execute(s *session.Session, portal string, _ int, out backend.Sink) (bool, error) {
	p := s.Portals[portal]
	if p == nil {
		return false, pgerror.Newf(pgerror.UndefinedCursor, "portal \"%s\" does not exist", portal)
	}
	return false, b.run(s, p.Statement.Text, p.Formats, out, true)
}

func (b *fakeBackend) ClosePortal(s *session.Session, name string) error {
	delete(s.Portals, name)
	return nil
}

func (b *fakeBackend) Sync(s *session.Session) error {
	clear(s.Portals)
	return nil
}

func (b *fakeBackend) Fail(s *session.Session, _ *pgerror.Error) {
	if s.Tx.Block {
		s.Status = session.Failed
	}
}
func (b *fakeBackend) Release(s *session.Session) { s.Status, s.Tx.Block = session.Idle, false }
func (b *fakeBackend) Close()                     {}

// testLog writes what the client's end of a test should know.
type testLog struct{ t testing.TB }

func (l testLog) Event(w *Who, e *pgerror.Error, _ string) {}
func (l testLog) Statement(*Who, string)                   {}
func (l testLog) Duration(*Who, string, time.Duration)     {}
func (l testLog) Panic(w *Who, reason any, stack []byte)   {}

// server is a listener with a fake engine behind it.
type server struct {
	cfg  *Config
	addr *net.TCPAddr
	eng  *fakeEngine
}

// startServer listens on a port of the system's choice.
func startServer(t testing.TB, limits pool.Limits, change func(*Config)) *server {
	t.Helper()
	v, err := auth.NewVerifier("secret")
	if err != nil {
		t.Fatal(err)
	}
	eng := &fakeEngine{alice: v.String()}
	cfg := &Config{Engine: eng, Registry: NewRegistry(), Log: testLog{t},
		Pools: pool.NewPools(func(string) pool.Limits { return limits }, func(base.OID) (pool.Backend, error) { return &fakeBackend{}, nil }),
		Rules: func() auth.Rules {
			return auth.Rules{{Kind: auth.Host, Databases: []string{"all"}, Users: []string{"all"}, Method: auth.Trust}}
		},
		Logins:      NewLogins(4),
		Enter:       func(bool) error { return nil },
		Lobby:       NewLobby(1000),
		Handshakes:  NewLogins(2),
		TLS:         func() *tls.Config { return nil },
		AuthTimeout: func() time.Duration { return 10 * time.Second },
		Admit:       func() error { return nil },
		Crash:       func(reason string) { t.Errorf("crash: %s", reason) },
	}
	poller, err := park.New(0)
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	cfg.Left = func(bool) { clients.Done() }
	if change != nil {
		change(cfg)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pl, err := poller.Listen(l)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := pl.Accept()
			if err != nil {
				return
			}
			clients.Add(1)
			cfg.Lobby.Await()
			Serve(conn, cfg)
		}
	}()
	t.Cleanup(func() {
		_ = pl.Close()
		<-done
		cfg.Registry.TerminateAll()
		if err := cfg.Registry.Wait(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		clients.Wait()
		poller.Close()
	})
	return &server{cfg: cfg, addr: l.Addr().(*net.TCPAddr), eng: eng}
}
