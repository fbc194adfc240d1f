package sysfuncs

import (
	"time"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/stats"
	"manifold/engine/types"
)

// registerBackground adds what pg_stat_bgwriter reads.
func registerBackground(r registry) {
	add := func(name string, f func(b *stats.Background) types.Datum) {
		r.add(func(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
			if s.Host == nil {
				return types.Null, nil
			}
			b := s.Host.Background()
			return f(&b), nil
		}, "pg_stat_get_"+name)
	}
	count := func(name string, f func(b *stats.Background) int64) {
		add(name, func(b *stats.Background) types.Datum { return types.Int(f(b)) })
	}
	milliseconds := func(name string, f func(b *stats.Background) time.Duration) {
		add(name, func(b *stats.Background) types.Datum {
			return types.Float(float64(f(b).Microseconds()) / 1000)
		})
	}
	r.add(logCounts, "pg_stat_get_wal")
	count("bgwriter_timed_checkpoints", func(b *stats.Background) int64 { return b.TimedCheckpoints })
	count("bgwriter_requested_checkpoints", func(b *stats.Background) int64 { return b.RequestedCheckpoints })
	count("bgwriter_buf_written_checkpoints", func(b *stats.Background) int64 { return b.CheckpointPages })
	count("bgwriter_buf_written_clean", func(b *stats.Background) int64 { return b.CleanPages })
	count("bgwriter_maxwritten_clean", func(b *stats.Background) int64 { return b.CleanStops })
	count("buf_written_backend", func(b *stats.Background) int64 { return b.BackendPages })
	// Files are synced by checkpoints only.
	count("buf_fsync_backend", func(*stats.Background) int64 { return 0 })
	count("buf_alloc", func(b *stats.Background) int64 { return b.Allocated })
	milliseconds("checkpoint_write_time", func(b *stats.Background) time.Duration { return b.CheckpointWrite })
	milliseconds("checkpoint_sync_time", func(b *stats.Background) time.Duration { return b.CheckpointSync })
	add("bgwriter_stat_reset_time", func(b *stats.Background) types.Datum { return timestamp(b.Since) })
}

// logCounts is pg_stat_get_wal. Times are not taken, as with track_wal_io_timing off.
func logCounts(s *Scope, _ *builtins.Context, _ []types.Datum) (types.Datum, error) {
	if s.Host == nil {
		return types.Null, nil
	}
	b := s.Host.Background()
	bytes := types.NumInt(b.Log.Bytes).Datum()
	i := types.OIDInt8
	cols := []base.OID{i, i, types.OIDNumeric, i, i, i, types.OIDFloat8, types.OIDFloat8, types.OIDTimestampTZ}
	return record(cols, types.Int(b.Log.Records), types.Int(b.Log.Images), bytes, types.Int(b.Log.Full), types.Int(b.Log.Writes),
		types.Int(b.Log.Syncs), types.Float(0), types.Float(0), timestamp(b.Since)), nil
}

// prefetchCounts is pg_stat_get_recovery_prefetch. Nothing reads ahead any more when somebody can ask.
func prefetchCounts(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
	if s.Host == nil {
		return nil, nil
	}
	b := s.Host.Background()
	p, i, n := b.Prefetch, types.OIDInt8, types.OIDInt4
	return []types.Datum{record([]base.OID{types.OIDTimestampTZ, i, i, i, i, i, i, n, n, n}, timestamp(b.Since), types.Int(p.Read),
		types.Int(p.Hit), types.Int(p.SkipInit), types.Int(p.SkipNew), types.Int(p.SkipFPW), types.Int(p.SkipRep), types.Int(0), types.Int(0),
		types.Int(0))}, nil
}
