package sysfuncs

import (
	"fmt"
	"strings"

	"manifold/engine/builtins"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/types"
)

// progressViews lists the views of what long commands do: name and query.
func progressViews() [][2]string {
	view := func(name, command, columns string) [2]string {
		var params []string
		for i := range 20 {
			params = append(params, fmt.Sprintf("param%d", i+1))
		}
		return [2]string{"pg_stat_progress_" + name, "SELECT s.pid, s.datid, d.datname, s.relid, " + columns +
			" FROM pg_stat_get_progress_info('" + command + "') s(pid, datid, relid, " + strings.Join(params, ", ") +
			") LEFT JOIN pg_database d ON s.datid = d.oid"}
	}
	// of names the values of a number, from the first
	of := func(param, as string, first int, values ...string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "CASE s.%s", param)
		for i, v := range values {
			if !strings.ContainsRune(v, '\'') {
				v = "'" + v + "'::text"
			}
			fmt.Fprintf(&b, " WHEN %d THEN %s", first+i, v)
		}
		return b.String() + " END AS " + as
	}
	return [][2]string{
		view("vacuum", "VACUUM", of("param1", "phase", 0, "initializing", "scanning heap", "vacuuming indexes", "vacuuming heap",
			"cleaning up indexes", "truncating heap", "performing final cleanup")+`, s.param2 AS heap_blks_total,
			s.param3 AS heap_blks_scanned, s.param4 AS heap_blks_vacuumed, s.param5 AS index_vacuum_count, s.param6 AS max_dead_tuples,
			s.param7 AS num_dead_tuples`),
		view("analyze", "ANALYZE", of("param1", "phase", 0, "initializing", "acquiring sample rows", "acquiring inherited sample rows",
			"computing statistics", "computing extended statistics", "finalizing analyze")+`, s.param2 AS sample_blks_total,
			s.param3 AS sample_blks_scanned, s.param4 AS ext_stats_total, s.param5 AS ext_stats_computed, s.param6 AS child_tables_total,
			s.param7 AS child_tables_done, s.param8::oid AS current_child_table_relid`),
		view("cluster", "CLUSTER", of("param1", "command", 1, "CLUSTER", "VACUUM FULL")+", "+of("param2", "phase", 0, "initializing",
			"seq scanning heap", "index scanning heap", "sorting tuples", "writing new heap", "swapping relation files",
			"rebuilding index", "performing final cleanup")+`, s.param3::oid AS cluster_index_relid, s.param4 AS heap_tuples_scanned,
			s.param5 AS heap_tuples_written, s.param6 AS heap_blks_total, s.param7 AS heap_blks_scanned, s.param8 AS index_rebuild_count`),
		view("copy", "COPY", of("param5", "command", 1, "COPY FROM", "COPY TO")+", "+of("param6", "type", 1, "FILE", "PROGRAM", "PIPE",
			"CALLBACK")+`, s.param1 AS bytes_processed, s.param2 AS bytes_total, s.param3 AS tuples_processed,
			s.param4 AS tuples_excluded`),
		view("create_index", "CREATE INDEX", "s.param7::oid AS index_relid, "+of("param1", "command", 1, "CREATE INDEX",
			"CREATE INDEX CONCURRENTLY", "REINDEX", "REINDEX CONCURRENTLY")+", "+of("param10", "phase", 0, "initializing",
			"waiting for writers before build",
			"'building index'::text || COALESCE(': '::text || pg_indexam_progress_phasename(s.param9::oid, s.param11), ''::text)",
			"waiting for writers before validation", "index validation: scanning index", "index validation: sorting tuples",
			"index validation: scanning table", "waiting for old snapshots", "waiting for readers before marking dead",
			"waiting for readers before dropping")+`, s.param4 AS lockers_total, s.param5 AS lockers_done, s.param6 AS current_locker_pid,
			s.param16 AS blocks_total, s.param17 AS blocks_done, s.param12 AS tuples_total, s.param13 AS tuples_done,
			s.param14 AS partitions_total, s.param15 AS partitions_done`),
	}
}

// buildStep names the step of a build of an index.
func buildStep(_ *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	steps := []string{"initializing", "scanning table", "sorting live tuples", "sorting dead tuples", "loading tuples in tree"}
	if n := a[1].I; oidArg(a[0]) == bootstrap.MethodBtree && n >= 1 && n <= int64(len(steps)) {
		return types.Text(steps[n-1]), nil
	}
	return types.Null, nil
}
