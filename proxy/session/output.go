package session

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/notify"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/proxy/wire"
)

// await waits until the log lets the answer go.
func (c *Client) await() error {
	if c.s == nil {
		return nil
	}
	if err := c.cfg.Engine.AwaitAnswer(c.s); err != nil {
		c.broken = errGone
		f := *pgerror.From(err)
		f.Severity = pgerror.SeverityFatal
		c.log(&f)
		c.broken = nil
		c.sayLast(&f)
		return c.broken
	}
	return nil
}

// send writes everything; the client must hold no slot.
func (c *Client) send() error {
	if c.broken != nil {
		return c.broken
	}
	if c.out.Len() == 0 {
		return nil
	}
	if err := c.await(); err != nil {
		return err
	}
	err := c.write()
	c.clear()
	if err != nil {
		c.broken = errGone
	}
	return c.broken
}

// write sends what is in the buffer. The client's slot and its runner's turn go to others when it has to wait.
func (c *Client) write() error {
	n, err := c.sock.TryWrite(c.out.Buf)
	if err != nil || n == c.out.Len() {
		return err
	}
	if c.task == nil || c.lease == nil {
		_, err = c.sock.Write(c.out.Buf[n:])
		return err
	}
	c.writing.Store(true)
	c.task.BeginWait(activity.EventClientWrite)
	if c.task.Terminated() {
		c.sock.Wake(true)
	}
	_, err = c.sock.Write(c.out.Buf[n:])
	c.task.EndWait()
	c.writing.Store(false)
	return err
}

// clear forgets what has been sent, or cannot be.
func (c *Client) clear() {
	c.countSent()
	c.out.Clear()
	c.sent = 0
}

// countSent counts what is in the buffer as sent; that is before it is, so that it belongs to the statement that made it.
func (c *Client) countSent() {
	if c.lease != nil {
		c.lease.Sent(c.out.Len() - c.sent)
		c.sent = c.out.Len()
	}
}

// push writes everything in the middle of a statement or pipeline. The slot is kept when the kernel takes the bytes at
// once, and given up until the client has read them otherwise.
func (c *Client) push() error {
	if c.be == nil {
		return c.send()
	}
	if c.broken != nil {
		return c.broken
	}
	if err := c.await(); err != nil {
		return err
	}
	err := c.write()
	c.clear()
	if err != nil {
		c.broken = errGone
	}
	return c.broken
}

// notices sends what the engine left for the client.
func (c *Client) notices() {
	if len(c.s.Notices) == 0 {
		return
	}
	for i, n := range c.s.Notices {
		c.notice(n)
		c.s.Notices[i] = nil
	}
	c.s.Notices = c.s.Notices[:0]
}

func (c *Client) notice(n *pgerror.Error) {
	if n.Severity == pgerror.SeverityInfo || rank(n.Severity) >= c.currentKnobs().clientMin {
		c.out.Notice(n)
	}
	if rank(n.Severity) >= rank(pgerror.SeverityWarning) {
		c.log(n)
	}
}

// notesAtOnce is how many notifications are taken off the queue at a time.
const notesAtOnce = 64

// notifications sends what has come for a client that is outside of any transaction. What the session has just sent itself
// stands before the end of its answer.
func (c *Client) notifications() {
	s := c.s
	if s.Listener == nil || s.Status != session.Idle || c.broken != nil {
		return
	}
	if s.Heard != 0 {
		s.Heard = 0
		if c.await() != nil {
			return
		}
		c.cfg.Engine.DeliverNotifications()
	}
	for s.Listener.Waiting() && c.broken == nil {
		s.Listener.Take(notesAtOnce, func(sender uint32, n *notify.Note) { c.out.Notification(sender, n.Channel, n.Payload) })
		if c.out.Len() > wire.FlushAt {
			c.push()
		}
	}
}

// fail ends the statement with an error: the engine aborts what it was part of, and the client is told.
func (c *Client) fail(err error) {
	e := pgerror.From(err)
	if c.be != nil || c.s.Status != 'I' || c.open {
		if c.be == nil {
			be, acquireErr := c.acquireAlways()
			if acquireErr != nil {
				c.lastError(pgerror.From(acquireErr))
				return
			}
			c.be, c.took = be, c.began
		}
		c.be.Fail(c.s, e)
	}
	if c.broken != nil || c.task.Terminated() {
		return // the loop says the last word
	}
	c.notices()
	f := *e
	if f.Severity == "" {
		f.Severity = pgerror.SeverityError
	}
	if f.Severity == pgerror.SeverityFatal || f.Severity == pgerror.SeverityPanic {
		c.lastError(&f)
		return
	}
	c.cfg.Registry.noteError(f.Code)
	c.cfg.Log.Event(&c.who, &f, c.query.Text)
	c.out.Error(&f)
}

// ready ends the answer to a query message or Sync.
func (c *Client) ready() {
	if c.broken != nil || c.task.Terminated() {
		return
	}
	if c.s.Status == session.Idle && !c.txBegan.IsZero() {
		c.lease.Transaction(c.ended.Sub(c.txBegan))
		c.txBegan = time.Time{}
	}
	c.notices()
	c.notifications()
	c.s.Settings.TakeReports(c.report)
	c.out.ReadyForQuery(byte(c.s.Status))
	c.showIdle()
	if c.out.Len() > wire.FlushAt {
		c.push()
	}
}
