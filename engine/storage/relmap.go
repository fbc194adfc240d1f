package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/vfs"
)

// RelMap tells which files the catalogs of a database have, or with database zero those of the whole cluster: they are needed to
// read pg_class, which tells it of all other relations. It never changes; a new one takes its place. A nil map is an empty one.
type RelMap struct{ numbers map[base.OID]base.OID }

// Move says that a catalog, or an index of one, has another file from now on.
type Move struct {
	Database base.OID // zero: one of the whole cluster
	Relation base.OID
	Number   base.OID
}

// Number gives the number of a relation's file: its OID until it is moved for the first time.
func (m *RelMap) Number(oid base.OID) base.OID {
	if m == nil {
		return oid
	}
	if n, ok := m.numbers[oid]; ok {
		return n
	}
	return oid
}

// With gives a map that some moves have changed.
func (m *RelMap) With(moves ...Move) *RelMap {
	out := &RelMap{numbers: map[base.OID]base.OID{}}
	if m != nil {
		maps.Copy(out.numbers, m.numbers)
	}
	for _, v := range moves {
		out.numbers[v.Relation] = v.Number
	}
	return out
}

// The layout of a relation map, all little-endian: see README.md.
const (
	relMapMagic = 0x50414d4c4552464d // "MFRELMAP"
	relMapHead  = 8 + 4 + 4
	relMapEntry = 4 + 4
	relMapMost  = 1 << 16 // entries
)

// Encode writes the map of a database.
func (m *RelMap) Encode(db base.OID) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, relMapMagic)
	b = le.AppendUint32(b, uint32(db))
	var oids []base.OID
	if m != nil {
		oids = slices.Sorted(maps.Keys(m.numbers))
	}
	b = le.AppendUint32(b, uint32(len(oids)))
	for _, oid := range oids {
		b = le.AppendUint32(le.AppendUint32(b, uint32(oid)), uint32(m.numbers[oid]))
	}
	return le.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// DecodeRelMap reads the map of a database, trusting nothing; name is for errors.
func DecodeRelMap(b []byte, db base.OID, name string) (*RelMap, error) {
	le := binary.LittleEndian
	if len(b) < relMapHead+4 || le.Uint64(b) != relMapMagic || base.OID(le.Uint32(b[8:])) != db {
		return nil, pgerror.Corrupt("file \"%s\" is not the relation map of database %d", name, db)
	}
	n := int(le.Uint32(b[12:]))
	if n > relMapMost || len(b) != relMapHead+n*relMapEntry+4 {
		return nil, pgerror.Corrupt("relation mapping file \"%s\" contains invalid data", name)
	}
	end := len(b) - 4
	if le.Uint32(b[end:]) != crc32.Checksum(b[:end], crc32.MakeTable(crc32.Castagnoli)) {
		return nil, pgerror.Corrupt("relation mapping file \"%s\" contains incorrect checksum", name)
	}
	m := &RelMap{numbers: make(map[base.OID]base.OID, n)}
	last := base.OID(0)
	for e := b[relMapHead:end]; len(e) > 0; e = e[relMapEntry:] {
		oid, number := base.OID(le.Uint32(e)), base.OID(le.Uint32(e[4:]))
		if oid <= last || number == 0 {
			return nil, pgerror.Corrupt("relation mapping file \"%s\" contains invalid data", name)
		}
		m.numbers[oid], last = number, oid
	}
	return m, nil
}

// Dump renders the map, one line a relation: its OID and the number of its file.
func (m *RelMap) Dump(w io.Writer) error {
	for _, oid := range slices.Sorted(maps.Keys(m.numbers)) {
		if _, err := fmt.Fprintf(w, "%d: %d\n", oid, m.numbers[oid]); err != nil {
			return err
		}
	}
	return nil
}

// relMaps is the maps of all databases.
type relMaps struct {
	all atomic.Pointer[map[base.OID]*RelMap] // replaced, never changed

	mu sync.Mutex // held over a change of all and of the files; nothing hot waits for it
}

const (
	relMapDir    = "global"
	relMapPrefix = "pg_filenode"
	relMapSuffix = ".map"
	tempSuffix   = ".tmp"
)

// RelMapPath gives the file of a database's map. All are in one directory, so that a database keeps its map when it moves to
// another tablespace.
func RelMapPath(db base.OID) string {
	if db == 0 {
		return relMapDir + "/" + relMapPrefix + relMapSuffix
	}
	return fmt.Sprintf("%s/%s_%d%s", relMapDir, relMapPrefix, db, relMapSuffix)
}

// LoadMaps reads the maps of all databases. What a crash left of one that was not finished is removed.
func (m *Manager) LoadMaps() error {
	m.maps.mu.Lock()
	defer m.maps.mu.Unlock()
	names, err := m.names(relMapDir)
	if err != nil {
		return err
	}
	all := map[base.OID]*RelMap{}
	for _, n := range names {
		path := relMapDir + "/" + n
		if !strings.HasPrefix(n, relMapPrefix) {
			continue
		}
		if strings.HasSuffix(n, tempSuffix) {
			if err := m.remove(path); err != nil {
				return err
			}
			continue
		}
		db, r, err := ReadRelMap(m.fs, path)
		if err != nil {
			return err
		}
		all[db] = r
	}
	if all[0] == nil {
		return pgerror.Corrupt("could not open file \"%s\": it is missing", RelMapPath(0))
	}
	m.maps.all.Store(&all)
	return nil
}

// IsRelMap tells whether a file has the name of a relation map.
func IsRelMap(name string) bool {
	return strings.HasPrefix(name, relMapDir+"/"+relMapPrefix) && strings.HasSuffix(name, relMapSuffix)
}

// ReadRelMap reads the map in a file, and tells whose it is.
func ReadRelMap(fsys vfs.Files, name string) (base.OID, *RelMap, error) {
	number := strings.TrimSuffix(strings.TrimPrefix(name, relMapDir+"/"+relMapPrefix), relMapSuffix)
	db, err := strconv.ParseUint(strings.TrimPrefix(number, "_"), 10, 32)
	if number != "" && err != nil || !IsRelMap(name) {
		return 0, nil, pgerror.Corrupt("file \"%s\" is not the relation map of a database", name)
	}
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return 0, nil, fileError(err, "open", name)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, nil, fileError(err, "stat", name)
	}
	b := make([]byte, min(size, relMapHead+relMapMost*relMapEntry+4+1))
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, nil, fileError(err, "read", name)
	}
	r, err := DecodeRelMap(b, base.OID(db), name)
	return base.OID(db), r, err
}

// Map gives the map of a database, nil when it has none.
func (m *Manager) Map(db base.OID) *RelMap {
	if all := m.maps.all.Load(); all != nil {
		return (*all)[db]
	}
	return nil
}

// SetMap gives a database a map, nil for an empty one, durably.
func (m *Manager) SetMap(db base.OID, r *RelMap) error {
	m.maps.mu.Lock()
	defer m.maps.mu.Unlock()
	if r == nil {
		r = &RelMap{}
	}
	return m.setMapLocked(db, r)
}

// setMapLocked replaces a map: in memory whatever becomes of the file, since the log says so already.
func (m *Manager) setMapLocked(db base.OID, r *RelMap) error {
	m.putMapLocked(db, r)
	return m.writeMapLocked(db, r)
}

func (m *Manager) putMapLocked(db base.OID, r *RelMap) {
	next := map[base.OID]*RelMap{}
	if all := m.maps.all.Load(); all != nil {
		maps.Copy(next, *all)
	}
	next[db] = r
	if r == nil {
		delete(next, db)
	}
	m.maps.all.Store(&next)
}

// writeMapLocked writes a map beside the one before, makes it durable and puts it in its place.
func (m *Manager) writeMapLocked(db base.OID, r *RelMap) error {
	name := RelMapPath(db)
	temp := name + tempSuffix
	f, err := m.fs.Open(temp, vfs.Create)
	if err != nil {
		return fileError(err, "create", temp)
	}
	b := r.Encode(db)
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil && !m.o.NoSync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fileError(err, "write", temp)
	}
	if err := m.fs.Rename(temp, name); err != nil {
		return pgerror.IO(err, "could not rename file \"%s\" to \"%s\"", temp, name)
	}
	return m.syncDir(relMapDir)
}

// MoveFiles changes maps, durably. After an error what is in memory has changed, but a start may find the maps before.
func (m *Manager) MoveFiles(moves []Move) error {
	m.maps.mu.Lock()
	defer m.maps.mu.Unlock()
	byDatabase := map[base.OID][]Move{}
	for _, v := range moves {
		byDatabase[v.Database] = append(byDatabase[v.Database], v)
	}
	var failed error
	for _, db := range slices.Sorted(maps.Keys(byDatabase)) {
		if err := m.setMapLocked(db, m.Map(db).With(byDatabase[db]...)); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// removeMap forgets the map of a database that is gone.
func (m *Manager) removeMap(db base.OID) error {
	m.maps.mu.Lock()
	defer m.maps.mu.Unlock()
	m.putMapLocked(db, nil)
	if err := m.fs.Remove(RelMapPath(db)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(err, "remove", RelMapPath(db))
	}
	return m.syncDir(relMapDir)
}
