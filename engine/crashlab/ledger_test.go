package crashlab

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// state is what the database holds, by names: "t1" is a table (its added columns), "t1/7" a row of it, "prepared/g1" a
// prepared transaction.
type state map[string]string

// change is what a transaction does to a state; gone takes a name away.
type change map[string]string

const gone = "\x00"

func (s state) apply(c change) {
	for k, v := range c {
		if v == gone {
			delete(s, k)
		} else {
			s[k] = v
		}
	}
}

// ledger is the commits in log order since the last recovery; those up to acked were answered. Any prefix that has these
// may survive.
type ledger struct {
	base     state // as recovered
	now      state // with all commits
	commits  []change
	acked    int
	prepared map[string]change // by identifier, never forgotten
	lastSeq  int64             // the greatest value of the sequence that was answered
}

func newLedger() *ledger {
	return &ledger{base: state{}, now: state{}, prepared: map[string]change{}}
}

// commit notes a commit about to happen.
func (l *ledger) commit(c change) { l.commits = append(l.commits, maps.Clone(c)) }

// done notes how the commit noted last ended.
func (l *ledger) done(durable bool) {
	l.now.apply(l.commits[len(l.commits)-1])
	if durable {
		l.acked = len(l.commits)
	}
}

// undone takes the commit noted last back: it has failed, and the server runs on.
func (l *ledger) undone() { l.commits = l.commits[:len(l.commits)-1] }

// settle compares what a recovery gave with the prefixes that may have survived, and starts anew from there.
func (l *ledger) settle(got state) error {
	s := maps.Clone(l.base)
	best, nearest := []string(nil), -1
	for i := 0; i <= len(l.commits); i++ {
		if i > 0 {
			s.apply(l.commits[i-1])
		}
		diff := difference(s, got)
		if i >= l.acked && len(diff) == 0 {
			l.base, l.now, l.commits, l.acked = maps.Clone(s), s, nil, 0
			return nil
		}
		if nearest < 0 || len(diff) <= len(best) {
			best, nearest = diff, i
		}
	}
	return fmt.Errorf("no prefix of %d commits, of which %d were acknowledged, was recovered; the nearest is %d:\n%s",
		len(l.commits), l.acked, nearest, strings.Join(best[:min(len(best), 20)], "\n"))
}

// difference tells how two states differ; of tables that are locked the rows are not known.
func difference(want, got state) []string {
	var out []string
	for k, v := range want {
		table, _, _ := strings.Cut(k, "/")
		if _, locked := got["locked/"+table]; locked {
			continue
		}
		if g, ok := got[k]; !ok {
			out = append(out, fmt.Sprintf("%s = %q is lost", k, v))
		} else if g != v {
			out = append(out, fmt.Sprintf("%s is %q instead of %q", k, g, v))
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok && !strings.HasPrefix(k, "locked/") {
			out = append(out, fmt.Sprintf("%s = %q should not be there", k, v))
		}
	}
	slices.Sort(out)
	return out
}
