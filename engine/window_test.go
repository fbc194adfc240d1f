package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// windowRow is a row of the table that windowed queries run over; keys and values may be null.
type windowRow struct {
	id, g  int
	k, v   int
	nk, nv bool
	group  int // of peers, in the order of the partition
}

// windowEnd is the start or end of a frame: without bound, at the current row, or an offset to either side.
type windowEnd struct {
	kind   byte // 'u', 'c', 'p', 'f'
	offset int
}

func (e windowEnd) text(unbounded string) string {
	switch e.kind {
	case 'u':
		return "unbounded " + unbounded
	case 'c':
		return "current row"
	case 'p':
		return fmt.Sprint(e.offset, " preceding")
	}
	return fmt.Sprint(e.offset, " following")
}

// signed gives the offset as a distance forwards.
func (e windowEnd) signed() int {
	switch e.kind {
	case 'p':
		return -e.offset
	case 'f':
		return e.offset
	}
	return 0
}

// windowCase is a random window with the definition of what it means.
type windowCase struct {
	partition, desc, nullsFirst, byID bool
	mode, exclude                     string
	start, end                        windowEnd
	limit                             int
}

func randomWindow(r *rand.Rand) windowCase {
	c := windowCase{partition: r.IntN(2) == 0, desc: r.IntN(2) == 0, nullsFirst: r.IntN(2) == 0, byID: r.IntN(2) == 0, limit: -1}
	c.mode = []string{"rows", "range", "groups"}[r.IntN(3)]
	c.exclude = []string{"no others", "current row", "group", "ties"}[r.IntN(4)]
	if r.IntN(2) == 0 {
		c.exclude = "no others"
	}
	if c.mode == "rows" {
		c.byID = true
	} else if c.mode == "range" {
		c.byID = false
	}
	if r.IntN(4) == 0 {
		c.limit = r.IntN(5)
	}
	for {
		c.start = windowEnd{"ucpf"[r.IntN(4)], r.IntN(4)}
		c.end = windowEnd{"ucpf"[r.IntN(4)], r.IntN(4)}
		if !(c.start.kind == 'c' && c.end.kind == 'p' || c.start.kind == 'f' && (c.end.kind == 'p' || c.end.kind == 'c')) {
			return c
		}
	}
}

func (c *windowCase) text() string {
	s := ""
	if c.partition {
		s = "partition by g "
	}
	s += "order by k"
	if c.desc {
		s += " desc"
	}
	s += map[bool]string{true: " nulls first", false: " nulls last"}[c.nullsFirst]
	if c.byID {
		s += ", id"
	}
	return fmt.Sprintf("%s %s between %s and %s exclude %s", s, c.mode, c.start.text("preceding"), c.end.text("following"), c.exclude)
}

func (c *windowCase) compareKeys(a, b *windowRow) int {
	switch {
	case a.nk && b.nk:
		return 0
	case a.nk:
		return map[bool]int{true: -1, false: 1}[c.nullsFirst]
	case b.nk:
		return map[bool]int{true: 1, false: -1}[c.nullsFirst]
	case c.desc:
		return cmp.Compare(b.k, a.k)
	}
	return cmp.Compare(a.k, b.k)
}

// sorted gives the partition of a row in its order, with the groups of peers numbered.
func (c *windowCase) sorted(all []windowRow, of *windowRow) []windowRow {
	var part []windowRow
	for _, r := range all {
		if !c.partition || r.g == of.g {
			part = append(part, r)
		}
	}
	order := func(a, b windowRow) int {
		if x := c.compareKeys(&a, &b); x != 0 || !c.byID {
			return x
		}
		return cmp.Compare(a.id, b.id)
	}
	slices.SortStableFunc(part, order)
	for i := 1; i < len(part); i++ {
		part[i].group = part[i-1].group
		if order(part[i-1], part[i]) != 0 {
			part[i].group++
		}
	}
	return part
}

// side tells whether row j lies on the inner side of an end of row i's frame; sign is 1 for the start, -1 for the end.
func (c *windowCase) side(part []windowRow, i, j int, e windowEnd, sign int) bool {
	a, b := &part[i], &part[j]
	switch {
	case e.kind == 'u':
		return true
	case c.mode == "rows":
		return (j-i-e.signed())*sign >= 0
	case c.mode == "groups" || e.kind == 'c' || a.nk || b.nk:
		by := e.signed()
		if c.mode == "range" {
			by = 0
		}
		return (b.group-a.group-by)*sign >= 0
	case c.desc:
		return (a.k-e.signed()-b.k)*sign >= 0
	}
	return (b.k-a.k-e.signed())*sign >= 0
}

// frame gives the rows of the frame of row i, by the definition of frames alone.
func (c *windowCase) frame(part []windowRow, i int) []windowRow {
	var out []windowRow
	for j := range part {
		same := part[j].group == part[i].group
		switch {
		case !c.side(part, i, j, c.start, 1) || !c.side(part, i, j, c.end, -1):
		case c.exclude == "current row" && i == j, c.exclude == "group" && same, c.exclude == "ties" && same && i != j:
		default:
			out = append(out, part[j])
		}
	}
	return out
}

// want computes the columns of the query in text for a row.
func (c *windowCase) want(all []windowRow, of *windowRow) string {
	part := c.sorted(all, of)
	i := slices.IndexFunc(part, func(r windowRow) bool { return r.id == of.id })
	frame := c.frame(part, i)
	sum, count, least := 0, 0, 0
	for _, r := range frame {
		if r.nv {
			continue
		}
		if count == 0 || r.v < least {
			least = r.v
		}
		sum, count = sum+r.v, count+1
	}
	orNull := func(ok bool, n int) string {
		if !ok {
			return "~"
		}
		return strconv.Itoa(n)
	}
	rank := slices.IndexFunc(part, func(r windowRow) bool { return r.group == part[i].group })
	out := []string{strconv.Itoa(of.id), strconv.Itoa(len(frame)), orNull(count > 0, sum), orNull(count > 0, least),
		strconv.Itoa(rank + 1), strconv.Itoa(part[i].group + 1)}
	if c.byID {
		at := func(list []windowRow, n int) string {
			if n < 0 || n >= len(list) {
				return "~"
			}
			return strconv.Itoa(list[n].id)
		}
		out = append(out, at(frame, 0), at(frame, len(frame)-1), at(frame, 1), at(part, i-2), at(part, i+1))
	}
	return strings.Join(out, "|")
}

// TestWindowsByDefinition compares random windowed queries with what the definition of their frames says.
func TestWindowsByDefinition(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MANIFOLD_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("MANIFOLD_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	e := testEngine(t, newCluster(t))
	g := &goldenClient{client: connect(t, e)}
	var all []windowRow
	g.ask("create table w (id int, g int, k int, v int)")
	for id := range 40 {
		row := windowRow{id: id, g: r.IntN(3), k: r.IntN(12), v: r.IntN(100), nk: r.IntN(8) == 0, nv: r.IntN(8) == 0}
		all = append(all, row)
		g.ask(fmt.Sprintf("insert into w values (%d, %d, nullif(%d, %d), nullif(%d, %d))", id, row.g, row.k, map[bool]int{true: row.k, false: -1}[row.nk],
			row.v, map[bool]int{true: row.v, false: -1}[row.nv]))
	}
	n := 300
	if testing.Short() {
		n = 60
	}
	for range n {
		c := randomWindow(r)
		sql := "select id, count(*) over w, sum(v) over w, min(v) over w, rank() over w, dense_rank() over w"
		if c.byID {
			sql += ", first_value(id) over w, last_value(id) over w, nth_value(id, 2) over w, lag(id, 2) over w, lead(id) over w"
		}
		sql += " from w window w as (" + c.text() + ") order by id"
		rows := all
		if c.limit >= 0 {
			sql += fmt.Sprint(" limit ", c.limit)
			rows = all[:c.limit]
		}
		got := strings.Split(g.ask(sql), "\n")
		for i := range rows {
			if want := c.want(all, &rows[i]); i+1 >= len(got) || got[i+1] != want {
				t.Fatalf("%s\n got %s\nwant %s", sql, got[min(i+1, len(got)-1)], want)
			}
		}
	}
	if err := e.Shutdown(); err != nil {
		t.Error(err)
	}
}

// TestWindowsStopEarly pins that no more rows are taken in than those that are wanted look at.
func TestWindowsStopEarly(t *testing.T) {
	e := testEngine(t, newCluster(t))
	g := &goldenClient{client: connect(t, e)}
	g.ask("create table w (id int primary key, k int)")
	g.ask("insert into w select g, g / 10 from generate_series(1, 20000) g")
	g.ask("analyze w")
	for _, c := range []struct {
		call string
		rows int
	}{
		{"row_number() over (order by id)", 3},
		{"sum(id) over (order by id)", 4},
		{"lag(id) over (order by id)", 3},
		{"sum(id) over (order by id rows between 1 preceding and 2 following)", 5},
		{"max(id) over (order by id range between current row and 5 following)", 9},
		{"count(*) over (partition by id order by id rows between unbounded preceding and unbounded following)", 4},
	} {
		got := g.ask("explain (analyze, costs off, timing off, summary off) select " + c.call + " from w limit 3")
		if want := fmt.Sprintf("Index Only Scan using w_pkey on w (actual rows=%d loops=1)", c.rows); !strings.Contains(got, want) {
			t.Errorf("%s\n got %s\nwant %s", c.call, got, want)
		}
	}
	if err := e.Shutdown(); err != nil {
		t.Error(err)
	}
}
