// Package logger is the server's log: lines of text as PostgreSQL writes them, or JSON, to standard error or to files that
// are rotated by size and age.
//
// Callers hand lines to a bounded queue; the one loop in Run writes them, so that no caller waits for a disk unless the
// queue is full. Lines handed in after Run has ended are written by the caller.
package logger
