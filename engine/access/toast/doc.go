// Package toast keeps values that are too wide for their row: it compresses them and moves them, in chunks, to the table's
// TOAST relation, an ordinary heap with an index over (chunk_id, chunk_seq).
//
// Invariants: the chunks of a value are written before the row that points to them and by the same transaction; they are
// deleted by the transaction that ends the last version of the row that points to them. So whoever sees the row finds the
// chunks, whatever its snapshot: the horizon keeps both or neither. A chunk_id is not used again while the index has an
// entry for it, so chunks are read without judging their visibility.
//
// Nothing may be latched by callers. The package must not know catalogs, expressions or statements.
package toast
