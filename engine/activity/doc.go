// Package activity is what a running statement tells the rest of the server: which session it is of, whether it has
// been cancelled, what it waits for, and which log position its answer depends on.
//
// A Task belongs to one goroutine at a time; only Cancel, Terminate and the readers of its wait event may be called from
// others. Task.Wait is the only way to wait for a lock, the log, a client, a standby or time: it gives the slot up,
// blocks, and takes a slot again. It must not be called with a pin, latch or mutex held, and asserts so in invariant
// builds. Task.Breathe is for statements that compute: it lets others have the slot and the processor now and then. The
// package knows nothing of pools, locks or clients.
package activity
