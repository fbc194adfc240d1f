package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/vfs"

	"pgregory.net/rapid"
)

// equalKeys is an index with few keys and a model of it: entries in order, and which of their rows are dead to everybody, so
// that the index may keep or lose them.
type equalKeys struct {
	tree *btree.Index
	task *activity.Task
	w    *btree.Writer
	s    *btree.Scan
	all  []entry
	dead map[base.TID]bool
	used map[base.TID]bool

	durable []entry // that were live when the log was flushed last
}

// Probe implements btree.Prober.
func (m *equalKeys) Probe(tid base.TID) (mvcc.Liveness, base.XID, error) {
	if m.dead[tid] {
		return mvcc.AllDead, 0, nil
	}
	return mvcc.Live, 0, nil
}

func newEqualKeys(t testing.TB, c *Cluster, number base.OID) *equalKeys {
	m := &equalKeys{dead: map[base.TID]bool{}, used: map[base.TID]bool{}}
	m.tree, m.task = newIndex(t, c, number, nil)
	m.open()
	return m
}

func (m *equalKeys) open() {
	m.w, m.s = m.tree.NewWriter(m.task), m.tree.NewScan(m.task)
	m.w.SetProber(m)
}

// equalKey gives one of a few keys; some are so long that few entries of theirs fit a page.
func equalKey(k int) []byte {
	key := fmt.Appendf(nil, "k%d", k%9)
	switch k % 9 {
	case 3:
		key = append(key, bytes.Repeat([]byte{'l'}, 700)...)
	case 5:
		key = append(key, bytes.Repeat([]byte{'l'}, 1340)...)
	case 6:
		key = append(key, bytes.Repeat([]byte{'l'}, 2000)...)
	}
	return key
}

// fresh gives addresses that were never used: one behind the other, or anywhere.
func (m *equalKeys) fresh(r *rand.Rand, ascending bool, n int) []base.TID {
	var out []base.TID
	from := r.Uint32N(1 << 20)
	for i := range uint32(n) {
		tid := base.TID{Block: base.BlockNumber(from + i/50), Offset: base.OffsetNumber(1 + i%50)}
		if !ascending {
			tid.Block = base.BlockNumber(r.Uint32N(1 << 20))
		}
		if !m.used[tid] {
			m.used[tid] = true
			out = append(out, tid)
		}
	}
	return out
}

func (m *equalKeys) add(e entry) {
	at, _ := slices.BinarySearchFunc(m.all, e, compareEntries)
	m.all = slices.Insert(m.all, at, e)
}

func (m *equalKeys) live() (out []entry) {
	for _, e := range m.all {
		if !m.dead[e.tid] {
			out = append(out, e)
		}
	}
	return out
}

// rebuild makes the index anew from the model's entries.
func (m *equalKeys) rebuild(t testing.TB, c *Cluster, number base.OID) {
	m.all = m.live()
	m.dead = map[base.TID]bool{}
	m.tree, m.task = newIndex(t, c, number, func(s *sess, tree *btree.Index) {
		b, err := tree.NewBuilder(s.task, s.tx, 0)
		s.must(err)
		for _, e := range m.all {
			s.must(b.Add(e.key, e.tid, nil))
		}
		n, err := b.Finish()
		s.must(err)
		if int(n) != len(m.all) {
			t.Fatalf("built %d entries of %d", n, len(m.all))
		}
	})
	m.open()
}

// scanned compares a scan with the model: every live entry is there, in order, and beside them only dead ones. It kills the
// dead ones that kill says.
func (m *equalKeys) scanned(r btree.Range, back bool, kill func(base.TID) bool) error {
	want := slices.Clone(m.all)
	want = slices.DeleteFunc(want, func(e entry) bool { return !inRange(r, e.key) })
	if back {
		slices.Reverse(want)
	}
	m.s.Reset(r, back, true)
	for {
		tids, err := m.s.Next()
		if err != nil {
			return err
		}
		if len(tids) == 0 {
			break
		}
		for i, tid := range tids {
			for len(want) > 0 && want[0].tid != tid && m.dead[want[0].tid] {
				want = want[1:]
			}
			if len(want) == 0 || want[0].tid != tid || !bytes.Equal(want[0].key, m.s.Key(i)) || len(m.s.Payload(i)) > 0 {
				return fmt.Errorf("back %v: unexpected entry %q %s", back, m.s.Key(i), tid)
			}
			want = want[1:]
			if m.dead[tid] && kill(tid) {
				m.s.Kill(i)
			}
		}
	}
	for _, e := range want {
		if !m.dead[e.tid] {
			return fmt.Errorf("back %v: entry %q %s is missing", back, e.key, e.tid)
		}
	}
	return nil
}

// slowScan changes the index between the steps of a scan, which must give in order, once, what was there all the time.
func (m *equalKeys) slowScan(r *rand.Rand, back bool) error {
	began := m.live()
	got := map[base.TID]bool{}
	var last entry
	m.s.Reset(btree.Range{}, back, true)
	for step := 0; ; step++ {
		tids, err := m.s.Next()
		if err != nil {
			return err
		}
		if len(tids) == 0 {
			break
		}
		for i, tid := range tids {
			e := entry{bytes.Clone(m.s.Key(i)), tid}
			if c := compareEntries(last, e); last.key != nil && (c >= 0 && !back || c <= 0 && back) {
				return fmt.Errorf("back %v: entry %q %s behind %q %s", back, e.key, e.tid, last.key, last.tid)
			}
			last = e
			got[tid] = true
			if m.dead[tid] && r.IntN(4) > 0 {
				m.s.Kill(i)
			}
		}
		switch op := r.IntN(6); {
		case step > 20: // or new entries of long keys keep ahead of the scan
		case op == 0:
			if _, _, err := m.w.BulkDelete(func(tid base.TID) bool { return m.dead[tid] && tid.Block%2 == 0 }, nil); err != nil {
				return err
			}
		case op < 4:
			for _, tid := range m.fresh(r, false, r.IntN(120)) {
				e := entry{last.key, tid}
				if r.IntN(2) == 0 {
					e.key = equalKey(r.IntN(9))
				}
				if _, err := m.w.Insert(e.key, e.tid, nil, nil); err != nil {
					return err
				}
				m.add(e)
			}
		}
	}
	for _, e := range began {
		if !got[e.tid] {
			return fmt.Errorf("back %v: entry %q %s was passed over", back, e.key, e.tid)
		}
	}
	return nil
}

// contains looks entries up that are there, and others.
func (m *equalKeys) contains(r *rand.Rand) error {
	for range 30 {
		e := entry{equalKey(r.IntN(9)), base.TID{Block: base.BlockNumber(r.Uint32N(1 << 20)), Offset: 1}}
		if len(m.all) > 0 && r.IntN(2) == 0 {
			e.tid = m.all[r.IntN(len(m.all))].tid
		}
		if len(m.all) > 0 && r.IntN(2) == 0 {
			e = m.all[r.IntN(len(m.all))]
		}
		_, want := slices.BinarySearchFunc(m.all, e, compareEntries)
		has, err := m.tree.Contains(m.task, e.key, e.tid)
		if err != nil {
			return err
		}
		if has != want && !m.dead[e.tid] {
			return fmt.Errorf("%q %s: contained %v", e.key, e.tid, has)
		}
	}
	return nil
}

func TestEqualKeysAgainstSortedList(t *testing.T) {
	c := newCluster(t, 512)
	number := base.OID(130000)
	rapid.Check(t, func(rt *rapid.T) {
		number++
		m := newEqualKeys(t, c, number)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 5))
		must := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"insert": func(rt *rapid.T) {
				one, ascending := rapid.Bool().Draw(rt, "one key"), rapid.Bool().Draw(rt, "ascending")
				k := rapid.IntRange(0, 8).Draw(rt, "k")
				for _, tid := range m.fresh(r, ascending, rapid.IntRange(1, 700).Draw(rt, "n")) {
					if !one {
						k = r.IntN(9)
					}
					e := entry{equalKey(k), tid}
					_, err := m.w.Insert(e.key, e.tid, nil, nil)
					must(err)
					m.add(e)
				}
			},
			"insert many": func(rt *rapid.T) {
				var batch []btree.Entry
				width := rapid.IntRange(1, 9).Draw(rt, "keys")
				for _, tid := range m.fresh(r, rapid.Bool().Draw(rt, "ascending"), rapid.IntRange(1, 900).Draw(rt, "n")) {
					e := entry{equalKey(r.IntN(width)), tid}
					batch = append(batch, btree.Entry{Key: e.key, TID: e.tid})
					m.add(e)
				}
				slices.SortFunc(batch, func(a, b btree.Entry) int { return compareEntries(entry{a.Key, a.TID}, entry{b.Key, b.TID}) })
				if n, c, err := m.w.InsertMany(batch, nil); n != len(batch) || c.Found || err != nil {
					rt.Fatal(n, c, err)
				}
			},
			"insert unique": func(rt *rapid.T) {
				k := rapid.IntRange(0, 8).Draw(rt, "k")
				for _, tid := range m.fresh(r, rapid.Bool().Draw(rt, "ascending"), rapid.IntRange(1, 50).Draw(rt, "n")) {
					e := entry{equalKey(k), tid}
					taken := slices.ContainsFunc(m.all, func(o entry) bool { return !m.dead[o.tid] && bytes.Equal(o.key, e.key) })
					found, err := m.w.FindConflict(e.key, m)
					must(err)
					conflict, err := m.w.Insert(e.key, e.tid, nil, m)
					must(err)
					if conflict != found || conflict.Found != taken || taken && (m.dead[conflict.TID] || !m.used[conflict.TID]) {
						rt.Fatalf("conflict %v, looked for %v, taken %v", conflict, found, taken)
					}
					if !taken {
						m.add(e)
						if r.IntN(3) > 0 { // the next version of the row
							m.dead[e.tid] = true
						}
					}
				}
			},
			"die": func(rt *rapid.T) {
				of, share := equalKey(rapid.IntRange(0, 8).Draw(rt, "k")), rapid.IntRange(1, 10).Draw(rt, "share")
				for _, e := range m.all {
					if r.IntN(10) < share && (share < 10 || bytes.Equal(e.key, of)) {
						m.dead[e.tid] = true
					}
				}
			},
			"vacuum": func(rt *rapid.T) {
				most := len(m.all)
				m.all = m.live()
				removed, kept, err := m.w.BulkDelete(func(tid base.TID) bool { return m.dead[tid] }, nil)
				if err != nil || int(removed) > most-len(m.all) || int(kept) != len(m.all) {
					rt.Fatal(removed, kept, most, len(m.all), err)
				}
				m.dead = map[base.TID]bool{}
			},
			"scan": func(rt *rapid.T) {
				var rg btree.Range
				if rapid.Bool().Draw(rt, "lo") {
					rg.Lo, rg.LoExcluded = equalKey(r.IntN(9)), rapid.Bool().Draw(rt, "loExcluded")
				}
				if rapid.Bool().Draw(rt, "hi") {
					rg.Hi, rg.HiExcluded = equalKey(r.IntN(9)), rapid.Bool().Draw(rt, "hiExcluded")
				}
				some := rapid.Bool().Draw(rt, "kill some")
				must(m.scanned(rg, rapid.Bool().Draw(rt, "back"), func(base.TID) bool { return !some || r.IntN(9) > 0 }))
			},
			"slow scan": func(rt *rapid.T) { must(m.slowScan(r, rapid.Bool().Draw(rt, "back"))) },
			"contains": func(rt *rapid.T) {
				must(m.contains(r))
			},
			"rebuild": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "when") == 0 {
					number++
					m.rebuild(t, c, number)
				}
			},
			"": func(rt *rapid.T) {
				seen := map[base.TID]bool{}
				for _, e := range m.tree.Check(m.task, func(_ []byte, tid base.TID) { seen[tid] = true }) {
					rt.Error(e)
				}
				for _, e := range m.live() {
					if !seen[e.tid] {
						rt.Fatalf("the check does not see %q %s", e.key, e.tid)
					}
				}
			},
		})
	})
}

// listWork does everything that changes lists until the power goes.
func listWork(r *rand.Rand, c *Cluster, m *equalKeys) error {
	for {
		k := r.IntN(9)
		var err error
		switch op := r.IntN(20); {
		case op < 6:
			ascending := r.IntN(2) == 0
			for _, tid := range m.fresh(r, ascending, 1+r.IntN(300)) {
				if _, err = m.w.Insert(equalKey(k), tid, nil, nil); err != nil {
					return err
				}
				m.add(entry{equalKey(k), tid})
				if r.IntN(5) == 0 {
					m.dead[tid] = true
				}
			}
		case op < 12:
			var batch []btree.Entry
			for _, tid := range m.fresh(r, r.IntN(2) == 0, 1+r.IntN(300)) {
				k := r.IntN(9)
				batch = append(batch, btree.Entry{Key: equalKey(k), TID: tid})
				m.add(entry{equalKey(k), tid})
			}
			slices.SortFunc(batch, func(a, b btree.Entry) int { return compareEntries(entry{a.Key, a.TID}, entry{b.Key, b.TID}) })
			_, _, err = m.w.InsertMany(batch, nil)
		case op < 14:
			err = m.scanned(btree.Range{}, r.IntN(2) == 0, func(base.TID) bool { return true })
		case op < 16:
			for _, e := range m.all {
				if r.IntN(4) == 0 {
					m.dead[e.tid] = true
				}
			}
			if r.IntN(2) == 0 {
				if _, _, err = m.w.BulkDelete(func(tid base.TID) bool { return m.dead[tid] }, nil); err != nil {
					return err
				}
				m.all = m.live()
				m.dead = map[base.TID]bool{}
			}
		default:
			_, err = c.Pool.CleanBuffers(1<<20, r.IntN(6))
		}
		if err == nil {
			err = c.Log.Flush(c.Log.InsertLSN())
		}
		if err != nil {
			return err
		}
		m.durable = m.live()
	}
}

// TestListsSurvivePowerCuts cuts the power at any write while lists are made, changed and taken apart; redo is compared with
// images of all pages, and nothing that was flushed may be missing.
func TestListsSurvivePowerCuts(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 6
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 31))
		fs := newFS(t)
		c := startOn(t, fs, 24)
		if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
			t.Fatal(err)
		}
		m := newEqualKeys(t, c, 20002)
		for round := range uint64(3) {
			if seed%3 > 0 {
				c.Log.SetTuning(activity.LogTuning{Checks: 1<<32 - 1}, nil)
			}
			fs.Inject(vfs.Fault{Nth: 20 + r.IntN(500), Err: vfs.ErrPowerCut})
			if err := listWork(r, c, m); !errors.Is(err, vfs.ErrPowerCut) {
				t.Fatalf("seed %d round %d: %v", seed, round, err)
			}
			fs = fs.Crash(seed*10 + round)
			c = startOn(t, fs, 24)
			d, before := kv().Indexes[0], m
			m = &equalKeys{dead: map[base.TID]bool{}, used: map[base.TID]bool{}}
			m.tree, m.task = btree.Open(c.Txns, &relation.Index{Name: "again", File: base.RelFile{Space: d.File.Space,
				Database: d.File.Database, Number: 20002}}, true), activity.NewTask(1, nil)
			m.open()
			for _, e := range m.tree.Check(m.task, nil) {
				t.Fatalf("seed %d round %d: %v", seed, round, e)
			}
			for _, e := range collectBare(t, m.tree.NewScan(m.task)) {
				m.all = append(m.all, e)
				m.used[e.tid] = true
			}
			for _, e := range before.durable {
				if !before.dead[e.tid] && !m.used[e.tid] {
					t.Fatalf("seed %d round %d: %q %s is lost", seed, round, e.key, e.tid)
				}
			}
		}
	}
}

func collectBare(t testing.TB, s *btree.Scan) (out []entry) {
	s.Reset(btree.Range{}, false, true)
	for {
		tids, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(tids) == 0 {
			return out
		}
		for i, tid := range tids {
			out = append(out, entry{bytes.Clone(s.Key(i)), tid})
		}
	}
}

// TestListsBesideScans has writers fill lists, in order and in their middle, and a vacuum take other entries out, while
// scans in both directions count those that stay.
func TestListsBesideScans(t *testing.T) {
	c := newCluster(t, 512)
	tree, task := newIndex(t, c, 62000, nil)
	w := tree.NewWriter(task)
	const keep = 3000
	for i := range keep {
		if _, err := w.Insert(equalKey(i%3), base.TID{Block: base.BlockNumber(i * 10), Offset: 1}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var wg, scans sync.WaitGroup
	for k := range uint32(2) {
		wg.Go(func() {
			own := activity.NewTask(70+k, nil)
			w := tree.NewWriter(own)
			r := rand.New(rand.NewPCG(uint64(k), 3))
			for n := uint32(0); !stop.Load() && n < 1<<15; n++ {
				tid := base.TID{Block: base.BlockNumber(r.Uint32N(keep * 10)), Offset: base.OffsetNumber(2 + k + 2*n%60000)}
				if n%8 > 0 {
					tid.Block = base.BlockNumber(keep*10 + n)
				}
				if has, err := tree.Contains(own, equalKey(int(n%3)), tid); err == nil && has {
					continue
				}
				if _, err := w.Insert(equalKey(int(n%3)), tid, nil, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		w := tree.NewWriter(activity.NewTask(50, nil))
		for n := 0; !stop.Load(); n++ {
			if _, _, err := w.BulkDelete(func(tid base.TID) bool { return tid.Offset > 1 && int(tid.Block)%2 == n%2 }, nil); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for k, back := range []bool{false, true} {
		scans.Go(func() {
			s := tree.NewScan(activity.NewTask(uint32(90+k), nil))
			for range 100 {
				n, err := countEntries(s, back, func(tid base.TID) bool { return tid.Offset == 1 })
				if err != nil {
					t.Error(err)
					return
				}
				if n != keep {
					t.Errorf("back %v: %d entries of %d", back, n, keep)
				}
			}
		})
	}
	scans.Wait()
	stop.Store(true)
	wg.Wait()
	for _, e := range tree.Check(task, nil) {
		t.Error(e)
	}
}

// TestRightHalfOfCutInnerSplit pins that an inner node whose split a crash cut short is made known to its parent before its
// right half is split: keys are so long that every few entries split inner nodes.
func TestRightHalfOfCutInnerSplit(t *testing.T) {
	long := bytes.Repeat([]byte{'l'}, 2000)
	seeds := uint64(25)
	if testing.Short() {
		seeds = 5
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 37))
		fs := newFS(t)
		c := startOn(t, fs, 24)
		if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
			t.Fatal(err)
		}
		tree, task := newIndex(t, c, 20002, nil)
		at := 0
		insert := func(n int) (err error) {
			w := tree.NewWriter(task)
			for ; n > 0 && err == nil; n-- {
				at++ // somewhere near the end, so that it is the new nodes that fill up
				tid := base.TID{Block: base.BlockNumber(at + r.IntN(30)), Offset: base.OffsetNumber(1 + at%60000)}
				if _, err = w.Insert(long, tid, nil, nil); err == nil && r.IntN(40) == 0 {
					err = c.Log.Flush(c.Log.InsertLSN())
				}
			}
			return err
		}
		for round := range uint64(4) {
			fs.Inject(vfs.Fault{Nth: 20 + r.IntN(100), Err: vfs.ErrPowerCut})
			if err := insert(10000); !errors.Is(err, vfs.ErrPowerCut) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			fs = fs.Crash(seed*10 + round)
			c = startOn(t, fs, 24)
			d := kv().Indexes[0]
			d.File.Number = 20002
			tree, task = btree.Open(c.Txns, d, true), activity.NewTask(1, nil)
			if err := insert(200); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, e := range tree.Check(task, nil) {
				t.Fatalf("seed %d: %v", seed, e)
			}
		}
	}
}

// TestScansCutLists has scans in both directions find most rows of lists dead: the next scan must not meet those again.
func TestScansCutLists(t *testing.T) {
	c := newCluster(t, 512)
	for number, back := range []bool{false, true} {
		m := newEqualKeys(t, c, base.OID(63000+2*number))
		r := rand.New(rand.NewPCG(uint64(number), 41))
		for _, tid := range m.fresh(r, true, 2000) {
			m.add(entry{equalKey(int(tid.Block % 3)), tid})
		}
		m.rebuild(t, c, base.OID(63001+2*number))
		for _, e := range m.all {
			m.dead[e.tid] = r.IntN(10) > 0
		}
		for pass := range 2 {
			if err := m.scanned(btree.Range{}, back, func(base.TID) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if got := len(collectBare(t, m.s)); got != len(m.live()) {
				t.Errorf("back %v pass %d: %d entries, %d live ones", back, pass, got, len(m.live()))
			}
		}
		for _, e := range m.tree.Check(m.task, nil) {
			t.Error(e)
		}
	}
}
