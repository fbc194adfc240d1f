package main

import (
	"errors"
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
			think := func(s *many.Server) (string, error) {
				t, err := s.Think(10000, 0.7, d)
				return thought(&t), err
			}
			t, err := s.Think(10000, 0.7, d)
			text := "10,000 clients thinking, load 0.7: " + thought(&t)
			if err != nil {
				return text, err
			}
			least, err := atFloor(o, func(s *many.Server) (string, error) {
				t, err := s.ThinkAt(10000, t.Rate, d)
				return fmt.Sprintf("p50 %v, p99 %v", t.P50, t.P99), err
			})
			if err != nil {
				return text + least, err
			}
			peer, err := atPgBouncer(o, think)
			return text + least + peer, err
		}},
		{8, func(s *many.Server) (string, error) {
			t, err := s.Reconnect(9000, 200, d)
			text := "9,000 clients reconnecting: " + reconnected(&t)
			if err != nil {
				return text, err
			}
			again := func(s *many.Server) (string, error) {
				t, err := s.Reconnect(9000, 200, d)
				return reconnected(&t), err
			}
			least, err := atFloor(o, again)
			if err != nil {
				return text + least, err
			}
			peer, err := atPgBouncer(o, again)
			return text + least + peer, err
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

func thought(t *many.Thinking) string {
	return fmt.Sprintf("all in after %v, %.0f of %.0f statements/s, p50 %v, p99 %v", t.Login.Round(time.Millisecond), t.Rate, t.Full, t.P50, t.P99)
}

func reconnected(t *many.Reconnecting) string {
	return fmt.Sprintf("all in after %v; 200 working ones p50 %v, p99 %v, before p50 %v, p99 %v", t.Login.Round(time.Millisecond), t.P50, t.P99, t.Calm50, t.Calm99)
}

// atFloor plays something against a server that costs nothing, to tell what of a time is the machine's and the clients'.
func atFloor(o *options, play func(s *many.Server) (string, error)) (text string, err error) {
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
	if err := s.wait(o); err != nil {
		return "", err
	}
	to := s.many(o)
	text, err = play(&to)
	return "; a server that does nothing but answer: " + text, err
}

// atPgBouncer plays something against PgBouncer before PostgreSQL; without PgBouncer it says so.
func atPgBouncer(o *options, play func(s *many.Server) (string, error)) (text string, err error) {
	dir, err := os.MkdirTemp("", "manifold-bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	pg, err := startPostgres(o, dir, nil)
	if err != nil {
		return "; no PostgreSQL beside it: " + err.Error(), nil
	}
	defer pg.stop()
	if err := errors.Join(pg.wait(o), load(o, []*server{pg})); err != nil {
		return "", err
	}
	s, err := startPgBouncer(o, dir, []*server{pg})
	if err != nil {
		return "; no PgBouncer beside it: " + err.Error(), nil
	}
	defer s.stop()
	if err := s.wait(o); err != nil {
		return "", err
	}
	to := s.many(o)
	text, err = play(&to)
	if err != nil { // the peer's trouble is a figure too
		text, err = text+" (failed: "+err.Error()+")", nil
	}
	return "; PgBouncer: " + text, err
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
