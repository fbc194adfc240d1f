package btree

import (
	"bytes"
	"slices"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/mvcc"
	"manifold/engine/rmgr"
)

// The most that is looked at before a leaf is split.
const (
	maxProbes      = 64
	maxProbeBlocks = 8
)

// makeRoom drops the entries of a full leaf whose rows are dead: those known to be, or else those that a look at rows finds.
// Looked at are entries that share their key with another, which are often versions of one row: first those of the new key.
// When that does not make the room needed, equal keys are merged into lists.
func (w *Writer) makeRoom(buf buffer.Buffer, t target, need int) error {
	n := node{buf.Page()}
	w.cuts = w.cuts[:0]
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
	if err := w.removeDead(buf); err != nil || n.free() >= need || !w.ix.dedup {
		return err
	}
	return w.deduplicate(buf, need)
}

// deduplicate merges the entries of equal keys of a leaf into lists, when that frees enough.
func (w *Writer) deduplicate(buf buffer.Buffer, need int) error {
	n := node{buf.Page()}
	gain := 0
	if w.runs, gain = n.planMerge(w.runs[:0]); gain < minGain || n.free()+gain < need {
		return nil
	}
	buf.MarkDirty()
	if !n.merge(w.runs, w.scratch()) {
		return w.ix.corrupt(buf.Tag().Block, badList)
	}
	if !w.ix.logged {
		return nil
	}
	b := w.ix.txns.Builder(w.task)
	defer w.ix.txns.Done(b)
	b.Begin(rmgr.BTree, infoDedup, base.InvalidXID)
	b.Block(0, buf.Tag(), buf.Page(), 0)
	b.BlockData(0, w.runs)
	return w.ix.insertLog(b, buf)
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

// look probes the entries from slot i to end that share their key, and kills those that are dead to all; what is to go of a
// list that stays is added to the writer's cuts.
func (p *probing) look(i, end int) error {
	for ; i < end && p.probes < maxProbes; i++ {
		it := p.n.item(i)
		if !isList(it) && !p.same(i, i-1) && !p.same(i, i+1) {
			continue
		}
		size, gone := entries(it), p.w.gone[:0]
		for k := 0; k < size && p.probes < maxProbes; k++ {
			tid := base.UnpackTID(entryTID(it, k))
			if !p.near(tid.Block) {
				continue
			}
			p.probes++
			st, _, err := p.w.probe.Probe(tid)
			if err != nil {
				return err
			}
			if st == mvcc.AllDead {
				gone = append(gone, uint16(k))
			}
		}
		p.w.gone = gone
		switch {
		case len(gone) == 0:
			continue
		case len(gone) == size:
			p.n.kill(i)
		default:
			p.w.cuts = appendCut(p.w.cuts, i, gone)
		}
		p.found = true
	}
	return nil
}

// near tells whether a block of the table may be looked at: it was already, or not too many were.
func (p *probing) near(b base.BlockNumber) bool {
	if slices.Contains(p.blocks, b) {
		return true
	}
	if len(p.blocks) == maxProbeBlocks {
		return false
	}
	p.blocks = append(p.blocks, b)
	return true
}

func (p *probing) same(i, j int) bool {
	return j >= 0 && j < p.n.count() && p.n.head(i) == p.n.head(j) && bytes.Equal(p.n.key(i), p.n.key(j))
}
