package sysfuncs

import (
	"time"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog"
	"manifold/engine/lock"
	"manifold/engine/notify"
	"manifold/engine/pgerror"
	"manifold/engine/sequence"
	"manifold/engine/session"
	"manifold/engine/stats"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Host is what only the server knows. A nil Host answers with nothing.
type Host interface {
	// Sessions gives every session, to be read through ID and Info.
	Sessions() []*session.Session
	// Cancel asks the running statement of a session to end; Terminate the session itself. False: no such session.
	Cancel(pid uint32) bool
	Terminate(pid uint32) bool
	Started() time.Time // of the server
	ConfigLoaded() time.Time
	Reload() bool // has the configuration read again, soon; false when that cannot be asked
	// Report gives the server's facts of a kind, for a view of schema manifold; the rows are of the view's columns.
	Report(task *activity.Task, kind string) (cols []base.OID, rows [][]types.Datum, err error)
	Background() stats.Background
}

// Scope is what the functions of one statement may use.
type Scope struct {
	Session    *session.Session
	View       *catalog.View
	Names      *catalog.Names
	SearchPath []base.OID // in order of search, pg_catalog and the temporary schema among them
	// FindPath gives the search path when a function first needs it and SearchPath is nil.
	FindPath  func() ([]base.OID, error)
	Host      Host
	Opened    *catalog.Opened
	Sequences *sequence.Sequences
	Task      *activity.Task
	Tx        *txn.Tx
	Wait      txn.Wait
	Locks     *lock.Manager
	Stats     *stats.Registry // nil: nothing is counted, and the functions about tables give null
	Notify    *notify.Queue
	// TransactionTime is what now() gives.
	TransactionTime time.Time
}

// of gives the scope of a call.
func of(c *builtins.Context) (*Scope, error) {
	if s, ok := c.Session.(*Scope); ok && s != nil {
		if s.SearchPath == nil && s.FindPath != nil {
			path, err := s.FindPath()
			if err != nil {
				return nil, err
			}
			s.SearchPath = path
		}
		return s, nil
	}
	return nil, pgerror.New(pgerror.InternalError, "the function was called without a session")
}

// Lookup gives the implementation of a function that needs a session or the catalogs.
func Lookup(oid base.OID) (builtins.Entry, bool) {
	e, ok := table()[oid]
	return e, ok
}
