package wal

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/vfs"
)

// TestPackedImages has images of pages compressed by each method, changed while the log runs, and restores them: a full page, one
// with a hole, and one of noise, which no method makes smaller.
func TestPackedImages(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(1)
	o.BufferSize = 256 << 10
	l := mustOpen(t, fs, o, FirstPosition(o))
	r := rand.New(rand.NewPCG(1, 2))
	var want []page.Page
	var b Builder
	sizes := map[int]int64{}
	for round := range 8 {
		l.SetTuning(activity.LogTuning{Packing: Packing([]string{"pglz", "lz4", "zstd", "off"}[round%4])}, nil)
		before := l.Counts().Bytes
		for kind := range 3 {
			p := make(page.Page, page.Size)
			p.Init(page.KindHeap, 0)
			switch kind {
			case 0:
				for p.AddItem(bytes.Repeat([]byte("some words "), 20)) != 0 {
				}
			case 1:
				p.AddItem(bytes.Repeat([]byte{byte(round)}, 3000))
			case 2:
				noise := make([]byte, 8000)
				for i := range noise {
					noise[i] = byte(r.Uint32())
				}
				p.AddItem(noise)
			}
			b.Begin(10, 0, 1)
			b.Block(0, base.PageTag{Block: base.BlockNumber(kind)}, p, ForceImage)
			b.Data([]byte("main"))
			if _, err := l.Insert(&b); err != nil {
				t.Fatal(err)
			}
			want = append(want, p)
		}
		sizes[round%4] = l.Counts().Bytes - before
	}
	if n := l.Counts(); n.Records != 24 || n.Images != 24 {
		t.Errorf("%+v", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	restoreBatch(t, fs, want)
	for m := range 3 {
		if sizes[m] >= sizes[3]*3/4 {
			t.Errorf("method %d: %d bytes of %d", m, sizes[m], sizes[3])
		}
	}
	rd := NewReader(fs, ReaderOptions{SegmentSize: o.SegmentSize, SystemID: o.SystemID, Timeline: o.Timeline}, FirstPosition(o).Redo)
	defer rd.Close()
	got := make(page.Page, page.Size)
	for i, p := range want {
		rec, err := rd.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := rec.Blocks[0].RestoreImage(got); err != nil || !bytes.Equal(got, p) || string(rec.Data) != "main" {
			t.Errorf("image %d: %v", i, err)
		}
	}
}

// TestGroupDelay pins commit_delay: a leader waits for others, and what they insert meanwhile needs no flush of its own.
func TestGroupDelay(t *testing.T) {
	o := testOptions(1)
	l := mustOpen(t, vfs.NewMem(), o, FirstPosition(o))
	asked := make(chan struct{})
	l.SetTuning(activity.LogTuning{Delay: time.Millisecond, Siblings: 3}, func(others int) bool {
		if others != 3 {
			t.Errorf("asked for %d others", others)
		}
		asked <- struct{}{}
		<-asked
		return true
	})
	first := insert(t, l, 1, nil)
	done := make(chan error)
	go func() { done <- l.WaitFlushed(activity.NewTask(1, nil), first) }()
	<-asked
	second := insert(t, l, 1, nil) // while the leader is about to wait
	asked <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l.FlushedLSN() < second || l.Counts().Syncs != 1 {
		t.Errorf("flushed to %s, not to %s, by %d syncs", l.FlushedLSN(), second, l.Counts().Syncs)
	}
	impatient := activity.NewTask(1, nil)
	impatient.SetLogTuning(&activity.LogTuning{})
	if err := l.WaitFlushed(impatient, insert(t, l, 1, nil)); err != nil { // has its own way, and asks nobody
		t.Fatal(err)
	}
	l.SetTuning(activity.LogTuning{}, nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCrowdDelay: what many were waiting for is flushed a little later, once.
func TestCrowdDelay(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), testOptions(1), FirstPosition(testOptions(1)))
	l.SetTuning(activity.LogTuning{}, nil)
	task := activity.NewTask(1, nil)
	for n, delay := range map[int]time.Duration{crowd - 1: 0, crowd: crowd * crowdShare, 1000: crowdDelay} {
		task.NoteCrowd(n)
		began := time.Now()
		if err := l.WaitFlushed(task, insert(t, l, 1, nil)); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) < delay {
			t.Errorf("did not wait for %d", n)
		}
		if task.TakeCrowd() != 0 {
			t.Errorf("waits for %d again", n)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// restoreBatch restores the images from a batch, which has them decompressed as long as there is room, and from one that comes
// after another in the same memory.
func restoreBatch(t *testing.T, fs vfs.FS, want []page.Page) {
	t.Helper()
	o := readerOptions()
	for _, size := range []int{page.Size, 64 << 10, 1 << 20} {
		r := NewReader(fs, o, FirstPosition(testOptions(1)).Redo)
		var b Batch
		n, packed := 0, 0
		for err := error(nil); err == nil; {
			err = r.ReadBatch(&b, size, func(*Record) bool { return false })
			for i := range b.Records {
				k := b.Records[i].Block(0)
				if k.packing != unpacked {
					packed++
				}
				got := make(page.Page, page.Size)
				if err := k.RestoreImage(got); err != nil || !bytes.Equal(got, want[n]) || string(b.Records[i].Data) != "main" {
					t.Fatalf("batches of %d: image %d is not the page: %v", size, n, err)
				}
				n++
			}
		}
		if _ = r.Close(); n != len(want) || size >= 64<<10 && packed > 0 {
			t.Errorf("batches of %d: %d images, %d not decompressed", size, n, packed)
		}
	}
}
