// Package catalog reads the system tables: it turns their rows into types, functions, operators and relation descriptors,
// and caches these once for all sessions of a database.
//
// A View is what one statement reads through: the shared Cache of its database, or, for a transaction that changed catalogs
// itself, a private one filled under its own snapshot. An entry is installed in the shared Cache only if its group's
// generation has not moved since the scan began. Objects handed out are immutable. The package knows heap and B-tree
// through a Source; it knows no SQL text and no sessions.
package catalog
