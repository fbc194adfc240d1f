package heap

import (
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/base"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/tuple"
)

// overtaking is how long running statements may take a row before those that queue for it (DESIGN, section 4, rule 6).
const overtaking = 10 * time.Millisecond

// rowQueue is the line of those who wait for a row, whatever version of it they met: it moves with the row as that is
// updated, so that a commit wakes the first of the line and nobody else. Its order is that of the lock on tag, which the
// first of the line, the heir, holds while it waits for the transaction that has the row.
type rowQueue struct {
	tag     lock.Tag
	shard   *queueShard
	keys    []rowKey  // the versions at which it is found: the oldest that others can meet, and the newest
	members int       // writers that refer to it
	mode    LockMode  // that the heir asks for
	passed  time.Time // since when the heir is overtaken, zero when it is not
}

// rowQueues finds the queue of a row. All versions of a row are in one shard.
type rowQueues struct{ shards [rowShards]queueShard }

type queueShard struct {
	n  atomic.Int32 // entries of m; read without the mutex
	mu sync.Mutex   // guards m and the queues in it
	m  map[rowKey]*rowQueue
	_  [32]byte
}

func (rq *rowQueues) init() {
	for i := range rq.shards {
		rq.shards[i].m = map[rowKey]*rowQueue{}
	}
}

func (rq *rowQueues) shard(f base.RelFile) *queueShard {
	return &rq.shards[uint64(f.Number)*0x9E3779B97F4A7C15>>58]
}

// waitFor waits for a holder of the row, in the queue behind those who came before; without a holder only for its turn.
// The writer stays in the queue until LeaveQueue. what names the action for the context of an error.
func (w *Writer) waitFor(tid base.TID, holder base.XID, mode LockMode, what string) error {
	var err error
	if !w.member || holder == 0 { // who holds the row does not stand behind those who wait for it to let go
		err = w.enqueue(tid, mode)
	}
	if err == nil && holder != 0 {
		err = w.t.s.txns.WaitFor(w.task, w.tx.Proc(), holder, w.wait)
	}
	if err == nil {
		return nil
	}
	w.leave(0)
	e := *pgerror.From(err) // what interrupts a task is shared
	return e.WithWhere("while %s tuple (%d,%d) in relation \"%s\"", what, tid.Block, tid.Offset, w.t.Desc.Name)
}

// enqueue takes a place in the queue of the row and returns at the head of it.
func (w *Writer) enqueue(tid base.TID, mode LockMode) error {
	k := rowKey{w.t.file, tid}
	s := w.t.s.queues.shard(w.t.file)
	s.mu.Lock()
	q := s.m[k]
	if w.queue != nil && (q == nil || q == w.queue) {
		if q == nil {
			w.queue.foundAtLocked(k)
		}
		w.queue.newerAtLocked(rowKey{w.t.file, w.newer})
		s.mu.Unlock()
		return nil
	}
	if q == nil {
		q = &rowQueue{tag: lock.Tuple(w.t.file.Database, w.t.Desc.OID, tid), shard: s, mode: mode}
		q.foundAtLocked(k)
	}
	q.newerAtLocked(rowKey{w.t.file, w.newer})
	q.members++
	s.mu.Unlock()
	w.leave(0)
	w.queue, w.queueMode, w.heir = q, mode, false
	_, err := w.t.s.txns.Locks().Acquire(w.task, w.tx.Proc().Owner(), lock.Request{
		Tag: q.tag, Mode: queueMode(mode), Timeout: w.wait.Timeout, DeadlockTimeout: w.wait.DeadlockTimeout})
	if err != nil {
		return err
	}
	w.heir = true
	s.mu.Lock()
	q.mode = mode
	s.mu.Unlock()
	return nil
}

func queueMode(m LockMode) lock.Mode {
	return [...]lock.Mode{lock.AccessShare, lock.RowShare, lock.Exclusive, lock.AccessExclusive}[m]
}

// LeaveQueue gives the place in a queue up, when a change that had to wait is not tried again.
func (w *Writer) LeaveQueue() { w.leave(0) }

// taken gives who has the row after a change: xid, or nobody new.
func taken(xid base.XID, err error) base.XID {
	if err != nil {
		return 0
	}
	return xid
}

// leave leaves the queue. When xid, an id of the writer's, has taken the row, the next heir sleeps on until that has ended.
func (w *Writer) leave(xid base.XID) {
	q := w.queue
	if q == nil {
		return
	}
	w.queue = nil
	if w.heir {
		w.pass(q, xid)
	}
	s := q.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if xid != 0 {
		q.passed = time.Time{}
	}
	if q.members--; q.members == 0 {
		for _, k := range q.keys {
			delete(s.m, k)
		}
		s.n.Store(int32(len(s.m)))
	}
}

// pass makes the next in line the heir.
func (w *Writer) pass(q *rowQueue, xid base.XID) {
	locks, owner, mode := w.t.s.txns.Locks(), w.tx.Proc().Owner(), queueMode(w.queueMode)
	if xid == 0 {
		locks.Release(owner, q.tag, mode, false)
		return
	}
	locks.Pass(owner, q.tag, mode, lock.Transaction(xid))
}

// foundAtLocked lets others find the queue at a version, where no queue is yet. The shard is locked.
func (q *rowQueue) foundAtLocked(k rowKey) {
	q.shard.m[k] = q
	q.keys = append(q.keys, k)
	q.shard.n.Store(int32(len(q.shard.m)))
}

// newerAtLocked is foundAtLocked for the version that will be the row's if its maker commits.
func (q *rowQueue) newerAtLocked(k rowKey) {
	if q.shard.m[k] == nil {
		q.foundAtLocked(k)
	}
}

// rowMoved tells the queue of a row that a new version stands at to. base says that others can meet the old version: it is
// not one that the running transaction made.
func (w *Writer) rowMoved(from, to rowKey, base bool) {
	s := w.t.s.queues.shard(w.t.file)
	if s.n.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.m[from]
	if q == nil || s.m[to] != nil {
		return
	}
	first := q.keys[0]
	if base {
		first = from
	}
	for _, k := range q.keys {
		delete(s.m, k)
	}
	q.keys = q.keys[:0]
	q.foundAtLocked(first)
	q.foundAtLocked(to)
}

// mustQueue tells whether a row that is free must be left to its heir, which has been overtaken for long enough.
func (w *Writer) mustQueue(t tuple.Tuple, tid base.TID, mode LockMode) bool {
	s := w.t.s.queues.shard(w.t.file)
	if s.n.Load() == 0 || w.queue != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := rowKey{w.t.file, tid}
	q := s.m[k]
	if q == nil || !mode.conflicts(q.mode) {
		return false
	}
	if t.Mask()&tuple.XminCommitted == 0 && w.running(t.Xmin()) {
		return false // a version of the writer's own
	}
	if x := t.Xmax(); x != 0 && t.Mask()&(tuple.XmaxInvalid|tuple.XmaxCommitted) == 0 && w.running(x) {
		return false // shared, or the writer's own
	}
	if w.t.s.rows.held(k) || w.holds(t, tid) { // the writer may hold all rows of the table
		return false
	}
	now := time.Now()
	if q.passed.IsZero() {
		q.passed = now
	}
	return now.Sub(q.passed) > overtaking
}

func (w *Writer) running(xid base.XID) bool {
	st, _ := w.t.s.txns.Status(xid)
	return st == mvcc.InProgress
}
