// Package predicate keeps what SERIALIZABLE needs beyond snapshots: the SIREAD locks on what serializable transactions
// have read, the rw-conflicts between them, and the checks that break every dangerous structure before it commits.
//
// Invariants: a snapshot is taken and registered, and a commit checked and given its place in the order of commits, under
// the one mutex of the Manager, so the order of sequence numbers here is the order of visibility. A transaction that has
// finished is kept while one that ran beside it still runs. Transactions of other levels are not known here and pay
// nothing but the look at a pointer that is nil.
//
// Lock order: the mutex comes after page latches and before the commit section of the log; nothing is waited for under
// it. The package must not know rows, pages or snapshots beyond their names and numbers.
package predicate
