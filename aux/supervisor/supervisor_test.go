package supervisor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

type quiet struct{}

func (quiet) Say(string, ...any)  {}
func (quiet) Warn(string, ...any) {}

// TestOrder: processes stop in the opposite order, each before the next.
func TestOrder(t *testing.T) {
	s := New(quiet{}, func(reason string) { t.Error(reason) })
	var mu sync.Mutex
	var stopped []string
	for _, name := range []string{"a", "b", "c"} {
		s.Start(Process{Name: name, Run: func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			stopped = append(stopped, name)
			return nil
		}})
	}
	s.Stop()
	if !slices.Equal(stopped, []string{"c", "b", "a"}) {
		t.Error(stopped)
	}
}

// TestRestart: a loop that fails, returns or panics starts again.
func TestRestart(t *testing.T) {
	s := New(quiet{}, func(reason string) { t.Error(reason) })
	third := make(chan struct{})
	n := 0
	s.Start(Process{Name: "p", Run: func(ctx context.Context) error {
		n++
		switch n {
		case 1:
			panic("once")
		case 2:
			return errors.New("twice")
		}
		close(third)
		<-ctx.Done()
		return nil
	}})
	<-third
	s.Stop()
}

func TestCriticalCrashes(t *testing.T) {
	crashed := make(chan string, 1)
	s := New(quiet{}, func(reason string) { crashed <- reason })
	s.Start(Process{Name: "p", Critical: true, Run: func(context.Context) error { return errors.New("no") }})
	if got := <-crashed; got != "p failed" {
		t.Error(got)
	}
	s.Stop()
}
