package session

import (
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"manifold/engine/base"
	"manifold/engine/sql/plan"
)

// Prepared is a prepared statement of the protocol or of PREPARE; the unnamed one has the empty name.
type Prepared struct {
	Name      string
	Text      string
	Node      *pg_query.Node // nil for an empty query
	Params    []base.OID
	Columns   []plan.ResultColumn // nil: returns no rows
	Tag       string
	CreatedAt time.Time
	FromSQL   bool
	Asked     []base.OID // parameter types the client gave
	Cached    any        // the backend's plan for it, with what it was made under; nil for a utility statement
}

// Portal is a bound statement or a cursor, suspended or not yet begun.
type Portal struct {
	Name      string
	Statement *Prepared
	Formats   []int16 // result formats, one per column or one for all
	Depth     int     // subtransaction depth it was made in
	Hold      bool
	Held      bool // its transaction is over
	Scroll    bool
	Binary    bool
	Query     string
	Done      bool
	CreatedAt time.Time
	Result    []plan.ResultColumn // of a cursor, which has no prepared statement
	Run       Runner              // what runs it
}

// Columns gives what the portal returns; nil for no rows.
func (p *Portal) Columns() []plan.ResultColumn {
	if p.Statement != nil {
		return p.Statement.Columns
	}
	return p.Result
}

// Runner is the running half of a portal, made by the backend.
type Runner interface {
	// Close gives up what the portal holds. committed is false when its transaction rolled back.
	Close(committed bool)
}
