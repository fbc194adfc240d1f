// Package tidy holds only tests: they walk both modules and fail on what the design forbids. An import may only go down
// the table of ranks; files and functions stay small; some calls belong to few packages; every package says what it is.
//
// The table of ranks is policy. Change it on purpose, never to make a build pass.
package tidy
