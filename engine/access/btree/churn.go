package btree

import (
	"bytes"
	"slices"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
)

// The most that is looked at before a leaf is split.
const (
	maxProbes      = 64
	maxProbeBlocks = 8
)

// makeRoom drops the entries of a full leaf whose rows are dead: those known to be, or else those that a look at rows finds.
// Looked at are entries that share their key with another, which are often versions of one row: first those of the new key.
func (w *Writer) makeRoom(buf buffer.Buffer, t target) error {
	n := node{buf.Page()}
	if w.probe != nil && !n.anyDead() {
		p := probing{w: w, n: n}
		at := n.search(target{key: t.key})
		end := n.search(target{key: t.key, after: true})
		err := p.look(at, end)
		if err == nil && !p.found {
			err = p.look(0, at)
		}
		if err == nil && !p.found {
			err = p.look(end, n.count())
		}
		if err != nil {
			return err
		}
	}
	return w.removeDead(buf)
}

func (n node) anyDead() bool {
	for i := range n.count() {
		if n.dead(i) {
			return true
		}
	}
	return false
}

// probing looks at the rows of a leaf.
type probing struct {
	w      *Writer
	n      node
	probes int
	blocks []base.BlockNumber // of the table that were looked at
	found  bool
}

// look probes the entries from slot i to end that have a neighbour with their key, and kills those that are dead to all.
func (p *probing) look(i, end int) error {
	for ; i < end && p.probes < maxProbes; i++ {
		if !p.same(i, i-1) && !p.same(i, i+1) {
			continue
		}
		tid := base.UnpackTID(p.n.tid(i))
		if !slices.Contains(p.blocks, tid.Block) {
			if len(p.blocks) == maxProbeBlocks {
				continue
			}
			p.blocks = append(p.blocks, tid.Block)
		}
		p.probes++
		st, _, err := p.w.probe.Probe(tid)
		if err != nil {
			return err
		}
		if st == mvcc.AllDead {
			p.n.kill(i)
			p.found = true
		}
	}
	return nil
}

func (p *probing) same(i, j int) bool {
	return j >= 0 && j < p.n.count() && p.n.head(i) == p.n.head(j) && bytes.Equal(p.n.key(i), p.n.key(j))
}
