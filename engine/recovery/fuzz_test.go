package recovery

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/checkpoint"
	"manifold/engine/txn"
	"manifold/engine/wal"
)

// FuzzRecords gives every resource manager's decoder records whose checksum was right and whose contents make no sense.
func FuzzRecords(f *testing.F) {
	managers := Managers(txn.NewReplay(nil, 0, 0))
	for id := range managers {
		for info := range 12 {
			f.Add(id, uint8(info), []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9}, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8}, uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, id, info uint8, data, block []byte, blocks uint8) {
		m, ok := managers[id]
		if !ok {
			return
		}
		r := &wal.Record{Start: 1 << 24, End: 1<<24 + 64, RMgr: id, Info: info, Length: 64, Data: data}
		for i := range blocks % 5 {
			r.Blocks = append(r.Blocks, wal.BlockRef{ID: i, Tag: base.PageTag{Block: base.BlockNumber(i)}, Data: block})
		}
		_ = m.Describe(r)
		_, _ = txn.DecodePrepared(r)
		_, _ = txn.DecodeEnd(r)
		_, _ = checkpoint.Decode(r)
	})
}
