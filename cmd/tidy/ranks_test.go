package tidy

import "strings"

// ranks is the one table of the house: a package imports only packages of a strictly lower rank. A name that ends in a
// slash is for all packages below it.
func ranks() map[string]int {
	table := []struct {
		rank  int
		names string
	}{
		{26, "cmd/manifold cmd/bench cmd/tidy"},
		{25, "aux/supervisor cmd/manifold/internal/config cmd/internal/many cmd/internal/floor"},
		{24, "cmd/internal/drive engine/isolation engine/crashlab aux/startup aux/checkpointer aux/bgwriter aux/walwriter aux/archiver aux/walsender aux/walreceiver aux/autovacuum aux/logger aux/metrics proxy"},
		{23, "proxy/session proxy/admin"},
		{22, "proxy/auth proxy/park"},
		{21, "proxy/wire"},
		{20, "pool"},
		{19, "engine"},
		{18, "engine/backend"},
		{17, "engine/command engine/copy"},
		{16, "engine/plpgsql engine/sysfuncs"},
		{15, "engine/session"},
		{14, "engine/trigger engine/sql/plancache engine/sql/explain engine/vacuum engine/recovery"},
		{13, "engine/sql/analyze engine/sql/optimize engine/exec"},
		{12, "engine/sql/plan engine/sql/deparse"},
		{11, "engine/exec/eval"},
		{10, "engine/catalog engine/replication"},
		{9, "engine/access/toast engine/catalog/bootstrap engine/sql/query engine/sql/parse engine/checkpoint engine/notify"},
		{8, "engine/access/heap engine/access/btree engine/access/hash engine/access/gin engine/access/gist engine/access/brin engine/sequence"},
		{7, "engine/txn"},
		{6, "engine/mvcc"},
		{5, "engine/clog engine/predicate engine/rmgr"},
		{4, "engine/buffer engine/lock engine/tuple"},
		{3, "engine/wal engine/storage engine/control engine/relation engine/builtins"},
		{2, "engine/page engine/vector engine/stats engine/tempfile"},
		{1, "engine/types engine/vfs engine/compression engine/lockrank engine/setting engine/memory engine/activity"},
		{0, "engine/base engine/invariant engine/pgerror engine/quicksort pool/turns"},
	}
	out := map[string]int{}
	for _, row := range table {
		for _, name := range strings.Fields(row.names) {
			out[name] = row.rank
		}
	}
	return out
}

// mechanisms are the packages that must have a README.
func mechanisms() []string {
	return []string{"pool", "proxy/wire", "proxy/auth", "proxy/park", "proxy/session", "engine/session", "proxy/admin", "aux/metrics", "engine/buffer", "engine/lock", "engine/wal", "engine/txn",
		"engine/mvcc", "engine/trigger", "engine/access/heap", "engine/access/btree", "engine/access/toast", "engine/predicate", "engine/isolation", "engine/crashlab", "engine/recovery", "engine/vfs", "engine/types", "engine/setting"}
}

// Exemptions, by the end of a file's path or the name of a function; each has its reason.
func exemptFiles() []string {
	return []string{
		"table.go",                   // lists with consequences
		"catalog/bootstrap/names.go", // generated from the catalogs of PostgreSQL
	}
}

func exemptFunctions() []string {
	return []string{
		"overrides", "own", "flags", // tables of engine/setting
	}
}

// fileCallers may open files: vfs, the log, the command, generators, and the socket of the proxy.
func fileCallers() []string {
	return []string{"engine/vfs/", "aux/logger/", "cmd/", "/internal/", "proxy/listen.go"}
}
