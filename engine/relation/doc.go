// Package relation describes tables, indexes and their columns as plain data, so that access methods need no catalog.
//
// A descriptor is immutable once it is shared: the catalog builds a new one when the definition changes.
package relation
