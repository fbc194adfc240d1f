package wal

import (
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// flusher is who makes the log durable: the first to need it leads, all others wait for what the leader covers.
type flusher struct {
	mu      sync.Mutex // guards leading and waiters
	leading bool
	waiters []waiter

	// The leader's own.
	file     vfs.File
	seg      uint64
	unsynced bool // bytes were written to the file since its last fsync

	segMu sync.Mutex // making a segment and recycling one into its place exclude each other; held over their I/O

	full, writes, syncs atomic.Int64 // see Counts

	err    atomic.Pointer[pgerror.Error]
	failed chan struct{}
	pool   sync.Pool // of chan struct{}
}

type waiter struct {
	lsn   base.LSN
	need  need
	ch    chan<- struct{}
	leads bool // may take over as the leader
}

// need is what a waiter waits for.
type need uint8

const (
	durable need = iota
	inFile       // written, so that the ring has room: not necessarily synced
)

func (l *Log) reached(n need) base.LSN {
	if n == inFile {
		return base.LSN(l.written.Load())
	}
	return l.FlushedLSN()
}

// Flush makes the log durable up to lsn, blocking the calling goroutine (pins and latches may be held).
func (l *Log) Flush(lsn base.LSN) error { return l.await(nil, lsn, durable) }

// WaitFlushed is Flush for a statement: it gives up the slot while it waits or flushes. Interrupts do not end it.
func (l *Log) WaitFlushed(task *activity.Task, lsn base.LSN) error {
	return l.await(task, lsn, durable)
}

func (l *Log) await(task *activity.Task, lsn base.LSN, what need) error {
	f := &l.flush
	if lsn > l.InsertLSN() {
		return pgerror.Newf(pgerror.InternalError, "xlog flush request %s is not satisfied --- flushed only to %s", lsn, l.InsertLSN())
	}
	for l.reached(what) < lsn {
		f.mu.Lock()
		if err := l.Err(); err != nil {
			f.mu.Unlock()
			return err
		}
		if l.reached(what) >= lsn {
			f.mu.Unlock()
			break
		}
		if !f.leading {
			f.leading = true
			f.mu.Unlock()
			l.lead(task, what)
			continue
		}
		ch, _ := f.pool.Get().(chan struct{})
		if ch == nil {
			ch = make(chan struct{}, 1)
		}
		f.waiters = append(f.waiters, waiter{lsn, what, ch, true})
		f.mu.Unlock()
		if task != nil {
			task.WaitUninterruptible(activity.EventWALSync, ch)
		} else {
			<-ch
		}
		f.pool.Put(ch)
	}
	return nil
}

// lead writes all that has been inserted, syncs it unless only room in the ring is needed, then wakes whom that satisfies
// and hands the lead to one of the others.
func (l *Log) lead(task *activity.Task, what need) {
	if task != nil && !l.o.NoSync {
		task.BeginWait(activity.EventWALSync)
		defer task.EndWait()
	}
	err := l.Err()
	if err == nil {
		if task != nil && what == durable {
			runtime.Gosched() // whoever is about to commit joins
			l.gather(task)
		}
		target := l.InsertLSN()
		l.completeTo(target)
		if err = l.write(target); err == nil && what == durable {
			l.wakeWritten()
			if err = l.syncFile(); err == nil {
				l.flushed.Store(uint64(target))
			}
		}
	}
	f := &l.flush
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leading = false
	if err != nil {
		l.Poison(err)
	}
	l.wakeLocked(err != nil, false)
}

// Poison makes the log take nothing more: the server stops, and its next start redoes what the files may have lost.
func (l *Log) Poison(err error) {
	if l.flush.err.CompareAndSwap(nil, pgerror.From(err)) {
		close(l.flush.failed)
	}
}

// wakeWritten wakes those who need room in the ring only, while the leader goes on to sync.
func (l *Log) wakeWritten() {
	l.flush.mu.Lock()
	defer l.flush.mu.Unlock()
	l.wakeLocked(false, true)
}

// wakeLocked wakes those who have what they need, and one more who takes the lead unless somebody keeps it.
func (l *Log) wakeLocked(all, kept bool) {
	f := &l.flush
	handed := kept
	rest := f.waiters[:0]
	for _, w := range f.waiters {
		wake := all || w.lsn <= l.reached(w.need)
		if !wake && w.leads && !handed {
			wake, handed = true, true
		}
		if !wake {
			rest = append(rest, w)
			continue
		}
		select {
		case w.ch <- struct{}{}:
		default:
		}
	}
	clear(f.waiters[len(rest):])
	f.waiters = rest
}

// Notify sends to ch (without blocking) once the log is durable up to lsn or has failed. It flushes nothing itself. It
// tells false, without sending, when that is so already.
func (l *Log) Notify(lsn base.LSN, ch chan<- struct{}) bool {
	f := &l.flush
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.FlushedLSN() >= lsn || f.err.Load() != nil {
		return false
	}
	f.waiters = append(f.waiters, waiter{lsn, durable, ch, false})
	return true
}

// Failed is closed when the log is poisoned by a failed write or fsync; Err then gives the reason (53100, 58030 ...).
func (l *Log) Failed() <-chan struct{} { return l.flush.failed }

// Err gives the reason why the log takes nothing more, or nil.
func (l *Log) Err() error {
	if e := l.flush.err.Load(); e != nil {
		return e
	}
	return nil
}

// completeTo advances the tail over completed insertions; with a target it waits until they reach it. Copies are short
// and block on nothing, so waiting is yielding.
func (l *Log) completeTo(target base.LSN) {
	for {
		l.doneMu.Lock()
		t := l.tail.Load()
		for s := &l.slots[t%insertSlots]; s.done.Load() == t+1; s = &l.slots[t%insertSlots] {
			l.complete = s.end
			t++
			l.tail.Store(t)
		}
		done := l.complete >= target
		l.doneMu.Unlock()
		if done {
			return
		}
		runtime.Gosched()
	}
}

// write brings the ring's bytes below target into the files; of the last one syncFile makes them durable. Only the leader
// calls it.
func (l *Log) write(target base.LSN) error {
	pos := base.LSN(l.written.Load())
	for pos < target {
		if err := l.openFor(pos); err != nil {
			return err
		}
		at := int(uint64(pos) & uint64(len(l.buf)-1))
		n := min(int64(target-pos), l.left(pos), int64(len(l.buf)-at))
		if _, err := l.flush.file.WriteAt(l.buf[at:at+int(n)], l.offset(pos)); err != nil {
			return pgerror.IO(err, "could not write to log file \"%s\" at offset %d, length %d", l.name(l.flush.seg), l.offset(pos), n)
		}
		l.flush.writes.Add(1)
		pos += base.LSN(n)
		l.flush.unsynced = true
		l.written.Store(uint64(pos))
		if l.offset(pos) == 0 {
			if err := l.finishSegment(); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncFile makes what was written to the current segment durable.
func (l *Log) syncFile() error {
	if !l.flush.unsynced {
		return nil
	}
	l.flush.unsynced = false
	if l.o.NoSync {
		return nil
	}
	l.flush.syncs.Add(1)
	if err := l.flush.file.Sync(); err != nil {
		return pgerror.IO(err, "could not fsync file \"%s\"", l.path(l.flush.seg))
	}
	return nil
}

// finishSegment syncs and closes the current segment.
func (l *Log) finishSegment() error {
	if err := l.syncFile(); err != nil {
		return err
	}
	err := l.flush.file.Close()
	l.flush.file = nil
	if err != nil {
		return pgerror.IO(err, "could not close file \"%s\"", l.path(l.flush.seg))
	}
	return nil
}

// openFor opens the segment of a position, making it when nobody left one ready.
func (l *Log) openFor(pos base.LSN) error {
	f := &l.flush
	seg := l.segment(pos)
	if f.file != nil && f.seg == seg {
		return nil
	}
	f.segMu.Lock()
	defer f.segMu.Unlock()
	file, err := l.fs.Open(l.path(seg), 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err := l.create(l.fs, seg, !l.o.NoSync); err != nil {
			return err
		}
		file, err = l.fs.Open(l.path(seg), 0)
	}
	if err != nil {
		return pgerror.IO(err, "could not open file \"%s\"", l.path(seg))
	}
	f.file, f.seg = file, seg
	return nil
}

// Preallocate makes the n segments after the one being written, so that no flush has to: for the WAL writer.
func (l *Log) Preallocate(n int) error {
	for i := 1; i <= n; i++ {
		if err := l.Err(); err != nil {
			return err
		}
		if err := l.preallocate(l.segment(l.InsertLSN()) + uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) preallocate(seg uint64) error {
	l.flush.segMu.Lock()
	defer l.flush.segMu.Unlock()
	if ok, err := vfs.Exists(l.fs, l.path(seg)); err != nil || ok {
		if err != nil {
			return pgerror.IO(err, "could not stat file \"%s\"", l.path(seg))
		}
		return nil
	}
	return l.create(l.fs, seg, !l.o.NoSync)
}

// Recycle gives segments that end at or before keep back: some are renamed for future use, up to spare of them beyond
// the one being written, the rest removed.
func (l *Log) Recycle(keep base.LSN, spare int) error {
	names, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return pgerror.IO(err, "could not read directory \"%s\"", l.dir)
	}
	first := l.segment(keep)
	next := l.segment(l.InsertLSN()) + 1
	limit := next + uint64(max(spare, 0))
	l.flush.segMu.Lock()
	defer l.flush.segMu.Unlock()
	var old []string
	for _, n := range names {
		if seg, ok := l.parse(n); ok && seg < first {
			old = append(old, l.dir+"/"+n)
		}
	}
	if len(old) == 0 {
		return nil
	}
	// The names are durable before anybody writes to the files, also of those that were renamed before another failed.
	err = l.reuse(old, next, limit)
	e := l.syncDir(l.fs, !l.o.NoSync)
	if e != nil {
		l.Poison(e)
	}
	return errors.Join(err, e)
}

// reuse renames old segments to the next ones that do not exist, up to limit, and removes the others.
func (l *Log) reuse(old []string, next, limit uint64) error {
	for _, n := range old {
		for ; next < limit; next++ {
			if ok, err := vfs.Exists(l.fs, l.path(next)); err != nil || !ok {
				break
			}
		}
		if next < limit {
			if err := l.fs.Rename(n, l.path(next)); err != nil {
				return pgerror.IO(err, "could not rename file \"%s\" to \"%s\"", n, l.path(next))
			}
			next++
			continue
		}
		if err := l.fs.Remove(n); err != nil {
			return pgerror.IO(err, "could not remove file \"%s\"", n)
		}
	}
	return nil
}

// Close flushes everything and closes the files. Nobody may use the log any more.
func (l *Log) Close() error {
	err := l.Flush(l.InsertLSN())
	if l.flush.file != nil {
		_ = l.flush.file.Close() // synced before
		l.flush.file = nil
	}
	return err
}
