package main

import (
	"fmt"
	"os"
	"time"

	"manifold/cmd/internal/many"
)

// scene is one of package many at full size.
type scene struct {
	backends int
	play     func(s *many.Server) (string, error)
}

func scenes(o *options) []scene {
	d := time.Duration(o.seconds) * time.Second
	out := []scene{
		{8, func(s *many.Server) (string, error) {
			t, err := s.Think(10000, 0.7, d)
			text := fmt.Sprintf("10,000 clients thinking, load 0.7: all in after %v, %.0f of %.0f statements/s, p50 %v, p99 %v", t.Login.Round(time.Millisecond),
				t.Rate, t.Full, t.P50, t.P99)
			if err != nil {
				return text, err
			}
			least, err := thinkAtFloor(o, t.Rate, d)
			return text + least, err
		}},
		{8, func(s *many.Server) (string, error) {
			t, err := s.Reconnect(9000, 200, d)
			return fmt.Sprintf("9,000 clients reconnecting: all in after %v; 200 working ones p50 %v, p99 %v, before p50 %v, p99 %v", t.Login.Round(time.Millisecond),
				t.P50, t.P99, t.Calm50, t.Calm99), err
		}},
		{4, func(s *many.Server) (string, error) {
			t, err := s.RestInTransactions(5000, 64, o.rounds, d)
			return fmt.Sprintf("5,000 clients resting in transactions on 4 backends: 64 others do %.0f statements/s, %.2f of %.0f without them", t.Beside,
				t.Beside/t.Alone, t.Alone), err
		}},
	}
	for _, kind := range many.Kinds() {
		out = append(out, scene{1, func(s *many.Server) (string, error) {
			t, err := s.Lock(kind, 500, 10, 5*time.Millisecond)
			return fmt.Sprintf("500 clients locking rows on 1 backend, %s: %d commits in %v, retries %v", kind, t.Commits, t.Took.Round(time.Millisecond), t.Retries), err
		}})
	}
	return out
}

// thinkAtFloor measures what the same statements take at the same rate when they cost the server nothing.
func thinkAtFloor(o *options, rate float64, d time.Duration) (text string, err error) {
	dir, err := os.MkdirTemp("", "manifold-bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	s, err := startFloor(o, dir, nil)
	if err != nil {
		return "", err
	}
	defer s.stop()
	to := s.many(o)
	t, err := to.ThinkAt(10000, rate, d)
	return fmt.Sprintf("; a server that does nothing but answer, as many: p50 %v, p99 %v", t.P50, t.P99), err
}

// runMany plays every scene against a server of its own.
func runMany(o *options) error {
	for _, sc := range scenes(o) {
		if err := playOne(o, sc); err != nil {
			return err
		}
	}
	return nil
}

func playOne(o *options, sc scene) error {
	dir, err := os.MkdirTemp("", "manifold-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startManifoldWith(o, dir, sc.backends)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.wait(o); err != nil {
		return err
	}
	if err := load(o, []*server{s}); err != nil {
		return err
	}
	to := s.many(o)
	text, err := sc.play(&to)
	fmt.Println(text)
	return err
}
