package exec

import (
	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
)

// rechecker runs a plan again over single rows: the newest version of a row that was changed by others, and the very rows
// of the other relations that it was joined with (PostgreSQL's EvalPlanQual).
type rechecker struct {
	in   *Instance
	plan plan.Node
	op   operator
}

// row gives the row the plan yields for the version at tid of relation rte, or nil when that does not qualify any more.
// The other relations' rows are read from the child's row.
func (r *rechecker) row(x *Context, rte int, tid base.TID, old []plan.OldRow, b *vector.Batch, lane int) (*vector.Batch, int, error) {
	rows := map[int]recheckRow{rte: {tid: tid}}
	for _, o := range old {
		d := b.Cols[o.Ctid].Get(lane)
		rows[o.RTE] = recheckRow{tid: base.UnpackTID(uint64(d.I)), null: d.Null}
	}
	if r.op == nil {
		instr := r.in.instr
		r.in.instr = nil
		op, err := r.in.build(r.plan)
		r.in.instr = instr
		if err != nil {
			return nil, 0, err
		}
		r.op = op
	}
	// The plan under re-check shares the executor parameters with the one that goes on afterwards.
	saved := cloneRow(x.Eval.Exec)
	defer func() {
		for i := range saved {
			x.Eval.SetParam(i, saved[i])
		}
	}()
	sub := *x
	sub.recheck = rows
	if err := r.op.open(&sub); err != nil {
		return nil, 0, err
	}
	for {
		out, err := r.op.next(&sub, 1)
		if out == nil || err != nil {
			return nil, 0, err
		}
		if out.Live() > 0 {
			return out, out.Lane(0), nil
		}
	}
}

func (r *rechecker) close() {
	if r.op != nil {
		r.op.close()
	}
}

// lockRows locks the rows its child names, and replaces those that changed by what they are now.
type lockRows struct {
	*emitter
	plan     *plan.LockRows
	child    operator
	again    *rechecker
	writers  []*heap.Writer
	tables   []*heap.Table
	variable []bool
	in       *vector.Batch
	at       int
	out      vector.Batch
}

func (in *Instance) lockRows(p *plan.LockRows) (operator, error) {
	e, err := in.emitter(&p.Base)
	if err != nil {
		return nil, err
	}
	l := &lockRows{emitter: e, plan: p, variable: variables(p.Child)}
	for _, m := range p.Marks {
		l.tables = append(l.tables, in.b.Table(m.Rel))
		l.writers = append(l.writers, &heap.Writer{})
	}
	l.again = &rechecker{in: in, plan: p.Child}
	l.child, err = in.build(p.Child)
	return l, err
}

func (l *lockRows) open(x *Context) error {
	l.reset()
	l.in = nil
	for i, w := range l.writers {
		w.Reset(l.tables[i], x.Task, x.Tx, x.Wait)
	}
	return l.child.open(x)
}

func (l *lockRows) next(x *Context, want int) (*vector.Batch, error) { return l.pull(x, want, l.read) }

func (l *lockRows) read(x *Context, want int) (*vector.Batch, error) {
	want = min(want, vector.BatchSize)
	resetBatch(&l.out, l.variable, want)
	n := 0
	for n < want {
		if l.in == nil || l.at >= l.in.Live() {
			b, err := l.child.next(x, want-n)
			if err != nil {
				return nil, err
			}
			if b == nil {
				break
			}
			l.in, l.at = b, 0
		}
		lane := l.in.Lane(l.at)
		l.at++
		b, i, err := l.lock(x, l.in, lane)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		for c := range l.out.Cols {
			l.out.Cols[c].Set(n, b.Cols[c].Get(i))
		}
		n++
	}
	if n == 0 {
		return nil, nil
	}
	trim(&l.out, n)
	return &l.out, nil
}

// lock takes all locks of a row; it gives the row as it is now, or nil when it is to be left out.
func (l *lockRows) lock(x *Context, b *vector.Batch, lane int) (*vector.Batch, int, error) {
	defer func() {
		for _, w := range l.writers {
			w.LeaveQueue()
		}
	}()
	for k := 0; k < len(l.plan.Marks); k++ {
		m := &l.plan.Marks[k]
		d := b.Cols[m.Ctid].Get(lane)
		if d.Null {
			continue // the null-extended side of an outer join
		}
		policy := heap.Block
		if m.NoWait {
			policy = heap.NoWait
		} else if m.SkipLocked {
			policy = heap.Skip
		}
		tid := base.UnpackTID(uint64(d.I))
		res, err := l.writers[k].Lock(tid, rowLockMode(m.Strength), policy, nil)
		if err != nil {
			return nil, 0, err
		}
		switch res.Outcome {
		case heap.OK:
			continue
		case heap.WouldBlock, heap.SelfModified:
			return nil, 0, nil
		case heap.Invisible:
			return nil, 0, pgerror.Newf(pgerror.InternalError, "attempted to lock an invisible tuple of relation \"%s\"", m.Rel.Name)
		case heap.Deleted:
			if x.Repeat {
				return nil, 0, errSerialize("update")
			}
			return nil, 0, nil
		}
		if x.Repeat {
			return nil, 0, errSerialize("update")
		}
		newest, alive, err := l.tables[k].Follow(&x.view, res.CTID)
		if err != nil || !alive {
			return nil, 0, err
		}
		if b, lane, err = l.again.row(x, m.RTE, newest, l.others(m.RTE), b, lane); b == nil || err != nil {
			return nil, 0, err
		}
		k = -1 // all locks anew over the row as it is now
	}
	return b, lane, nil
}

// others lists the relations besides rte whose rows a re-check keeps.
func (l *lockRows) others(rte int) []plan.OldRow {
	var out []plan.OldRow
	for _, m := range l.plan.Marks {
		if m.RTE != rte {
			out = append(out, plan.OldRow{RTE: m.RTE, Ctid: m.Ctid})
		}
	}
	return append(out, l.plan.Old...)
}

func (l *lockRows) close() {
	l.child.close()
	l.again.close()
}
