package engine

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"manifold/engine/vfs"
)

// prepareEngine opens a cluster that allows prepared transactions.
func prepareEngine(t *testing.T, fs vfs.FS) *Engine {
	t.Helper()
	e, err := Open(context.Background(), Config{FS: fs, SharedBuffers: 64 << 20, Settings: map[string]string{"max_prepared_transactions": "9"}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestPreparedSurvive: what is prepared is there after crashes and shutdowns, before and after checkpoints, with its locks.
func TestPreparedSurvive(t *testing.T) {
	for _, checkpoint := range []bool{false, true} {
		for _, crash := range []bool{true, false} {
			t.Run(fmt.Sprintf("checkpoint=%v/crash=%v", checkpoint, crash), func(t *testing.T) { preparedSurvive(t, checkpoint, crash) })
		}
	}
}

func preparedSurvive(t *testing.T, checkpoint, crash bool) {
	fs := newCluster(t)
	e := prepareEngine(t, fs)
	c := connect(t, e)
	for _, q := range []string{"create table p (id int primary key, v int)", "insert into p values (1, 10), (2, 20), (3, 30)",
		"begin; update p set v = 11 where id = 1; savepoint s; insert into p values (7, 70); rollback to s; insert into p values (8, 80); prepare transaction 'change'",
		"begin; select id from p where id = 2 for key share; prepare transaction 'lock'",
		"begin; create table made (a int); insert into made values (1); prepare transaction 'ddl'",
		"begin; update p set v = 33 where id = 3; prepare transaction 'back'"} {
		if got := c.run(q); strings.Contains(got, "ERROR") {
			t.Fatalf("%s: %s", q, got)
		}
	}
	restart := func() {
		if checkpoint {
			if _, err := e.Checkpoint(false, nil); err != nil {
				t.Fatal(err)
			}
		}
		c.b.Release(c.s)
		if crash {
			_ = e.Abandon()
			fs = fs.(*vfs.Mem).Crash(1)
		} else if err := e.Shutdown(); err != nil {
			t.Fatal(err)
		}
		e = prepareEngine(t, fs)
		c = connect(t, e)
		c.run("set lock_timeout = '1ms'")
	}
	check := func(q, want string) {
		t.Helper()
		if got := c.run(q); got != want {
			t.Errorf("%s\n got %s\nwant %s", q, got, want)
		}
	}
	refused := func(q string) {
		t.Helper()
		if got := c.run(q); !strings.Contains(got, "55P03") {
			t.Errorf("%s: %s", q, got)
		}
	}
	for range 2 {
		restart()
		check("select gid from pg_prepared_xacts order by 1", "back\nchange\nddl\nlock")
		check("select * from p order by id", "1|10\n2|20\n3|30")
		refused("update p set v = 0 where id = 1")
		refused("update p set v = 0 where id = 3")
		refused("delete from p where id = 2")
		refused("insert into p values (8, 0)")
		refused("begin; lock table p in exclusive mode")
		check("rollback", "ROLLBACK")
		check("begin; update p set v = v + 0 where id = 2; rollback", "BEGIN\nUPDATE 1\nROLLBACK")
		check("prepare transaction 'x'", "ROLLBACK")
	}
	check("commit prepared 'change'", "COMMIT PREPARED")
	check("commit prepared 'ddl'", "COMMIT PREPARED")
	check("rollback prepared 'back'", "ROLLBACK PREPARED")
	restart()
	check("select gid from pg_prepared_xacts", "lock")
	check("select * from p order by id", "1|11\n2|20\n3|30\n8|80")
	check("select * from made", "1")
	refused("delete from p where id = 2")
	check("rollback prepared 'lock'", "ROLLBACK PREPARED")
	check("delete from p where id = 2", "DELETE 1")
	check("update p set v = 12 where id = 1", "UPDATE 1")
	restart()
	check("select count(*) from pg_prepared_xacts", "0")
	check("select * from p order by id", "1|12\n3|30\n8|80")
}

// TestNumberOfALeftoverFile pins CREATE TABLE that failed with 58P02 after a crash: the file of a transaction whose log was lost
// had stayed, because a prepared transaction had changed catalogs, and its number was given again.
func TestNumberOfALeftoverFile(t *testing.T) {
	fs := newCluster(t).(*vfs.Mem)
	e := prepareEngine(t, fs)
	c := connect(t, e)
	c.run("begin; create table made (k int); prepare transaction 'ddl'")
	c.run("create temp table scratch (k int)")
	c.run("set synchronous_commit = off")
	c.run("begin; create table lost (k int primary key, v text); insert into lost values (1, 'x')")
	fs.Inject(vfs.Fault{Op: vfs.OpWrite, Match: "pg_wal/", Nth: 1, Sticky: true, Err: syscall.EIO}) // the log is lost
	_ = e.Abandon()
	fs = fs.Clone() // the directories are kept
	e = prepareEngine(t, fs)
	c = connect(t, e)
	if got := c.run("create table fresh (k int primary key, v text)"); got != "CREATE TABLE" {
		t.Error(got)
	}
	if got := c.run("select count(*) from pg_class where relpersistence = 't'"); got != "0" {
		t.Errorf("%s temporary relations outlive the crash", got)
	}
}

// TestEndOfPreparedIsDurable pins ROLLBACK PREPARED, and COMMIT PREPARED without synchronous_commit, that a power cut undid after
// they were answered: the transaction was prepared again.
func TestEndOfPreparedIsDurable(t *testing.T) {
	for _, end := range []string{"rollback prepared 'x'", "commit prepared 'x'"} {
		fs := newCluster(t).(*vfs.Mem)
		e := prepareEngine(t, fs)
		c := connect(t, e)
		c.run("create table p (id int)")
		c.run("begin; insert into p values (1); prepare transaction 'x'")
		c.run("set synchronous_commit = off")
		c.run(end)
		fs = fs.Crash(4) // loses all that is not synced
		_ = e.Abandon()
		c = connect(t, prepareEngine(t, fs))
		if got := c.run("select count(*) from pg_prepared_xacts"); got != "0" {
			t.Errorf("after %s: %s prepared", end, got)
		}
	}
}
