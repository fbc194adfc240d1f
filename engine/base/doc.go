// Package base declares the scalar names that every layer of the engine shares: object identifiers, transaction
// identifiers, log sequence numbers, block numbers and the tags made of them.
//
// It holds no behaviour beyond formatting and ordering, takes no locks, and imports nothing of the engine.
package base
