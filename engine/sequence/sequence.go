package sequence

import (
	"encoding/binary"
	"fmt"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/rmgr"
	"manifold/engine/txn"
	"manifold/engine/wal"
)

// logAhead is how many values a record covers beyond those fetched.
const logAhead = 32

const (
	offLast   = page.HeaderSize
	offAhead  = offLast + 8
	offCalled = offAhead + 8
	dataEnd   = offCalled + 8
)

const infoState uint8 = 1 // last value (8), is called (1); block 0 made anew

// Params are the definition of a sequence (pg_sequence).
type Params struct {
	Start, Increment, Min, Max int64
	Cache                      int64
	Cycle                      bool
}

// State is what SELECT from a sequence shows.
type State struct {
	Last   int64
	Ahead  int64 // log_cnt
	Called bool
}

// Sequences works on the sequences of a cluster.
type Sequences struct {
	txns *txn.Manager
	pool *buffer.Pool
	log  *wal.Log
}

// New makes it.
func New(txns *txn.Manager) *Sequences {
	return &Sequences{txns: txns, pool: txns.Pool(), log: txns.Log()}
}

var le = binary.LittleEndian

func get(p page.Page) State {
	return State{Last: int64(le.Uint64(p[offLast:])), Ahead: int64(le.Uint64(p[offAhead:])), Called: p[offCalled] != 0}
}

func put(p page.Page, s State) {
	le.PutUint64(p[offLast:], uint64(s.Last))
	le.PutUint64(p[offAhead:], uint64(s.Ahead))
	p[offCalled] = 0
	if s.Called {
		p[offCalled] = 1
	}
}

func initPage(p page.Page, s State) {
	p.Init(page.KindSequence, 0)
	p.SetLower(dataEnd)
	put(p, s)
}

func tag(d *relation.Desc) base.PageTag { return base.PageTag{File: d.File, Fork: base.MainFork} }

// Create makes the file of a sequence within a transaction; its first value will be start.
func (q *Sequences) Create(task *activity.Task, tx *txn.Tx, d *relation.Desc, start int64) error {
	if err := tx.CreateFork(task, d.File, base.MainFork, d.Logged()); err != nil {
		return err
	}
	if d.Persistence == relation.Unlogged {
		err := tx.CreateInit(task, d.File, 1, func(_ base.BlockNumber, p page.Page) { initPage(p, State{Last: start}) })
		if err != nil {
			return err
		}
	}
	buf, err := q.pool.Extend(task, d.File, base.MainFork)
	if err != nil {
		return err
	}
	defer buf.UnlockRelease()
	buf.MarkDirty()
	initPage(buf.Page(), State{Last: start})
	_, err = q.write(buf, d, State{Last: start})
	return err
}

func (q *Sequences) latch(task *activity.Task, d *relation.Desc) (buffer.Buffer, error) {
	buf, err := q.pool.Pin(task, tag(d))
	if err != nil {
		return buf, err
	}
	buf.Lock()
	if buf.Page().Kind() != page.KindSequence {
		buf.UnlockRelease()
		return buffer.Buffer{}, pgerror.Corrupt("bad magic number in sequence \"%s\": block 0 of relation %s", d.Name, d.File)
	}
	return buf, nil
}

// write makes s the state and logs it; the page is latched and dirty.
func (q *Sequences) write(buf buffer.Buffer, d *relation.Desc, s State) (base.LSN, error) {
	put(buf.Page(), s) // what redo makes of it; the caller goes on from there
	if !d.Logged() {
		return 0, nil
	}
	b := q.txns.Builder(buf.Task())
	defer q.txns.Done(b)
	b.Begin(rmgr.Sequence, infoState, base.InvalidXID)
	var data [9]byte
	le.PutUint64(data[:], uint64(s.Last))
	if s.Called {
		data[8] = 1
	}
	b.Data(data[:])
	b.Block(0, buf.Tag(), buf.Page(), wal.WillInit)
	lsn, err := q.log.Insert(b)
	if err == nil {
		buf.SetLSN(lsn)
	}
	return lsn, err
}

// Next fetches values: p.Cache of them at most, evenly spaced by the increment. It gives the first and the last; a session
// hands them out one by one. The answer depends on the log: that is noted on the task.
func (q *Sequences) Next(task *activity.Task, d *relation.Desc, p Params) (first, last int64, err error) {
	buf, err := q.latch(task, d)
	if err != nil {
		return 0, 0, err
	}
	defer buf.UnlockRelease()
	s := get(buf.Page())
	want := max(p.Cache, 1)
	if first, err = advance(s, p, d.Name); err != nil {
		return 0, 0, err
	}
	last, fetched := run(first, p, want)
	mustLog := s.Ahead < fetched || !s.Called || d.Logged() && buf.Page().LSN() <= q.log.RedoLSN()
	after := State{Last: last, Ahead: s.Ahead - fetched, Called: true}
	buf.MarkDirty()
	if mustLog {
		covered, n := run(last, p, logAhead+1)
		after.Ahead = n - 1
		if _, err := q.write(buf, d, State{Last: covered, Called: true}); err != nil {
			return 0, 0, err
		}
	}
	put(buf.Page(), after)
	task.NoteLogDep(buf.Page().LSN())
	return first, last, nil
}

// advance gives the value after the state.
func advance(s State, p Params, name string) (int64, error) {
	if !s.Called {
		return s.Last, nil
	}
	if v, ok := step(s.Last, p); ok {
		return v, nil
	}
	if p.Increment > 0 {
		if !p.Cycle {
			return 0, pgerror.Newf(pgerror.SequenceGeneratorLimitExceeded,
				"nextval: reached maximum value of sequence \"%s\" (%d)", name, p.Max)
		}
		return p.Min, nil
	}
	if !p.Cycle {
		return 0, pgerror.Newf(pgerror.SequenceGeneratorLimitExceeded,
			"nextval: reached minimum value of sequence \"%s\" (%d)", name, p.Min)
	}
	return p.Max, nil
}

// step adds the increment, unless that leaves the bounds.
func step(v int64, p Params) (int64, bool) {
	n := v + p.Increment
	if p.Increment > 0 {
		return n, n > v && n <= p.Max
	}
	return n, n < v && n >= p.Min
}

// run gives the last of at most n values from first on, within the bounds, and how many there are.
func run(first int64, p Params, n int64) (last, count int64) {
	last, count = first, 1
	for count < n {
		v, ok := step(last, p)
		if !ok {
			break
		}
		last = v
		count++
	}
	return last, count
}

// Set is setval: the next value is last when called is false, else the one after it.
func (q *Sequences) Set(task *activity.Task, d *relation.Desc, p Params, last int64, called bool) error {
	if last < p.Min || last > p.Max {
		return pgerror.Newf(pgerror.NumericValueOutOfRange, "setval: value %d is out of bounds for sequence \"%s\" (%d..%d)",
			last, d.Name, p.Min, p.Max)
	}
	buf, err := q.latch(task, d)
	if err != nil {
		return err
	}
	defer buf.UnlockRelease()
	buf.MarkDirty()
	s := State{Last: last, Called: called}
	if _, err = q.write(buf, d, s); err == nil {
		task.NoteLogDep(buf.Page().LSN())
	}
	return err
}

// Read gives the state.
func (q *Sequences) Read(task *activity.Task, d *relation.Desc) (State, error) {
	buf, err := q.latch(task, d)
	if err != nil {
		return State{}, err
	}
	defer buf.UnlockRelease()
	task.NoteLogDep(buf.Page().LSN())
	return get(buf.Page()), nil
}

// Manager gives the resource manager of sequence records.
func Manager() rmgr.Manager {
	return rmgr.Manager{ID: rmgr.Sequence, Name: "Sequence", Redo: redo, Describe: describe, Mask: page.Page.MaskHints}
}

func decode(r *wal.Record) (State, error) {
	if r.Info != infoState || len(r.Data) != 9 {
		return State{}, pgerror.Corrupt("sequence record at %s is malformed", r.Start)
	}
	return State{Last: int64(le.Uint64(r.Data)), Called: r.Data[8] != 0}, nil
}

func redo(c *rmgr.RedoContext, r *wal.Record) error {
	s, err := decode(r)
	if err != nil {
		return err
	}
	buf, action, err := c.ReadForRedo(r, 0)
	if err != nil || action == rmgr.NotFound {
		return err
	}
	if action != rmgr.NeedsRedo {
		buf.UnlockRelease()
		return nil
	}
	initPage(buf.Page(), s)
	c.Finish(buf, r)
	return nil
}

func describe(r *wal.Record) string {
	s, err := decode(r)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("LOG last %d called %v", s.Last, s.Called)
}
