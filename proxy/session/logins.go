package session

import "sync"

// Logins bounds how many clients do the costly part of coming in at a time.
type Logins struct {
	mu    sync.Mutex
	room  sync.Cond // for mu
	limit int       // guarded by mu
	busy  int       // guarded by mu
	wait  int       // guarded by mu
}

// NewLogins makes a bound.
func NewLogins(limit int) *Logins {
	l := &Logins{limit: limit}
	l.room.L = &l.mu
	return l
}

// SetLimit changes the bound.
func (l *Logins) SetLimit(n int) {
	l.mu.Lock()
	l.limit = n
	l.mu.Unlock()
	l.room.Broadcast()
}

// Waiting gives how many clients are coming in, and how many wait to.
func (l *Logins) Waiting() (busy, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy, l.wait
}

func (l *Logins) enter() {
	l.mu.Lock()
	l.wait++
	for l.busy >= l.limit {
		l.room.Wait()
	}
	l.wait--
	l.busy++
	l.mu.Unlock()
}

func (l *Logins) leave() {
	l.mu.Lock()
	l.busy--
	l.mu.Unlock()
	l.room.Signal()
}
