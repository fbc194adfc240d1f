// Package park runs the clients that have sent something, on few goroutines, and keeps the others without any.
//
// A client that rests is a Seat: its descriptor in an epoll set and a word of state. When bytes arrive, or somebody wakes
// it, it goes into the queue of ready clients, and a runner takes it from there, serves what has arrived and parks it again.
// As many runners are at work as there are processors; one that waits (for a lock, the log, a client) or that stays with one
// client for long does not count, and another takes its place. README.md draws it.
//
// Locks: Poller.mu guards the queue, the groups and the counts; nothing blocks under it. The package must not know
// protocols, sessions or pools.
package park
