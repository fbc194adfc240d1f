package trigger

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"manifold/engine/base"
	"manifold/engine/exec"
)

type memFiles struct{ made int }

func (m *memFiles) Create() (exec.TempFile, error) {
	m.made++
	return &memFile{}, nil
}

type memFile struct{ b []byte }

func (f *memFile) Write(p []byte) (int, error) {
	f.b = append(f.b, p...)
	return len(p), nil
}
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(f.b).ReadAt(p, off)
}
func (f *memFile) Close() error { return nil }

func number(i int) event {
	return event{uint32(i), base.TID{Block: base.BlockNumber(i), Offset: 1}, base.TID{Block: base.BlockNumber(i / 2), Offset: 2}}
}

// TestEventLogIsAList compares a log that spills with a plain list through random growth, cuts and reads.
func TestEventLogIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &eventLog{files: &memFiles{}}
		var want []event
		next := 0
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				for range rapid.IntRange(1, chunkEvents*maxChunks).Draw(t, "adds") {
					if err := l.add(number(next)); err != nil {
						t.Fatal(err)
					}
					want = append(want, number(next))
					next++
				}
			case 2:
				n := rapid.IntRange(0, len(want)).Draw(t, "length")
				l.truncate(int64(n))
				want = want[:n]
			case 3:
				for range 20 {
					if len(want) == 0 {
						break
					}
					i := rapid.IntRange(0, len(want)-1).Draw(t, "at")
					if got, err := l.at(int64(i)); err != nil || got != want[i] {
						t.Fatalf("event %d: %v %v, want %v", i, got, err, want[i])
					}
				}
			}
			if l.n != int64(len(want)) {
				t.Fatalf("%d events, want %d", l.n, len(want))
			}
		}
		for i := range want {
			if got, err := l.at(int64(i)); err != nil || got != want[i] {
				t.Fatalf("event %d: %v %v, want %v", i, got, err, want[i])
			}
		}
	})
}

// TestEventLogRereadsAChunkThatCameBack: a chunk that was read back from the file, changed and spilled again is not what it was.
func TestEventLogRereadsAChunkThatCameBack(t *testing.T) {
	l := &eventLog{files: &memFiles{}}
	add := func(from, n int) {
		for i := range n {
			if err := l.add(number(from + i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, chunkEvents*(maxChunks+1))
	l.truncate(10)
	add(1000000, chunkEvents*(maxChunks+1))
	if got, err := l.at(10); err != nil || got != number(1000000) {
		t.Errorf("%v %v", got, err)
	}
}

// TestEventLogBoundsItsMemory checks that the older events lie in the file, and that there is an error without one.
func TestEventLogBoundsItsMemory(t *testing.T) {
	l := &eventLog{files: &memFiles{}}
	for i := range chunkEvents * maxChunks * 2 {
		if err := l.add(number(i)); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for _, c := range l.chunks {
		if c != nil {
			held++
		}
	}
	if held > maxChunks {
		t.Errorf("%d chunks in memory", held)
	}
	bare := &eventLog{}
	var err error
	for i := 0; err == nil && i <= chunkEvents*maxChunks; i++ {
		err = bare.add(number(i))
	}
	if err == nil {
		t.Error("a log without files grew beyond its bound")
	}
}
