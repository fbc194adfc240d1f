package bgwriter

import (
	"context"
	"time"
)

// Engine is what the background writer drives.
type Engine interface {
	// CleanBuffers writes up to max dirty pages that the clock will reach soon, and gives how many it wrote.
	CleanBuffers(max int) (int, error)
	// RefreshHorizon lets hints and pruning go as far as the running transactions allow.
	RefreshHorizon()
}

// Settings are PostgreSQL's settings of these names.
type Settings struct {
	Delay    time.Duration // bgwriter_delay
	MaxPages int           // bgwriter_lru_maxpages
}

// Writer is the loop.
type Writer struct {
	engine   Engine
	settings func() Settings
}

// New makes a background writer; settings is asked before each round.
func New(e Engine, settings func() Settings) *Writer { return &Writer{engine: e, settings: settings} }

// idleFactor lengthens the delay while there is nothing to write, as PostgreSQL's hibernation does.
const idleFactor = 10

// Run works until ctx ends.
func (w *Writer) Run(ctx context.Context) error {
	idle := 0
	for {
		s := w.settings()
		delay := max(s.Delay, time.Millisecond)
		if idle > 3 {
			delay *= idleFactor
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
		w.engine.RefreshHorizon()
		if s.MaxPages <= 0 {
			continue
		}
		n, err := w.engine.CleanBuffers(s.MaxPages)
		if err != nil {
			return err
		}
		idle++
		if n > 0 {
			idle = 0
		}
	}
}
