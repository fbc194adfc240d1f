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
	Prefetch                               Prefetch
}

// Prefetch is what became of the pages that the records of the last recovery refer to, as pg_stat_recovery_prefetch shows it.
type Prefetch struct {
	Read     int64 // prefetched
	Hit      int64 // in memory already
	SkipInit int64 // made anew by redo
	SkipNew  int64 // not there yet
	SkipFPW  int64 // restored from an image
	SkipRep  int64 // prefetched or made anew shortly before
}

// Log is what pg_stat_wal shows.
type Log struct {
	Records, Images, Bytes, Full, Writes, Syncs int64
}
