// Package trigger keeps what changed rows leave to be done at the end of their statement or at commit: the checks and
// actions of foreign keys, and the second look of deferrable unique and exclusion constraints.
//
// A Queue belongs to a session and to the goroutine that runs its statement; nothing in it is shared. An event holds the
// addresses of row versions, never their values: versions that a running transaction made or ended stay where they are.
// Events beyond a fixed number lie in a temporary file. Checks of foreign keys go to the referenced table's index and lock the
// row there; actions run as SQL through a Runner. The package must not know sessions, portals or plans.
package trigger
