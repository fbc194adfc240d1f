package wal

import (
	"time"

	"manifold/engine/activity"
)

// Counts are what the log has done since the start.
type Counts struct {
	Records, Images, Bytes int64 // inserted; images of pages among that
	Full                   int64 // times that the buffers were full
	Writes, Syncs          int64
}

// Counts gives the counters.
func (l *Log) Counts() Counts {
	l.mu.Lock()
	c := l.made
	l.mu.Unlock()
	c.Full, c.Writes, c.Syncs = l.flush.full.Load(), l.flush.writes.Load(), l.flush.syncs.Load()
	return c
}

// SetTuning says how the records of work without a tuning of its own are made, and of flushes for it; busy tells, for
// LogTuning.Siblings of all, whether so many others are at work.
func (l *Log) SetTuning(t activity.LogTuning, busy func(others int) bool) {
	l.tuning.Store(&tuning{t, busy})
}

// tuning is what SetTuning was given.
type tuning struct {
	activity.LogTuning
	busy func(others int) bool
}

// tuningOf gives the tuning of a task, or the server's.
func (l *Log) tuningOf(own *activity.LogTuning) *activity.LogTuning {
	if own == nil {
		own = &l.tuning.Load().LogTuning
	}
	return own
}

// A commit that others have been waiting for, crowd of them or more, waits for theirs, crowdShare for each. They follow each other at
// once, so that each would have a flush of its own otherwise; what that costs is better spent on them, and while they last nobody
// misses the client whose answer waits.
const (
	crowd      = 8
	crowdShare = 125 * time.Microsecond
	crowdDelay = 2 * time.Millisecond // at most
)

// gather waits for others to insert what can be made durable at once. The caller leads and holds nothing.
func (l *Log) gather(task *activity.Task) {
	var delay time.Duration
	if n := task.TakeCrowd(); n >= crowd {
		delay = min(time.Duration(n)*crowdShare, crowdDelay)
	}
	t := l.tuningOf(task.LogTuning())
	if busy := l.tuning.Load().busy; t.Delay > delay && busy != nil && busy(t.Siblings) {
		delay = t.Delay
	}
	if delay > 0 && !l.o.NoSync {
		time.Sleep(delay)
	}
}
