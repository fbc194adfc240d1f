package isolation

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"
	"time"
)

// oracleVariable names the environment variable with the DSN of a PostgreSQL 15 superuser; when it is set,
// TestScripts records the expected outcomes anew instead of comparing.
const oracleVariable = "MANIFOLD_ORACLE"

// script is a file of interleaved sessions. Lines:
//
//	levels <level>, <level> ...   run it once at each, $level standing for it
//	setup <sql>                   before each run
//	<session>: <sql>              a step
//	<session>!: <sql>             a step that ends by itself, though it waits: a deadlock, a timeout
//	# ...                         a comment
type script struct {
	levels []string
	setup  []string
	steps  []step
}

type step struct {
	session, sql string
	ends         bool
}

func readScript(t *testing.T, path string) script {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := script{}
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case word == "levels":
			for _, l := range strings.Split(rest, ",") {
				s.levels = append(s.levels, strings.TrimSpace(l))
			}
		case word == "setup":
			s.setup = append(s.setup, rest)
		case strings.HasSuffix(word, ":"):
			name := strings.TrimSuffix(word, ":")
			s.steps = append(s.steps, step{strings.TrimSuffix(name, "!"), rest, strings.HasSuffix(name, "!")})
		default:
			t.Fatalf("%s: what is %q?", path, line)
		}
	}
	if len(s.levels) == 0 {
		s.levels = []string{""}
	}
	return s
}

// TestScripts replays the scripts of testdata and compares every outcome, waits included, with what PostgreSQL 15 did.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if dsn := os.Getenv(oracleVariable); dsn != "" {
		for _, path := range paths {
			got := readScript(t, path).play(t, oracle{dsn})
			if err := os.WriteFile(golden(path), []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	for _, n := range slotCounts() {
		t.Run(slotName(n), func(t *testing.T) {
			s := start(t, n)
			for _, path := range paths {
				t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
					want, err := os.ReadFile(golden(path))
					if err != nil {
						t.Fatal(err)
					}
					if got := readScript(t, path).play(t, s); got != string(want) {
						t.Error(difference(string(want), got))
					}
				})
			}
		})
	}
}

func golden(path string) string { return strings.TrimSuffix(path, ".txt") + ".out" }

// difference shows the first place where two outcomes part.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	return fmt.Sprintf("line %d\nwant:\n%s\n got:\n%s", i+1, strings.Join(w[max(0, i-8):min(len(w), i+8)], "\n"),
		strings.Join(g[max(0, i-8):min(len(g), i+8)], "\n"))
}

// play runs the script at all its levels and gives the outcome.
func (s script) play(t *testing.T, srv server) string {
	t.Helper()
	var out strings.Builder
	for _, level := range s.levels {
		if level != "" {
			fmt.Fprintf(&out, "== %s\n", level)
		}
		p := &player{t: t, srv: srv, out: &out, sessions: map[string]*actor{}}
		p.control = p.open()
		for _, sql := range s.setup {
			if lines := p.control.run(sql); strings.HasPrefix(last(lines), "ERROR") {
				t.Fatalf("setup %s: %v", sql, lines)
			}
		}
		for _, st := range s.steps {
			p.step(st.session, strings.ReplaceAll(st.sql, "$level", level), st.ends)
		}
		p.finish()
	}
	return out.String()
}

func last(lines []string) string {
	for _, l := range lines {
		if strings.HasPrefix(l, "ERROR") {
			return l
		}
	}
	return ""
}

// player is one run of a script.
type player struct {
	t        *testing.T
	srv      server
	control  conn
	out      *strings.Builder
	sessions map[string]*actor
	waiting  []*actor // in the order in which they began to wait
}

// actor is a session of a script and what it is doing.
type actor struct {
	name string
	c    conn
	todo chan string
	done chan []string
	sql  string
}

func (p *player) open() conn {
	c, err := p.srv.connect()
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *player) actor(name string) *actor {
	a := p.sessions[name]
	if a == nil {
		a = &actor{name: name, c: p.open(), todo: make(chan string), done: make(chan []string, 1)}
		p.sessions[name] = a
		go func() {
			for sql := range a.todo {
				a.done <- a.c.run(sql)
			}
			a.c.close()
			close(a.done)
		}()
	}
	return a
}

// step runs one statement until it is done or waits for somebody, then tells which waits it ended.
func (p *player) step(name, sql string, ends bool) {
	a := p.actor(name)
	for i, w := range p.waiting {
		if w == a { // its last statement must end first
			p.report(a, <-a.done, true)
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			break
		}
	}
	a.sql = sql
	a.todo <- sql
	fmt.Fprintf(p.out, "%s: %s\n", name, sql)
	if ends {
		p.report(a, <-a.done, false)
	} else if lines, ok := p.settle(a); ok {
		p.report(a, lines, false)
	} else {
		fmt.Fprintf(p.out, "  <waits>\n")
		p.waiting = append(p.waiting, a)
	}
	p.look()
}

// look reports the waits that have ended.
func (p *player) look() {
	for again := true; again; {
		again = false
		var still []*actor
		for _, w := range p.waiting {
			if lines, ok := p.settle(w); ok {
				p.report(w, lines, true)
				again = true
			} else {
				still = append(still, w)
			}
		}
		p.waiting = still
	}
}

// settle waits until a statement is done, or waits for another session.
func (p *player) settle(a *actor) ([]string, bool) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case lines := <-a.done:
			return lines, true
		default:
		}
		if blocked(p.control, a.c.pid()) {
			return nil, false
		}
		runtime.Gosched()
	}
	p.t.Fatalf("%s: %s neither ends nor waits", a.name, a.sql)
	return nil, false
}

func (p *player) report(a *actor, lines []string, late bool) {
	if late {
		fmt.Fprintf(p.out, "%s: <goes on> %s\n", a.name, a.sql)
	}
	for _, l := range lines {
		fmt.Fprintf(p.out, "  %s\n", l)
	}
}

// finish rolls back what is open, in the order of names, and closes the sessions.
func (p *player) finish() {
	var names []string
	for n := range p.sessions {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, w := range p.waiting {
		names = append(names, w.name)
	}
	closed := map[string]bool{}
	waits := func(a *actor) bool {
		for _, w := range p.waiting {
			if w == a {
				return true
			}
		}
		return false
	}
	for len(closed) < len(p.sessions) {
		for _, n := range names {
			a := p.sessions[n]
			if closed[n] || waits(a) {
				continue
			}
			closed[n] = true
			close(a.todo)
			for range a.done {
			}
		}
		p.look()
	}
	p.control.close()
}
