// Command bench starts Manifold, PostgreSQL 15, and PgBouncer in transaction mode before that PostgreSQL, on free ports with
// like settings and the same pgbench data, runs its cases against them in turn for several rounds, and prints per case the
// median throughput, latency, server CPU per transaction and memory, and the ratios of Manifold to each peer.
//
// It needs the binaries of PostgreSQL 15 (postgres, initdb, psql, pgbench) and pgbouncer; run as root it starts those two as
// user postgres.
//
//	go run ./cmd/bench [-rounds 3] [-seconds 5] [-scale 20] [-only select] [-json results.json]
package main
