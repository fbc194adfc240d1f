package stats

import "time"

// Background is the work of the checkpointer, the background writer and those who needed a buffer, since the start.
type Background struct {
	TimedCheckpoints, RequestedCheckpoints int64
	CheckpointWrite, CheckpointSync        time.Duration
	CheckpointPages, CleanPages            int64
	CleanStops                             int64 // rounds of the background writer that ended at its limit
	BackendPages, Allocated                int64
	Since                                  time.Time
	Log                                    Log
}

// Log is what pg_stat_wal shows.
type Log struct {
	Records, Images, Bytes, Full, Writes, Syncs int64
}
