package activity

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"manifold/engine/base"
	"manifold/engine/invariant"
	"manifold/engine/pgerror"
)

// Slots is the right to run that a task gives up while it waits. Both methods are called by the task's goroutine.
type Slots interface {
	// Yield gives the slot back.
	Yield()
	// Resume takes a slot again, ahead of statements that have not begun; it returns only with a slot.
	Resume()
}

// Task is the running half of a session: what every layer below needs to know of the statement that calls it. A task
// without slots (an auxiliary process, a test) waits without giving anything up.
type Task struct {
	// SessionID is the number that pg_backend_pid shows; zero for a test.
	SessionID uint32

	slots     Slots
	pressed   *atomic.Bool // others wait for a slot that this task may hold; nil: there are no others
	patience  int64        // how long they wait for a task that goes on, in nanoseconds
	slice     int64        // since when they wait, as far as the task has noticed, in Unix nanoseconds; zero: not yet
	breaths   uint32       // calls of Breathe since it got its slot
	ran       int64        // since when it has had the processor, as far as it has noticed, likewise
	interrupt atomic.Pointer[pgerror.Error]
	fatal     atomic.Pointer[pgerror.Error] // why the session must end
	wake      func()
	signal    atomic.Pointer[chan struct{}] // nil until the task has waited
	event     atomic.Uint32
	since     atomic.Int64

	// Buffers counts what the statement did to shared buffers; only the task's goroutine touches it.
	Buffers BufferCounts

	tuning *LogTuning
	crowd  int
	dep    base.LSN
	logDep base.LSN
	held   int
}

// BufferCounts are pages found, read, made dirty and written, as EXPLAIN (BUFFERS) shows them.
type BufferCounts struct{ Hit, Read, Dirtied, Written int64 }

// NewTask makes a task; slots may be nil.
func NewTask(sessionID uint32, slots Slots) *Task {
	return &Task{SessionID: sessionID, slots: slots}
}

// SetSlots joins the task to the pool whose slot it holds.
func (t *Task) SetSlots(s Slots) { t.slots = s }

// SetPressure gives what tells that statements which have not begun wait for a slot, and for how long a statement keeps its slot
// all the same, for Breathe.
func (t *Task) SetPressure(pressed *atomic.Bool, patience time.Duration) {
	t.pressed, t.patience = pressed, int64(patience)
}

// Every lookAt calls Breathe looks whether the task has had the processor for longer than share.
const (
	lookAt = 4
	share  = 800 * time.Microsecond
)

// BeginSlice says that the task has just got its slot.
func (t *Task) BeginSlice() { t.slice, t.breaths, t.ran = 0, 0, 0 }

// Breathe is Interrupted at a place without pins, latches and mutexes, as between two batches of rows: a statement that has
// had its slot for long there lets one go first that has not begun, and one that has computed for a while lets others have the
// processor, since the scheduler of Go would take it away after 10 ms only.
func (t *Task) Breathe() error {
	t.breaths++
	pressed := t.pressed != nil && t.pressed.Load()
	if (pressed || t.breaths%lookAt == 0) && t.held == 0 {
		now := time.Now().UnixNano()
		if pressed {
			t.makeRoom(now)
		}
		if t.had(now) {
			t.giveWay()
		}
	}
	return t.Interrupted()
}

// giveWay lets other goroutines have the thread's place in the runtime, and other threads the processor: there are more threads than
// processors, and one that computes would otherwise keep those that answer waiting for the kernel's whole slice, some 3 ms. Work
// behind the clients' backs does not wait for other threads: what it looks at keeps old row versions from being removed.
func (t *Task) giveWay() {
	runtime.Gosched()
	if t.slots != nil {
		// Cannot fail. It is no matter for the runtime's scheduler: like being preempted, it takes nothing but time.
		_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// had tells whether the task has had its share of the processor; then the next begins when it is asked again.
func (t *Task) had(now int64) bool {
	switch {
	case t.ran == 0:
		t.ran = now
	case now-t.ran > int64(share):
		t.ran = 0
		return true
	}
	return false
}

func (t *Task) makeRoom(now int64) {
	switch {
	case t.slice == 0:
		t.slice = now
	case now-t.slice > t.patience:
		t.begin(EventSlot)
		t.end()
		t.slice = 0
	}
}

// SetWake gives what Terminate calls to end a wait of the task's goroutine that is not in Wait, as for a client's next
// message. It is set before the task is known to others, and called from any goroutine.
func (t *Task) SetWake(wake func()) { t.wake = wake }

// Cancel asks the running statement to end with err. It may be called from any goroutine; the first reason stays.
func (t *Task) Cancel(err *pgerror.Error) {
	t.interrupt.CompareAndSwap(nil, err)
	t.poke()
}

// Terminate asks the session to end with err (57P01 and the like). It outlives ClearCancel.
func (t *Task) Terminate(err *pgerror.Error) {
	t.fatal.CompareAndSwap(nil, err)
	t.interrupt.Store(err)
	t.poke()
	if t.wake != nil {
		t.wake()
	}
}

func (t *Task) poke() {
	ch := t.signal.Load()
	if ch == nil {
		return // a wait to come looks at the interrupt after it has made one
	}
	select {
	case *ch <- struct{}{}:
	default:
	}
}

// signals gives what poke sends to.
func (t *Task) signals() <-chan struct{} {
	if ch := t.signal.Load(); ch != nil {
		return *ch
	}
	ch := make(chan struct{}, 1)
	t.signal.Store(&ch)
	return ch
}

// ClearCancel forgets a cancellation that came too late, before the next statement begins.
func (t *Task) ClearCancel() {
	if t.interrupt.Load() == nil || t.fatal.Load() != nil {
		return
	}
	t.interrupt.Store(nil)
	if e := t.fatal.Load(); e != nil { // came in between
		t.interrupt.Store(e)
	}
}

// Interrupted gives the reason to stop, or nil. It is one atomic load: poll it once a batch.
func (t *Task) Interrupted() error {
	if e := t.interrupt.Load(); e != nil {
		return e
	}
	return nil
}

// Terminated tells whether the session must end.
func (t *Task) Terminated() bool { return t.fatal.Load() != nil }

// TerminalReason gives what Terminate was called with first, nil when it was not.
func (t *Task) TerminalReason() *pgerror.Error { return t.fatal.Load() }

// Hold counts a pin or latch that forbids waiting; Unhold uncounts it. Both cost nothing but an addition.
func (t *Task) Hold()   { t.held++ }
func (t *Task) Unhold() { t.held-- }

// Held gives the number of pins and latches held, for assertions and for the resource owner.
func (t *Task) Held() int { return t.held }

// NoteDep records that the answer of the statement depends on the log up to lsn (DESIGN: late answers).
func (t *Task) NoteDep(lsn base.LSN) {
	if lsn > t.dep {
		t.dep = lsn
	}
}

// TakeDep gives the position noted since the last TakeDep and forgets it.
func (t *Task) TakeDep() base.LSN {
	d := t.dep
	t.dep = 0
	return d
}

// NoteCrowd records that what the task has just committed was in the way of others, and how many are waiting for locks: they
// keep the server busy while the answer waits.
func (t *Task) NoteCrowd(n int) { t.crowd = n }

// TakeCrowd gives the number noted since the last TakeCrowd and forgets it.
func (t *Task) TakeCrowd() int {
	n := t.crowd
	t.crowd = 0
	return n
}

// Dep gives the position noted since the last TakeDep.
func (t *Task) Dep() base.LSN { return t.dep }

// NoteLogDep records that the answer depends on the log up to lsn whatever the commit levels are: a sequence's record.
func (t *Task) NoteLogDep(lsn base.LSN) {
	if lsn > t.logDep {
		t.logDep = lsn
	}
}

// TakeLogDep gives the position noted by NoteLogDep since the last TakeLogDep and forgets it.
func (t *Task) TakeLogDep() base.LSN {
	d := t.logDep
	t.logDep = 0
	return d
}

// LogDep gives the position noted by NoteLogDep since the last TakeLogDep.
func (t *Task) LogDep() base.LSN { return t.logDep }

// Waiting gives what the task waits for and since when; EventNone when it runs.
func (t *Task) Waiting() (Event, time.Time) {
	e := Event(t.event.Load())
	if e == EventNone {
		return EventNone, time.Time{}
	}
	return e, time.Unix(0, t.since.Load())
}

// ErrTimeout is what Wait returns when its timeout passed first. It never reaches a client as it is.
var ErrTimeout = pgerror.New(pgerror.InternalError, "wait timed out")

// Wait blocks until ready delivers or is closed, the task is interrupted (its error is returned), or timeout passed
// (ErrTimeout; zero is no timeout). The slot is given up meanwhile.
func (t *Task) Wait(event Event, ready <-chan struct{}, timeout time.Duration) error {
	invariant.Assert(t.held == 0, "wait for %s with %d pins or latches held", event.Name(), t.held)
	select {
	case <-ready:
		return nil
	default:
	}
	t.begin(event)
	defer t.end()
	var timer <-chan time.Time
	if timeout > 0 {
		tm := time.NewTimer(timeout)
		defer tm.Stop()
		timer = tm.C
	}
	signal := t.signals()
	for {
		if err := t.Interrupted(); err != nil {
			return err
		}
		select {
		case <-ready:
			return nil
		case <-signal:
		case <-timer:
			return ErrTimeout
		}
	}
}

// WaitUninterruptible blocks until ready delivers or is closed, whatever happens to the task. It serves waits that must
// not be cut short, such as the flush of a commit that cannot be undone any more.
func (t *Task) WaitUninterruptible(event Event, ready <-chan struct{}) {
	invariant.Assert(t.held == 0, "wait for %s with %d pins or latches held", event.Name(), t.held)
	select {
	case <-ready:
		return
	default:
	}
	t.begin(event)
	defer t.end()
	<-ready
}

// Mark sets the wait event without waiting, for a loop that blocks by its own means; Mark(EventNone) ends it.
func (t *Task) Mark(event Event) {
	if event != EventNone {
		t.since.Store(time.Now().UnixNano())
	}
	t.event.Store(uint32(event))
}

// BeginWait gives the slot up for a blocking call of the task's own, such as the flush that it leads for others; EndWait
// takes it back. Between them the task may do nothing else.
func (t *Task) BeginWait(event Event) {
	invariant.Assert(t.held == 0, "wait for %s with %d pins or latches held", event.Name(), t.held)
	t.begin(event)
}

// EndWait ends what BeginWait began.
func (t *Task) EndWait() { t.end() }

func (t *Task) begin(event Event) {
	t.Mark(event)
	if t.slots != nil {
		t.slots.Yield()
	}
}

func (t *Task) end() {
	if t.slots != nil {
		t.event.Store(uint32(EventSlot))
		t.slots.Resume()
	}
	t.event.Store(uint32(EventNone))
}
