package wal

import (
	"errors"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"manifold/engine/base"
	"manifold/engine/vfs"
)

// tail is what may stand behind the last durable byte after a crash.
type tail struct {
	name string
	fill func(r *rand.Rand, segments [][]byte, seg, from int) // of segment seg and those behind it
}

func tails() []tail {
	rest := func(segments [][]byte, seg, from int, each func(seg, at int) byte) {
		for s := seg; s < len(segments); s++ {
			for i := from; i < len(segments[s]); i++ {
				segments[s][i] = each(s, i)
			}
			from = 0
		}
	}
	return []tail{
		{"zeros", func(_ *rand.Rand, segments [][]byte, seg, from int) {
			rest(segments, seg, from, func(int, int) byte { return 0 })
		}},
		{"garbage", func(r *rand.Rand, segments [][]byte, seg, from int) {
			rest(segments, seg, from, func(int, int) byte { return byte(r.Uint32()) })
		}},
		{"the recycled segment's old content", func(_ *rand.Rand, segments [][]byte, seg, from int) {
			old := slices.Clone(segments)
			rest(segments, seg, from, func(s, i int) byte { return old[(s+len(old)-2)%len(old)][i] })
		}},
		{"sound records of another place", func(r *rand.Rand, segments [][]byte, seg, from int) {
			old := slices.Clone(segments[seg])
			shift := 8 * (1 + r.IntN(from/8))
			rest(segments, seg, from, func(_, i int) byte { return old[(i+len(old)-shift)%len(old)] })
		}},
		{"nothing", func(_ *rand.Rand, segments [][]byte, seg, from int) {
			segments[seg] = segments[seg][:from]
			for s := seg + 1; s < len(segments); s++ {
				segments[s] = nil
			}
		}},
	}
}

// TestTails cuts the log at any byte, puts what a crash may leave there, and reads: exactly the records before the cut. Then it
// goes on writing as the next start does, and reads again: nothing of the tail ever comes back.
func TestTails(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(1)
	first := FirstPosition(o)
	l := mustOpen(t, fs, o, first)
	var ends []base.LSN
	r := rand.New(rand.NewPCG(3, 4))
	for i := 1; i <= 400; i++ {
		ends = append(ends, insert(t, l, base.XID(i), payload(base.XID(i), r.IntN(1500))))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := l.geometry
	var whole [][]byte
	for seg := g.segment(first.Redo); seg <= g.segment(ends[len(ends)-1]); seg++ {
		b := make([]byte, g.size)
		f, err := fs.Open(g.path(seg), vfs.ReadOnly)
		if err == nil {
			_, err = f.ReadAt(b, 0)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		whole = append(whole, b)
	}
	rounds := 60
	if testing.Short() {
		rounds = 12
	}
	for _, k := range tails() {
		for round := range rounds {
			cut := first.Redo + base.LSN(r.Int64N(int64(ends[len(ends)-1]-first.Redo)))
			if round%4 == 0 { // at the end of a record, where a tail is most tempting
				cut = ends[r.IntN(len(ends))]
			}
			if g.atHeader(cut) {
				continue
			}
			segments := make([][]byte, len(whole))
			for i := range whole {
				segments[i] = slices.Clone(whole[i])
			}
			k.fill(r, segments, int(g.segment(cut)-g.segment(first.Redo)), int(g.offset(cut)))
			checkTail(t, k.name, g, segments, first, cut, ends)
		}
	}
}

func checkTail(t *testing.T, name string, g geometry, segments [][]byte, first Position, cut base.LSN, ends []base.LSN) {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll(g.dir); err != nil {
		t.Fatal(err)
	}
	for i, b := range segments {
		if b == nil {
			continue
		}
		f, err := fs.Open(g.path(g.segment(first.Redo)+uint64(i)), vfs.Create)
		if err == nil {
			_, err = f.WriteAt(b, 0)
		}
		if err = errors.Join(err, f.Sync(), f.Close(), fs.SyncDir(g.dir)); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := slices.BinarySearch(ends, cut+1) // records that end at or before the cut
	got, at, err := readAll(fs, readerOptions(), first.Redo)
	if err != nil || len(got) != want && len(got) != want+1 { // zeros behind a cut may be what was there
		t.Fatalf("%s, cut at %s: %d records, want %d: %v", name, cut, len(got), want, err)
	}
	want = len(got)
	if at.Prev == 0 {
		at = first
	}
	at.Redo = first.Redo
	l := mustOpen(t, fs, testOptions(2), at)
	for i := range 5 {
		x := base.XID(1000 + i)
		insert(t, l, x, payload(x, 100))
		if err := l.Flush(l.InsertLSN()); err != nil {
			t.Fatal(err)
		}
		if got, _, err = readAll(fs, readerOptions(), first.Redo); err != nil || len(got) != want+i+1 || got[want+i] != x {
			t.Fatalf("%s, cut at %s: %d records after %d new ones, want %d: %v", name, cut, len(got), i+1, want+i+1, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRecycleFailsHalfWay pins that a segment which got its new name before a later one failed keeps it: what is flushed into it
// must not be lost with the directory's entry.
func TestRecycleFailsHalfWay(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	for i := 1; i <= 40; i++ {
		insert(t, l, base.XID(i), payload(base.XID(i), 10000))
	}
	if err := l.Flush(l.InsertLSN()); err != nil {
		t.Fatal(err)
	}
	redo := l.BeginCheckpoint(nil)
	fs.Inject(vfs.Fault{Op: vfs.OpRename, Nth: 2, Err: syscall.EIO})
	if err := l.Recycle(redo, 3); err == nil {
		t.Fatal("the second rename did not fail")
	}
	fs.Heal()
	n := 0
	for seg := l.segment(l.InsertLSN()); l.segment(l.InsertLSN()) == seg; n++ { // into the renamed one, and no further
		insert(t, l, 41, payload(41, 10000))
	}
	if err := l.Flush(l.InsertLSN()); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		if got, _, err := readAll(fs.Crash(seed), readerOptions(), redo); err != nil || len(got) != n {
			t.Fatalf("seed %d: %d of %d durable records survive: %v", seed, len(got), n, err)
		}
	}
}
