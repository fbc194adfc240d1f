// Package admin is the console: a database of the name manifold (or pgbouncer) that shows and rules the pools and clients of
// the server. It takes PgBouncer's commands and answers with PgBouncer's columns, over the simple query protocol only, as
// PgBouncer's console does. Report gives the same facts in shapes of our own, for the views of schema manifold.
//
// It is one more kind of pool.Backend, without state. It knows what it shows and rules through Sources. Superusers may do
// everything, others what Sources.Role lets them. README.md has the meaning of each column.
package admin
