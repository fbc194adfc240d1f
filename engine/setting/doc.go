// Package setting is the one table of configuration parameters (GUCs): their types, units, limits and defaults, and how
// their values are parsed and printed.
//
// The table is generated from pg_settings of a running PostgreSQL 15; Manifold's own parameters and differing defaults
// stand in own.go. The package holds no values: sessions and the server do.
package setting
