package command

import (
	"fmt"
	"strings"
	"testing"
)

func show(rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.Join(r, "|") + "\n")
	}
	return b.String()
}

func (s *server) want(text, want string) {
	s.t.Helper()
	if got := show(s.query(text)); got != want {
		s.t.Errorf("%s\ngot:\n%s\nwant:\n%s", text, got, want)
	}
}

func TestPgbenchTables(t *testing.T) {
	s := newServer(t)
	s.ok("drop table if exists pgbench_accounts, pgbench_branches")
	s.ok("create table pgbench_accounts(aid int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)")
	s.ok("create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100)")
	s.ok("insert into pgbench_accounts select i, 1, 0, '' from generate_series(1, 5000) i")
	s.ok("insert into pgbench_branches values (1, 0)")
	s.ok("alter table pgbench_accounts add primary key (aid)")
	s.ok("vacuum analyze pgbench_accounts")
	s.want("select count(*), sum(aid) from pgbench_accounts where aid between 10 and 20", "11|165\n")
	s.want("select reltuples, relhasindex from pg_class where relname = 'pgbench_accounts'", "5000|t\n")
	s.fails("insert into pgbench_accounts values (7, 1)", "23505", "")
	s.ok("truncate table pgbench_accounts, pgbench_branches")
	s.want("select count(*) from pgbench_accounts", "0\n")
	s.ok("insert into pgbench_accounts values (7, 1)")
	s.want("select aid from pgbench_accounts where aid = 7", "7\n")
	s.ok("drop table pgbench_accounts, pgbench_branches")
	s.want("select count(*) from pg_class where oid >= 16384", "0\n")
	s.want("select count(*) from pg_depend", "0\n")
	s.want("select count(*) from pg_attribute where attrelid >= 16384", "0\n")
	s.want("select count(*) from pg_type where oid >= 16384", "0\n")
}

func TestColumnsAndConstraints(t *testing.T) {
	s := newServer(t)
	s.ok("create schema s1")
	s.ok(`create table s1.t(id serial primary key, a int not null default 5, b text check (b <> ''), c numeric(10,2) unique,
		d int generated always as identity, e int generated always as (a*2) stored, constraint ck check (a > 0 and d > 0))`)
	s.ok("create index on s1.t(a, lower(b) desc) where a > 3")
	s.want("select relname, relkind, relnatts, relchecks, relhasindex, relreplident from pg_class where oid >= 16384 and relnamespace <> 99 order by oid",
		"t_id_seq|S|3|0|f|n\nt_d_seq|S|3|0|f|n\nt|r|6|2|t|d\nt_pkey|i|1|0|f|n\nt_c_key|i|1|0|f|n\nt_a_lower_idx|i|2|0|f|n\n")
	s.want("select indkey, indclass, indoption, indisunique, indisprimary from pg_index where indexrelid >= 16384 and indkey::text <> '1 2' order by indexrelid",
		"1|1978|0|t|t\n4|3125|0|t|f\n2 0|1978 3126|0 3|f|f\n")
	s.want("select conname, contype, conkey, connoinherit from pg_constraint where oid >= 16384 order by oid",
		"t_b_check|c|{3}|f\nck|c|{2,5}|f\nt_pkey|p|{1}|t\nt_c_key|u|{4}|t\n")
	s.fails("create table s1.t(x int)", "42P07", `relation "t" already exists`)
	s.fails("create table q(a int, a int)", "42701", `column "a" specified more than once`)
	s.fails("create table q(a int primary key, b int primary key)", "42P16", `multiple primary keys for table "q" are not allowed`)
	s.fails("create table q(a int null not null)", "42601", `conflicting NULL/NOT NULL declarations for column "a" of table "q"`)
	s.fails("create table q(a nope)", "42704", `type "nope" does not exist`)
	s.fails("create table nope.q(a int)", "3F000", `schema "nope" does not exist`)
	s.fails("drop index s1.t_pkey", "2BP01", "cannot drop index s1.t_pkey because constraint t_pkey on table s1.t requires it")
	s.fails("drop sequence s1.t_id_seq", "2BP01", "cannot drop sequence s1.t_id_seq because other objects depend on it")
	s.fails("drop schema s1", "2BP01", "cannot drop schema s1 because other objects depend on it")
	s.ok("drop schema s1 cascade")
	s.want("select count(*) from pg_class where oid >= 16384", "0\n")
	s.want("select count(*) from pg_depend", "0\n")
	s.want("select count(*) from pg_constraint where oid >= 16384", "0\n")
}

func TestUniqueIndexOverDuplicates(t *testing.T) {
	s := newServer(t)
	s.ok("create table d(a int, b text)")
	s.ok("insert into d values (1, 'x'), (2, 'y'), (1, 'x'), (null, 'z'), (null, 'z')")
	s.fails("create unique index on d(a, b)", "23505", `could not create unique index "d_a_b_idx"`)
	s.ok("delete from d where a = 1")
	s.ok("create unique index on d(a, b) include (a)")
	for i := range 3 {
		s.ok(fmt.Sprintf("create index on d((a+%d)) where a > 1", i))
	}
	s.want("select relname from pg_class where relkind = 'i' and oid >= 16384 and relnamespace <> 99 order by oid",
		"d_a_b_a1_idx\nd_expr_idx\nd_expr_idx1\nd_expr_idx2\n")
}
