// Package notify is LISTEN and NOTIFY: what a transaction wants to say and hear (Pending), who hears what (Listener), and
// the way between them (Queue). README.md has the order of things.
//
// Invariants: a notification reaches a listener once, after the commit of its sender is durable, in the order of commits in
// the log; none sent by a transaction that commits after the listener's LISTEN is lost. What is held in memory for slow
// listeners is bounded: the sender beyond the bound fails, nobody else waits.
//
// Locks: Queue.mu, then Queue.commitsMu, both leaves for everybody else; nothing is called and no I/O is done under them. The
// package must not know clients: a Listener wakes its session through a function that it is given.
package notify
