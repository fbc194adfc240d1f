package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"manifold/engine/access/btree"
	"manifold/engine/activity"
	"manifold/engine/wal"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"manifold/engine/access/heap"
	"manifold/engine/base"
	"manifold/engine/checkpoint"
	"manifold/engine/mvcc"
	"manifold/engine/relation"
	"manifold/engine/sequence"
	"manifold/engine/txn"
	"manifold/engine/types"
	"manifold/engine/vacuum"
	"manifold/engine/vfs"
)

const (
	crashSessions = 3
	crashKeys     = 300
)

// change is what a transaction did to a key: nil deleted it.
type change map[int64]*int64

// ledger is the commits in log order; those up to acked were answered. Any prefix that has these may survive.
type ledger struct {
	base    map[int64]int64
	commits []change
	acked   int
	lastSeq int64 // the greatest sequence value that was answered
}

func (l *ledger) apply(state map[int64]int64, c change) {
	for k, v := range c {
		if v == nil {
			delete(state, k)
		} else {
			state[k] = *v
		}
	}
}

// worker is a session with the state that it expects to see.
type worker struct {
	*sess
	n    int64
	view map[int64]int64 // of its own keys
	did  change
}

func seqDesc() *relation.Desc {
	return &relation.Desc{OID: 20100, Name: "seq", Kind: relation.KindSequence, Persistence: relation.Permanent,
		File: base.RelFile{Space: base.DefaultTablespace, Database: testDB, Number: 20100}}
}

var seqParams = sequence.Params{Start: 1, Increment: 1, Min: 1, Max: 1 << 60, Cache: 1}

func crashCluster(t *testing.T, fs *vfs.Mem, l *ledger, fresh, checks bool) (*Cluster, []*worker) {
	c := startOn(t, fs, 24)
	tuning := activity.LogTuning{Packing: wal.Packing([]string{"pglz", "lz4", "zstd", "off"}[len(l.base)%4])}
	if checks { // redo is compared with images of all pages
		tuning.Checks = math.MaxUint32
	}
	c.Log.SetTuning(tuning, nil)
	tab, ix := c.openKV()
	if fresh {
		if err := c.Store.CreateDatabase(base.DefaultTablespace, testDB); err != nil {
			t.Fatal(err)
		}
		s := c.session(t, 99, tab, ix)
		s.createKV()
		s.begin()
		s.must(sequence.New(c.Txns).Create(s.task, s.tx, seqDesc(), 1))
		s.commit()
	}
	var ws []*worker
	for i := range int64(crashSessions) {
		ws = append(ws, &worker{sess: c.session(t, uint32(i+1), tab, ix), n: i, did: change{}})
	}
	for _, w := range ws {
		w.view = map[int64]int64{}
		for k, v := range l.base {
			if k%crashSessions == w.n {
				w.view[k] = v
			}
		}
	}
	return c, ws
}

// workload runs until the power is cut.
func workload(r *rand.Rand, c *Cluster, ws []*worker, l *ledger) error {
	for {
		w := ws[r.IntN(len(ws))]
		var err error
		switch op := r.IntN(200); {
		case op == 199: // every page that is empty goes now, as far as it can
			c.Txns.RefreshHorizon()
			fallthrough
		case op == 198:
			_, _, err = w.ix.NewWriter(w.task).BulkDelete(func(base.TID) bool { return false }, nil)
		case op == 0:
			_, err = c.Check.Run(checkpoint.Request{Spare: 1})
		case op == 1:
			_, err = vacuum.Table(w.task, c.Txns, w.tab, []vacuum.Index{w.ix.NewWriter(w.task)}, vacuum.Options{Full: r.IntN(2) == 0,
				TryExclusive: func() bool { return true }})
		case op < 5:
			_, err = c.Pool.CleanBuffers(1<<20, 4)
		case op < 12:
			err = w.nextval(l)
		default:
			err = w.step(r, l)
		}
		if err != nil {
			return err
		}
	}
}

func (w *worker) nextval(l *ledger) error {
	v, _, err := sequence.New(w.c.Txns).Next(w.task, seqDesc(), seqParams)
	if err != nil {
		return err
	}
	if v <= l.lastSeq {
		w.t.Fatalf("sequence gave %d after %d", v, l.lastSeq)
	}
	if err := w.c.Txns.AwaitAnswer(w.task, 0, w.task.TakeLogDep()); err != nil {
		return err
	}
	l.lastSeq = v
	return nil
}

// step does one thing of a transaction.
func (w *worker) step(r *rand.Rand, l *ledger) error {
	if w.tx == nil || !w.tx.Running() {
		w.begin()
		w.did = change{}
	}
	switch op := r.IntN(20); {
	case op < 2:
		return w.end(r, l)
	case op == 2:
		w.abort()
		for k := range w.view {
			delete(w.view, k)
		}
		state := maps.Clone(l.base)
		for _, c := range l.commits {
			l.apply(state, c)
		}
		for k, v := range state {
			if k%crashSessions == w.n {
				w.view[k] = v
			}
		}
		return nil
	case op == 3: // a savepoint that comes to nothing
		view, did := maps.Clone(w.view), maps.Clone(w.did)
		w.tx.BeginSub("s")
		err := w.change(r)
		if err == nil {
			w.tx.AbortSub()
			w.view, w.did = view, did
		}
		return err
	case op == 4: // one that stays
		w.tx.BeginSub("s")
		err := w.change(r)
		if err == nil {
			w.tx.ReleaseSub()
		}
		return err
	}
	switch r.IntN(20) {
	case 0, 1:
		return w.load(r)
	case 2:
		return w.clear(r)
	}
	return w.change(r)
}

// load adds the missing ones of some neighbouring keys by one multi-insert.
func (w *worker) load(r *rand.Rand) error {
	var rows [][]types.Datum
	var keys []int64
	for k := r.Int64N(crashKeys-20) * crashSessions; len(keys) < 12 && k < crashKeys*crashSessions; k += crashSessions {
		if _, ok := w.view[k+w.n]; !ok {
			keys = append(keys, k+w.n)
			rows = append(rows, row(k+w.n, k, strings.Repeat("m", r.IntN(900))))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	tids := make([]base.TID, len(rows))
	if err := w.hw.MultiInsert(rows, tids); err != nil {
		return err
	}
	var entries []btree.Entry
	for i, k := range keys {
		entries = append(entries, btree.Entry{Key: keyOf(k), TID: tids[i], Unique: true})
	}
	slices.SortFunc(entries, func(a, b btree.Entry) int { return bytes.Compare(a.Key, b.Key) })
	v := mvcc.NewView(&mvcc.Snapshot{Own: w.tx.Identity()}, w.c.Txns, w.task)
	n, cf, err := w.iw.InsertMany(entries, &heap.Prober{Table: w.tab, View: &v})
	if err != nil {
		return err
	}
	if cf.Found || n != len(entries) {
		w.t.Fatalf("keys %v: %d inserted, conflict %+v", keys, n, cf)
	}
	for i, k := range keys {
		v := rows[i][1].I
		w.view[k], w.did[k] = v, &v
	}
	return w.tx.NextCommand()
}

// clear deletes neighbouring keys, so that vacuum finds empty leaves.
func (w *worker) clear(r *rand.Rand) error {
	first := r.Int64N(crashKeys) * crashSessions
	for k := first + w.n; k < first+60*crashSessions; k += crashSessions {
		if _, ok := w.view[k]; !ok {
			continue
		}
		res, err := w.remove(k)
		if err != nil {
			return err
		}
		if res.Outcome != heap.OK {
			w.t.Fatalf("delete of key %d: %+v", k, res)
		}
		delete(w.view, k)
		w.did[k] = nil
	}
	return nil
}

func (w *worker) end(r *rand.Rand, l *ledger) error {
	level := txn.LevelOn
	if r.IntN(3) == 0 {
		level = txn.LevelOff
	}
	l.commits = append(l.commits, w.did)
	wrote := w.tx.TopXID() != 0 // a reader's answer does not vouch for asynchronous commits before it
	if err := w.tryCommit(level); err != nil {
		return err
	}
	if wrote && level == txn.LevelOn {
		l.acked = len(l.commits)
	}
	return nil
}

func (w *worker) change(r *rand.Rand) error {
	k := r.Int64N(crashKeys)*crashSessions + w.n
	v := r.Int64N(1 << 40)
	text := strings.Repeat("t", r.IntN(4)*r.IntN(200))
	var snap mvcc.Snapshot
	w.tx.Snapshot(&snap)
	_, have, err := w.find(&snap, k)
	w.tx.Release(&snap)
	if err != nil {
		return err
	}
	want, ok := w.view[k]
	if (have != nil) != ok || ok && have[1].I != want {
		w.t.Fatalf("key %d: found %v, want %d %v", k, have, want, ok)
	}
	switch {
	case !ok:
		cf, err := w.insert(k, v, text)
		if err != nil {
			return err
		}
		if cf.Found {
			w.t.Fatalf("key %d: conflict %+v", k, cf)
		}
		if err := w.tx.NextCommand(); err != nil {
			return err
		}
	case r.IntN(4) == 0:
		res, err := w.remove(k)
		if err != nil {
			return err
		}
		if res.Outcome != heap.OK {
			w.t.Fatalf("delete of key %d: %+v", k, res)
		}
		delete(w.view, k)
		w.did[k] = nil
		return nil
	default:
		if r.IntN(3) == 0 {
			if err := w.lockKey(k, heap.LockMode(r.IntN(4))); err != nil {
				return err
			}
		}
		res, err := w.set(k, v, text)
		if err != nil {
			return err
		}
		if res.Outcome != heap.OK {
			w.t.Fatalf("update of key %d: %+v", k, res)
		}
	}
	w.view[k] = v
	w.did[k] = &v
	return nil
}

func (w *worker) lockKey(k int64, mode heap.LockMode) error {
	var snap mvcc.Snapshot
	w.tx.Snapshot(&snap)
	defer w.tx.Release(&snap)
	tid, _, err := w.find(&snap, k)
	if err != nil {
		return err
	}
	res, err := w.hw.Lock(tid, mode, heap.NoWait, &w.buf)
	if err == nil && res.Outcome != heap.OK {
		w.t.Fatalf("lock of key %d: %+v", k, res)
	}
	return err
}

// verify compares the table with the prefixes of the ledger that may have survived, and starts it anew from there.
func (l *ledger) verify(t *testing.T, seed uint64, c *Cluster) {
	t.Helper()
	tab, ix := c.openKV()
	s := c.session(t, 50, tab, ix)
	s.begin()
	got := s.allNow()
	state := maps.Clone(l.base)
	for i := 0; i <= len(l.commits); i++ {
		if i > 0 {
			l.apply(state, l.commits[i-1])
		}
		if i >= l.acked && maps.Equal(state, got) {
			l.base, l.commits, l.acked = state, nil, 0
			l.verifyIndex(t, seed, s)
			s.commit()
			return
		}
	}
	l.explain(t, got)
	t.Fatalf("seed %d: %d rows survived; no prefix of %d commits with %d acknowledged has them", seed, len(got), len(l.commits), l.acked)
}

// explain logs how far what survived is from the nearest prefix.
func (l *ledger) explain(t *testing.T, got map[int64]int64) {
	state, best, nearest := maps.Clone(l.base), 1<<30, 0
	var faults []string
	for i := 0; i <= len(l.commits); i++ {
		if i > 0 {
			l.apply(state, l.commits[i-1])
		}
		var diff []string
		for k := range int64(crashKeys * crashSessions) {
			if v, ok := state[k]; got[k] != v {
				diff = append(diff, fmt.Sprintf("key %d: %d instead of %d %v", k, got[k], v, ok))
			}
		}
		if len(diff) < best {
			best, nearest, faults = len(diff), i, diff
		}
	}
	t.Logf("nearest prefix %d of %d: %v", nearest, len(l.commits), faults)
}

func (l *ledger) verifyIndex(t *testing.T, seed uint64, s *sess) {
	t.Helper()
	s.c.Txns.RefreshHorizon()
	for _, e := range append(s.ix.Check(s.task, nil), s.tab.Check(s.task, 0)...) {
		t.Errorf("seed %d: %v", seed, e)
	}
	for k := range int64(crashKeys * crashSessions) {
		v, ok := s.get(k)
		if want, there := l.base[k]; ok != there || v != want {
			t.Fatalf("seed %d: key %d by index: %d %v, by scan %d %v", seed, k, v, ok, want, there)
		}
	}
}

// TestPowerCuts runs transactions through several power cuts: what was answered stays, what was not may go, in order.
func TestPowerCuts(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	compared := 0
	for seed := uint64(1); seed <= seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 7))
		fs := newFS(t)
		l := &ledger{base: map[int64]int64{}}
		c, ws := crashCluster(t, fs, l, true, seed%2 == 0)
		for round := range uint64(4) {
			fs.Inject(vfs.Fault{Nth: 1 + r.IntN(600), Err: vfs.ErrPowerCut})
			if err := workload(r, c, ws, l); !errors.Is(err, vfs.ErrPowerCut) {
				t.Fatalf("seed %d round %d: %v", seed, round, err)
			}
			fs = fs.Crash(seed*100 + round)
			check := startOn(t, fs, 64)
			l.verify(t, seed, check)
			compared += check.Compared
			if r.IntN(2) == 0 {
				fs = fs.Crash(seed*100 + 50 + round) // again, right after recovery
			} else if err := check.Shutdown(); err != nil {
				t.Fatal(err)
			}
			c, ws = crashCluster(t, fs, l, false, seed%2 == 0)
		}
	}
	if compared < 1000 {
		t.Errorf("only %d pages were compared after redo", compared)
	}
}
