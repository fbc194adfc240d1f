package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"manifold/engine"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/control"
	"manifold/engine/page"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

// check is the command of that name. It opens the cluster, which recovers one that was not shut down, lets the engine verify
// catalogs, tables and indexes, shuts it down again, and then reads every page and the log from the files themselves.
func check(args []string, out io.Writer) error {
	if len(args) != 1 {
		return pgerror.New(pgerror.SyntaxError, "check wants a data directory")
	}
	if err := existing(args[0]); err != nil {
		return err
	}
	if err := checkStack(); err != nil {
		return err
	}
	c := checker{fs: vfs.NewOS(args[0]), out: out}
	if err := c.run(); err != nil {
		return err
	}
	r := c.report
	counts := fmt.Sprintf("%d databases, %d tables, %d indexes, %d pages and %d log records", r.Databases, r.Tables, r.Indexes,
		c.pages, c.records)
	if c.faults > 0 {
		return pgerror.Corrupt("%d faults in %s", c.faults, counts)
	}
	_, err := fmt.Fprintf(out, "%s are sound\n", counts)
	return err
}

// checker counts what it looks at and prints what is wrong.
type checker struct {
	fs      vfs.FS
	out     io.Writer
	report  engine.CheckReport
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
	file, err := c.control()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.out, "cluster %d, %s\n", file.SystemID, file.State); err != nil {
		return err
	}
	if err := c.contents(); err != nil {
		return err
	}
	held, err := c.fs.Lock(engine.LockFile)
	if err != nil {
		return pgerror.Newf(pgerror.LockFileExists, "the cluster is in use: %v", err)
	}
	defer func() { _ = held.Close() }() // the process ends next
	if file, err = c.control(); err != nil {
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

// control reads the control file.
func (c *checker) control() (control.File, error) {
	store, file, err := control.Open(c.fs)
	if err != nil {
		return file, err
	}
	_ = store.Close() // nothing was written
	return file, nil
}

// contents lets the engine verify what the pages mean. A cluster that does not open has a fault, and its pages are still
// looked at.
func (c *checker) contents() error {
	e, err := engine.Open(context.Background(), engine.Config{FS: c.fs})
	if err != nil {
		if pgerror.From(err).Code == pgerror.LockFileExists {
			return err
		}
		c.fault("the cluster does not open: %v", err)
		return nil
	}
	c.report, err = e.Check(activity.NewTask(0, nil), func(err error) { c.fault("%v", err) })
	if err != nil {
		c.fault("%v", err)
	}
	if c.faults > 0 {
		return e.Abandon() // leave the evidence as it is
	}
	return e.Shutdown()
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
