package sysfuncs

// viewDefs is the definitions of the system views, in the order of their making.
var viewDefs = []View{
	{"pg_catalog", "pg_roles", `CREATE VIEW pg_catalog.pg_roles AS
		SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
			'********'::text AS rolpassword, rolvaliduntil, rolbypassrls,
			(SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = a.oid AND s.setdatabase = 0) AS rolconfig, oid
		FROM pg_catalog.pg_authid a`},
	{"pg_catalog", "pg_shadow", `CREATE VIEW pg_catalog.pg_shadow AS
		SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper, rolreplication AS userepl,
			rolbypassrls AS usebypassrls, rolpassword AS passwd, rolvaliduntil AS valuntil,
			(SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = a.oid AND s.setdatabase = 0) AS useconfig
		FROM pg_catalog.pg_authid a WHERE rolcanlogin`},
	{"pg_catalog", "pg_user", `CREATE VIEW pg_catalog.pg_user AS
		SELECT usename, usesysid, usecreatedb, usesuper, userepl, usebypassrls, '********'::text AS passwd, valuntil, useconfig
		FROM pg_catalog.pg_shadow`},
	{"pg_catalog", "pg_group", `CREATE VIEW pg_catalog.pg_group AS
		SELECT rolname AS groname, oid AS grosysid,
			ARRAY(SELECT m.member FROM pg_catalog.pg_auth_members m WHERE m.roleid = a.oid) AS grolist
		FROM pg_catalog.pg_authid a WHERE NOT rolcanlogin`},
	{"pg_catalog", "pg_tables", `CREATE VIEW pg_catalog.pg_tables AS
		SELECT n.nspname AS schemaname, c.relname AS tablename, pg_catalog.pg_get_userbyid(c.relowner) AS tableowner,
			t.spcname AS tablespace, c.relhasindex AS hasindexes, c.relhasrules AS hasrules, c.relhastriggers AS hastriggers,
			c.relrowsecurity AS rowsecurity
		FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
		WHERE c.relkind IN ('r', 'p')`},
	{"pg_catalog", "pg_views", `CREATE VIEW pg_catalog.pg_views AS
		SELECT n.nspname AS schemaname, c.relname AS viewname, pg_catalog.pg_get_userbyid(c.relowner) AS viewowner,
			pg_catalog.pg_get_viewdef(c.oid) AS definition
		FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'v'`},
	{"pg_catalog", "pg_matviews", `CREATE VIEW pg_catalog.pg_matviews AS
		SELECT n.nspname AS schemaname, c.relname AS matviewname, pg_catalog.pg_get_userbyid(c.relowner) AS matviewowner,
			t.spcname AS tablespace, c.relhasindex AS hasindexes, c.relispopulated AS ispopulated,
			pg_catalog.pg_get_viewdef(c.oid) AS definition
		FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
		WHERE c.relkind = 'm'`},
	{"pg_catalog", "pg_indexes", `CREATE VIEW pg_catalog.pg_indexes AS
		SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, t.spcname AS tablespace,
			pg_catalog.pg_get_indexdef(i.oid) AS indexdef
		FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indrelid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
			LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = i.reltablespace
		WHERE c.relkind IN ('r', 'm', 'p') AND i.relkind IN ('i', 'I')`},
	{"pg_catalog", "pg_settings", `CREATE VIEW pg_catalog.pg_settings AS
		SELECT a.name, a.setting, a.unit, a.category, a.short_desc, a.extra_desc, a.context, a.vartype, a.source, a.min_val, a.max_val,
			a.enumvals, a.boot_val, a.reset_val, a.sourcefile, a.sourceline, a.pending_restart
		FROM pg_catalog.pg_show_all_settings() a`},
	{"pg_catalog", "pg_stat_activity", `CREATE VIEW pg_catalog.pg_stat_activity AS
		SELECT s.datid, d.datname, s.pid, s.leader_pid, s.usesysid, u.rolname AS usename, s.application_name, s.client_addr,
			s.client_hostname, s.client_port, s.backend_start, s.xact_start, s.query_start, s.state_change, s.wait_event_type,
			s.wait_event, s.state, s.backend_xid, s.backend_xmin, s.query_id, s.query, s.backend_type
		FROM pg_catalog.pg_stat_get_activity(NULL::integer) s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.datid
			LEFT JOIN pg_catalog.pg_authid u ON u.oid = s.usesysid`},
	{"pg_catalog", "pg_locks", `CREATE VIEW pg_catalog.pg_locks AS
		SELECT l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid, l.objsubid,
			l.virtualtransaction, l.pid, l.mode, l.granted, l.fastpath, l.waitstart
		FROM pg_catalog.pg_lock_status() l`},
	{"pg_catalog", "pg_prepared_statements", `CREATE VIEW pg_catalog.pg_prepared_statements AS
		SELECT p.name, p.statement, p.prepare_time, p.parameter_types, p.from_sql, p.generic_plans, p.custom_plans
		FROM pg_catalog.pg_prepared_statement() p`},
	{"pg_catalog", "pg_cursors", `CREATE VIEW pg_catalog.pg_cursors AS
		SELECT c.name, c.statement, c.is_holdable, c.is_binary, c.is_scrollable, c.creation_time FROM pg_catalog.pg_cursor() c`},
	{"pg_catalog", "pg_stat_all_tables", `CREATE VIEW pg_catalog.pg_stat_all_tables AS
		SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, pg_catalog.pg_stat_get_numscans(c.oid) AS seq_scan,
			pg_catalog.pg_stat_get_tuples_returned(c.oid) AS seq_tup_read,
			(SELECT pg_catalog.sum(pg_catalog.pg_stat_get_numscans(i.indexrelid))::bigint FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid) AS idx_scan,
			pg_catalog.pg_stat_get_tuples_fetched(c.oid) AS idx_tup_fetch,
			pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS n_tup_ins, pg_catalog.pg_stat_get_tuples_updated(c.oid) AS n_tup_upd,
			pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS n_tup_del, pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
			pg_catalog.pg_stat_get_live_tuples(c.oid) AS n_live_tup, pg_catalog.pg_stat_get_dead_tuples(c.oid) AS n_dead_tup,
			pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS n_mod_since_analyze,
			pg_catalog.pg_stat_get_ins_since_vacuum(c.oid) AS n_ins_since_vacuum,
			pg_catalog.pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum,
			pg_catalog.pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
			pg_catalog.pg_stat_get_last_analyze_time(c.oid) AS last_analyze,
			pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze,
			pg_catalog.pg_stat_get_vacuum_count(c.oid) AS vacuum_count, pg_catalog.pg_stat_get_autovacuum_count(c.oid) AS autovacuum_count,
			pg_catalog.pg_stat_get_analyze_count(c.oid) AS analyze_count,
			pg_catalog.pg_stat_get_autoanalyze_count(c.oid) AS autoanalyze_count
		FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 't', 'm', 'p')`},
	{"pg_catalog", "pg_stat_user_tables", `CREATE VIEW pg_catalog.pg_stat_user_tables AS
		SELECT * FROM pg_catalog.pg_stat_all_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast'`},
	{"pg_catalog", "pg_sequences", `CREATE VIEW pg_catalog.pg_sequences AS
		SELECT n.nspname AS schemaname, c.relname AS sequencename, pg_catalog.pg_get_userbyid(c.relowner) AS sequenceowner,
			s.seqtypid::regtype AS data_type, s.seqstart AS start_value, s.seqmin AS min_value, s.seqmax AS max_value,
			s.seqincrement AS increment_by, s.seqcycle AS cycle, s.seqcache AS cache_size,
			pg_catalog.pg_sequence_last_value(c.oid::regclass) AS last_value
		FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
			LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`},
}
