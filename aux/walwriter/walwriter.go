package walwriter

import (
	"context"
	"time"
)

// Engine is what the WAL writer drives.
type Engine interface {
	// FlushLog makes the log durable as far as it is written.
	FlushLog() error
	// PrepareLog makes the next segments of the log, so that no commit has to wait for that.
	PrepareLog() error
	// LogWritten gives the end of the log in bytes.
	LogWritten() int64
	// LogFilling receives when the buffers of the log fill.
	LogFilling() <-chan struct{}
}

// Writer is the loop.
type Writer struct {
	engine Engine
	delay  func() time.Duration
}

// New makes a WAL writer; delay (wal_writer_delay) is asked before each round.
func New(e Engine, delay func() time.Duration) *Writer { return &Writer{engine: e, delay: delay} }

// Run works until ctx ends. A flush that fails ends it for good: the log is lost.
func (w *Writer) Run(ctx context.Context) error {
	last := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.engine.LogFilling():
		case <-time.After(max(w.delay(), time.Millisecond)):
		}
		if end := w.engine.LogWritten(); end != last {
			if err := w.engine.PrepareLog(); err != nil {
				return err
			}
			if err := w.engine.FlushLog(); err != nil {
				return err
			}
			last = end
		}
	}
}
