package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"manifold/pool"
)

// collector turns what the sources say into metrics.
type collector struct {
	from  Sources
	descs map[string]*prometheus.Desc // by name without prefix; only read
}

// described lists the metrics but for the engine's: name, help and labels.
func described() [][]string {
	return [][]string{
		{"info", "The version of the server.", "version"},
		{"pool_slots", "Statements that may run at a time.", "database"},
		{"pool_reserve", "Statements of superusers that may run beyond the slots.", "database"},
		{"pool_running", "Statements that run.", "database"},
		{"pool_parked", "Statements that wait inside for locks, the log or their client, without a slot.", "database"},
		{"pool_waiting", "Statements that wait for a slot.", "database"},
		{"pool_backends", "Backends that exist.", "database"},
		{"pool_sessions", "Clients.", "database"},
		{"pool_in_transaction", "Clients that rest inside a transaction.", "database"},
		{"pool_gate", "0 open, 1 pausing, 2 paused, 3 suspended.", "database"},
		{"user_sessions", "Clients of a user.", "database", "user"},
		{"user_running", "Statements of a user that run.", "database", "user"},
		{"user_parked", "Statements of a user that wait inside.", "database", "user"},
		{"user_waiting", "Statements of a user that wait for a slot.", "database", "user"},
		{"user_oldest_wait_seconds", "How long the first of those has waited.", "database", "user"},
		{"transactions_total", "Transactions.", "database", "user"},
		{"statements_total", "Statements.", "database", "user"},
		{"received_bytes_total", "Bytes from clients.", "database", "user"},
		{"sent_bytes_total", "Bytes to clients.", "database", "user"},
		{"transaction_seconds_total", "Time inside transactions, without waits for slots.", "database", "user"},
		{"statement_seconds", "How long statements took, without waits for slots.", "database", "user"},
		{"wait_seconds", "How long slots were waited for.", "database", "user"},
		{"clients", "Clients by state.", "database", "state"},
		{"clients_waiting", "Clients by what they wait for.", "type", "event"},
		{"connections_limit", "Clients that may be connected."},
		{"connections", "Clients that are connected."},
		{"connections_accepted_total", "Connections ever taken."},
		{"connections_refused_total", "Connections turned away for a limit."},
		{"logins_running", "Clients that look themselves up in the catalogs."},
		{"logins_waiting", "Clients that wait to."},
		{"errors_total", "Errors that clients were told of.", "sqlstate"},
	}
}

const prefix = "manifold_"

func newCollector(from Sources) *collector {
	c := &collector{from: from, descs: map[string]*prometheus.Desc{}}
	for _, d := range described() {
		c.descs[d[0]] = prometheus.NewDesc(prefix+d[0], d[1], d[2:], nil)
	}
	for _, f := range from.Engine() {
		c.descs[f.Name] = prometheus.NewDesc(prefix+f.Name, f.Help, nil, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(name string, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, v, labels...)
	}
	counter := func(name string, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.descs[name], prometheus.CounterValue, v, labels...)
	}
	gauge("info", 1, c.from.Version)
	for _, p := range c.from.Pools() {
		for name, v := range map[string]int{"slots": p.Slots, "reserve": p.Limits.Reserve, "running": p.Running, "parked": p.Parked,
			"waiting": p.Waiting, "backends": p.Backends, "sessions": p.Leases, "in_transaction": p.InTx, "gate": int(p.Gate)} {
			gauge("pool_"+name, float64(v), p.Name)
		}
		for _, u := range p.Users {
			for name, v := range map[string]int{"sessions": u.Leases, "running": u.Running, "parked": u.Parked, "waiting": u.Waiting} {
				gauge("user_"+name, float64(v), p.Name, u.Name)
			}
			gauge("user_oldest_wait_seconds", u.Oldest.Seconds(), p.Name, u.Name)
			counter("transactions_total", float64(u.Transactions), p.Name, u.Name)
			counter("statements_total", float64(u.Statements), p.Name, u.Name)
			counter("received_bytes_total", float64(u.Received), p.Name, u.Name)
			counter("sent_bytes_total", float64(u.Sent), p.Name, u.Name)
			counter("transaction_seconds_total", u.TransactionTime.Seconds(), p.Name, u.Name)
			out <- histogram(c.descs["statement_seconds"], &u.Runs, u.StatementTime.Seconds(), p.Name, u.Name)
			out <- histogram(c.descs["wait_seconds"], &u.Waits, u.Waited.Seconds(), p.Name, u.Name)
		}
	}
	c.collectClients(gauge)
	f := c.from.Front()
	gauge("connections_limit", float64(f.Limit))
	gauge("connections", float64(f.Connected))
	counter("connections_accepted_total", float64(f.Accepted))
	counter("connections_refused_total", float64(f.Refused))
	gauge("logins_running", float64(f.LoggingIn))
	gauge("logins_waiting", float64(f.Waiting))
	for code, n := range c.from.Errors() {
		counter("errors_total", float64(n), code)
	}
	for _, x := range c.from.Engine() {
		if x.Counter {
			counter(x.Name, x.Value)
		} else {
			gauge(x.Name, x.Value)
		}
	}
}

func (c *collector) collectClients(gauge func(name string, v float64, labels ...string)) {
	type state struct{ database, state string }
	type wait struct{ class, event string }
	states, waits := map[state]int{}, map[wait]int{}
	for _, x := range c.from.Clients() {
		states[state{x.Database, x.State}]++
		if x.WaitEvent != "" {
			waits[wait{x.WaitType, x.WaitEvent}]++
		}
	}
	for s, n := range states {
		gauge("clients", float64(n), s.database, s.state)
	}
	for w, n := range waits {
		gauge("clients_waiting", float64(n), w.class, w.event)
	}
}

// histogram gives the pool's buckets, each with those below it.
func histogram(desc *prometheus.Desc, h *pool.Histogram, sum float64, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, pool.Buckets)
	var count uint64
	for i, n := range h {
		count += n
		if i < pool.Buckets-1 {
			buckets[pool.Bound(i).Seconds()] = count
		}
	}
	return prometheus.MustNewConstHistogram(desc, count, sum, buckets, labels...)
}
