package session

import (
	"os"
	"sync/atomic"
	"time"

	"manifold/pool/turns"
	"manifold/proxy/park"
)

// arrival is a connection whose client has not logged in.
type arrival struct {
	conn  *park.Conn
	by    time.Time   // when it must have
	timer *time.Timer // nil until the client has been waited for

	since  time.Time   // of the connection
	served atomic.Bool // it waits for the server, not the server for it
	turned atomic.Bool // it has to go

	entry turns.Entry[*arrival] // guarded by the mutex of the lobby; in its line
}

// turnAway ends an arrival that has taken too long, from any goroutine.
func (a *arrival) turnAway() {
	// A connection without deadlines is closed already.
	_ = a.conn.SetDeadline(time.Unix(1, 0))
	a.conn.Seat().Wake()
}

// leaveLobby tells that the client is authenticated, or will not be.
func (c *Client) leaveLobby() {
	if c.coming != nil && !c.outside {
		c.outside = true
		c.cfg.Lobby.leave(c.coming)
	}
}

// stage is how far a client has come.
type stage uint8

const (
	awaited stage = iota // nothing has arrived
	came                 // it is logged in
	gone                 // it is refused or has left
)

// arrive logs the client in once something has arrived: a connection that says nothing has no goroutine. What remains of the
// exchange is waited for with the runner's turn given to others.
func (c *Client) arrive() stage {
	a := c.coming
	if _, err := c.in.TryFill(&c.sock); err != nil {
		return gone
	}
	if c.in.Buffered() == 0 && !a.conn.Seat().Hung() {
		return c.awaitFirst()
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	if err := c.sock.SetDeadline(a.by); err != nil {
		return gone
	}
	if a.turned.Load() {
		a.turnAway()
	}
	a.conn.Use(c.runner)
	defer a.conn.Use(nil)
	if c.start() != nil || c.send() != nil {
		return gone
	}
	c.coming = nil
	seat := a.conn.Seat()
	seat.Forget()
	seat.Join(c.who.User + "\x00" + c.who.Database)
	c.seat.Store(seat)
	return came
}

// awaitFirst lets the client rest until its first byte or until it has had time enough.
func (c *Client) awaitFirst() stage {
	a := c.coming
	left := time.Until(a.by)
	if left <= 0 || a.turned.Load() {
		// The client does not get in, so there is nothing to do about an error.
		_ = c.refuse(os.ErrDeadlineExceeded)
		return gone
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(left, a.conn.Seat().Wake)
	}
	return awaited
}
