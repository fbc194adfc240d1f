package isolation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Environment variables: how many histories a level and a number of slots, of how many transactions; and the seed.
const (
	historiesVariable    = "MANIFOLD_HISTORIES"
	transactionsVariable = "MANIFOLD_TRANSACTIONS"
	seedVariable         = "MANIFOLD_SEED"
)

func setting(name string, standard uint64) uint64 {
	if v, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return v
	}
	return standard
}

const (
	workers    = 64
	keysAtOnce = 8   // keys in use at a time
	keyLife    = 200 // transactions after which a key goes out of use
)

// TestHistories runs random transactions in many sessions at every level and looks for what the level excludes.
func TestHistories(t *testing.T) {
	seed := setting(seedVariable, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d", seedVariable, seed)
	count, size := int(setting(historiesVariable, 2)), int(setting(transactionsVariable, 400))
	for _, slots := range slotCounts() {
		for _, level := range []string{"read committed", "repeatable read", "serializable"} {
			t.Run(slotName(slots)+"/"+strings.ReplaceAll(level, " ", "_"), func(t *testing.T) {
				committed, all := 0, 0
				for i := range count {
					w := &workload{t: t, level: level, size: size, srv: start(t, slots), registers: (seed+uint64(i))%2 == 1}
					txns, final := w.run(seed + uint64(i))
					for _, f := range check(level, txns, final) {
						t.Errorf("history %d: %s", i, f)
					}
					for _, x := range txns {
						all++
						if x.committed {
							committed++
						}
					}
					_ = w.srv.e.Abandon()
					if t.Failed() {
						return
					}
				}
				t.Logf("%d of %d transactions committed", committed, all)
			})
		}
	}
}

// workload is one history in the making.
type workload struct {
	t         *testing.T
	level     string
	size      int
	srv       *engineServer
	registers bool // keys hold one value, which is overwritten, instead of a list

	next  atomic.Int64 // transaction
	value atomic.Int64
	mu    sync.Mutex // guards done
	done  [][]did    // by session
}

func (w *workload) run(seed uint64) ([]did, map[int][]int) {
	c, err := w.srv.connect()
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.close()
	if w.registers {
		c.run("create table kv (k int primary key, v int not null, was int not null)")
	} else {
		c.run("create table kv (k int primary key, v text not null)")
	}
	w.done = make([][]did, workers)
	var wg sync.WaitGroup
	for s := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w.session(s, rand.New(rand.NewPCG(seed, uint64(s))))
		}()
	}
	wg.Wait()
	var all []did
	for _, d := range w.done {
		all = append(all, d...)
	}
	final := map[int][]int{}
	for _, row := range c.run("select k, v from kv") {
		if k, list, ok := parseRow(row); ok {
			final[k] = list
		}
	}
	if w.registers {
		spell(all, final)
	}
	return all, final
}

// spell turns the history of registers into one of lists: a write knows the value that it replaced, so that every value leads
// back to the first of its key, and reading it is reading all of them.
func spell(txns []did, final map[int][]int) {
	replaced := map[int]int{} // by value; zero for the first
	for _, t := range txns {
		for i, o := range t.ops {
			if o.append {
				replaced[o.value] = o.list[0]
				t.ops[i].list = nil
			}
		}
	}
	full := func(l []int) (out []int) {
		if len(l) == 0 {
			return nil
		}
		for v := l[0]; v != 0; v = replaced[v] {
			out = append(out, v)
		}
		slices.Reverse(out)
		return out
	}
	for _, t := range txns {
		for i, o := range t.ops {
			if !o.append {
				t.ops[i].list = full(o.list)
			}
		}
	}
	for k, l := range final {
		final[k] = full(l)
	}
}

// write gives the statement that appends a value to a list, or puts it into a register.
func (w *workload) write(k, v int) string {
	if w.registers {
		return fmt.Sprintf("insert into kv values (%d, %d, 0) on conflict (k) do update set v = %[2]d, was = kv.v returning k, was", k, v)
	}
	return fmt.Sprintf("insert into kv values (%d, '%d') on conflict (k) do update set v = kv.v || ',%[2]d'", k, v)
}

func (w *workload) session(s int, r *rand.Rand) {
	c, err := w.srv.connect()
	if err != nil {
		w.t.Error(err)
		return
	}
	defer c.close()
	c.run("set deadlock_timeout = '5ms'")
	c.run("set enable_seqscan = " + []string{"on", "off"}[r.IntN(2)])
	var mine []did
	for {
		n := w.next.Add(1)
		if n > int64(w.size) {
			break
		}
		d := did{session: s}
		d.ops, d.committed = w.transaction(c, r, int(n)/keyLife*keysAtOnce/2)
		mine = append(mine, d)
	}
	w.mu.Lock()
	w.done[s] = mine
	w.mu.Unlock()
}

// transaction runs one transaction and tells what it did.
func (w *workload) transaction(c conn, r *rand.Rand, first int) (ops []op, committed bool) {
	fails := func(lines []string) bool {
		e := last(lines)
		if e != "" && !strings.Contains(e, "40001") && !strings.Contains(e, "40P01") {
			w.t.Errorf("%s", e)
		}
		return e != ""
	}
	if fails(c.run("begin isolation level " + w.level)) {
		return nil, false
	}
	for range 1 + r.IntN(5) {
		k := first + r.IntN(keysAtOnce)
		var lines []string
		switch kind := r.IntN(10); {
		case kind < 4:
			v := int(w.value.Add(1))
			sql := w.write(k, v)
			if kind == 0 {
				sql = fmt.Sprintf("savepoint s; %s; release s", sql)
			}
			lines = c.run(sql)
			o := op{key: k, append: true, value: v}
			for _, l := range lines {
				if _, was, ok := parseRow(l); ok {
					o.list = was
				}
			}
			if !w.registers || o.list != nil {
				ops = append(ops, o)
			}
		case kind < 8:
			sql := fmt.Sprintf("select k, v from kv where k = %d", k)
			if kind == 4 && w.level == "read committed" {
				sql += " for update"
			}
			lines = c.run(sql)
			if last(lines) == "" {
				ops = append(ops, reads(lines, k, k)...)
			}
		default:
			to := k + r.IntN(keysAtOnce)
			lines = c.run(fmt.Sprintf("select k, v from kv where k between %d and %d order by k", k, to))
			if last(lines) == "" {
				ops = append(ops, reads(lines, k, to)...)
			}
		}
		if fails(lines) {
			c.run("rollback")
			return ops, false
		}
	}
	if r.IntN(20) == 0 {
		c.run("rollback")
		return ops, false
	}
	return ops, !fails(c.run("commit"))
}

// reads turns the rows of a range into reads of all its keys: a key without a row was read as empty.
func reads(lines []string, from, to int) []op {
	lists := map[int][]int{}
	for _, row := range lines {
		if k, list, ok := parseRow(row); ok {
			lists[k] = list
		}
	}
	var out []op
	for k := from; k <= to; k++ {
		out = append(out, op{key: k, list: lists[k]})
	}
	return out
}

func parseRow(row string) (k int, list []int, ok bool) {
	key, values, ok := strings.Cut(row, "|")
	if !ok {
		return 0, nil, false
	}
	k, _ = strconv.Atoi(key)
	for _, v := range strings.Split(values, ",") {
		n, _ := strconv.Atoi(v)
		list = append(list, n)
	}
	return k, list, true
}
