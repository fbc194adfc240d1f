package isolation

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// op is one thing a transaction did: it appended a value to the list of a key, or read the list.
type op struct {
	key    int
	append bool
	value  int   // appended; unique in a history
	list   []int // read
}

// did is a transaction of a history. Those of a session stand in its order.
type did struct {
	session   int
	committed bool
	ops       []op
}

// edge kinds, and what they say of two transactions.
type edgeKind uint8

const (
	ww edgeKind = iota // the second appended right after the first
	wr                 // the second read what the first appended
	so                 // the second came after the first in its session
	rw                 // the first did not see what the second appended
)

func (k edgeKind) String() string { return [...]string{"ww", "wr", "so", "rw"}[k] }

type edge struct {
	to   int
	kind edgeKind
	key  int
}

// history is what is known of a run, with the version order of each key, which appended lists show by themselves (the idea of
// Elle, Kingsbury and Alvaro 2020), and the dependencies that follow.
type history struct {
	txns   []did
	order  map[int][]int // by key: the longest list read
	writer map[int]int   // by value: the transaction that appended it
	edges  [][]edge
	faults []string
}

func (h *history) fault(format string, args ...any) {
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

// check gives every anomaly that a level must not show; final is what the keys hold in the end.
func check(level string, txns []did, final map[int][]int) []string {
	h := &history{txns: txns, order: map[int][]int{}, writer: map[int]int{}, edges: make([][]edge, len(txns))}
	h.findWriters()
	h.findOrder(final)
	h.checkReads()
	h.link()
	switch level {
	case "read uncommitted", "read committed":
		h.cycles("G0", func(k edgeKind) bool { return k == ww })
		h.cycles("G1c", func(k edgeKind) bool { return k != rw })
	case "repeatable read":
		h.cycles("G1c", func(k edgeKind) bool { return k != rw })
		h.skewless()
	default:
		h.cycles("G1c", func(k edgeKind) bool { return k != rw })
		h.skewless()
		h.cycles("G2", func(edgeKind) bool { return true })
	}
	return h.faults
}

func (h *history) findWriters() {
	for i, t := range h.txns {
		for _, o := range t.ops {
			if o.append {
				h.writer[o.value] = i
			}
		}
	}
}

// findOrder takes the longest list of each key; all others must be its beginnings.
func (h *history) findOrder(final map[int][]int) {
	see := func(k int, l []int, own int) {
		if len(l) > len(h.order[k]) {
			h.order[k], l = l, h.order[k]
		}
		if !slices.Equal(l, h.order[k][:len(l)]) {
			h.fault("key %d was %v and %v (transaction %d)", k, l, h.order[k], own)
		}
	}
	for k, l := range final {
		see(k, l, -1)
	}
	for i, t := range h.txns {
		if !t.committed {
			continue
		}
		for _, o := range t.ops {
			if !o.append {
				see(o.key, o.list, i)
			}
		}
	}
	for k, l := range h.order {
		seen := map[int]bool{}
		for _, v := range l {
			if seen[v] {
				h.fault("key %d holds %d twice", k, v)
			}
			seen[v] = true
		}
	}
	for i, t := range h.txns {
		for _, o := range t.ops {
			if o.append && t.committed && final != nil && !slices.Contains(final[o.key], o.value) {
				h.fault("lost: %d, appended to key %d by transaction %d", o.value, o.key, i)
			}
		}
	}
}

// checkReads looks for aborted and intermediate reads, and for reads that forget the transaction's own appends.
func (h *history) checkReads() {
	for i, t := range h.txns {
		mine := map[int][]int{}
		for _, o := range t.ops {
			if o.append {
				mine[o.key] = append(mine[o.key], o.value)
				continue
			}
			if m := mine[o.key]; t.committed && (len(o.list) < len(m) || !slices.Equal(o.list[len(o.list)-len(m):], m)) {
				h.fault("internal: transaction %d appended %v to key %d and read %v", i, m, o.key, o.list)
			}
			for n, v := range o.list {
				w, known := h.writer[v]
				switch {
				case !known:
					h.fault("transaction %d read %d, which nobody appended", i, v)
				case w != i && !h.txns[w].committed:
					h.fault("G1a: transaction %d read %d of transaction %d, which rolled back", i, v, w)
				case w != i && n == len(o.list)-1 && h.more(w, o.key, v):
					h.fault("G1b: transaction %d read %d, which transaction %d appended before more", i, v, w)
				}
			}
		}
	}
}

// more tells whether a transaction appended to a key after a value.
func (h *history) more(w, key, value int) bool {
	after := false
	for _, o := range h.txns[w].ops {
		if !o.append || o.key != key {
			continue
		}
		if after {
			return true
		}
		after = o.value == value
	}
	return false
}

// link draws the edges.
func (h *history) link() {
	add := func(from, to int, kind edgeKind, key int) {
		if from != to && h.txns[from].committed && h.txns[to].committed {
			h.edges[from] = append(h.edges[from], edge{to, kind, key})
		}
	}
	place := map[int]int{} // by value: its index in the order of its key
	for k, l := range h.order {
		for i, v := range l {
			place[v] = i
			if a, ok := h.writer[v]; ok && i > 0 {
				if b, ok := h.writer[l[i-1]]; ok {
					add(b, a, ww, k)
				}
			}
		}
	}
	last := map[int]int{}
	for i, t := range h.txns {
		if t.committed {
			if before, ok := last[t.session]; ok {
				add(before, i, so, 0)
			}
			last[t.session] = i
		}
		for _, o := range t.ops {
			if o.append {
				continue
			}
			if n := len(o.list); n > 0 {
				if w, ok := h.writer[o.list[n-1]]; ok {
					add(w, i, wr, o.key)
				}
			}
			if l := h.order[o.key]; len(o.list) < len(l) {
				if w, ok := h.writer[l[len(o.list)]]; ok {
					add(i, w, rw, o.key)
				}
			}
		}
	}
}

// cycles reports a shortest cycle of every strongly connected part over the edges that use admits.
func (h *history) cycles(name string, use func(edgeKind) bool) {
	h.report(name, len(h.txns), func(n int, f func(to int, e edge)) {
		for _, e := range h.edges[n] {
			if use(e.kind) {
				f(e.to, e)
			}
		}
	})
}

// skewless reports cycles without two rw edges in a row: G-single and its like, which snapshots exclude. A node stands for a
// transaction and whether it was reached by rw.
func (h *history) skewless() {
	n := len(h.txns)
	h.report("G-single", 2*n, func(at int, f func(to int, e edge)) {
		for _, e := range h.edges[at%n] {
			switch {
			case e.kind != rw:
				f(e.to, e)
			case at < n:
				f(e.to+n, e)
			}
		}
	})
}

// report finds cycles in a graph of size nodes by looking from each node of a strongly connected part for the way back.
func (h *history) report(name string, size int, each func(int, func(int, edge))) {
	for _, part := range components(size, func(n int, f func(int)) { each(n, func(to int, _ edge) { f(to) }) }) {
		in := map[int]bool{}
		for _, n := range part {
			in[n] = true
		}
		type step struct {
			from int
			e    edge
		}
		start := part[0]
		came := map[int]step{}
		queue := []int{start}
		for len(queue) > 0 {
			n := queue[0]
			queue = queue[1:]
			each(n, func(to int, e edge) {
				if _, seen := came[to]; in[to] && !seen {
					came[to] = step{n, e}
					queue = append(queue, to)
				}
			})
		}
		var way []string
		for n := start; len(way) == 0 || n != start; {
			s := came[n]
			way = append(way, fmt.Sprintf("%d -%s(%d)-> %d", s.from%len(h.txns), s.e.kind, s.e.key, s.e.to))
			n = s.from
		}
		slices.Reverse(way)
		h.fault("%s: %s", name, strings.Join(way, ", "))
	}
}

// components gives the strongly connected parts of more than one node (Tarjan, without recursion).
func components(size int, each func(int, func(int))) [][]int {
	index, low := make([]int, size), make([]int, size)
	on := make([]bool, size)
	var stack []int
	var out [][]int
	next := 1
	type frame struct {
		n    int
		kids []int
	}
	for root := range size {
		if index[root] != 0 {
			continue
		}
		var frames []frame
		enter := func(n int) {
			index[n], low[n] = next, next
			next++
			stack = append(stack, n)
			on[n] = true
			f := frame{n: n}
			each(n, func(to int) { f.kids = append(f.kids, to) })
			frames = append(frames, f)
		}
		enter(root)
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			if len(f.kids) > 0 {
				k := f.kids[len(f.kids)-1]
				f.kids = f.kids[:len(f.kids)-1]
				if index[k] == 0 {
					enter(k)
				} else if on[k] {
					low[f.n] = min(low[f.n], index[k])
				}
				continue
			}
			n := f.n
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1].n
				low[up] = min(low[up], low[n])
			}
			if low[n] != index[n] {
				continue
			}
			var part []int
			for {
				k := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				on[k] = false
				part = append(part, k)
				if k == n {
					break
				}
			}
			if len(part) > 1 {
				sort.Ints(part)
				out = append(out, part)
			}
		}
	}
	return out
}
