package setting

import (
	"testing"

	"manifold/engine/pgerror"
)

func TestParseAndFormat(t *testing.T) {
	for _, c := range []struct{ name, in, show, plain string }{
		{"work_mem", "64MB", "64MB", "65536"},
		{"work_mem", "65536", "64MB", "65536"},
		{"work_mem", "1.5GB", "1536MB", "1572864"},
		{"shared_buffers", "16384", "128MB", "16384"},
		{"statement_timeout", "5min", "5min", "300000"},
		{"statement_timeout", "1500", "1500ms", "1500"},
		{"statement_timeout", "0", "0", "0"},
		{"checkpoint_timeout", "90s", "90s", "90"},
		{"enable_seqscan", "of", "off", "off"},
		{"random_page_cost", "1.1", "1.1", "1.1"},
		{"synchronous_commit", "true", "on", "on"},
		{"vacuum_cost_delay", "2ms", "2ms", "2"},
		{"unix_socket_permissions", "0770", "0770", "0770"},
		{"timezone", "Europe/Berlin", "Europe/Berlin", "Europe/Berlin"},
	} {
		s, ok := Lookup(c.name)
		if !ok {
			t.Fatalf("no parameter %s", c.name)
		}
		v, err := s.Parse(c.in)
		if err != nil {
			t.Fatalf("%s = %s: %v", c.name, c.in, err)
		}
		if got := s.Format(v); got != c.show {
			t.Errorf("SHOW %s after %s: %s, want %s", c.name, c.in, got, c.show)
		}
		if got := s.Plain(v); got != c.plain {
			t.Errorf("pg_settings of %s after %s: %s, want %s", c.name, c.in, got, c.plain)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, in, message string }{
		{"work_mem", "x", `invalid value for parameter "work_mem": "x"`},
		{"work_mem", "1", `1 kB is outside the valid range for parameter "work_mem" (64 .. 2147483647)`},
		{"enable_seqscan", "maybe", `parameter "enable_seqscan" requires a Boolean value`},
		{"synchronous_commit", "maybe", `invalid value for parameter "synchronous_commit": "maybe"`},
		{"random_page_cost", "-1", `-1 is outside the valid range for parameter "random_page_cost" (0 .. 1.79769e+308)`},
	} {
		s, _ := Lookup(c.name)
		_, err := s.Parse(c.in)
		if err == nil || pgerror.From(err).Message != c.message || pgerror.Code(err) != "22023" {
			t.Errorf("%s = %s: %v, want %s", c.name, c.in, err, c.message)
		}
	}
}

func TestEveryDefaultParses(t *testing.T) {
	for _, s := range All() {
		if _, err := s.Parse(s.Boot); err != nil {
			t.Errorf("default of %s: %v", s.Name, err)
		}
	}
}
