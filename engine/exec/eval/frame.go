package eval

import (
	"manifold/engine/activity"
	"manifold/engine/builtins"
	"manifold/engine/types"
	"manifold/engine/vector"
)

// Env is what the programs of one execution share.
type Env struct {
	Task     *activity.Task
	Ctx      *builtins.Context
	External []types.Datum // $1 ...
	Exec     []types.Datum // executor parameters
	ExecSet  []uint64      // moves when an executor parameter is set
	Literals []types.Datum // by slot; nil: the values in the plan
	Run      uint64        // moves with every execution
	Subs     SubRunner
	Values   SessionValues
}

// SubRunner runs sub-plans.
type SubRunner interface {
	// Rerun starts a sub-plan again with the executor parameters as they are; f gets its rows until it returns false.
	Rerun(plan int, f func(row []types.Datum) bool) error
	// Init gives the value of an executor parameter that an init plan computes, running it the first time.
	Init(param int) (bool, error)
}

// SessionValues answers what depends on the session: CURRENT_USER and its like, and sequences.
type SessionValues interface {
	SQLValue(name string, typmod int32) (types.Datum, error)
	NextValue(sequence uint32) (int64, error)
}

// SetParam sets an executor parameter.
func (e *Env) SetParam(n int, d types.Datum) {
	e.Exec[n] = d
	e.ExecSet[n]++
}

// Frame is the rows a program runs over: one batch for a scan, two of the same lanes for a join.
type Frame struct {
	Env     *Env
	Outer   *vector.Batch
	Inner   *vector.Batch
	ErrLane int // set with an error: the lanes before it are valid
}

// Node computes one column. sel lists the lanes, ascending; nil is all of 0 to n-1. The vector lives until the node's next
// Eval and holds valid values in the selected lanes only.
type Node interface {
	Eval(f *Frame, sel []int32, n int) (*vector.Vector, error)
}

// fail is an error at a lane.
func (f *Frame) fail(lane int, err error) error {
	f.ErrLane = lane
	return err
}

// each calls fn for every selected lane.
func each(sel []int32, n int, fn func(i int) error) error {
	if sel == nil {
		for i := range n {
			if err := fn(i); err != nil {
				return err
			}
		}
		return nil
	}
	for _, i := range sel {
		if err := fn(int(i)); err != nil {
			return err
		}
	}
	return nil
}

// first gives the first selected lane; zero when there is none.
func first(sel []int32) int {
	if len(sel) > 0 {
		return int(sel[0])
	}
	return 0
}

// selection is a reusable list of lanes.
type selection struct{ lanes []int32 }

func (s *selection) reset() []int32 {
	if s.lanes == nil {
		s.lanes = make([]int32, 0, vector.BatchSize)
	}
	return s.lanes[:0]
}

// Filter narrows sel to the lanes for which every condition is true. On an error the result holds the lanes before the
// failing one that pass, together with the error.
func Filter(f *Frame, conds []Node, sel []int32, n int, buf []int32) ([]int32, error) {
	var failure error
	for _, c := range conds {
		if sel != nil && len(sel) == 0 {
			return sel, failure
		}
		v, err := c.Eval(f, sel, n)
		if err != nil {
			failure = err
			sel, n = Cut(sel, n, f.ErrLane, buf)
			if v, err = c.Eval(f, sel, n); err != nil {
				return buf[:0], err
			}
		}
		sel = pass(v, sel, n, buf)
	}
	return sel, failure
}

// Cut keeps the lanes before lane.
func Cut(sel []int32, n, lane int, buf []int32) ([]int32, int) {
	if sel == nil {
		for i := range min(n, lane) {
			buf = append(buf[:i], int32(i))
		}
		return buf[:min(n, lane)], n
	}
	k := 0
	for k < len(sel) && int(sel[k]) < lane {
		k++
	}
	return sel[:k], n
}

// pass gives the lanes whose boolean is true.
func pass(v *vector.Vector, sel []int32, n int, buf []int32) []int32 {
	out := buf[:0]
	vals := v.Fixed
	switch {
	case sel == nil && !v.HasNulls:
		for i := range n {
			if vals[i] != 0 {
				out = append(out, int32(i))
			}
		}
	case sel == nil:
		for i := range n {
			if vals[i] != 0 && !v.IsNull(i) {
				out = append(out, int32(i))
			}
		}
	default:
		for _, i := range sel {
			if vals[i] != 0 && !v.IsNull(int(i)) {
				out = append(out, i)
			}
		}
	}
	return out
}
