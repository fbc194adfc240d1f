// Command manifold is the server and its tools: serve (the default), initdb, check, waldump, pagedump, health and version.
//
// It is the only place where the parts are joined: the engine with the pools, the pools with the proxy, the auxiliary
// processes with what they drive, all of them with the configuration and the log.
package main
