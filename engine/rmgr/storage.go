package rmgr

import (
	"encoding/binary"
	"fmt"

	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/wal"
)

// The records of the storage manager. Drops belong to the commit records of transactions.
const (
	infoCreate   uint8 = 0x10 // relation file, fork
	infoTruncate uint8 = 0x20 // relation file, fork, blocks
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

// StorageManager replays the records above.
func StorageManager() Manager {
	return Manager{ID: Storage, Name: "Storage", Redo: redoStorage, Describe: describeStorage}
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
	return pgerror.Corrupt("invalid storage record at %s", r.Start)
}

func describeStorage(r *wal.Record) string {
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
