package buffer

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/vfs"
)

// fakeLog counts and remembers how far it was flushed.
type fakeLog struct {
	next, flushed, redo atomic.Uint64
	images              atomic.Int64
}

func (l *fakeLog) Flush(lsn base.LSN) error {
	for {
		f := l.flushed.Load()
		if f >= uint64(lsn) || l.flushed.CompareAndSwap(f, uint64(lsn)) {
			return nil
		}
	}
}

func (l *fakeLog) FlushedLSN() base.LSN { return base.LSN(l.flushed.Load()) }

func (l *fakeLog) LogImage(_ *activity.LogTuning, _ base.PageTag, p page.Page) (base.LSN, error) {
	if uint64(p.LSN()) > l.redo.Load() {
		return 0, nil
	}
	l.images.Add(1)
	return base.LSN(l.next.Add(8)), nil
}

var rel = base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 100}

func tagOf(b int) base.PageTag { return base.PageTag{File: rel, Block: base.BlockNumber(b)} }

func testPool(t testing.TB, fs vfs.FS, log Log, frames, blocks int) *Pool {
	t.Helper()
	st := storage.New(fs, storage.Options{})
	if err := errors.Join(st.CreateDatabase(rel.Space, rel.Database), st.Create(rel, base.MainFork, true)); err != nil {
		t.Fatal(err)
	}
	p, err := New(st, log, Options{Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	for i := range blocks {
		b, err := p.Extend(nil, rel, base.MainFork)
		if err != nil {
			t.Fatal(err)
		}
		if b.Tag() != tagOf(i) {
			t.Fatalf("extended to %s", b.Tag())
		}
		b.Page().Init(page.KindOther, 0)
		b.MarkDirty()
		b.UnlockRelease()
	}
	return p
}

func counter(p page.Page) uint64 { return binary.LittleEndian.Uint64(p[1000:]) }

// TestConcurrentIncrements: more pages than frames, writers and a cleaner and a checkpointer at once; no increment is
// lost and no page is written before the log.
func TestConcurrentIncrements(t *testing.T) {
	const blocks, frames, workers, each = 64, 24, 6, 1500
	log := &fakeLog{}
	p := testPool(t, vfs.NewMem(), log, frames, blocks)
	var wg, bg sync.WaitGroup
	stop := make(chan struct{})
	bg.Add(1)
	go func() {
		defer bg.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, e1 := p.CleanBuffers(1<<20, 4)
			_, e2 := p.CheckpointWrite(nil)
			if err := errors.Join(e1, e2); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var want [blocks]atomic.Uint64
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			task := activity.NewTask(uint32(w), nil)
			r := rand.New(rand.NewPCG(uint64(w), 9))
			var hint Hint
			for range each {
				n := r.IntN(blocks)
				b, err := p.PinHint(task, tagOf(n), &hint)
				if err != nil {
					t.Error(err)
					return
				}
				if r.IntN(3) == 0 {
					b.RLock()
					b.Page().OrByte(2000, 1)
					if err := b.MarkDirtyHint(); err != nil {
						t.Error(err)
					}
					b.RUnlockRelease()
					continue
				}
				b.Lock()
				binary.LittleEndian.PutUint64(b.Page()[1000:], counter(b.Page())+1)
				b.MarkDirty()
				b.SetLSN(base.LSN(log.next.Add(8)))
				b.UnlockRelease()
				want[n].Add(1)
			}
			if task.Held() != 0 {
				t.Errorf("task holds %d pins", task.Held())
			}
		}()
	}
	wg.Wait()
	close(stop)
	bg.Wait()
	if _, err := p.CheckpointWrite(nil); err != nil {
		t.Fatal(err)
	}
	disk := make(page.Page, page.Size)
	for i := range blocks {
		if err := p.Storage().Read(tagOf(i), disk); err != nil {
			t.Fatal(err)
		}
		if !disk.Verify(tagOf(i)) || counter(disk) != want[i].Load() {
			t.Fatalf("block %d: %d on disk, want %d", i, counter(disk), want[i].Load())
		}
		if uint64(disk.LSN()) > log.flushed.Load() {
			t.Fatalf("block %d was written before the log", i)
		}
	}
	if left := p.Pinned(); len(left) != 0 {
		t.Fatalf("pins left: %v", left)
	}
}

func TestHintLogsOneImageAfterRedo(t *testing.T) {
	log := &fakeLog{}
	p := testPool(t, vfs.NewMem(), log, 16, 1)
	hint := func() {
		b, err := p.Pin(nil, tagOf(0))
		if err != nil {
			t.Fatal(err)
		}
		b.RLock()
		b.Page().OrByte(100, 4)
		if err := b.MarkDirtyHint(); err != nil {
			t.Fatal(err)
		}
		b.RUnlockRelease()
	}
	for round := int64(1); round <= 2; round++ {
		log.redo.Store(log.next.Load())
		if _, err := p.CheckpointWrite(nil); err != nil {
			t.Fatal(err)
		}
		hint()
		hint()
		if n := log.images.Load(); n != round {
			t.Fatalf("%d images after round %d", n, round)
		}
	}
}

func TestCorruptPageAndFailedRead(t *testing.T) {
	fs := vfs.NewMem()
	p := testPool(t, fs, &fakeLog{}, 16, 2)
	if _, err := p.CheckpointWrite(nil); err != nil {
		t.Fatal(err)
	}
	p.DropRelation(rel)
	f, err := fs.Open(storage.RelationPath(rel, base.MainFork), 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{1}, 5000)
	for range 3 {
		if _, err := p.Pin(nil, tagOf(0)); pgerror.Code(err) != pgerror.DataCorrupted {
			t.Fatalf("corrupt page: %v", err)
		}
	}
	fs.Inject(vfs.Fault{Op: vfs.OpRead, Nth: 1, Err: syscall.EIO})
	if _, err := p.Pin(nil, tagOf(1)); pgerror.Code(err) != pgerror.IOError {
		t.Fatalf("failed read: %v", err)
	}
	b, err := p.Pin(nil, tagOf(1))
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	if b, err = p.PinOrZero(nil, tagOf(0)); err != nil || !b.Page().IsNew() {
		t.Fatalf("healing a map: %v", err)
	}
	b.Release()
	if left := p.Pinned(); len(left) != 0 {
		t.Fatalf("pins left: %v", left)
	}
}

func TestAllPinned(t *testing.T) {
	p := testPool(t, vfs.NewMem(), &fakeLog{}, 16, 17)
	var held []Buffer
	for i := range 16 {
		b, err := p.Pin(nil, tagOf(i))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, b)
	}
	if _, err := p.Pin(nil, tagOf(16)); pgerror.Code(err) != pgerror.InsufficientResources {
		t.Fatalf("a seventeenth page in sixteen frames: %v", err)
	}
	for _, b := range held {
		b.Release()
	}
	b, err := p.Pin(nil, tagOf(16))
	if err != nil {
		t.Fatal(err)
	}
	if !b.TryLockForCleanup() {
		t.Fatal("the only pin cannot clean up")
	}
	b.Unlock()
	c := b.Repin()
	if b.TryLockForCleanup() {
		t.Fatal("clean-up beside another pin")
	}
	c.Release()
	b.Release()
}

func TestPinHitAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("assertions allocate")
	}
	p := testPool(t, vfs.NewMem(), &fakeLog{}, 16, 4)
	task := activity.NewTask(1, nil)
	n := testing.AllocsPerRun(100, func() {
		b, err := p.Pin(task, tagOf(3))
		if err != nil {
			t.Fatal(err)
		}
		b.RLock()
		b.RUnlockRelease()
	})
	if n > 0 {
		t.Fatalf("%v allocations a hit", n)
	}
}

func BenchmarkPinHit(b *testing.B) {
	p := testPool(b, vfs.NewMem(), &fakeLog{}, 1024, 512)
	task := activity.NewTask(1, nil)
	i := 0
	for b.Loop() {
		i++
		buf, err := p.Pin(task, tagOf(i&511))
		if err != nil {
			b.Fatal(err)
		}
		buf.RLock()
		buf.RUnlockRelease()
	}
}
