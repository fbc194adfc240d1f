package storage

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"

	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

var rel = base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 100}

func newTest(t *testing.T, fs vfs.FS) *Manager {
	t.Helper()
	m := New(fs, Options{SegmentBlocks: 4, MaxOpenFiles: 2})
	if err := m.CreateDatabase(rel.Space, rel.Database); err != nil {
		t.Fatal(err)
	}
	if err := m.Create(rel, base.MainFork, false); err != nil {
		t.Fatal(err)
	}
	return m
}

func fill(n base.BlockNumber) []byte { return bytes.Repeat([]byte{byte(n + 1)}, page.Size) }

func TestSegments(t *testing.T) {
	fs := vfs.NewMem()
	m := newTest(t, fs)
	if err := m.Create(rel, base.MainFork, false); pgerror.Code(err) != pgerror.DuplicateFile {
		t.Fatalf("created twice: %v", err)
	}
	const n = 19
	for i := base.BlockNumber(0); i < n; i++ {
		got, err := m.Extend(rel, base.MainFork, 1, nil)
		if err != nil || got != i {
			t.Fatalf("extended to %d: %v", got, err)
		}
		if err := m.Write(base.PageTag{File: rel, Block: i}, fill(i)); err != nil {
			t.Fatal(err)
		}
	}
	m = New(fs, Options{SegmentBlocks: 4})
	if got, err := m.Blocks(rel, base.MainFork); err != nil || got != n {
		t.Fatalf("%d blocks: %v", got, err)
	}
	buf := make([]byte, page.Size)
	for i := base.BlockNumber(0); i < n; i++ {
		if err := m.Read(base.PageTag{File: rel, Block: i}, buf); err != nil || !bytes.Equal(buf, fill(i)) {
			t.Fatalf("block %d: %v", i, err)
		}
	}
	if err := m.Truncate(rel, base.MainFork, 6); err != nil {
		t.Fatal(err)
	}
	m = New(fs, Options{SegmentBlocks: 4})
	if got, err := m.Blocks(rel, base.MainFork); err != nil || got != 6 {
		t.Fatalf("%d blocks after the cut: %v", got, err)
	}
	if err := m.Read(base.PageTag{File: rel, Block: 6}, buf); pgerror.Code(err) != pgerror.DataCorrupted {
		t.Fatalf("read beyond the end: %v", err)
	}
	if first, err := m.Extend(rel, base.MainFork, 40, nil); err != nil || first != 6 {
		t.Fatalf("bulk: %d, %v", first, err)
	}
	if err := m.Read(base.PageTag{File: rel, Block: 40}, buf); err != nil || buf[0] != 0 {
		t.Fatalf("new page: %v", err)
	}
}

func TestUnlinkWaitsForCheckpoint(t *testing.T) {
	fs := vfs.NewMem()
	m := newTest(t, fs)
	if _, err := m.Extend(rel, base.MainFork, 9, nil); err != nil {
		t.Fatal(err)
	}
	m.BeginUnlinks()
	if err := m.Unlink(rel); err != nil {
		t.Fatal(err)
	}
	if err := m.FinishUnlinks(); err != nil { // of the checkpoint that had begun before
		t.Fatal(err)
	}
	if names, _ := fs.ReadDir("base/5"); fmt.Sprint(names) != "[100]" {
		t.Fatalf("files: %v", names)
	}
	m.BeginUnlinks()
	if err := m.FinishUnlinks(); err != nil {
		t.Fatal(err)
	}
	if names, _ := fs.ReadDir("base/5"); len(names) != 0 {
		t.Fatalf("files: %v", names)
	}
}

func TestSyncMakesDurable(t *testing.T) {
	for seed := uint64(0); seed < 20; seed++ {
		fs := vfs.NewMem()
		m := newTest(t, fs)
		if _, err := m.Extend(rel, base.MainFork, 6, nil); err != nil {
			t.Fatal(err)
		}
		if err := m.Write(base.PageTag{File: rel, Block: 5}, fill(5)); err != nil {
			t.Fatal(err)
		}
		if err := m.Sync(); err != nil {
			t.Fatal(err)
		}
		m = New(fs.Crash(seed), Options{SegmentBlocks: 4})
		buf := make([]byte, page.Size)
		if err := m.Read(base.PageTag{File: rel, Block: 5}, buf); err != nil || !bytes.Equal(buf, fill(5)) {
			t.Fatalf("seed %d: lost a synced page: %v", seed, err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	m := newTest(t, fs)
	fs.Inject(vfs.Fault{Op: vfs.OpWrite, Nth: 1, Err: syscall.ENOSPC})
	if _, err := m.Extend(rel, base.MainFork, 1, nil); pgerror.Code(err) != pgerror.DiskFull {
		t.Fatalf("full disk: %v", err)
	}
	if n, err := m.Extend(rel, base.MainFork, 1, nil); err != nil || n != 0 {
		t.Fatalf("after the disk has room again: %d, %v", n, err)
	}
}
