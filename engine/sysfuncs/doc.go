// Package sysfuncs holds the built-in functions that need a session or the catalogs, the texts that describe catalog
// objects (pg_get_indexdef and its like), access control lists, and the SQL of the system views.
//
// A function finds its surroundings in builtins.Context.Session, which holds a *Scope. The package changes no catalog.
package sysfuncs
