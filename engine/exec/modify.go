package exec

import (
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/exec/eval"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// modifyOp inserts, updates or deletes the rows its child names, one by one.
type modifyOp struct {
	*emitter
	in        *Instance
	plan      *plan.Modify
	child     operator
	again     *rechecker
	target    *Target
	values    []types.Datum
	buf       []byte
	returning []eval.Node
	ret       vector.Batch
	retV      []bool
	newRow    vector.Batch
	conflict  *conflictOp
	top       bool
	batch     *vector.Batch
	at        int
	done      bool
}

func (in *Instance) modifyOp(p *plan.Modify) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	m := &modifyOp{emitter: e, in: in, plan: p, values: make([]types.Datum, len(p.Rel.Columns)), top: p == in.Plan.Root}
	if m.target, err = in.b.NewTarget(p.Rel, p.Generated); err != nil {
		return nil, err
	}
	m.target.Given = p.Given
	if m.returning, err = in.c.All(p.Returning); err != nil {
		return nil, err
	}
	for _, r := range p.Returning {
		m.retV = append(m.retV, !in.b.Fixed(r.Type()))
	}
	m.newRow.Cols = make([]vector.Vector, len(p.Rel.Columns))
	if p.Conflict != nil {
		if m.conflict, err = in.conflictOp(m); err != nil {
			return nil, err
		}
	}
	m.again = &rechecker{in: in, plan: p.Child}
	m.child, err = in.build(p.Child)
	return m, err
}

func (m *modifyOp) open(x *Context) error {
	m.reset()
	m.batch, m.at, m.done = nil, 0, false
	m.target.Reset(x)
	return m.child.open(x)
}

// next does the work. Without RETURNING it does all of it and gives no rows.
func (m *modifyOp) next(x *Context, want int) (*vector.Batch, error) {
	if m.failed != nil {
		return nil, m.pending()
	}
	want = min(want, vector.BatchSize)
	resetBatch(&m.ret, m.retV, want)
	n := 0
	for !m.done && n < want {
		if m.batch == nil || m.at >= m.batch.Live() {
			ask := vector.BatchSize
			if len(m.returning) > 0 {
				ask = want
			}
			b, err := m.child.next(x, ask)
			if err != nil {
				return nil, err
			}
			if b == nil {
				m.done = true
				break
			}
			if err := x.Task.Breathe(); err != nil {
				return nil, err
			}
			m.batch, m.at = b, 0
		}
		lane := m.batch.Lane(m.at)
		m.at++
		row, src, at, err := m.one(x, m.batch, lane)
		if err != nil {
			return nil, err
		}
		if row == nil {
			continue
		}
		if m.top {
			x.Processed++
		}
		if len(m.returning) > 0 {
			if err := m.give(x, row, src, at, n); err != nil {
				return nil, err
			}
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	trim(&m.ret, n)
	return m.rows(x, &m.ret, nil)
}

// give evaluates RETURNING for a row.
func (m *modifyOp) give(x *Context, row []types.Datum, src *vector.Batch, lane, n int) error {
	m.newRow.N = lane + 1
	for i := range row {
		m.newRow.Cols[i].Reset(m.target.varying[i], lane+1)
		m.newRow.Cols[i].Set(lane, row[i])
	}
	m.frame.Env, m.frame.Outer, m.frame.Inner = x.Eval, src, &m.newRow
	one := []int32{int32(lane)}
	for i, r := range m.returning {
		v, err := r.Eval(&m.frame, one, lane+1)
		if err != nil {
			return err
		}
		m.ret.Cols[i].Set(n, v.Get(lane))
	}
	return nil
}

// one changes one row. It gives the row that RETURNING sees, nil when nothing was changed, and the child's row that
// belongs to it.
func (m *modifyOp) one(x *Context, b *vector.Batch, lane int) ([]types.Datum, *vector.Batch, int, error) {
	if m.plan.Command == query.Insert {
		row, err := m.insert(x, b, lane)
		return row, b, lane, err
	}
	tid := base.UnpackTID(uint64(b.Cols[m.plan.Ctid].Get(lane).I))
	if b.Cols[m.plan.Ctid].IsNull(lane) {
		return nil, nil, 0, nil
	}
	defer m.target.writer.LeaveQueue()
	for {
		if x.Crosscheck != nil {
			if err := m.crosscheck(x, tid); err != nil {
				return nil, nil, 0, err
			}
		}
		row, res, err := m.change(x, tid, b, lane)
		if err != nil {
			return nil, nil, 0, err
		}
		switch res.Outcome {
		case heap.OK:
			return row, b, lane, nil
		case heap.SelfModified:
			return nil, nil, 0, nil
		case heap.Invisible:
			return nil, nil, 0, pgerror.Newf(pgerror.InternalError, "attempted to change an invisible tuple of relation \"%s\"", m.plan.Rel.Name)
		case heap.Deleted:
			if x.Repeat {
				return nil, nil, 0, errSerialize("delete")
			}
			return nil, nil, 0, nil
		case heap.WouldBlock:
			return nil, nil, 0, pgerror.New(pgerror.InternalError, "a waiting change would not wait")
		}
		if x.Repeat {
			return nil, nil, 0, errSerialize("update")
		}
		newest, alive, err := m.target.Table.Follow(&m.target.view, res.CTID)
		if err != nil || !alive {
			return nil, nil, 0, err
		}
		tid = newest
		if b, lane, err = m.again.row(x, m.plan.RTE, tid, m.plan.Old, b, lane); b == nil || err != nil {
			return nil, nil, 0, err
		}
	}
}

// crosscheck refuses a row that the transaction's own snapshot does not see.
func (m *modifyOp) crosscheck(x *Context, tid base.TID) error {
	row, err := m.target.Table.FetchVersion(x.Task, tid, &m.buf)
	if err != nil {
		return err
	}
	view := mvcc.NewView(x.Crosscheck, x.Tx.Manager(), x.Task)
	if row != nil {
		if seen, _ := view.Visible(row); seen {
			return nil
		}
	}
	return errSerialize("update")
}

// change updates or deletes the version at tid.
func (m *modifyOp) change(x *Context, tid base.TID, b *vector.Batch, lane int) ([]types.Datum, heap.Result, error) {
	t := m.target
	if m.plan.Command == query.Delete && len(m.returning) == 0 {
		res, err := t.remove(x, tid)
		return m.values, res, err
	}
	old, err := t.Table.FetchVersion(x.Task, tid, &m.buf)
	if err != nil {
		return nil, heap.Result{}, err
	}
	if old == nil {
		return nil, heap.Result{Outcome: heap.Deleted}, nil
	}
	var need []bool
	if len(m.returning) == 0 {
		need = t.needs
	}
	if m.values, err = t.Table.DeformSome(x.Task, m.values[:0], old, need); err != nil {
		return nil, heap.Result{}, err
	}
	if m.plan.Command == query.Delete {
		res, err := t.remove(x, tid)
		return m.values, res, err
	}
	for i, attr := range m.plan.Attrs {
		m.values[attr-1] = b.Cols[m.plan.Values[i]].Get(lane)
	}
	res, err := t.update(x, tid, old, m.values)
	return m.values, res, err
}

// insert adds the row of a lane, or does what ON CONFLICT says.
func (m *modifyOp) insert(x *Context, b *vector.Batch, lane int) ([]types.Datum, error) {
	for i := range m.values {
		m.values[i] = types.Null
	}
	for i, attr := range m.plan.Attrs {
		m.values[attr-1] = b.Cols[i].Get(lane)
	}
	if err := m.target.Check(x, m.values); err != nil {
		return nil, err
	}
	if m.conflict != nil {
		return m.conflict.insert(x)
	}
	_, err := m.target.Insert(x, m.values)
	return m.values, err
}

func (m *modifyOp) close() {
	m.child.close()
	m.again.close()
	m.batch = nil
}
