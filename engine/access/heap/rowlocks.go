package heap

import (
	"slices"
	"sync"
	"sync/atomic"

	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/txn"
)

const (
	rowShards = 64
	// maxRowLocks bounds the locks of one shard; beyond it they escalate.
	maxRowLocks = 1 << 14
)

// rowKey names a row version.
type rowKey struct {
	file base.RelFile
	tid  base.TID
}

type rowHolder struct {
	xid  base.XID // of the transaction or subtransaction that locked
	mode LockMode
}

// rowTable holds the row locks that do not fit in an xmax (DESIGN, section 3, rule 10). A holder whose transaction ended
// or rolled back is void: it is dropped when met, and when its transaction ends.
type rowTable struct {
	txns   *txn.Manager
	limit  int32 // locks of a shard
	shards [rowShards]rowShard

	wholeN  atomic.Int32 // entries of whole; read without the mutex
	wholeMu sync.Mutex   // taken after that of a shard
	// whole are locks on all rows of a relation: of transactions prepared before the start, and of those that met a full shard.
	whole map[base.OID][]rowHolder
}

type rowShard struct {
	n  atomic.Int32 // locks in the shard; read without the mutex
	mu sync.Mutex
	m  map[rowKey][]rowHolder
	_  [32]byte
}

func (rt *rowTable) init(txns *txn.Manager) {
	rt.txns, rt.limit, rt.whole = txns, maxRowLocks, map[base.OID][]rowHolder{}
	for i := range rt.shards {
		rt.shards[i].m = map[rowKey][]rowHolder{}
	}
}

func (rt *rowTable) shard(k rowKey) *rowShard {
	h := (uint64(k.file.Number)<<40 ^ k.tid.Pack()) * 0x9E3779B97F4A7C15
	return &rt.shards[h>>58]
}

// live drops the void holders of k and gives the others. The shard is locked.
func (rt *rowTable) liveLocked(s *rowShard, k rowKey) []rowHolder {
	hs := s.m[k]
	keep := hs[:0]
	for _, h := range hs {
		if st, _ := rt.txns.Status(h.xid); st == mvcc.InProgress {
			keep = append(keep, h)
		}
	}
	s.n.Add(int32(len(keep) - len(hs)))
	if len(keep) == 0 {
		delete(s.m, k)
		return nil
	}
	s.m[k] = keep
	return keep
}

// conflict gives a live holder, not one of own's, whose lock excludes mode; zero when there is none.
func (rt *rowTable) conflict(k rowKey, mode LockMode, own *mvcc.Identity) base.XID {
	s := rt.shard(k)
	if s.n.Load() == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range rt.liveLocked(s, k) {
		if !own.Has(h.xid) && h.mode.conflicts(mode) {
			return h.xid
		}
	}
	return 0
}

// holds tells whether own holds the row, of rel, at least as strongly as mode.
func (rt *rowTable) holds(k rowKey, rel base.OID, mode LockMode, own *mvcc.Identity) bool {
	if rt.wholeN.Load() > 0 && rt.holdsWhole(rel, mode, own.Has) {
		return true
	}
	s := rt.shard(k)
	if s.n.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range rt.liveLocked(s, k) {
		if own.Has(h.xid) && h.mode >= mode {
			return true
		}
	}
	return false
}

// held tells whether anybody holds the row.
func (rt *rowTable) held(k rowKey) bool {
	s := rt.shard(k)
	if s.n.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(rt.liveLocked(s, k)) > 0
}

// add records a lock of x on a row of rel. In a full shard it escalates: x then holds all rows of the relation.
func (rt *rowTable) add(k rowKey, rel base.OID, x base.XID, mode LockMode) {
	if rt.wholeN.Load() > 0 && rt.holdsWhole(rel, mode, func(h base.XID) bool { return h == x }) {
		return
	}
	s := rt.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	hs := rt.liveLocked(s, k)
	for i := range hs {
		if hs[i].xid == x {
			hs[i].mode = max(hs[i].mode, mode)
			return
		}
	}
	if s.n.Load() >= rt.limit {
		for k := range s.m {
			rt.liveLocked(s, k)
		}
	}
	if s.n.Load() >= rt.limit {
		rt.escalateLocked(s, k.file, rel, x, mode)
		return
	}
	s.m[k] = append(s.m[k], rowHolder{x, mode})
	s.n.Add(1)
}

// escalateLocked has x hold all rows of rel, at least as strongly as any row in the shard, which it need not name any more.
func (rt *rowTable) escalateLocked(s *rowShard, file base.RelFile, rel base.OID, x base.XID, mode LockMode) {
	for k, hs := range s.m {
		if i := slices.IndexFunc(hs, func(h rowHolder) bool { return h.xid == x }); i >= 0 && k.file == file {
			mode = max(mode, hs[i].mode)
		}
	}
	rt.lockWhole(rel, x, mode)
	for k, hs := range s.m {
		if k.file != file {
			continue
		}
		keep := slices.DeleteFunc(hs, func(h rowHolder) bool { return h.xid == x })
		s.n.Add(int32(len(keep) - len(hs)))
		if s.m[k] = keep; len(keep) == 0 {
			delete(s.m, k)
		}
	}
}

// inherit gives the new version of a row of rel the live holders of the old one.
func (rt *rowTable) inherit(from, to rowKey, rel base.OID) {
	s := rt.shard(from)
	if s.n.Load() == 0 {
		return
	}
	s.mu.Lock()
	hs := append([]rowHolder(nil), rt.liveLocked(s, from)...)
	s.mu.Unlock()
	for _, h := range hs {
		rt.add(to, rel, h.xid, h.mode)
	}
}

// lockWhole has x hold all rows of a relation: which ones it locked is not known any more.
func (rt *rowTable) lockWhole(rel base.OID, x base.XID, mode LockMode) {
	rt.wholeMu.Lock()
	defer rt.wholeMu.Unlock()
	hs := rt.whole[rel]
	if i := slices.IndexFunc(hs, func(h rowHolder) bool { return h.xid == x }); i >= 0 {
		hs[i].mode = max(hs[i].mode, mode)
		return
	}
	rt.whole[rel] = append(hs, rowHolder{x, mode})
	rt.wholeN.Store(int32(len(rt.whole)))
}

// holdsWhole tells whether one of own holds all rows of a relation, at least as strongly as mode.
func (rt *rowTable) holdsWhole(rel base.OID, mode LockMode, own func(base.XID) bool) bool {
	rt.wholeMu.Lock()
	defer rt.wholeMu.Unlock()
	return slices.ContainsFunc(rt.whole[rel], func(h rowHolder) bool { return h.mode >= mode && own(h.xid) })
}

// wholeConflict gives who holds all rows of a relation in conflict with mode.
func (rt *rowTable) wholeConflict(rel base.OID, mode LockMode, own *mvcc.Identity) base.XID {
	if rt.wholeN.Load() == 0 {
		return 0
	}
	rt.wholeMu.Lock()
	defer rt.wholeMu.Unlock()
	rt.liveWholeLocked(rel)
	for _, h := range rt.whole[rel] {
		if !own.Has(h.xid) && h.mode.conflicts(mode) {
			return h.xid
		}
	}
	return 0
}

// liveWholeLocked drops the void holders of all rows of a relation. wholeMu is held.
func (rt *rowTable) liveWholeLocked(rel base.OID) {
	keep := slices.DeleteFunc(rt.whole[rel], func(h rowHolder) bool {
		st, _ := rt.txns.Status(h.xid)
		return st != mvcc.InProgress
	})
	if rt.whole[rel] = keep; len(keep) == 0 {
		delete(rt.whole, rel)
	}
	rt.wholeN.Store(int32(len(rt.whole)))
}

// TransactionEnded drops what the ended transactions left behind. It implements txn.Cleaner; a transaction adds the
// table when it takes its first lock in memory.
func (rt *rowTable) TransactionEnded(*txn.Tx) {
	for i := range rt.shards {
		s := &rt.shards[i]
		if s.n.Load() == 0 {
			continue
		}
		s.mu.Lock()
		if len(s.m) <= 64 { // larger shards are swept as their rows are met
			for k := range s.m {
				rt.liveLocked(s, k)
			}
		}
		s.mu.Unlock()
	}
	if rt.wholeN.Load() > 0 {
		rt.wholeMu.Lock()
		for rel := range rt.whole {
			rt.liveWholeLocked(rel)
		}
		rt.wholeMu.Unlock()
	}
}
