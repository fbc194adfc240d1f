package engine

import "testing"

// TestReadsAreCounted pins what the views about tables, indexes and databases count.
func TestReadsAreCounted(t *testing.T) {
	c := connect(t, testEngine(t, newCluster(t)))
	for _, q := range []struct{ sql, want string }{
		{"create table sm (id int primary key, v int)", "CREATE TABLE"},
		{"insert into sm select i, i from generate_series(1, 1000) i", "INSERT 0 1000"},
		{"create index sm_v on sm (v)", "CREATE INDEX"},
		{"analyze sm", "ANALYZE"},
		{"select pg_stat_reset_single_table_counters(oid) is null, pg_stat_reset() is null from pg_class where relname = 'sm'", "f|f"},
		{"select count(*) from sm where v + 0 > 0", "1000"},
		{"select v from sm where id = 7", "7"},
		{"select v from sm where id in (1, 2, 3) order by 1", "1\n2\n3"},
		{"set enable_indexscan = off; set enable_seqscan = off", "SET\nSET"},
		{"select sum(id) from sm where v between 10 and 19", "145"},
		{"reset all", "RESET"},
		{"update sm set v = 0 where id = 5", "UPDATE 1"},
		{"delete from sm where id = 6", "DELETE 1"},
		{"begin", "BEGIN"},
		{"select 1/0", "ERROR 22012: division by zero"},
		{"rollback", "ROLLBACK"},
		{"begin; insert into sm values (2000, 1); rollback", "BEGIN\nINSERT 0 1\nROLLBACK"},
		{"select seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup from pg_stat_user_tables where relname = 'sm'",
			"1|1000|7|16|1|1|1|1000"},
		{"select indexrelname, idx_scan, idx_tup_read, idx_tup_fetch from pg_stat_user_indexes where relname = 'sm' order by 1", "sm_pkey|6|6|6\nsm_v|1|10|0"},
		{"select heap_blks_read, heap_blks_hit > 5, idx_blks_hit > 5, toast_blks_hit from pg_statio_user_tables where relname = 'sm'", "0|t|t|~"},
		{"select xact_rollback, xact_commit, blks_hit > 10, tup_inserted, tup_updated, tup_deleted, deadlocks from pg_stat_database where datname = current_database()",
			"2|12|t|1|1|1|0"},
		{"drop table sm", "DROP TABLE"},
		{"select tup_inserted > 0, tup_fetched > 10 from pg_stat_database where datname = current_database()", "t|t"},
	} {
		if got := c.run(q.sql); got != q.want {
			t.Errorf("%s\n got %s\nwant %s", q.sql, got, q.want)
		}
	}
}
