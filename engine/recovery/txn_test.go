package recovery

import (
	"testing"

	"manifold/engine/base"
	"manifold/engine/mvcc"
	"manifold/engine/txn"
)

func TestHorizonStaysBelowSnapshots(t *testing.T) {
	c, a, b := newPair(t, 64)
	commit := func(k int64) base.LSN {
		a.begin()
		_, err := a.insert(k, k, "")
		a.must(err)
		lsn, err := a.tx.Commit(a.task, txn.LevelOn)
		a.must(err)
		return lsn
	}
	commit(1)
	b.begin()
	var s1, s2 mvcc.Snapshot
	b.tx.Snapshot(&s1)
	after := commit(2)
	b.tx.Snapshot(&s2)
	a.must(c.Log.Flush(after))
	if h := c.Txns.RefreshHorizon(); h > s1.S {
		t.Fatalf("horizon %s beyond snapshot %s", h, s1.S)
	}
	b.tx.Release(&s1)
	if h := c.Txns.RefreshHorizon(); h != s2.S {
		t.Fatalf("horizon %s, the oldest snapshot is %s", h, s2.S)
	}
	b.tx.Release(&s2)
	b.commit()
	// A commit that is not durable holds the horizon back.
	a.begin()
	_, err := a.insert(3, 3, "")
	a.must(err)
	lsn, err := a.tx.Commit(a.task, txn.LevelOff)
	a.must(err)
	if a.task.Dep() >= lsn {
		t.Fatal("an asynchronous commit waits for itself")
	}
	if h := c.Txns.RefreshHorizon(); h >= lsn && c.Log.FlushedLSN() < lsn {
		t.Fatalf("horizon %s at a commit %s that is not durable", h, lsn)
	}
}

// TestLateAnswers: a reader that met a commit which is not durable yet waits for it, another does not.
func TestLateAnswers(t *testing.T) {
	c, a, b := newPair(t, 64)
	a.begin()
	_, err := a.insert(1, 1, "")
	a.must(err)
	lsn, err := a.tx.Commit(a.task, txn.LevelOn)
	a.must(err)
	b.begin()
	b.task.TakeDep()
	b.get(2)
	if b.task.Dep() != 0 && c.Txns.NeedsWait(b.task.Dep(), 0) && b.task.Dep() < lsn {
		t.Fatal("a reader of nothing waits")
	}
	b.task.TakeDep()
	b.get(1)
	if c.Log.FlushedLSN() < lsn && b.task.Dep() != lsn {
		t.Fatalf("dependency %s, want %s", b.task.Dep(), lsn)
	}
	b.must(c.Txns.AwaitAnswer(b.task, b.task.TakeDep(), 0))
	if c.Log.FlushedLSN() < lsn {
		t.Fatal("the answer did not wait")
	}
	b.commit()
}

func TestRingGivesWayToTheCommitLog(t *testing.T) {
	c, a, _ := newPair(t, 64)
	const n = 20000
	var committed, rolledBack []base.XID
	for i := range n {
		a.begin()
		if i%5 == 0 {
			a.tx.BeginSub("s")
		}
		x, err := a.tx.XID(a.task)
		a.must(err)
		if i%3 == 0 {
			a.abort()
			rolledBack = append(rolledBack, x)
			continue
		}
		_, err = a.tx.Commit(a.task, txn.LevelOff)
		a.must(err)
		committed = append(committed, x)
	}
	a.must(c.Log.Flush(c.Log.InsertLSN()))
	c.Txns.TrimRing()
	for _, x := range committed {
		if st, _ := c.Txns.Status(x); st != mvcc.Committed {
			t.Fatalf("transaction %d: %d", x, st)
		}
	}
	for _, x := range rolledBack {
		if st, _ := c.Txns.Status(x); st != mvcc.Aborted {
			t.Fatalf("transaction %d: %d", x, st)
		}
	}
	if _, l := c.Txns.Status(committed[0]); l != 0 {
		t.Fatal("the ring kept its first segment")
	}
}

func TestCountersSurviveCrashes(t *testing.T) {
	fs := newFS(t)
	var lastOID base.OID
	var lastXID base.XID
	for round := range uint64(4) {
		c := startOn(t, fs, 64)
		if c.Txns.NextXID() <= lastXID {
			t.Fatalf("next id %d after %d", c.Txns.NextXID(), lastXID)
		}
		tab, ix := c.openKV()
		s := c.session(t, 1, tab, ix)
		for range 9000 {
			oid, err := c.Txns.NewOID()
			s.must(err)
			if oid <= lastOID {
				t.Fatalf("OID %d after %d", oid, lastOID)
			}
			lastOID = oid
		}
		s.begin()
		x, err := s.tx.XID(s.task)
		s.must(err)
		s.commit()
		lastXID = x
		fs = fs.Crash(round)
	}
}
