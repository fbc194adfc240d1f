package recovery

import (
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/storage"
	"manifold/engine/txn"
)

// reset brings the relations that are not logged in order before anybody sees them: files of temporary ones go, and after a
// crash the unlogged ones begin anew with the pages of their init forks.
func (c *Cluster) reset(crashed bool) error {
	var temporary, unlogged []base.RelFile
	err := c.Store.Each(func(f storage.File) error {
		switch {
		case f.Temp != 0 && f.Fork == base.MainFork:
			temporary = append(temporary, f.RelFile)
		case f.Fork == base.InitFork && crashed:
			unlogged = append(unlogged, f.RelFile)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range temporary {
		if err := c.Store.Unlink(f); err != nil {
			return err
		}
	}
	task := activity.NewTask(0, nil)
	for _, f := range unlogged {
		if err := c.beginAnew(task, f); err != nil {
			return err
		}
	}
	return nil
}

// noteFiles takes the OID counter past the files that a crash left whose numbers the log has lost: one that is kept, because a
// prepared transaction may know it, must not be met by the next relation. A counter is never further ahead of the log than
// txn.OIDBatch, so files that an earlier turn of the counter has made do not move it.
func (c *Cluster) noteFiles(replay *txn.Replay) error {
	next := replay.NextOID()
	highest := next
	err := c.Store.Each(func(f storage.File) error {
		if f.Number >= highest && f.Number-next < 2*txn.OIDBatch {
			highest = f.Number + 1
		}
		return nil
	})
	replay.NoteCounters(0, highest)
	return err
}

// beginAnew empties the forks of an unlogged relation and copies its init fork to the main one.
func (c *Cluster) beginAnew(task *activity.Task, f base.RelFile) error {
	for fork := base.MainFork; fork < base.InitFork; fork++ {
		ok, err := c.Store.Exists(f, fork)
		if err != nil {
			return err
		}
		switch {
		case ok:
			err = c.Pool.Truncate(f, fork, 0)
		case fork == base.MainFork:
			err = c.Store.Create(f, fork, true)
		}
		if err != nil {
			return err
		}
	}
	n, err := c.Pool.Blocks(f, base.InitFork)
	if err != nil {
		return err
	}
	for b := range n {
		from, err := c.Pool.Pin(task, base.PageTag{File: f, Fork: base.InitFork, Block: b})
		if err != nil {
			return err
		}
		to, err := c.Pool.Extend(task, f, base.MainFork)
		if err != nil {
			from.Release()
			return err
		}
		from.RLock()
		copy(to.Page(), from.Page())
		from.RUnlockRelease()
		to.Page().SetLSN(0)
		to.MarkDirty()
		to.UnlockRelease()
	}
	return nil
}
