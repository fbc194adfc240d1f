// Package wal is the write-ahead log: building, inserting, flushing, reading and recycling records.
//
// Invariants: records are in the order of their LSNs; a record's commit callback runs in that order; bytes below
// FlushedLSN are durable; after a failed write or fsync the log is poisoned and takes nothing more. Lock order: the
// flush mutex, then the insertion mutex, then the mutexes of waiters and of completed insertions. No I/O happens under
// the insertion mutex. The package must not know what records mean.
package wal
