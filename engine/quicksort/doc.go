// Package quicksort sorts long lists in pieces, between which the caller may let others run: sorting millions of rows at one go
// would keep a backend's slot for seconds.
//
// Lists are divided by quicksort (Hoare, The Computer Journal 5, 1962) down to pieces that the standard library's sort ends
// within a few milliseconds. It must not know what it sorts.
package quicksort
