// Command gensettings writes the table of parameters from the pg_settings of a running PostgreSQL 15.
//
//	MANIFOLD_ORACLE=postgres://... go run ./internal/gensettings > settingtable.go
package main
