package exec

import (
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
)

// cteState is a WITH query of one execution: its rows, read from its plan as far as somebody has asked.
type cteState struct {
	plan   *plan.CTE
	op     operator
	opened bool
	done   bool
	store  rowStore
	stamps []uint64 // of plan.Params, when reading began
}

func (c *cteState) reset() {
	c.opened, c.done = false, false
	c.store.clear()
}

// current tells whether the rows would be the same if they were computed again.
func (c *cteState) current(x *Context) bool {
	for i, p := range c.plan.Params {
		if c.stamps[i] != x.Eval.ExecSet[p] {
			return false
		}
	}
	return true
}

// fill reads until there are at least n rows, or all when n is negative.
func (c *cteState) fill(x *Context, n int) error {
	if c.done {
		return nil
	}
	if !c.opened {
		c.store.init(variables(c.plan.Root), x)
		if err := c.op.open(x); err != nil {
			return err
		}
		c.opened = true
		for i, p := range c.plan.Params {
			c.stamps[i] = x.Eval.ExecSet[p]
		}
	}
	for n < 0 || c.store.len() < n {
		want := vector.BatchSize
		if n > 0 {
			want = min(want, n-c.store.len())
		}
		b, err := c.op.next(x, want)
		if err != nil {
			return err
		}
		if b == nil {
			c.done = true
			return nil
		}
		for k := range b.Live() {
			if err := c.store.add(b, b.Lane(k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// cteScan reads the rows of a WITH query.
type cteScan struct {
	*emitter
	cte    *cteState
	reader storeReader
}

func (in *Instance) cteScan(p *plan.CTEScan) (operator, error) {
	e, err := in.emitter(&p.Base)
	return &cteScan{emitter: e, cte: in.ctes[p.Index]}, err
}

func (s *cteScan) open(x *Context) error {
	s.reset()
	if s.cte.opened && !s.cte.current(x) {
		s.cte.reset()
	}
	s.reader.rewind(&s.cte.store)
	return nil
}

func (s *cteScan) next(x *Context, want int) (*vector.Batch, error) {
	return s.pull(x, want, func(x *Context, want int) (*vector.Batch, error) {
		if err := s.cte.fill(x, s.reader.next+min(want, vector.BatchSize)); err != nil {
			return nil, err
		}
		return s.reader.read(want)
	})
}

func (s *cteScan) close() {}

// workTable holds the rows that the last round of a recursive query added.
type workTable struct {
	current rowStore
	next    rowStore
}

// workScan reads the last round's rows.
type workScan struct {
	*emitter
	table  *workTable
	reader storeReader
}

// workTable gives the n-th work table of the instance.
func (in *Instance) workTable(n int) *workTable {
	for len(in.work) <= n {
		in.work = append(in.work, &workTable{})
	}
	return in.work[n]
}

func (in *Instance) workScan(p *plan.WorkTableScan) (operator, error) {
	e, err := in.emitter(&p.Base)
	return &workScan{emitter: e, table: in.workTable(p.Table)}, err
}

func (s *workScan) open(*Context) error {
	s.reset()
	s.reader.rewind(&s.table.current)
	return nil
}

func (s *workScan) next(x *Context, want int) (*vector.Batch, error) {
	return s.pull(x, want, func(_ *Context, want int) (*vector.Batch, error) { return s.reader.read(want) })
}

func (s *workScan) close() {}

// recursiveUnion runs its left side once, then its right side over what the last round added until nothing is added.
type recursiveUnion struct {
	*emitter
	table       *workTable
	left, right operator
	variable    []bool
	distinct    bool
	key         keyer
	seen        map[string]struct{}
	inRight     bool
	sel         [vector.BatchSize]int32
}

func (in *Instance) recursiveUnion(p *plan.RecursiveUnion) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	r := &recursiveUnion{emitter: e, table: in.workTable(p.Table), distinct: p.Distinct, variable: variables(p.Left), key: newKeyer(p.Group, p.Left)}
	if r.left, err = in.build(p.Left); err != nil {
		return nil, err
	}
	r.right, err = in.build(p.Right)
	return r, err
}

func (r *recursiveUnion) open(x *Context) error {
	r.reset()
	r.inRight = false
	r.seen = map[string]struct{}{}
	r.table.current.init(r.variable, x)
	r.table.next.init(r.variable, x)
	return r.left.open(x)
}

func (r *recursiveUnion) next(x *Context, want int) (*vector.Batch, error) {
	return r.pull(x, want, r.read)
}

func (r *recursiveUnion) read(x *Context, want int) (*vector.Batch, error) {
	for {
		if err := x.Task.Breathe(); err != nil {
			return nil, err
		}
		op := r.left
		if r.inRight {
			op = r.right
		}
		b, err := op.next(x, want)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if r.table.next.len() == 0 {
				return nil, nil
			}
			r.table.current, r.table.next = r.table.next, r.table.current
			r.table.next.init(r.variable, x)
			r.inRight = true
			if err := r.right.open(x); err != nil {
				return nil, err
			}
			continue
		}
		sel := r.sel[:0]
		for k := range b.Live() {
			i := b.Lane(k)
			if r.distinct {
				key, err := r.key.of(b, i)
				if err != nil {
					return nil, err
				}
				if _, ok := r.seen[string(key)]; ok {
					continue
				}
				r.seen[string(key)] = struct{}{}
			}
			if err := r.table.next.add(b, i); err != nil {
				return nil, err
			}
			sel = append(sel, int32(i))
		}
		if len(sel) > 0 {
			b.Sel = sel
			return b, nil
		}
	}
}

func (r *recursiveUnion) close() {
	r.left.close()
	r.right.close()
	r.table.current.clear()
	r.table.next.clear()
	r.seen = nil
}
