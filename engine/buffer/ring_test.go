package buffer

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/vfs"
)

// resident counts the pages below n that are in memory.
func resident(p *Pool, n int) int {
	count := 0
	for b := range n {
		k := makeKey(tagOf(b))
		if p.table.find(p.frames, k, k.hash()) >= 0 {
			count++
		}
	}
	return count
}

// pass reads a range of pages with a ring, changing them if told so.
func pass(t *testing.T, p *Pool, log *fakeLog, from, to int, r *Ring, change bool) {
	t.Helper()
	for b := from; b < to; b++ {
		buf, err := p.PinRing(nil, tagOf(b), r)
		if err != nil {
			t.Fatal(err)
		}
		if change {
			buf.Lock()
			buf.MarkDirty()
			buf.SetLSN(base.LSN(log.next.Add(8)))
			buf.Unlock()
		}
		buf.Release()
	}
}

func TestRingLeavesOthersPages(t *testing.T) {
	const frames, hot, blocks = 256, 100, 2000
	for _, c := range []struct {
		name   string
		vacuum bool
		change bool
	}{{"read", false, false}, {"vacuum", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			log := &fakeLog{}
			p := testPool(t, vfs.NewMem(), log, frames, blocks)
			if _, err := p.CheckpointWrite(nil); err != nil {
				t.Fatal(err)
			}
			pass(t, p, log, 0, hot, nil, false)
			r := p.NewReadRing(blocks)
			if c.vacuum {
				r = p.NewVacuumRing()
			}
			pass(t, p, log, hot, blocks, r, c.change)
			if n := resident(p, hot); n != hot {
				t.Fatalf("%d of %d pages of others are left after the pass", n, hot)
			}
			pass(t, p, log, hot, blocks, nil, false)
			if n := resident(p, hot); n == hot {
				t.Fatal("a pass without a ring swept nothing: the test shows nothing")
			}
		})
	}
}

// TestReadRingFlushesNoLog changes pages behind a scan: it must leave them to others instead of waiting for the log.
func TestReadRingFlushesNoLog(t *testing.T) {
	const frames, blocks = 256, 120
	log := &fakeLog{}
	p := testPool(t, vfs.NewMem(), log, frames, 1000) // the last of which are in memory
	if _, err := p.CheckpointWrite(nil); err != nil {
		t.Fatal(err)
	}
	before := log.flushed.Load()
	pass(t, p, log, 0, blocks, p.NewReadRing(frames), true)
	if got := log.flushed.Load(); got != before {
		t.Fatalf("the scan flushed the log from %d to %d", before, got)
	}
}

func TestRingOnlyForLargeTables(t *testing.T) {
	p := testPool(t, vfs.NewMem(), &fakeLog{}, 256, 1)
	if p.NewReadRing(64) != nil || p.NewReadRing(65) == nil {
		t.Fatal("a quarter of the frames is the limit")
	}
}

// TestRingCountsOneUse pins a page of a ring again and again: it stays easy to evict, and a page that others use is not
// taken from them.
func TestRingCountsOneUse(t *testing.T) {
	p := testPool(t, vfs.NewMem(), &fakeLog{}, 256, 2000)
	if _, err := p.CheckpointWrite(nil); err != nil {
		t.Fatal(err)
	}
	r := p.NewReadRing(2000)
	for range 10 {
		pass(t, p, nil, 0, 1, r, false)
	}
	k := makeKey(tagOf(0))
	i := p.table.find(p.frames, k, k.hash())
	if got := p.frames[i].state.Load() & usageMask; got != usageOne {
		t.Fatalf("the page counts %d uses", got>>32)
	}
	pass(t, p, nil, 0, 1, nil, false)
	pass(t, p, nil, 1, 500, r, false)
	if resident(p, 1) != 1 {
		t.Fatal("the ring took a page that others used")
	}
}
