package session

import (
	"time"

	"manifold/engine/pgerror"
	"manifold/engine/session"
)

// silence is why a client that says nothing will be ended.
type silence uint8

const (
	endless silence = iota // it will not
	idleInTransaction
	idleSession
	idleClient
)

// reason gives what a client is told that was silent for too long.
func (s silence) reason() *pgerror.Error {
	switch s {
	case idleInTransaction:
		return pgerror.New(pgerror.IdleInTransactionSessionTimeout, "terminating connection due to idle-in-transaction timeout")
	case idleSession:
		return pgerror.New(pgerror.IdleSessionTimeout, "terminating connection due to idle-session timeout")
	}
	return pgerror.New(pgerror.IdleSessionTimeout, "terminating connection due to client_idle_timeout")
}

// idleTimer ends a client that is silent for too long. Only the client's runner touches it; the timer wakes the client. It is
// left running when the client speaks, and set again when it went off too early, so that a statement costs nothing.
type idleTimer struct {
	timer *time.Timer
	fires time.Time // when the timer goes off, or went
	at    time.Time // when the silence will have lasted too long
	kind  silence   // endless while the client is not silent
}

// limit gives how long the client may be silent in the state that it is in, zero for ever.
func (c *Client) limit() (time.Duration, silence) {
	k, bound := c.currentKnobs(), c.cfg.policy().IdleTimeout
	switch {
	case c.s.Status != session.Idle:
		return k.idleInTransaction, idleInTransaction
	case bound > 0 && (k.idle == 0 || bound < k.idle):
		return bound, idleClient
	}
	return k.idle, idleSession
}

// startIdle begins the silence of a client, unless it goes on.
func (c *Client) startIdle() {
	t := c.idle
	if t == nil || t.kind == endless {
		limit, kind := c.limit()
		if limit == 0 {
			return
		}
		if t == nil {
			t = &idleTimer{}
			c.idle = t
		}
		t.kind, t.at = kind, time.Now().Add(limit)
	}
	now := time.Now()
	if t.timer != nil && t.fires.After(now) && !t.fires.After(t.at) {
		return
	}
	t.fires = t.at
	if t.timer == nil {
		t.timer = time.AfterFunc(t.at.Sub(now), c.seat.Load().Wake)
		return
	}
	t.timer.Reset(t.at.Sub(now))
}

// end ends the silence: the client has spoken.
func (t *idleTimer) end() {
	if t != nil {
		t.kind = endless
	}
}

// stop lets the timer not keep the memory of a client that is over.
func (t *idleTimer) stop() {
	if t != nil {
		t.timer.Stop()
	}
}

// over tells whether the silence has lasted too long.
func (t *idleTimer) over() bool {
	return t != nil && t.kind != endless && !time.Now().Before(t.at)
}
