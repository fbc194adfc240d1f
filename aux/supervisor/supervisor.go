package supervisor

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// Process is one auxiliary loop.
type Process struct {
	Name string // PostgreSQL's title
	// Run works until ctx ends; its return before that is a failure, with or without an error.
	Run      func(ctx context.Context) error
	Critical bool
}

// Log is what the supervisor tells.
type Log interface {
	Say(format string, args ...any)
	Warn(format string, args ...any)
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
	healthy    = time.Minute // a loop that ran this long has its pauses forgiven
)

// Supervisor owns the loops.
type Supervisor struct {
	log   Log
	crash func(reason string)
	loops []loop
}

type loop struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a supervisor; crash ends the server.
func New(log Log, crash func(reason string)) *Supervisor { return &Supervisor{log: log, crash: crash} }

// Start starts a process after those started before.
func (s *Supervisor) Start(p Process) {
	ctx, cancel := context.WithCancel(context.Background())
	l := loop{name: p.Name, cancel: cancel, done: make(chan struct{})}
	s.loops = append(s.loops, l)
	go func() {
		defer close(l.done)
		s.keep(ctx, p)
	}()
}

// Stop ends the processes, the last one first, each before the next.
func (s *Supervisor) Stop() {
	for i := len(s.loops) - 1; i >= 0; i-- {
		s.loops[i].cancel()
		<-s.loops[i].done
	}
	s.loops = nil
}

// keep runs a process again and again until ctx ends.
func (s *Supervisor) keep(ctx context.Context, p Process) {
	pause := firstPause
	for {
		began := time.Now()
		err := s.once(ctx, p)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, ctx.Err()) {
				s.log.Warn("%s stopped with: %v", p.Name, err)
			}
			return
		}
		if p.Critical {
			s.crash(p.Name + " failed")
			return
		}
		if time.Since(began) > healthy {
			pause = firstPause
		}
		s.log.Warn("%s ended (%v); it starts again in %s", p.Name, err, pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// once runs a process and turns a panic into an error.
func (s *Supervisor) once(ctx context.Context, p Process) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Warn("%s panicked: %v\n%s", p.Name, r, debug.Stack())
			err = errors.New("panic")
		}
	}()
	return p.Run(ctx)
}
