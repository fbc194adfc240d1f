package rmgr

import (
	"encoding/binary"
	"fmt"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/storage"
	"manifold/engine/wal"
)

// The records of the storage manager. Drops belong to the commit records of transactions.
const (
	infoCreate   uint8 = 0x10 // relation file, fork
	infoTruncate uint8 = 0x20 // relation file, fork, blocks

	infoDropDatabase uint8 = 0x30 // database
	infoCreateSpace  uint8 = 0x40 // tablespace, location
	infoDropSpace    uint8 = 0x50 // tablespace
	infoMap          uint8 = 0x60 // database, its relation map
)

const fileSize = 17

func appendFile(b []byte, f base.RelFile, fork base.Fork) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(f.Space))
	b = le.AppendUint32(b, uint32(f.Database))
	b = le.AppendUint32(b, uint32(f.Number))
	b = le.AppendUint32(b, f.Temp)
	return append(b, byte(fork))
}

func decodeFile(b []byte) (f base.RelFile, fork base.Fork) {
	le := binary.LittleEndian
	f = base.RelFile{Space: base.OID(le.Uint32(b)), Database: base.OID(le.Uint32(b[4:])), Number: base.OID(le.Uint32(b[8:])),
		Temp: le.Uint32(b[12:])}
	return f, base.Fork(b[16])
}

// LogCreate logs that a fork's file is made. Insert it before the file is made.
func LogCreate(log *wal.Log, b *wal.Builder, xid base.XID, f base.RelFile, fork base.Fork) (base.LSN, error) {
	b.Begin(Storage, infoCreate, xid)
	b.Data(appendFile(nil, f, fork))
	return log.Insert(b)
}

// LogTruncate logs that a fork is cut to n pages. The log must be flushed up to the result before the file is cut.
func LogTruncate(log *wal.Log, b *wal.Builder, xid base.XID, f base.RelFile, fork base.Fork, n base.BlockNumber) (base.LSN, error) {
	b.Begin(Storage, infoTruncate, xid)
	b.Data(binary.LittleEndian.AppendUint32(appendFile(nil, f, fork), uint32(n)))
	return log.Insert(b)
}

// LogDropDatabase logs that the files of a database go, in all tablespaces. Flush the log before they do.
func LogDropDatabase(log *wal.Log, b *wal.Builder, db base.OID) (base.LSN, error) {
	b.Begin(Storage, infoDropDatabase, base.InvalidXID)
	b.Data(binary.LittleEndian.AppendUint32(nil, uint32(db)))
	return log.Insert(b)
}

// LogCreateSpace logs that a tablespace is made.
func LogCreateSpace(log *wal.Log, b *wal.Builder, xid base.XID, space base.OID, location string) (base.LSN, error) {
	b.Begin(Storage, infoCreateSpace, xid)
	b.Data(append(binary.LittleEndian.AppendUint32(nil, uint32(space)), location...))
	return log.Insert(b)
}

// LogDropSpace logs that an empty tablespace goes.
func LogDropSpace(log *wal.Log, b *wal.Builder, xid base.XID, space base.OID) (base.LSN, error) {
	b.Begin(Storage, infoDropSpace, xid)
	b.Data(binary.LittleEndian.AppendUint32(nil, uint32(space)))
	return log.Insert(b)
}

// LogMap logs the relation map of a database that is being made. Flush the log before it is written. Later changes of it belong
// to the commit records of transactions.
func LogMap(log *wal.Log, b *wal.Builder, xid base.XID, db base.OID, m *storage.RelMap) (base.LSN, error) {
	b.Begin(Storage, infoMap, xid)
	b.Data(append(binary.LittleEndian.AppendUint32(nil, uint32(db)), m.Encode(db)...))
	return log.Insert(b)
}

// StorageManager replays the records above.
func StorageManager() Manager {
	return Manager{ID: Storage, Name: "Storage", Redo: redoStorage, Describe: describeStorage,
		Moves: moves}
}

func moves(r *wal.Record) ([]base.RelFile, bool) {
	if (r.Info == infoCreate || r.Info == infoTruncate) && len(r.Data) >= fileSize {
		f, _ := decodeFile(r.Data)
		return []base.RelFile{f}, false
	}
	return nil, true
}

func redoStorage(c *RedoContext, r *wal.Record) error {
	switch {
	case r.Info == infoCreate && len(r.Data) == fileSize:
		f, fork := decodeFile(r.Data)
		return c.Store.Create(f, fork, true)
	case r.Info == infoTruncate && len(r.Data) == fileSize+4:
		f, fork := decodeFile(r.Data)
		n := base.BlockNumber(binary.LittleEndian.Uint32(r.Data[fileSize:]))
		if err := c.Store.Create(f, fork, true); err != nil { // it may be dropped later in the log
			return err
		}
		c.ForgetPages(f, fork, n)
		return c.Pool.Truncate(f, fork, n)
	}
	if len(r.Data) >= 4 {
		oid := base.OID(binary.LittleEndian.Uint32(r.Data))
		switch {
		case r.Info == infoDropDatabase && len(r.Data) == 4:
			c.ForgetDatabase(oid)
			c.Pool.DropDatabase(oid)
			return c.Store.DropDatabase(oid)
		case r.Info == infoCreateSpace:
			return c.Store.CreateSpace(oid, string(r.Data[4:]), true)
		case r.Info == infoMap:
			m, err := storage.DecodeRelMap(r.Data[4:], oid, storage.RelMapPath(oid))
			if err != nil {
				return err
			}
			return c.Store.SetMap(oid, m)
		case r.Info == infoDropSpace && len(r.Data) == 4:
			_, err := c.Store.DropSpace(oid) // files of what the log drops later keep it until the next start
			return err
		}
	}
	return pgerror.Corrupt("invalid storage record at %s", r.Start)
}

func describeStorage(r *wal.Record) string {
	if len(r.Data) >= 4 {
		oid := binary.LittleEndian.Uint32(r.Data)
		switch r.Info {
		case infoDropDatabase:
			return fmt.Sprintf("DROP DATABASE %d", oid)
		case infoCreateSpace:
			return fmt.Sprintf("CREATE TABLESPACE %d at \"%s\"", oid, r.Data[4:])
		case infoDropSpace:
			return fmt.Sprintf("DROP TABLESPACE %d", oid)
		case infoMap:
			return fmt.Sprintf("RELATION MAP of database %d", oid)
		}
	}
	if len(r.Data) < fileSize {
		return "invalid"
	}
	f, fork := decodeFile(r.Data)
	switch {
	case r.Info == infoCreate:
		return fmt.Sprintf("CREATE %s/%s", f, fork)
	case r.Info == infoTruncate && len(r.Data) == fileSize+4:
		return fmt.Sprintf("TRUNCATE %s/%s to %d blocks", f, fork, binary.LittleEndian.Uint32(r.Data[fileSize:]))
	}
	return "invalid"
}
