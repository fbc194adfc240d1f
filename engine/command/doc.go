// Package command runs utility statements: everything that defines, changes or drops an object of the database, and the
// maintenance commands VACUUM, ANALYZE, REINDEX, CHECKPOINT and LOCK.
//
// A statement takes the heavyweight lock that PostgreSQL takes before it reads a descriptor, changes the system tables
// through a catalog.Editor, and makes and drops files within the transaction. Transaction control, prepared statements,
// cursors, SET and EXPLAIN are not here; COPY is package copy. What is not implemented fails with 0A000 and its name.
//
// A Context belongs to one statement and one goroutine; the package keeps nothing between statements.
package command
