package session

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/pool"
	"manifold/proxy/park"
)

// take gets a slot and a backend, unless the client still has them.
func (c *Client) take() error {
	if c.be != nil {
		return nil
	}
	be, err := c.lease.Acquire(c.class())
	if err != nil {
		return err
	}
	c.be, c.took = be, c.began
	return nil
}

// class tells how urgent the client's next message is to others.
func (c *Client) class() pool.Class {
	switch {
	case c.inTransaction(), c.s.Proc != nil && c.s.Proc.Owner().HoldsSession():
		return pool.Holder
	case c.long:
		return pool.Long
	}
	return pool.Normal
}

// level tells the same to the poller.
func (c *Client) level() park.Level {
	switch {
	case c.class() != pool.Holder:
		return park.Normal
	case c.s.Proc != nil && c.s.Proc.Owner().Wanted():
		return park.Wanted
	}
	return park.Holding
}

// enter makes the transaction block known to the pool. One that has done nothing may have to wait for a moment with its answer:
// true when the client is to rest until then.
func (c *Client) enter() bool {
	fresh := c.out.Len() > 0 && !c.s.Tx.Queried && (c.s.Proc == nil || c.s.Proc.Owner().HoldsNothing())
	if !c.lease.Enter(fresh, c) {
		return false
	}
	c.task.Mark(activity.EventSlot)
	c.held = append([]byte(nil), c.out.Buf...)
	c.clear()
	return true
}

// entered ends the wait of enter, when it is over or the client is.
func (c *Client) entered() bool {
	if c.lease.Waits() && !c.task.Terminated() && !c.seat.Load().Hung() {
		return false
	}
	c.task.Mark(activity.EventNone)
	c.out.Buf = append(c.out.Buf, c.held...)
	c.sent = len(c.held)
	c.held = nil
	return true
}

// inTransaction tells whether the client is inside a transaction, explicit or implicit.
func (c *Client) inTransaction() bool {
	return c.s.Status != session.Idle || c.s.Tx.Block || c.s.Tx.Implicit || c.open
}

// giveBack returns slot and backend, if held.
func (c *Client) giveBack() {
	if c.be != nil {
		c.be = nil
		c.lease.Rest(c.inTransaction())
		c.countSent()
		c.lease.Release()
	}
}

// begin starts a message that needs a backend: from here it can be cancelled and times out. Others see the text, unless it is
// empty, while it waits for a backend too.
func (c *Client) begin(text string) error {
	if c.s.Status == session.Idle && !c.open {
		c.cfg.Engine.Refresh(c.s)
	}
	c.began = time.Now()
	if c.txBegan.IsZero() {
		c.txBegan = c.began
	}
	k := c.currentKnobs()
	c.mu.Lock()
	c.running = true
	c.task.ClearCancel()
	c.deadline = time.Time{}
	if k.statementTimeout > 0 {
		c.deadline = c.began.Add(k.statementTimeout)
	}
	c.mu.Unlock()
	if k.statementTimeout > 0 {
		c.startTimer(k.statementTimeout)
	}
	if text != "" {
		c.query.Text = text
		c.showActive(text)
	}
	if c.seat.Load().Hung() {
		c.reap()
	}
	return c.take()
}

// finish ends what begin began, and tells how long it took.
func (c *Client) finish() time.Duration {
	c.stopRunning()
	d := time.Since(c.began)
	c.ended = c.began.Add(d)
	c.long, c.heavy = d > longRun, d > moment
	return d
}

func (c *Client) stopRunning() {
	c.mu.Lock()
	c.running = false
	c.deadline = time.Time{}
	c.mu.Unlock()
}

// restart gives the next statement of a query message a timeout of its own.
func (c *Client) restart() {
	if d := c.knobs.statementTimeout; d > 0 {
		c.mu.Lock()
		if c.running {
			c.deadline = time.Now().Add(d)
		}
		c.mu.Unlock()
		c.startTimer(d)
	}
}

func (c *Client) startTimer(d time.Duration) {
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.timedOut)
		return
	}
	c.timer.Reset(d)
}

func (c *Client) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// timedOut runs on the timer's goroutine. A timer of an earlier statement finds a later deadline, or none.
func (c *Client) timedOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running && !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		c.task.Cancel(pgerror.New(pgerror.QueryCanceled, "canceling statement due to statement timeout"))
	}
}

// Cancel implements session.Client: it ends the message that runs now, if any.
func (c *Client) Cancel(e *pgerror.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.task.Cancel(e)
	}
}

// kill ends the client; it is called from other goroutines.
func (c *Client) kill(e *pgerror.Error) { c.task.Terminate(e) }

// wake is what the task calls when it is terminated, from any goroutine: a client that rests is run, reads inside a statement
// return, and writes that the client holds up.
func (c *Client) wake() {
	event, _ := c.task.Waiting()
	if event == activity.EventClientRead || event == activity.EventClientWrite || c.writing.Load() || c.seat.Load() == nil {
		c.sock.Wake(event == activity.EventClientWrite || c.writing.Load())
	}
	if seat := c.seat.Load(); seat != nil {
		seat.Wake()
	}
}
