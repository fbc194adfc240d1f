// Package isolation is the laboratory of transactions: it holds only tests. Scripts of interleaved sessions are replayed
// against answers recorded from PostgreSQL 15, and random histories are checked for anomalies. See README.md.
package isolation
