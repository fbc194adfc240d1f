// Command gentypes writes the table of built-in types from the pg_type of a running PostgreSQL 15.
//
//	MANIFOLD_ORACLE=postgres://... go run ./internal/gentypes > infotable.go
package main
