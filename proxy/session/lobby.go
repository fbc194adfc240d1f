package session

import (
	"sync"
	"time"

	"manifold/pool/turns"
)

// lobbyPatience is how long a client that has nothing to wait for here may take to log in when others want its place.
const lobbyPatience = 3 * time.Second

// Lobby is the clients that have connected and have not authenticated themselves. It has places of its own, so that a storm of
// connections that say nothing, or stop in the middle, keeps nobody who is known from coming in or from working: when it is full,
// the one that has kept the server waiting longest goes.
type Lobby struct {
	mu       sync.Mutex
	limit    int                  // guarded by mu
	patience time.Duration        // guarded by mu
	line     turns.Line[*arrival] // guarded by mu; in the order of coming
	turned   int64                // guarded by mu; those that had to go
	room     chan struct{}        // guarded by mu; closed when one leaves, nil while nobody waits for that
}

// NewLobby makes a lobby.
func NewLobby(limit int) *Lobby {
	return &Lobby{limit: limit, patience: lobbyPatience}
}

// SetLimit changes the number of places.
func (l *Lobby) SetLimit(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = n
	l.tellLocked()
}

// Count gives the number of clients in it, and how many had to go for others.
func (l *Lobby) Count() (n int, turned int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line.Len(), l.turned
}

// Await returns when there is a place, having sent somebody away if it must. It is called by those who accept connections.
func (l *Lobby) Await() {
	for {
		l.mu.Lock()
		if l.line.Len() < l.limit {
			l.mu.Unlock()
			return
		}
		if l.room == nil {
			l.room = make(chan struct{})
		}
		room, now := l.room, time.Now()
		soon := l.patience
		var late *arrival
		for e := l.line.First(); e != nil && late == nil; e = e.Next() {
			a := e.Value
			age := now.Sub(a.since)
			if age < l.patience {
				soon = l.patience - age
				break
			}
			if !a.served.Load() && !a.turned.Load() {
				late = a
				late.turned.Store(true)
				l.turned++
			}
		}
		l.mu.Unlock()
		if late != nil {
			late.turnAway()
		}
		t := time.NewTimer(soon)
		select {
		case <-room:
		case <-t.C:
		}
		t.Stop()
	}
}

func (l *Lobby) enter(a *arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.entry.Value = a
	l.line.Push(&a.entry)
}

func (l *Lobby) leave(a *arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.Remove(&a.entry)
	l.tellLocked()
}

func (l *Lobby) tellLocked() {
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}
