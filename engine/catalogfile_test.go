package engine

import (
	"fmt"
	"strings"
	"sync"
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
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for i := range rounds {
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

// TestCatalogsMoveUnderLoad: definitions, logins, queries of catalogs, and transactions that keep their locks, beside rewrites of all
// catalogs in two databases. Nothing fails, and nothing is lost.
func TestCatalogsMoveUnderLoad(t *testing.T) {
	e := testEngine(t, newCluster(t))
	c := connect(t, e)
	steps(t, c, "create database other", "create table kept (k int primary key)", "insert into kept values (1)")
	stop := make(chan struct{})
	var moving, beside sync.WaitGroup
	work := func(wg *sync.WaitGroup, database string, rounds int, list func(i int) []string) {
		s := connectTo(t, e, database)
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer s.leave()
			for i := 0; rounds == 0 || i < rounds; i++ {
				for _, sql := range list(i) {
					if got := s.run(sql); strings.HasPrefix(got, "ERROR") {
						t.Errorf("%s: %s", sql, got)
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	const rounds = 2
	work(&moving, "postgres", rounds, func(int) []string {
		return []string{"vacuum full pg_class", "reindex table pg_attribute", "vacuum full pg_database, pg_authid, pg_attribute", "reindex table pg_type",
			"begin", "reindex table pg_class", "create table moving (a int)", "drop table moving", "commit", "vacuum full pg_depend, pg_index"}
	})
	work(&moving, "other", rounds, func(int) []string {
		return []string{"vacuum full pg_class, pg_type, pg_authid, pg_attribute, pg_depend", "cluster pg_index using pg_index_indrelid_index", "reindex table pg_class"}
	})
	for n := range 2 {
		name := fmt.Sprintf("n%d", n)
		work(&beside, "postgres", 0, func(i int) []string {
			return []string{"begin", fmt.Sprintf("create table %s (k int primary key, v text)", name), "insert into " + name + " values (1, 'x')",
				fmt.Sprintf("alter table %s add w%d int default 3", name, i), fmt.Sprintf("select w%d from %s where k = 1", i, name),
				"commit", "create index on " + name + " (v)", "select k from " + name + " where v = 'x'", "drop table " + name}
		})
	}
	work(&beside, "other", 0, func(i int) []string {
		return []string{fmt.Sprintf("create role r%d", i), "create temp table tt (a int)", fmt.Sprintf("drop role r%d", i), "drop table tt"}
	})
	beside.Add(1)
	go func() {
		defer beside.Done()
		for i := 0; ; i++ {
			s := connectTo(t, e, []string{"postgres", "other"}[i%2])
			if got := s.run("select count(*), min(relname) from pg_class where relname = 'pg_class'"); got != "1|pg_class" {
				t.Errorf("pg_class: %s", got)
			}
			if got := s.run("select count(*) from pg_database where datname in ('postgres', 'other')"); got != "2" {
				t.Errorf("pg_database: %s", got)
			}
			s.leave()
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	moving.Wait()
	close(stop)
	beside.Wait()
	wants(t, c.run("select k from kept"), "1")
	wants(t, c.run("select count(*) from pg_class where relname ~ '^(n[0-9]|moving)'"), "0")
	if faults := checkFaults(t, e); len(faults) > 0 {
		t.Fatal(faults)
	}
	checkFiles(t, e, c)
}

// TestOldSnapshotsReadMovedCatalogs: who began before still sees what was there then, through a new file and a new index.
func TestOldSnapshotsReadMovedCatalogs(t *testing.T) {
	for _, move := range []string{"vacuum full pg_class", "reindex table pg_class", "cluster pg_class using pg_class_relname_nsp_index"} {
		e := testEngine(t, newCluster(t))
		a, b := connect(t, e), connect(t, e)
		steps(t, a, "create table gone (a int)", "create table changed (a int)")
		wants(t, b.run("begin isolation level repeatable read; select 1"), "BEGIN")
		steps(t, a, "drop table gone", "alter table changed rename to renamed", "comment on table renamed is 'x'", "analyze renamed", move)
		for _, scan := range []string{"set enable_seqscan = off", "set enable_seqscan = on; set enable_indexscan = off; set enable_bitmapscan = off"} {
			steps(t, b, scan)
			if got := b.run("select string_agg(relname, ',' order by relname) from pg_class where relname in ('gone', 'changed', 'renamed')"); got != "changed,gone" {
				t.Errorf("%s: after %s the older snapshot sees %s", scan, move, got)
			}
		}
		steps(t, b, "commit")
		wants(t, b.run("select relname from pg_class where relname in ('gone', 'changed', 'renamed')"), "renamed")
		if faults := checkFaults(t, e); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// TestCatalogsArePlannedAnew: cached and prepared plans follow a catalog to its new file.
func TestCatalogsArePlannedAnew(t *testing.T) {
	e := testEngine(t, newCluster(t))
	a, b := connect(t, e), connect(t, e)
	steps(t, b, "prepare p as select count(*) from pg_class where oid = 1259", "create table x (k int)", "begin", "create table y (k int)")
	for range 3 {
		wants(t, b.run("execute p"), "1")
	}
	steps(t, b, "commit")
	for range 3 {
		wants(t, b.run("execute p"), "1")
		steps(t, a, "vacuum full pg_class")
		wants(t, b.run("execute p"), "1")
		wants(t, b.run("select count(*) from pg_class where oid = 1259"), "1")
		steps(t, a, "reindex table pg_class")
		wants(t, b.run("execute p"), "1")
		wants(t, b.run("select count(*) from pg_class where oid = 1259"), "1")
	}
}
