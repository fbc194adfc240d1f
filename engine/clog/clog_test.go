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
		l.Reserve(x)
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
	l.Reserve(9)
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
