package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// linker is a file system that can lead a directory elsewhere; one that cannot keeps the tablespace inside.
type linker interface {
	// Link makes name lead to the directory target, which must be there.
	Link(target, name string) error
	// LinkTarget tells where name leads.
	LinkTarget(name string) (string, error)
}

func spacePath(space base.OID) string { return fmt.Sprintf("pg_tblspc/%d", space) }

// CreateSpace makes a tablespace of a directory: pg_tblspc/<space> leads there, and a directory in it holds our files. redo
// allows what is there already.
func (m *Manager) CreateSpace(space base.OID, location string, redo bool) error {
	if err := m.fs.MkdirAll("pg_tblspc"); err != nil {
		return pgerror.IO(err, "could not create directory \"pg_tblspc\"")
	}
	name := spacePath(space)
	if l, ok := m.fs.(linker); ok {
		_, err := l.LinkTarget(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = l.Link(location, name)
		}
		if errors.Is(err, fs.ErrNotExist) && !redo {
			return pgerror.Newf(pgerror.UndefinedFile, "directory \"%s\" does not exist", location)
		}
		if err != nil && !redo {
			return pgerror.IO(err, "could not create symbolic link \"%s\"", name)
		}
	}
	inside := name + "/" + TablespaceVersion
	if have, err := m.fs.Stat(inside); err == nil && have.IsDir() && !redo {
		if _, ok := m.fs.(linker); ok {
			_ = m.fs.Remove(name) // the link; the error below tells more
		}
		return pgerror.Newf(pgerror.ObjectInUse, "directory \"%s/%s\" already in use as a tablespace", location, TablespaceVersion)
	}
	if err := m.fs.MkdirAll(inside); err != nil {
		return pgerror.IO(err, "could not create directory \"%s\"", inside)
	}
	return m.syncDir("pg_tblspc")
}

// SpaceLocation gives the directory of a tablespace; empty for one that is inside the data directory.
func (m *Manager) SpaceLocation(space base.OID) (string, error) {
	l, ok := m.fs.(linker)
	if !ok {
		return "", nil
	}
	target, err := l.LinkTarget(spacePath(space))
	if err != nil {
		return "", pgerror.IO(err, "could not stat file \"%s\"", spacePath(space))
	}
	return target, nil
}

// SpaceDatabases lists the databases that have files in a tablespace.
func (m *Manager) SpaceDatabases(space base.OID) ([]base.OID, error) {
	seen := map[base.OID]bool{}
	var out []base.OID
	err := m.Each(func(f File) error {
		if f.Space == space && !seen[f.Database] {
			seen[f.Database] = true
			out = append(out, f.Database)
		}
		return nil
	})
	return out, err
}

// DropSpace removes an empty tablespace, the directories of databases in it among that. It gives false when it has files.
func (m *Manager) DropSpace(space base.OID) (bool, error) {
	inside := spacePath(space) + "/" + TablespaceVersion
	dbs, err := m.names(inside)
	if err != nil {
		return false, err
	}
	for _, db := range dbs {
		if files, err := m.names(inside + "/" + db); err != nil || len(files) > 0 {
			return false, err
		}
	}
	for _, db := range dbs {
		if err := m.remove(inside + "/" + db); err != nil {
			return false, err
		}
	}
	if err := m.remove(inside); err != nil {
		return false, err
	}
	if err := m.remove(spacePath(space)); err != nil {
		return false, err
	}
	return true, m.syncDir("pg_tblspc")
}

func (m *Manager) remove(name string) error {
	if err := m.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pgerror.IO(err, "could not remove \"%s\"", name)
	}
	return nil
}

// spaces lists the tablespaces of users.
func (m *Manager) spaces() ([]base.OID, error) { return m.numbers("pg_tblspc") }

// Databases lists the databases that have a directory in any tablespace, or a relation map.
func (m *Manager) Databases() ([]base.OID, error) {
	out, err := m.numbers("base")
	if err != nil {
		return nil, err
	}
	if all := m.maps.all.Load(); all != nil {
		for db := range *all {
			if db != 0 && !slices.Contains(out, db) {
				out = append(out, db)
			}
		}
	}
	spaces, err := m.spaces()
	if err != nil {
		return nil, err
	}
	for _, s := range spaces {
		more, err := m.numbers(spacePath(s) + "/" + TablespaceVersion)
		if err != nil {
			return nil, err
		}
		for _, db := range more {
			if !slices.Contains(out, db) {
				out = append(out, db)
			}
		}
	}
	return out, nil
}

// numbers lists what in a directory is named by an OID.
func (m *Manager) numbers(dir string) ([]base.OID, error) {
	names, err := m.names(dir)
	if err != nil {
		return nil, err
	}
	var out []base.OID
	for _, n := range names {
		if f, ok := parseName(n); ok && f.Fork == base.MainFork && f.Temp == 0 {
			out = append(out, f.Number)
		}
	}
	return out, nil
}

// DropDatabase removes the files of a database in all tablespaces. The pool must have dropped its pages.
func (m *Manager) DropDatabase(db base.OID) error {
	spaces, err := m.spaces()
	if err != nil {
		return err
	}
	for _, s := range append(spaces, base.DefaultTablespace) {
		if err := m.RemoveDatabase(s, db); err != nil {
			return err
		}
	}
	return m.removeMap(db)
}
