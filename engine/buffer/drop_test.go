package buffer

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/page"
	"manifold/engine/vfs"
)

// TestDropsLeaveOthersAlone: a drop forgets exactly the pages it is about, whether they are looked up one by one (few) or by a
// walk over the frames (many), and none of them is written.
func TestDropsLeaveOthersAlone(t *testing.T) {
	for _, blocks := range []int{3, 60} {
		p := testPool(t, vfs.NewMem(), &fakeLog{}, 256, blocks)
		other := rel
		other.Number++
		if err := p.store.Create(other, base.MainFork, false); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b, err := p.Extend(nil, other, base.MainFork)
			if err != nil {
				t.Fatal(err)
			}
			b.Page().Init(page.KindOther, 0)
			b.MarkDirty()
			b.UnlockRelease()
		}
		if err := p.Truncate(rel, base.MainFork, base.BlockNumber(blocks-1)); err != nil {
			t.Fatal(err)
		}
		left := tags(p)
		if len(left) != blocks-1+3 || left[tagOf(blocks-1)] {
			t.Fatalf("%d blocks: after the cut %d pages stay", blocks, len(left))
		}
		p.DropRelation(rel)
		if left = tags(p); len(left) != 3 {
			t.Fatalf("%d blocks: after the drop %d pages stay", blocks, len(left))
		}
		for tag := range left {
			if tag.File != other {
				t.Errorf("page %s stays", tag)
			}
		}
		written := 0
		if _, err := p.CheckpointWrite(func(int, int) error { written++; return nil }); err != nil || written != 3 {
			t.Errorf("%d pages written, %v", written, err)
		}
	}
}

// tags lists the pages in the pool.
func tags(p *Pool) map[base.PageTag]bool {
	out := map[base.PageTag]bool{}
	for i := range p.frames {
		if f := &p.frames[i]; f.state.Load()&flagTagged != 0 {
			out[f.key().tag()] = true
		}
	}
	return out
}

func BenchmarkDropSmallRelation(b *testing.B) {
	p := testPool(b, vfs.NewMem(), &fakeLog{}, 1<<17, 4)
	for range b.N {
		p.DropRelation(rel)
	}
}
