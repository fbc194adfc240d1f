// Package proxy is the front door: it listens, accepts clients within limits, hands each to proxy/session on a goroutine
// of its own, and empties the house at shutdown.
//
// A Server owns its listeners and the goroutines of its clients. Run returns when all listeners are closed; Shutdown
// returns when all clients are gone. Its counters are atomic; it has no lock of its own.
package proxy
