package trigger

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/exec"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Statement is an SQL statement that a constraint runs. The Runner keeps its plan.
type Statement struct {
	Text   string
	Types  []base.OID // of the parameters
	Role   base.OID   // whose privileges count
	Latest bool       // look at what is committed now, whatever the transaction's snapshot
	Writes bool
	Plan   any
}

// Runner runs the SQL of constraints within the transaction.
type Runner interface {
	// Run executes a statement. each is called with the rows it returns until it wants no more; nil takes none.
	Run(s *Statement, params []types.Datum, each func(row []types.Datum) (more bool)) error
	// Exec makes an execution context under a fresh snapshot, registered until the firing ends.
	Exec() *exec.Context
	// Snapshot registers a snapshot as a new statement gets it; latest: of the moment in any case.
	Snapshot(s *mvcc.Snapshot, latest bool)
}

// Firing is what the events of a statement or a transaction are worked off with.
type Firing struct {
	Task    *activity.Task
	Tx      *txn.Tx
	Wait    txn.Wait
	View    *catalog.View
	Builder *exec.Builder
	Env     *types.Env
	Repeat  bool // REPEATABLE READ or above
	Runner  Runner
	Lock    func(rel base.OID, mode lock.Mode) error
	MayRead func(rel base.OID, attr int16) bool // for what errors may show, see exec.Printer

	targets map[base.OID]*exec.Target
	exec    *exec.Context
}

// Statement works off the events of a statement that is over, and the waiting ones that SET CONSTRAINTS made immediate.
func (q *Queue) Statement(f *Firing) error {
	if err := f.Tx.NextCommand(); err != nil {
		return err
	}
	q.firing++
	return q.drain(f)
}

// Immediate works off waiting events of constraints that are not deferred any more.
func (q *Queue) Immediate(f *Firing) error {
	q.firing++
	return q.wake(f)
}

// Commit works off everything: the transaction is about to commit.
func (q *Queue) Commit(f *Firing) error {
	q.committing = true
	q.firing++
	if q.now.n > 0 { // of a portal that was left before its end
		if err := f.Tx.NextCommand(); err != nil {
			return err
		}
		if err := q.drain(f); err != nil {
			return err
		}
	}
	return q.wake(f)
}

// drain works off the statement's events, and those that they bring about.
func (q *Queue) drain(f *Firing) error {
	defer q.now.clear()
	for i := int64(0); i < q.now.n; i++ {
		e, err := q.now.at(i)
		if err != nil {
			return err
		}
		if err := q.fire(f, e); err != nil {
			return err
		}
		if err := f.Task.Breathe(); err != nil {
			return err
		}
	}
	return nil
}

// wake works off waiting events, in order, and remembers for each rule how far it came.
func (q *Queue) wake(f *Firing) error {
	if q.later.n == 0 {
		return nil
	}
	if err := f.Tx.NextCommand(); err != nil {
		return err
	}
	end := q.later.n
	awake := make([]bool, len(q.rules))
	for i := range q.rules {
		awake[i] = q.committing || !q.isDeferred(&q.rules[i])
	}
	for i := int64(0); i < end; i++ {
		e, err := q.later.at(i)
		if err != nil {
			return err
		}
		if !awake[e.rule] || i < q.rules[e.rule].done {
			continue
		}
		if err := q.fire(f, e); err != nil {
			return err
		}
		if err := q.drain(f); err != nil {
			return err
		}
		if err := f.Task.Breathe(); err != nil {
			return err
		}
	}
	for i := range awake {
		if awake[i] {
			q.rules[i].done = end
		}
	}
	return nil
}

// fire does what one event asks for.
func (q *Queue) fire(f *Firing, e event) error {
	r := q.rules[e.rule]
	if r.Kind == exec.Recheck {
		t, err := f.target(&r)
		if err != nil {
			return err
		}
		return t.Recheck(f.exec, r.Index.OID, e.new)
	}
	c, err := q.checker(f, r.Key)
	if err != nil || c == nil {
		return err
	}
	switch r.Kind {
	case exec.Refers:
		return c.refers(f, r.Rel, e.new)
	case exec.KeyDeleted:
		return c.act(f, r.Rel, r.Key.OnDelete, e, false)
	}
	return c.act(f, r.Rel, r.Key.OnUpdate, e, true)
}

// target gives the table of a rule for Recheck.
func (f *Firing) target(r *rule) (*exec.Target, error) {
	if f.exec == nil {
		f.exec = f.Runner.Exec()
		f.targets = map[base.OID]*exec.Target{}
	}
	t := f.targets[r.Rel.OID]
	if t == nil {
		var err error
		if t, err = f.Builder.NewTarget(r.Rel, nil); err != nil {
			return nil, err
		}
		t.Reset(f.exec)
		f.targets[r.Rel.OID] = t
	}
	return t, nil
}
