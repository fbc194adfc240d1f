// Package clog is the commit log: two bits for every transaction that ended, in memory and in the files of pg_xact.
//
// Reads and writes of bits are lock-free. Bits reach the files only at a checkpoint, after the log is durable past every
// commit among them, so a committed bit on disk never outlives its record; what came later is set again by redo. The
// files carry no checksum for the same reason. Lock order: mu alone. The package must not know when a transaction ends,
// nor what its position in the log is.
package clog
