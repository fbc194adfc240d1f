package session

import (
	"os"
	"slices"
	"sync"
	"time"
)

// Logins bounds how many clients do a costly part of coming in at a time: looking themselves up in the catalogs, or the arithmetic
// of TLS. The others wait in line.
type Logins struct {
	mu    sync.Mutex
	limit int             // guarded by mu
	busy  int             // guarded by mu
	line  []chan struct{} // guarded by mu; closed when it is one's turn
}

// NewLogins makes a bound.
func NewLogins(limit int) *Logins { return &Logins{limit: limit} }

// SetLimit changes the bound.
func (l *Logins) SetLimit(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = n
	l.callLocked()
}

// Waiting gives how many clients are coming in, and how many wait to.
func (l *Logins) Waiting() (busy, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy, len(l.line)
}

// enter returns when it is the client's turn, or with os.ErrDeadlineExceeded when its time is over.
func (l *Logins) enter(c *Client) error {
	l.mu.Lock()
	if l.busy < l.limit && len(l.line) == 0 {
		l.busy++
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.line = append(l.line, turn)
	l.mu.Unlock()
	a := c.coming
	a.served.Store(true)
	defer a.served.Store(false)
	c.runner.Blocking()
	defer c.runner.Unblocked()
	t := time.NewTimer(time.Until(a.by))
	defer t.Stop()
	select {
	case <-turn:
		return nil
	case <-t.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.line, turn); i >= 0 {
		l.line = slices.Delete(l.line, i, i+1)
		return os.ErrDeadlineExceeded
	}
	return nil // just now
}

func (l *Logins) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	l.callLocked()
}

func (l *Logins) callLocked() {
	for l.busy < l.limit && len(l.line) > 0 {
		l.busy++
		close(l.line[0])
		l.line = l.line[1:]
	}
}
