package exec

import (
	"manifold/engine/exec/eval"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// resultOp yields one row without columns, or its child's rows, when its one-time conditions hold.
type resultOp struct {
	*emitter
	child   operator
	oneTime []eval.Node
	batch   vector.Batch
	done    bool
	sel1    [1]int32
}

func (in *Instance) resultOp(p *plan.Result) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	r := &resultOp{emitter: e}
	if r.oneTime, err = in.c.All(p.OneTime); err != nil {
		return nil, err
	}
	if p.Child != nil {
		r.child, err = in.build(p.Child)
	}
	return r, err
}

func (r *resultOp) open(x *Context) error {
	r.reset()
	r.done = false
	if len(r.oneTime) > 0 {
		r.batch.N, r.batch.Sel = 1, nil
		r.frame.Env, r.frame.Outer = x.Eval, &r.batch
		sel, err := eval.Filter(&r.frame, r.oneTime, nil, 1, r.sel1[:])
		if err != nil {
			return err
		}
		if len(sel) == 0 {
			r.done = true
			return nil
		}
	}
	if r.child != nil {
		return r.child.open(x)
	}
	return nil
}

func (r *resultOp) next(x *Context, want int) (*vector.Batch, error) {
	return r.pull(x, want, func(x *Context, want int) (*vector.Batch, error) {
		if r.done {
			return nil, nil
		}
		if r.child != nil {
			return r.child.next(x, want)
		}
		r.done = true
		r.batch.N, r.batch.Sel = 1, nil
		return &r.batch, nil
	})
}

func (r *resultOp) close() {
	if r.child != nil {
		r.child.close()
	}
}

// valuesOp yields rows of expressions.
type valuesOp struct {
	*emitter
	cells    []valueCell // row by row
	width    int
	rows     int
	variable []bool
	at       int // of rows
	batch    vector.Batch
}

// valueCell is one value of a list: an expression, or, without one, a constant (most are), which comes with the statement
// when it has a slot.
type valueCell struct {
	node  eval.Node
	value types.Datum
	slot  int
}

func (in *Instance) valuesOp(p *plan.Values) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	v := &valuesOp{emitter: e, width: len(p.Rows[0]), rows: len(p.Rows), cells: make([]valueCell, 0, len(p.Rows)*len(p.Rows[0]))}
	for _, row := range p.Rows {
		for _, ex := range row {
			if c, ok := ex.(*query.Const); ok {
				v.cells = append(v.cells, valueCell{value: c.Value, slot: in.c.Slot(c)})
				continue
			}
			n, err := in.c.Compile(ex)
			if err != nil {
				return nil, err
			}
			v.cells = append(v.cells, valueCell{node: n})
		}
	}
	for _, ex := range p.Rows[0] {
		v.variable = append(v.variable, !in.b.Fixed(ex.Type()))
	}
	return v, nil
}

func (v *valuesOp) open(*Context) error {
	v.reset()
	v.at = 0
	return nil
}

func (v *valuesOp) next(x *Context, want int) (*vector.Batch, error) {
	return v.pull(x, want, func(x *Context, want int) (*vector.Batch, error) {
		n := min(want, vector.BatchSize, v.rows-v.at)
		if n <= 0 {
			return nil, nil
		}
		v.frame.Env = x.Eval
		resetBatch(&v.batch, v.variable, n)
		for i := range n {
			for c := range v.width {
				d, err := v.cells[(v.at+i)*v.width+c].get(&v.frame)
				if err != nil {
					return nil, err
				}
				v.batch.Cols[c].Set(i, d)
			}
		}
		v.at += n
		return &v.batch, nil
	})
}

func (c *valueCell) get(f *eval.Frame) (types.Datum, error) {
	if c.node != nil {
		col, err := c.node.Eval(f, nil, 1)
		if err != nil {
			return types.Null, err
		}
		return col.Get(0), nil
	}
	if c.slot >= 0 && f.Env.Literals != nil {
		return f.Env.Literals[c.slot], nil
	}
	return c.value, nil
}

func (v *valuesOp) close() {}

// passOp hands its child's rows on: a sub-select under a name.
type passOp struct {
	*emitter
	child operator
}

func (in *Instance) passOp(b *plan.Base, child plan.Node) (operator, error) {
	e, err := in.emitter(b)
	if err != nil {
		return nil, err
	}
	op, err := in.build(child)
	if err != nil {
		return nil, err
	}
	if len(b.Filter) == 0 && b.Project == nil && in.instr == nil {
		return op, nil
	}
	return &passOp{emitter: e, child: op}, nil
}

func (p *passOp) open(x *Context) error {
	p.reset()
	return p.child.open(x)
}
func (p *passOp) next(x *Context, want int) (*vector.Batch, error) {
	return p.pull(x, want, p.child.next)
}
func (p *passOp) close() { p.child.close() }

// limitOp passes on some rows after skipping others.
type limitOp struct {
	*emitter
	child         operator
	count, offset eval.Node
	ties          []plan.SortKey
	tieTypes      []func(a, b *types.Datum) int
	left, skip    int64
	last          []types.Datum
	tieOver       bool
}

func (in *Instance) limitOp(p *plan.Limit) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	l := &limitOp{emitter: e, ties: p.WithTies}
	for _, k := range p.WithTies {
		l.tieTypes = append(l.tieTypes, types.CompareFunc(p.Child.Common().Out[k.Column].Type))
	}
	if p.Count != nil {
		if l.count, err = in.c.Compile(p.Count); err != nil {
			return nil, err
		}
	}
	if p.Offset != nil {
		if l.offset, err = in.c.Compile(p.Offset); err != nil {
			return nil, err
		}
	}
	l.child, err = in.build(p.Child)
	return l, err
}

func (l *limitOp) number(x *Context, n eval.Node, missing int64, code, what string) (int64, error) {
	if n == nil {
		return missing, nil
	}
	l.frame.Env = x.Eval
	v, err := n.Eval(&l.frame, nil, 1)
	if err != nil {
		return 0, err
	}
	d := v.Get(0)
	if d.Null {
		return missing, nil
	}
	if d.I < 0 {
		return 0, pgerror.Newf(code, "%s must not be negative", what)
	}
	return d.I, nil
}

func (l *limitOp) open(x *Context) error {
	l.reset()
	var err error
	if l.skip, err = l.number(x, l.offset, 0, pgerror.InvalidRowCountInResultOffsetClause, "OFFSET"); err != nil {
		return err
	}
	if l.left, err = l.number(x, l.count, -1, pgerror.InvalidRowCountInLimitClause, "LIMIT"); err != nil {
		return err
	}
	l.last, l.tieOver = nil, false
	return l.child.open(x)
}

func (l *limitOp) next(x *Context, want int) (*vector.Batch, error) { return l.pull(x, want, l.read) }

func (l *limitOp) read(x *Context, want int) (*vector.Batch, error) {
	for {
		if l.left == 0 && (len(l.ties) == 0 || l.tieOver || l.last == nil) {
			return nil, nil
		}
		ask := want
		if l.left > 0 {
			ask = int(min(int64(want), l.left+l.skip))
		}
		if l.skip > 0 {
			ask = int(min(max(l.skip, int64(ask)), vector.BatchSize))
			if l.left > 0 {
				ask = int(min(int64(ask), l.left+l.skip))
			}
		}
		b, err := l.child.next(x, ask)
		if b == nil || err != nil {
			return nil, err
		}
		sel := b.SelBuffer()
		live := b.Live()
		for k := range live {
			i := b.Lane(k)
			switch {
			case l.skip > 0:
				l.skip--
			case l.left != 0:
				sel = append(sel, int32(i))
				if l.left > 0 {
					if l.left--; l.left == 0 && len(l.ties) > 0 {
						l.last = l.tieOf(b, i)
					}
				}
			case l.last != nil && !l.tieOver:
				if l.tieOver = !l.tied(b, i); !l.tieOver {
					sel = append(sel, int32(i))
				}
			}
		}
		if len(sel) == live {
			return b, nil
		}
		if len(sel) > 0 {
			b.Sel = sel
			return b, nil
		}
	}
}

func (l *limitOp) tieOf(b *vector.Batch, i int) []types.Datum {
	var row []types.Datum
	for _, k := range l.ties {
		row = append(row, b.Cols[k.Column].Get(i).Clone())
	}
	return row
}

func (l *limitOp) tied(b *vector.Batch, i int) bool {
	for n, k := range l.ties {
		d := b.Cols[k.Column].Get(i)
		if d.Null != l.last[n].Null || !d.Null && l.tieTypes[n](&d, &l.last[n]) != 0 {
			return false
		}
	}
	return true
}

func (l *limitOp) close() { l.child.close() }

// appendOp yields the rows of its children one after the other.
type appendOp struct {
	*emitter
	children []operator
	at       int
	opened   bool
}

func (in *Instance) appendOp(p *plan.Append) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	a := &appendOp{emitter: e}
	for _, c := range p.Children {
		op, err := in.build(c)
		if err != nil {
			return nil, err
		}
		a.children = append(a.children, op)
	}
	return a, nil
}

func (a *appendOp) open(*Context) error {
	a.reset()
	a.at, a.opened = 0, false
	return nil
}

func (a *appendOp) next(x *Context, want int) (*vector.Batch, error) {
	return a.pull(x, want, func(x *Context, want int) (*vector.Batch, error) {
		for a.at < len(a.children) {
			if !a.opened {
				if err := a.children[a.at].open(x); err != nil {
					return nil, err
				}
				a.opened = true
			}
			b, err := a.children[a.at].next(x, want)
			if b != nil || err != nil {
				return b, err
			}
			a.at++
			a.opened = false
		}
		return nil, nil
	})
}

func (a *appendOp) close() {
	for _, c := range a.children {
		c.close()
	}
}

// materialOp keeps its child's rows so that they can be read again.
type materialOp struct {
	*emitter
	child    operator
	variable []bool
	store    rowStore
	filled   bool
	run      uint64
	reader   storeReader
	params   []int    // what the rows depend on
	stamps   []uint64 // of params, when the rows were read
}

func (in *Instance) materialOp(p *plan.Material) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	m := &materialOp{emitter: e, variable: variables(p.Child), params: p.Params, stamps: make([]uint64, len(p.Params))}
	m.child, err = in.build(p.Child)
	return m, err
}

func (m *materialOp) open(x *Context) error {
	m.reset()
	if m.filled && m.run == x.Eval.Run && x.recheck == nil && m.current(x) {
		m.reader.rewind(&m.store)
		return nil
	}
	m.filled = false
	return m.child.open(x)
}

// current tells whether the rows would be the same if they were read again.
func (m *materialOp) current(x *Context) bool {
	for i, p := range m.params {
		if m.stamps[i] != x.Eval.ExecSet[p] {
			return false
		}
	}
	return true
}

func (m *materialOp) next(x *Context, want int) (*vector.Batch, error) {
	if !m.filled {
		m.store.init(m.variable, x)
		if err := m.store.fill(x, m.child); err != nil {
			return nil, err
		}
		m.filled, m.run = true, x.Eval.Run
		for i, p := range m.params {
			m.stamps[i] = x.Eval.ExecSet[p]
		}
		m.reader.rewind(&m.store)
	}
	return m.pull(x, want, func(_ *Context, want int) (*vector.Batch, error) { return m.reader.read(want) })
}

func (m *materialOp) close() {
	m.child.close()
	m.store.clear()
	m.filled = false
}
