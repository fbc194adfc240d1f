package command

import "testing"

func TestAlterTable(t *testing.T) {
	s := newServer(t)
	s.ok("create table a(id int primary key, v text, n int default 3 check (n > 0))")
	s.ok("insert into a values (1, '10', 1), (2, '20', 2)")
	s.ok("alter table a add column c int default 7, add column d text")
	s.want("select id, c, d from a order by id", "1|7|\n2|7|\n")
	s.ok("insert into a(id, v) values (3, '30')")
	s.ok("alter table a alter v type int using v::int + 1")
	s.want("select id, v, n, c from a order by id", "1|11|1|7\n2|21|2|7\n3|31|3|7\n")
	s.want("select v from a where id = 2", "21\n")
	s.ok("alter table a add column g int generated always as (v * 2) stored, add column s serial")
	s.want("select id, g, s from a order by id", "1|22|1\n2|42|2\n3|62|3\n")
	s.fails("alter table a alter v type bigint", "0A000", "cannot alter type of a column used by a generated column")
	s.ok("alter table a drop column g")
	s.ok("alter table a alter n type bigint")
	s.fails("insert into a(id, n) values (9, -1)", "23514", "")
	s.ok("alter table a alter d set default 'x', alter c drop default")
	s.ok("insert into a(id) values (4)")
	s.want("select c, d, n from a where id = 4", "|x|3\n")
}

func TestAlterTableRefusals(t *testing.T) {
	s := newServer(t)
	s.ok("create table a(id int primary key, v text)")
	s.ok("insert into a values (1, null)")
	s.fails("alter table a alter id drop not null", "42P16", `column "id" is in a primary key`)
	s.fails("alter table a alter v set not null", "23502", `column "v" of relation "a" contains null values`)
	s.fails("alter table a alter v type int[]", "42804", `column "v" cannot be cast automatically to type integer[]`)
	s.fails("alter table a add column v int", "42701", `column "v" of relation "a" already exists`)
	s.fails("alter table a add constraint k check (id > 1)", "23514", `check constraint "k" of relation "a" is violated by some row`)
	s.ok("create view w as select v from a")
	s.fails("alter table a drop column v", "2BP01", "cannot drop column v of table a because other objects depend on it")
	s.fails("alter table a alter v type varchar(3)", "0A000", "cannot alter type of a column used by a view or rule")
	s.ok("alter table a rename to b")
	s.ok("alter table b rename column id to key")
	s.want("select key from b", "1\n")
	s.want("select v from w", "\n")
	s.ok("alter table b drop column v cascade")
	s.want("select count(*) from pg_class where relname = 'w'", "0\n")
	s.ok("create schema other")
	s.ok("alter table b set schema other")
	s.want("select key from other.b where key = 1", "1\n")
	s.ok("drop schema other cascade")
	s.want("select count(*) from pg_class where oid >= 16384", "0\n")
}

func TestCreateTableAsAndLike(t *testing.T) {
	s := newServer(t)
	s.ok("create table src(id int primary key, v text default 'd', check (id > 0))")
	s.ok("insert into src values (1, 'a'), (2, 'b')")
	if tag, err := s.run("create table copy(x, y) as select id, v from src"); err != nil || tag != "SELECT 2" {
		t.Fatal(tag, err)
	}
	s.want("select x, y from copy order by 1", "1|a\n2|b\n")
	s.ok("create table twin(extra int, like src including all)")
	s.fails("insert into twin(extra, id) values (1, 0)", "23514", "")
	s.ok("insert into twin(extra, id) values (1, 1)")
	s.want("select * from twin", "1|1|d\n")
	s.fails("insert into twin(extra, id) values (1, 1)", "23505", "")
	s.ok("create temp table tt(a int)")
	s.ok("insert into tt values (5)")
	s.want("select * from tt", "5\n")
	s.ok("create view tv as select * from tt")
	s.ok("drop table tt cascade")
}

func TestRolesAndGrants(t *testing.T) {
	s := newServer(t)
	s.ok("create role r1 login password 'secret'")
	s.ok("create table g(a int, b int)")
	s.ok("grant select, insert on g to r1 with grant option")
	s.ok("grant update (b) on g to public")
	s.want("select relacl from pg_class where relname = 'g'", "{postgres=arwdDxt/postgres,r1=a*r*/postgres}\n")
	s.want("select attacl from pg_attribute where attrelid = (select oid from pg_class where relname = 'g') and attnum = 2", "{=w/postgres}\n")
	s.fails("drop role r1", "2BP01", `role "r1" cannot be dropped because some objects depend on it`)
	s.ok("revoke all on g from r1")
	s.want("select relacl from pg_class where relname = 'g'", "{postgres=arwdDxt/postgres}\n")
	s.want("select rolpassword like 'SCRAM-SHA-256$4096:%$%:%' from pg_authid where rolname = 'r1'", "t\n")
	s.ok("create role r2; grant r1 to r2; drop role r2; drop role r1")
	s.want("select count(*) from pg_auth_members where member >= 16384", "0\n")
	s.ok("alter role postgres set work_mem = '1MB'")
	s.want("select setconfig from pg_db_role_setting", "{work_mem=1MB}\n")
}
