package admin

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"manifold/engine/session"
	"manifold/engine/types"
	"manifold/pool"
)

// show is what stands behind SHOW.
type show struct {
	name string
	help string
	run  func(b *Backend, s *session.Session) (Table, error)
}

func shows() []show {
	plain := func(f func(*Backend) Table) func(*Backend, *session.Session) (Table, error) {
		return func(b *Backend, _ *session.Session) (Table, error) { return f(b), nil }
	}
	return []show{
		{"HELP", "this list", plain((*Backend).help)},
		{"POOLS", "clients and backends by database and user", plain((*Backend).pools)},
		{"CLIENTS", "who is logged in", plain((*Backend).clients)},
		{"SERVERS", "the backends", plain((*Backend).servers)},
		{"SOCKETS", "both", plain((*Backend).sockets)},
		{"ACTIVE_SOCKETS", "both, where a statement runs or waits", plain((*Backend).activeSockets)},
		{"DATABASES", "the databases and their limits", (*Backend).databases},
		{"USERS", "the users that have been here", plain((*Backend).users)},
		{"STATS", "what was done, by database", plain((*Backend).stats)},
		{"STATS_TOTALS", "the totals of STATS", plain((*Backend).statsTotals)},
		{"STATS_AVERAGES", "the averages of STATS", plain((*Backend).statsAverages)},
		{"TOTALS", "STATS of all databases together", plain((*Backend).totals)},
		{"LISTS", "how many there are of what", (*Backend).lists},
		{"MEM", "memory", plain((*Backend).mem)},
		{"CONFIG", "the configuration", plain((*Backend).config)},
		{"STATE", "whether the pools are paused", plain((*Backend).state)},
		{"VERSION", "the version of the server", plain((*Backend).version)},
	}
}

// The console's own database and user, as PgBouncer names them.
const (
	consoleName  = "pgbouncer"
	consoleSlots = 2
)

const poolMode = "transaction" // of every database: a backend is lent for a statement, which keeps all promises of that mode

func (b *Backend) version() Table {
	return Table{texts("version"), [][]any{{b.from.Version}}}
}

func (b *Backend) help() Table {
	t := Table{Columns: texts("command", "does")}
	for _, c := range shows() {
		t.add("SHOW "+c.name, c.help)
	}
	for _, a := range actions() {
		t.add(strings.TrimSpace(a.verb+" "+a.argument), a.help)
	}
	return t
}

// watching gives the clients of the console.
func (b *Backend) watching() (n int64) {
	for _, c := range b.from.Clients() {
		if c.Database == "manifold" || c.Database == consoleName {
			n++
		}
	}
	return n
}

func (b *Backend) pools() Table {
	t := Table{Columns: join(texts("database", "user"), ints("cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req",
		"sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait", "maxwait_us"),
		texts("pool_mode"))}
	const none = int64(0)
	for _, p := range b.from.Pools.Stats() {
		idle := int64(max(0, p.Backends-p.Running-p.Parked))
		for _, u := range p.Users {
			t.add(p.Name, u.Name, int64(u.Leases-u.Waiting), int64(u.Waiting), none, none, int64(u.Running+u.Parked), none, none, idle, none,
				none, none, int64(u.Oldest/time.Second), int64(u.Oldest%time.Second/time.Microsecond), poolMode)
			idle = 0
		}
	}
	t.add(consoleName, consoleName, b.watching(), none, none, none, none, none, none, none, none, none, none, none, none, "statement")
	sort.SliceStable(t.Rows, func(i, j int) bool { return t.Rows[i][0].(string) < t.Rows[j][0].(string) })
	return t
}

func (b *Backend) databases(s *session.Session) (Table, error) {
	t := Table{Columns: join(texts("name", "host"), ints("port"), texts("database", "force_user"), ints("pool_size", "min_pool_size",
		"reserve_pool"), texts("pool_mode"), ints("max_connections", "current_connections", "paused", "disabled"))}
	names, err := b.from.Databases(s.Task)
	if err != nil {
		return t, err
	}
	made := map[string]int{}
	for _, p := range b.from.Pools.Stats() {
		made[p.Name] = p.Backends
	}
	port := int64(b.from.Port)
	for _, name := range names {
		l := b.from.Pools.LimitsOf(name)
		gate, disabled := b.from.Pools.Shut(name)
		most, _ := b.from.Limits(name, "")
		t.add(name, nil, port, name, nil, int64(l.Slots), int64(0), int64(l.Reserve), poolMode, int64(most), int64(made[name]),
			one(gate != pool.Open), one(disabled))
	}
	t.add(consoleName, nil, port, consoleName, consoleName, int64(consoleSlots), int64(0), int64(0), "statement", int64(0), int64(0),
		int64(0), int64(0))
	sort.Slice(t.Rows, func(i, j int) bool { return t.Rows[i][0].(string) < t.Rows[j][0].(string) })
	return t, nil
}

func one(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// userNames gives those that have been in a pool, in order.
func (b *Backend) userNames() []string {
	seen := map[string]bool{consoleName: true}
	for _, p := range b.from.Pools.Stats() {
		for _, u := range p.Users {
			seen[u.Name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func (b *Backend) users() Table {
	t := Table{Columns: texts("name", "pool_mode")}
	for _, name := range b.userNames() {
		t.add(name, nil)
	}
	return t
}

func micros(d time.Duration) int64 { return d.Microseconds() }

// seven gives counts in the order of PgBouncer's columns.
func seven(c pool.Counts) []any {
	return []any{int64(c.Transactions), int64(c.Statements), int64(c.Received), int64(c.Sent), micros(c.TransactionTime),
		micros(c.StatementTime), micros(c.Waited)}
}

func (b *Backend) stats() Table {
	t := Table{Columns: join(texts("database"), numerics("total_xact_count", "total_query_count", "total_received", "total_sent",
		"total_xact_time", "total_query_time", "total_wait_time", "avg_xact_count", "avg_query_count", "avg_recv", "avg_sent",
		"avg_xact_time", "avg_query_time", "avg_wait_time"))}
	for _, p := range b.from.Pools.Stats() {
		t.add(append(append([]any{p.Name}, seven(p.Counts)...), seven(p.Averages)...)...)
	}
	return t
}

func sevenColumns() []Column {
	return join(texts("database"), numerics("xact_count", "query_count", "bytes_received", "bytes_sent", "xact_time", "query_time", "wait_time"))
}

func (b *Backend) statsTotals() Table {
	t := Table{Columns: sevenColumns()}
	for _, p := range b.from.Pools.Stats() {
		t.add(append([]any{p.Name}, seven(p.Counts)...)...)
	}
	return t
}

func (b *Backend) statsAverages() Table {
	t := Table{Columns: sevenColumns()}
	for _, p := range b.from.Pools.Stats() {
		t.add(append([]any{p.Name}, seven(p.Averages)...)...)
	}
	return t
}

func (b *Backend) totals() Table {
	t := Table{Columns: join(texts("name"), numerics("value"))}
	names := strings.Fields("xact_count query_count client_bytes server_bytes xact_time query_time wait_time")
	var total, average [7]int64
	stats := b.from.Pools.Stats()
	for _, p := range stats {
		for i := range total {
			total[i] += seven(p.Counts)[i].(int64)
			average[i] += seven(p.Averages)[i].(int64)
		}
	}
	for i, v := range total {
		t.add("total_"+names[i], v)
	}
	for i, v := range average {
		if n := int64(len(stats)); (i == 4 || i == 5) && n > 0 {
			v /= n
		}
		t.add("avg_"+names[i], v)
	}
	return t
}

func (b *Backend) lists(s *session.Session) (Table, error) {
	t := Table{Columns: join(texts("list"), ints("items"))}
	names, err := b.from.Databases(s.Task)
	if err != nil {
		return t, err
	}
	var pools, backends, used int
	for _, p := range b.from.Pools.Stats() {
		pools += len(p.Users)
		backends += p.Backends
		used += min(p.Backends, p.Running+p.Parked)
	}
	c := b.from.Capacity()
	for _, x := range []struct {
		name string
		n    int
	}{
		{"databases", len(names) + 1}, {"users", len(b.userNames())}, {"pools", pools + 1}, {"free_clients", max(0, c.Clients-c.Connected+c.LoggingIn)},
		{"used_clients", c.Connected - c.LoggingIn}, {"login_clients", c.LoggingIn}, {"free_servers", backends - used}, {"used_servers", used},
		{"dns_names", 0}, {"dns_zones", 0}, {"dns_queries", 0}, {"dns_pending", 0},
	} {
		t.add(x.name, int64(x.n))
	}
	return t, nil
}

// mem shows numbers of things, whose sizes the Go heap does not tell apart, and the heap in kB.
func (b *Backend) mem() Table {
	t := Table{Columns: join(texts("name"), ints("size", "used", "free", "memtotal"))}
	c := b.from.Capacity()
	stats := b.from.Pools.Stats()
	var pools, backends int
	for _, p := range stats {
		pools += len(p.Users)
		backends += p.Backends
	}
	for _, x := range []struct {
		name string
		n    int
	}{{"user_cache", len(b.userNames())}, {"db_cache", len(stats)}, {"pool_cache", pools}, {"server_cache", backends}, {"client_cache", c.Connected}} {
		t.add(x.name, int64(0), int64(x.n), int64(0), int64(0))
	}
	kb := min(c.Memory>>10, math.MaxInt32)
	t.add("heap_kb", int64(1), kb, int64(0), kb)
	return t
}

func (b *Backend) config() Table {
	t := Table{Columns: texts("key", "value", "default", "changeable")}
	for _, c := range b.from.Config() {
		live := "no"
		if b.from.Live(c[0]) {
			live = "yes"
		}
		t.add(c[0], c[1], c[2], live)
		for _, theirs := range theirNames()[c[0]] {
			t.add(theirs, strings.Trim(c[1], "[]"), strings.Trim(c[2], "[]"), live)
		}
	}
	t.add("pool_mode", poolMode, poolMode, "no")
	sort.SliceStable(t.Rows, func(i, j int) bool { return t.Rows[i][0].(string) < t.Rows[j][0].(string) })
	return t
}

// theirNames gives PgBouncer's names of settings of ours, for dashboards that look for them.
func theirNames() map[string][]string {
	return map[string][]string{"clients.max_clients": {"max_client_conn"}, "pool.backends": {"default_pool_size"},
		"pool.reserve": {"reserve_pool_size"}, "pool.queue_timeout": {"query_wait_timeout"}, "clients.client_idle_timeout": {"client_idle_timeout"},
		"clients.authentication_timeout": {"client_login_timeout"}, "listen.port": {"listen_port"}, "listen.addresses": {"listen_addr"},
		"listen.unix_socket_directory": {"unix_socket_dir"}, "console.admin_users": {"admin_users"}, "console.stats_users": {"stats_users"}}
}

func (b *Backend) state() Table {
	yes := map[bool]string{true: "yes", false: "no"}
	gate := b.from.Pools.All()
	return Table{texts("key", "value"), [][]any{{"active", yes[gate == pool.Open]}, {"paused", yes[gate == pool.Paused]},
		{"suspended", yes[gate == pool.Suspended]}}}
}

func socketColumns() []Column {
	return join(texts("type", "user", "database", "state", "addr"), ints("port"), texts("local_addr"), ints("local_port"),
		texts("connect_time", "request_time"), ints("wait", "wait_us", "close_needed"), texts("ptr", "link"), ints("remote_pid"),
		texts("tls", "application_name"))
}

func (b *Backend) clients() Table {
	t := Table{Columns: socketColumns()}
	links := map[uint32]string{}
	for _, p := range b.from.Pools.Named("") {
		for _, r := range p.Backends() {
			links[r.Session] = backendPointer(p.Name(), r.Number)
		}
	}
	now := time.Now()
	for _, c := range b.from.Clients() {
		t.Rows = append(t.Rows, b.clientRow(c, links[c.PID], now))
	}
	return t
}

func (b *Backend) clientRow(c Client, link string, now time.Time) []any {
	state, tls, wait := "active", "", time.Duration(0)
	if since := c.queued(); !since.IsZero() {
		state, wait = "waiting", max(0, now.Sub(since))
	}
	if c.TLS {
		tls = "on"
	}
	addr, port, local := c.Info.ClientAddr, c.Info.ClientPort, c.Info.ServerAddr
	if addr == "" {
		addr, port, local = "unix", b.from.Port, "unix"
	}
	localPort := c.Info.ServerPort
	if localPort == 0 {
		localPort = b.from.Port
	}
	request := c.Info.QueryStart
	if request.IsZero() {
		request = c.Started
	}
	return []any{"C", c.User, c.Database, state, addr, int64(port), local, int64(localPort), clock(c.Started), clock(request),
		int64(wait / time.Second), int64(wait % time.Second / time.Microsecond), int64(0), clientPointer(c.PID), link, int64(c.PID), tls,
		c.Info.Application}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Pointers name clients and backends in the columns ptr and link; they are numbers, not addresses.
func clientPointer(pid uint32) string { return "0x" + strconv.FormatUint(uint64(pid), 16) }

func backendPointer(database string, number uint64) string {
	return fmt.Sprintf("%s#%d", database, number)
}

func (b *Backend) servers() Table {
	t := Table{Columns: socketColumns()}
	clients := map[uint32]Client{}
	for _, c := range b.from.Clients() {
		clients[c.PID] = c
	}
	for _, p := range b.from.Pools.Named("") {
		for _, r := range p.Backends() {
			state, request, link := "idle", r.Since, ""
			c := clients[r.Session]
			if r.Session != 0 {
				state, link = "active", clientPointer(r.Session)
				if !c.Info.QueryStart.IsZero() {
					request = c.Info.QueryStart
				}
			}
			t.add("S", c.User, p.Name(), state, "unix", int64(b.from.Port), "unix", int64(b.from.Port), clock(r.Since), clock(request), int64(0),
				int64(0), one(r.Old), backendPointer(p.Name(), r.Number), link, int64(r.Session), "", c.Info.Application)
		}
	}
	return t
}

func (b *Backend) sockets() Table { return b.socketTable(func(row []any) bool { return true }) }

func (b *Backend) activeSockets() Table {
	return b.socketTable(func(row []any) bool {
		return row[0] == "S" && row[3] == "active" || row[3] == "waiting" || row[14] != ""
	})
}

// socketTable shows clients and backends; what is in a socket's buffers nobody knows.
func (b *Backend) socketTable(keep func(row []any) bool) Table {
	t := Table{Columns: join(socketColumns(), columns(types.OIDInt4, "recv_pos", "pkt_pos", "pkt_remain", "send_pos", "send_remain",
		"pkt_avail", "send_avail"))}
	clients, servers := b.clients(), b.servers()
	for _, row := range append(clients.Rows, servers.Rows...) {
		if !keep(row) {
			continue
		}
		prefix := "cl_"
		if row[0] == "S" {
			prefix = "sv_"
		}
		row[3] = prefix + row[3].(string)
		none := int64(0)
		t.Rows = append(t.Rows, append(row, none, none, none, none, none, none, none))
	}
	return t
}
