package txn

import "manifold/engine/base"

// Counters are what a checkpoint record keeps of transactions.
type Counters struct {
	NextXID   base.XID
	NextOID   base.OID
	OldestXID base.XID
}

// CheckpointBegin gives the counters at the redo pointer; it runs in the commit section and does not block. Commits
// before the redo pointer have their commit-log bits in memory by then, but for subtransactions: see CheckpointWrite.
func (m *Manager) CheckpointBegin(base.LSN) Counters {
	m.cutXID.Store(m.oldestXID.Load())
	return Counters{
		NextXID:   m.NextXID(),
		NextOID:   base.OID(m.oidLogged.Load()),
		OldestXID: base.XID(m.cutXID.Load()),
	}
}

// CheckpointWrite makes the commit log durable, after the log past every commit in it (rule 8).
func (m *Manager) CheckpointWrite() error {
	if err := m.logPrepared(); err != nil {
		return err
	}
	m.commitSubs.Lock() // commits before the redo pointer finish setting the bits of their subtransactions
	m.commitSubs.Unlock()
	m.cuts.Lock() // so do cuts of files whose records are before it: redo would not repeat them
	m.cuts.Unlock()
	return m.clog.Flush(func() error { return m.log.Flush(m.Now()) })
}

// keptSegments is how much of the commit log stays in memory: 64 million transactions, 16 MB.
const keptSegments = 64

// CheckpointDone trims what the finished checkpoint makes unnecessary.
func (m *Manager) CheckpointDone(base.LSN) error {
	m.TrimRing()
	m.clog.Evict(m.OldestRunning(), keptSegments)
	return m.clog.Truncate(base.XID(m.cutXID.Load())) // not what was raised since: that may be lost in a crash
}

// SetOldestXID tells that no table holds a tuple whose transaction is older than x without hints that decide it, all of which
// is in the log, so that the commit log below may go at the next checkpoint.
func (m *Manager) SetOldestXID(x base.XID) { raise(&m.oldestXID, uint64(x)) }

// OldestXID gives what SetOldestXID has raised: the commit log does not know transactions below.
func (m *Manager) OldestXID() base.XID { return base.XID(m.oldestXID.Load()) }

// SettledXID gives an id below which every transaction has ended at or below the horizon.
func (m *Manager) SettledXID() base.XID {
	m.TrimRing()
	return max(base.XID(m.ring.dir.Load().first<<ringShift), base.FirstXID)
}

// maxAge bounds how far an id in a catalog's column of 32 bits may be from OldestXID.
const maxAge = 1<<31 - 1

// FullXID gives the id whose low bits a column of type xid holds: the one nearest to OldestXID. Those below the first normal
// id, which stand for no transaction, give OldestXID itself.
func (m *Manager) FullXID(low uint32) base.XID {
	near := m.OldestXID()
	if low < uint32(base.FirstXID) {
		return near
	}
	return max(base.FirstXID, base.XID(int64(near)+int64(int32(low-uint32(near)))))
}

// BoundXID gives the greatest id up to x that FullXID can tell again from its low bits.
func (m *Manager) BoundXID(x base.XID) base.XID {
	x = min(x, m.OldestXID()+maxAge)
	for uint32(x) < uint32(base.FirstXID) {
		x--
	}
	return x
}
