package sysfuncs

import (
	"time"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/catalog/bootstrap"
	"manifold/engine/stats"
	"manifold/engine/types"
)

// registerReads adds what the views about reading and about databases show. Pages are counted by relation where scans read them, and
// by database wherever statements do.
func registerReads(r registry) {
	read := func(name string, f func(c *stats.ReadCounts) int64) {
		r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			if s.Stats == nil {
				return types.Null, nil
			}
			oid := oidArg(a[0])
			c := s.Stats.ReadsOf(s.statsDatabase(oid), oid)
			return types.Int(f(&c)), nil
		}, "pg_stat_get_"+name)
	}
	read("numscans", func(c *stats.ReadCounts) int64 { return c.Scans })
	read("tuples_returned", func(c *stats.ReadCounts) int64 { return c.Returned })
	read("tuples_fetched", func(c *stats.ReadCounts) int64 { return c.Fetched })
	read("blocks_fetched", func(c *stats.ReadCounts) int64 { return c.Blocks })
	read("blocks_hit", func(c *stats.ReadCounts) int64 { return c.Blocks - c.Misses })
	database := func(name string, f func(c *stats.DatabaseCounts) types.Datum) {
		r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
			if s.Stats == nil {
				return types.Null, nil
			}
			c := s.Stats.CountsOf(oidArg(a[0]))
			return f(&c), nil
		}, "pg_stat_get_db_"+name)
	}
	count := func(name string, f func(c *stats.DatabaseCounts) int64) {
		database(name, func(c *stats.DatabaseCounts) types.Datum { return types.Int(f(c)) })
	}
	count("xact_commit", func(c *stats.DatabaseCounts) int64 { return c.Commits })
	count("xact_rollback", func(c *stats.DatabaseCounts) int64 { return c.Rollbacks })
	count("blocks_fetched", func(c *stats.DatabaseCounts) int64 { return c.Hits + c.Reads })
	count("blocks_hit", func(c *stats.DatabaseCounts) int64 { return c.Hits })
	count("tuples_returned", func(c *stats.DatabaseCounts) int64 { return c.Returned })
	count("tuples_fetched", func(c *stats.DatabaseCounts) int64 { return c.Fetched })
	count("tuples_inserted", func(c *stats.DatabaseCounts) int64 { return c.Inserted })
	count("tuples_updated", func(c *stats.DatabaseCounts) int64 { return c.Updated })
	count("tuples_deleted", func(c *stats.DatabaseCounts) int64 { return c.Deleted })
	count("deadlocks", func(c *stats.DatabaseCounts) int64 { return c.Deadlocks })
	count("sessions", func(c *stats.DatabaseCounts) int64 { return c.Sessions })
	database("stat_reset_time", func(c *stats.DatabaseCounts) types.Datum {
		if c.Since == 0 {
			return types.Null
		}
		return timestamp(time.Unix(0, c.Since))
	})
	// Nothing is replayed beside queries, and what pages take is not timed.
	zero := func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Int(0), nil }
	for _, n := range []string{"all", "tablespace", "lock", "snapshot", "bufferpin", "startup_deadlock"} {
		r.add(zero, "pg_stat_get_db_conflict_"+n)
	}
	none := func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Float(0), nil }
	r.add(none, "pg_stat_get_db_blk_read_time", "pg_stat_get_db_blk_write_time")
	nothing := func(*Scope, *builtins.Context, []types.Datum) (types.Datum, error) { return types.Text(""), nil }
	r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
		if err := mustSuper(s, "pg_stat_reset"); err != nil {
			return types.Null, err
		}
		if s.Stats != nil {
			s.Stats.Reset(s.Session.Database.OID, time.Now().UnixNano())
		}
		return types.Text(""), nil
	}, "pg_stat_reset")
	r.add(func(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
		if err := mustSuper(s, "pg_stat_reset_single_table_counters"); err != nil {
			return types.Null, err
		}
		if oid := oidArg(a[0]); s.Stats != nil {
			s.Stats.ResetRelation(s.statsDatabase(oid), oid)
		}
		return types.Text(""), nil
	}, "pg_stat_reset_single_table_counters")
	// Counts are read as they are, not from a snapshot, and told when a statement ends.
	r.add(nothing, "pg_stat_clear_snapshot", "pg_stat_force_next_flush")
}

// statsDatabase gives the database that a relation's counters are kept under.
func (s *Scope) statsDatabase(relation base.OID) base.OID {
	if d, ok := bootstrap.Relation(relation); ok && d.Shared {
		return 0
	}
	return s.Session.Database.OID
}
