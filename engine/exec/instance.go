package exec

import (
	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/sql/plan"
	"manifold/engine/stats"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// operator is a running plan node.
type operator interface {
	// open starts, or starts again.
	open(x *Context) error
	// next gives the next batch with at least one live row, nil at the end. It yields at most want rows.
	next(x *Context, want int) (*vector.Batch, error)
	// close gives up what the operator holds beyond memory; open may follow.
	close()
}

// Builder makes instances of plans.
type Builder struct {
	Store  *heap.Store
	Lookup func(oid base.OID) (builtins.Entry, bool)
	Name   func(oid base.OID) string
	Fixed  func(typ base.OID) bool
	Index  func(ix *relation.Index, logged bool) *btree.Index
	Table  func(d *relation.Desc) *heap.Table
	Stats  *stats.Registry
}

// Instance is a plan ready to run. It is reused from one execution to the next, by one at a time.
type Instance struct {
	Plan *plan.Statement

	b        *Builder
	c        *eval.Compiler
	root     operator
	subs     []operator
	rows     [][]types.Datum // scratch row of each sub-plan
	initOf   []int           // by executor parameter: the init plan that computes it, -1 for none
	initDone []uint64        // by sub-plan: the run it was computed in
	ctes     []*cteState
	work     []*workTable
	instr    map[int]*Instrument
	run      uint64
	env      eval.Env
	ctx      *Context
}

// NewInstance compiles a plan. With instrument every node is measured.
func (b *Builder) NewInstance(p *plan.Statement, instrument bool) (*Instance, error) {
	in := &Instance{Plan: p, b: b}
	in.c = &eval.Compiler{Lookup: b.Lookup, Name: b.Name, Fixed: b.Fixed, Slots: p.Slots}
	if instrument {
		in.instr = map[int]*Instrument{}
	}
	in.initOf = make([]int, len(p.Params))
	for i := range in.initOf {
		in.initOf[i] = -1
	}
	in.initDone = make([]uint64, len(p.SubPlans))
	in.subs = make([]operator, len(p.SubPlans))
	in.rows = make([][]types.Datum, len(p.SubPlans))
	for _, c := range p.CTEs {
		in.ctes = append(in.ctes, &cteState{plan: c, stamps: make([]uint64, len(c.Params))})
	}
	for i, s := range p.SubPlans {
		if s.Init {
			in.initOf[s.Output] = i
		}
		op, err := in.build(s.Root)
		if err != nil {
			return nil, err
		}
		in.subs[i] = op
	}
	for _, c := range in.ctes {
		op, err := in.build(c.plan.Root)
		if err != nil {
			return nil, err
		}
		c.op = op
	}
	var err error
	if in.root, err = in.build(p.Root); err != nil {
		return nil, err
	}
	in.env.Exec = make([]types.Datum, len(p.Params))
	in.env.ExecSet = make([]uint64, len(p.Params))
	in.env.Subs = in
	return in, nil
}

// Env gives the environment of the instance's programs, for the caller to fill before Start.
func (in *Instance) Env() *eval.Env { return &in.env }

// Instruments gives what was measured, by node ID.
func (in *Instance) Instruments() map[int]*Instrument { return in.instr }

// Start begins an execution. The caller has filled Env's Ctx, External, Literals and Values.
func (in *Instance) Start(x *Context) error {
	in.run++
	in.env.Run, in.env.Task = in.run, x.Task
	in.ctx = x
	x.Eval = &in.env
	x.view = mvcc.NewView(x.Snapshot, x.Tx.Manager(), x.Task)
	x.Processed = 0
	for _, c := range in.ctes {
		c.reset()
	}
	for _, c := range in.ctes {
		if _, modifies := c.plan.Root.(*plan.Modify); modifies {
			if err := c.fill(x, -1); err != nil {
				return err
			}
		}
	}
	return in.root.open(x)
}

// Next gives the next rows, at most want; nil at the end.
func (in *Instance) Next(x *Context, want int) (*vector.Batch, error) {
	x.Eval.Ctx.Reset()
	return in.root.next(x, want)
}

// Stop ends an execution; the instance may start again.
func (in *Instance) Stop() {
	in.root.close()
	for _, s := range in.subs {
		s.close()
	}
	for _, c := range in.ctes {
		c.op.close()
		c.reset()
	}
	in.ctx = nil
	in.env.External, in.env.Literals, in.env.Values, in.env.Task = nil, nil, nil, nil
	clear(in.env.Exec)
}

// Rerun implements eval.SubRunner.
func (in *Instance) Rerun(n int, f func(row []types.Datum) bool) error {
	op := in.subs[n]
	if err := op.open(in.ctx); err != nil {
		return err
	}
	want := 1
	for {
		b, err := op.next(in.ctx, want)
		if err != nil || b == nil {
			return err
		}
		if cap(in.rows[n]) < len(b.Cols) {
			in.rows[n] = make([]types.Datum, len(b.Cols))
		}
		row := in.rows[n][:len(b.Cols)]
		for k := range b.Live() {
			i := b.Lane(k)
			for c := range b.Cols {
				row[c] = b.Cols[c].Get(i)
			}
			if !f(row) {
				return nil
			}
		}
		want = grow(want)
	}
}

// Init implements eval.SubRunner.
func (in *Instance) Init(param int) (bool, error) {
	n := in.initOf[param]
	if n < 0 || in.initDone[n] == in.run {
		return n >= 0, nil
	}
	in.initDone[n] = in.run
	value, rows := types.Null, 0
	err := in.Rerun(n, func(row []types.Datum) bool {
		if rows++; rows > 1 {
			return false
		}
		value = types.Bool(true)
		if len(row) > 0 {
			value = row[0].Clone()
		}
		return true
	})
	if err == nil && rows > 1 {
		err = errCardinality()
	}
	if err != nil {
		in.initDone[n] = 0
		return true, err
	}
	in.env.SetParam(param, value)
	return true, nil
}

// grow gives the next number of rows to ask for when nothing says how many are wanted.
func grow(want int) int {
	switch {
	case want < 8:
		return 8
	case want < 64:
		return 64
	}
	return vector.BatchSize
}
