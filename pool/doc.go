// Package pool multiplexes the sessions of a database onto few backends. A slot is the right to run; a Lease is one
// session's claim on a slot and a backend, taken when a statement has arrived and given back before the session waits for
// its client. README.md has the classes, the order of grants and the states of a lease.
//
// One mutex a pool guards its queues; it is held for a few assignments and never while waiting, doing I/O or calling out.
// A Lease belongs to the goroutine of its session. The package knows neither sockets nor what a statement is.
package pool
