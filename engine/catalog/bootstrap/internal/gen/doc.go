// Command gen writes the facts of the built-in catalogs, read from a running PostgreSQL 15 with a freshly initialised
// cluster, as one file of tab-separated values (in COPY's text format, a header line first) per catalog.
//
// Usage: go run ./engine/catalog/bootstrap/internal/gen DSN DIRECTORY
package main
