package engine

import (
	"fmt"
	"testing"

	"manifold/engine/vfs"
)

// TestCatalogsMove: catalogs are rewritten, and everybody reads the new files, after a crash and in other databases too.
func TestCatalogsMove(t *testing.T) {
	fs := newCluster(t).(*vfs.Mem)
	e := testEngine(t, fs)
	a, b := connect(t, e), connect(t, e)
	steps(t, a, "create table t (k int primary key, v text)", "insert into t values (1, 'a')", "create database other")
	o := connectTo(t, e, "other")
	wants(t, b.run("select count(*) from pg_class where relname = 't'"), "1")
	for i := range 3 {
		steps(t, a, "vacuum full", "reindex system postgres", "cluster pg_class using pg_class_oid_index",
			fmt.Sprintf("create table t%d (k int)", i), "begin", "reindex table pg_attribute", "create table no (k int)", "rollback",
			"begin", "savepoint a", "reindex table pg_index", "rollback to a", "create index on t (v)", "reindex table pg_index",
			"cluster pg_index using pg_index_indexrelid_index", "commit")
		steps(t, o, "create table o (k int)", "drop table o", "vacuum full pg_class", "reindex database other")
		for _, c := range []*client{a, b} {
			wants(t, c.run("select v from t where k = 1"), "a")
			wants(t, c.run("select count(*) from pg_class where relname ~ '^t[0-9]?$'"), fmt.Sprint(i+2))
			wants(t, c.run("select pg_relation_filenode('pg_class') > 16384, pg_relation_size('pg_class') > 0"), "t|t")
			wants(t, c.run("select count(*) from pg_attribute where attrelid = 't'::regclass and attnum > 0"), "2")
			wants(t, c.run("select count(*) from pg_index where indrelid = 't'::regclass"), fmt.Sprint(i+2))
		}
		steps(t, a, "create database d"+fmt.Sprint(i), "create role r"+fmt.Sprint(i))
		wants(t, o.run("select count(*) from pg_roles where rolname ~ '^r[0-9]$'"), fmt.Sprint(i+1))
		d := connectTo(t, e, "d"+fmt.Sprint(i))
		wants(t, d.run("select count(*) > 200 from pg_class"), "t")
		if faults := checkFaults(t, e); len(faults) > 0 {
			t.Fatal(faults)
		}
		checkFiles(t, e, a)
		checkFiles(t, e, o)
		_ = e.Abandon()
		fs = fs.Crash(uint64(i))
		e = testEngine(t, fs)
		a, b, o = connect(t, e), connect(t, e), connectTo(t, e, "other")
	}
}
