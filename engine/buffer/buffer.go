package buffer

import (
	"runtime"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/page"
)

// Buffer is a pinned page: a small value, to be released exactly once by the task that pinned it. The zero Buffer is
// none. task may be nil everywhere.
type Buffer struct {
	pool  *Pool
	task  *activity.Task
	frame int32
}

func (b Buffer) f() *frame { return &b.pool.frames[b.frame] }

// Valid tells whether the Buffer is one.
func (b Buffer) Valid() bool { return b.pool != nil }

// Page gives the bytes, valid while pinned; read them under a latch.
func (b Buffer) Page() page.Page { return b.pool.page(b.frame) }

// Task gives the task that pinned the page; nil for none.
func (b Buffer) Task() *activity.Task { return b.task }

// Tag gives the page's name.
func (b Buffer) Tag() base.PageTag { return b.f().key().tag() }

// Lock latches the content exclusively. Latches are short: no wait and no other page's I/O under them.
func (b Buffer) Lock() { b.f().latch.Lock() }

// TryLock latches exclusively if that needs no waiting.
func (b Buffer) TryLock() bool { return b.f().latch.TryLock() }

// Unlock ends Lock.
func (b Buffer) Unlock() { b.f().latch.Unlock() }

// RLock latches the content shared. It must not be taken twice by one task.
func (b Buffer) RLock() { b.f().latch.RLock() }

// TryRLock latches shared if that needs no waiting.
func (b Buffer) TryRLock() bool { return b.f().latch.TryRLock() }

// RUnlock ends RLock.
func (b Buffer) RUnlock() { b.f().latch.RUnlock() }

// TryLockForCleanup latches exclusively if nobody else has the page pinned or latched.
func (b Buffer) TryLockForCleanup() bool {
	f := b.f()
	if !f.latch.TryLock() {
		return false
	}
	if f.state.Load()&pinMask == 1 {
		return true
	}
	f.latch.Unlock()
	return false
}

// LockForCleanup latches exclusively once nobody else has the page pinned. Pins are short, so it yields until then; an
// interrupt of the task ends it with its error.
func (b Buffer) LockForCleanup() error {
	for {
		f := b.f()
		f.latch.Lock()
		if f.state.Load()&pinMask == 1 {
			return nil
		}
		f.latch.Unlock()
		if b.task != nil {
			if err := b.task.Interrupted(); err != nil {
				return err
			}
		}
		runtime.Gosched()
	}
}

// MarkDirty says that the page is changed under the exclusive latch: call it before the record is inserted, so that a
// checkpoint that takes its redo pointer after the record cannot miss the page.
func (b Buffer) MarkDirty() {
	if b.f().set(flagDirty)&flagDirty == 0 && b.task != nil {
		b.task.Buffers.Dirtied++
	}
}

// SetLSN records the log position of the change (exclusive latch).
func (b Buffer) SetLSN(lsn base.LSN) { b.Page().SetLSN(lsn) }

// MarkDirtyHint says that hint bits were set (by atomic OR, under any latch). It may log an image first and may decide
// to leave the page clean; it never waits for a write of the page. The image comes before anybody can write the page,
// since writers need the frame's I/O mutex; the flag comes before the image, so that a checkpoint that starts between
// them sees the page.
func (b Buffer) MarkDirtyHint() error {
	f := b.f()
	if f.state.Load()&flagDirty != 0 {
		return nil
	}
	tag := f.key().tag()
	if tag.File.Temp != 0 || tag.Fork == base.FSMFork {
		b.MarkDirty()
		return nil
	}
	log := b.pool.log.Load()
	if log == nil || !f.io.TryLock() {
		return nil // the hint lives in memory only
	}
	defer f.io.Unlock()
	was := f.set(flagDirty)
	if was&flagDirty != 0 {
		return nil
	}
	lsn, err := (*log).LogImage(b.task.LogTuning(), tag, b.Page())
	if err != nil {
		f.drop(flagDirty) // nobody else can have changed the page: they would need the exclusive latch
		return err
	}
	if lsn != 0 {
		b.Page().RaiseLSN(lsn)
	}
	if b.task != nil {
		b.task.Buffers.Dirtied++
	}
	return nil
}

// Release unpins.
func (b Buffer) Release() {
	if invariant.Enabled {
		invariant.Assert(b.f().state.Load()&pinMask != 0, "release of a page that is not pinned: %s", b.Tag())
	}
	b.f().unpin()
	if b.task != nil {
		b.task.Unhold()
	}
}

// UnlockRelease is Unlock and Release.
func (b Buffer) UnlockRelease() {
	b.Unlock()
	b.Release()
}

// RUnlockRelease is RUnlock and Release.
func (b Buffer) RUnlockRelease() {
	b.RUnlock()
	b.Release()
}

// Repin pins the same page once more.
func (b Buffer) Repin() Buffer {
	b.f().state.Add(pinOne)
	if b.task != nil {
		b.task.Hold()
	}
	return b
}
