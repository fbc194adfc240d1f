package autovacuum

import (
	"context"
	"sync"
	"time"
)

// Table is what is known of a table that was written to.
type Table struct {
	Database, Relation uint32
	Rows               float64 // negative when never analysed
	Dead, Modified     int64
}

// Engine is what autovacuum drives.
type Engine interface {
	// Tables gives the tables written to since the start.
	Tables() ([]Table, error)
	// Maintain vacuums or analyses a table, or both.
	Maintain(ctx context.Context, t Table, vacuum, analyze bool) error
}

// Settings are PostgreSQL's settings of these names.
type Settings struct {
	Enabled          bool          // autovacuum
	Naptime          time.Duration // autovacuum_naptime
	Workers          int           // autovacuum_max_workers
	VacuumThreshold  int64         // autovacuum_vacuum_threshold
	VacuumScale      float64       // autovacuum_vacuum_scale_factor
	AnalyzeThreshold int64         // autovacuum_analyze_threshold
	AnalyzeScale     float64       // autovacuum_analyze_scale_factor
}

// Log tells what went wrong.
type Log interface {
	Warn(format string, args ...any)
}

// Launcher is the loop.
type Launcher struct {
	engine   Engine
	settings func() Settings
	log      Log

	mu   sync.Mutex // guards busy
	busy map[uint64]bool
	wg   sync.WaitGroup
}

// New makes a launcher; settings is asked before each round.
func New(e Engine, settings func() Settings, log Log) *Launcher {
	return &Launcher{engine: e, settings: settings, log: log, busy: map[uint64]bool{}}
}

// needs decides what a table needs.
func needs(t Table, s Settings) (vacuum, analyze bool) {
	rows := max(t.Rows, 0)
	vacuum = float64(t.Dead) > float64(s.VacuumThreshold)+s.VacuumScale*rows
	analyze = float64(t.Modified) > float64(s.AnalyzeThreshold)+s.AnalyzeScale*rows
	return vacuum, analyze
}

// Run works until ctx ends, and then waits for its workers.
func (l *Launcher) Run(ctx context.Context) error {
	defer l.wg.Wait()
	for {
		s := l.settings()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(s.Naptime, time.Second)):
		}
		if !s.Enabled {
			continue
		}
		tables, err := l.engine.Tables()
		if err != nil {
			l.log.Warn("autovacuum could not read the catalogs: %v", err)
			continue
		}
		for _, t := range tables {
			if vacuum, analyze := needs(t, s); vacuum || analyze {
				l.start(ctx, t, vacuum, analyze, s.Workers)
			}
		}
	}
}

// start gives a table to a worker, unless it is being worked on or all workers are busy: the next round sees it again.
func (l *Launcher) start(ctx context.Context, t Table, vacuum, analyze bool, workers int) {
	key := uint64(t.Database)<<32 | uint64(t.Relation)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[key] || len(l.busy) >= workers {
		return
	}
	l.busy[key] = true
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		if err := l.engine.Maintain(ctx, t, vacuum, analyze); err != nil && ctx.Err() == nil {
			l.log.Warn("%v", err)
		}
		l.mu.Lock()
		delete(l.busy, key)
		l.mu.Unlock()
	}()
}
