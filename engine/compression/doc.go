// Package compression makes column values smaller, by one of two methods: an LZ77 of bytes of its own (named pglz, as the
// method of PostgreSQL that it stands for) and LZ4's block format.
//
// It is pure: no locks, no state. Decoders take any bytes: what is damaged is an error, never a panic, and never more memory
// than the size that was asked for.
package compression
