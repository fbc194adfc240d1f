package sysfuncs

import "strings"

// monitoringViews lists the views of pg_catalog about what happens and has happened: name and query. Those about what does not exist
// here are there for the tools that read them, and empty.
func monitoringViews() [][2]string {
	list := append(tableViews(), indexViews()...)
	list = append(list, databaseViews()...)
	list = append(list, progressViews()...)
	for _, v := range emptyViews() {
		list = append(list, [2]string{v[0], nothingOf(v[1])})
	}
	return list
}

const (
	relations   = " FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 't', 'm', 'p')"
	systemOnly  = " WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast'"
	usersOnly   = " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast'"
	indexesOf   = " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 't', 'm')"
	missedReads = "pg_stat_get_blocks_fetched(%) - pg_stat_get_blocks_hit(%)"
)

// ofIndexes sums a function up over the indexes of a table.
func ofIndexes(table, function string) string {
	return "(SELECT sum(" + strings.ReplaceAll(function, "%", "i.indexrelid") + ")::bigint FROM pg_index i WHERE i.indrelid = " + table + ")"
}

func tableViews() [][2]string {
	read := func(of string) string { return strings.ReplaceAll(missedReads, "%", of) }
	list := [][2]string{
		{"pg_stat_all_tables", `SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, pg_stat_get_numscans(c.oid) AS seq_scan,
			pg_stat_get_tuples_returned(c.oid) AS seq_tup_read, ` + ofIndexes("c.oid", "pg_stat_get_numscans(%)") + ` AS idx_scan,
			pg_stat_get_tuples_fetched(c.oid) AS idx_tup_fetch,
			pg_stat_get_tuples_inserted(c.oid) AS n_tup_ins, pg_stat_get_tuples_updated(c.oid) AS n_tup_upd,
			pg_stat_get_tuples_deleted(c.oid) AS n_tup_del, pg_stat_get_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
			pg_stat_get_live_tuples(c.oid) AS n_live_tup, pg_stat_get_dead_tuples(c.oid) AS n_dead_tup,
			pg_stat_get_mod_since_analyze(c.oid) AS n_mod_since_analyze, pg_stat_get_ins_since_vacuum(c.oid) AS n_ins_since_vacuum,
			pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum, pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
			pg_stat_get_last_analyze_time(c.oid) AS last_analyze, pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze,
			pg_stat_get_vacuum_count(c.oid) AS vacuum_count, pg_stat_get_autovacuum_count(c.oid) AS autovacuum_count,
			pg_stat_get_analyze_count(c.oid) AS analyze_count, pg_stat_get_autoanalyze_count(c.oid) AS autoanalyze_count` + relations},
		{"pg_statio_all_tables", `SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, ` + read("c.oid") + ` AS heap_blks_read,
			pg_stat_get_blocks_hit(c.oid) AS heap_blks_hit, ` + ofIndexes("c.oid", missedReads) + ` AS idx_blks_read,
			` + ofIndexes("c.oid", "pg_stat_get_blocks_hit(%)") + ` AS idx_blks_hit, ` + read("nullif(c.reltoastrelid, 0::oid)") + ` AS toast_blks_read,
			pg_stat_get_blocks_hit(nullif(c.reltoastrelid, 0::oid)) AS toast_blks_hit,
			` + ofIndexes("nullif(c.reltoastrelid, 0::oid)", missedReads) + ` AS tidx_blks_read,
			` + ofIndexes("nullif(c.reltoastrelid, 0::oid)", "pg_stat_get_blocks_hit(%)") + ` AS tidx_blks_hit
			FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 't', 'm')`},
		{"pg_statio_all_sequences", `SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, ` + read("c.oid") + ` AS blks_read,
			pg_stat_get_blocks_hit(c.oid) AS blks_hit FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'`},
	}
	for _, v := range [][2]string{{"pg_stat", "tables"}, {"pg_statio", "tables"}, {"pg_statio", "sequences"}} {
		list = append(list, partsOf(v[0], v[1])...)
	}
	return list
}

// partsOf gives the views of system and of user relations over one of all.
func partsOf(prefix, what string) [][2]string {
	all := "SELECT * FROM " + prefix + "_all_" + what
	return [][2]string{{prefix + "_sys_" + what, all + systemOnly}, {prefix + "_user_" + what, all + usersOnly}}
}

func indexViews() [][2]string {
	list := [][2]string{
		{"pg_stat_all_indexes", `SELECT c.oid AS relid, x.oid AS indexrelid, n.nspname AS schemaname, c.relname, x.relname AS indexrelname,
			pg_stat_get_numscans(x.oid) AS idx_scan, pg_stat_get_tuples_returned(x.oid) AS idx_tup_read,
			pg_stat_get_tuples_fetched(x.oid) AS idx_tup_fetch` + indexesOf},
		{"pg_statio_all_indexes", `SELECT c.oid AS relid, x.oid AS indexrelid, n.nspname AS schemaname, c.relname, x.relname AS indexrelname,
			` + strings.ReplaceAll(missedReads, "%", "x.oid") + ` AS idx_blks_read, pg_stat_get_blocks_hit(x.oid) AS idx_blks_hit` + indexesOf},
	}
	return append(append(list, partsOf("pg_stat", "indexes")...), partsOf("pg_statio", "indexes")...)
}

func databaseViews() [][2]string {
	return [][2]string{
		{"pg_stat_database", `SELECT d.oid AS datid, d.datname, CASE WHEN d.oid = 0::oid THEN 0 ELSE pg_stat_get_db_numbackends(d.oid) END AS numbackends,
			pg_stat_get_db_xact_commit(d.oid) AS xact_commit, pg_stat_get_db_xact_rollback(d.oid) AS xact_rollback,
			pg_stat_get_db_blocks_fetched(d.oid) - pg_stat_get_db_blocks_hit(d.oid) AS blks_read,
			pg_stat_get_db_blocks_hit(d.oid) AS blks_hit, pg_stat_get_db_tuples_returned(d.oid) AS tup_returned,
			pg_stat_get_db_tuples_fetched(d.oid) AS tup_fetched, pg_stat_get_db_tuples_inserted(d.oid) AS tup_inserted,
			pg_stat_get_db_tuples_updated(d.oid) AS tup_updated, pg_stat_get_db_tuples_deleted(d.oid) AS tup_deleted,
			pg_stat_get_db_conflict_all(d.oid) AS conflicts, pg_stat_get_db_temp_files(d.oid) AS temp_files,
			pg_stat_get_db_temp_bytes(d.oid) AS temp_bytes, pg_stat_get_db_deadlocks(d.oid) AS deadlocks,
			pg_stat_get_db_checksum_failures(d.oid) AS checksum_failures, pg_stat_get_db_checksum_last_failure(d.oid) AS checksum_last_failure,
			pg_stat_get_db_blk_read_time(d.oid) AS blk_read_time, pg_stat_get_db_blk_write_time(d.oid) AS blk_write_time,
			pg_stat_get_db_session_time(d.oid) AS session_time, pg_stat_get_db_active_time(d.oid) AS active_time,
			pg_stat_get_db_idle_in_transaction_time(d.oid) AS idle_in_transaction_time, pg_stat_get_db_sessions(d.oid) AS sessions,
			pg_stat_get_db_sessions_abandoned(d.oid) AS sessions_abandoned, pg_stat_get_db_sessions_fatal(d.oid) AS sessions_fatal,
			pg_stat_get_db_sessions_killed(d.oid) AS sessions_killed, pg_stat_get_db_stat_reset_time(d.oid) AS stats_reset
			FROM (SELECT 0::oid AS oid, NULL::name AS datname UNION ALL SELECT oid, datname FROM pg_database) d`},
		{"pg_stat_database_conflicts", `SELECT d.oid AS datid, d.datname, pg_stat_get_db_conflict_tablespace(d.oid) AS confl_tablespace,
			pg_stat_get_db_conflict_lock(d.oid) AS confl_lock, pg_stat_get_db_conflict_snapshot(d.oid) AS confl_snapshot,
			pg_stat_get_db_conflict_bufferpin(d.oid) AS confl_bufferpin, pg_stat_get_db_conflict_startup_deadlock(d.oid) AS confl_deadlock
			FROM pg_database d`},
		{"pg_stat_ssl", `SELECT s.pid, s.ssl, s.sslversion AS version, s.sslcipher AS cipher, s.sslbits AS bits, s.ssl_client_dn AS client_dn,
			s.ssl_client_serial AS client_serial, s.ssl_issuer_dn AS issuer_dn FROM pg_stat_get_activity(NULL) s WHERE s.client_port IS NOT NULL`},
		{"pg_stat_gssapi", `SELECT s.pid, false AS gss_authenticated, NULL::text AS principal, false AS encrypted
			FROM pg_stat_get_activity(NULL) s WHERE s.client_port IS NOT NULL`},
		{"pg_available_extensions", `SELECT e.name, e.default_version, x.extversion AS installed_version, e.comment
			FROM pg_available_extensions() e LEFT JOIN pg_extension x ON e.name = x.extname`},
	}
}

// emptyViews lists views without rows: name, and columns with their types.
func emptyViews() [][2]string {
	return [][2]string{
		{"pg_rules", "schemaname:name tablename:name rulename:name definition:text"},
		{"pg_policies", "schemaname:name tablename:name policyname:name permissive:text roles:name[] cmd:text qual:text with_check:text"},
		{"pg_user_mappings", "umid:oid srvid:oid srvname:name umuser:oid usename:name umoptions:text[]"},
		{"pg_publication_tables", "pubname:name schemaname:name tablename:name attnames:name[] rowfilter:text"},
		{"pg_available_extension_versions", `name:name version:text installed:bool superuser:bool trusted:bool relocatable:bool schema:name
			requires:name[] comment:text`},
		{"pg_replication_slots", `slot_name:name plugin:name slot_type:text datoid:oid database:name temporary:bool active:bool active_pid:int4
			xmin:xid catalog_xmin:xid restart_lsn:pg_lsn confirmed_flush_lsn:pg_lsn wal_status:text safe_wal_size:int8 two_phase:bool`},
		{"pg_replication_origin_status", "local_id:oid external_id:text remote_lsn:pg_lsn local_lsn:pg_lsn"},
		{"pg_stat_replication", `pid:int4 usesysid:oid usename:name application_name:text client_addr:inet client_hostname:text client_port:int4
			backend_start:timestamptz backend_xmin:xid state:text sent_lsn:pg_lsn write_lsn:pg_lsn flush_lsn:pg_lsn replay_lsn:pg_lsn
			write_lag:interval flush_lag:interval replay_lag:interval sync_priority:int4 sync_state:text reply_time:timestamptz`},
		{"pg_stat_replication_slots", `slot_name:text spill_txns:int8 spill_count:int8 spill_bytes:int8 stream_txns:int8 stream_count:int8
			stream_bytes:int8 total_txns:int8 total_bytes:int8 stats_reset:timestamptz`},
		{"pg_stat_wal_receiver", `pid:int4 status:text receive_start_lsn:pg_lsn receive_start_tli:int4 written_lsn:pg_lsn flushed_lsn:pg_lsn
			received_tli:int4 last_msg_send_time:timestamptz last_msg_receipt_time:timestamptz latest_end_lsn:pg_lsn latest_end_time:timestamptz
			slot_name:text sender_host:text sender_port:int4 conninfo:text`},
		{"pg_stat_subscription", `subid:oid subname:name pid:int4 relid:oid received_lsn:pg_lsn last_msg_send_time:timestamptz
			last_msg_receipt_time:timestamptz latest_end_lsn:pg_lsn latest_end_time:timestamptz`},
		{"pg_stat_archiver", `archived_count:int8 last_archived_wal:text last_archived_time:timestamptz failed_count:int8 last_failed_wal:text
			last_failed_time:timestamptz stats_reset:timestamptz`},
		{"pg_stat_user_functions", "funcid:oid schemaname:name funcname:name calls:int8 total_time:float8 self_time:float8"},
		{"pg_stat_progress_basebackup", "pid:int4 phase:text backup_total:int8 backup_streamed:int8 tablespaces_total:int8 tablespaces_streamed:int8"},
	}
}

// nothingOf spells a query without rows.
func nothingOf(columns string) string {
	var list []string
	for _, c := range strings.Fields(columns) {
		name, typ, _ := strings.Cut(c, ":")
		list = append(list, "NULL::"+typ+" AS "+name)
	}
	return "SELECT " + strings.Join(list, ", ") + " WHERE false"
}
