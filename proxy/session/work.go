package session

import (
	"time"

	"manifold/engine/pgerror"
	"manifold/pool"
	"manifold/proxy/park"
	"manifold/proxy/wire"
)

// work is the memory that a client needs only while it is run: clients on one runner use it in turn.
type work struct {
	runner *park.Runner
	out    wire.Writer
	query  wire.Query
	parse  wire.Parse
	bind   wire.Bind
	target wire.Target
	exec   wire.Execute
	sink   sink
	report func(name, value string)
	sent   int    // how much of what is in out has been counted
	spare  []byte // a buffer for reading

	took  time.Time // when the slot was taken
	ended time.Time // when the last message was done
}

// attach gives the client its memory.
func (c *Client) attach(w *work) {
	c.work = w
	w.sink.c = c
	if w.report == nil {
		w.report = w.out.ParameterStatus
	}
	w.spare = c.in.Borrow(w.spare)
}

// detach takes it away again; what the client has not read as a whole stays with it.
func (c *Client) detach() {
	w := c.work
	w.spare = c.in.Return()
	w.sink.c, w.runner = nil, nil
	c.clear()
	c.work = nil
}

// Yield implements activity.Slots: the client is about to wait, so its slot and its runner's turn go to others.
func (c *Client) Yield() {
	c.lease.Yield()
	if c.runner != nil {
		c.runner.Blocking()
	}
}

// Resume implements activity.Slots.
func (c *Client) Resume() {
	c.lease.Resume()
	if c.runner != nil {
		c.runner.Unblocked()
	}
}

// Wake implements session.Client: it makes the client run although nothing has arrived, from any goroutine.
func (c *Client) Wake() {
	if seat := c.seat.Load(); seat != nil {
		seat.Wake()
	}
}

// Hangup implements park.Client: nobody is there any more to take an answer.
func (c *Client) Hangup() { c.reap() }

// reap ends the statement that runs for a client that is gone, unless it ends soon by itself: what was sent before the end of
// a connection still counts. When none runs there is nothing to end; begin asks again.
func (c *Client) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running && c.reaper == nil {
		c.reaper = time.AfterFunc(grace, c.reapNow)
	}
}

// reapNow runs on the timer's goroutine.
func (c *Client) reapNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaper = nil
	if c.running {
		e := pgerror.New(pgerror.ConnectionFailure, "connection to client lost")
		e.Severity = pgerror.SeverityFatal
		c.task.Terminate(e)
	}
}

// stopReaper lets a timer not keep the memory of a client that is over.
func (c *Client) stopReaper() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaper != nil {
		c.reaper.Stop()
	}
}

// acquireAlways is the lease's, with the runner's turn given up.
func (c *Client) acquireAlways() (pool.Backend, error) {
	if c.runner != nil {
		c.runner.Blocking()
		defer c.runner.Unblocked()
	}
	return c.lease.AcquireAlways()
}
