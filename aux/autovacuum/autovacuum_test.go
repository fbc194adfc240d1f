package autovacuum

import "testing"

func TestNeedsByThresholds(t *testing.T) {
	s := Settings{Enabled: true, FreezeMaxAge: 1000, InsertThreshold: 1000, InsertScale: 0.2, VacuumThreshold: 50, VacuumScale: 0.2, AnalyzeThreshold: 50, AnalyzeScale: 0.1}
	for _, c := range []struct {
		t               Table
		vacuum, analyze bool
	}{
		{Table{Rows: -1, Dead: 50, Modified: 50}, false, false},
		{Table{Rows: -1, Dead: 51, Modified: 51}, true, true},
		{Table{Rows: 1000, Dead: 250, Modified: 150}, false, false},
		{Table{Rows: 1000, Dead: 251, Modified: 150}, true, false},
		{Table{Rows: 1000, Dead: 0, Modified: 151}, false, true},
		{Table{Rows: 1000, Added: 1200}, false, false},
		{Table{Rows: 1000, Added: 1201}, true, false},
		{Table{Rows: 1000, Added: 5000, Options: map[string]string{"autovacuum_vacuum_insert_threshold": "-1"}}, false, false},
		{Table{Rows: 1000, Dead: 900, Modified: 900, Options: map[string]string{"autovacuum_enabled": "off"}}, false, false},
		{Table{Rows: 1000, Dead: 900, Modified: 900, Options: map[string]string{"autovacuum_enabled": "false"}}, false, false},
		{Table{Rows: -1, Age: 1000}, false, false},
		{Table{Rows: -1, Age: 1001}, true, false},
		{Table{Rows: 1000, Age: 1001, Dead: 900, Modified: 900, Options: map[string]string{"autovacuum_enabled": "off"}}, true, false},
		{Table{Rows: -1, Age: 501, Options: map[string]string{"autovacuum_freeze_max_age": "500"}}, true, false},
		{Table{Rows: 1000, Dead: 11, Options: map[string]string{"autovacuum_vacuum_threshold": "10", "autovacuum_vacuum_scale_factor": "0"}}, true, false},
		{Table{Rows: 1000, Modified: 11, Options: map[string]string{"autovacuum_analyze_threshold": "10", "autovacuum_analyze_scale_factor": "0"}}, false, true},
	} {
		if v, a := needs(c.t, s); v != c.vacuum || a != c.analyze {
			t.Errorf("%+v: vacuum %v, analyze %v", c.t, v, a)
		}
	}
	s.Enabled = false
	if v, a := needs(Table{Age: 1001, Dead: 5000, Modified: 5000}, s); !v || a {
		t.Error("an old table must be vacuumed even if autovacuum is off")
	}
	if v, _ := needs(Table{Age: 10, Dead: 5000}, s); v {
		t.Error("autovacuum is off")
	}
}
