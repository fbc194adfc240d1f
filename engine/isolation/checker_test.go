package isolation

import (
	"strings"
	"testing"
)

func appended(k, v int) op        { return op{key: k, append: true, value: v} }
func read(k int, list ...int) op  { return op{key: k, list: list} }
func done(s int, ops ...op) did   { return did{session: s, committed: true, ops: ops} }
func undone(s int, ops ...op) did { return did{session: s, ops: ops} }

// TestChecker plants one anomaly a history: each must be found at the levels that exclude it, and at those only.
func TestChecker(t *testing.T) {
	rc, rr, ser := "read committed", "repeatable read", "serializable"
	for _, c := range []struct {
		name    string
		txns    []did
		final   map[int][]int
		allowed []string // levels; at all others want must be found
		want    string
	}{
		{"nothing", []did{done(0, appended(1, 1)), done(1, read(1, 1), appended(1, 2))}, map[int][]int{1: {1, 2}}, []string{rc, rr, ser}, ""},
		{"G0", []did{done(0, appended(1, 1), appended(2, 2)), done(1, appended(1, 3), appended(2, 4))},
			map[int][]int{1: {1, 3}, 2: {4, 2}}, nil, "G0|G1c"},
		{"G1a", []did{undone(0, appended(1, 1)), done(1, read(1, 1))}, nil, nil, "G1a"},
		{"G1b", []did{done(0, appended(1, 1), appended(1, 2)), done(1, read(1, 1))}, map[int][]int{1: {1, 2}}, nil, "G1b"},
		{"G1c", []did{done(0, appended(1, 1), read(2, 2)), done(1, appended(2, 2), read(1, 1))}, map[int][]int{1: {1}, 2: {2}}, nil, "G1c"},
		{"G-single", []did{done(0, read(1), read(2, 2)), done(1, appended(1, 1), appended(2, 2))}, map[int][]int{1: {1}, 2: {2}},
			[]string{rc}, "G-single"},
		{"G-nonadjacent", []did{done(0, read(1), read(2, 2)), done(1, appended(1, 1), appended(3, 3)), done(2, read(3, 3), read(4)),
			done(3, appended(4, 4), appended(2, 2))}, map[int][]int{1: {1}, 2: {2}, 3: {3}, 4: {4}}, []string{rc}, "G-single"},
		{"lost update", []did{done(0, read(1), appended(1, 1)), done(1, read(1), appended(1, 2))}, map[int][]int{1: {2}}, nil, "lost"},
		{"G2", []did{done(0, read(1), appended(2, 2)), done(1, read(2), appended(1, 1))}, map[int][]int{1: {1}, 2: {2}},
			[]string{rc, rr}, "G2"},
		{"session", []did{done(0, appended(1, 1)), done(0, read(1))}, map[int][]int{1: {1}}, []string{rc}, "G-single"},
		{"fork", []did{done(0, read(1, 1, 2)), done(1, read(1, 2, 1)), done(2, appended(1, 1)), done(3, appended(1, 2))}, nil, nil, "was"},
		{"twice", []did{done(0, appended(1, 1)), done(1, read(1, 1, 1))}, nil, nil, "twice"},
		{"internal", []did{done(0, appended(1, 1), read(1))}, map[int][]int{1: {1}}, nil, "internal"},
	} {
		for _, level := range []string{rc, rr, ser} {
			got := strings.Join(check(level, c.txns, c.final), "\n")
			allowed := false
			for _, l := range c.allowed {
				allowed = allowed || l == level
			}
			found := false
			for _, w := range strings.Split(c.want, "|") {
				found = found || strings.Contains(got, w)
			}
			if allowed && got != "" || !allowed && !found {
				t.Errorf("%s at %s: %q", c.name, level, got)
			}
		}
	}
}
