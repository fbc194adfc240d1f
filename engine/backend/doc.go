// Package backend is what a session borrows to run one statement: it keeps no state of any session between statements. It
// joins parser, plan cache, executor and utility commands, and owns transaction blocks and portals.
//
// A Backend belongs to one goroutine at a time. Answers go to a Sink that the caller supplies; the package knows neither
// sockets nor the pool.
package backend
