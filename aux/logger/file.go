package logger

import (
	"os"
	"path/filepath"
	"time"

	"manifold/engine/pgerror"
)

// File is a log file that is rotated: a full or old one is renamed with the time of its end. Only Run's loop writes.
type File struct {
	path    string
	maxSize int64
	maxAge  time.Duration
	f       *os.File
	size    int64
	opened  time.Time
}

// OpenFile opens a log file for appending. maxSize (bytes) and maxAge are limits; zero is none.
func OpenFile(path string, maxSize int64, maxAge time.Duration) (*File, error) {
	l := &File{path: path, maxSize: maxSize, maxAge: maxAge}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, pgerror.IO(err, "could not create the directory of \"%s\"", path)
	}
	return l, l.open()
}

func (l *File) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return pgerror.IO(err, "could not open log file \"%s\"", l.path)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return pgerror.IO(err, "could not look at log file \"%s\"", l.path)
	}
	l.f, l.size, l.opened = f, info.Size(), time.Now()
	return nil
}

// Write implements io.Writer.
func (l *File) Write(p []byte) (int, error) {
	full := l.maxSize > 0 && l.size > 0 && l.size+int64(len(p)) > l.maxSize
	old := l.maxAge > 0 && time.Since(l.opened) > l.maxAge
	if full || old {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}

// rotate sets the file aside. When that fails the log goes on in the old one.
func (l *File) rotate() error {
	aside := l.path + "." + time.Now().UTC().Format("20060102T150405.000000")
	if err := os.Rename(l.path, aside); err != nil {
		l.opened, l.size = time.Now(), 0
		return nil
	}
	old := l.f
	if err := l.open(); err != nil {
		return err
	}
	return old.Close()
}

// Close closes the file.
func (l *File) Close() error { return l.f.Close() }
