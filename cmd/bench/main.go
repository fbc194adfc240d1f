package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"manifold/cmd/internal/floor"
	"manifold/cmd/internal/many"
)

// options are the flags.
type options struct {
	rounds  int
	seconds int
	scale   int
	only    string
	json    string
	pgbin   string
	binary  string
	many    bool
	floor   string
	crowd   string
	clients int
	rows    int
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often each case runs against each server")
	flag.IntVar(&o.seconds, "seconds", 5, "length of a run in seconds")
	flag.IntVar(&o.scale, "scale", 20, "pgbench scale factor")
	flag.StringVar(&o.only, "only", "", "run the cases whose names contain this")
	flag.StringVar(&o.json, "json", "", "write the results to this file")
	flag.StringVar(&o.pgbin, "pgbin", "/usr/lib/postgresql/15/bin", "directory of PostgreSQL's binaries")
	flag.StringVar(&o.binary, "manifold", "", "Manifold's binary; built from the tree when empty")
	flag.BoolVar(&o.many, "many", false, "let thousands of clients think, reconnect, rest in transactions and lock rows, and show Manifold's figures")
	flag.StringVar(&o.floor, "floor", "", "be the server that does nothing but answer, at this IP:PORT")
	flag.StringVar(&o.crowd, "crowd", "", "be clients of the server at this IP:PORT, under the orders of standard input")
	flag.IntVar(&o.clients, "crowd-clients", 0, "how many clients -crowd is")
	flag.IntVar(&o.rows, "crowd-rows", 0, "rows of the table that -crowd reads")
	flag.Parse()
	do := run
	switch {
	case o.floor != "":
		do = func(o *options) error { return floor.Serve(o.floor) }
	case o.crowd != "":
		do = func(o *options) error {
			s := many.Server{Addr: o.crowd, Rows: o.rows, Threads: 1}
			return s.Serve(o.clients, os.Stdin, os.Stdout)
		}
	case o.many:
		do = runMany
	}
	if err := do(&o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// result is one case: what each server did, and the ratios.
type result struct {
	Case    string             `json:"case"`
	Servers map[string]figures `json:"servers"`
	Ratios  map[string]float64 `json:"ratios"` // Manifold's throughput divided by the peer's
}

// figures are the medians of a server's runs. A server that cannot run a case has Note and nothing else.
type figures struct {
	TPS     float64 `json:"tps,omitempty"` // transactions per second; for single statements, their rate
	Latency float64 `json:"latency_ms,omitempty"`
	CPU     float64 `json:"cpu_us_per_transaction,omitempty"`
	Memory  int64   `json:"peak_memory_kib,omitempty"`
	Note    string  `json:"note,omitempty"`
}

func run(o *options) error {
	dir, err := os.MkdirTemp("", "manifold-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, stop, err := startAll(o, dir)
	defer stop()
	if err != nil {
		return err
	}
	if err := load(o, servers); err != nil {
		return err
	}
	var results []result
	for _, c := range cases(o) {
		if !strings.Contains(c.name, o.only) {
			continue
		}
		r := measure(o, c, servers)
		results = append(results, r)
		show(r)
	}
	if o.json == "" {
		return nil
	}
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(data, '\n'), 0o644)
}

// measure runs a case against all servers in turn, round by round, and takes medians.
func measure(o *options, c testCase, servers []*server) result {
	r := result{Case: c.name, Servers: map[string]figures{}, Ratios: map[string]float64{}}
	runs := map[string][]figures{}
	for range o.rounds {
		for _, s := range servers {
			if s.name == "floor" && !c.any {
				continue
			}
			if note := c.skip(s); note != "" {
				r.Servers[s.name] = figures{Note: note}
				continue
			}
			f, err := measureOnce(c, s)
			if err != nil {
				r.Servers[s.name] = figures{Note: err.Error()}
				continue
			}
			runs[s.name] = append(runs[s.name], f)
		}
	}
	for name, list := range runs {
		if len(list) > 0 {
			r.Servers[name] = medians(list)
		}
	}
	for name, f := range r.Servers {
		if name != "manifold" && f.TPS > 0 {
			r.Ratios[name] = r.Servers["manifold"].TPS / f.TPS
		}
	}
	return r
}

func measureOnce(c testCase, s *server) (figures, error) {
	before := s.cpu()
	peak := s.watchMemory()
	began := time.Now()
	out, err := c.run(s)
	took := time.Since(began)
	mem := peak()
	if err != nil {
		return figures{}, err
	}
	used := s.cpu() - before
	if out.cpu > 0 {
		used = out.cpu
	}
	f := figures{TPS: out.tps, Latency: out.latency, Memory: mem}
	if out.count > 0 {
		f.CPU = used.Seconds() * 1e6 / out.count
	}
	if f.TPS == 0 {
		f.TPS = 1 / took.Seconds()
		f.Latency = took.Seconds() * 1000
		f.CPU = used.Seconds() * 1e6
	}
	return f, nil
}

func medians(list []figures) figures {
	pick := func(get func(figures) float64) float64 {
		v := make([]float64, len(list))
		for i, f := range list {
			v[i] = get(f)
		}
		sort.Float64s(v)
		return v[len(v)/2]
	}
	return figures{
		TPS: pick(func(f figures) float64 { return f.TPS }), Latency: pick(func(f figures) float64 { return f.Latency }),
		CPU: pick(func(f figures) float64 { return f.CPU }), Memory: int64(pick(func(f figures) float64 { return float64(f.Memory) })),
	}
}

func show(r result) {
	fmt.Printf("%s\n", r.Case)
	for _, name := range []string{"manifold", "postgres", "pgbouncer", "floor"} {
		f, ok := r.Servers[name]
		if !ok {
			continue
		}
		if f.Note != "" {
			fmt.Printf("  %-10s %s\n", name, f.Note)
			continue
		}
		line := fmt.Sprintf("  %-10s %10.1f tps %9.3f ms %9.1f us CPU %9d KiB", name, f.TPS, f.Latency, f.CPU, f.Memory)
		if ratio, ok := r.Ratios[name]; ok {
			line += fmt.Sprintf("   manifold is %.2f times", ratio)
		}
		fmt.Println(line)
	}
}
