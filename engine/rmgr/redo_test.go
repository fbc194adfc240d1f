package rmgr

import (
	"errors"
	"io"
	"strings"
	"testing"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

var rel = base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 100}

func tagOf(b int) base.PageTag { return base.PageTag{File: rel, Block: base.BlockNumber(b)} }

// TestRedo writes a log and replays it into an empty cluster, twice: the actions of ReadForRedo are those of README.md.
func TestRedo(t *testing.T) {
	fs := vfs.NewMem()
	o := wal.Options{SegmentSize: 64 << 10, BufferSize: 64 << 10, Timeline: 1, Incarnation: 1}
	at := wal.FirstPosition(o)
	log, err := wal.Open(fs, o, at)
	if err != nil {
		t.Fatal(err)
	}
	p := make(page.Page, page.Size)
	p.Init(page.KindHeap, 0)
	var b wal.Builder
	put := func(block int, pg page.Page, flags wal.BlockFlags) {
		b.Begin(Heap, 0, 3)
		b.Block(0, tagOf(block), pg, flags)
		if _, err := log.Insert(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LogCreate(log, &b, 3, rel, base.MainFork); err != nil {
		t.Fatal(err)
	}
	put(0, nil, wal.WillInit)
	put(0, nil, wal.NoImage)
	put(1, p, wal.ForceImage)
	put(7, nil, wal.NoImage) // a page that a truncation, later in the log, explains
	if _, err := LogTruncate(log, &b, 3, rel, base.MainFork, 1); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	store := storage.New(fs, storage.Options{})
	pool, err := buffer.New(store, nil, buffer.Options{Frames: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for pass, want := range [][]Action{{NeedsRedo, NeedsRedo, Restored, NotFound}, {NeedsRedo, NeedsRedo, Restored, NotFound}} {
		c := NewRedoContext(pool)
		got := replay(t, fs, o, at.Redo, c)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("pass %d, record %d: action %d, want %d", pass, i, got[i], want[i])
			}
		}
		n, err := store.Blocks(rel, base.MainFork)
		if err = errors.Join(err, c.CheckMissing()); err != nil || n != 1 {
			t.Fatalf("%d blocks: %v", n, err)
		}
	}
	buf, err := pool.Pin(nil, tagOf(0))
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Release()
	c := NewRedoContext(pool)
	r := &wal.Record{End: buf.Page().LSN(), Blocks: []wal.BlockRef{{Tag: tagOf(0)}, {ID: 1, Tag: tagOf(9)}}}
	done, action, err := c.ReadForRedo(r, 0)
	if err != nil || action != Done {
		t.Fatalf("a page that has the change: action %d, %v", action, err)
	}
	done.UnlockRelease()
	if _, action, err := c.ReadForRedo(r, 1); err != nil || action != NotFound {
		t.Fatalf("a page beyond the end: action %d, %v", action, err)
	}
	if err := c.CheckMissing(); pgerror.Code(err) != pgerror.DataCorrupted {
		t.Fatalf("nothing explains the missing page: %v", err)
	}
}

func replay(t *testing.T, fs vfs.FS, o wal.Options, from base.LSN, c *RedoContext) []Action {
	t.Helper()
	var out []Action
	r := wal.NewReader(fs, wal.ReaderOptions{SegmentSize: o.SegmentSize, Timeline: 1}, from)
	defer r.Close()
	m := StorageManager()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err == nil && rec.RMgr == Storage {
			if d := m.Describe(rec); !strings.HasPrefix(d, "CREATE") && !strings.HasPrefix(d, "TRUNCATE") {
				t.Fatal(d)
			}
			err = m.Redo(c, rec)
		} else if err == nil {
			var buf buffer.Buffer
			var action Action
			if buf, action, err = c.ReadForRedo(rec, 0); err == nil {
				out = append(out, action)
				switch {
				case action == NeedsRedo:
					if buf.Page().IsNew() {
						buf.Page().Init(page.KindHeap, 0)
					}
					c.Finish(buf, rec)
				case buf.Valid():
					buf.UnlockRelease()
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
