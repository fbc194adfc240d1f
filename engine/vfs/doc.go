// Package vfs is the only way to files. The operating system's files and a file system in memory with a durability model
// and injected faults stand behind the same small interfaces, so that every crash can be tested.
//
// Names are slash-separated and relative to the root of the file system. Errors are those of io/fs and syscall
// (fs.ErrNotExist, syscall.ENOSPC ...); callers wrap them with their own message. The package knows nothing of pages,
// segments or the log.
package vfs
