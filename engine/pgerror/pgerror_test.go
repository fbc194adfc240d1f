package pgerror

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestIO(t *testing.T) {
	_, missing := os.Open("/no/such/file")
	cases := []struct {
		err        error
		code, text string
	}{
		{&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, DiskFull, "could not write file \"x\": No space left on device"},
		{missing, UndefinedFile, "could not write file \"x\": No such file or directory"},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, UndefinedFile, "could not write file \"x\": No such file or directory"},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrExist}, DuplicateFile, "could not write file \"x\": File exists"},
		{syscall.EACCES, InsufficientPrivilege, "could not write file \"x\": Permission denied"},
		{syscall.EIO, IOError, "could not write file \"x\": Input/output error"},
		{errors.New("short write"), IOError, "could not write file \"x\": short write"},
	}
	for _, c := range cases {
		e := IO(c.err, "could not write file %q", "x")
		if e.Code != c.code || e.Message != c.text || !errors.Is(e, c.err) {
			t.Errorf("%v: %s %s", c.err, e.Code, e.Message)
		}
	}
}
