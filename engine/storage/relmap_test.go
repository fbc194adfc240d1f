package storage

import (
	"bytes"
	"errors"
	"testing"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

func TestRelMapDecode(t *testing.T) {
	m := (*RelMap)(nil).With(Move{Relation: 1259, Number: 20000}, Move{Relation: 1249, Number: 20001})
	if m.Number(1259) != 20000 || m.Number(1249) != 20001 || m.Number(1247) != 1247 {
		t.Fatal("numbers")
	}
	b := m.Encode(5)
	got, err := DecodeRelMap(b, 5, "x")
	if err != nil || !bytes.Equal(got.Encode(5), b) {
		t.Fatal(err)
	}
	if _, err := DecodeRelMap(b, 6, "x"); pgerror.Code(err) != pgerror.DataCorrupted {
		t.Errorf("the map of another database: %v", err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := DecodeRelMap(bad, 5, "x"); pgerror.Code(err) != pgerror.DataCorrupted {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := DecodeRelMap(b[:i], 5, "x"); pgerror.Code(err) != pgerror.DataCorrupted {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
}

func FuzzRelMapDecode(f *testing.F) {
	f.Add((*RelMap)(nil).With(Move{Relation: 1259, Number: 20000}).Encode(1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeRelMap(b, 1, "x"); err == nil && !bytes.Equal(m.Encode(1), b) {
			t.Error("another encoding of the same map")
		}
	})
}

// TestRelMapSurvivesPowerCuts cuts the power at every call of a change of two maps: each is then as before or as after, and the
// changes that were acknowledged are there.
func TestRelMapSurvivesPowerCuts(t *testing.T) {
	for nth := 1; ; nth++ {
		fs := vfs.NewMem()
		m := New(fs, Options{})
		if err := errors.Join(fs.MkdirAll("global"), m.SetMap(0, nil), m.SetMap(5, nil)); err != nil {
			t.Fatal(err)
		}
		fs.Inject(vfs.Fault{Nth: nth, Err: vfs.ErrPowerCut})
		done := base.OID(0)
		var err error
		for n := base.OID(20000); n < 20003 && err == nil; n++ {
			if err = m.MoveFiles([]Move{{0, 1262, n}, {5, 1259, n}}); err == nil {
				done = n
			}
		}
		if err == nil {
			return
		}
		again := New(fs.Crash(uint64(nth)), Options{})
		if err := again.LoadMaps(); err != nil {
			t.Fatalf("call %d: %v", nth, err)
		}
		check := func(db, oid base.OID) {
			before, after := done, done+1
			if done == 0 {
				before, after = oid, 20000
			}
			if got := again.Map(db).Number(oid); got != before && got != after {
				t.Errorf("call %d: the file of %d is %d, not %d or %d", nth, oid, got, before, after)
			}
		}
		check(0, 1262)
		check(5, 1259)
	}
}

func TestRelMapDump(t *testing.T) {
	fs := vfs.NewMem()
	m := New(fs, Options{})
	if err := errors.Join(fs.MkdirAll("global"), m.SetMap(7, (*RelMap)(nil).With(Move{Relation: 1259, Number: 20000}))); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	db, r, err := ReadRelMap(fs, RelMapPath(7))
	if err == nil {
		err = r.Dump(&out)
	}
	if err != nil || db != 7 || out.String() != "1259: 20000\n" {
		t.Errorf("database %d, %q, %v", db, out.String(), err)
	}
	if err := m.LoadMaps(); pgerror.Code(err) != pgerror.DataCorrupted {
		t.Errorf("without the map of the cluster: %v", err)
	}
}
