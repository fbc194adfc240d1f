// Package query is the analysed form of a statement: a tree whose names are resolved to relations, columns, functions and
// operators by OID and whose every expression has a type.
//
// It is data with walkers, a serialized form for expressions that catalogs store, and a deparser. It knows no catalog:
// whoever needs a name for an OID passes a lookup. Trees are immutable once analysed, except by the optimizer's copies.
package query
