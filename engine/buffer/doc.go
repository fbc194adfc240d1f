// Package buffer is the pool of pages in memory, shared by all sessions.
//
// Invariants: a page is in at most one live frame; a pinned frame keeps its tag; a page is changed only under its
// exclusive latch (hint bits: under a share latch, by atomic OR); a dirty page is written from a private copy, after the
// log is durable up to its LSN. Lock order: content latch, frame I/O mutex, then hash partition; latches of several
// pages in the order their access method defines. Nobody waits for a slot with a pin or latch. The package must not know
// what pages hold.
package buffer
