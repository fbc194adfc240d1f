package bgwriter

import (
	"context"
	"time"
)

// Engine is what the background writer drives.
type Engine interface {
	// CleanBuffers writes up to max dirty pages among the next ones that the clock can evict, and gives how many it wrote.
	CleanBuffers(ahead, max int) (int, error)
	// Buffers gives the size of the shared buffers in pages, and how many pages have been brought into them.
	Buffers() (size int, allocated int64)
	// RefreshHorizon lets hints and pruning go as far as the running transactions allow.
	RefreshHorizon()
}

// Settings are PostgreSQL's settings of these names.
type Settings struct {
	Delay      time.Duration // bgwriter_delay
	MaxPages   int           // bgwriter_lru_maxpages
	Multiplier float64       // bgwriter_lru_multiplier
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

// sweepTime is how long a walk over all buffers takes when nothing is brought into them, as PostgreSQL has it.
const sweepTime = 2 * time.Minute

// demand foretells how many pages the next round will need.
type demand struct {
	seen   int64 // pages brought in at the last round
	smooth float64
}

// smoothing is the number of rounds that a falling demand is averaged over.
const smoothing = 16

// next takes the count of pages brought in so far and gives how many to have clean. A rise is followed at once.
func (d *demand) next(s Settings, size int, allocated int64) int {
	recent := float64(allocated - d.seen)
	d.seen = allocated
	if d.smooth = max(d.smooth+(recent-d.smooth)/smoothing, recent); d.smooth < 1 {
		d.smooth = 0
	}
	least := float64(size) * s.Delay.Seconds() / sweepTime.Seconds()
	return min(size, int(max(d.smooth*s.Multiplier, least, 1)))
}

// Run works until ctx ends.
func (w *Writer) Run(ctx context.Context) error {
	idle := 0
	var d demand
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
		size, allocated := w.engine.Buffers()
		n, err := w.engine.CleanBuffers(d.next(s, size, allocated), s.MaxPages)
		if err != nil {
			return err
		}
		idle++
		if n > 0 {
			idle = 0
		}
	}
}
