package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/checkpoint"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/storage"
	"manifold/engine/txn"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// ways are all ways to read ahead.
func ways() map[string]Ahead {
	return map[string]Ahead{
		"alone, no prefetch":   {Buffer: 64 << 10},
		"alone":                {Buffer: 64 << 10, Concurrency: 10},
		"alone, one at a time": {Concurrency: 1},
		"in turn":              {Buffer: 8 << 10, Concurrency: 10, InTurn: true},
		"in turn, no prefetch": {InTurn: true},
	}
}

const kvFile = "base/5/20000"

// crashedKV is a cluster that stopped after changes of many pages since its checkpoint, with images of them in the log or without.
func crashedKV(t testing.TB, images bool) *vfs.Mem {
	t.Helper()
	fs := newFS(t)
	c := startOn(t, fs, 512)
	if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
		t.Fatal(err)
	}
	c.Log.SetTuning(activity.LogTuning{NoImages: !images, Packing: wal.Packing("lz4")}, nil)
	tab, ix := c.openKV()
	s := c.session(t, 1, tab, ix)
	s.createKV()
	const rows = 3000
	s.begin()
	for k := range int64(rows) {
		if _, err := s.insert(k, k, strings.Repeat("x", 60)); err != nil {
			t.Fatal(err)
		}
	}
	s.commit()
	if _, err := c.Check.Run(checkpoint.Request{}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		s.begin()
		if _, err := s.set(r.Int64N(rows), r.Int64(), strings.Repeat("y", 60)); err != nil {
			t.Fatal(err)
		}
		s.must(s.tryCommit(txn.LevelOff))
	}
	s.must(c.Log.Flush(c.Log.InsertLSN()))
	return fs.Crash(1)
}

func startWith(fs vfs.FS, frames int, a Ahead) (*Cluster, error) {
	o := testOptions(frames)
	o.Ahead = a
	return Start(fs, o)
}

// TestAheadIsRedo replays one log in every way, with many frames and with few: the files must come out the same.
func TestAheadIsRedo(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, images := range []bool{true, false} {
		fs := crashedKV(t, images)
		want := ""
		for name, a := range ways() {
			for _, frames := range []int{32, 1024} {
				copied := fs.Clone()
				c, err := startWith(copied, frames, a)
				if err != nil {
					t.Fatal(name, err)
				}
				if p := c.Prefetched; (p.Read > 0) != (a.Concurrency > 0 && !images) && frames > 32 {
					t.Errorf("images %v, %s: prefetched %+v", images, name, p)
				}
				got := fmt.Sprint(c.Replayed, c.RedoEnd, c.Aborted)
				if err := c.Shutdown(); err != nil {
					t.Fatal(err)
				}
				got += contents(t, copied, kvFile) + contents(t, copied, "base/5/20001")
				if want == "" {
					want = got
				}
				if got != want {
					t.Errorf("images %v, %s, %d frames: the outcome is another", images, name, frames)
				}
			}
		}
	}
}

// contents gives the pages of a file with their checksums.
func contents(t testing.TB, fs vfs.FS, name string) string {
	t.Helper()
	f, err := fs.Open(name, vfs.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, _ := f.Size()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(b)
}

// TestPrefetchTellsNothing has reads of pages fail and pages broken: what only the prefetch meets is no error, what redo itself
// needs is the same error as without prefetch.
func TestPrefetchTellsNothing(t *testing.T) {
	plain, images := crashedKV(t, false), crashedKV(t, true)
	read := func(sticky bool) func(*vfs.Mem) {
		return func(fs *vfs.Mem) {
			fs.Inject(vfs.Fault{Op: vfs.OpRead, Match: kvFile, Nth: 1, Err: syscall.EIO, Sticky: sticky})
		}
	}
	tear := func(fs *vfs.Mem) {
		f, err := fs.Open(kvFile, 0)
		if err == nil {
			_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 512), 3*page.Size+512)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []struct {
		name     string
		fs       *vfs.Mem
		harm     func(*vfs.Mem)
		code     string // without prefetch
		prefetch string // with it
	}{
		{"one read fails", plain, read(false), pgerror.IOError, ""},
		{"all reads fail", plain, read(true), pgerror.IOError, pgerror.IOError},
		{"torn page", plain, tear, pgerror.DataCorrupted, pgerror.DataCorrupted},
		{"torn page with an image", images, tear, "", ""},
	} {
		message := ""
		for name, a := range ways() {
			fs := k.fs.Clone()
			k.harm(fs)
			c, err := startWith(fs, 512, a)
			want := k.code
			if a.Concurrency > 0 {
				want = k.prefetch
			}
			if err == nil {
				_ = c.Close()
			}
			if got := pgerror.Code(err); (err == nil) != (want == "") || err != nil && got != want {
				t.Errorf("%s, %s: %v", k.name, name, err)
			}
			// A read that fails always may end another's before the one that redo needs first.
			if err != nil && k.code == pgerror.DataCorrupted && message != "" && message != err.Error() {
				t.Errorf("%s, %s: %v instead of %s", k.name, name, err, message)
			}
			if err != nil {
				message = err.Error()
			}
		}
	}
}

// hand writes a log by hand: records that change a page, and those that cut the file.
type hand struct {
	t   testing.TB
	fs  vfs.FS
	o   wal.Options
	log *wal.Log
	b   wal.Builder
	rel base.RelFile
}

func newHand(t testing.TB, fs vfs.FS) *hand {
	h := &hand{t: t, fs: fs, o: wal.Options{SegmentSize: 256 << 10, BufferSize: 256 << 10, Timeline: 1, Incarnation: 1},
		rel: base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 100}}
	var err error
	if h.log, err = wal.Open(fs, h.o, wal.FirstPosition(h.o)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hand) tag(n int) base.PageTag {
	return base.PageTag{File: h.rel, Block: base.BlockNumber(n)}
}

func (h *hand) change(n int, flags wal.BlockFlags) {
	h.b.Begin(rmgr.Heap, 0, 3)
	h.b.Block(0, h.tag(n), nil, flags)
	h.insert()
}

func (h *hand) insert() {
	if _, err := h.log.Insert(&h.b); err != nil {
		h.t.Fatal(err)
	}
}

// cut logs a truncation, which is a record that moves files.
func (h *hand) cut(n int) {
	if _, err := rmgr.LogTruncate(h.log, &h.b, 3, h.rel, base.MainFork, base.BlockNumber(n)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) reader() *wal.Reader {
	if err := h.log.Close(); err != nil {
		h.t.Fatal(err)
	}
	return wal.NewReader(h.fs, wal.ReaderOptions{SegmentSize: h.o.SegmentSize, Timeline: 1, Sync: true}, wal.FirstPosition(h.o).Redo)
}

// slowFS counts the reads of relation files under way, which take some time, and those that meet a truncation.
type slowFS struct {
	*vfs.Mem
	reading, met, reads atomic.Int64
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (s *slowFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := s.Mem.Open(name, mode)
	if err != nil || !strings.HasPrefix(name, "base/") {
		return f, err
	}
	return slowFile{f, s}, nil
}

func (f slowFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.reading.Add(1)
	defer f.fs.reading.Add(-1)
	f.fs.reads.Add(1)
	for range 50 {
		runtime.Gosched()
	}
	return f.File.ReadAt(p, off)
}

func (f slowFile) Truncate(n int64) error {
	for range 100 {
		if f.fs.reading.Load() > 0 {
			f.fs.met.Add(1)
		}
		runtime.Gosched()
	}
	return f.File.Truncate(n)
}

// TestFilesMoveAlone cuts a file again and again among changes of its pages: none may be read meanwhile, and what redo finds
// behind a cut must be the zeros of the file made longer again, never the page that stood there before.
func TestFilesMoveAlone(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const pages = 512
	for _, inTurn := range []bool{true, false} {
		fs := &slowFS{Mem: vfs.NewMem()}
		h := newHand(t, fs)
		r := rand.New(rand.NewPCG(2, 2))
		for n := range pages {
			h.change(n, wal.WillInit)
		}
		for range 25 {
			for range r.IntN(800) {
				h.change(r.IntN(pages), wal.NoImage)
			}
			h.cut(r.IntN(pages))
			h.change(pages-1, wal.WillInit)
		}
		pool, err := buffer.New(storage.New(fs, storage.Options{}), nil, buffer.Options{Frames: 1024})
		if err != nil {
			t.Fatal(err)
		}
		ctx, prefetched := rmgr.NewRedoContext(pool), int64(0)
		prefetched, err = h.redo(pool, ctx, h.reader(), inTurn)
		if err != nil || fs.met.Load() > 0 || prefetched == 0 {
			t.Errorf("in turn %v: %v; %d reads met a truncation; %d prefetched", inTurn, err, fs.met.Load(), prefetched)
		}
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// redo replays the log of a hand, keeping a model of which pages hold something.
func (h *hand) redo(pool *buffer.Pool, ctx *rmgr.RedoContext, r *wal.Reader, inTurn bool) (int64, error) {
	defer r.Close()
	storages := rmgr.StorageManager()
	a := &ahead{log: r, size: 1 << 10, inTurn: inTurn, pages: newPrefetcher(pool, 100),
		moves: func(rec *wal.Record) ([]base.RelFile, bool) {
			if rec.RMgr == rmgr.Storage {
				return storages.Moves(rec)
			}
			return nil, false
		}}
	a.start()
	defer a.close()
	filled := map[base.BlockNumber]base.LSN{}
	for {
		b := a.next()
		for i := range b.Records {
			rec := &b.Records[i]
			if rec.RMgr == rmgr.Storage {
				if p := a.pages; inTurn && p.brought < p.asked { // the log has one file only
					return 0, fmt.Errorf("%d pages of the file are still to be read when it is cut", p.asked-p.brought)
				}
				if err := storages.Redo(ctx, rec); err != nil {
					return 0, err
				}
				n, err := pool.Blocks(h.rel, base.MainFork)
				if err != nil {
					return 0, err
				}
				for k := range filled {
					if k >= n {
						delete(filled, k)
					}
				}
				continue
			}
			if err := h.redoChange(ctx, rec, filled); err != nil {
				return 0, err
			}
			if i%8 == 0 { // pages are to be prefetched, so they have to leave memory
				pool.DropRelation(h.rel)
			}
		}
		if b.err == io.EOF {
			return a.pages.counts.Read, nil
		}
		if b.err != nil {
			return 0, b.err
		}
		a.release(b)
	}
}

func (h *hand) redoChange(ctx *rmgr.RedoContext, rec *wal.Record, filled map[base.BlockNumber]base.LSN) error {
	block := rec.Blocks[0].Tag.Block
	buf, action, err := ctx.ReadForRedo(rec, 0)
	if err != nil {
		return err
	}
	was, is := filled[block]
	if !rec.Blocks[0].WillInit && is != (action == rmgr.NeedsRedo) {
		return fmt.Errorf("record at %s, block %d: action %d, the page was filled: %v", rec.Start, block, action, is)
	}
	if action != rmgr.NeedsRedo {
		if buf.Valid() {
			buf.UnlockRelease()
		}
		return nil
	}
	if rec.Blocks[0].WillInit {
		buf.Page().Init(page.KindHeap, 0)
	} else if got := buf.Page().LSN(); got != was {
		buf.UnlockRelease()
		return fmt.Errorf("record at %s, block %d: the page is of %s, not %s", rec.Start, block, got, was)
	}
	filled[block] = rec.End
	ctx.Finish(buf, rec)
	_, err = ctx.Pool.CheckpointWrite(nil)
	return err
}

// TestRedoFailsWhileTheReaderIsAhead ends redo in the middle of the log, at every batch: the reader is gone afterwards, whether it
// waits for redo, reads, or has come to the end.
func TestRedoFailsWhileTheReaderIsAhead(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fs := vfs.NewMem()
	h := newHand(t, fs)
	for n := range 3000 {
		h.change(n%50, wal.WillInit)
	}
	r := h.reader()
	pool, err := buffer.New(storage.New(fs, storage.Options{}), nil, buffer.Options{Frames: 64})
	if err != nil {
		t.Fatal(err)
	}
	for stop := range 200 {
		for _, inTurn := range []bool{false, true} {
			r := wal.NewReader(fs, wal.ReaderOptions{SegmentSize: h.o.SegmentSize, Timeline: 1}, wal.FirstPosition(h.o).Redo)
			a := &ahead{log: r, size: 4 << 10, inTurn: inTurn, pages: newPrefetcher(pool, 4), moves: func(*wal.Record) ([]base.RelFile, bool) { return nil, false }}
			a.start()
			for range stop {
				b := a.next()
				if b.err != nil {
					break
				}
				a.release(b)
			}
			a.close()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(r.Close(), pool.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestUnknownManager pins that recovery fails at the record that is wrong, whatever the reader has found behind it.
func TestUnknownManager(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fs := newFS(t)
	c := startOn(t, fs, 64)
	var b wal.Builder
	var at base.LSN
	for n := range 20000 {
		b.Begin(rmgr.XLOG, wal.InfoNextOID, 0)
		b.Data([]byte{1, 2, 3, 4})
		if n == 5000 {
			b.Begin(200, 0, 0)
		}
		start, _, err := c.Log.InsertAt(&b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 5000 {
			at = start
		}
	}
	if err := c.Log.Flush(c.Log.InsertLSN()); err != nil {
		t.Fatal(err)
	}
	crashed := fs.Crash(1)
	for name, a := range ways() {
		began := time.Now()
		_, err := startWith(crashed.Clone(), 64, a)
		if want := fmt.Sprintf("WAL record at %s has unknown resource manager 200", at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v instead of %s (%v)", name, err, want, time.Since(began))
		}
	}
}
