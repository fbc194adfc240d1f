package activity

import "testing"

// TestShare: a task gives the processor away once it has had its share, counted from when it last did, or got its slot.
func TestShare(t *testing.T) {
	var k Task
	for i, step := range []struct {
		now   int64
		fresh bool
		want  bool
	}{
		{now: 1000},
		{now: 1000 + int64(share)},
		{now: 1001 + int64(share), want: true},
		{now: 1002 + int64(share)}, // the next share begins
		{now: 1002 + 2*int64(share)},
		{now: 1003 + 2*int64(share), want: true},
		{now: 5000 + 9*int64(share)},
		{now: 5000 + 20*int64(share), fresh: true},
		{now: 5001 + 21*int64(share), want: true},
	} {
		if step.fresh {
			k.BeginSlice()
		}
		if got := k.had(step.now); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}
