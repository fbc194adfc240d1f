// Command genzones writes the default time zone abbreviations from the pg_timezone_abbrevs of a running PostgreSQL 15.
//
//	MANIFOLD_ORACLE=postgres://... go run ./internal/genzones > zonetable.go
package main
