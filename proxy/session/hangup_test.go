package session

import (
	"testing"

	"manifold/engine/activity"
)

// TestHangupKeepsNothing: only a statement that runs is given a moment, so that the memory of clients that leave is free at
// once.
func TestHangupKeepsNothing(t *testing.T) {
	c := &Client{task: activity.NewTask(1, nil)}
	c.Hangup()
	if c.reaper != nil {
		t.Error("a timer holds a client that ran nothing")
	}
	c.running = true
	c.Hangup()
	if c.reaper == nil {
		t.Fatal("no timer ends the statement of a client that is gone")
	}
	first := c.reaper
	c.Hangup()
	if c.reaper != first {
		t.Error("the second notice of the same end gives the statement more time")
	}
	c.stopReaper()
	c.reapNow()
	if !c.task.Terminated() || c.reaper != nil {
		t.Error("the statement of a client that is gone goes on")
	}
}
