// Package mvcc decides which version of a row a reader sees.
//
// A snapshot is one log position S: transaction x is visible when its commit position L(x) <= S (DESIGN, section 3). The
// package reads tuple headers and asks a Commits for the fate of transactions; it changes nothing: hints that a look-up
// makes possible are returned for the caller to set. A committed hint is offered only for L at or below the horizon, so it
// means "visible to every snapshot". Functions need at least a share latch on the tuple's page. No locks, no memory.
package mvcc
