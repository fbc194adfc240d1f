package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// TestSessionsShareBackends interleaves fifty sessions over few backends, each statement on whichever backend comes; of those
// that speak the extended protocol, each message. Every session must see what PostgreSQL says to one that has a connection of
// its own.
func TestSessionsShareBackends(t *testing.T) {
	sessions := 50
	if testing.Short() {
		sessions = 20
	}
	statements := splitScript(readFile(t, "testdata/sql/sessionstate.sql"))
	want := splitAnswers(readFile(t, "testdata/sql/sessionstate.out"), statements)
	fs := newCluster(t)
	for _, size := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("%d backends", size), func(t *testing.T) {
			e := testEngine(t, fs)
			t.Cleanup(func() {
				if err := e.Shutdown(); err != nil {
					t.Error(err)
				}
			})
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			backends := make([]*backend.Backend, size)
			for i := range backends {
				backends[i] = e.NewBackend()
			}
			clients := make([]*goldenClient, sessions)
			for i := range clients {
				clients[i] = &goldenClient{client: connect(t, e)}
			}
			next := make([]int, sessions)
			for left := sessions * len(statements); left > 0; {
				i := random.IntN(sessions)
				if next[i] == len(statements) {
					continue
				}
				left--
				c, sql := clients[i], statements[next[i]]
				another := func() { c.b = backends[random.IntN(size)] }
				another()
				ask := c.ask
				if i%2 == 1 {
					ask = func(sql string) string { return c.askInMessages(sql, another) }
				}
				if got := ask(sql); got != want[next[i]] {
					t.Fatalf("session %d: %s\n got:\n%s\nwant:\n%s", i, sql, got, want[next[i]])
				}
				next[i]++
			}
		})
	}
}

// askInMessages runs SQL by the extended protocol, two rows at a time; another changes the backend between messages.
func (g *goldenClient) askInMessages(sql string, another func()) string {
	g.lines = nil
	if err := g.messages(sql, another); err != nil {
		e := pgerror.From(err)
		g.b.Fail(g.s, e)
		g.lines = errorLines(e.Code, e.Message, e.Detail)
	}
	another()
	if err := g.b.Sync(g.s); err != nil {
		g.t.Fatal(err)
	}
	if err := g.s.AwaitAnswer(); err != nil {
		g.t.Fatal(err)
	}
	return strings.Join(g.lines, "\n")
}

func (g *goldenClient) messages(sql string, another func()) error {
	if err := g.b.Parse(g.s, "", sql, []base.OID{}); err != nil {
		return err
	}
	another()
	if err := g.b.Bind(g.s, "", "", nil, nil, nil); err != nil {
		return err
	}
	another()
	cols, formats, err := g.b.DescribePortal(g.s, "")
	if err == nil && cols != nil {
		err = g.Describe(cols, formats)
	}
	for suspended := true; suspended && err == nil; {
		another()
		suspended, err = g.b.Execute(g.s, "", 2, g)
	}
	return err
}

// TestPasswordOfANewCluster: who makes a cluster can name the superuser's password, and any text serves.
func TestPasswordOfANewCluster(t *testing.T) {
	fs := vfs.NewMem()
	if err := InitDB(Config{FS: fs, SharedBuffers: 64 << 20, WALSegment: 1 << 20, Password: `it's\n"so"`}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, testEngine(t, fs))
	wants(t, c.run("select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = 'postgres'"), "t")
}
