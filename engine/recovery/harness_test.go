package recovery

import (
	"encoding/binary"
	"testing"

	"manifold/engine/access/btree"
	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/buffer"
	"manifold/engine/lock"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/txn"
	"manifold/engine/types"
	"manifold/engine/vector"
	"manifold/engine/vfs"
	"manifold/engine/wal"
)

const testDB = 5

func testOptions(frames int) Options {
	return Options{WAL: wal.Options{BufferSize: 256 << 10}, Buffers: buffer.Options{Frames: frames},
		Ahead: Ahead{Buffer: 64 << 10, Concurrency: 10, InTurn: true}}
}

func newFS(t testing.TB) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	if err := Create(fs, 42, 256<<10, testOptions(64)); err != nil {
		t.Fatal(err)
	}
	return fs
}

func startOn(t testing.TB, fs vfs.FS, frames int) *Cluster {
	t.Helper()
	c, err := Start(fs, testOptions(frames))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newCluster(t testing.TB, frames int) *Cluster {
	t.Helper()
	c := startOn(t, newFS(t), frames)
	if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
		t.Fatal(err)
	}
	return c
}

// kv is a table (k int8 primary key, v int8, s text).
func kv() *relation.Desc {
	d := &relation.Desc{
		OID: 20000, Name: "kv", Kind: relation.KindTable, Persistence: relation.Permanent,
		File: base.RelFile{Space: base.DefaultTablespace, Database: testDB, Number: 20000},
		Columns: []relation.Column{
			{Name: "k", Type: types.OIDInt8, Len: 8}, {Name: "v", Type: types.OIDInt8, Len: 8}, {Name: "s", Type: types.OIDText, Len: -1},
		},
	}
	d.Indexes = []*relation.Index{{
		OID: 20001, Table: d.OID, Name: "kv_pkey", Unique: true, Primary: true, Immediate: true, Valid: true, Ready: true,
		File: base.RelFile{Space: base.DefaultTablespace, Database: testDB, Number: 20001},
		Keys: []relation.IndexKey{{Attr: 1, Type: types.OIDInt8}},
	}}
	return d
}

// keyOf is the order of the keys' encodings; every seventh is long, so that small trees have several levels.
func keyOf(k int64) []byte {
	return appendKey(nil, k)
}

func appendKey(dst []byte, k int64) []byte {
	if k%7 == 3 {
		return binary.BigEndian.AppendUint64(append(append(dst, 2), make([]byte, 1500)...), uint64(k)^1<<63)
	}
	return binary.BigEndian.AppendUint64(append(dst, 1), uint64(k)^1<<63)
}

// sess is a session of the tests.
type sess struct {
	t    testing.TB
	c    *Cluster
	task *activity.Task
	own  *lock.Owner
	proc *txn.Proc
	tx   *txn.Tx
	tab  *heap.Table
	ix   *btree.Index
	hw   *heap.Writer
	iw   *btree.Writer
	scan *btree.Scan
	buf  []byte
}

func (c *Cluster) session(t testing.TB, pid uint32, tab *heap.Table, ix *btree.Index) *sess {
	s := &sess{t: t, c: c, task: activity.NewTask(pid, nil), own: c.Locks.NewOwner(pid), tab: tab, ix: ix}
	s.proc = c.Txns.NewProc(s.own)
	return s
}

func (c *Cluster) openKV() (*heap.Table, *btree.Index) {
	d := kv()
	return c.Heaps.Open(d), btree.Open(c.Txns, d.Indexes[0], true)
}

func (s *sess) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *sess) begin() {
	s.tx = s.proc.Begin()
	s.hw = s.tab.NewWriter(s.task, s.tx, txn.Wait{})
	s.iw = s.ix.NewWriter(s.task)
	s.scan = s.ix.NewScan(s.task)
}

func (s *sess) commit() {
	s.t.Helper()
	s.must(s.tryCommit(txn.LevelOn))
}

func (s *sess) tryCommit(l txn.Level) error {
	if _, err := s.tx.Commit(s.task, l); err != nil {
		return err
	}
	return s.c.Txns.AwaitAnswer(s.task, s.task.TakeDep(), s.task.TakeLogDep())
}

func (s *sess) abort() { s.tx.Abort(s.task) }

func (s *sess) createKV() {
	s.t.Helper()
	s.begin()
	s.must(heap.Create(s.hw, s.tab.Desc))
	s.must(s.ix.Create(s.task, s.tx))
	s.commit()
}

func row(k, v int64, str string) []types.Datum {
	return []types.Datum{types.Int(k), types.Int(v), types.Text(str)}
}

// insert gives the conflict of the unique index; without one the row is in.
func (s *sess) insert(k, v int64, str string) (btree.Conflict, error) {
	tid, err := s.hw.Insert(row(k, v, str))
	if err != nil {
		return btree.Conflict{}, err
	}
	return s.index(k, tid)
}

func (s *sess) index(k int64, tid base.TID) (btree.Conflict, error) {
	v := mvcc.NewView(&mvcc.Snapshot{Own: s.tx.Identity()}, s.c.Txns, s.task)
	return s.iw.Insert(keyOf(k), tid, nil, &heap.Prober{Table: s.tab, View: &v})
}

// find looks a row up by key in a snapshot.
func (s *sess) find(snap *mvcc.Snapshot, k int64) (base.TID, []types.Datum, error) {
	v := mvcc.NewView(snap, s.c.Txns, s.task)
	key := keyOf(k)
	s.scan.Reset(btree.Range{Lo: key, Hi: key}, false, false)
	for {
		tids, err := s.scan.Next()
		if err != nil || len(tids) == 0 {
			return base.TID{}, nil, err
		}
		for i, tid := range tids {
			f, err := s.tab.Fetch(&v, tid, &s.buf)
			if err != nil {
				return base.TID{}, nil, err
			}
			if f.Row != nil {
				return f.TID, s.tab.Layout.Deform(make([]types.Datum, 3), f.Row), nil
			}
			dead, err := s.tab.AllDead(&v, tid)
			if err != nil {
				return base.TID{}, nil, err
			}
			if dead {
				s.scan.Kill(i)
			}
		}
	}
}

// get reads v of a key at the moment.
func (s *sess) get(k int64) (v int64, found bool) {
	s.t.Helper()
	var snap mvcc.Snapshot
	s.tx.Snapshot(&snap)
	defer s.tx.Release(&snap)
	_, r, err := s.find(&snap, k)
	s.must(err)
	if r == nil {
		return 0, false
	}
	return r[1].I, true
}

// set updates v of a key as READ COMMITTED does, following newer versions.
func (s *sess) set(k, v int64, str string) (heap.Result, error) {
	var snap mvcc.Snapshot
	s.tx.Snapshot(&snap)
	defer s.tx.Release(&snap)
	tid, r, err := s.find(&snap, k)
	if err != nil || r == nil {
		return heap.Result{Outcome: heap.Deleted}, err
	}
	for {
		res, err := s.hw.Update(tid, row(k, v, str))
		if err != nil {
			return res, err
		}
		if res.Outcome == heap.Updated {
			tid = res.CTID
			continue
		}
		if res.Outcome == heap.OK && !res.HOT {
			_, err = s.index(k, res.TID)
		}
		if err == nil {
			err = s.tx.NextCommand()
		}
		return res, err
	}
}

func (s *sess) remove(k int64) (heap.Result, error) {
	var snap mvcc.Snapshot
	s.tx.Snapshot(&snap)
	defer s.tx.Release(&snap)
	tid, r, err := s.find(&snap, k)
	if err != nil || r == nil {
		return heap.Result{Outcome: heap.Deleted}, err
	}
	for {
		res, err := s.hw.Delete(tid)
		if err != nil || res.Outcome != heap.Updated {
			if err == nil {
				err = s.tx.NextCommand()
			}
			return res, err
		}
		tid = res.CTID
	}
}

// all reads the table by a scan.
func (s *sess) all(snap *mvcc.Snapshot) map[int64]int64 {
	s.t.Helper()
	sc, err := s.tab.NewScan(mvcc.NewView(snap, s.c.Txns, s.task))
	s.must(err)
	out := map[int64]int64{}
	var b vector.Batch
	for want := 1; ; want = min(want*3, vector.BatchSize) {
		n, err := sc.Next(want, &b, []int{0, 1, 2})
		s.must(err)
		if n == 0 {
			return out
		}
		for i := range n {
			k := b.Cols[0].Fixed[i]
			if _, twice := out[k]; twice {
				s.t.Fatalf("key %d is visible twice", k)
			}
			out[k] = b.Cols[1].Fixed[i]
		}
	}
}
