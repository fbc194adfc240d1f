// Package checkpointer decides when checkpoints are made: after checkpoint_timeout, when max_wal_size of log has been written
// since the last one, or on request; and how fast: its writes are spread over checkpoint_completion_target of the interval.
//
// One goroutine runs Run. The mechanism is the engine's.
package checkpointer
