// Package tuple is the form of a row on a heap page: a header with the transactions that made and ended it, a null
// bitmap, fixed-width columns at offsets known from the descriptor and the number of stored attributes, an array of end
// offsets, and the variable-width columns. Any column is found in constant time.
//
// It is pure: no locks, no pages, no visibility. Bytes handed to it must come from a page that was verified, or be passed
// through Layout.Check first. See README.md for the drawing.
package tuple
