package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// testCase is one thing measured.
type testCase struct {
	name string
	run  func(s *server) (outcome, error)
	skip func(s *server) string // why a server cannot run it, empty if it can
	any  bool                   // a server that answers everything alike can run it
}

// outcome is what one run gave. A case of single statements leaves tps zero: its time is measured from outside.
type outcome struct {
	tps     float64
	latency float64
	count   float64
	cpu     time.Duration // of the server; zero: that of the whole run counts
}

func never(*server) string { return "" }

// beyond refuses PostgreSQL without a pooler more clients than it was started for.
func beyond(clients int) func(*server) string {
	return func(s *server) string {
		if s.name == "postgres" && clients > maxDirect {
			return fmt.Sprintf("not run: %d processes do not fit", clients)
		}
		return ""
	}
}

func noPrepared(clients int) func(*server) string {
	return func(s *server) string {
		if s.name == "pgbouncer" {
			return "not run: this version has no prepared statements in transaction mode"
		}
		return beyond(clients)(s)
	}
}

func cases(o *options) []testCase {
	var out []testCase
	for _, n := range []int{1, 64, 1000, 5000} {
		out = append(out,
			testCase{fmt.Sprintf("select-simple-%d", n), bench(o, n, "-S", "-M", "simple"), beyond(n), false},
			testCase{fmt.Sprintf("select-prepared-%d", n), bench(o, n, "-S", "-M", "prepared"), noPrepared(n), false})
	}
	for _, n := range []int{64, 1000, 5000} {
		out = append(out,
			testCase{fmt.Sprintf("drive-simple-%d", n), driven(o, n, false), beyond(n), true},
			testCase{fmt.Sprintf("drive-prepared-%d", n), driven(o, n, true), noPrepared(n), false},
			testCase{fmt.Sprintf("drive-tpcb-%d", n), drivenTPCB(o, n), beyond(n), false})
	}
	for _, n := range []int{1, 64, 1000} {
		out = append(out, testCase{fmt.Sprintf("tpcb-simple-%d", n), bench(o, n, "-M", "simple"), beyond(n), false})
	}
	return append(out,
		testCase{"tpcb-hot-simple-64", hot(o, 64, "simple"), never, false},
		testCase{"tpcb-hot-prepared-64", hot(o, 64, "prepared"), noPrepared(64), false},
		testCase{"copy-1M-rows", copyIn(o), never, false},
		testCase{"scan-aggregate", sql(o, "select count(*), sum(abalance), avg(aid), max(bid) from pgbench_accounts"), never, false},
		testCase{"group-aggregate", sql(o, "select bid, count(*), sum(abalance) from pgbench_accounts group by bid"), never, false},
		testCase{"connect-query-disconnect", bench(o, 8, "-S", "-M", "simple", "-C"), never, false},
	)
}

var (
	reTPS     = regexp.MustCompile(`tps = ([0-9.]+) `)
	reLatency = regexp.MustCompile(`latency average = ([0-9.]+) ms`)
	reCount   = regexp.MustCompile(`transactions actually processed: ([0-9]+)`)
	reFailed  = regexp.MustCompile(`number of failed transactions: ([0-9]+)`)
)

// bench runs pgbench.
func bench(o *options, clients int, args ...string) func(*server) (outcome, error) {
	return func(s *server) (outcome, error) {
		all := append([]string{"-n", "-c", strconv.Itoa(clients), "-j", "2", "-T", strconv.Itoa(o.seconds)}, args...)
		out, err := s.client(o, "pgbench", append(all, "postgres")...)
		if err != nil {
			return outcome{}, err
		}
		if m := reFailed.FindStringSubmatch(out); m != nil && m[1] != "0" {
			return outcome{}, fmt.Errorf("%s transactions failed", m[1])
		}
		return outcome{tps: number(reTPS, out), latency: number(reLatency, out), count: number(reCount, out)}, nil
	}
}

// hotScript is pgbench's TPC-B with one branch: every transaction changes the same row.
const hotScript = `\set aid random(1, 100000)
\set tid random(1, 10)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = 1;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, 1, :aid, :delta, CURRENT_TIMESTAMP);
END;
`

// hot runs hotScript.
func hot(o *options, clients int, mode string) func(*server) (outcome, error) {
	return func(s *server) (outcome, error) {
		file := filepath.Join(os.TempDir(), "manifold-bench-hot.sql")
		if err := os.WriteFile(file, []byte(hotScript), 0o644); err != nil {
			return outcome{}, err
		}
		return bench(o, clients, "-M", mode, "-f", file)(s)
	}
}

func number(re *regexp.Regexp, text string) float64 {
	m := re.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0
	}
	return f
}

// sql runs one statement.
func sql(o *options, text string) func(*server) (outcome, error) {
	return func(s *server) (outcome, error) {
		_, err := s.client(o, "psql", "-XAtqc", text, "postgres")
		return outcome{}, err
	}
}

// copyIn loads a million rows into an indexed table.
func copyIn(o *options) func(*server) (outcome, error) {
	return func(s *server) (outcome, error) {
		file := filepath.Join(os.TempDir(), "manifold-bench-copy.txt")
		if _, err := os.Stat(file); err != nil {
			if err := writeRows(file, 1000000); err != nil {
				return outcome{}, err
			}
		}
		if _, err := s.client(o, "psql", "-XAtqc", "drop table if exists bench_copy", "-c",
			"create table bench_copy (aid int primary key, bid int, abalance int, filler text)", "postgres"); err != nil {
			return outcome{}, err
		}
		_, err := s.client(o, "psql", "-XAtqc", "\\copy bench_copy from '"+file+"'", "postgres")
		return outcome{}, err
	}
}

func writeRows(file string, n int) error {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d\t%d\t%d\tfiller of row %d\n", i+1, i/100000+1, i%1000, i)
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// load makes the pgbench tables in both clusters.
func load(o *options, servers []*server) error {
	for _, s := range servers {
		if s.name == "pgbouncer" || s.name == "floor" {
			continue
		}
		if out, err := s.client(o, "pgbench", "-i", "-q", "-s", strconv.Itoa(o.scale), "postgres"); err != nil {
			return fmt.Errorf("pgbench -i on %s: %w\n%s", s.name, err, out)
		}
		if _, err := s.client(o, "psql", "-XAtqc", "checkpoint", "postgres"); err != nil {
			return err
		}
	}
	return nil
}

// client runs a client program against a server.
func (s *server) client(o *options, program string, args ...string) (string, error) {
	all := append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "postgres"}, args...)
	cmd := exec.Command(filepath.Join(o.pgbin, program), all...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(out))
		if i := strings.IndexByte(text, '\n'); i > 0 {
			text = text[:i]
		}
		return string(out), fmt.Errorf("%s: %w: %s", program, err, text)
	}
	return string(out), nil
}
