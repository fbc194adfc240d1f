package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// Mode says how Open treats a file.
type Mode uint8

// The bits of Mode. Without ReadOnly a file is opened for reading and writing.
const (
	ReadOnly  Mode = 1 << iota // writes fail
	Create                     // make the file when it does not exist
	Exclusive                  // with Create: fail with fs.ErrExist when it does
)

// File is an open file. Offsets and sizes are in bytes. All methods may be called concurrently. ReadAt gives io.EOF when
// it ends at the end of the file, as io.ReaderAt does.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes data and size durable (fdatasync). After an error the unsynced data is lost; never retry.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Files opens, removes and renames. What they change in a directory is durable only after SyncDir of it.
type Files interface {
	Open(name string, mode Mode) (File, error)
	Remove(name string) error
	Rename(from, to string) error
	Stat(name string) (fs.FileInfo, error)
}

// Dirs makes, lists and syncs directories.
type Dirs interface {
	MkdirAll(name string) error
	// ReadDir gives the names in a directory in order.
	ReadDir(name string) ([]string, error)
	SyncDir(name string) error
}

// Locker keeps a second process away.
type Locker interface {
	// Lock takes an exclusive lock on a file, made when missing, until the Closer is closed or the process ends. It
	// fails with ErrLocked at once when another holds it.
	Lock(name string) (io.Closer, error)
}

// FS is a file system.
type FS interface {
	Files
	Dirs
	Locker
}

// ErrLocked is what Lock fails with when another process holds the lock.
var ErrLocked = errors.New("file is locked by another process")

// Allocate extends a file by a range of zeros whose space is reserved, so that a later write there does not run out of
// it. It gives false, having done nothing, when the file system has not the means.
func Allocate(f File, offset, length int64) (bool, error) {
	if a, ok := f.(interface {
		Allocate(offset, length int64) (bool, error)
	}); ok {
		return a.Allocate(offset, length)
	}
	return false, nil
}

// WillNeed has the operating system read a range ahead, so that a read of it soon need not wait. It does nothing where there are
// not the means; what goes wrong shows in that read.
func WillNeed(f File, offset, length int64) {
	if a, ok := f.(interface{ WillNeed(offset, length int64) }); ok {
		a.WillNeed(offset, length)
	}
}

// Exists tells whether a file or directory is there.
func Exists(f Files, name string) (bool, error) {
	_, err := f.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
