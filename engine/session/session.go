package session

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/mvcc"
	"manifold/engine/notify"
	"manifold/engine/pgerror"
	"manifold/engine/trigger"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// TxStatus is the transaction status that ReadyForQuery reports.
type TxStatus byte

// The transaction statuses.
const (
	Idle   TxStatus = 'I'
	InTx   TxStatus = 'T'
	Failed TxStatus = 'E'
)

// Session is one client.
type Session struct {
	ID       uint32 // what pg_backend_pid shows
	Secret   uint32 // the cancel key
	Task     *activity.Task
	Database *catalog.Database
	Login    *catalog.Role // who authenticated
	Started  time.Time
	Identity

	Configured uint64 // the generation of the configuration that Settings are as new as

	Txns     *txn.Manager       // nil for a session without an engine
	Standing any                // the backend's: what holds the next three
	Proc     *txn.Proc          // nil while the session is idle and holds no locks
	After    *trigger.Queue     // what the transaction's changes leave to be done; nil with Proc
	Portals  map[string]*Portal // nil with Proc; see PutPortal
	Pending  *notify.Pending    // what the transaction does with LISTEN and NOTIFY; nil with Proc
	Local    uint64             // the number of the newest transaction, while Proc is nil

	StatementTime time.Time // when the client's message was taken up

	Settings *Settings
	Status   TxStatus
	Told     bool             // rows or an error are among the answers not yet sent
	LastSeq  base.OID         // lastval; zero for none
	Notices  []*pgerror.Error // to be sent before the next answer

	Statements map[string]*Prepared // nil until the first; see PutStatement
	Catalog    Overlay
	Temp       TempState
	Worker     *Worker            // what an autovacuum worker is besides; nil: a client's session
	Sequences  map[base.OID]int64 // currval; nil until the first; see SetCurrval
	Tx         TxState
	Rand       *rand.Rand // what setseed made; nil: random() needs no seed

	Listener *notify.Listener // nil until the first of either
	Client   Client           // nil: there is none
	Heard    base.LSN         // of the last commit that notified its own session, until its client has been told

	env       types.Env
	envStamp  uint64
	planEnv   uint64
	planStamp uint64
	planRole  base.OID
	hot       *Hot
	hotStamp  uint64

	mu   sync.Mutex
	info Info // guarded by mu
}

// Client is whom a session is for. Both methods may be called from any goroutine.
type Client interface {
	// Wake makes the client look for notifications while it rests.
	Wake()
	// Cancel ends the message that the client runs, if any.
	Cancel(*pgerror.Error)
}

// Worker is what a session of autovacuum is besides.
type Worker struct {
	Peers *atomic.Int32 // how many work, which share the cost limit
	Yield func()        // called when others wait for the session's locks for long
}

// Info is what others may see of a session, for pg_stat_activity and the console.
type Info struct {
	Application string
	ClientAddr  string
	ClientPort  int
	ServerAddr  string // at which the client reached us; empty for a socket
	ServerPort  int
	State       string // active, idle, idle in transaction, idle in transaction (aborted)
	Query       string
	QueryStart  time.Time
	TxStart     time.Time
	StateChange time.Time
	BackendType string
	Progress    *Progress // nil but for long commands
}

// TxState is the explicit or implicit transaction block of the session.
type TxState struct {
	Block      bool // opened by BEGIN
	Implicit   bool // an implicit block of several statements of one query message or pipeline
	Isolation  Isolation
	ReadOnly   bool
	Deferrable bool
	HaveSnap   bool
	Queried    bool // a statement has taken a snapshot: modes of the transaction are settled
	Start      time.Time
	Snapshot   mvcc.Snapshot // of the whole transaction from REPEATABLE READ on
	Outline    types.Datum   // what pg_current_snapshot told last
	OutlineOf  base.LSN      // and of which snapshot; zero for none
	Savepoints []string      // names by depth
	ReadWrite  []bool        // by depth: whether the transaction could write when the savepoint was set; its end restores that
}

// Isolation is a transaction isolation level.
type Isolation uint8

// The isolation levels that differ.
const (
	ReadCommitted Isolation = iota
	RepeatableRead
	Serializable
)

// String gives the level as SHOW transaction_isolation does.
func (i Isolation) String() string {
	return [...]string{"read committed", "repeatable read", "serializable"}[i]
}

// Overlay is the session's own view of the catalogs while its transaction has changed them; nil Cache otherwise.
type Overlay struct {
	Cache   *catalog.Cache
	Shared  uint64 // generation of the shared cache that Cache is as new as
	Changes catalog.Invalidation
}

// TempState is the session's temporary schema; zero until the first temporary table.
type TempState struct {
	Namespace base.OID
	Toast     base.OID
	OnCommit  []OnCommit
}

// OnCommit is what becomes of a temporary table when a transaction commits: its rows go, or all of it.
type OnCommit struct {
	Table base.OID
	Drop  bool
}

// New makes a session; the caller fills Database, User and Settings in after authentication.
func New(id, secret uint32, task *activity.Task) *Session {
	return &Session{ID: id, Secret: secret, Task: task, Status: Idle, Started: time.Now(), Settings: NewSettings(),
		info: Info{State: "idle", BackendType: "client backend"}}
}

// Update changes what others see of the session.
func (s *Session) Update(f func(*Info)) {
	s.mu.Lock()
	f(&s.info)
	s.mu.Unlock()
}

// Info gives a copy of what others may see of the session.
func (s *Session) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// Notice queues a message for the client.
func (s *Session) Notice(n *pgerror.Error) { s.Notices = append(s.Notices, n) }

// PutStatement keeps a prepared statement under its name.
func (s *Session) PutStatement(name string, p *Prepared) {
	if s.Statements == nil {
		s.Statements = map[string]*Prepared{}
	}
	s.Statements[name] = p
}

// PutPortal keeps a portal under its name.
func (s *Session) PutPortal(name string, p *Portal) {
	if s.Portals == nil {
		s.Portals = map[string]*Portal{}
	}
	s.Portals[name] = p
}

// SetCurrval notes the value that currval gives for a sequence.
func (s *Session) SetCurrval(seq base.OID, v int64) {
	if s.Sequences == nil {
		s.Sequences = map[base.OID]int64{}
	}
	s.Sequences[seq] = v
}
