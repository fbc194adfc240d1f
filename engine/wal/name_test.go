package wal

import (
	"testing"

	"manifold/engine/base"
)

// TestFileName compares names and offsets with PostgreSQL's pg_walfile_name_offset.
func TestFileName(t *testing.T) {
	g, err := makeGeometry("", 0, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[base.LSN]struct {
		name   string
		offset int64
	}{
		0x0:         {"00000001FFFFFFFF000000FF", 0},
		0x1:         {"000000010000000000000000", 1},
		0x1000000:   {"000000010000000000000000", 0},
		0x1000001:   {"000000010000000000000001", 1},
		0x249770998: {"000000010000000200000049", 0x770998},
	} {
		if name, offset := g.FileName(p); name != want.name || offset != want.offset {
			t.Errorf("%v: %s %d", p, name, offset)
		}
	}
}
