package command

import (
	"slices"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/exec"
	"manifold/engine/lock"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
)

// concurrently runs f, which ends transactions, under a lock of the session on a table: nobody else changes its shape
// meanwhile.
func (c *Context) concurrently(table base.OID, f func() error) error {
	tag := lock.Relation(c.database(), table)
	owner := c.Session.Proc.Owner()
	locks := c.Tx.Manager().Locks()
	_, err := locks.Acquire(c.Task, owner, lock.Request{Tag: tag, Mode: lock.ShareUpdateExclusive, Session: true, Timeout: c.Wait.Timeout,
		DeadlockTimeout: c.Wait.DeadlockTimeout})
	if err != nil {
		return err
	}
	defer locks.Release(owner, tag, lock.ShareUpdateExclusive, true)
	return f()
}

// fillConcurrently brings a new index that nobody uses yet into use: everybody comes to maintain it, it is built, and what
// was missed on the way is added (PostgreSQL's phases 2 and 3).
func (c *Context) fillConcurrently(table, index base.OID) error {
	if err := c.Restart(); err != nil {
		return err
	}
	if err := c.awaitLockers(table, lock.Share, indexWaitWriters); err != nil {
		return err
	}
	if _, err := c.newFile(index); err != nil {
		return err
	}
	if _, err := c.reread(table); err != nil {
		return err
	}
	if err := c.fillIndex(table, index); err != nil {
		return err
	}
	if err := c.indexFlags(table, index, func(r catalog.Row) { r.SetBool(bootstrap.ColIndexIndisready, true) }); err != nil {
		return err
	}
	if err := c.Restart(); err != nil {
		return err
	}
	if err := c.awaitLockers(table, lock.Share, indexWaitAgain); err != nil {
		return err
	}
	c.progress.Set(indexPhase, indexValidating)
	x := c.NewExec()
	if err := c.completeIndex(x, table, index); err != nil {
		return err
	}
	seen := x.Snapshot.S
	if err := c.Restart(); err != nil {
		return err
	}
	c.progress.Set(indexPhase, indexWaitOld)
	return c.awaitSnapshots(seen)
}

// indexFlags edits the row of an index.
func (c *Context) indexFlags(table, index base.OID, f func(r catalog.Row)) error {
	if err := c.editRow(bootstrap.RelIndex, bootstrap.IdxIndexIndexrelidIndex, f, oidKey(index)); err != nil {
		return err
	}
	_, err := c.reread(table)
	return err
}

// completeIndex adds the entries of rows that the build did not see.
func (c *Context) completeIndex(x *exec.Context, table, index base.OID) error {
	d, err := c.relation(table)
	if err != nil {
		return err
	}
	return c.Builder.CompleteIndex(x, d, index)
}

// The pauses between two looks at what others hold.
const (
	firstPause = time.Millisecond
	longPause  = 50 * time.Millisecond
)

// poll waits until done says so, as for a lock: lock_timeout ends it.
func (c *Context) poll(done func() (bool, error)) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if limit := c.Wait.Timeout; limit > 0 {
			if time.Since(began) >= limit {
				return pgerror.New(pgerror.LockNotAvailable, "canceling statement due to lock timeout")
			}
			pause = min(pause, limit)
		}
		if err := c.Task.Wait(activity.EventLockVirtualXID, nil, pause); err != nil && err != activity.ErrTimeout {
			return err
		}
	}
}

// awaitLockers waits until everybody who holds a lock on a table that conflicts with a mode has let it go once. New holders are
// not waited for: what they know of the table is what the last commit left. phase is what is shown of it.
func (c *Context) awaitLockers(table base.OID, mode lock.Mode, phase int64) error {
	locks, owner := c.Tx.Manager().Locks(), c.Session.Proc.Owner()
	tag := lock.Relation(c.database(), table)
	left := locks.Conflicting(owner, tag, mode)
	c.progress.Set(indexPhase, phase)
	all := len(left)
	return c.poll(func() (bool, error) {
		now := locks.Conflicting(owner, tag, mode)
		left = slices.DeleteFunc(left, func(pid uint32) bool { return !slices.Contains(now, pid) })
		for _, pid := range left {
			if slices.Contains(locks.BlockedBy(pid), owner.PID()) {
				return false, pgerror.New(pgerror.TRDeadlockDetected, "deadlock detected").
					WithDetail("Process %d waits for a lock of process %d, which waits for the end of its transaction.", pid, owner.PID())
			}
		}
		if len(left) == 0 {
			c.progress.Set(indexLockers, 0, 0, 0)
			return true, nil
		}
		c.progress.Set(indexLockers, int64(all), int64(all-len(left)), int64(left[0]))
		return false, nil
	})
}

// awaitSnapshots waits until nobody reads with a snapshot older than a position: such a reader may need rows that an index
// made since does not lead to.
func (c *Context) awaitSnapshots(seen base.LSN) error {
	return c.poll(func() (bool, error) { return c.Tx.Manager().RefreshHorizon() >= seen, nil })
}

// dropConcurrently is DROP INDEX CONCURRENTLY: the index is taken out of use before it goes.
func (c *Context) dropConcurrently(index base.OID) error {
	d, err := c.relation(index)
	if err != nil {
		return err
	}
	if err := c.droppable(relObject(index)); err != nil {
		return err
	}
	table := d.Index.Table
	return c.concurrently(table, func() error { return c.retireIndex(table, index) })
}

// droppable fails as drop would, without dropping anything.
func (c *Context) droppable(o object) error {
	p := &dropPlan{c: c, o: dropOptions{locked: true}, at: map[object]*victim{}, open: map[object]bool{}}
	if err := p.visit(o, byName, object{}); err != nil {
		return err
	}
	return p.report([]object{o}, dropOptions{})
}

// retireIndex drops an index once nobody reads or maintains it.
func (c *Context) retireIndex(table, index base.OID) error {
	for phase, col := range []int{bootstrap.ColIndexIndisvalid, bootstrap.ColIndexIndisready} {
		if err := c.indexFlags(table, index, func(r catalog.Row) { r.SetBool(col, false) }); err != nil {
			return err
		}
		if err := c.Restart(); err != nil {
			return err
		}
		if err := c.awaitLockers(table, lock.AccessExclusive, int64(indexWaitMarking+phase)); err != nil {
			return err
		}
	}
	if err := c.drop([]object{relObject(index)}, dropOptions{locked: true}); err != nil {
		return err
	}
	_, err := c.reread(table)
	return err
}

// replaceIndex is REINDEX INDEX CONCURRENTLY: a second index is made beside the first, then the two change files and the
// second, which has the old file now, goes.
func (c *Context) replaceIndex(d *relation.Desc, ix *relation.Index) error {
	return c.concurrently(d.OID, func() error {
		twin, err := c.twinIndex(d, ix)
		if err != nil {
			return err
		}
		if err := c.fillConcurrently(d.OID, twin); err != nil {
			return err
		}
		if err := c.swapFiles(ix.OID, twin); err != nil {
			return err
		}
		return c.retireIndex(d.OID, twin)
	})
}

// twinIndex makes the entry of an index like another one, with an empty tree.
func (c *Context) twinIndex(d *relation.Desc, ix *relation.Index) (base.OID, error) {
	same := make([]int, len(d.Columns)+1)
	for i := range same {
		same[i] = i
	}
	s, err := c.likeIndex(d, ix, same)
	if err != nil {
		return 0, err
	}
	if s.name, err = c.chooseRelationName(ix.Name, "", "ccnew", d.Namespace); err != nil {
		return 0, err
	}
	s.constraint, s.primary, s.concurrent = false, false, true
	return c.createIndex(d, s)
}

// swapFiles lets two indexes change their files.
func (c *Context) swapFiles(a, b base.OID) error {
	x, err := c.relation(a)
	if err != nil {
		return err
	}
	y, err := c.relation(b)
	if err != nil {
		return err
	}
	for _, p := range []struct{ to, from *relation.Desc }{{x, y}, {y, x}} {
		if err := c.editClass(p.to.OID, func(r catalog.Row) { r.SetOID(bootstrap.ColClassRelfilenode, p.from.File.Number) }); err != nil {
			return err
		}
	}
	_, err = c.reread(x.Index.Table)
	return err
}
