// Package storage is the files of relations: their names, segments of 1 GiB, sizes, and the fsyncs and unlinks that a
// checkpoint owes them.
//
// It moves pages as they are; checksums and caching belong to the buffer pool. Lock order: a relation's mutex, then the
// mutex of open files, then that of pending work.
package storage
