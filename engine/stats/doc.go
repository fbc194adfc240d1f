// Package stats counts what happens to tables since the start: the rows written, the scans made, when vacuum and analyze last
// came by. Autovacuum decides by these counters, and pg_stat_user_tables shows them.
//
// Counters are atomic and approximate: what a rolled-back transaction did is counted too. They live in memory and begin at
// zero with the process. The package knows tables by OID only.
package stats
