// Package wire turns sockets into messages and rows into bytes: framing of the frontend/backend protocol 3.0, codecs of
// every message that a server reads or writes, and the Socket below them.
//
// A Reader takes memory only as bytes arrive, whatever length a message claims. A Writer appends to one buffer and never
// writes by itself: who owns the connection decides when bytes may leave. Nothing here locks; each value belongs to the
// goroutine of its client. The package knows nothing of statements, sessions' states or authentication rules.
//
// Source: "Frontend/Backend Protocol" of the manual of PostgreSQL 15.
package wire
