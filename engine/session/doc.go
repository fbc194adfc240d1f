// Package session is a client's whole portable state: who it is, its settings, prepared statements, portals, transaction,
// locks and temporary objects. It hangs on the connection; no backend keeps any of it.
//
// A Session belongs to one goroutine at a time, the one that runs the client's statement; only Task.Cancel, Task.Terminate
// and the Info snapshot may be used from others. The package knows neither the wire protocol nor the pool.
package session
