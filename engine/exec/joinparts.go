package exec

import (
	"manifold/engine/exec/eval"
	"manifold/engine/vector"
)

// joinPartCount is into how many parts a hash join splits what exceeds work_mem. A part that is too large itself is built
// in memory all the same.
const joinPartCount = 32

// joinParts holds both sides of a hash join on files, by hash of the key.
type joinParts struct {
	rightRows [joinPartCount]rowStore
	leftRows  [joinPartCount]rowStore
	at        int // the part being joined, -1 before the first
	reader    storeReader
}

// startParts moves the table built so far to files; all further rows follow.
func (h *hashJoin) startParts(x *Context) error {
	p := &joinParts{at: -1}
	for i := range joinPartCount {
		p.rightRows[i].init(h.rvar, x)
		p.leftRows[i].init(h.lvar, x)
		p.rightRows[i].budget, p.leftRows[i].budget = partBudget, partBudget
	}
	h.parts = p
	var r storeReader
	r.rewind(&h.rows)
	for {
		b, err := r.read(vector.BatchSize)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		if err := p.splitRight(x, h, b); err != nil {
			return err
		}
	}
	h.begin(x)
	return nil
}

// partBudget is how much of each part is buffered before it is written.
const partBudget = 64 << 10

func (p *joinParts) splitRight(x *Context, h *hashJoin, b *vector.Batch) error {
	return split(x, h, b, h.rkeys, h.rcols, &p.rightRows, h.loneRight())
}

// splitLeft reads the left side into parts.
func (h *hashJoin) splitLeft(x *Context) error {
	for {
		b, err := h.left.next(x, vector.BatchSize)
		if b == nil || err != nil {
			return err
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		if err := split(x, h, b, h.lkeys, h.lcols, &h.parts.leftRows, h.loneLeft()); err != nil {
			return err
		}
	}
}

// split distributes rows; those with a null key match nothing and are kept only when the join wants them.
func split(x *Context, h *hashJoin, b *vector.Batch, keys []eval.Node, cols []*vector.Vector, parts *[joinPartCount]rowStore, keepNull bool) error {
	h.frame.Env, h.frame.Outer, h.frame.Inner = x.Eval, b, nil
	if err := eval.Columns(&h.frame, keys, b.Sel, b.N, cols); err != nil {
		return err
	}
	for k := range b.Live() {
		i := b.Lane(k)
		hash, null, err := h.table.hash(cols, i)
		if err != nil {
			return err
		}
		if null && !keepNull {
			continue
		}
		if err := parts[partition(hash, joinPartCount)].add(b, i); err != nil {
			return err
		}
	}
	return nil
}

// nextPart builds the table of the next part; false when there is none.
func (h *hashJoin) nextPart(x *Context) (bool, error) {
	p := h.parts
	if p.at++; p.at >= joinPartCount {
		return false, nil
	}
	h.begin(x)
	var r storeReader
	r.rewind(&p.rightRows[p.at])
	for {
		b, err := r.read(vector.BatchSize)
		if err != nil {
			return false, err
		}
		if b == nil {
			break
		}
		if err := x.Task.Breathe(); err != nil {
			return false, err
		}
		if err := h.addRows(x, b); err != nil {
			return false, err
		}
	}
	p.rightRows[p.at].clear()
	p.reader.rewind(&p.leftRows[p.at])
	h.outer, h.lone, h.rightAt = nil, 0, 0
	return true, nil
}

// left gives the next left rows of the part being joined.
func (p *joinParts) left(want int) (*vector.Batch, error) {
	if p.at < 0 {
		return nil, nil
	}
	return p.reader.read(want)
}

func (p *joinParts) close() {
	for i := range joinPartCount {
		p.rightRows[i].clear()
		p.leftRows[i].clear()
	}
}
