// Package autovacuum decides which tables are vacuumed and analysed, by PostgreSQL's thresholds, and keeps a bounded set of
// workers at it.
//
// The launcher runs on one goroutine, each of at most autovacuum_max_workers workers on one of its own that the launcher owns
// and waits for. The mechanism is the engine's.
package autovacuum
