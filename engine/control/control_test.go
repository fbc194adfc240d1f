package control

import (
	"errors"
	"testing"

	"manifold/engine/vfs"
)

// TestPowerCut cuts the power at every change: a start finds the last content acknowledged, or the one being written.
func TestPowerCut(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for seed := uint64(0); seed < 20; seed++ {
			fs := vfs.NewMem()
			s, err := OpenNew(fs, File{SystemID: 42})
			if err != nil {
				t.Fatal(err)
			}
			fs.Inject(vfs.Fault{Nth: n, Err: vfs.ErrPowerCut})
			acked := uint32(0)
			for i := uint32(1); ; i++ {
				if err := s.Update(func(f *File) { f.Incarnation = i }); err != nil {
					if !errors.Is(err, vfs.ErrPowerCut) {
						t.Fatal(err)
					}
					break
				}
				acked = i
			}
			_, got, err := Open(fs.Crash(seed))
			if err != nil {
				t.Fatal(err)
			}
			if got.SystemID != 42 || got.Incarnation != acked && got.Incarnation != acked+1 {
				t.Fatalf("found %d, acknowledged %d", got.Incarnation, acked)
			}
		}
	}
}

func TestEncodeDecode(t *testing.T) {
	f := File{SystemID: 1, Format: FormatVersion, State: StateProduction, Incarnation: 2, CheckpointLSN: 3,
		Checkpoint:  Checkpoint{Redo: 4, Timeline: 5, NextXID: 6, NextOID: 7, OldestXID: 8, Time: 9},
		MinRecovery: 10, SegmentSize: 11, Time: 12}
	b := f.Encode(99)
	got, seq, err := Decode(b[:])
	if err != nil || seq != 99 || got != f {
		t.Fatalf("%+v, %d, %v", got, seq, err)
	}
}

func FuzzDecode(f *testing.F) {
	b := (&File{Format: FormatVersion}).Encode(1)
	f.Add(b[:])
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = Decode(b) })
}
