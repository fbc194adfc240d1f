package autovacuum

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Table is what is known of a table that was written to.
type Table struct {
	Database, Relation uint32
	Rows               float64 // negative when never analysed
	Dead, Modified     int64
	Added              int64             // rows inserted since the last vacuum
	Options            map[string]string // the table's storage parameters, which go before the settings
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
	InsertThreshold  int64         // autovacuum_vacuum_insert_threshold; negative: inserts alone are no reason
	InsertScale      float64       // autovacuum_vacuum_insert_scale_factor
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
	if off, err := strconv.ParseBool(t.Options["autovacuum_enabled"]); err == nil && !off || strings.EqualFold(t.Options["autovacuum_enabled"], "off") {
		return false, false
	}
	rows := max(t.Rows, 0)
	limit := func(threshold int64, scale float64, name string) float64 {
		return t.number(name+"_threshold", float64(threshold)) + t.number(name+"_scale_factor", scale)*rows
	}
	vacuum = float64(t.Dead) > limit(s.VacuumThreshold, s.VacuumScale, "autovacuum_vacuum")
	if t.number("autovacuum_vacuum_insert_threshold", float64(s.InsertThreshold)) >= 0 {
		vacuum = vacuum || float64(t.Added) > limit(s.InsertThreshold, s.InsertScale, "autovacuum_vacuum_insert")
	}
	analyze = float64(t.Modified) > limit(s.AnalyzeThreshold, s.AnalyzeScale, "autovacuum_analyze")
	return vacuum, analyze
}

// number gives a storage parameter, or the setting of the name where the table has none.
func (t *Table) number(name string, setting float64) float64 {
	if v, err := strconv.ParseFloat(t.Options[name], 64); err == nil {
		return v
	}
	return setting
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
