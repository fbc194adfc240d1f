// Package txn runs transactions: it assigns their ids, keeps the ring of commit positions, the clocks C, Cs, F and Q, the
// registered snapshots and the horizon H, and writes the records of their ends (DESIGN, section 3, rules 1 to 8).
//
// A session has one Proc; its transaction is the Tx inside it, reused, so that beginning and ending a read-only
// transaction allocates nothing and takes no shared mutex. A Proc belongs to its session's goroutine.
//
// Lock order: xidMu (growth of the ring), oidMu and that of the table of sessions are taken alone; oidMu is held over the insertion of a log
// record. commitSubs is held shared over the commit of a transaction with subtransactions, and exclusively for a moment
// by a checkpoint; cuts likewise over the cut of a file and its record. The commit section is that of the log (wal.InsertWith). The package must not know tables or sessions.
package txn
