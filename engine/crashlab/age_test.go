package crashlab

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/clog"
	"manifold/engine/control"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// TestCutCommitLog lets clusters get a million transactions older at each clean stop and vacuums what is too old, as autovacuum
// does, while the power may go: the commit log gets shorter, and no row comes or goes by that.
func TestCutCommitLog(t *testing.T) {
	fs, err := image()
	if err != nil {
		t.Fatal(err)
	}
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	cuts := 0
	first := uint64(number("MANIFOLD_CRASH_SEED", 5)) // 5 and 6 cut it
	for seed := first; seed < first+seeds; seed++ {
		b := newLab(seed, fs.Clone())
		b.ages = true
		if err := b.run(); err != nil {
			t.Errorf("%v\nlast statements:\n  %s", err, strings.Join(b.story, "\n  "))
		}
		names, err := b.fs.ReadDir(clog.Dir)
		if err != nil {
			t.Fatal(err)
		}
		least := ""
		for _, name := range names {
			if least == "" || name < least {
				least = name
			}
		}
		if least != fmt.Sprintf("%012X", 0) {
			cuts++
		}
	}
	if cuts == 0 {
		t.Error("the commit log was never cut")
	}
}

// grow makes a stopped cluster a million transactions older.
func grow(fs vfs.FS) error {
	s, _, err := control.Open(fs)
	if err != nil {
		return err
	}
	err = s.Update(func(f *control.File) { f.Checkpoint.NextXID += 1 << 20 })
	return errors.Join(err, s.Close())
}

// settle vacuums every table that is old, in all databases, and makes a checkpoint.
func (b *lab) settle() error {
	task := activity.NewTask(0, nil)
	list, err := b.e.TableActivity(task, 100_000)
	if b.harmless(err) {
		list, err = b.e.TableActivity(task, 100_000)
	}
	for _, a := range list {
		if err == nil && a.Age > 0 {
			if err = b.e.Maintain(task, a.Database, a.Relation, true, false); b.harmless(err) {
				err = nil
			}
		}
	}
	if err == nil {
		if _, err = b.e.Checkpoint(false, nil); b.harmless(err) {
			err = nil
		}
	}
	b.tell("-- %d tables vacuumed for their age: %v", len(list), err)
	if err != nil && !b.stopped() {
		return err
	}
	return nil
}

// harmless tells whether an error is that of the fault that was injected, once.
func (b *lab) harmless(err error) bool {
	code := pgerror.Code(err)
	if err != nil && code == b.spoilt {
		b.spoilt = ""
		return true
	}
	return err != nil && code == pgerror.LockNotAvailable
}
