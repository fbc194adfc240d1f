package proxy

import "testing"

// TestStorm: the garbage of logins is collected once they have become few, and not for a few.
func TestStorm(t *testing.T) {
	var s storm
	for i, step := range []struct {
		logins int64
		want   bool
	}{{900, false}, {900, false}, {905, false}, {1500, false}, {4000, false}, {4010, true}, {4020, false}, {4900, false}, {4900, false}, {5015, false}, {5020, true}} {
		if got := s.over(step.logins); got != step.want {
			t.Errorf("step %d, %d logins: %v", i, step.logins, got)
		}
	}
	if !cheapToCollect() {
		t.Error("the heap of a test is too large to be collected, or its size is not known")
	}
}
