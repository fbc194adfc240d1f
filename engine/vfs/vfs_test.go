package vfs

import (
	"errors"
	"io/fs"
	"testing"
)

// TestBoth runs the same calls on the operating system's files and on those in memory.
func TestBoth(t *testing.T) {
	for name, f := range map[string]FS{"os": NewOS(t.TempDir()), "mem": NewMem()} {
		t.Run(name, func(t *testing.T) {
			if err := f.MkdirAll("a/b"); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Open("a/b/x", 0); !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			x, err := f.Open("a/b/x", Create|Exclusive)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Open("a/b/x", Create|Exclusive); !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
			if _, err := x.WriteAt([]byte("hello"), 1000); err != nil {
				t.Fatal(err)
			}
			if ok, err := Allocate(x, 1005, 500); err != nil {
				t.Fatal(err)
			} else if n, err := x.Size(); err != nil || ok != (n == 1505) {
				t.Fatal(ok, n, err)
			}
			if err := errors.Join(x.Truncate(1003), x.Sync()); err != nil {
				t.Fatal(err)
			}
			if n, err := x.Size(); n != 1003 || err != nil {
				t.Fatal(n, err)
			}
			var b [4]byte
			if n, err := x.ReadAt(b[:], 1000); n != 3 || err == nil || string(b[:3]) != "hel" {
				t.Fatal(n, err)
			}
			if err := errors.Join(f.Rename("a/b/x", "a/b/y"), f.SyncDir("a/b"), x.Close()); err != nil {
				t.Fatal(err)
			}
			if names, err := f.ReadDir("a/b"); err != nil || len(names) != 1 || names[0] != "y" {
				t.Fatal(names, err)
			}
			l, err := f.Lock("lock")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Lock("lock"); err != ErrLocked {
				t.Fatal(err)
			}
			if err := errors.Join(l.Close(), f.Remove("a/b/y")); err != nil {
				t.Fatal(err)
			}
			if ok, err := Exists(f, "a/b/y"); ok || err != nil {
				t.Fatal(ok, err)
			}
		})
	}
}

// TestCrashLosesAnySubset: over many seeds an unsynced write survives in some and not in others; a synced one always.
func TestCrashLosesAnySubset(t *testing.T) {
	seen := map[string]bool{}
	for seed := uint64(0); seed < 200; seed++ {
		m := NewMem()
		f, _ := m.Open("f", Create)
		f.WriteAt(make([]byte, 2*SectorSize), 0)
		if err := errors.Join(f.Sync(), m.SyncDir(".")); err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte{1}, 0)
		f.WriteAt([]byte{1}, SectorSize)
		m.Rename("f", "g")
		c := m.Crash(seed)
		state := ""
		for _, n := range []string{"f", "g"} {
			if h, err := c.Open(n, 0); err == nil {
				var b [SectorSize + 1]byte
				if _, err := h.ReadAt(b[:], 0); err != nil {
					t.Fatal("lost synced bytes")
				}
				state += n + string('0'+b[0]) + string('0'+b[SectorSize])
			}
		}
		seen[state] = true
		if _, err := m.Open("f", 0); !errors.Is(err, ErrPowerCut) {
			t.Fatal("the old file system still works")
		}
	}
	for _, want := range []string{"f00", "f01", "f10", "f11", "g00", "g01", "g10", "g11"} {
		if !seen[want] {
			t.Errorf("never saw %s", want)
		}
	}
	if len(seen) != 8 {
		t.Errorf("saw %v", seen)
	}
}
