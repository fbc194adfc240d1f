package crashlab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// TestFlippedBit changes one bit of a page on disk. Whoever needs the page gets XX001 with its file and block, also from
// check; other pages and tables are read and written as before.
func TestFlippedBit(t *testing.T) {
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, 4))
	for range 8 {
		flippedBit(t, r, fs.Clone())
	}
}

func flippedBit(t *testing.T, r *rand.Rand, fs *vfs.Mem) {
	e, c := open(t, fs)
	must(t, c, "insert into parent select i, i, 0, repeat('x', 500) from generate_series(0, 199) i")
	file := must(t, c, "select pg_relation_filepath('parent')")[0]
	c.close(e)
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	block, bit := r.IntN(10), r.IntN(8192*8)
	flip(t, fs, file, int64(block)*8192+int64(bit/8), byte(1)<<(bit%8))
	e, c = open(t, fs)
	err := c.try("select sum(length(v)) from parent")
	where := fmt.Sprintf("block %d", block)
	if pgerror.Code(err) != pgerror.DataCorrupted || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), where) {
		t.Errorf("bit %d of block %d of %s: %v", bit, block, file, err)
	}
	must(t, c, "insert into child values (1, null, 2)")
	far := (block + 5) % 10 * 14
	if got := must(t, c, fmt.Sprintf("select length(v) from parent where k = %d", far)); len(got) != 1 || got[0] != "500" {
		t.Errorf("a row of a sound page: %v", got)
	}
	found := false
	_, err = e.Check(activity.NewTask(0, nil), func(err error) {
		found = found || strings.Contains(err.Error(), file) && strings.Contains(err.Error(), where)
	})
	if err != nil || !found {
		t.Errorf("check does not name block %d: %v", block, err)
	}
	c.close(e)
	_ = e.Abandon()
}

func open(t *testing.T, fs vfs.FS) (*engine.Engine, *client) {
	t.Helper()
	e, err := engine.Open(context.Background(), config(fs, 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(e)
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

func must(t *testing.T, c *client, sql string) []string {
	t.Helper()
	rows, err := c.query(sql)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func flip(t *testing.T, fs vfs.FS, name string, offset int64, mask byte) {
	t.Helper()
	f, err := fs.Open(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= mask
	if _, err := f.WriteAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
}
