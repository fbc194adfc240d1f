package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"manifold/engine/activity"
	"manifold/engine/base"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/lock"
	"manifold/engine/vfs"
)

// TestDatabaseTablespace makes a database in a tablespace and moves one, with PostgreSQL's refusals; a crash keeps what was done.
func TestDatabaseTablespace(t *testing.T) {
	fs := newCluster(t).(*vfs.Mem)
	e := testEngine(t, fs)
	c := connect(t, e)
	check := func(c *client, sql, want string) {
		t.Helper()
		if got := c.run(sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	const homes = "select datname, spcname from pg_database d join pg_tablespace s on s.oid = dattablespace where datname like 'x%' order by 1"
	check(c, "create tablespace fast location '/disk'", "CREATE TABLESPACE")
	check(c, "create database x tablespace nosuch", `ERROR 42704: tablespace "nosuch" does not exist`)
	check(c, "create database x tablespace pg_global", "ERROR 22023: pg_global cannot be used as default tablespace")
	check(c, "create database x tablespace default", "CREATE DATABASE")
	check(c, "create database x2 tablespace fast", "CREATE DATABASE")
	check(c, homes, "x|pg_default\nx2|fast")
	check(c, "alter database x set tablespace nosuch", `ERROR 42704: tablespace "nosuch" does not exist`)
	check(c, "alter database x set tablespace pg_global", "ERROR 22023: pg_global cannot be used as default tablespace")
	check(c, "alter database x with connection limit 3 tablespace fast", `ERROR 0A000: option "tablespace" cannot be specified with other options`)
	check(c, "begin; alter database x set tablespace fast", "BEGIN\nERROR 25001: ALTER DATABASE SET TABLESPACE cannot run inside a transaction block")
	check(c, "rollback", "ROLLBACK")
	check(c, "alter database postgres set tablespace fast", "ERROR 55006: cannot change the tablespace of the currently open database")
	x := connectTo(t, e, "x")
	check(x, "create table t (i int) tablespace fast", "CREATE TABLE")
	check(x, "create table u (i int primary key, v text); insert into u select i, repeat('y', 3000) from generate_series(1, 300) i", "CREATE TABLE\nINSERT 0 300")
	check(c, "alter database x set tablespace fast",
		"ERROR 55006: database \"x\" is being accessed by other users\nDETAIL There is 1 other session using the database.")
	x.leave()
	check(c, "alter database x set tablespace fast", `ERROR 55000: some relations of database "x" are already in tablespace "fast"`)
	check(c, "create database xy template x tablespace fast",
		"ERROR 0A000: cannot assign new default tablespace \"fast\"\nDETAIL There is a conflict because database \"x\" already has some tables in this tablespace.")
	x = connectTo(t, e, "x")
	check(x, "drop table t", "DROP TABLE")
	x.leave()
	check(c, "alter database x set tablespace fast", "ALTER DATABASE")
	check(c, "alter database x set tablespace fast", "ALTER DATABASE")
	check(c, "drop tablespace fast", `ERROR 55000: tablespace "fast" is not empty`)
	check(c, homes, "x|fast\nx2|fast")
	x = connectTo(t, e, "x")
	check(x, "create table t3 (i int) tablespace fast; create table t4 (i int) tablespace pg_default", "CREATE TABLE\nCREATE TABLE")
	check(x, "select relname, reltablespace from pg_class where relname in ('t3', 't4', 'u') order by 1", "t3|0\nt4|1663\nu|0")
	check(x, "select pg_relation_filepath('pg_class') ~ '^pg_tblspc', pg_relation_filepath('u') ~ '^pg_tblspc', pg_relation_filepath('t4') ~ '^base'", "t|t|t")
	check(x, "select count(*), sum(length(v)) from u", "300|900000")
	check(x, "insert into u values (301, '')", "INSERT 0 1")
	x.leave()
	check(c, "alter database x set tablespace pg_default", `ERROR 55000: some relations of database "x" are already in tablespace "pg_default"`)
	check(c, "create database xz template x", "CREATE DATABASE")

	_ = e.Abandon()
	fs = fs.Crash(3)
	e = testEngine(t, fs)
	c = connect(t, e)
	check(c, homes, "x|fast\nx2|fast\nxz|fast")
	if faults := checkFaults(t, e); len(faults) > 0 {
		t.Error(faults)
	}
	for _, db := range []string{"x", "xz"} {
		x = connectTo(t, e, db)
		check(x, "select count(*), sum(length(v)) from u", "301|900000")
		check(x, "drop table t4", "DROP TABLE")
		x.leave()
		check(c, "alter database "+db+" set tablespace pg_default", "ALTER DATABASE")
		x = connectTo(t, e, db)
		check(x, "select count(*), sum(length(v)) from u", "301|900000")
		steps(t, x, "vacuum full u", "reindex table u", "insert into u values (302, '')")
		x.leave()
	}
	check(c, "drop database x2; ", "DROP DATABASE")
	check(c, "drop tablespace fast", "DROP TABLESPACE")
	if faults := checkFaults(t, e); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestPreparedTransactionKeepsItsDatabase pins DROP DATABASE beside a prepared transaction, whose tables went with the database.
func TestPreparedTransactionKeepsItsDatabase(t *testing.T) {
	e := prepareEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create tablespace fast location '/disk'", "create database x")
	x := connectTo(t, e, "x")
	steps(t, x, "begin", "create table t (i int)", "prepare transaction 'one'", "begin", "create table u (i int)", "prepare transaction 'two'")
	const other = "There are 1 other session(s) and 2 prepared transaction(s) using the database."
	wants(t, c.run("drop database x"), "ERROR 55006: database \"x\" is being accessed by other users\nDETAIL "+other)
	steps(t, x, "rollback prepared 'two'")
	x.leave()
	const detail = "\nDETAIL There is 1 prepared transaction using the database."
	for sql, want := range map[string]string{
		"drop database x":                      "database \"x\" is being accessed by other users",
		"drop database x with (force)":         "database \"x\" is being used by prepared transactions",
		"alter database x rename to y":         "database \"x\" is being accessed by other users",
		"create database y template x":         "source database \"x\" is being accessed by other users",
		"alter database x set tablespace fast": "database \"x\" is being accessed by other users",
	} {
		wants(t, c.run(sql), "ERROR 55006: "+want+detail)
	}
	x = connectTo(t, e, "x")
	steps(t, x, "commit prepared 'one'", "insert into t values (1)")
	x.leave()
	steps(t, c, "drop database x")
}

// TestMovedDatabasePowerCuts cuts the power at random writes while a database moves back and forth between tablespaces.
func TestMovedDatabasePowerCuts(t *testing.T) {
	if testing.Short() {
		t.Skip("twelve restarts of one session")
	}
	fs := newCluster(t).(*vfs.Mem)
	e := testEngine(t, fs)
	c := connect(t, e)
	steps(t, c, "create tablespace fast location '/disk'", "create database x")
	x := connectTo(t, e, "x")
	steps(t, x, "create table u (i int primary key, v text)", "insert into u select i, repeat('y', 3000) from generate_series(1, 50) i")
	x.leave()
	r := rand.New(rand.NewPCG(7, 7))
	cut := 0
	for round := range 12 {
		fs.Inject(vfs.Fault{Nth: 1 + r.IntN(600), Err: vfs.ErrPowerCut})
		where := []string{"fast", "pg_default"}
		for i := 0; ; i++ {
			err := c.try(fmt.Sprintf("alter database x set tablespace %s", where[i%2]))
			if err == nil && i < 6 {
				continue
			}
			if err != nil && !errors.Is(err, vfs.ErrPowerCut) && !strings.Contains(err.Error(), "power") {
				t.Fatal(err)
			}
			if err != nil {
				cut++
			}
			break
		}
		_ = e.Abandon()
		fs = fs.Crash(uint64(round))
		e = testEngine(t, fs)
		c = connect(t, e)
		x = connectTo(t, e, "x")
		wants(t, x.run("select count(*), sum(length(v)), count(distinct i) from u"), "50|150000|50")
		x.leave()
		if faults := checkFaults(t, e); len(faults) > 0 {
			t.Fatal(round, faults)
		}
		steps(t, c, "checkpoint")
		files, err := e.filesByDatabase()
		if err != nil {
			t.Fatal(err)
		}
		home := c.run("select dattablespace from pg_database where datname = 'x'")
		other := 0
		for _, f := range files[x.s.Database.OID] {
			if fmt.Sprint(f.Space) != home {
				other++
			}
		}
		if other > 0 {
			t.Errorf("round %d: %d files where the database is not", round, other)
		}
	}
	if cut < 4 {
		t.Errorf("the power was cut %d times", cut)
	}
}

// TestDatabaseMovesOverWhatACrashLeft pins a move to where a crash has cut another one, beside a prepared transaction whose tables
// keep the start from removing files that no catalog knows: 58P02, since the files were there.
func TestDatabaseMovesOverWhatACrashLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("fifteen restarts of one session")
	}
	fs := newCluster(t).(*vfs.Mem)
	open := func() *Engine {
		e, err := Open(context.Background(), Config{FS: fs, SharedBuffers: 4 << 20, WALBuffers: 256 << 10,
			Settings: map[string]string{"max_prepared_transactions": "9"}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := open()
	c := connect(t, e)
	steps(t, c, "create tablespace fast location '/disk'", "create database x", "begin", "create table p (i int)", "prepare transaction 'p'")
	left := 0
	for nth := 200; nth <= 3000; nth += 200 {
		fs.Inject(vfs.Fault{Nth: nth, Err: vfs.ErrPowerCut})
		if err := c.try("alter database x set tablespace fast"); err == nil {
			t.Fatal("the power was not cut")
		}
		_ = e.Abandon()
		fs = fs.Crash(uint64(nth))
		e = open()
		c = connect(t, e)
		files, err := e.filesByDatabase()
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range files {
			for _, f := range list {
				if f.Space >= base.FirstNormalOID {
					left++
				}
			}
		}
		wants(t, c.run("alter database x set tablespace fast"), "ALTER DATABASE")
		wants(t, c.run("alter database x set tablespace pg_default"), "ALTER DATABASE")
	}
	if left == 0 {
		t.Error("no crash left a file")
	}
	if faults := checkFaults(t, e); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestLoginWhileDatabaseMoves: nobody gets into a database between the look for its sessions and the end of its move, and who began
// to log in before finds it in its new place, or gone.
func TestLoginWhileDatabaseMoves(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create tablespace fast location '/disk'", "create database x")
	task := activity.NewTask(0, nil)
	l, err := e.Login(task, "postgres", "x")
	if err != nil {
		t.Fatal(err)
	}
	arrive := func() (*client, error) {
		s := e.NewSession(task)
		if err := e.StartSession(s, l, nil); err != nil {
			t.Fatal(err)
		}
		late := &client{t: t, e: e, s: s, b: e.NewBackend()}
		err := e.Register(s)
		if err != nil {
			e.Unregister(s)
		}
		return late, err
	}
	owner := e.cluster.Locks.NewOwner(77)
	defer owner.Close()
	tag := lock.Object(0, bootstrap.RelDatabase, l.Database.OID, 0)
	if _, err := e.cluster.Locks.Acquire(task, owner, lock.Request{Tag: tag, Mode: lock.AccessExclusive}); err != nil {
		t.Fatal(err)
	}
	if _, err := arrive(); err == nil || !strings.Contains(err.Error(), `database "x" is being dropped or moved`) {
		t.Errorf("while it is locked: %v", err)
	}
	owner.ReleaseTransaction()
	steps(t, c, "alter database x set tablespace fast")
	late, err := arrive()
	if err != nil {
		t.Fatal(err)
	}
	steps(t, late, "begin", "create table t (i int)", "insert into t values (1)", "commit")
	wants(t, late.run("select count(*), pg_relation_filepath('t') ~ '^pg_tblspc' from t"), "1|t")
	late.leave()
	steps(t, c, "drop database x")
	if _, err := arrive(); err == nil || !strings.Contains(err.Error(), `database "x" does not exist`) {
		t.Errorf("once it is gone: %v", err)
	}
}
