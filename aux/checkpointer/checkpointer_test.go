package checkpointer

import (
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	s := Settings{Timeout: time.Minute, MaxWAL: 1 << 30, Completion: 0.9}
	for _, c := range []struct {
		since    time.Duration
		distance int64
		want     cause
	}{
		{0, 0, none}, {time.Hour, 0, none}, {time.Hour, 1 << 20, byTime}, {time.Second, 1 << 20, none},
		{time.Second, 600 << 20, byLog}, {time.Second, 500 << 20, none},
	} {
		if got := due(s, c.since, c.distance); got != c.want {
			t.Errorf("due(%v, %d) = %d, want %d", c.since, c.distance, got, c.want)
		}
	}
}

// TestPace pins that a checkpoint hurries when the log of its interval is written sooner than its time is over.
func TestPace(t *testing.T) {
	s := Settings{Timeout: 100 * time.Second, MaxWAL: 190, Completion: 0.9}
	for _, c := range []struct {
		done     int
		elapsed  time.Duration
		distance int64
		want     bool
	}{
		{50, 10 * time.Second, 0, true},   // 45 % of the interval would be due
		{50, 46 * time.Second, 0, false},  // by time
		{50, 10 * time.Second, 46, false}, // by log: 46 of 100
		{50, 10 * time.Second, 44, true},
		{100, 89 * time.Second, 89, true},
		{100, 91 * time.Second, 0, false},
	} {
		if got := ahead(s, c.done, 100, c.elapsed, c.distance); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
