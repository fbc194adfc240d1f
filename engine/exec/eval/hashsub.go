package eval

import (
	"manifold/engine/base"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// hashedSub holds the rows of a sub-select that does not depend on the lane, by the hash of the columns that ANY compares.
// They are read once an execution.
type hashedSub struct {
	left []Node     // what each column is compared with
	cols []int      // the columns of the sub-select
	typs []base.OID // their types

	run     uint64 // the execution that the rows belong to; zero is none
	rows    []types.Datum
	buckets map[uint64][]int32
	null    bool // a row has a null among the columns
	lanes   []*vector.Vector
	key     []types.Datum
}

// hashedSub compiles the test `left = column AND ...` of ANY.
func (c *Compiler) hashedSub(test query.Expr) (*hashedSub, error) {
	h := &hashedSub{}
	terms := []query.Expr{test}
	if b, ok := test.(*query.BoolExpr); ok {
		terms = b.Args
	}
	for _, t := range terms {
		o, ok := t.(*query.OpExpr)
		if !ok || len(o.Args) != 2 {
			return nil, nil
		}
		col, ok := o.Args[1].(*query.SubColumn)
		if !ok || o.Args[0].Type() != col.Typ {
			return nil, nil
		}
		left, err := c.Compile(o.Args[0])
		if err != nil {
			return nil, err
		}
		h.left, h.cols, h.typs = append(h.left, left), append(h.cols, col.N-1), append(h.typs, col.Typ)
	}
	h.lanes, h.key = make([]*vector.Vector, len(h.left)), make([]types.Datum, len(h.left))
	return h, nil
}

// begin computes what the lanes of a batch look for.
func (h *hashedSub) begin(f *Frame, sel []int32, n int) error {
	for k, l := range h.left {
		v, err := l.Eval(f, sel, n)
		if err != nil {
			return err
		}
		h.lanes[k] = v
	}
	return nil
}

// find answers ANY for lane i. It does not know the answer when nulls leave it open and there are several columns.
func (h *hashedSub) find(f *Frame, plan, i int) (answer types.Datum, known bool, err error) {
	if h.run != f.Env.Run {
		if err := h.load(f, plan); err != nil {
			return types.Null, false, err
		}
	}
	if len(h.rows) == 0 {
		return types.Bool(false), true, nil
	}
	open := h.null
	for k, v := range h.lanes {
		h.key[k] = v.Get(i)
		open = open || h.key[k].Null
	}
	if !open || !h.anyNull() {
		if h.has() {
			return types.Bool(true), true, nil
		}
	}
	if !open {
		return types.Bool(false), true, nil
	}
	return types.Null, len(h.left) == 1, nil
}

func (h *hashedSub) anyNull() bool {
	for _, d := range h.key {
		if d.Null {
			return true
		}
	}
	return false
}

// has tells whether a row equals the key, which has no null.
func (h *hashedSub) has() bool {
	w := len(h.left)
rows:
	for _, r := range h.buckets[h.hash()] {
		for k, d := range h.rows[int(r)*w : int(r+1)*w] {
			if d.Null || !types.Equal(h.typs[k], d, h.key[k]) {
				continue rows
			}
		}
		return true
	}
	return false
}

func (h *hashedSub) hash() uint64 {
	sum := uint64(0)
	for k, d := range h.key {
		sum = sum*31 + types.Hash(h.typs[k], d)
	}
	return sum
}

// load reads the rows of the sub-select.
func (h *hashedSub) load(f *Frame, plan int) error {
	h.run, h.rows, h.buckets, h.null = 0, h.rows[:0], map[uint64][]int32{}, false
	w := len(h.left)
	err := f.Env.Subs.Rerun(plan, func(row []types.Datum) bool {
		for k, c := range h.cols {
			h.key[k] = row[c]
		}
		null := h.anyNull()
		if null && h.null || !null && h.has() {
			return true // one row of each key, and one with a null, is enough
		}
		at := int32(len(h.rows) / w)
		for _, d := range h.key {
			h.rows = append(h.rows, d.Clone())
		}
		if null {
			h.null = true
			return true
		}
		sum := h.hash()
		h.buckets[sum] = append(h.buckets[sum], at)
		return true
	})
	if err == nil {
		h.run = f.Env.Run
	}
	return err
}
