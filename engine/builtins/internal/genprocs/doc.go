// Command genprocs writes the table of built-in functions from the pg_proc of a running PostgreSQL 15.
//
//	MANIFOLD_ORACLE=postgres://... go run ./internal/genprocs > proctable.go
package main
