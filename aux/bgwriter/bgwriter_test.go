package bgwriter

import (
	"testing"
	"time"
)

func TestDemandFollowsARiseAtOnceAndAFallSlowly(t *testing.T) {
	s := Settings{Delay: 200 * time.Millisecond, Multiplier: 2}
	var d demand
	const size = 1200 // a round walks over two of them at least
	if got := d.next(s, size, 0); got != 2 {
		t.Fatalf("without demand: %d", got)
	}
	if got := d.next(s, size, 100); got != 200 {
		t.Fatalf("after 100 pages: %d", got)
	}
	last := 200
	for range smoothing {
		got := d.next(s, size, 100)
		if got >= last || got < last/2 {
			t.Fatalf("%d after %d", got, last)
		}
		last = got
	}
	if got := d.next(s, size, 10000); got != size {
		t.Fatalf("beyond all buffers: %d", got)
	}
}
