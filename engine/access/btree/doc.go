// Package btree is the ordered index: a tree with right links and high keys (Lehman and Yao 1981) over opaque byte
// strings compared by bytes.Compare, then by the row's address, so that every entry is unique.
//
// Invariants: entries of a node are in order and below its high key; the addresses of a leaf's item, which are the entries
// of one key, ascend and lie before those of the next item; the entries of a node share its first skip bytes; a node whose
// right half the parent does not know carries flagIncomplete; a split holds its left half latched until the parent knows.
// Latches are taken upwards and to the right only, one page at a time but for splits and unique checks; the latch of a leaf
// comes before those of heap pages. Scans hold nothing between calls. The package must not know types, tables or visibility:
// a Prober answers for rows.
package btree
