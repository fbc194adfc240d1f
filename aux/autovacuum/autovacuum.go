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
	Age                int64             // transactions since the oldest that the table needs the commit log for
	Options            map[string]string // the table's storage parameters, which go before the settings
}

// Engine is what autovacuum drives.
type Engine interface {
	// Tables gives the tables written to since the start, and those older than age.
	Tables(age int64) ([]Table, error)
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
	FreezeMaxAge     int64         // autovacuum_freeze_max_age
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

	mu      sync.Mutex      // guards all but wg
	busy    map[uint64]bool // tables that are queued or being worked on
	queue   []job
	workers int
	wg      sync.WaitGroup
}

// New makes a launcher; settings is asked before each round.
func New(e Engine, settings func() Settings, log Log) *Launcher {
	return &Launcher{engine: e, settings: settings, log: log, busy: map[uint64]bool{}}
}

// needs decides what a table needs.
func needs(t Table, s Settings) (vacuum, analyze bool) {
	// Too old a table is vacuumed whatever else is set: the commit log cannot be cut before.
	old := float64(t.Age) > min(float64(s.FreezeMaxAge), t.number("autovacuum_freeze_max_age", float64(s.FreezeMaxAge)))
	if off, err := strconv.ParseBool(t.Options["autovacuum_enabled"]); err == nil && !off || strings.EqualFold(t.Options["autovacuum_enabled"], "off") {
		return old, false
	}
	rows := max(t.Rows, 0)
	limit := func(threshold int64, scale float64, name string) float64 {
		return t.number(name+"_threshold", float64(threshold)) + t.number(name+"_scale_factor", scale)*rows
	}
	if !s.Enabled {
		return old, false
	}
	vacuum = old || float64(t.Dead) > limit(s.VacuumThreshold, s.VacuumScale, "autovacuum_vacuum")
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
		tables, err := l.engine.Tables(s.FreezeMaxAge)
		if err != nil {
			l.log.Warn("autovacuum could not read the catalogs: %v", err)
			continue
		}
		for _, t := range tables {
			if vacuum, analyze := needs(t, s); vacuum || analyze {
				l.start(ctx, job{t, vacuum, analyze}, s.Workers)
			}
		}
	}
}

// job is what a table needs.
type job struct {
	t               Table
	vacuum, analyze bool
}

func (t *Table) key() uint64 { return uint64(t.Database)<<32 | uint64(t.Relation) }

// start queues what is not yet queued or being worked on, and sees that there are workers for it.
func (l *Launcher) start(ctx context.Context, j job, workers int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[j.t.key()] {
		return
	}
	l.busy[j.t.key()] = true
	l.queue = append(l.queue, j)
	if l.workers >= max(workers, 1) {
		return
	}
	l.workers++
	l.wg.Add(1)
	go l.work(ctx)
}

// work is a worker: it takes tables until none is left.
func (l *Launcher) work(ctx context.Context) {
	defer l.wg.Done()
	for {
		l.mu.Lock()
		if len(l.queue) == 0 || ctx.Err() != nil {
			l.workers--
			l.mu.Unlock()
			return
		}
		j := l.queue[0]
		l.queue = l.queue[1:]
		l.mu.Unlock()
		if err := l.engine.Maintain(ctx, j.t, j.vacuum, j.analyze); err != nil && ctx.Err() == nil {
			l.log.Warn("%v", err)
		}
		l.mu.Lock()
		delete(l.busy, j.t.key())
		l.mu.Unlock()
	}
}
