// Package stats counts what happens to tables, indexes and databases since the start: rows written and read, scans, pages,
// transactions, when vacuum and analyze last came by. Autovacuum decides by these counters, and the views of pg_stat show them.
//
// Counters are atomic and approximate: what a rolled-back transaction did is counted too. They live in memory and begin at
// zero with the process. The package knows tables by OID only.
package stats
