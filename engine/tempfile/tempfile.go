package tempfile

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// Dir is the directory of temporary files, within the data directory.
const Dir = "base/pgsql_tmp"

// Files makes temporary files. It is safe for concurrent use.
type Files struct {
	fs   vfs.FS
	next atomic.Uint64
	used atomic.Int64
	made atomic.Int64
}

// Open prepares the directory: it makes it, or empties it of what a crash left.
func Open(fsys vfs.FS) (*Files, error) {
	if err := fsys.MkdirAll(Dir); err != nil {
		return nil, pgerror.IO(err, "could not create directory \"%s\"", Dir)
	}
	names, err := fsys.ReadDir(Dir)
	if err != nil {
		return nil, pgerror.IO(err, "could not read directory \"%s\"", Dir)
	}
	for _, n := range names {
		if err := fsys.Remove(Dir + "/" + n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, pgerror.IO(err, "could not remove file \"%s\"", n)
		}
	}
	return &Files{fs: fsys}, nil
}

// Used gives the bytes in open temporary files; Made the number of files made since the start.
func (f *Files) Used() int64 { return f.used.Load() }

// Made gives the number of files made since the start.
func (f *Files) Made() int64 { return f.made.Load() }

// File is one temporary file: written at its end, read anywhere.
type File struct {
	owner *Files
	name  string
	f     vfs.File
	size  int64
}

// Create makes an empty file.
func (f *Files) Create() (*File, error) {
	name := fmt.Sprintf("%s/t%d", Dir, f.next.Add(1))
	file, err := f.fs.Open(name, vfs.Create|vfs.Exclusive)
	if err != nil {
		return nil, pgerror.IO(err, "could not create temporary file \"%s\"", name)
	}
	f.made.Add(1)
	return &File{owner: f, name: name, f: file}, nil
}

// Write appends.
func (t *File) Write(p []byte) (int, error) {
	n, err := t.f.WriteAt(p, t.size)
	t.size += int64(n)
	t.owner.used.Add(int64(n))
	if err != nil {
		return n, pgerror.IO(err, "could not write to temporary file \"%s\"", t.name)
	}
	return n, nil
}

// ReadAt reads what was written.
func (t *File) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.f.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	return n, pgerror.IO(err, "could not read from temporary file \"%s\"", t.name)
}

// Close removes the file.
func (t *File) Close() error {
	t.owner.used.Add(-t.size)
	return errors.Join(t.f.Close(), t.owner.fs.Remove(t.name))
}
