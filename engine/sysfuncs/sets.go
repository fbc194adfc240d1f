package sysfuncs

import (
	"sort"
	"strings"
	"time"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/session"
	"manifold/engine/stats"
	"manifold/engine/types"
)

func registerSets(r registry) {
	r.addSet(activityRows, "pg_stat_get_activity")
	r.addSet(preparedStatements, "pg_prepared_statement")
	r.addSet(cursors, "pg_cursor")
	r.addSet(progressRows, "pg_stat_get_progress_info")
	r.add(buildStep, "pg_indexam_progress_phasename")
	r.addSet(prefetchCounts, "pg_stat_get_recovery_prefetch")
	r.addSet(expandArray, "_pg_expandarray")
	nothing := func(*Scope, *builtins.Context, []types.Datum) ([]types.Datum, error) { return nil, nil }
	r.addSet(nothing, "pg_partition_ancestors", "pg_partition_tree", "pg_available_extensions",
		"pg_available_extension_versions", "pg_stat_get_wal_senders",
		"pg_get_replication_slots", "pg_show_replication_origin_status", "pg_get_publication_tables", "pg_stat_get_subscription")
}

// expandArray gives the elements of an array with their places, counted from one.
func expandArray(_ *Scope, _ *builtins.Context, a []types.Datum) ([]types.Datum, error) {
	arr := types.OpenArray(a[0])
	var out []types.Datum
	for i, v := range arr.Elems(make([]types.Datum, 0, arr.Len())) {
		out = append(out, record([]base.OID{arr.Elem, types.OIDInt4}, v, types.Int(int64(i)+1)))
	}
	return out, nil
}

// activityRows gives the rows of pg_stat_get_activity.
func activityRows(s *Scope, _ *builtins.Context, a []types.Datum) ([]types.Datum, error) {
	if s.Host == nil {
		return nil, nil
	}
	o, i4, t, ts, b := types.OIDOID, types.OIDInt4, types.OIDText, types.OIDTimestampTZ, types.OIDBool
	cols := []base.OID{o, i4, o, t, t, t, t, t, ts, ts, ts, ts, types.OIDInet, t, i4, types.OIDXID, types.OIDXID, t, b, t, t, i4, t,
		types.OIDNumeric, t, b, t, b, i4, types.OIDInt8}
	list := s.Host.Sessions()
	places := s.Tx.Manager().Places()
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	var out []types.Datum
	for _, x := range list {
		if !a[0].Null && uint32(a[0].I) != x.ID {
			continue
		}
		in := x.Info()
		row := make([]types.Datum, len(cols))
		for k := range row {
			row[k] = types.Null
		}
		if x.Database != nil {
			row[0] = oidOf(x.Database.OID)
		}
		row[1] = types.Int(int64(x.ID))
		if x.Login != nil {
			row[2] = oidOf(x.Login.OID)
		}
		row[3] = types.Text(in.Application)
		visible, err := maySee(s, x)
		if err != nil {
			return nil, err
		}
		if !visible {
			row[5] = types.Text("<insufficient privilege>")
			out = append(out, record(cols, row...))
			continue
		}
		if row[5] = types.Text(in.Query); in.State != "" { // an auxiliary process has none
			row[4] = types.Text(in.State)
		}
		if e, _ := x.Task.Waiting(); e.Name() != "" {
			row[6], row[7] = types.Text(e.Class()), types.Text(e.Name())
		} else if strings.HasPrefix(in.State, "idle") {
			row[6], row[7] = types.Text("Client"), types.Text("ClientRead")
		}
		row[8], row[9], row[10], row[11] = timestamp(in.TxStart), timestamp(in.QueryStart), timestamp(x.Started), timestamp(in.StateChange)
		if in.ClientPort != 0 {
			row[14] = types.Int(int64(in.ClientPort))
		}
		if addr, ok := types.InetOf(in.ClientAddr); ok {
			row[12] = addr
		}
		if p := places[x.ID]; p.XID != 0 {
			row[15] = types.Int(int64(p.XID))
		}
		row[17] = types.Text(in.BackendType)
		row[18] = types.Bool(false)
		row[25], row[27] = types.Bool(false), types.Bool(false)
		out = append(out, record(cols, row...))
	}
	return out, nil
}

// maySee tells whether the caller may see what another session does: its own role's and those of roles that it is a member of,
// and everything with pg_read_all_stats.
func maySee(s *Scope, x *session.Session) (bool, error) {
	if x.Login == nil {
		return true, nil
	}
	ok, err := s.View.MemberOf(s.Session.Role, x.Login.OID)
	if ok || err != nil {
		return ok, err
	}
	return s.View.MemberOf(s.Session.Role, roleReadAllStats)
}

// progressRows gives the rows of pg_stat_get_progress_info for one command.
func progressRows(s *Scope, _ *builtins.Context, a []types.Datum) ([]types.Datum, error) {
	if s.Host == nil {
		return nil, nil
	}
	var out []types.Datum
	for _, x := range s.Host.Sessions() {
		p := x.Info().Progress
		if p == nil || p.Command != text(a[0]) || x.Database == nil {
			continue
		}
		cols := []base.OID{types.OIDInt4, types.OIDOID, types.OIDOID}
		row := []types.Datum{types.Int(int64(x.ID)), oidOf(x.Database.OID), oidOf(p.Relation)}
		for i := range session.ProgressParams {
			cols, row = append(cols, types.OIDInt8), append(row, types.Int(p.Param(i)))
		}
		out = append(out, record(cols, row...))
	}
	return out, nil
}

func preparedStatements(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
	var out []types.Datum
	for name, p := range s.Session.Statements {
		if name == "" {
			continue
		}
		var params []types.Datum
		for _, t := range p.Params {
			params = append(params, oidOf(t))
		}
		out = append(out, record([]base.OID{types.OIDText, types.OIDText, types.OIDTimestampTZ, types.OIDRegTypeArray, types.OIDBool,
			types.OIDInt8, types.OIDInt8}, types.Text(name), types.Text(p.Text), timestamp(p.CreatedAt),
			types.MakeArray(types.OIDRegType, params), types.Bool(p.FromSQL), types.Int(0), types.Int(0)))
	}
	return out, nil
}

func cursors(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
	var out []types.Datum
	b := types.OIDBool
	for name, p := range s.Session.Portals {
		if name == "" {
			continue
		}
		query := p.Query
		if p.Statement != nil {
			query = p.Statement.Text
		}
		out = append(out, record([]base.OID{types.OIDText, types.OIDText, b, b, b, types.OIDTimestampTZ}, types.Text(name),
			types.Text(query), types.Bool(p.Hold), types.Bool(p.Binary), types.Bool(p.Scroll), timestamp(p.CreatedAt)))
	}
	return out, nil
}

// registerStatistics adds what the statistics views read.
func registerStatistics(r registry) {
	counter := func(name string, f func(t *stats.Table) int64) {
		r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			t := s.counters(oidArg(a[0]))
			if t == nil {
				return types.Null, nil
			}
			return types.Int(f(t)), nil
		}, "pg_stat_get_"+name)
	}
	counter("tuples_inserted", func(t *stats.Table) int64 { return t.Inserted.Load() })
	counter("tuples_updated", func(t *stats.Table) int64 { return t.Updated.Load() })
	counter("tuples_hot_updated", func(t *stats.Table) int64 { return t.HotUpdated.Load() })
	counter("tuples_deleted", func(t *stats.Table) int64 { return t.Deleted.Load() })
	counter("dead_tuples", func(t *stats.Table) int64 { return t.Dead.Load() })
	counter("mod_since_analyze", func(t *stats.Table) int64 { return t.Modified.Load() })
	counter("ins_since_vacuum", func(t *stats.Table) int64 { return t.Added.Load() })
	counter("vacuum_count", func(t *stats.Table) int64 { return t.ByUser.Vacuums.Load() })
	counter("analyze_count", func(t *stats.Table) int64 { return t.ByUser.Analyzes.Load() })
	counter("autovacuum_count", func(t *stats.Table) int64 { return t.Auto.Vacuums.Load() })
	counter("autoanalyze_count", func(t *stats.Table) int64 { return t.Auto.Analyzes.Load() })
	moment := func(name string, f func(t *stats.Table) int64) {
		r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			t := s.counters(oidArg(a[0]))
			if t == nil || f(t) == 0 {
				return types.Null, nil
			}
			return timestamp(time.Unix(0, f(t))), nil
		}, "pg_stat_get_"+name)
	}
	moment("last_vacuum_time", func(t *stats.Table) int64 { return t.ByUser.LastVacuum.Load() })
	moment("last_analyze_time", func(t *stats.Table) int64 { return t.ByUser.LastAnalyze.Load() })
	moment("last_autovacuum_time", func(t *stats.Table) int64 { return t.Auto.LastVacuum.Load() })
	moment("last_autoanalyze_time", func(t *stats.Table) int64 { return t.Auto.LastAnalyze.Load() })
	registerBackground(r)
	registerReads(r)
	r.add(liveTuples, "pg_stat_get_live_tuples")
	// What nobody counts is null: no number would be true.
	null := func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Null, nil }
	for _, n := range []string{"db_temp_files", "db_temp_bytes", "db_checksum_failures", "db_checksum_last_failure", "db_session_time",
		"db_active_time", "db_idle_in_transaction_time", "db_sessions_abandoned", "db_sessions_fatal", "db_sessions_killed"} {
		r.add(null, "pg_stat_get_"+n)
	}
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		n := int64(0)
		if s.Host != nil {
			for _, x := range s.Host.Sessions() {
				if x.Database != nil && x.Database.OID == oidArg(a[0]) {
					n++
				}
			}
		}
		return types.Int(n), nil
	}, "pg_stat_get_db_numbackends")
}

// counters gives the counters of a table of the session's database; nil when nothing is counted.
func (s *Scope) counters(table base.OID) *stats.Table {
	if s.Stats == nil {
		return nil
	}
	return s.Stats.Counts(s.statsDatabase(table), table)
}

// liveTuples is what the last VACUUM or ANALYZE counted and what came and went since.
func liveTuples(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	st, err := s.View.StatisticsOf(oidArg(a[0]))
	rows := max(int64(st.Rows), 0)
	if t := s.counters(oidArg(a[0])); t != nil {
		rows += t.Growth.Load()
	}
	return types.Int(max(rows, 0)), err
}
