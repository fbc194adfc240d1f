package exec

import (
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// hashJoin builds a table of its right side's rows and probes it with the left side's. What exceeds work_mem is split by
// hash into parts that are joined one after the other (hybrid hash join; DeWitt and others, SIGMOD 1984).
type hashJoin struct {
	*joiner
	lkeys, rkeys []eval.Node
	lcols, rcols []*vector.Vector
	typs         []base.OID
	fixed        []bool

	table   keyTable
	first   []int32 // by entry: the first row, plus one
	next_   []int32 // by row: the next of the same key, plus one
	rows    rowStore
	matched []bool // by row
	built   bool

	outer   *vector.Batch
	at      int
	chain   int32
	found   [vector.BatchSize]bool // by lane of outer
	pairL   []int32
	pairR   []int32
	lone    int // stage of rows without a partner: 0 none, 1 left rows of outer, 2 right rows
	rightAt int
	srcL    [vector.BatchSize]int32

	parts *joinParts
}

func (in *Instance) hashJoin(p *plan.HashJoin) (operator, error) {
	j, err := in.joiner(&p.Join)
	if err != nil {
		return nil, err
	}
	h := &hashJoin{joiner: j}
	if h.lkeys, err = in.c.All(p.LeftKeys); err != nil {
		return nil, err
	}
	if h.rkeys, err = in.c.All(p.RightKeys); err != nil {
		return nil, err
	}
	h.lcols, h.rcols = make([]*vector.Vector, len(h.lkeys)), make([]*vector.Vector, len(h.rkeys))
	for i, k := range p.LeftKeys {
		typ := hashType(k.Type(), p.RightKeys[i].Type())
		h.typs = append(h.typs, typ)
		h.fixed = append(h.fixed, in.b.Fixed(typ))
	}
	return h, nil
}

// hashType gives the type in whose normal form both sides of an equality are compared.
func hashType(l, r base.OID) base.OID {
	if _, _, ok := types.IntRange(l); ok {
		if _, _, ok := types.IntRange(r); ok {
			return 20 // int8 holds them all
		}
	}
	return l
}

func (h *hashJoin) open(x *Context) error {
	h.reset()
	h.outer, h.at, h.chain, h.lone, h.rightAt = nil, 0, 0, 0, 0
	if h.parts != nil {
		h.parts.close()
		h.parts = nil
	}
	h.built = false
	if err := h.right.open(x); err != nil {
		return err
	}
	return h.left.open(x)
}

func (h *hashJoin) begin(x *Context) {
	h.table.init(h.typs, h.fixed)
	h.first, h.next_, h.matched = h.first[:0], h.next_[:0], h.matched[:0]
	h.rows.init(h.rvar, x)
	h.rows.budget = 0
}

// build reads the right side.
func (h *hashJoin) build(x *Context) error {
	h.begin(x)
	for {
		b, err := h.right.next(x, vector.BatchSize)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		if h.parts != nil {
			if err := h.parts.splitRight(x, h, b); err != nil {
				return err
			}
			continue
		}
		if err := h.addRows(x, b); err != nil {
			return err
		}
		if h.rows.size()+h.table.memory() > x.WorkMem && x.TempDir != nil {
			if err := h.startParts(x); err != nil {
				return err
			}
		}
	}
	if h.instr != nil {
		h.instr.HashMemory, h.instr.HashBatches, h.instr.HashBuckets = (h.rows.size()+h.table.memory())/1024+1, 1, len(h.table.buckets)
		if h.parts != nil {
			h.instr.HashBatches = joinPartCount + 1
		}
	}
	if h.parts != nil {
		return h.splitLeft(x)
	}
	return nil
}

// addRows puts the live rows of a batch of the right side into the table.
func (h *hashJoin) addRows(x *Context, b *vector.Batch) error {
	h.frame.Env, h.frame.Outer, h.frame.Inner = x.Eval, b, nil
	if err := eval.Columns(&h.frame, h.rkeys, b.Sel, b.N, h.rcols); err != nil {
		return err
	}
	for k := range b.Live() {
		i := b.Lane(k)
		hash, null, err := h.table.hash(h.rcols, i)
		if err != nil {
			return err
		}
		if null && !h.loneRight() {
			continue
		}
		row := int32(h.rows.len())
		if err := h.rows.add(b, i); err != nil {
			return err
		}
		h.next_ = append(h.next_, 0)
		if h.loneRight() {
			h.matched = append(h.matched, false)
		}
		if null {
			continue
		}
		e := h.table.find(hash, h.rcols, i)
		if e < 0 {
			h.table.insert(hash, h.rcols, i)
			h.first = append(h.first, row+1)
			continue
		}
		h.next_[row] = h.first[e]
		h.first[e] = row + 1
	}
	return nil
}

func (h *hashJoin) next(x *Context, want int) (*vector.Batch, error) {
	if h.failed != nil {
		return nil, h.pending()
	}
	if !h.built {
		if err := h.build(x); err != nil {
			return nil, err
		}
		h.built = true
	}
	want = min(want, vector.BatchSize)
	for {
		b, done, err := h.step(x, want)
		if b != nil || err != nil {
			return b, err
		}
		if !done {
			continue
		}
		if h.parts == nil {
			return nil, nil
		}
		more, err := h.nextPart(x)
		if err != nil || !more {
			return nil, err
		}
	}
}

// step goes on: with the rows left over, or with the next pairs. done tells that this table is used up.
func (h *hashJoin) step(x *Context, want int) (b *vector.Batch, done bool, err error) {
	switch {
	case h.lone == 1:
		h.lone = 0
		b, err = h.loneLeftRows(x)
		h.outer = nil
		return b, false, err
	case h.lone == 2:
		b, err = h.loneRightRows(x, want)
		return b, b == nil && h.rightAt >= h.rows.len(), err
	case h.outer == nil:
		if len(h.first) == 0 && !h.loneLeft() && h.parts == nil && !h.loneRight() {
			return nil, true, nil // nothing can match
		}
		h.outer, err = h.nextLeft(x, want)
		if err != nil {
			return nil, false, err
		}
		if h.outer == nil {
			if h.loneRight() {
				h.lone = 2
				return nil, false, nil
			}
			return nil, true, nil
		}
		h.at, h.chain = 0, 0
		for k := range h.outer.Live() {
			h.found[h.outer.Lane(k)] = false
		}
		h.frame.Env, h.frame.Outer, h.frame.Inner = x.Eval, h.outer, nil
		if err := eval.Columns(&h.frame, h.lkeys, h.outer.Sel, h.outer.N, h.lcols); err != nil {
			return nil, false, err
		}
	}
	b, err = h.pairs(x, want)
	return b, false, err
}

func (h *hashJoin) nextLeft(x *Context, want int) (*vector.Batch, error) {
	if h.parts != nil {
		return h.parts.left(want)
	}
	return h.left.next(x, want)
}

// pairs collects pairs with equal keys, tests the rest of the condition, and outputs them.
func (h *hashJoin) pairs(x *Context, want int) (*vector.Batch, error) {
	h.pairL, h.pairR = h.pairL[:0], h.pairR[:0]
	simple := len(h.on) == 0
	single := h.kind == query.JoinSemi || h.kind == query.JoinAnti
	live := h.outer.Live()
	for h.at < live && len(h.pairL) < want {
		i := h.outer.Lane(h.at)
		if h.chain == 0 {
			hash, null, err := h.table.hash(h.lcols, i)
			if err != nil {
				return nil, err
			}
			if e := -1; !null {
				if e = h.table.find(hash, h.lcols, i); e >= 0 {
					h.chain = h.first[e]
				}
			}
		}
		for h.chain != 0 && len(h.pairL) < want {
			h.pairL, h.pairR = append(h.pairL, int32(i)), append(h.pairR, h.chain-1)
			h.chain = h.next_[h.chain-1]
			if single && simple {
				h.chain = 0
			}
		}
		if h.chain == 0 {
			h.at++
		}
	}
	finished := h.at >= live
	b, err := h.emitPairs(x, single, simple)
	if err != nil {
		return nil, err
	}
	if finished {
		if h.loneLeft() {
			h.lone = 1
		} else {
			h.outer = nil
		}
	}
	return b, nil
}

func (h *hashJoin) emitPairs(x *Context, single, simple bool) (*vector.Batch, error) {
	n := len(h.pairL)
	if n == 0 {
		return nil, nil
	}
	gather(&h.lb, h.outer, h.lvar, h.pairL)
	if !single || !simple {
		resetBatch(&h.rb, h.rvar, n)
		for k, r := range h.pairR {
			if err := h.rows.load(int(r), h.rb.Cols, k); err != nil {
				return nil, err
			}
		}
	}
	sel, err := h.matching(x, n)
	if err != nil {
		return nil, err
	}
	keep := h.keep[:0]
	visit := func(k int) {
		i := h.pairL[k]
		if !single || !h.found[i] {
			keep = append(keep, int32(k))
		}
		h.found[i] = true
		if h.loneRight() {
			h.matched[h.pairR[k]] = true
		}
	}
	if sel == nil {
		for k := range n {
			visit(k)
		}
	} else {
		for _, k := range sel {
			visit(int(k))
		}
	}
	if h.kind == query.JoinAnti || len(keep) == 0 {
		return nil, nil
	}
	return h.output(x, keep)
}

// loneLeftRows outputs the rows of outer that found no partner.
func (h *hashJoin) loneLeftRows(x *Context) (*vector.Batch, error) {
	lanes := h.srcL[:0]
	for k := range h.outer.Live() {
		if i := h.outer.Lane(k); !h.found[i] {
			lanes = append(lanes, int32(i))
		}
	}
	if len(lanes) == 0 {
		return nil, nil
	}
	gather(&h.lb, h.outer, h.lvar, lanes)
	nulls(&h.rb, h.rvar, len(lanes))
	return h.output(x, nil)
}

// loneRightRows outputs the next rows of the table that found no partner.
func (h *hashJoin) loneRightRows(x *Context, want int) (*vector.Batch, error) {
	h.pairR = h.pairR[:0]
	for ; h.rightAt < h.rows.len() && len(h.pairR) < want; h.rightAt++ {
		if !h.matched[h.rightAt] {
			h.pairR = append(h.pairR, int32(h.rightAt))
		}
	}
	n := len(h.pairR)
	if n == 0 {
		return nil, nil
	}
	resetBatch(&h.rb, h.rvar, n)
	for k, r := range h.pairR {
		if err := h.rows.load(int(r), h.rb.Cols, k); err != nil {
			return nil, err
		}
	}
	nulls(&h.lb, h.lvar, n)
	return h.output(x, nil)
}

func (h *hashJoin) close() {
	h.left.close()
	h.right.close()
	if h.parts != nil {
		h.parts.close()
		h.parts = nil
	}
	h.rows.clear()
	h.table.clear()
	if cap(h.rows.data) > 1<<20 {
		h.rows = rowStore{}
		h.first, h.next_, h.matched = nil, nil, nil
	}
}
