package exec

import (
	"slices"

	"manifold/engine/vector"
)

// sortedRound is what grouping of sorted input keeps between rounds. A round ends before the first row of a group once
// groups enough are complete; that row and those behind it in its batch begin the next round. So memory holds the groups of
// one round, whatever the input's size, and a LIMIT reads no further than it must.
type sortedRound struct {
	held vector.Batch // the rows that begin the next round
	have bool
	done bool // the input has ended
}

func (r *sortedRound) reset() { r.have, r.done = false, false }

// nextRound aggregates rows until want groups are complete or the input ends; false when there is nothing more.
func (a *aggOp) nextRound(x *Context, want int) (bool, error) {
	r := &a.sorted
	if r.done {
		return false, nil
	}
	a.begin(x)
	for {
		b := &r.held
		if !r.have {
			var err error
			if b, err = a.child.next(x, vector.BatchSize); err != nil {
				return false, err
			}
			if err := x.Task.Breathe(); err != nil {
				return false, err
			}
		}
		r.have = false
		if b == nil {
			r.done = true
			break
		}
		ends, err := a.addSorted(x, b, want)
		if err != nil {
			return false, err
		}
		x.Eval.Ctx.Reset()
		if ends {
			break
		}
	}
	return a.count > 0, a.finishSorters(x)
}

// addSorted aggregates a batch. It tells that the round ends: then the rows of the batch's last group are held.
func (a *aggOp) addSorted(x *Context, b *vector.Batch, want int) (bool, error) {
	before := a.table.len()
	sel, groups, err := a.assign(x, b)
	if err != nil || len(groups) == 0 {
		return false, err
	}
	last := groups[len(groups)-1]
	if int(last) < before || int(last) < want {
		return false, a.addRows(x, b, sel, groups)
	}
	first, _ := slices.BinarySearch(groups, last)
	a.hold(b, first)
	if first > 0 {
		a.lanes = a.lanes[:0]
		for k := range first {
			a.lanes = append(a.lanes, int32(b.Lane(k)))
		}
		if err := a.addRows(x, b, a.lanes, groups[:first]); err != nil {
			return false, err
		}
	}
	a.count = int(last)
	return true, nil
}

// hold copies the live rows of a batch from the first-th on: the batch is gone when its child goes on.
func (a *aggOp) hold(b *vector.Batch, first int) {
	r := &a.sorted
	n := b.Live() - first
	resetBatch(&r.held, a.childV, n)
	for k := range n {
		i := b.Lane(first + k)
		for c := range b.Cols {
			r.held.Cols[c].Set(k, b.Cols[c].Get(i))
		}
	}
	r.have = true
}
