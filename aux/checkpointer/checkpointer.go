package checkpointer

import (
	"context"
	"time"
)

// Engine is what the checkpointer drives.
type Engine interface {
	// Checkpoint writes all dirty pages; timed says that it is by time, for the counters; pace is called with how far it is and may wait.
	Checkpoint(timed bool, pace func(done, total int) error) error
	// RedoDistance gives the bytes of log written since the last checkpoint began.
	RedoDistance() int64
}

// Settings are PostgreSQL's settings of these names; sizes in bytes.
type Settings struct {
	Timeout    time.Duration // checkpoint_timeout
	MaxWAL     int64         // max_wal_size
	Completion float64       // checkpoint_completion_target
	Warning    time.Duration // checkpoint_warning
}

// Log tells what was done.
type Log interface {
	Say(format string, args ...any)
	Warn(format string, args ...any)
}

// Checkpointer is the loop.
type Checkpointer struct {
	engine   Engine
	settings func() Settings
	log      Log
	tick     time.Duration
}

// New makes a checkpointer; settings is asked before each decision.
func New(e Engine, settings func() Settings, log Log) *Checkpointer {
	return &Checkpointer{engine: e, settings: settings, log: log, tick: time.Second}
}

// cause says why a checkpoint is due.
type cause uint8

const (
	none cause = iota
	byTime
	byLog
)

// due decides. Like PostgreSQL's, a checkpoint by log is due early enough to end within max_wal_size: at the size divided by
// one plus the completion target.
func due(s Settings, since time.Duration, distance int64) cause {
	switch {
	case s.MaxWAL > 0 && float64(distance) >= float64(s.MaxWAL)/(1+s.Completion):
		return byLog
	case s.Timeout > 0 && since >= s.Timeout && distance > idleDistance:
		return byTime
	}
	return none
}

// idleDistance is the log that an idle server may have written since its last checkpoint: not worth another.
const idleDistance = 8 << 10

// Run works until ctx ends. A checkpoint that fails ends it: the supervisor takes over.
func (c *Checkpointer) Run(ctx context.Context) error {
	last := time.Now()
	t := time.NewTicker(c.tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		s := c.settings()
		why := due(s, time.Since(last), c.engine.RedoDistance())
		if why == none {
			continue
		}
		if gap := time.Since(last); why == byLog && gap < s.Warning {
			c.log.Warn("checkpoints are occurring too frequently (%d seconds apart); consider increasing the configuration parameter \"max_wal_size\"", int(gap.Seconds()))
		}
		last = time.Now()
		if err := c.engine.Checkpoint(why == byTime, c.pace(ctx, s, last)); err != nil {
			return err
		}
		c.log.Say("checkpoint complete in %.3f s", time.Since(last).Seconds())
	}
}

// ahead tells whether the writes may rest: a smaller share of the interval's time, and of its log, is gone than of the pages. The
// log counts from the redo pointer, which this checkpoint has set.
func ahead(s Settings, done, total int, elapsed time.Duration, distance int64) bool {
	share := float64(done) / float64(max(total, 1)) * s.Completion
	if s.Timeout <= 0 || share <= elapsed.Seconds()/s.Timeout.Seconds() {
		return false
	}
	return s.MaxWAL <= 0 || share > float64(distance)/(float64(s.MaxWAL)/(1+s.Completion))
}

// pace spreads the writes.
func (c *Checkpointer) pace(ctx context.Context, s Settings, began time.Time) func(done, total int) error {
	return func(done, total int) error {
		for ctx.Err() == nil && ahead(s, done, total, time.Since(began), c.engine.RedoDistance()) {
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		return nil
	}
}
