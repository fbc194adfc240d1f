package txn

import (
	"encoding/binary"
	"fmt"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/pgerror"
	"manifold/engine/rmgr"
	"manifold/engine/wal"
)

// The records of resource manager Storage: the file (16 bytes), the fork (1) and, for a truncation, the pages that stay (4).
const (
	infoCreate   uint8 = 1
	infoTruncate uint8 = 2
)

// CreateFork makes the file of a fork, logs that, and has it removed when the transaction rolls back.
func (t *Tx) CreateFork(task *activity.Task, f base.RelFile, fork base.Fork, logged bool) error {
	m := t.p.m
	if err := m.pool.Storage().Create(f, fork, false); err != nil {
		return err
	}
	if fork == base.MainFork {
		t.DropOnAbort(f)
	}
	if !logged {
		return nil
	}
	xid, err := t.XID(task)
	if err != nil {
		return err
	}
	b := m.Builder()
	defer m.Done(b)
	b.Begin(rmgr.Storage, infoCreate, xid)
	var buf [17]byte
	putFile(buf[:], f)
	buf[16] = byte(fork)
	b.Data(buf[:])
	_, err = m.log.Insert(b)
	return err
}

// Truncate cuts the fork of a relation to n pages, for good: the caller holds it so that nobody reads the pages beyond.
func (m *Manager) Truncate(f base.RelFile, fork base.Fork, n base.BlockNumber, logged bool) error {
	if logged {
		b := m.Builder()
		defer m.Done(b)
		b.Begin(rmgr.Storage, infoTruncate, base.InvalidXID)
		var buf [21]byte
		putFile(buf[:], f)
		buf[16] = byte(fork)
		binary.LittleEndian.PutUint32(buf[17:], uint32(n))
		b.Data(buf[:])
		lsn, err := m.log.Insert(b)
		if err != nil {
			return err
		}
		if err := m.log.Flush(lsn); err != nil { // the file must not be shorter than the log knows
			return err
		}
	}
	return m.pool.Truncate(f, fork, n)
}

// StorageManager gives the resource manager of the files of relations.
func StorageManager() rmgr.Manager {
	return rmgr.Manager{ID: rmgr.Storage, Name: "Storage", Redo: redoStorage, Describe: describeStorage}
}

func redoStorage(c *rmgr.RedoContext, r *wal.Record) error {
	switch {
	case r.Info == infoCreate && len(r.Data) == 17:
		return c.Store.Create(getFile(r.Data), base.Fork(r.Data[16]), true)
	case r.Info == infoTruncate && len(r.Data) == 21:
		f, fork := getFile(r.Data), base.Fork(r.Data[16])
		n := base.BlockNumber(binary.LittleEndian.Uint32(r.Data[17:]))
		have, err := c.Store.Blocks(f, fork)
		if err != nil {
			return err
		}
		c.ForgetPages(f, fork, n)
		if have <= n {
			return nil
		}
		return c.Pool.Truncate(f, fork, n)
	}
	return pgerror.Corrupt("storage record at %s has unknown kind %d", r.Start, r.Info)
}

func describeStorage(r *wal.Record) string {
	switch {
	case r.Info == infoCreate && len(r.Data) == 17:
		return fmt.Sprintf("CREATE %s %s", getFile(r.Data), base.Fork(r.Data[16]))
	case r.Info == infoTruncate && len(r.Data) == 21:
		return fmt.Sprintf("TRUNCATE %s %s to %d blocks", getFile(r.Data), base.Fork(r.Data[16]),
			binary.LittleEndian.Uint32(r.Data[17:]))
	}
	return fmt.Sprintf("unknown %d", r.Info)
}
