package autovacuum

import "testing"

func TestNeedsByThresholds(t *testing.T) {
	s := Settings{VacuumThreshold: 50, VacuumScale: 0.2, AnalyzeThreshold: 50, AnalyzeScale: 0.1}
	for _, c := range []struct {
		t               Table
		vacuum, analyze bool
	}{
		{Table{Rows: -1, Dead: 50, Modified: 50}, false, false},
		{Table{Rows: -1, Dead: 51, Modified: 51}, true, true},
		{Table{Rows: 1000, Dead: 250, Modified: 150}, false, false},
		{Table{Rows: 1000, Dead: 251, Modified: 150}, true, false},
		{Table{Rows: 1000, Dead: 0, Modified: 151}, false, true},
	} {
		if v, a := needs(c.t, s); v != c.vacuum || a != c.analyze {
			t.Errorf("%+v: vacuum %v, analyze %v", c.t, v, a)
		}
	}
}
