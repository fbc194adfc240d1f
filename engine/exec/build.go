package exec

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/sql/plan"
	"manifold/engine/vector"
)

// build makes the operator of a plan node and of all below it.
func (in *Instance) build(n plan.Node) (operator, error) {
	op, err := in.operator(n)
	if err != nil || in.instr == nil {
		return op, err
	}
	return &measured{operator: op, i: in.instrument(n.Common().ID)}, nil
}

func (in *Instance) operator(n plan.Node) (operator, error) {
	switch p := n.(type) {
	case *plan.SeqScan:
		return in.seqScan(p)
	case *plan.IndexScan:
		return in.indexScan(p)
	case *plan.BitmapHeap:
		return in.bitmapHeap(p)
	case *plan.TidScan:
		return in.tidScan(p)
	case *plan.Result:
		return in.resultOp(p)
	case *plan.Values:
		return in.valuesOp(p)
	case *plan.FunctionScan:
		return in.functionScan(p)
	case *plan.CTEScan:
		return in.cteScan(p)
	case *plan.WorkTableScan:
		return in.workScan(p)
	case *plan.RecursiveUnion:
		return in.recursiveUnion(p)
	case *plan.SubqueryScan:
		return in.passOp(&p.Base, p.Child)
	case *plan.NestLoop:
		return in.nestLoop(p)
	case *plan.HashJoin:
		return in.hashJoin(p)
	case *plan.MergeJoin:
		return in.mergeJoin(p)
	case *plan.Sort:
		return in.sortOp(p)
	case *plan.Material:
		return in.materialOp(p)
	case *plan.Agg:
		return in.aggOp(p)
	case *plan.WindowAgg:
		return in.windowOp(p)
	case *plan.Unique:
		return in.uniqueOp(p)
	case *plan.Limit:
		return in.limitOp(p)
	case *plan.Append:
		return in.appendOp(p)
	case *plan.SetOp:
		return in.setOp(p)
	case *plan.ProjectSet:
		return in.projectSet(p)
	case *plan.LockRows:
		return in.lockRows(p)
	case *plan.Modify:
		return in.modifyOp(p)
	}
	return nil, pgerror.Unsupported("plan node %T", n)
}

// measured takes the times and counts of EXPLAIN ANALYZE.
type measured struct {
	operator
	i     *Instrument
	begun bool
	since time.Duration
}

func (m *measured) open(x *Context) error {
	start := time.Now()
	before := x.Task.Buffers
	err := m.operator.open(x)
	m.buffers(x, before)
	m.since = time.Since(start)
	m.i.Total += m.since
	m.i.Loops++
	m.begun = false
	return err
}

func (m *measured) next(x *Context, want int) (*vector.Batch, error) {
	start := time.Now()
	before := x.Task.Buffers
	b, err := m.operator.next(x, want)
	m.buffers(x, before)
	d := time.Since(start)
	m.i.Total += d
	m.since += d
	if !m.begun {
		m.begun = true
		m.i.Startup += m.since
	}
	if b != nil {
		m.i.Rows += float64(b.Live())
	}
	return b, err
}

func (m *measured) buffers(x *Context, before activity.BufferCounts) {
	now := x.Task.Buffers
	m.i.Hit += now.Hit - before.Hit
	m.i.Read += now.Read - before.Read
	m.i.Dirtied += now.Dirtied - before.Dirtied
	m.i.Written += now.Written - before.Written
}
