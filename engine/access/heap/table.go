package heap

import (
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/tuple"
	"manifold/engine/txn"
	"manifold/engine/wal"
)

const (
	// MaxTuple is the largest row in bytes.
	MaxTuple = (page.Size - page.HeaderSize - page.LineSize) &^ 7
	// MaxLines is the most line pointers of a heap page.
	MaxLines = 256
)

// Store is what all heaps of a cluster share.
type Store struct {
	txns   *txn.Manager
	pool   *buffer.Pool
	log    *wal.Log
	rows   rowTable
	queues rowQueues
}

// New makes the store.
func New(txns *txn.Manager) *Store {
	s := &Store{txns: txns, pool: txns.Pool(), log: txns.Log()}
	s.rows.init(txns)
	s.queues.init()
	txns.RestoredRowLocks(func(x base.XID, l txn.RowLock) { s.rows.lockWhole(l.Relation, x, LockMode(l.Mode)) })
	return s
}

// LimitRowLocks sets how many locks of rows are kept in memory, about, before they escalate. Call it before the first one.
func (s *Store) LimitRowLocks(n int) { s.rows.limit = int32(n / rowShards) }

// Table is a heap as its sessions share it: immutable but for hints, safe for concurrent use. It lives as long as its
// descriptor.
type Table struct {
	Desc   *relation.Desc
	Layout *tuple.Layout

	s       *Store
	toast   Toaster // nil: a row must fit a page
	file    base.RelFile
	logged  bool
	reserve int    // bytes of a page kept free by inserts (fillfactor)
	indexed []bool // by attribute: an index depends on it
	keys    []bool // by attribute: a unique index depends on it, so that foreign keys may
	tracked bool   // SERIALIZABLE watches who reads and writes it: not a catalog, not temporary
	all     bool   // an index depends on an expression, hence perhaps on every attribute

	target  atomic.Uint32 // block+1 of a page that had room lately
	fsmPage atomic.Uint32 // where the last search of the free space map succeeded
}

// Open prepares a heap for use.
func (s *Store) Open(d *relation.Desc) *Table {
	t := &Table{
		Desc: d, Layout: tuple.NewLayout(d.Columns), s: s, file: d.File, logged: d.Logged(),
		indexed: make([]bool, len(d.Columns)), keys: make([]bool, len(d.Columns)),
	}
	t.tracked = d.OID >= base.FirstNormalOID && d.File.Temp == 0
	if d.Fillfactor > 0 && d.Fillfactor < 100 {
		t.reserve = page.Size * (100 - d.Fillfactor) / 100
	}
	for _, ix := range d.Indexes {
		if len(ix.Exprs) > 0 || ix.Predicate != "" {
			t.all = true
		}
		for _, k := range ix.Keys {
			if k.Attr > 0 {
				t.indexed[k.Attr-1] = true
				t.keys[k.Attr-1] = t.keys[k.Attr-1] || ix.Unique && ix.Immediate && ix.Predicate == ""
			}
		}
		for _, a := range ix.Included {
			if a > 0 {
				t.indexed[a-1] = true
			}
		}
	}
	return t
}

// Store gives what the table shares with all others.
func (t *Table) Store() *Store { return t.s }

// Blocks gives the size of the heap in pages.
func (t *Table) Blocks() (base.BlockNumber, error) { return t.s.pool.Blocks(t.file, base.MainFork) }

func (t *Table) tag(b base.BlockNumber) base.PageTag {
	return base.PageTag{File: t.file, Fork: base.MainFork, Block: b}
}

// Create makes the empty files of a heap within a transaction; they go when it rolls back. An unlogged one gets an empty
// init fork.
func Create(w *Writer, d *relation.Desc) error {
	if err := w.tx.CreateFork(w.task, d.File, base.MainFork, d.Logged()); err != nil || d.Persistence != relation.Unlogged {
		return err
	}
	return w.tx.CreateInit(w.task, d.File, 0, nil)
}

// Empty removes all rows of a temporary heap at once, for good. Nobody may be using it.
func (t *Table) Empty() error {
	t.target.Store(0)
	for _, fork := range []base.Fork{base.MainFork, base.FSMFork, base.VMFork} {
		if ok, err := t.s.pool.Storage().Exists(t.file, fork); err != nil {
			return err
		} else if !ok {
			continue
		}
		if err := t.s.pool.Truncate(t.file, fork, 0); err != nil {
			return err
		}
	}
	return nil
}

// hinted says that hints were set on a page.
func (t *Table) hinted(b buffer.Buffer) error {
	if !t.logged { // nor are images of its pages
		b.MarkDirty()
		return nil
	}
	return b.MarkDirtyHint()
}

// Outcome is what became of an attempt to change or lock a row.
type Outcome uint8

// The outcomes.
const (
	OK           Outcome = iota
	Invisible            // the version was never there for this command
	SelfModified         // this transaction changed it in this command or a later one (Cmax tells)
	Updated              // another transaction, committed, made a newer version: CTID
	Deleted              // another transaction, committed, deleted it
	WouldBlock           // a running transaction has it, and the caller does not wait
)

// Result says what happened to a row.
type Result struct {
	Outcome Outcome
	TID     base.TID       // OK of an insert or update: where the new version is
	HOT     bool           // OK of an update: no index entry is needed
	KeyLock bool           // OK of an update: a key column changed
	CTID    base.TID       // Updated: the next version
	Xmax    base.XID       // who ended the version, or holds it
	Cmax    base.CommandID // SelfModified: the command that did
}

// LockMode is the strength of a row lock.
type LockMode uint8

// The strengths, ascending.
const (
	ForKeyShare LockMode = iota
	ForShare
	ForNoKeyUpdate
	ForUpdate
)

// bit gives the mask bit of a strength.
func (m LockMode) bit() uint32 {
	return [...]uint32{tuple.LockKeyShare, tuple.LockShare, tuple.LockNoKey, tuple.LockUpdate}[m]
}

// modeOf gives the strength that a mask's lock bits say.
func modeOf(mask uint32) LockMode {
	switch {
	case mask&tuple.LockUpdate != 0:
		return ForUpdate
	case mask&tuple.LockNoKey != 0:
		return ForNoKeyUpdate
	case mask&tuple.LockShare != 0:
		return ForShare
	case mask&tuple.LockKeyShare != 0:
		return ForKeyShare
	}
	return ForUpdate
}

// conflicts tells whether two strengths exclude each other (manual, section 13.3.2).
func (m LockMode) conflicts(o LockMode) bool {
	switch m {
	case ForKeyShare:
		return o == ForUpdate
	case ForShare:
		return o >= ForNoKeyUpdate
	case ForNoKeyUpdate:
		return o >= ForShare
	}
	return true
}

// WaitPolicy says what to do about a row that a running transaction has.
type WaitPolicy uint8

// The policies.
const (
	Block  WaitPolicy = iota
	NoWait            // fail with 55P03
	Skip              // give WouldBlock
)

func (t *Table) errNotAvailable() error {
	return pgerror.Newf(pgerror.LockNotAvailable, "could not obtain lock on row in relation \"%s\"", t.Desc.Name)
}
