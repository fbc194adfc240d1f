// Command bench starts Manifold, PostgreSQL 15, and PgBouncer in transaction mode before that PostgreSQL, on free ports with
// like settings and the same pgbench data, runs its cases against them in turn for several rounds, and prints per case the
// median throughput, latency, server CPU per transaction and memory, and the ratios of Manifold to each peer.
//
// It needs the binaries of PostgreSQL 15 (postgres, initdb, psql, pgbench) and pgbouncer; run as root it starts those two as
// user postgres.
//
// The cases drive-... are pgbench's SELECT and TPC-B by a driver of our own (cmd/internal/drive), because pgbench with thousands
// of clients takes more of the machine than the server that it measures; the same cases by pgbench stand beside them. "floor" is
// a server that does nothing but answer SELECT (cmd/internal/floor): what it does not reach, the machine and the clients do not
// let through. With -many, thousands of clients think, reconnect all at once, rest in transactions and lock rows
// (cmd/internal/many), and Manifold's figures are printed beside those of the floor and of PgBouncer. Those who think are in four
// processes. It needs some 20,000 descriptors.
//
//	go run ./cmd/bench [-rounds 3] [-seconds 5] [-scale 20] [-only select] [-json results.json]
//	go run ./cmd/bench -many [-rounds 3] [-seconds 5] [-scale 20]
package main
