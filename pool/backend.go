package pool

import (
	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/sql/plan"
)

// Backend is what the pool lends: it runs the messages of one session at a time and keeps nothing of it between them.
type Backend interface {
	Statements
	Portals
	Transactions
}

// Statements runs query messages and keeps prepared statements in the session.
type Statements interface {
	// Simple runs a whole query message; its answers go to out.
	Simple(s *session.Session, text string, out backend.Sink) error
	// Parse prepares a statement; an empty name is the unnamed statement.
	Parse(s *session.Session, name, text string, params []base.OID) error
	// DescribeStatement gives the types of parameters and the columns of the result; nil columns are NoData.
	DescribeStatement(s *session.Session, name string) (params []base.OID, cols []plan.ResultColumn, err error)
	// CloseStatement forgets a prepared statement; an unknown name is no error.
	CloseStatement(s *session.Session, name string) error
}

// Portals runs bound statements.
type Portals interface {
	// Bind makes a portal. A nil parameter is NULL; params do not live beyond the call, formats may be kept.
	Bind(s *session.Session, portal, stmt string, paramFormats []int16, params [][]byte, resultFormats []int16) error
	// DescribePortal gives the columns of a portal and their formats; nil columns are NoData.
	DescribePortal(s *session.Session, name string) (cols []plan.ResultColumn, formats []int16, err error)
	// Execute runs a portal for at most maxRows rows (0: all); suspended tells that rows may be left.
	Execute(s *session.Session, portal string, maxRows int, out backend.Sink) (suspended bool, err error)
	// ClosePortal forgets a portal; an unknown name is no error.
	ClosePortal(s *session.Session, name string) error
}

// Transactions ends what statements began.
type Transactions interface {
	// Sync ends an implicit transaction.
	Sync(s *session.Session) error
	// Fail aborts what the failed statement was part of.
	Fail(s *session.Session, err *pgerror.Error)
	// Release rolls back and drops everything: the client is gone.
	Release(s *session.Session)
	// Close ends the backend.
	Close()
}
