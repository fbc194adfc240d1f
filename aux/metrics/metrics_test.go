package metrics

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"manifold/pool"
)

func sources() Sources {
	var h pool.Histogram
	h[0], h[3] = 2, 1
	return Sources{Version: "v1",
		Pools: func() []pool.Stat {
			return []pool.Stat{{Name: "app", Slots: 4, Running: 2, Users: []pool.UserStat{{Name: "u", Waiting: 3, Runs: h, Waits: h,
				Counts: pool.Counts{Statements: 3, StatementTime: 10 * time.Microsecond}}}}}
		},
		Clients: func() []Client {
			return []Client{{Database: "app", State: "idle"}, {"app", "active", "Client", "Slot"}}
		},
		Front:  func() Front { return Front{Limit: 9, Refused: 1} },
		Errors: func() map[string]uint64 { return map[string]uint64{"23505": 7} },
		Engine: func() []Figure { return []Figure{{"log_flushed_bytes_total", "Log.", true, 5}} }}
}

// TestScrape: what the sources say is what Prometheus is told.
func TestScrape(t *testing.T) {
	s, err := Listen("127.0.0.1:0", sources())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	r, err := http.Get("http://" + s.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(r.Status, err)
	}
	for _, want := range []string{
		`manifold_pool_slots{database="app"} 4`, `manifold_user_waiting{database="app",user="u"} 3`, `manifold_errors_total{sqlstate="23505"} 7`,
		`manifold_statement_seconds_bucket{database="app",user="u",le="1e-06"} 2`,
		`manifold_statement_seconds_bucket{database="app",user="u",le="8e-06"} 3`, `manifold_statement_seconds_count{database="app",user="u"} 3`,
		`manifold_statement_seconds_sum{database="app",user="u"} 1e-05`, `manifold_clients{database="app",state="idle"} 1`,
		`manifold_clients_waiting{event="Slot",type="Client"} 1`, `manifold_connections_limit 9`, `manifold_log_flushed_bytes_total 5`,
		`manifold_info{version="v1"} 1`, "go_goroutines",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is missing", want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAddressInUse(t *testing.T) {
	s, err := Listen("127.0.0.1:0", sources())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(s.Addr().String(), sources()); err == nil {
		t.Error("two servers at one address")
	}
	if err := s.listener.Close(); err != nil {
		t.Error(err)
	}
}

// TestDashboard: the dashboard and the README ask for metrics that there are.
func TestDashboard(t *testing.T) {
	known := map[string]bool{}
	for _, d := range described() {
		known[prefix+d[0]] = true
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			known[prefix+d[0]+suffix] = true
		}
	}
	names := regexp.MustCompile(`manifold_[a-z_]+`)
	for _, file := range []string{"dashboard.json", "README.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file == "dashboard.json" && !json.Valid(text) {
			t.Error("the dashboard is not JSON")
		}
		for _, name := range names.FindAllString(string(text), -1) {
			engine := strings.Contains(name, "_log_") || strings.Contains(name, "_buffers_") || strings.Contains(name, "vacuum") || name == "manifold_rows_dead"
			if !known[name] && !engine {
				t.Errorf("%s asks for %s", file, name)
			}
		}
	}
}
