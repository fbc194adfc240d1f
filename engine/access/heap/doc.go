// Package heap keeps the rows of tables: insert, update (in place of the chain when no index cares: HOT), delete, row
// locks, fetch by address, scans that fill vectors, pruning, the free space map and the visibility map.
//
// Invariants: bytes of a tuple are read only under a latch of its page, so an exclusive latch is enough to prune; a hint
// that lets readers skip the look-up of a transaction is set only at or below the horizon; a live locker's xmax is never
// overwritten without moving the lock to the table in memory; a page with FlagAllVisible, and only such a page, may have
// its bit in the visibility map.
//
// Lock order: heap pages by ascending block, then a page of the visibility map or of the free space map, then the mutex of
// a shard of the row-lock table. Waits for transactions happen with nothing held. The package must not know indexes,
// expressions or statements.
package heap
