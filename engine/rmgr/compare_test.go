package rmgr

import (
	"errors"
	"io"
	"strings"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// TestCompare replays records whose pages are logged for comparison: with the redo that the server did, with one that makes
// another page, and with one that differs in a hint only.
func TestCompare(t *testing.T) {
	for _, k := range []struct {
		name string
		redo func(page.Page)
		want string
	}{
		{"same", func(p page.Page) { p.AddItem([]byte("12345678")) }, ""},
		{"hint", func(p page.Page) { p.AddItem([]byte("12345678")); p.SetPruneXID(9) }, ""},
		{"other", func(p page.Page) { p.AddItem([]byte("12345679")) }, "inconsistent page found, rel 1663/5/100, forknum 0, blkno 1"},
	} {
		err := compareAfter(t, k.redo)
		switch e := pgerror.From(err); {
		case k.want == "" && err != nil:
			t.Errorf("%s: %v", k.name, err)
		case k.want != "" && (err == nil || e.Message != k.want || e.Severity != pgerror.SeverityPanic || !strings.Contains(e.Detail, "is byte 8191")):
			t.Errorf("%s: %v, %+v", k.name, err, e)
		}
	}
}

func compareAfter(t *testing.T, redo func(page.Page)) error {
	t.Helper()
	fs := vfs.NewMem()
	o := wal.Options{SegmentSize: 64 << 10, BufferSize: 64 << 10, Timeline: 1, Incarnation: 1}
	at := wal.FirstPosition(o)
	log, err := wal.Open(fs, o, at)
	if err != nil {
		t.Fatal(err)
	}
	log.SetTuning(activity.LogTuning{Checks: 1 << Heap}, nil)
	p := make(page.Page, page.Size)
	p.Init(page.KindHeap, 0)
	p.AddItem([]byte("12345678"))
	var b wal.Builder
	b.Begin(Heap, 0, 3)
	b.Block(0, tagOf(1), p, wal.WillInit)
	_, err = log.Insert(&b)
	if err = errors.Join(err, log.Close()); err != nil {
		t.Fatal(err)
	}
	pool, err := buffer.New(storage.New(fs, storage.Options{}), nil, buffer.Options{Frames: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	c := NewRedoContext(pool)
	m := Manager{ID: Heap, Name: "Heap", Mask: page.Page.MaskHints, Describe: func(*wal.Record) string { return "TEST" }}
	r := wal.NewReader(fs, wal.ReaderOptions{SegmentSize: o.SegmentSize, Timeline: 1}, at.Redo)
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		buf, _, err := c.ReadForRedo(rec, 0)
		if err != nil {
			return err
		}
		buf.Page().Init(page.KindHeap, 0)
		redo(buf.Page())
		c.Finish(buf, rec)
		if err := c.Compare(rec, &m); err != nil {
			return err
		}
		if c.Compared != 1 {
			t.Errorf("%d pages compared", c.Compared)
		}
	}
}

func TestParseChecks(t *testing.T) {
	for text, want := range map[string]uint32{"": 0, "heap, BTREE": 1<<Heap | 1<<BTree, "sequence": 1 << Sequence} {
		if got, bad := ParseChecks(text); got != want || bad != "" {
			t.Errorf("%q: %b %q", text, got, bad)
		}
	}
	if _, bad := ParseChecks("heap, Xlog"); bad != "xlog" {
		t.Errorf("unknown word %q", bad)
	}
	if all, _ := ParseChecks("all"); all>>Heap2&1 == 0 || all>>XLOG&1 != 0 {
		t.Errorf("all is %b", all)
	}
}
