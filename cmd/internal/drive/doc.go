// Package drive is a load of many clients on few threads, for benchmarks and tests: raw connections in an epoll set for each
// thread, requests as bytes made beforehand, answers cut into messages and checked. It costs a fraction of what a client
// library or pgbench does, which share the machine with the server that is measured.
//
// A Fleet is clients that are logged in. Run lets each of them follow a Script; between runs they are silent. One goroutine
// may use a Fleet; its threads share nothing. It speaks the simple and the extended protocol to servers that trust it.
package drive
