package exec

import (
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// aggOp groups its input by hashing; groups come out in the order they were first met, so that sorted input gives sorted
// output. Sorted input is grouped in rounds, see sortedRound. Otherwise, when the groups exceed work_mem, rows of further
// groups wait on files, split by hash, for later rounds.
type aggOp struct {
	*emitter
	plan    *plan.Agg
	child   operator
	calls   []*aggCall
	childV  []bool
	groupV  []bool
	outV    []bool
	typs    []base.OID
	fixed   []bool
	cols    []*vector.Vector
	table   keyTable
	keys    rowStore // the group columns of each group
	keyCols vector.Batch
	groups  []uint32
	lanes   []int32
	mem     int64

	ready  bool
	at     int
	count  int
	batch  vector.Batch
	round  uint
	spilt  []*rowStore
	queue  []aggPart
	reader storeReader
	sorted sortedRound
}

// aggPart is a file of rows waiting for a round.
type aggPart struct {
	rows  *rowStore
	round uint
}

// aggParts is into how many files a round splits its overflow.
const aggParts = 16

// aggCall is one aggregate of the operator.
type aggCall struct {
	plan.AggCall
	entry    builtins.Entry
	state    builtins.Aggregate
	args     []eval.Node
	filter   []eval.Node
	cols     []*vector.Vector
	sel      [vector.BatchSize]int32
	groups   []uint32
	sorted   *aggSorter // DISTINCT or ORDER BY
	variable bool
}

func (in *Instance) aggOp(p *plan.Agg) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	a := &aggOp{emitter: e, plan: p, childV: variables(p.Child)}
	out := p.Child.Common().Out
	for _, g := range p.Group {
		a.groupV = append(a.groupV, !out[g.Column].Fixed)
		a.typs, a.fixed = append(a.typs, out[g.Column].Type), append(a.fixed, out[g.Column].Fixed)
	}
	a.cols = make([]*vector.Vector, len(p.Group))
	a.keyCols.Cols = make([]vector.Vector, len(p.Group))
	a.outV = append(a.outV, a.groupV...)
	for _, c := range p.Calls {
		call, err := in.aggCall(c)
		if err != nil {
			return nil, err
		}
		a.calls = append(a.calls, call)
		a.outV = append(a.outV, call.variable)
	}
	a.child, err = in.build(p.Child)
	return a, err
}

func (in *Instance) aggCall(c plan.AggCall) (*aggCall, error) {
	call := &aggCall{AggCall: c, variable: !in.b.Fixed(c.Type)}
	var ok bool
	if call.entry, ok = in.b.Lookup(c.Func); !ok || call.entry.Aggregate == nil {
		return nil, pgerror.Unsupported("aggregate %s", in.b.Name(c.Func))
	}
	var err error
	if call.args, err = in.c.All(c.Args); err != nil {
		return nil, err
	}
	if c.Filter != nil {
		f, err := in.c.Compile(c.Filter)
		if err != nil {
			return nil, err
		}
		call.filter = []eval.Node{f}
	}
	call.cols = make([]*vector.Vector, len(call.args))
	if c.Distinct || len(c.Order) > 0 {
		call.sorted = newAggSorter(in, &call.AggCall)
	}
	return call, nil
}

func (a *aggOp) open(x *Context) error {
	a.reset()
	a.ready, a.round, a.queue = false, 0, nil
	a.sorted.reset()
	a.begin(x)
	return a.child.open(x)
}

// begin forgets all groups.
func (a *aggOp) begin(x *Context) {
	a.at, a.count, a.mem = 0, 0, 0
	a.spilt = nil
	a.table.init(a.typs, a.fixedOrNone())
	a.keys.init(a.groupV, x)
	a.keys.budget = 0
	for _, c := range a.calls {
		c.state = c.entry.Aggregate()
		c.state.Init(c.ArgTypes)
		if c.sorted != nil {
			c.sorted.clear()
		}
	}
	if a.plan.Strategy == plan.AggPlain {
		a.growTo(1)
	}
}

func (a *aggOp) fixedOrNone() []bool {
	if len(a.fixed) == 0 {
		return []bool{false}
	}
	return a.fixed
}

func (a *aggOp) growTo(n int) {
	a.count = n
	for _, c := range a.calls {
		c.state.Grow(n)
	}
}

func (a *aggOp) next(x *Context, want int) (*vector.Batch, error) {
	if !a.ready && a.plan.Strategy != plan.AggSorted {
		if err := a.consume(x, a.child.next); err != nil {
			return nil, err
		}
		a.ready = true
	}
	return a.pull(x, want, a.read)
}

// consume aggregates all rows of a source and finishes the round.
func (a *aggOp) consume(x *Context, from source) error {
	for {
		b, err := from(x, vector.BatchSize)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := x.Task.Breathe(); err != nil {
			return err
		}
		if err := a.add(x, b); err != nil {
			return err
		}
		x.Eval.Ctx.Reset()
	}
	for i, s := range a.spilt {
		if s.len() > 0 {
			a.queue = append(a.queue, aggPart{a.spilt[i], a.round + 1})
		}
	}
	return a.finishSorters(x)
}

// finishSorters feeds the aggregates that take their rows in an order of their own.
func (a *aggOp) finishSorters(x *Context) error {
	for _, c := range a.calls {
		if c.sorted != nil {
			if err := c.sorted.finish(x, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// add aggregates one batch.
func (a *aggOp) add(x *Context, b *vector.Batch) error {
	sel := b.Sel
	var groups []uint32
	if a.plan.Strategy != plan.AggPlain {
		var err error
		if sel, groups, err = a.assign(x, b); err != nil {
			return err
		}
		if len(groups) == 0 {
			return nil
		}
	}
	return a.addRows(x, b, sel, groups)
}

// addRows feeds the aggregates the selected rows.
func (a *aggOp) addRows(x *Context, b *vector.Batch, sel []int32, groups []uint32) error {
	a.frame.Env, a.frame.Outer, a.frame.Inner = x.Eval, b, nil
	for _, c := range a.calls {
		if err := c.add(x, &a.frame, groups, sel, b.N); err != nil {
			return err
		}
	}
	return nil
}

// assign gives the group of each live row, making groups as they appear. When memory is used up, rows of groups that are
// not there yet are put on files and left out of the selection it returns.
func (a *aggOp) assign(x *Context, b *vector.Batch) ([]int32, []uint32, error) {
	for i, g := range a.plan.Group {
		a.cols[i] = &b.Cols[g.Column]
	}
	full := a.plan.Strategy == plan.AggHashed && x.TempDir != nil && a.memory() > x.WorkMem
	a.groups, a.lanes = a.groups[:0], a.lanes[:0]
	before := a.table.len()
	for k := range b.Live() {
		i := b.Lane(k)
		h, _, err := a.table.hash(a.cols, i)
		if err != nil {
			return nil, nil, err
		}
		g := a.table.find(h, a.cols, i)
		if g < 0 {
			if full {
				if err := a.spill(x, h, b, i); err != nil {
					return nil, nil, err
				}
				continue
			}
			g = a.table.insert(h, a.cols, i)
			copyColumns(&a.keyCols, a.cols)
			if err := a.keys.add(&a.keyCols, i); err != nil {
				return nil, nil, err
			}
		}
		a.groups, a.lanes = append(a.groups, uint32(g)), append(a.lanes, int32(i))
	}
	if n := a.table.len(); n > before {
		a.growTo(n)
	}
	if len(a.lanes) == b.Live() {
		return b.Sel, a.groups, nil
	}
	return a.lanes, a.groups, nil
}

func copyColumns(dst *vector.Batch, cols []*vector.Vector) {
	for i, v := range cols {
		dst.Cols[i] = *v
	}
}

func (a *aggOp) memory() int64 {
	m := a.table.memory() + a.keys.size()
	for _, c := range a.calls {
		m += c.state.MemBytes()
	}
	return m
}

// spill keeps a row for a later round.
func (a *aggOp) spill(x *Context, h uint64, b *vector.Batch, i int) error {
	if a.spilt == nil {
		for range aggParts {
			s := &rowStore{}
			s.init(a.childV, x)
			s.budget = partBudget
			a.spilt = append(a.spilt, s)
		}
	}
	return a.spilt[int(h>>(40+4*(a.round%5)))&(aggParts-1)].add(b, i)
}

// add feeds an aggregate the selected rows.
func (c *aggCall) add(x *Context, f *eval.Frame, groups []uint32, sel []int32, n int) error {
	if c.filter != nil {
		kept, err := eval.Filter(f, c.filter, sel, n, c.sel[:])
		if err != nil {
			return err
		}
		if groups != nil {
			c.groups = c.groups[:0]
			k := 0
			for _, i := range kept {
				for lane(sel, k) != int(i) {
					k++
				}
				c.groups = append(c.groups, groups[k])
			}
			groups = c.groups
		}
		if sel = kept; len(sel) == 0 {
			return nil
		}
	}
	if err := eval.Columns(f, c.args, sel, n, c.cols); err != nil {
		return err
	}
	if c.sorted != nil {
		return c.sorted.add(c, groups, sel, n)
	}
	ctx := x.Eval.Ctx
	ctx.ArgTypes, ctx.Result = c.ArgTypes, c.Type
	return c.state.Add(ctx, groups, sel, n, c.cols)
}

func lane(sel []int32, k int) int {
	if sel == nil {
		return k
	}
	return int(sel[k])
}

// read gives the next groups.
func (a *aggOp) read(x *Context, want int) (*vector.Batch, error) {
	for a.at >= a.count {
		if a.plan.Strategy == plan.AggSorted {
			if more, err := a.nextRound(x, min(want, vector.BatchSize)); err != nil || !more {
				return nil, err
			}
			break
		}
		if len(a.queue) == 0 {
			return nil, nil
		}
		part := a.queue[0]
		a.queue = a.queue[1:]
		a.round = part.round
		a.begin(x)
		a.reader.rewind(part.rows)
		err := a.consume(x, func(_ *Context, want int) (*vector.Batch, error) { return a.reader.read(want) })
		part.rows.clear()
		if err != nil {
			return nil, err
		}
	}
	n := min(want, vector.BatchSize, a.count-a.at)
	resetBatch(&a.batch, a.outV, n)
	ctx := x.Eval.Ctx
	for i := range n {
		if len(a.groupV) > 0 {
			if err := a.keys.load(a.at+i, a.batch.Cols, i); err != nil {
				return nil, err
			}
		}
		for k, c := range a.calls {
			ctx.ArgTypes, ctx.Result = c.ArgTypes, c.Type
			d, err := c.state.Result(ctx, a.at+i)
			if err != nil {
				return nil, err
			}
			a.batch.Cols[len(a.groupV)+k].Set(i, d)
		}
	}
	a.at += n
	return &a.batch, nil
}

func (a *aggOp) close() {
	a.child.close()
	for _, p := range a.queue {
		p.rows.clear()
	}
	for _, s := range a.spilt {
		s.clear()
	}
	a.queue, a.spilt = nil, nil
	a.table.clear()
	a.keys.clear()
	for _, c := range a.calls {
		c.state = nil
		if c.sorted != nil {
			c.sorted.clear()
		}
	}
}

// aggSorter keeps the arguments of an aggregate with DISTINCT or ORDER BY until all rows are there.
type aggSorter struct {
	order    []plan.SortKey
	distinct bool
	nargs    int
	typs     []base.OID
	variable []bool
	store    rowStore
	arena    []byte
	refs     []sortRef
	scratch  vector.Batch
	feed     vector.Batch
	ptrs     []*vector.Vector
}

func newAggSorter(in *Instance, c *plan.AggCall) *aggSorter {
	s := &aggSorter{distinct: c.Distinct, nargs: c.NArgs}
	for _, a := range c.Args {
		s.typs, s.variable = append(s.typs, a.Type()), append(s.variable, !in.b.Fixed(a.Type()))
	}
	s.order = append(s.order, c.Order...)
	if c.Distinct {
		for i := range c.NArgs {
			seen := false
			for _, o := range s.order {
				seen = seen || o.Column == i
			}
			if !seen {
				s.order = append(s.order, plan.SortKey{Column: i})
			}
		}
	}
	s.store.variable = s.variable
	s.scratch.Cols = make([]vector.Vector, len(c.Args))
	s.ptrs = make([]*vector.Vector, c.NArgs)
	return s
}

func (s *aggSorter) clear() {
	s.store.clear()
	s.arena, s.refs = s.arena[:0], s.refs[:0]
}

func (s *aggSorter) add(c *aggCall, groups []uint32, sel []int32, n int) error {
	copyColumns(&s.scratch, c.cols)
	count := n
	if sel != nil {
		count = len(sel)
	}
	for k := range count {
		i := lane(sel, k)
		g := uint32(0)
		if groups != nil {
			g = groups[k]
		}
		start := len(s.arena)
		s.arena = append(s.arena, byte(g>>24), byte(g>>16), byte(g>>8), byte(g))
		var err error
		for _, o := range s.order {
			if s.arena, err = types.AppendKey(s.arena, s.typs[o.Column], s.scratch.Cols[o.Column].Get(i), o.Descending, o.NullsFirst); err != nil {
				return err
			}
		}
		s.refs = append(s.refs, sortRef{head: head(s.arena[start:]), off: uint32(start), len: uint32(len(s.arena) - start), row: uint32(s.store.len())})
		if err := s.store.add(&s.scratch, i); err != nil {
			return err
		}
	}
	return nil
}

// finish sorts and feeds the aggregate, group by group, without doubles when DISTINCT.
func (s *aggSorter) finish(x *Context, c *aggCall) error {
	sorter := sortOp{arena: s.arena, order: s.refs}
	if err := sorter.sortRefs(x); err != nil {
		return err
	}
	ctx := x.Eval.Ctx
	ctx.ArgTypes, ctx.Result = c.ArgTypes, c.Type
	var groups []uint32
	flush := func() error {
		if len(groups) == 0 {
			return nil
		}
		trim(&s.feed, len(groups))
		for i := range s.ptrs {
			s.ptrs[i] = &s.feed.Cols[i]
		}
		err := c.state.Add(ctx, groups, nil, len(groups), s.ptrs)
		groups = groups[:0]
		return err
	}
	var last []byte
	for i := range s.refs {
		r := &s.refs[i]
		key := sorter.key(r)
		if s.distinct && last != nil && string(key) == string(last) {
			continue
		}
		last = key
		if len(groups) == vector.BatchSize {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(groups) == 0 {
			resetBatch(&s.feed, s.variable, vector.BatchSize)
		}
		if err := s.store.load(int(r.row), s.feed.Cols, len(groups)); err != nil {
			return err
		}
		groups = append(groups, uint32(key[0])<<24|uint32(key[1])<<16|uint32(key[2])<<8|uint32(key[3]))
	}
	return flush()
}
