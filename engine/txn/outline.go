package txn

import "manifold/engine/base"

// Outline tells in ids what a snapshot at s sees, as PostgreSQL's functions about snapshots do: every top-level transaction below xmin has
// ended, none from xmax on is seen, and unseen are those between them that are not, ascending. The snapshot must be registered and own,
// its transaction's id or zero, is in no list.
func (m *Manager) Outline(s base.LSN, own base.XID) (xmin, xmax base.XID, unseen []base.XID) {
	next := m.NextXID() // later ones began after the snapshot was taken
	d := m.ring.dir.Load()
	oldest := max(base.XID(d.first<<ringShift), base.FirstXID) // those below ended at or below the horizon
	slot := func(x base.XID) uint64 {
		n := uint64(x)>>ringShift - d.first
		if n >= uint64(len(d.segs)) {
			return slotRunning
		}
		return d.segs[n][uint64(x)&ringMask].Load()
	}
	sees := func(v uint64) bool { return v == slotOld || v > slotOld && base.LSN(v) <= s }
	xmax = next
	for xmax > oldest {
		if v := slot(xmax - 1); v&slotSub == 0 && sees(v) {
			break
		}
		xmax--
	}
	for x := oldest; x < xmax; x++ {
		if v := slot(x); v&slotSub == 0 && v != slotAborted && !sees(v) && x != own {
			unseen = append(unseen, x)
		}
	}
	xmin = xmax
	if len(unseen) > 0 {
		xmin = unseen[0]
	}
	if own != 0 {
		xmin = min(xmin, own)
	}
	return xmin, xmax, unseen
}
