// Package turns holds queues that are fair between users: each user's entries wait in a line of their own, first come first
// served, and the lines take turns.
//
// Entries and lines are linked through fields of their owners, so that every operation is O(1) and allocates nothing. The
// package has no locks: whoever owns a queue guards it together with the lines and entries that are in it.
package turns
