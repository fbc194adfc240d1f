package engine

import (
	"strconv"
	"testing"

	"manifold/engine/access/heap"
	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog"
	"manifold/engine/tuple"
	"manifold/engine/txn"
	"manifold/engine/vfs"
)

// halfInserted is a session in the middle of INSERT ... ON CONFLICT: its row is in one unique index, and whether it stays depends
// on the next.
type halfInserted struct {
	c     *client
	w     *heap.Writer
	tid   base.TID
	token base.XID
}

func halfInsert(t *testing.T, e *Engine, insert string) halfInserted {
	t.Helper()
	h := halfInserted{c: connect(t, e), tid: base.TID{Block: 0, Offset: 2}}
	steps(t, h.c, "begin", "insert into t values (100, 100)", insert)
	s := h.c.s
	oid, err := strconv.Atoi(h.c.run("select 't'::regclass::oid"))
	if err != nil {
		t.Fatal(err)
	}
	tx := s.Proc.Tx()
	d, err := catalog.NewView(&catalog.HeapSource{Opened: e.opened, Task: s.Task, Tx: tx}, e.Cache(s.Database.OID)).Relation(base.OID(oid))
	if err != nil {
		t.Fatal(err)
	}
	h.w = e.opened.Table(d).NewWriter(s.Task, tx, txn.Wait{})
	buf, err := e.cluster.Pool.Pin(s.Task, base.PageTag{File: d.File, Fork: base.MainFork})
	if err != nil {
		t.Fatal(err)
	}
	buf.Lock()
	buf.MarkDirty()
	tuple.Tuple(buf.Page().Item(h.tid.Offset)).OrMask(tuple.Speculative)
	buf.UnlockRelease()
	if h.token, err = tx.LockToken(s.Task); err != nil {
		t.Fatal(err)
	}
	return h
}

const tokenLocks = "select locktype, database is null, transactionid is null, classid, objid, objsubid, mode, granted from pg_locks where locktype = 'spectoken' order by granted"

// TestRowTakenBackKeepsNobodyWaiting pins a false deadlock: who met a row that INSERT ... ON CONFLICT then took back waited for
// the inserter's transaction, which might next wait for him. Every kind of unique check waits for the row's token alone.
func TestRowTakenBackKeepsNobodyWaiting(t *testing.T) {
	for _, insert := range []string{
		"insert into t values (1, 2)",
		"insert into t values (7, 7), (1, 2)",
		"insert into t values (1, 2) on conflict (a) do update set b = 9",
		"insert into t values (1, 2) on conflict do nothing",
		"update t set a = 1 where a = 50",
	} {
		t.Run(insert, func(t *testing.T) {
			fs := newCluster(t)
			e := testEngine(t, fs)
			c, b := connect(t, e), connect(t, e)
			steps(t, c, "create table t (a int primary key, b int unique)", "insert into t values (50, 50)", "delete from t", "vacuum t")
			a := halfInsert(t, e, "insert into t values (1, 1)")
			if insert[0] == 'u' {
				steps(t, c, "insert into t values (50, 50)")
			}
			got := blocked(t, e, b, insert)
			// As PostgreSQL 15 shows it.
			wants(t, c.run(tokenLocks), "spectoken|f|t|1|0|0|ShareLock|f\nspectoken|f|t|1|0|0|ExclusiveLock|t")
			if err := a.w.Undo(a.tid); err != nil {
				t.Fatal(err)
			}
			a.c.s.Proc.Tx().UnlockToken(a.token)
			if out := <-got; out[:5] == "ERROR" {
				t.Errorf("%s: %s", insert, out)
			}
			wants(t, a.c.run("commit"), "COMMIT")
			wants(t, c.run("select count(*) from t where a in (1, 100) and b <> 1"), "2")
			for range 2 { // as it is, and as redo makes it
				if _, err := e.Check(activity.NewTask(0, nil), func(err error) { t.Error(err) }); err != nil {
					t.Error(err)
				}
				fs = fs.(*vfs.Mem).Crash(1)
				e = testEngine(t, fs)
				c = connect(t, e)
				wants(t, c.run("select count(*) from t where a in (1, 100) and b <> 1"), "2")
			}
			steps(t, c, "vacuum t")
		})
	}
}

// TestRowKeptKeepsOthersWaiting: once the row is sure, who waited for its token waits for the transaction.
func TestRowKeptKeepsOthersWaiting(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c, b := connect(t, e), connect(t, e)
	steps(t, c, "create table t (a int primary key, b int unique)")
	a := halfInsert(t, e, "insert into t values (1, 1)")
	got := blocked(t, e, b, "insert into t values (1, 2) on conflict (a) do update set b = excluded.b")
	if err := a.w.Confirm(a.tid); err != nil {
		t.Fatal(err)
	}
	a.c.s.Proc.Tx().UnlockToken(a.token)
	for c.run("select count(*) from pg_locks where locktype = 'transactionid' and not granted") != "1" {
	}
	wants(t, c.run(tokenLocks), "")
	steps(t, a.c, "commit")
	wants(t, <-got, "INSERT 0 1")
	wants(t, c.run("select * from t order by a"), "1|2\n100|100")
}

// TestLostConfirmation: the page may forget that a row was kept. Who has waited for the token then waits for the transaction, and
// does not ask for the token again and again.
func TestLostConfirmation(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create table t (a int primary key, b int unique)")
	a := halfInsert(t, e, "insert into t values (1, 1)")
	a.c.s.Proc.Tx().UnlockToken(a.token)
	for i, insert := range []string{"insert into t values (1, 2) on conflict (a) do update set b = excluded.b + 1", "insert into t values (1, 3)",
		"insert into t values (7, 7), (1, 4)"} {
		b := connect(t, e)
		got := make(chan string, 1)
		go func() { got <- b.run(insert) }()
		for c.run("select count(*) from pg_locks where locktype = 'transactionid' and not granted") != strconv.Itoa(i+1) {
		}
		defer func() { wants(t, (<-got)[:5], []string{"INSER", "ERROR", "ERROR"}[i]) }()
	}
	steps(t, a.c, "commit")
}

// TestConfirmationLogsAnImage: the mark of a row goes without a record, so that the page's first change after a checkpoint needs an
// image as with hints.
func TestConfirmationLogsAnImage(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create table t (a int primary key, b int unique)")
	a := halfInsert(t, e, "insert into t values (1, 1)")
	steps(t, c, "checkpoint")
	before := e.cluster.Log.Counts().Images
	if err := a.w.Confirm(a.tid); err != nil {
		t.Fatal(err)
	}
	if n := e.cluster.Log.Counts().Images - before; n != 1 {
		t.Errorf("%d images", n)
	}
	a.c.s.Proc.Tx().UnlockToken(a.token)
	steps(t, a.c, "commit")
}

// TestTokenGoesWithTheSavepoint: an error in the middle of the insertion ends the wait of others.
func TestTokenGoesWithTheSavepoint(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c, b := connect(t, e), connect(t, e)
	steps(t, c, "create table t (a int primary key, b int unique)")
	a := halfInsert(t, e, "savepoint s; insert into t values (1, 1)")
	got := blocked(t, e, b, "insert into t values (1, 2)")
	steps(t, a.c, "rollback to s")
	wants(t, <-got, "INSERT 0 1")
	steps(t, a.c, "commit")
}
