package recovery

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/relation"

	"pgregory.net/rapid"
)

type entry struct {
	key []byte
	tid base.TID
}

func compareEntries(a, b entry) int {
	if c := bytes.Compare(a.key, b.key); c != 0 {
		return c
	}
	return cmp.Compare(a.tid.Pack(), b.tid.Pack())
}

func newIndex(t testing.TB, c *Cluster, number base.OID, build func(*sess, *btree.Index)) (*btree.Index, *activity.Task) {
	d := kv().Indexes[0]
	ix := &relation.Index{Name: fmt.Sprint("ix", number), File: d.File}
	ix.File.Number = number
	tree := btree.Open(c.Txns, ix, true)
	tab, _ := c.openKV()
	s := c.session(t, uint32(number), tab, tree)
	s.begin()
	if build != nil {
		build(s, tree)
	} else {
		s.must(tree.Create(s.task, s.tx))
	}
	s.commit()
	return tree, s.task
}

// inRange restates btree.Range for one key.
func inRange(r btree.Range, key []byte) bool {
	head := func(bound []byte) []byte { return key[:min(len(key), len(bound))] }
	if r.Lo != nil {
		if c := bytes.Compare(head(r.Lo), r.Lo); c < 0 || c == 0 && r.LoExcluded {
			return false
		}
	}
	if r.Hi != nil {
		if c := bytes.Compare(head(r.Hi), r.Hi); c > 0 || c == 0 && r.HiExcluded {
			return false
		}
	}
	return true
}

func collect(t testing.TB, s *btree.Scan, r btree.Range, back bool) []entry {
	s.Reset(r, back, true)
	var out []entry
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
			if want := fmt.Sprint("p", tid.Block); string(s.Payload(i)) != want {
				t.Fatalf("payload %q, want %q", s.Payload(i), want)
			}
		}
	}
}

var keyGen = rapid.Custom(func(t *rapid.T) []byte {
	k := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 1, 6).Draw(t, "key")
	switch rapid.IntRange(0, 19).Draw(t, "shape") {
	case 0:
		k = append(k, bytes.Repeat([]byte{'x'}, rapid.IntRange(500, btree.MaxEntry-20).Draw(t, "long"))...)
	case 1, 2, 3:
		k = append(bytes.Repeat([]byte{'p'}, 40), k...)
	}
	return k
})

func TestTreeAgainstSortedList(t *testing.T) {
	c := newCluster(t, 512)
	number := base.OID(30000)
	rapid.Check(t, func(rt *rapid.T) {
		number++
		tree, task := newIndex(t, c, number, nil)
		w, s := tree.NewWriter(task), tree.NewScan(task)
		var model []entry
		next := uint32(0)
		rt.Repeat(map[string]func(*rapid.T){
			"insert": func(rt *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(rt, "n") {
					next++
					e := entry{keyGen.Draw(rt, "key"), base.TID{Block: base.BlockNumber(next * 7919 % 10007), Offset: base.OffsetNumber(next%200 + 1)}}
					at, found := slices.BinarySearchFunc(model, e, compareEntries)
					if found {
						continue
					}
					if _, err := w.Insert(e.key, e.tid, fmt.Append(nil, "p", e.tid.Block), nil); err != nil {
						rt.Fatal(err)
					}
					model = slices.Insert(model, at, e)
				}
			},
			"insert many": func(rt *rapid.T) {
				var batch []btree.Entry
				for range rapid.IntRange(1, 200).Draw(rt, "n") {
					next++
					e := entry{keyGen.Draw(rt, "key"), base.TID{Block: base.BlockNumber(next * 7919 % 10007), Offset: base.OffsetNumber(next%200 + 1)}}
					if at, found := slices.BinarySearchFunc(model, e, compareEntries); !found {
						model = slices.Insert(model, at, e)
						batch = append(batch, btree.Entry{Key: e.key, TID: e.tid, Payload: fmt.Append(nil, "p", e.tid.Block)})
					}
				}
				slices.SortFunc(batch, func(a, b btree.Entry) int { return compareEntries(entry{a.Key, a.TID}, entry{b.Key, b.TID}) })
				if n, c, err := w.InsertMany(batch, nil); n != len(batch) || c.Found || err != nil {
					rt.Fatal(n, c, err)
				}
			},
			"delete": func(rt *rapid.T) {
				mod := base.BlockNumber(rapid.IntRange(2, 9).Draw(rt, "mod"))
				dead := func(tid base.TID) bool { return tid.Block%mod == 0 }
				n := len(model)
				model = slices.DeleteFunc(model, func(e entry) bool { return dead(e.tid) })
				removed, kept, err := w.BulkDelete(dead, nil)
				if err != nil || int(removed) != n-len(model) || int(kept) != len(model) {
					rt.Fatal(removed, kept, err)
				}
			},
			"delete much": func(rt *rapid.T) {
				from := keyGen.Draw(rt, "from")
				dead := map[base.TID]bool{}
				model = slices.DeleteFunc(model, func(e entry) bool {
					gone := bytes.Compare(e.key, from) >= 0
					dead[e.tid] = gone
					return gone
				})
				model = slices.DeleteFunc(model, func(e entry) bool { return dead[e.tid] })
				if _, kept, err := w.BulkDelete(func(tid base.TID) bool { return dead[tid] }, nil); err != nil || int(kept) != len(model) {
					rt.Fatal(kept, err)
				}
			},
			"scan": func(rt *rapid.T) {
				var r btree.Range
				if rapid.Bool().Draw(rt, "lo") {
					r.Lo, r.LoExcluded = keyGen.Draw(rt, "from"), rapid.Bool().Draw(rt, "loExcluded")
				}
				if rapid.Bool().Draw(rt, "hi") {
					r.Hi, r.HiExcluded = keyGen.Draw(rt, "to"), rapid.Bool().Draw(rt, "hiExcluded")
				}
				var want []entry
				for _, e := range model {
					if inRange(r, e.key) {
						want = append(want, e)
					}
				}
				back := rapid.Bool().Draw(rt, "back")
				if back {
					slices.Reverse(want)
				}
				got := collect(t, s, r, back)
				if !slices.EqualFunc(got, want, func(a, b entry) bool { return compareEntries(a, b) == 0 }) {
					rt.Fatalf("range %v back %v: %d entries, want %d", r, back, len(got), len(want))
				}
			},
			"": func(rt *rapid.T) {
				for _, e := range tree.Check(task, nil) {
					rt.Error(e)
				}
			},
		})
	})
}

func TestBulkBuild(t *testing.T) {
	c := newCluster(t, 512)
	for n, size := range map[int]int{0: 8, 1: 8, 300: 8, 20000: 8, 500: 2600, 40: btree.MaxEntry - 10} {
		var model []entry
		for i := range n {
			k := fmt.Appendf(nil, "%08d", i/3)
			k = append(k, bytes.Repeat([]byte{'z'}, size-8)...)
			model = append(model, entry{k, base.TID{Block: base.BlockNumber(i), Offset: 1}})
		}
		tree, task := newIndex(t, c, base.OID(40000+n), func(s *sess, tree *btree.Index) {
			b, err := tree.NewBuilder(s.task, s.tx, 0)
			s.must(err)
			for _, e := range model {
				s.must(b.Add(e.key, e.tid, fmt.Append(nil, "p", e.tid.Block)))
			}
			_, err = b.Finish()
			s.must(err)
		})
		for _, e := range tree.Check(task, nil) {
			t.Error(n, e)
		}
		for _, back := range []bool{false, true} {
			got := collect(t, tree.NewScan(task), btree.Range{}, back)
			if back {
				slices.Reverse(got)
			}
			if !slices.EqualFunc(got, model, func(a, b entry) bool { return compareEntries(a, b) == 0 }) {
				t.Errorf("%d entries of %d bytes, back %v: got %d", n, size, back, len(got))
			}
		}
	}
}

// TestConcurrentInserts has writers split the same pages while readers count what was there from the beginning.
func TestConcurrentInserts(t *testing.T) {
	c := newCluster(t, 512)
	tree, task := newIndex(t, c, 50000, nil)
	w := tree.NewWriter(task)
	const old, workers, each = 500, 3, 1500
	for i := range old {
		if _, err := w.Insert(fmt.Appendf(nil, "%06d", i*20), base.TID{Block: 1, Offset: 1}, []byte("p1"), nil); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			w := tree.NewWriter(activity.NewTask(uint32(k), nil))
			for i := range each {
				key := fmt.Appendf(nil, "%06d", (i*7+k*3)%10000)
				if _, err := w.Insert(key, base.TID{Block: base.BlockNumber(2 + k), Offset: base.OffsetNumber(i%60000 + 1)}, nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, back := range []bool{false, true} {
		wg.Go(func() {
			s := tree.NewScan(activity.NewTask(99, nil))
			for range 30 {
				n, err := countEntries(s, back, func(tid base.TID) bool { return tid.Block == 1 })
				if err != nil {
					t.Error(err)
					return
				}
				if n != old {
					t.Errorf("back %v: %d old entries of %d", back, n, old)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for _, e := range tree.Check(task, func([]byte, base.TID) { n++ }) {
		t.Error(e)
	}
	if n != old+workers*each {
		t.Fatalf("%d entries of %d", n, old+workers*each)
	}
}

// countEntries scans the whole index and counts the entries that are wanted.
func countEntries(s *btree.Scan, back bool, wanted func(base.TID) bool) (n int, err error) {
	s.Reset(btree.Range{}, back, false)
	for {
		tids, err := s.Next()
		if err != nil || len(tids) == 0 {
			return n, err
		}
		for _, tid := range tids {
			if wanted(tid) {
				n++
			}
		}
	}
}
