package backend

import (
	"sync"

	"manifold/engine/activity"
	"manifold/engine/sql/parse"
)

// The grammar makes a tree of some ten times the size of a text. Texts from largeText on share parseBudget, in bytes of text,
// while they are parsed; one beyond it is parsed alone.
const (
	largeText   = 1 << 20
	parseBudget = 64 << 20
)

// ParseGate lets large texts into the parser as far as memory should go, first come first served. Nothing else is waited for
// between the two, so that it cannot be part of a deadlock.
type ParseGate struct {
	mu    sync.Mutex
	used  int // bytes of texts in the parser
	queue []*gateWaiter
}

type gateWaiter struct {
	size  int
	ready chan struct{}
}

// parse is parse.Parse behind the gate.
func (b *Backend) parse(text string) ([]parse.Statement, error) {
	if len(text) < largeText {
		return parse.Parse(text)
	}
	g, n := &b.svc.Gate, min(len(text), parseBudget)
	if err := g.enter(b.s.Task, n); err != nil {
		return nil, err
	}
	defer g.leave(n)
	return parse.Parse(text)
}

func (g *ParseGate) enter(task *activity.Task, n int) error {
	g.mu.Lock()
	if len(g.queue) == 0 && g.used+n <= parseBudget {
		g.used += n
		g.mu.Unlock()
		return nil
	}
	w := &gateWaiter{n, make(chan struct{})}
	g.queue = append(g.queue, w)
	g.mu.Unlock()
	err := task.Wait(activity.EventParseMemory, w.ready, 0)
	if err == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, q := range g.queue {
		if q == w {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			g.admitLocked()
			return err
		}
	}
	g.used -= n // it had been let in meanwhile
	g.admitLocked()
	return err
}

func (g *ParseGate) leave(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
	g.admitLocked()
}

func (g *ParseGate) admitLocked() {
	for len(g.queue) > 0 && g.used+g.queue[0].size <= parseBudget {
		w := g.queue[0]
		g.queue = g.queue[1:]
		g.used += w.size
		close(w.ready)
	}
}
