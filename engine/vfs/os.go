package vfs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"
)

// osFS is the operating system's files below a root directory.
type osFS struct{ root string }

// NewOS gives the files below root; an empty root takes names as they are.
func NewOS(root string) FS { return osFS{root} }

func (o osFS) path(name string) string { return filepath.Join(o.root, filepath.FromSlash(name)) }

func (o osFS) Open(name string, mode Mode) (File, error) {
	flags := os.O_RDWR
	if mode&ReadOnly != 0 {
		flags = os.O_RDONLY
	}
	if mode&Create != 0 {
		flags |= os.O_CREATE
	}
	if mode&Exclusive != 0 {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(o.path(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (o osFS) Remove(name string) error              { return os.Remove(o.path(name)) }
func (o osFS) Rename(from, to string) error          { return os.Rename(o.path(from), o.path(to)) }
func (o osFS) Stat(name string) (fs.FileInfo, error) { return os.Stat(o.path(name)) }
func (o osFS) MkdirAll(name string) error            { return os.MkdirAll(o.path(name), 0o700) }

// Link makes name lead to a directory outside the root.
func (o osFS) Link(target, name string) error {
	if _, err := os.Stat(target); err != nil {
		return err
	}
	return os.Symlink(target, o.path(name))
}

// LinkTarget tells where name leads.
func (o osFS) LinkTarget(name string) (string, error) { return os.Readlink(o.path(name)) }

func (o osFS) ReadDir(name string) ([]string, error) {
	d, err := os.Open(o.path(name))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	sort.Strings(names)
	return names, err
}

func (o osFS) SyncDir(name string) error {
	d, err := os.Open(o.path(name))
	if err != nil {
		return err
	}
	err = d.Sync()
	if e := d.Close(); err == nil {
		err = e
	}
	return err
}

func (o osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(o.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}

// osFile adds fdatasync, size, allocation and advice to an open file.
type osFile struct{ *os.File }

func (f osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			if err != nil {
				return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return nil
		}
	}
}

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f osFile) Allocate(offset, length int64) (bool, error) {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, offset, length)
		switch err {
		case nil:
			return true, nil
		case unix.EOPNOTSUPP:
			return false, nil
		case unix.EINTR:
			continue
		}
		return true, &fs.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
}

func (f osFile) WillNeed(offset, length int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, length, unix.FADV_WILLNEED) // advice only
}
