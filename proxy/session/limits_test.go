package session

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/pool"
)

func (s *server) connect(t *testing.T, user, database string) (*pgconn.PgConn, error) {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=%s database=%s sslmode=disable", s.addr.Port, user, database))
	if err == nil {
		t.Cleanup(func() { _ = c.Close(t.Context()) })
	}
	return c, err
}

// TestLimitsOfNames: users and databases have as many clients as the configuration allows; superusers are let in all the same,
// and those who leave make room.
func TestLimitsOfNames(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.Policy = func() *Policy {
			return &Policy{Users: map[string]int{"bob": 1}, Databases: map[string]int{"postgres": 2}}
		}
	})
	first, err := s.connect(t, "bob", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.connect(t, "bob", "postgres"); err == nil || !strings.Contains(err.Error(), `too many connections for role "bob" (SQLSTATE 53300)`) {
		t.Error(err)
	}
	for range 2 {
		if _, err := s.connect(t, "alice", "postgres"); err != nil {
			t.Error(err)
		}
	}
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for s.cfg.Registry.Count() > 2 {
		runtime.Gosched()
	}
	if _, err := s.connect(t, "bob", "postgres"); err == nil || !strings.Contains(err.Error(), `too many connections for database "postgres"`) {
		t.Error(err)
	}
}

// TestReservedPlaces: the last places are for superusers.
func TestReservedPlaces(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.Enter = func(super bool) error {
			if super {
				return nil
			}
			return pgerror.New(pgerror.TooManyConnections, "reserved")
		}
	})
	if _, err := s.connect(t, "bob", "postgres"); err == nil || !strings.Contains(err.Error(), "reserved (SQLSTATE 53300)") {
		t.Error(err)
	}
	if _, err := s.connect(t, "alice", "postgres"); err != nil {
		t.Error(err)
	}
}

// TestClientIdleTimeout: a client that says nothing for too long is ended whatever its session has set.
func TestClientIdleTimeout(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, func(c *Config) {
		c.Policy = func() *Policy { return &Policy{IdleTimeout: 20 * time.Millisecond} }
	})
	c := s.dial(t, map[string]string{"user": "bob", "database": "postgres", "idle_session_timeout": "0"})
	c.read(1)
	c.want(1, "FATAL 57P05 terminating connection due to client_idle_timeout\nclosed\n")
}

// TestCounts: statements, transactions and bytes of a user are counted, and its errors by SQLSTATE.
func TestCounts(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	c := s.dial(t, nil)
	c.read(1)
	c.Send(query("begin"))
	c.Send(query("select 1"))
	c.Send(query("rollback"))
	c.Send(query("nonsense"))
	c.flush()
	c.read(4)
	st := s.cfg.Pools.Stats()[0]
	if st.Statements != 4 || st.Transactions != 2 || st.Received != 53 || st.Sent < 100 {
		t.Errorf("%+v", st.Counts)
	}
	var runs uint64
	for _, n := range st.Users[0].Runs {
		runs += n
	}
	if runs != 4 {
		t.Errorf("%d statements in the histogram", runs)
	}
	total := uint64(0)
	for _, n := range s.cfg.Registry.Errors() {
		total += n
	}
	if total != 1 {
		t.Errorf("%v", s.cfg.Registry.Errors())
	}
}

// TestQueuedStatement: a statement that waits for a slot is seen with its text and what it waits for, and statement_timeout
// counts that wait.
func TestQueuedStatement(t *testing.T) {
	s := startServer(t, pool.Limits{Slots: 1}, nil)
	p, err := s.cfg.Pools.Get(5, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	holder := p.NewLease(activity.NewTask(99, nil), "x", false)
	if _, err := holder.Acquire(pool.Normal); err != nil {
		t.Fatal(err)
	}
	c := s.dial(t, map[string]string{"user": "bob", "database": "postgres", "statement_timeout": "200"})
	c.read(1)
	c.Send(query("select 1"))
	c.flush()
	for p.Stat().Waiting == 0 {
		runtime.Gosched()
	}
	for e := s.cfg.Registry.List()[0]; e.Waiting != activity.EventSlot; e = s.cfg.Registry.List()[0] {
		runtime.Gosched()
	}
	if i := s.cfg.Registry.List()[0].Info; i.State != "active" || i.Query != "select 1" {
		t.Errorf("%+v", i)
	}
	c.want(1, "ERROR 57014 canceling statement due to statement timeout\nready I\n")
	holder.Release()
	holder.End()
}
