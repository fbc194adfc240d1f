// Package vacuum is the mechanism of VACUUM on one table: prune every page, remove the index entries of what is dead, free
// its line pointers, keep the free space and visibility maps, give empty pages at the end back.
//
// It runs beside readers and writers; the caller holds ShareUpdateExclusive on the table. When to run, delays and what
// becomes of the counts are not known here.
package vacuum
