// Package engine is the face of the database engine: it opens and closes a cluster, makes sessions and the backends that run
// their statements, and offers what the server's own processes drive (checkpoints, cleaning of buffers, flushing of the log).
//
// An Engine is safe for concurrent use; a Session and a Backend belong to one goroutine at a time. The package knows neither
// clients nor the pool.
package engine
