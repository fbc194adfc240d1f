// Package page is the 8 KiB page that every relation is made of: header, checksum, line pointers and items.
//
// A Page is a view of bytes that somebody else owns and latches; the package takes no locks. Its accessors trust a page
// that Check found sound (the buffer pool verifies checksums on read); Check trusts nothing. An all-zero page is valid
// and new. The package knows nothing of tuples, buffers or the log beyond the LSN in the header.
package page
