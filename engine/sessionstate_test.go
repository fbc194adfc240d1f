package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"manifold/engine/backend"
)

// TestSessionsShareBackends interleaves fifty sessions, statement by statement, over few backends, each statement on whichever
// backend comes. Every session must see what PostgreSQL says to one that has a connection of its own.
func TestSessionsShareBackends(t *testing.T) {
	const sessions = 50
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
				c.b = backends[random.IntN(size)]
				if got := c.ask(sql); got != want[next[i]] {
					t.Fatalf("session %d: %s\n got:\n%s\nwant:\n%s", i, sql, got, want[next[i]])
				}
				next[i]++
			}
		})
	}
}
