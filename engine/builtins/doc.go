// Package builtins is PostgreSQL's built-in functions and aggregates by the OID of their pg_proc row: a scalar form of
// each, vector kernels of the hot ones, set-returning functions, and aggregates over batches.
//
// One table maps an OID to the name of its C function in PostgreSQL (generated from pg_proc), a second maps that name to
// the implementation here, so functions that share a body share an entry. Both are filled once and only read after that.
// Strictness is the caller's business: a strict function never sees a null.
//
// The package knows no sessions, no catalogs and no storage; functions that need those live in engine/sysfuncs.
package builtins
