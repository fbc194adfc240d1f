package session

import (
	"sync"
	"time"
)

// lobbyPatience is how long a client that has nothing to wait for here may take to log in when others want its place.
const lobbyPatience = 3 * time.Second

// Lobby is the clients that have connected and have not authenticated themselves. It has places of its own, so that a storm of
// connections that say nothing, or stop in the middle, keeps nobody who is known from coming in or from working: when it is full,
// the one that has kept the server waiting longest goes.
type Lobby struct {
	mu       sync.Mutex
	limit    int           // guarded by mu
	patience time.Duration // guarded by mu
	first    *arrival      // guarded by mu; in the order of coming
	last     *arrival      // guarded by mu
	n        int           // guarded by mu
	turned   int64         // guarded by mu; those that had to go
	room     chan struct{} // guarded by mu; closed and replaced when one leaves
}

// NewLobby makes a lobby.
func NewLobby(limit int) *Lobby {
	return &Lobby{limit: limit, patience: lobbyPatience, room: make(chan struct{})}
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
	return l.n, l.turned
}

// Await returns when there is a place, having sent somebody away if it must. It is called by those who accept connections.
func (l *Lobby) Await() {
	for {
		l.mu.Lock()
		if l.n < l.limit {
			l.mu.Unlock()
			return
		}
		room, now := l.room, time.Now()
		soon := l.patience
		var late *arrival
		for a := l.first; a != nil && late == nil; a = a.next {
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
	a.previous = l.last
	if l.last != nil {
		l.last.next = a
	} else {
		l.first = a
	}
	l.last = a
	l.n++
}

func (l *Lobby) leave(a *arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.previous != nil {
		a.previous.next = a.next
	} else {
		l.first = a.next
	}
	if a.next != nil {
		a.next.previous = a.previous
	} else {
		l.last = a.previous
	}
	a.previous, a.next = nil, nil
	l.n--
	l.tellLocked()
}

func (l *Lobby) tellLocked() {
	close(l.room)
	l.room = make(chan struct{})
}
