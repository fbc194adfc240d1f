package storage

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/pgerror"
)

// File is a fork that has a file.
type File struct {
	base.RelFile
	Fork base.Fork
}

// Each calls f for every fork with a file, in all databases and tablespaces.
func (m *Manager) Each(f func(File) error) error {
	dbs, err := m.names("base")
	if err != nil {
		return err
	}
	if err := m.eachIn(base.GlobalTablespace, []string{"0"}, f); err != nil {
		return err
	}
	if err := m.eachIn(base.DefaultTablespace, dbs, f); err != nil {
		return err
	}
	spaces, err := m.spaces()
	if err != nil {
		return err
	}
	for _, space := range spaces {
		if dbs, err = m.names(spacePath(space) + "/" + TablespaceVersion); err != nil {
			return err
		}
		if err := m.eachIn(space, dbs, f); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) eachIn(space base.OID, dbs []string, f func(File) error) error {
	for _, name := range dbs {
		db, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			continue
		}
		files, err := m.names(DatabasePath(space, base.OID(db)))
		if err != nil {
			return err
		}
		for _, n := range files {
			file, ok := parseName(n)
			if !ok {
				continue
			}
			file.Space, file.Database = space, base.OID(db)
			if err := f(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// names lists a directory; one that is not there is empty.
func (m *Manager) names(dir string) ([]string, error) {
	out, err := m.fs.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, pgerror.IO(err, "could not read directory \"%s\"", dir)
	}
	return out, nil
}

// parseName reads the name of a first segment: 123, 123_fsm, t7_123.
func parseName(n string) (File, bool) {
	var f File
	if rest, ok := strings.CutPrefix(n, "t"); ok {
		session, number, found := strings.Cut(rest, "_")
		v, err := strconv.ParseUint(session, 10, 32)
		if err != nil || !found || v == 0 {
			return f, false
		}
		f.Temp, n = uint32(v), number
	}
	number, suffix, forked := strings.Cut(n, "_")
	v, err := strconv.ParseUint(number, 10, 32)
	if err != nil || v == 0 {
		return f, false
	}
	f.Number = base.OID(v)
	if !forked {
		return f, true
	}
	for fork := base.FSMFork; fork <= base.InitFork; fork++ {
		if fork.String() == suffix {
			f.Fork = fork
			return f, true
		}
	}
	return f, false
}
