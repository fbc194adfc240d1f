// Package admin is the console: a database of the name manifold (or pgbouncer) that shows the pools and clients of the
// server to superusers. It speaks the simple query protocol only, as PgBouncer's console does.
//
// It is one more kind of pool.Backend, without state. It knows what it shows through Sources.
package admin
