package admin

import (
	"sort"
	"time"

	"manifold/engine/activity"
	"manifold/engine/pgerror"
	"manifold/engine/types"
	"manifold/pool"
)

// Report gives one kind of facts for the views of schema manifold.
func Report(from Sources, task *activity.Task, kind string) (Table, error) {
	b := New(from)
	switch kind {
	case "pools":
		return b.reportPools(), nil
	case "users":
		return b.reportUsers(), nil
	case "backends":
		return b.reportBackends(), nil
	case "clients":
		return b.reportClients(), nil
	case "databases":
		return b.reportDatabases(task)
	case "stats":
		return b.reportStats(), nil
	case "histograms":
		return b.reportHistograms(), nil
	case "errors":
		return b.reportErrors(), nil
	case "configuration":
		return b.config(), nil
	}
	return Table{}, pgerror.Newf(pgerror.InvalidParameterValue, "there is no report \"%s\"", kind)
}

func seconds(names ...string) []Column { return columns(types.OIDFloat8, names...) }
func moments(names ...string) []Column { return columns(types.OIDTimestampTZ, names...) }

func (b *Backend) reportPools() Table {
	t := Table{Columns: join(texts("database", "gate"), ints("slots", "reserve", "running", "parked", "waiting", "backends", "sessions",
		"in_transaction"), bigs("grants"), seconds("wait_seconds"))}
	for _, p := range b.from.Pools.Stats() {
		t.add(p.Name, p.Gate.String(), int64(p.Slots), int64(p.Limits.Reserve), int64(p.Running), int64(p.Parked), int64(p.Waiting),
			int64(p.Backends), int64(p.Leases), int64(p.InTx), int64(p.Grants), p.Waited.Seconds())
	}
	return t
}

func (b *Backend) reportUsers() Table {
	t := Table{Columns: join(texts("database", "user_name"), ints("sessions", "running", "parked", "waiting"), seconds("oldest_wait_seconds"),
		bigs("transactions", "statements", "bytes_received", "bytes_sent", "grants"), seconds("transaction_seconds", "statement_seconds", "wait_seconds"))}
	for _, p := range b.from.Pools.Stats() {
		for _, u := range p.Users {
			t.Rows = append(t.Rows, append([]any{p.Name, u.Name, int64(u.Leases), int64(u.Running), int64(u.Parked), int64(u.Waiting),
				u.Oldest.Seconds()}, counts(u.Counts)...))
		}
	}
	return t
}

func counts(c pool.Counts) []any {
	return []any{int64(c.Transactions), int64(c.Statements), int64(c.Received), int64(c.Sent), int64(c.Grants), c.TransactionTime.Seconds(),
		c.StatementTime.Seconds(), c.Waited.Seconds()}
}

func (b *Backend) reportStats() Table {
	t := Table{Columns: join(texts("database"), bigs("transactions", "statements", "bytes_received", "bytes_sent", "grants"),
		seconds("transaction_seconds", "statement_seconds", "wait_seconds"), bigs("transactions_per_second", "statements_per_second"))}
	for _, p := range b.from.Pools.Stats() {
		t.Rows = append(t.Rows, append(append([]any{p.Name}, counts(p.Counts)...), int64(p.Averages.Transactions), int64(p.Averages.Statements)))
	}
	return t
}

func (b *Backend) reportBackends() Table {
	t := Table{Columns: join(texts("database"), bigs("number"), moments("backend_start"), columns(types.OIDBool, "closing"), ints("pid"))}
	for _, p := range b.from.Pools.Named("") {
		for _, r := range p.Backends() {
			var pid any
			if r.Session != 0 {
				pid = int64(r.Session)
			}
			t.add(p.Name(), int64(r.Number), r.Since, r.Old, pid)
		}
	}
	return t
}

func (b *Backend) reportClients() Table {
	t := Table{Columns: join(ints("pid"), texts("database", "user_name", "application_name"), columns(types.OIDInet, "client_addr"), ints("client_port"),
		columns(types.OIDBool, "tls"), moments("backend_start", "query_start", "state_change"), texts("state", "wait_event_type", "wait_event"),
		seconds("queue_seconds"), texts("query"))}
	now := time.Now()
	for _, c := range b.from.Clients() {
		var addr, queue, class, event any
		if c.Info.ClientAddr != "" {
			addr = c.Info.ClientAddr
		}
		if c.Waiting != activity.EventNone {
			class, event = c.Waiting.Class(), c.Waiting.Name()
		}
		if since := c.queued(); !since.IsZero() {
			queue = max(0, now.Sub(since)).Seconds()
		}
		t.add(int64(c.PID), c.Database, c.User, c.Info.Application, addr, int64(c.Info.ClientPort), c.TLS, c.Started, c.Info.QueryStart,
			c.Info.StateChange, c.Info.State, class, event, queue, c.Info.Query)
	}
	return t
}

func (b *Backend) reportDatabases(task *activity.Task) (Table, error) {
	t := Table{Columns: join(texts("database", "gate"), columns(types.OIDBool, "disabled"), ints("max_clients", "backends", "reserve",
		"parked_limit", "queue_limit"), seconds("queue_timeout_seconds"))}
	names, err := b.from.Databases(task)
	if err != nil {
		return t, err
	}
	for _, name := range names {
		l := b.from.Pools.LimitsOf(name)
		gate, disabled := b.from.Pools.Shut(name)
		most, _ := b.from.Limits(name, "")
		t.add(name, gate.String(), disabled, limit(most), int64(l.Slots), int64(l.Reserve), limit(l.Parked), limit(l.Queue),
			l.QueueTimeout.Seconds())
	}
	return t, nil
}

// limit gives nothing for no limit.
func limit(n int) any {
	if n <= 0 || n >= 1<<31-1 {
		return nil
	}
	return int64(n)
}

// reportHistograms gives a row for each bucket that counts something: how many took less than its bound, those of the buckets
// before not among them. The last bucket has no bound.
func (b *Backend) reportHistograms() Table {
	t := Table{Columns: join(texts("database", "user_name", "kind"), seconds("below_seconds"), bigs("count"))}
	for _, p := range b.from.Pools.Stats() {
		for _, u := range p.Users {
			for _, h := range []struct {
				kind string
				of   pool.Histogram
			}{{"run", u.Runs}, {"wait", u.Waits}} {
				for i, n := range h.of {
					var bound any
					if i < pool.Buckets-1 {
						bound = pool.Bound(i).Seconds()
					}
					if n > 0 {
						t.add(p.Name, u.Name, h.kind, bound, int64(n))
					}
				}
			}
		}
	}
	return t
}

func (b *Backend) reportErrors() Table {
	t := Table{Columns: join(texts("sqlstate"), bigs("count"))}
	for code, n := range b.from.Errors() {
		t.add(code, int64(n))
	}
	sort.Slice(t.Rows, func(i, j int) bool { return t.Rows[i][0].(string) < t.Rows[j][0].(string) })
	return t
}
