package checkpoint

import (
	"encoding/binary"
	"fmt"

	"manifold/engine/base"
	"manifold/engine/control"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/wal"
)

const recordSize = 8 + 8 + 8 + 4 + 4 + 8

// encode writes the data of a checkpoint record: redo, next XID, oldest XID, next OID, timeline, time.
func encode(c control.Checkpoint) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(c.Redo))
	b = le.AppendUint64(b, uint64(c.NextXID))
	b = le.AppendUint64(b, uint64(c.OldestXID))
	b = le.AppendUint32(b, uint32(c.NextOID))
	b = le.AppendUint32(b, c.Timeline)
	return le.AppendUint64(b, uint64(c.Time))
}

// IsCheckpoint tells whether a record is that of a checkpoint.
func IsCheckpoint(r *wal.Record) bool {
	return r.RMgr == wal.RMgrXLOG && (r.Info == wal.InfoCheckpointOnline || r.Info == wal.InfoCheckpointShutdown)
}

// Decode reads a checkpoint record.
func Decode(r *wal.Record) (control.Checkpoint, error) {
	le := binary.LittleEndian
	if !IsCheckpoint(r) || len(r.Data) != recordSize {
		return control.Checkpoint{}, pgerror.Corrupt("invalid checkpoint record at %s", r.Start)
	}
	d := r.Data
	return control.Checkpoint{
		Redo:      base.LSN(le.Uint64(d)),
		NextXID:   base.XID(le.Uint64(d[8:])),
		OldestXID: base.XID(le.Uint64(d[16:])),
		NextOID:   base.OID(le.Uint32(d[24:])),
		Timeline:  le.Uint32(d[28:]),
		Time:      int64(le.Uint64(d[32:])),
	}, nil
}

// Manager is the resource manager of the log itself: checkpoints and plain images. InfoNextOID belongs to whoever counts
// OIDs; its redo is nextOID, which may be nil.
func Manager(nextOID func(base.OID)) rmgr.Manager {
	return rmgr.Manager{
		ID: rmgr.XLOG, Name: "XLOG",
		Redo: func(c *rmgr.RedoContext, r *wal.Record) error {
			switch r.Info {
			case wal.InfoCheckpointOnline, wal.InfoCheckpointShutdown:
				_, err := Decode(r)
				return err
			case wal.InfoImage, wal.InfoImageForHint:
				return c.RestoreImages(r)
			case wal.InfoNextOID:
				if len(r.Data) != 4 {
					return pgerror.Corrupt("invalid next OID record at %s", r.Start)
				}
				if nextOID != nil {
					nextOID(base.OID(binary.LittleEndian.Uint32(r.Data)))
				}
				return nil
			}
			return pgerror.Corrupt("unknown XLOG record %02X at %s", r.Info, r.Start)
		},
		Describe: describe,
	}
}

func describe(r *wal.Record) string {
	switch r.Info {
	case wal.InfoCheckpointOnline, wal.InfoCheckpointShutdown:
		c, err := Decode(r)
		if err != nil {
			return err.Error()
		}
		kind := "CHECKPOINT_ONLINE"
		if r.Info == wal.InfoCheckpointShutdown {
			kind = "CHECKPOINT_SHUTDOWN"
		}
		return fmt.Sprintf("%s redo %s; tli %d; next xid %d; next oid %d; oldest xid %d", kind, c.Redo, c.Timeline, c.NextXID,
			c.NextOID, c.OldestXID)
	case wal.InfoImage:
		return "FPI"
	case wal.InfoImageForHint:
		return "FPI_FOR_HINT"
	case wal.InfoNextOID:
		return "NEXTOID"
	}
	return fmt.Sprintf("UNKNOWN (%02X)", r.Info)
}
