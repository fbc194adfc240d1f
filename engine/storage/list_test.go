package storage

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/vfs"
)

func TestEachNamesEveryFork(t *testing.T) {
	m := New(vfs.NewMem(), Options{})
	want := map[File]bool{}
	for _, f := range []File{
		{base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 1259}, base.MainFork},
		{base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 1259}, base.FSMFork},
		{base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 20000}, base.InitFork},
		{base.RelFile{Space: base.DefaultTablespace, Database: 5, Number: 20001, Temp: 77}, base.MainFork},
		{base.RelFile{Space: 17000, Database: 5, Number: 20002}, base.VMFork},
		{base.RelFile{Space: base.GlobalTablespace, Number: 1260}, base.MainFork},
	} {
		if err := m.CreateDatabase(f.Space, f.Database); err != nil {
			t.Fatal(err)
		}
		if err := m.Create(f.RelFile, f.Fork, false); err != nil {
			t.Fatal(err)
		}
		want[f] = true
	}
	if err := m.Each(func(f File) error {
		if !want[f] {
			t.Errorf("%v was not made", f)
		}
		delete(want, f)
		return nil
	}); err != nil || len(want) > 0 {
		t.Fatal(err, want)
	}
}
