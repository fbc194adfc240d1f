package copy

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/exec"
	"manifold/engine/pgerror"
	"manifold/engine/relation"
	"manifold/engine/session"
	"manifold/engine/sql/analyze"
	"manifold/engine/sql/plan"
	"manifold/engine/sql/query"
	"manifold/engine/txn"
	"manifold/engine/types"
)

// Reader gives the client's data, a message a call; io.EOF is its end. The slice lives until the next call.
type Reader interface {
	Next() ([]byte, error)
}

// Writer takes the output, one row (or header) a call.
type Writer interface {
	Write(row []byte) error
}

// Context is what one COPY works with; its fields are those of command.Context of the same names.
type Context struct {
	Session    *session.Session
	Task       *activity.Task
	Tx         *txn.Tx
	View       *catalog.View
	Builder    *exec.Builder
	Env        *types.Env
	Wait       txn.Wait
	SearchPath []base.OID
	Text       string
	NewExec    func() *exec.Context
	Plan       func(q *query.Query) (*plan.Statement, error)
}

// Copy is a prepared COPY: its options are read, its table is locked and its columns are known.
type Copy struct {
	c       *Context
	stmt    *pg_query.CopyStmt
	o       options
	rel     *relation.Desc
	query   *plan.Statement
	columns []column
	loader  *loader // of COPY FROM
	refused error   // of COPY FROM: the relation takes no rows, which the client is told once it has begun to send
	shown   *session.Progress
}

// The numbers of pg_stat_progress_copy.
const (
	shownBytes    = 0
	shownRows     = 2
	shownExcluded = 3
	shownCommand  = 4 // fromClient or toClient, and overConnection

	fromClient     = 1
	toClient       = 2
	overConnection = 3
)

// show shows the progress of the COPY until the function that it gives is called.
func (p *Copy) show(command int64) (done func()) {
	table := base.OID(0)
	if p.rel != nil {
		table = p.rel.OID
	}
	p.shown = p.c.Session.Report("COPY", table)
	p.shown.Set(shownCommand, command, overConnection)
	return func() { p.c.Session.Reported(p.shown) }
}

// column is one column of the stream.
type column struct {
	name   string
	typ    base.OID
	typmod int32
	attr   int // of the table, from one; zero for a query's
}

// Prepare reads the options, resolves and locks the table or plans the query, and checks privileges.
func Prepare(c *Context, stmt *pg_query.CopyStmt) (*Copy, error) {
	p := &Copy{c: c, stmt: stmt}
	if stmt.IsProgram {
		return nil, pgerror.Unsupported("COPY PROGRAM")
	}
	if stmt.Filename != "" {
		return nil, pgerror.Unsupported("COPY of a file on the server")
	}
	if err := p.o.read(stmt, c.options()); err != nil {
		return nil, err
	}
	if err := p.resolve(); err != nil || !stmt.IsFrom || p.refused != nil {
		return p, err
	}
	p.loader = &loader{p: p}
	return p, p.loader.prepare()
}

// Binary tells the format for CopyInResponse and CopyOutResponse; Columns the number of columns.
func (p *Copy) Binary() bool { return p.o.format == formatBinary }

// Columns gives the number of columns of the stream.
func (p *Copy) Columns() int { return len(p.columns) }

func (c *Context) options() *analyze.Options {
	return &analyze.Options{View: c.View, SearchPath: c.SearchPath, Temp: c.Session.Temp.Namespace, Env: c.Env, Text: c.Text,
		Role: c.Session.Role, FixParams: true}
}
