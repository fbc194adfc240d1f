package vacuum

import (
	"slices"

	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/txn"
)

// Index is what vacuum needs of an index.
type Index interface {
	// BulkDelete removes every entry for which dead is true and gives how many went and stay.
	// delay, if any, is called after each page with nothing latched.
	BulkDelete(dead func(base.TID) bool, delay func() error) (removed, kept int64, err error)
}

// Options of a run.
type Options struct {
	Full         bool           // look at all-visible pages too
	KeepIndexes  bool           // leave dead line pointers, and the indexes as they are
	SettledFrom  base.XID       // the commit log is not needed for transactions below, since an earlier run
	SettleBelow  base.XID       // make hints of transactions below durable, as far as all of them have ended; zero: of none
	MaxDead      int            // dead rows remembered before the indexes are visited; 11 million (64 MB) when zero
	TryExclusive func() bool    // takes the table for truncation without waiting; nil: never truncate
	Release      func()         // gives it back
	Delay        func() error   // called after each page: cost-based delay; may be nil
	Progress     func(Progress) // called now and then; may be nil
}

// Phase is what a run is at, numbered as pg_stat_progress_vacuum's.
type Phase int64

// The phases.
const (
	PhaseScan    Phase = 1
	PhaseIndexes Phase = 2
	PhaseHeap    Phase = 3
	PhaseCut     Phase = 5
)

// Progress is how far a run has come.
type Progress struct {
	Phase                    Phase
	Pages, Scanned, Vacuumed base.BlockNumber
	IndexPasses              int
	MaxDead, Dead            int
}

// Report is what a run did.
type Report struct {
	Pages        base.BlockNumber // of the table at the start
	Scanned      base.BlockNumber
	Removed      int64
	Live         int64 // on the scanned pages
	Dying        int64
	DeadPointers int64
	DeadPages    base.BlockNumber // that had dead line pointers
	Truncated    base.BlockNumber
	IndexRemoved []int64 // by index
	IndexKept    []int64
	IndexPasses  int
	Oldest       base.XID // the commit log is not needed for transactions below; zero when SettleBelow was
}

type run struct {
	o    Options
	t    *heap.Table
	ix   []Index
	task *activity.Task
	v    *heap.Vacuumer
	h    base.LSN
	dead []base.TID
	r    Report

	at       base.BlockNumber // the page being scanned
	vacuumed base.BlockNumber // pages whose dead line pointers were freed
	filled   base.BlockNumber // pages up to the last that keeps rows
}

// Table vacuums one table and its indexes.
func Table(task *activity.Task, txns *txn.Manager, t *heap.Table, indexes []Index, o Options) (Report, error) {
	if o.MaxDead <= 0 {
		o.MaxDead = 64 << 20 / 6
	}
	if o.SettleBelow != 0 {
		o.SettleBelow = min(o.SettleBelow, txns.SettledXID())
	}
	r := &run{o: o, t: t, ix: indexes, task: task, v: t.NewVacuumer(task), h: txns.RefreshHorizon()}
	r.v.SetSettling(o.SettledFrom, o.SettleBelow)
	r.r.Oldest = o.SettleBelow
	r.r.IndexRemoved, r.r.IndexKept = make([]int64, len(indexes)), make([]int64, len(indexes))
	if err := r.scan(); err != nil {
		return r.r, err
	}
	return r.r, r.truncate()
}

// tell reports progress.
func (r *run) tell(p Phase) {
	if r.o.Progress != nil {
		r.o.Progress(Progress{Phase: p, Pages: r.r.Pages, Scanned: r.at, Vacuumed: r.vacuumed, IndexPasses: r.r.IndexPasses,
			MaxDead: r.o.MaxDead, Dead: len(r.dead)})
	}
}

func (r *run) scan() error {
	n, err := r.t.Blocks()
	if err != nil {
		return err
	}
	r.r.Pages = n
	var cache heap.VMCache
	defer func() { cache.Release() }()
	for b := base.BlockNumber(0); b < n; b++ {
		if r.at = b; b%64 == 0 {
			r.tell(PhaseScan)
			cache.Release()
		}
		if err := r.task.Breathe(); err != nil {
			return err
		}
		if !r.o.Full {
			all, err := r.t.AllVisible(r.task, b, &cache)
			if err != nil {
				return err
			}
			if all {
				r.filled = b + 1
				continue
			}
		}
		var p heap.PageReport
		if p, r.dead, err = r.v.Page(b, r.h, len(r.ix) > 0, r.dead); err != nil {
			return err
		}
		if p.Live+p.Dying > 0 {
			r.filled = b + 1
		}
		r.r.Scanned++
		if p.Oldest != 0 {
			r.r.Oldest = min(r.r.Oldest, p.Oldest)
		}
		r.r.Removed += int64(p.Removed)
		r.r.Live += int64(p.Live)
		r.r.Dying += int64(p.Dying)
		r.r.DeadPointers += int64(p.Dead)
		if p.Dead > 0 {
			r.r.DeadPages++
		}
		if r.o.KeepIndexes {
			r.dead = r.dead[:0]
		}
		if len(r.dead) >= r.o.MaxDead {
			if err := r.indexes(); err != nil {
				return err
			}
		}
		if r.o.Delay != nil {
			cache.Release()
			if err := r.o.Delay(); err != nil {
				return err
			}
		}
	}
	return r.indexes()
}

// indexes removes the entries of the dead rows and then frees their line pointers.
func (r *run) indexes() error {
	if len(r.dead) == 0 {
		return nil
	}
	r.tell(PhaseIndexes)
	r.r.IndexPasses++
	isDead := func(tid base.TID) bool {
		_, ok := slices.BinarySearchFunc(r.dead, tid, func(a, b base.TID) int {
			switch {
			case a.Less(b):
				return -1
			case a == b:
				return 0
			}
			return 1
		})
		return ok
	}
	for i, ix := range r.ix {
		removed, kept, err := ix.BulkDelete(isDead, r.o.Delay)
		r.r.IndexRemoved[i] += removed
		r.r.IndexKept[i] = kept
		if err != nil {
			return err
		}
	}
	r.tell(PhaseHeap)
	for i := 0; i < len(r.dead); {
		j := i
		for j < len(r.dead) && r.dead[j].Block == r.dead[i].Block {
			j++
		}
		if err := r.v.Free(r.dead[i:j], r.h); err != nil {
			return err
		}
		i = j
		r.vacuumed++
		if err := r.task.Breathe(); err != nil {
			return err
		}
		if r.o.Delay != nil {
			if err := r.o.Delay(); err != nil {
				return err
			}
		}
	}
	r.dead = r.dead[:0]
	return nil
}

// truncate cuts an empty tail off when that is worth the lock: a thousand pages, or a sixteenth of the table.
func (r *run) truncate() error {
	empty := r.r.Pages - r.filled
	if r.o.TryExclusive == nil || empty == 0 || empty < 1000 && empty < r.r.Pages/16 || !r.o.TryExclusive() {
		return nil
	}
	if r.o.Release != nil {
		defer r.o.Release()
	}
	r.tell(PhaseCut)
	var err error
	r.r.Truncated, err = r.t.TruncateTail(r.task)
	return err
}
