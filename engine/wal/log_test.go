package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

func testOptions(inc uint32) Options {
	return Options{SegmentSize: 64 << 10, BufferSize: 64 << 10, SystemID: 7, Timeline: 1, Incarnation: inc}
}

func readerOptions() ReaderOptions {
	return ReaderOptions{SegmentSize: 64 << 10, SystemID: 7, Timeline: 1, Sync: true}
}

func mustOpen(t testing.TB, fs vfs.FS, o Options, at Position) *Log {
	t.Helper()
	l, err := Open(fs, o, at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func insert(t testing.TB, l *Log, xid base.XID, data []byte) base.LSN {
	t.Helper()
	var b Builder
	b.Begin(10, 1, xid)
	b.Data(data)
	lsn, err := l.Insert(&b)
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

// readAll gives the XIDs of all records and the position of the end. Batches must give the same.
func readAll(fs vfs.FS, o ReaderOptions, from base.LSN) ([]base.XID, Position, error) {
	xids, at, err := readSingly(fs, o, from)
	size := []int{1, 1000, 40 << 10}[len(xids)%3]
	if b, bat, berr := readBatches(fs, o, from, size); !slices.Equal(b, xids) || bat != at || fmt.Sprint(berr) != fmt.Sprint(err) {
		return xids, at, fmt.Errorf("batches of %d: %d records to %v, %v; singly %d to %v, %w", size, len(b), bat, berr, len(xids), at, err)
	}
	return xids, at, err
}

// readBatches is readAll by batches; every seventh record ends one.
func readBatches(fs vfs.FS, o ReaderOptions, from base.LSN, size int) ([]base.XID, Position, error) {
	r := NewReader(fs, o, from)
	defer r.Close()
	var out []base.XID
	var b Batch
	for {
		err := r.ReadBatch(&b, size, func(rec *Record) bool { return rec.XID%7 == 0 })
		for i := range b.Records {
			rec := &b.Records[i]
			if rec.XID%7 == 0 && i < len(b.Records)-1 {
				return out, r.Position(), fmt.Errorf("record %d did not end its batch", rec.XID)
			}
			for _, c := range rec.Data {
				if c != byte(rec.XID) {
					return out, r.Position(), fmt.Errorf("wrong data in record %d", rec.XID)
				}
			}
			out = append(out, rec.XID)
		}
		if err == io.EOF {
			return out, r.Position(), nil
		}
		if err != nil {
			return out, r.Position(), err
		}
	}
}

func readSingly(fs vfs.FS, o ReaderOptions, from base.LSN) ([]base.XID, Position, error) {
	r := NewReader(fs, o, from)
	defer r.Close()
	var out []base.XID
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out, r.Position(), nil
		}
		if err != nil {
			return out, r.Position(), err
		}
		for _, c := range rec.Data {
			if c != byte(rec.XID) {
				return out, r.Position(), fmt.Errorf("wrong data in record %d", rec.XID)
			}
		}
		out = append(out, rec.XID)
	}
}

func payload(xid base.XID, n int) []byte { return bytes.Repeat([]byte{byte(xid)}, n) }

func TestRecordsCrossSegments(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	r := rand.New(rand.NewPCG(1, 2))
	const n = 500
	for i := 1; i <= n; i++ {
		insert(t, l, base.XID(i), payload(base.XID(i), r.IntN(3000)))
	}
	insert(t, l, n+1, payload(n+1, 30000)) // larger than what is left of a segment
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, pos, err := readAll(fs, readerOptions(), first.Redo)
	if err != nil || len(got) != n+1 || pos.End != l.InsertLSN() {
		t.Fatalf("read %d records to %s, want %d to %s: %v", len(got), pos.End, n+1, l.InsertLSN(), err)
	}
}

func TestDump(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	for i := 1; i <= 30; i++ {
		insert(t, l, base.XID(i), payload(base.XID(i), 10000))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := fs.ReadDir("pg_wal")
	if err != nil || names[0] != "000000010000000000000001" {
		t.Fatal(names, err)
	}
	o, start, err := Inspect(fs, "pg_wal", names[1])
	if err != nil || start != 2*64<<10 {
		t.Fatal(o, start, err)
	}
	if start, err = FindFirst(fs, o, start); err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if err := Dump(fs, o, start, &w, func(*Record) string { return "X" }); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(w.Bytes()), []byte("\n"))
	if len(lines) != 30-7+1 || !bytes.Contains(lines[0], []byte("tx 8, rmgr 10, info 01, len 10040, X")) {
		t.Fatalf("%d lines:\n%s", len(lines), w.Bytes())
	}
}

func TestImageAndHole(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	p := make(page.Page, page.Size)
	p.Init(page.KindHeap, 16)
	p.AddItem([]byte("an item"))
	tag := base.PageTag{File: base.RelFile{Space: 1663, Database: 5, Number: 9}, Block: 3}
	tag2 := tag
	tag2.Block = 4
	var b Builder
	for i := range 2 { // the first record has images, the second has data only
		b.Begin(10, 2, 77)
		b.Block(0, tag, p, 0)
		b.BlockData(0, []byte("change"))
		b.Block(1, tag2, nil, WillInit)
		b.BlockData(1, []byte("init"))
		b.Data([]byte("main"))
		lsn, err := l.Insert(&b)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			p.SetLSN(lsn)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(fs, readerOptions(), first.Redo)
	rec, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	got := make(page.Page, page.Size)
	blk := rec.Block(0)
	if !blk.HasImage || blk.ImageLen() > 200 || blk.Tag != tag || len(blk.Data) != 0 {
		t.Fatalf("block 0: %+v", blk)
	}
	blk.RestoreImage(got)
	if string(got.Item(1)) != "an item" {
		t.Fatal("image does not restore the item")
	}
	if b1 := rec.Block(1); !b1.WillInit || b1.Tag != tag2 || string(b1.Data) != "init" || string(rec.Data) != "main" {
		t.Fatalf("block 1: %+v, main %q", b1, rec.Data)
	}
	if rec, err = r.Next(); err != nil || rec.Block(0).HasImage || string(rec.Block(0).Data) != "change" {
		t.Fatalf("second record: %+v, %v", rec, err)
	}
}

func TestImageIsCheckedAgainUnderTheLock(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), testOptions(1), FirstPosition(testOptions(1)))
	p := make(page.Page, page.Size)
	p.Init(page.KindHeap, 0)
	p.SetLSN(insert(t, l, 1, nil))
	var b Builder
	b.Begin(10, 0, 1)
	b.Block(0, base.PageTag{}, p, 0)
	n, err := b.assemble(l.RedoLSN(), 0, unpacked)
	if err != nil {
		t.Fatal(err)
	}
	old := l.RedoLSN()
	l.BeginCheckpoint(nil)
	if _, _, again, err := l.insert(&b, align(n), old, b.bodyCRC(), nil); err != nil || !again {
		t.Fatalf("an insertion assembled before the redo pointer went through: %v", err)
	}
}

func TestConcurrentCommitsAreInOrder(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	var order []base.LSN // guarded by the insertion mutex
	var wg sync.WaitGroup
	const workers, each = 8, 200
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var b Builder
			for i := range each {
				xid := base.XID(w*each + i + 1)
				b.Begin(1, 0, xid)
				b.Data(payload(xid, int(xid)%700))
				lsn, err := l.InsertWith(&b, func(end base.LSN) { order = append(order, end) })
				if err == nil {
					err = l.WaitFlushed(nil, lsn)
				}
				if err != nil || l.FlushedLSN() < lsn {
					t.Errorf("commit %d: %v", xid, err)
					return
				}
			}
		}()
	}
	wg.Wait()
	for i := 1; i < len(order); i++ {
		if order[i] <= order[i-1] {
			t.Fatalf("callback %d at %s after %s", i, order[i], order[i-1])
		}
	}
	got, _, err := readAll(fs, readerOptions(), first.Redo)
	if err != nil || len(got) != workers*each {
		t.Fatalf("read %d records: %v", len(got), err)
	}
}

// TestPowerCut cuts the power at any change of the file system, several starts in a row: what was acknowledged is
// there, in order, and the log goes on.
func TestPowerCut(t *testing.T) {
	for seed := uint64(0); seed < 300; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		fs := vfs.NewMem()
		at := FirstPosition(testOptions(1))
		start := at.Redo
		next, acked := base.XID(1), base.XID(0)
		lost := map[base.XID]bool{}
		for inc := uint32(1); inc <= 4; inc++ {
			fs.Inject(vfs.Fault{Nth: 1 + r.IntN(40), Err: vfs.ErrPowerCut})
			l, err := Open(fs, testOptions(inc), at)
			for i := 0; err == nil && i < 60; i++ {
				var b Builder
				b.Begin(1, 0, next)
				b.Data(payload(next, r.IntN(4000)))
				var lsn base.LSN
				if lsn, err = l.Insert(&b); err == nil {
					next++
				}
				if err == nil && r.IntN(3) == 0 {
					if err = l.Flush(lsn); err == nil {
						acked = next - 1
					}
				}
			}
			fs = fs.Crash(seed*10 + uint64(inc))
			xids, pos, err := readAll(fs, readerOptions(), start)
			if err != nil {
				t.Fatalf("seed %d incarnation %d: %v", seed, inc, err)
			}
			var want base.XID
			for _, x := range xids {
				for want++; want < x; want++ {
					if !lost[want] {
						t.Fatalf("seed %d: record %d is missing before %d", seed, want, x)
					}
				}
			}
			if want < acked {
				t.Fatalf("seed %d: acknowledged up to %d, the log ends at %d", seed, acked, want)
			}
			for x := want + 1; x < next; x++ {
				lost[x] = true
			}
			if at = pos; at.Prev == 0 {
				at = FirstPosition(testOptions(1))
			}
		}
	}
}

func TestEndAndCorruptionAreToldApart(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	var ends []base.LSN
	for i := 1; i <= 10; i++ {
		lsn := insert(t, l, base.XID(i), payload(base.XID(i), 600))
		if err := l.Flush(lsn); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, lsn)
	}
	flip := func(at base.LSN) {
		f, _ := fs.Open(l.path(l.segment(at)), 0)
		var c [1]byte
		f.ReadAt(c[:], l.offset(at))
		c[0] ^= 0x40
		f.WriteAt(c[:], l.offset(at))
	}
	flip(ends[9] - 10) // the last record: nothing proves that it was durable
	if got, _, err := readAll(fs, readerOptions(), first.Redo); err != nil || len(got) != 9 {
		t.Fatalf("torn tail: %d records, %v", len(got), err)
	}
	o := readerOptions()
	o.MustReach = ends[8] // where the last record starts
	if _, _, err := readAll(fs, o, first.Redo); pgerror.Code(err) != pgerror.DataCorrupted {
		t.Fatalf("the log ends before a position it must reach: %v", err)
	}
	flip(ends[4] - 10)
	if got, _, err := readAll(fs, readerOptions(), first.Redo); pgerror.Code(err) != pgerror.DataCorrupted || len(got) != 4 {
		t.Fatalf("durable record broken: %d records, %v", len(got), err)
	}
}

func TestLowerIncarnationEndsTheLog(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	insert(t, l, 1, payload(1, 100))
	one := Position{End: l.InsertLSN(), Prev: first.Redo}
	insert(t, l, 2, payload(2, 100))
	insert(t, l, 3, payload(3, 100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, fs, testOptions(2), one) // the second record is overwritten by one of the same length
	insert(t, l, 9, payload(9, 100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, _, err := readAll(fs, readerOptions(), first.Redo)
	if err != nil || fmt.Sprint(got) != "[1 9]" {
		t.Fatalf("read %v, %v", got, err)
	}
}

func TestFailedFsyncPoisons(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, testOptions(1), FirstPosition(testOptions(1)))
	if err := l.Flush(insert(t, l, 1, nil)); err != nil {
		t.Fatal(err)
	}
	fs.Inject(vfs.Fault{Op: vfs.OpSync, Nth: 1, Err: syscall.EIO})
	ch := make(chan struct{}, 1)
	lsn := insert(t, l, 2, nil)
	if !l.Notify(lsn, ch) {
		t.Fatal("not flushed yet")
	}
	if err := l.Flush(lsn); pgerror.Code(err) != pgerror.IOError || !errors.Is(err, syscall.EIO) {
		t.Fatalf("flush: %v", err)
	}
	<-l.Failed()
	<-ch
	var b Builder
	b.Begin(1, 0, 3)
	if _, err := l.Insert(&b); pgerror.Code(err) != pgerror.IOError {
		t.Fatalf("a poisoned log took a record: %v", err)
	}
}

// slotCounter is the slot of a test: it counts how often it was given up and taken back.
type slotCounter struct{ yields, resumes int }

func (s *slotCounter) Yield()  { s.yields++ }
func (s *slotCounter) Resume() { s.resumes++ }

func TestWaitFlushedGivesTheSlotUp(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), testOptions(1), FirstPosition(testOptions(1)))
	var s slotCounter
	task := activity.NewTask(1, &s)
	task.Cancel(pgerror.New(pgerror.QueryCanceled, "too late")) // a commit cannot be undone any more
	lsn := insert(t, l, 1, nil)
	for range 2 { // the second time there is nothing to wait for
		if err := l.WaitFlushed(task, lsn); err != nil || l.FlushedLSN() < lsn {
			t.Fatal(err)
		}
	}
	if s != (slotCounter{1, 1}) {
		t.Fatalf("%+v", s)
	}
}

func TestRecycle(t *testing.T) {
	fs := vfs.NewMem()
	first := FirstPosition(testOptions(1))
	l := mustOpen(t, fs, testOptions(1), first)
	for i := 1; i <= 40; i++ {
		insert(t, l, base.XID(i), payload(base.XID(i), 10000))
	}
	redo := l.BeginCheckpoint(nil)
	for i := 41; i <= 80; i++ {
		insert(t, l, base.XID(i), payload(base.XID(i), 10000))
		if i == 50 {
			if err := l.Flush(l.InsertLSN()); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(l.Recycle(redo, 3), l.Preallocate(2)); err != nil {
				t.Fatal(err)
			}
			names, _ := fs.ReadDir("pg_wal")
			if n := len(names); n < 4 || n > 7 {
				t.Fatalf("%d segments after recycling: %v", n, names)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _, err := readAll(fs, readerOptions(), redo); err != nil || len(got) != 40 {
		t.Fatalf("%d records, %v", len(got), err)
	}
}

func TestInsertAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("assertions allocate")
	}
	o := testOptions(1)
	o.NoSync = true
	l := mustOpen(t, vfs.NewMem(), o, FirstPosition(o))
	var b Builder
	data := payload(1, 100)
	one := func() {
		b.Begin(1, 0, 1)
		b.Data(data)
		if _, err := l.Insert(&b); err != nil {
			t.Fatal(err)
		}
	}
	one()
	if n := testing.AllocsPerRun(50, one); n > 0 {
		t.Fatalf("%v allocations an insertion", n)
	}
}

func FuzzDecode(f *testing.F) {
	var b Builder
	p := make(page.Page, page.Size)
	p.Init(page.KindHeap, 0)
	b.Begin(10, 2, 77)
	b.Block(0, base.PageTag{}, p, ForceImage)
	b.Block(1, base.PageTag{Block: 1}, nil, WillInit)
	b.BlockData(1, []byte("x"))
	b.Data([]byte("main"))
	if _, err := b.assemble(0, 0, unpacked); err != nil {
		f.Fatal(err)
	}
	raw := append([]byte(nil), b.head...)
	for _, x := range b.parts {
		raw = append(raw, x...)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Record
		if r.decode(raw) != nil {
			return
		}
		got := make(page.Page, page.Size)
		for i := range r.Blocks {
			if r.Blocks[i].HasImage {
				r.Blocks[i].RestoreImage(got)
			}
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	o := Options{NoSync: true, Timeline: 1, Incarnation: 1}
	l := mustOpen(b, vfs.NewOS(b.TempDir()), o, FirstPosition(o))
	var rec Builder
	data := payload(1, 100)
	for b.Loop() {
		rec.Begin(1, 0, 1)
		rec.Data(data)
		if _, err := l.Insert(&rec); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is a commit of 100 bytes made durable on a real file, by many sessions at once.
func BenchmarkCommit(b *testing.B) {
	o := Options{Timeline: 1, Incarnation: 1}
	l := mustOpen(b, vfs.NewOS(b.TempDir()), o, FirstPosition(o))
	if err := l.Preallocate(4); err != nil {
		b.Fatal(err)
	}
	data := payload(1, 100)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		var rec Builder
		for pb.Next() {
			rec.Begin(1, 0, 1)
			rec.Data(data)
			lsn, err := l.Insert(&rec)
			if err == nil {
				err = l.Flush(lsn)
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
