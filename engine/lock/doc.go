// Package lock is the heavyweight lock manager: table-level modes on named things, held by owners (sessions) for a
// transaction or a session, with FIFO queues, deadlock detection and a fast path for weak relation locks.
//
// Lock order: an owner's mutex, then partition mutexes in the order of their index. Waiting is activity.Task.Wait, with
// no mutex held. The package must not know what is locked, nor sessions beyond their number.
package lock
