// Package bootstrap is the built-in contents of the system catalogs: facts read from a running PostgreSQL 15 by the
// generator in internal/gen, the static descriptors of the catalogs made of them, and the OIDs and attribute numbers by
// which the rest of the engine names them.
//
// It is data: it reads no storage and holds no locks.
package bootstrap
