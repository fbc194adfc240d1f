package setting

import "sort"

// override holds what Manifold sets differently from a PostgreSQL that was just initialised.
type override struct{ name, boot string }

func overrides() []override {
	return []override{
		{"server_version", "15.18"},
		{"server_version_num", "150018"},
		{"TimeZone", "UTC"},
		{"log_timezone", "UTC"},
		{"DateStyle", "ISO, MDY"},
		{"client_encoding", "UTF8"},
		{"server_encoding", "UTF8"},
		{"lc_collate", "C.UTF-8"},
		{"lc_ctype", "C.UTF-8"},
		{"lc_messages", "C"},
		{"lc_monetary", "C"},
		{"lc_numeric", "C"},
		{"lc_time", "C"},
		{"default_text_search_config", "pg_catalog.english"},
		{"timezone_abbreviations", "Default"},
		{"data_checksums", "on"},
		{"max_connections", "10000"},
		{"max_stack_depth", "2048"},
		{"jit", "off"},
		{"debug_assertions", "off"},
	}
}

// hidden are parameters that SHOW knows and pg_settings does not list.
func hidden() []Setting {
	return []Setting{
		{Name: "is_superuser", Kind: Bool, Context: Internal, Flags: Report | NoShowAll | NoReset, Boot: "off",
			Category: "Unused", Short: "Shows whether the current user is a superuser."},
		{Name: "role", Kind: String, Context: User, Flags: NoShowAll | NoReset, Boot: "none",
			Category: "Unused", Short: "Sets the current role."},
		{Name: "seed", Kind: Real, Context: User, Flags: NoShowAll | NoReset, Boot: "0", Min: -1, Max: 1,
			Category: "Unused", Short: "Sets the seed for random-number generation."},
		{Name: "session_authorization", Kind: String, Context: User, Flags: Report | NoShowAll | NoReset, Boot: "",
			Category: "Unused", Short: "Sets the session user name."},
	}
}

// own are the parameters that PostgreSQL does not know.
func own() []Setting {
	return []Setting{
		{Name: "backends", Kind: Int, Context: Sighup, Flags: Manifold, Boot: "0", Min: 0, Max: 4096,
			Category: "Connections and Authentication / Connection Settings",
			Short:    "Sets the number of backend slots of a database; 0 chooses by the number of processors."},
		{Name: "queue_timeout", Kind: Int, Context: Sighup, Flags: Manifold, Unit: "ms", Boot: "10000", Min: 0, Max: 2147483647,
			Category: "Connections and Authentication / Connection Settings",
			Short:    "Sets how long a statement may wait for a backend at the parked limit."},
	}
}

func flags() map[string]Flags {
	f := map[string]Flags{}
	add := func(flag Flags, names ...string) {
		for _, n := range names {
			f[n] |= flag
		}
	}
	add(Report, "application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby",
		"integer_datetimes", "IntervalStyle", "server_encoding", "server_version", "standard_conforming_strings", "TimeZone")
	add(PlanRelevant, "array_nulls", "backslash_quote", "bytea_output", "DateStyle", "default_text_search_config",
		"enable_async_append", "enable_bitmapscan", "enable_gathermerge", "enable_hashagg", "enable_hashjoin",
		"enable_incremental_sort", "enable_indexonlyscan", "enable_indexscan", "enable_material", "enable_memoize",
		"enable_mergejoin", "enable_nestloop", "enable_parallel_append", "enable_parallel_hash", "enable_partition_pruning",
		"enable_partitionwise_aggregate", "enable_partitionwise_join", "enable_seqscan", "enable_sort", "enable_tidscan",
		"constraint_exclusion", "cpu_index_tuple_cost", "cpu_operator_cost", "cpu_tuple_cost", "cursor_tuple_fraction",
		"debug_parallel_query", "effective_cache_size", "extra_float_digits", "force_parallel_mode", "from_collapse_limit",
		"hash_mem_multiplier", "IntervalStyle", "join_collapse_limit", "lc_monetary", "lc_time", "max_parallel_workers_per_gather",
		"min_parallel_index_scan_size", "min_parallel_table_scan_size", "parallel_leader_participation", "parallel_setup_cost",
		"parallel_tuple_cost", "plan_cache_mode", "quote_all_identifiers", "random_page_cost", "recursive_worktable_factor",
		"row_security", "search_path", "seq_page_cost", "standard_conforming_strings", "escape_string_warning", "TimeZone",
		"timezone_abbreviations", "transform_null_equals", "work_mem", "xmlbinary", "xmloption")
	add(List, "DateStyle", "wal_consistency_checking", "log_destination", "synchronous_standby_names", "listen_addresses",
		"debug_io_direct", "createrole_self_grant")
	add(List|ListQuote, "search_path", "temp_tablespaces", "session_preload_libraries", "shared_preload_libraries",
		"local_preload_libraries", "unix_socket_directories")
	add(NoReset, "transaction_isolation", "transaction_read_only", "transaction_deferrable")
	return f
}

func buildRegistry() *registry {
	r := &registry{byName: map[string]*Setting{}}
	all := append(append(append([]Setting{}, generated[:]...), hidden()...), own()...)
	marks := flags()
	for i := range all {
		s := &all[i]
		s.Flags |= marks[s.Name]
		r.all = append(r.all, s)
		r.byName[s.Name] = s
		r.byName[lower(s.Name)] = s
	}
	for _, o := range overrides() {
		if s, ok := r.byName[o.name]; ok {
			s.Boot = o.boot
		}
	}
	sort.Slice(r.all, func(i, j int) bool { return lower(r.all[i].Name) < lower(r.all[j].Name) })
	return r
}
