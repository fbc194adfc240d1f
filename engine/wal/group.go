package wal

import "time"

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

// groupDelay is how long a leader waits for others to join its flush.
type groupDelay struct {
	wait time.Duration
	busy func() bool
}

// SetGroupDelay has whoever flushes for a statement wait so long before, if busy says that enough others are at work
// (commit_delay, commit_siblings). Zero: no wait.
func (l *Log) SetGroupDelay(wait time.Duration, busy func() bool) {
	if wait <= 0 {
		l.flush.delay.Store(nil)
		return
	}
	l.flush.delay.Store(&groupDelay{wait, busy})
}

// gather waits for others to insert what can be made durable at once. The caller leads and holds nothing.
func (l *Log) gather() {
	if d := l.flush.delay.Load(); d != nil && !l.o.NoSync && d.busy() {
		time.Sleep(d.wait)
	}
}
