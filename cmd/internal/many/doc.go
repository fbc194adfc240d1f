// Package many is what happens to a server that has many clients: they think between their statements, reconnect all at once,
// rest inside of transactions, lock rows and wait for each other. Each scene runs against a server at an address, gives its
// figures, and fails when a client does: cmd/bench runs them at full size, the tests of cmd/manifold small.
package many
