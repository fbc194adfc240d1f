// Package exec runs plans: a tree of operators, built once for a plan and reused by its executions, that pass batches of
// columns upwards.
//
// Operators are structs, never goroutines. An operator's batch is valid until its next call. No pin or latch is held
// between calls of next: a scan copies visible rows out, unpins, then evaluates. next(want) never produces, locks or
// evaluates more than want rows. An Instance belongs to one goroutine at a time. The package knows no SQL text and no
// sessions: what it needs of them comes in with the Context.
package exec
