package sysfuncs

// View is a system view that initdb makes.
type View struct{ Schema, Name, SQL string }

// Views gives the system views in the order of their making.
func Views() []View {
	var out []View
	for _, v := range append(views(), monitoringViews()...) {
		out = append(out, View{Schema: "pg_catalog", Name: v[0], SQL: "CREATE VIEW pg_catalog." + v[0] + " AS " + v[1]})
		grant := "GRANT SELECT ON pg_catalog." + v[0] + " TO PUBLIC"
		if v[0] != "pg_shadow" {
			out = append(out, View{Schema: "pg_catalog", Name: v[0], SQL: grant})
		}
	}
	out = append(out, informationSchema()...)
	out = append(out, manifoldSchema()...)
	return append(out, View{"pg_catalog", "pg_init_privs", initialPrivileges}, View{"pg_catalog", "public", publicComment})
}

// What initdb writes when everything is there: the privileges that a dump leaves out, for every cluster has them, and the
// comment that it knows.
const (
	initialPrivileges = `INSERT INTO pg_catalog.pg_init_privs
		SELECT oid, 'pg_catalog.pg_class'::regclass, 0, 'i'::"char", relacl FROM pg_catalog.pg_class WHERE relacl IS NOT NULL
		UNION ALL SELECT oid, 'pg_catalog.pg_proc'::regclass, 0, 'i'::"char", proacl FROM pg_catalog.pg_proc WHERE proacl IS NOT NULL
		UNION ALL SELECT oid, 'pg_catalog.pg_namespace'::regclass, 0, 'i'::"char", nspacl FROM pg_catalog.pg_namespace WHERE nspacl IS NOT NULL`
	publicComment = "COMMENT ON SCHEMA public IS 'standard public schema'"
)

// views lists the views of pg_catalog: name and query.
func views() [][2]string {
	return [][2]string{
		{"pg_roles", `SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
			'********'::text AS rolpassword, rolvaliduntil, rolbypassrls, s.setconfig AS rolconfig, a.oid
			FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0::oid`},
		{"pg_shadow", `SELECT rolname AS usename, a.oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper,
			rolreplication AS userepl, rolbypassrls AS usebypassrls, rolpassword AS passwd, rolvaliduntil AS valuntil,
			s.setconfig AS useconfig
			FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0::oid WHERE rolcanlogin`},
		{"pg_group", `SELECT rolname AS groname, oid AS grosysid,
			ARRAY(SELECT member FROM pg_auth_members m WHERE m.roleid = a.oid) AS grolist FROM pg_authid a WHERE NOT rolcanlogin`},
		{"pg_user", `SELECT usename, usesysid, usecreatedb, usesuper, userepl, usebypassrls, '********'::text AS passwd, valuntil,
			useconfig FROM pg_shadow`},
		{"pg_tables", `SELECT n.nspname AS schemaname, c.relname AS tablename, pg_get_userbyid(c.relowner) AS tableowner,
			t.spcname AS tablespace, c.relhasindex AS hasindexes, c.relhasrules AS hasrules, c.relhastriggers AS hastriggers,
			c.relrowsecurity AS rowsecurity
			FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
			WHERE c.relkind = 'r' OR c.relkind = 'p'`},
		{"pg_views", `SELECT n.nspname AS schemaname, c.relname AS viewname, pg_get_userbyid(c.relowner) AS viewowner,
			pg_get_viewdef(c.oid) AS definition FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind = 'v'`},
		{"pg_matviews", `SELECT n.nspname AS schemaname, c.relname AS matviewname, pg_get_userbyid(c.relowner) AS matviewowner,
			t.spcname AS tablespace, c.relhasindex AS hasindexes, c.relispopulated AS ispopulated, NULL::text AS definition
			FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
			WHERE c.relkind = 'm'`},
		{"pg_indexes", `SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, t.spcname AS tablespace,
			pg_get_indexdef(i.oid) AS indexdef
			FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
			LEFT JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_tablespace t ON t.oid = i.reltablespace
			WHERE c.relkind IN ('r', 'm', 'p') AND i.relkind IN ('i', 'I')`},
		{"pg_sequences", `SELECT n.nspname AS schemaname, c.relname AS sequencename, pg_get_userbyid(c.relowner) AS sequenceowner,
			s.seqtypid::regtype AS data_type, s.seqstart AS start_value, s.seqmin AS min_value, s.seqmax AS max_value,
			s.seqincrement AS increment_by, s.seqcycle AS cycle, s.seqcache AS cache_size,
			CASE WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE') THEN pg_sequence_last_value(c.oid::regclass) END AS last_value
			FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace`},
		{"pg_settings", `SELECT * FROM pg_show_all_settings() a(name, setting, unit, category, short_desc, extra_desc, context, vartype,
			source, min_val, max_val, enumvals, boot_val, reset_val, sourcefile, sourceline, pending_restart)`},
		{"pg_locks", `SELECT * FROM pg_lock_status() l(locktype, database, relation, page, tuple, virtualxid, transactionid, classid,
			objid, objsubid, virtualtransaction, pid, mode, granted, fastpath, waitstart)`},
		{"pg_seclabels", `SELECT objoid, classoid, objsubid, NULL::text AS objtype, NULL::oid AS objnamespace, NULL::text AS objname,
			provider, label FROM pg_seclabel UNION ALL
			SELECT objoid, classoid, 0, NULL::text, NULL::oid, NULL::text, provider, label FROM pg_shseclabel`},
		{"pg_prepared_xacts", `SELECT p.transaction, p.gid, p.prepared, u.rolname AS owner, d.datname AS database
			FROM pg_prepared_xact() p(transaction, gid, prepared, ownerid, dbid)
			LEFT JOIN pg_authid u ON p.ownerid = u.oid LEFT JOIN pg_database d ON p.dbid = d.oid`},
		{"pg_cursors", `SELECT * FROM pg_cursor() c(name, statement, is_holdable, is_binary, is_scrollable, creation_time)`},
		{"pg_prepared_statements", `SELECT * FROM pg_prepared_statement() p(name, statement, prepare_time, parameter_types, from_sql,
			generic_plans, custom_plans)`},
		{"pg_stat_activity", `SELECT s.datid, d.datname, s.pid, s.leader_pid, s.usesysid, u.rolname AS usename, s.application_name,
			s.client_addr, s.client_hostname, s.client_port, s.backend_start, s.xact_start, s.query_start, s.state_change,
			s.wait_event_type, s.wait_event, s.state, s.backend_xid, s.backend_xmin, s.query_id, s.query, s.backend_type
			FROM pg_stat_get_activity(NULL) s LEFT JOIN pg_database d ON s.datid = d.oid LEFT JOIN pg_authid u ON s.usesysid = u.oid`},
		{"pg_stat_bgwriter", `SELECT pg_stat_get_bgwriter_timed_checkpoints() AS checkpoints_timed,
			pg_stat_get_bgwriter_requested_checkpoints() AS checkpoints_req,
			pg_stat_get_checkpoint_write_time() AS checkpoint_write_time,
			pg_stat_get_checkpoint_sync_time() AS checkpoint_sync_time,
			pg_stat_get_bgwriter_buf_written_checkpoints() AS buffers_checkpoint,
			pg_stat_get_bgwriter_buf_written_clean() AS buffers_clean, pg_stat_get_bgwriter_maxwritten_clean() AS maxwritten_clean,
			pg_stat_get_buf_written_backend() AS buffers_backend, pg_stat_get_buf_fsync_backend() AS buffers_backend_fsync,
			pg_stat_get_buf_alloc() AS buffers_alloc, pg_stat_get_bgwriter_stat_reset_time() AS stats_reset`},
		{"pg_stat_wal", `SELECT w.wal_records, w.wal_fpi, w.wal_bytes, w.wal_buffers_full, w.wal_write, w.wal_sync, w.wal_write_time,
			w.wal_sync_time, w.stats_reset FROM pg_stat_get_wal() w(wal_records, wal_fpi, wal_bytes, wal_buffers_full, wal_write,
			wal_sync, wal_write_time, wal_sync_time, stats_reset)`},
		{"pg_stat_recovery_prefetch", `SELECT s.stats_reset, s.prefetch, s.hit, s.skip_init, s.skip_new, s.skip_fpw, s.skip_rep,
			s.wal_distance, s.block_distance, s.io_depth FROM pg_stat_get_recovery_prefetch() s(stats_reset, prefetch, hit, skip_init,
			skip_new, skip_fpw, skip_rep, wal_distance, block_distance, io_depth)`},
		{"pg_stats", `SELECT n.nspname AS schemaname, c.relname AS tablename, a.attname, s.stainherit AS inherited,
			s.stanullfrac AS null_frac, s.stawidth AS avg_width, s.stadistinct AS n_distinct,
			CASE 3 WHEN s.stakind1 THEN s.stanumbers1[1] WHEN s.stakind2 THEN s.stanumbers2[1]
				WHEN s.stakind3 THEN s.stanumbers3[1] END AS correlation
			FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid
			JOIN pg_attribute a ON c.oid = a.attrelid AND a.attnum = s.staattnum
			LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE NOT a.attisdropped AND has_table_privilege(c.oid, 'SELECT')`},
	}
}
