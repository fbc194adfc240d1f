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
