package command

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/exec"
	"manifold/engine/mvcc"
	"manifold/engine/pgerror"
	"manifold/engine/sequence"
	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/trigger"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Host is what only the server can do.
type Host interface {
	// Checkpoint makes a checkpoint and waits for it.
	Checkpoint(task *activity.Task) error
	// Sessions gives the number of sessions in a database, other than self.
	Sessions(database base.OID, self *session.Session) int
	// Disconnect ends the sessions of a database other than self, and waits a moment for them to go.
	Disconnect(database base.OID, self *session.Session) error
	// ForgetDatabase has what is known of a database read again: its files are elsewhere, and no session is in it.
	ForgetDatabase(database base.OID)
	// DropDatabase throws the buffers of a database away and removes its files.
	DropDatabase(task *activity.Task, database base.OID) error
}

// Context is what one utility statement works with. View, Editor.View and the descriptors read through them show the
// statement's own changes: Editor.Changed must turn View to the session's overlay and invalidate that.
type Context struct {
	Session    *session.Session
	Task       *activity.Task
	Tx         *txn.Tx
	View       *catalog.View
	Editor     *catalog.Editor
	Opened     *catalog.Opened
	Sequences  *sequence.Sequences
	Builder    *exec.Builder
	Env        *types.Env
	Wait       txn.Wait
	SearchPath []base.OID // in order of search, pg_catalog and the temporary schema among them
	Text       string     // the query string the statement stands in
	Params     []base.OID // types of $1 ... that CREATE TABLE AS may use
	Values     []types.Datum
	Host       Host
	Query      func(text string) error // runs an SQL statement inside this one
	// NewExec makes an execution context under a fresh snapshot, with Eval filled in (Ctx, Values, Task). The snapshot is
	// registered until the statement ends.
	NewExec func() *exec.Context
	// Snapshot fills s with the snapshot that a statement of the transaction would get now; Tx.Release it.
	Snapshot func(s *mvcc.Snapshot)
	Plan     func(q *query.Query) (*plan.Statement, error)
	// CheckKey looks for rows that break a foreign key.
	CheckKey func(v *trigger.Validation) error
	// Fire works off what waits for constraints that are immediate now.
	Fire func() error
	Top  bool // not inside a transaction block
	// Restart ends the transaction and begins another, for VACUUM between tables; nil when the statement cannot.
	Restart func() error

	aged     bool // VACUUM has moved a table's relfrozenxid
	progress *session.Progress
}

// Run runs one utility statement and gives its command tag.
func Run(c *Context, n *pg_query.Node) (tag string, err error) {
	if f := runner(n); f != nil {
		return f(c, n)
	}
	return "", pgerror.Unsupported("%s", statementName(n))
}

// options gives what an analysis of a part of the statement depends on.
func (c *Context) options() *analyze.Options {
	return &analyze.Options{View: c.View, SearchPath: c.SearchPath, Temp: c.Session.Temp.Namespace, Env: c.Env, Text: c.Text,
		Role: c.Session.Role, FixParams: true}
}

// notice queues a NOTICE for the client.
func (c *Context) notice(code, format string, args ...any) {
	c.Session.Notice(pgerror.Notice(pgerror.SeverityNotice, code, format, args...))
}

// warning queues a WARNING for the client.
func (c *Context) warning(code, format string, args ...any) {
	c.Session.Notice(pgerror.Notice(pgerror.SeverityWarning, code, format, args...))
}

// info queues an INFO for the client.
func (c *Context) info(format string, args ...any) {
	c.Session.Notice(pgerror.Notice(pgerror.SeverityInfo, pgerror.SuccessfulCompletion, format, args...))
}

// database gives the OID of the session's database.
func (c *Context) database() base.OID { return c.Session.Database.OID }

// topLevel refuses to run inside a transaction block.
func (c *Context) topLevel(what string) error {
	if c.Top {
		return nil
	}
	return pgerror.Newf(pgerror.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
}
