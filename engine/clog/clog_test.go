package clog

import (
	"errors"
	"testing"

	"manifold/engine/base"
	"manifold/engine/vfs"
)

func open(t *testing.T, fs vfs.FS) *Log {
	t.Helper()
	l, err := Open(fs)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFlushedBitsSurviveACrash(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	xs := []base.XID{3, 4, 15, 16, 17, 40000, segmentXIDs - 1, segmentXIDs, 5 * segmentXIDs}
	for i, x := range xs {
		if err := l.Reserve(x); err != nil {
			t.Fatal(err)
		}
		l.Set(x, Aborted) // an earlier use of the id
		if i%2 == 0 {
			l.Set(x, Committed)
		}
	}
	if err := l.Flush(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	l.Set(5, Committed) // not flushed
	l = open(t, fs.Crash(1))
	for i, x := range xs {
		want := Aborted
		if i%2 == 0 {
			want = Committed
		}
		if got := l.Get(x); got != want {
			t.Errorf("transaction %d: %d, want %d", x, got, want)
		}
	}
	for _, x := range []base.XID{5, 6, 2 * segmentXIDs, 100 * segmentXIDs} {
		if got := l.Get(x); got != InProgress {
			t.Errorf("transaction %d: %d", x, got)
		}
	}
	if err := l.Truncate(segmentXIDs + 1); err != nil {
		t.Fatal(err)
	}
	if l.Get(3) != InProgress || l.Get(segmentXIDs) == InProgress {
		t.Error("truncation kept the old or took the new")
	}
}

func TestNothingIsWrittenBeforeTheLog(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	if err := l.Reserve(9); err != nil {
		t.Fatal(err)
	}
	l.Set(9, Committed)
	fail := errors.New("log failed")
	if err := l.Flush(func() error { return fail }); !errors.Is(err, fail) {
		t.Fatal(err)
	}
	if open(t, fs).Get(9) != InProgress {
		t.Fatal("written although the log failed")
	}
	if err := l.Flush(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if open(t, fs).Get(9) != Committed {
		t.Fatal("forgotten after a failed flush")
	}
}

func TestEvictedSegmentsAreReadBack(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	for _, x := range []base.XID{7, segmentXIDs + 7, 2*segmentXIDs + 7, 3*segmentXIDs + 7} {
		if err := l.Reserve(x); err != nil {
			t.Fatal(err)
		}
		l.Set(x, Committed)
	}
	if err := l.Flush(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	l.Set(8, Aborted) // not in the file: its segment stays
	l.Evict(3*segmentXIDs, 1)
	for n, in := range []bool{true, false, false, true} {
		if (l.segment(uint64(n)) != nil) != in {
			t.Errorf("segment %d in memory: %v", n, !in)
		}
	}
	l.Set(segmentXIDs+9, Aborted)
	for x, want := range map[base.XID]Status{7: Committed, 8: Aborted, segmentXIDs + 7: Committed, segmentXIDs + 9: Aborted,
		2*segmentXIDs + 7: Committed, 2*segmentXIDs + 8: InProgress, 3*segmentXIDs + 7: Committed, 9 * segmentXIDs: InProgress} {
		if got := l.Get(x); got != want {
			t.Errorf("transaction %d: %d, want %d", x, got, want)
		}
	}
	if err := l.Flush(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if l = open(t, fs.Crash(2)); l.Get(segmentXIDs+9) != Aborted || l.Get(segmentXIDs+7) != Committed {
		t.Error("a change of a segment that was read back is lost")
	}
}
