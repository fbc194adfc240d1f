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
	return Counters{
		NextXID:   m.NextXID(),
		NextOID:   base.OID(m.oidLogged.Load()),
		OldestXID: base.XID(m.oldestXID.Load()),
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
	return m.clog.Truncate(base.XID(m.oldestXID.Load()))
}

// SetOldestXID tells that no table holds a tuple whose transaction is older than x without hints that decide it, so
// that the commit log below may go at the next checkpoint.
func (m *Manager) SetOldestXID(x base.XID) { raise(&m.oldestXID, uint64(x)) }
