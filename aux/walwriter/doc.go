// Package walwriter makes durable, every wal_writer_delay, what asynchronous commits have left in the log's buffers.
//
// One goroutine runs Run. The mechanism is the engine's.
package walwriter
