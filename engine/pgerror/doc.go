// Package pgerror is the one error type that reaches a client: a SQLSTATE with PostgreSQL's message fields, given where
// the error is born.
//
// It holds no state and knows nothing of the wire protocol that renders it.
package pgerror
