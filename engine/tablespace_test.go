package engine

import (
	"strings"
	"testing"

	"manifold/engine/vfs"
)

// TestTablespaces: relations are made in and moved between tablespaces, a crash keeps that, and an empty tablespace goes.
func TestTablespaces(t *testing.T) {
	fs := newCluster(t).(*vfs.Mem)
	e := testEngine(t, fs)
	c := connect(t, e)
	steps := func(list [][2]string) {
		t.Helper()
		for _, s := range list {
			if got := c.run(s[0]); got != s[1] {
				t.Errorf("%s: %s, want %s", s[0], got, s[1])
			}
		}
	}
	const in = "select relname from pg_class c join pg_tablespace s on s.oid = c.reltablespace where spcname = 'fast' and relname not like 'pg_toast%' order by 1"
	steps([][2]string{
		{"create tablespace fast location '/disk'", "CREATE TABLESPACE"},
		{"create table a (i int primary key, t text) tablespace fast", "CREATE TABLE"},
		{"insert into a select i, (select string_agg(md5((i + j)::text), '') from generate_series(1, 200) j) from generate_series(1, 50) i", "INSERT 0 50"},
		{"create index a_t on a (left(t, 10)) tablespace fast", "CREATE INDEX"},
		{in, "a\na_t"},
		{"create table b (i int primary key using index tablespace fast)", "CREATE TABLE"},
		{"insert into b select generate_series(1, 100)", "INSERT 0 100"},
		{"alter table b set tablespace fast", "ALTER TABLE"},
		{"alter index a_t set tablespace pg_default", "ALTER INDEX"},
		{in, "a\nb\nb_pkey"},
		{"set default_tablespace = fast; create table d (i int); create temp table e (i int); reset default_tablespace", "SET\nCREATE TABLE\nCREATE TABLE\nRESET"},
		{"begin; alter table a set tablespace pg_default; rollback", "BEGIN\nALTER TABLE\nROLLBACK"},
		{in, "a\nb\nb_pkey\nd"},
		{"select pg_relation_filepath('a') ~ '^pg_tblspc/[0-9]+/MF_1/5/[0-9]+$', pg_tablespace_size('fast') > 300000", "t|t"},
		{"select count(*) from pg_tablespace s, pg_tablespace_databases(s.oid) d where spcname = 'fast'", "1"},
		{"create database copied", "CREATE DATABASE"},
		{"drop tablespace fast", "ERROR 55000: tablespace \"fast\" is not empty"},
		{"create unlogged table u (i int primary key) tablespace fast; insert into u values (1)", "CREATE TABLE\nINSERT 0 1"},
	})
	_ = e.Abandon()
	fs = fs.Crash(9)
	e = testEngine(t, fs)
	c = connect(t, e)
	steps([][2]string{
		{in, "a\nb\nb_pkey\nd\nu"},
		{"select count(*), sum(length(t)) from a", "50|320000"},
		{"select count(*) from b where i > 50", "50"},
		{"select * from u", ""},
	})
	if faults := checkFaults(t, e); len(faults) > 0 {
		t.Error(faults)
	}
	checkFiles(t, e, c)
	steps([][2]string{
		{"alter table a set tablespace pg_default", "ALTER TABLE"},
		{"select count(*), sum(length(t)) from a", "50|320000"},
		{"drop table b, d, u", "DROP TABLE"},
		{"alter tablespace fast rename to gone", "ALTER TABLESPACE"},
		{"drop tablespace gone", "DROP TABLESPACE"},
		{"select spcname from pg_tablespace order by 1", "pg_default\npg_global"},
		{"drop database copied", "DROP DATABASE"},
	})
	_ = e.Abandon()
	e = testEngine(t, fs.Crash(10))
	c = connect(t, e)
	steps([][2]string{{"select count(*) from a", "50"}, {"select count(*) from pg_tablespace", "2"}, {"select count(*) from pg_database where datname = 'copied'", "0"}})
	if list, err := e.cluster.Store.Databases(); err != nil || len(list) != 3 {
		t.Errorf("databases with files: %v, %v", list, err)
	}
	if got := c.run("create table x (i int) tablespace gone"); !strings.HasPrefix(got, "ERROR 42704") {
		t.Error(got)
	}
}
