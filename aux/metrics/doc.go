// Package metrics tells Prometheus how the server is: an HTTP listener of its own that answers /metrics, off unless an address
// is configured. README.md has the queries that matter and dashboard.json a dashboard for Grafana.
//
// A scrape reads what the pools, the clients and the engine count anyway; between scrapes the package costs nothing. It knows
// what it tells through Sources.
package metrics
