package main

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"manifold/engine"
	"manifold/engine/base"
	"manifold/engine/control"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// segmentBlocks is the number of pages of a file of 1 GiB.
const segmentBlocks = 1 << 30 / page.Size

// check is the command of that name.
func check(args []string, out io.Writer) error {
	if len(args) != 1 {
		return pgerror.New(pgerror.SyntaxError, "check wants a data directory")
	}
	if err := existing(args[0]); err != nil {
		return err
	}
	fsys := vfs.NewOS(args[0])
	held, err := fsys.Lock(engine.LockFile)
	if err != nil {
		return pgerror.Newf(pgerror.LockFileExists, "the cluster is in use: %v", err)
	}
	defer func() { _ = held.Close() }() // the process ends next
	c := checker{fs: fsys, out: out}
	if err := c.run(); err != nil {
		return err
	}
	if c.faults > 0 {
		return pgerror.Corrupt("%d faults in %d pages and %d log records", c.faults, c.pages, c.records)
	}
	_, err = fmt.Fprintf(out, "%d pages and %d log records are sound\n", c.pages, c.records)
	return err
}

// checker counts what it looks at and prints what is wrong.
type checker struct {
	fs      vfs.FS
	out     io.Writer
	pages   int
	records int
	faults  int
}

func (c *checker) fault(format string, args ...any) {
	c.faults++
	// The count is what the command ends with.
	_, _ = fmt.Fprintf(c.out, format+"\n", args...)
}

func (c *checker) run() error {
	store, file, err := control.Open(c.fs)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // nothing was written
	if _, err := fmt.Fprintf(c.out, "cluster %d, %s\n", file.SystemID, file.State); err != nil {
		return err
	}
	dirs := []string{"global"}
	names, err := c.fs.ReadDir("base")
	if err != nil {
		return pgerror.IO(err, "could not read \"base\"")
	}
	for _, n := range names {
		dirs = append(dirs, path.Join("base", n))
	}
	for _, d := range dirs {
		if err := c.directory(d); err != nil {
			return err
		}
	}
	return c.log(file)
}

func (c *checker) directory(dir string) error {
	names, err := c.fs.ReadDir(dir)
	if err != nil {
		return pgerror.IO(err, "could not read \"%s\"", dir)
	}
	for _, n := range names {
		name := path.Join(dir, n)
		tag, ok := tagOf(name)
		if !ok {
			continue // not a relation's
		}
		if err := eachPage(c.fs, name, tag, func(p page.Page, tag base.PageTag) {
			c.pages++
			for _, err := range p.Check(tag, true) {
				c.fault("%s block %d: %v", name, tag.Block, err)
			}
		}); err != nil {
			c.fault("%s: %v", name, err)
		}
	}
	return nil
}

// log reads the records from the checkpoint to the end.
func (c *checker) log(f control.File) error {
	names, err := c.fs.ReadDir(walDir)
	if err != nil {
		return pgerror.IO(err, "could not read \"%s\"", walDir)
	}
	for _, n := range names {
		o, _, err := wal.Inspect(c.fs, walDir, n)
		if err != nil {
			continue // not a segment
		}
		o.MustReach, o.Incarnation = f.CheckpointLSN, f.Incarnation
		r := wal.NewReader(c.fs, o, f.Checkpoint.Redo)
		for {
			_, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				c.fault("log: %v", err)
				return nil
			}
			c.records++
		}
	}
	c.fault("there is no log")
	return nil
}

// eachPage reads a file page by page.
func eachPage(fsys vfs.FS, name string, tag base.PageTag, f func(page.Page, base.PageTag)) error {
	file, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return pgerror.IO(err, "could not open \"%s\"", name)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := fsys.Stat(name)
	if err != nil {
		return pgerror.IO(err, "could not look at \"%s\"", name)
	}
	buf := make([]byte, page.Size)
	first := tag.Block
	for off := int64(0); off+page.Size <= info.Size(); off += page.Size {
		if _, err := file.ReadAt(buf, off); err != nil {
			return pgerror.IO(err, "could not read \"%s\"", name)
		}
		tag.Block = first + base.BlockNumber(off/page.Size)
		f(page.Page(buf), tag)
	}
	if info.Size()%page.Size != 0 {
		return pgerror.Corrupt("\"%s\" has %d bytes after its last page", name, info.Size()%page.Size)
	}
	return nil
}

// tagOf reads the name of a relation's file, base/5/1259_fsm.1, and gives the tag of its first page.
func tagOf(name string) (base.PageTag, bool) {
	var tag base.PageTag
	parts := strings.Split(name, "/")
	switch {
	case len(parts) == 2 && parts[0] == "global":
		tag.File.Space = base.GlobalTablespace
	case len(parts) == 3 && parts[0] == "base":
		db, err := strconv.ParseUint(parts[1], 10, 32)
		if err != nil {
			return tag, false
		}
		tag.File.Space, tag.File.Database = base.DefaultTablespace, base.OID(db)
	default:
		return tag, false
	}
	rest, segment, hasSegment := strings.Cut(parts[len(parts)-1], ".")
	if hasSegment {
		n, err := strconv.ParseUint(segment, 10, 16)
		if err != nil {
			return tag, false
		}
		tag.Block = base.BlockNumber(n * segmentBlocks)
	}
	number, fork, hasFork := strings.Cut(rest, "_")
	if hasFork {
		found := false
		for _, f := range []base.Fork{base.FSMFork, base.VMFork, base.InitFork} {
			if f.String() == fork {
				tag.Fork, found = f, true
			}
		}
		if !found {
			return tag, false
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	tag.File.Number = base.OID(n)
	return tag, err == nil
}

// pagedump is the command of that name.
func pagedump(args []string, out io.Writer) error {
	if len(args) < 2 || len(args) > 3 {
		return pgerror.New(pgerror.SyntaxError, "pagedump wants a data directory, a file in it, and a block")
	}
	if err := existing(args[0]); err != nil {
		return err
	}
	tag, ok := tagOf(args[1])
	if !ok {
		return pgerror.Newf(pgerror.UndefinedFile, "\"%s\" is not the name of a relation's file", args[1])
	}
	only := int64(-1)
	if len(args) == 3 {
		n, err := strconv.ParseUint(args[2], 10, 32)
		if err != nil {
			return pgerror.Newf(pgerror.InvalidTextRepresentation, "invalid block number \"%s\"", args[2])
		}
		only = int64(n)
	}
	return eachPage(vfs.NewOS(args[0]), args[1], tag, func(p page.Page, tag base.PageTag) {
		if only < 0 || only == int64(tag.Block) {
			p.Describe(out, tag)
		}
	})
}
